"""Rain: sums over rolling windows, the DWD's heavy-rain criteria and the Starkregenindex.

Criteria (DWD, "Wetterwarnkriterien" on www.dwd.de): Starkregen over 1 h or 6 h, Dauerregen over 12, 24, 48
or 72 h; level 2 from its depth on (>=), levels 3 and 4 above theirs (>). The Starkregenindex SRI 1-12 is the
highest over all durations of KOSTRA (see kostra.py); alerts follow the durations up to 6 h, for long rain
is no Starkregen. Depths are integers, µm; a window's time is the END of a reported interval, and a gauge is
judged by the windows that are whole multiples of its interval.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alerts.event import Event
from alerts.kernels import counter_jumps, curve
from alerts.kernels.curve_row import MARK_US, Amounts, CurvePlan, Tally, fields
from alerts.kernels.rows import Batch, Bools, Ints, Rows, Slots, rounds
from alerts.kostra.kostra import DURATIONS_MIN, SRI, SRI_PERCENT, SRI_YEARS, DepthTable
from alerts.lifecycle import EPISODE, Episode, Finding, Subject

UM_PER_MM = 1000
WINDOWS_MIN = (60, 360, 720, 1440, 2880, 4320)
LEVELS = (2, 3, 4)
MEASURES = ("dwd_starkregen", "dwd_dauerregen")
DWD_MM: Mapping[str, Mapping[int, tuple[float, float, float]]] = {
    "dwd_starkregen": {60: (15, 25, 40), 360: (20, 35, 60)},
    "dwd_dauerregen": {720: (25, 40, 70), 1440: (30, 50, 80), 2880: (40, 60, 90), 4320: (60, 90, 120)},
}
"""Measure -> window (min) -> mm of levels 2, 3, 4."""
_HOUR_UM = tuple(round(mm * UM_PER_MM) for mm in DWD_MM["dwd_starkregen"][60])
SRI_MEASURE = "sri"
SRI_ALERT_MIN = 360
"""The longest duration (min) whose SRI alerts; longer ones are Dauerregen."""

Counts = npt.NDArray[np.uint8]

_NAMES = {"dwd_starkregen": "Starkregen", "dwd_dauerregen": "Dauerregen"}
_SRI_NAMES = (*("Starkregen",) * 2, *("intensiver",) * 3, *("außergewöhnlicher",) * 2, *("extremer",) * 5)
_HOUR = DURATIONS_MIN.index(60)
_DWD = np.array([DURATIONS_MIN.index(window) for window in WINDOWS_MIN])
_ALERT = DURATIONS_MIN.index(SRI_ALERT_MIN) + 1
_WINDOWS = np.array(DURATIONS_MIN, np.int64) * 60_000_000 // MARK_US
# A longer window never holds less than a shorter one: as long as a gate's sum stays below what the windows
# from the gate before it up to it ask for, none of them holds.
GATES = np.array([DURATIONS_MIN.index(window) for window in (60, 360, 1440, 4320)])
_MARKS = DURATIONS_MIN[-1] * 60_000_000 // MARK_US + 4
_NEAR_MARK_US = 30_000_000
_HOUR_US = 3_600_000_000
_UNHEARD_US = 900_000_000
_NEVER = np.iinfo(np.int64).max
_REARM_SHARE = 0.9
_SHAPE = (len(MEASURES), len(WINDOWS_MIN))
_LEVEL_OF = np.array((0, *LEVELS))

ROW = np.dtype(
    [
        ("busy", "?"),
        ("met", "u1", _SHAPE),
        ("spent", "u1", _SHAPE),
        ("episode", EPISODE.descr, (len(MEASURES),)),
        ("sri_met", "u1", (len(DURATIONS_MIN),)),
        ("sri_spent", "u1", (len(DURATIONS_MIN),)),
        ("sri_episode", EPISODE.descr),
        *counter_jumps.FIELDS,
        *fields(_MARKS, cover=False),
    ]
)
"""`met`: how many levels of a criterion hold, per measure and window. `spent`: how many of them are only old
rain, because the episode stepped down while they held. `sri_met`, `sri_spent`: the same for the SRI, by
duration. `busy`: anything of this is not zero."""


@dataclass(frozen=True, slots=True)
class RainRule:
    """How an episode ends. Depths µm, times µs.

    It steps down a level when less than `calm` fell in 60 min and `calm_time` has passed since it rose, then
    every `step_time`. A criterion that still held at a step down counts again when its sum has been below
    90 % of the threshold in between, or when `rearm` fell in 60 min.
    """

    calm: int
    calm_time: int
    step_time: int
    rearm: int


@dataclass(frozen=True, slots=True)
class RainPlan:
    """Slots are rain series; what gauges share is kept by variant, `variant[slot]`.

    Depths (µm) that a sum must exceed: `limits` by level, variant, measure and window, `bounds` by SRI,
    variant and duration, `lowest` the least of them by variant and duration, `gates` by variant and gate.
    `tables`: the KOSTRA table of each variant, `known` whether it has one. `rules`, `sri_rules`: how episodes
    end, by slot; `endings` the same as numbers (slot, DWD and SRI, the fields of RainRule). `subjects`:
    Starkregen, Dauerregen and SRI of each slot.
    """

    slot_of: Slots
    curves: CurvePlan
    variant: Slots
    limits: Ints
    bounds: Ints
    lowest: Ints
    gates: Ints
    tables: Sequence[DepthTable | None]
    known: Bools
    rules: Sequence[RainRule]
    sri_rules: Sequence[RainRule]
    endings: Ints
    subjects: Sequence[Sequence[Subject]]


def limits(interval_min: float) -> Ints:
    """Depths (µm) that a sum must exceed, (measure, window, level), for a gauge that reports at an interval.

    Windows that are no whole multiple of the interval never hold. For an interval that does not fit into an
    hour (7 min) the windows of at least four intervals count all the same, interpolated: a gauge set to
    an odd interval is not blind.
    """
    table = np.full((*_SHAPE, len(LEVELS)), _NEVER, np.int64)
    for m, measure in enumerate(MEASURES):
        for w, window in enumerate(WINDOWS_MIN):
            if window in DWD_MM[measure] and _judged_by(window, interval_min):
                l2, l3, l4 = (round(mm * UM_PER_MM) for mm in DWD_MM[measure][window])
                table[m, w] = (l2 - 1, l3, l4)
    return table


def no_limits() -> Ints:
    """limits() of a gauge that no rule judges by them."""
    return np.full((*_SHAPE, len(LEVELS)), _NEVER, np.int64)


def bounds(interval_min: float, table: DepthTable | None) -> Ints:
    """Depths (µm) that a sum must exceed, (duration, SRI), as in limits(); without a table none holds."""
    found = np.full((len(DURATIONS_MIN), len(SRI)), _NEVER, np.int64)
    for d, duration in enumerate(DURATIONS_MIN):
        of_sri = table.sri_bounds(duration) if table else ()
        if of_sri and _judged_by(duration, interval_min):
            found[d] = np.array(of_sri) - 1
    return found


def lowest(dwd: Ints, sri: Ints) -> Ints:
    """The least depth (µm) by duration that limits() or bounds() ask to be exceeded."""
    found: Ints = sri.min(axis=1)
    found[_DWD] = np.minimum(found[_DWD], dwd.min(axis=(0, 2)))
    return found


def gates(least: Ints) -> Ints:
    """What the sum of each gate must exceed before any of its windows can hold; takes lowest()."""
    starts = [0, *(GATES[:-1] + 1)]
    return np.array([least[a : b + 1].min() for a, b in zip(starts, GATES, strict=True)], np.int64)


def _judged_by(window_min: int, interval_min: float) -> bool:
    if interval_min <= 0 or window_min % interval_min == 0:
        return True
    return bool(60 % interval_min) and window_min >= 4 * interval_min


def step(  # noqa: PLR0913, PLR0917 - what one step rests on
    rows: Rows,
    plan: RainPlan,
    batch: Batch,
    since_us: int,
    tally: Tally,
    resting: Bools | None = None,
    notice: Callable[[Slots, Ints, Ints], object] = lambda *_: None,
) -> list[tuple[int, Event]]:
    """Take readings (mm) in their order; changes `rows` in place.

    `resting`: which of them are of counters that somebody works at; what these count is no rain.
    Returns events with the position of the reading that caused them. Readings before `since_us` make
    history: their events have no audience. `notice` is given slots, positions and the sums by GATES (slot,
    gate) after every round.
    """
    slot, time, value = batch
    amount = np.rint(value * UM_PER_MM).astype(np.int64)
    found: list[tuple[int, Event]] = []
    for whole in rounds(slot):
        part = whole
        if resting is not None and resting[whole].any():
            rests, part = whole[resting[whole]], whole[~resting[whole]]
            counter_jumps.rest(rows, plan.curves, Amounts(slot[rests], time[rests], amount[rests]))
            if not len(part):
                continue
        at = slot[part]
        before = tally.implausible
        readings = Amounts(at, time[part], amount[part])
        curve.add(rows, plan.curves, readings, tally)
        if tally.implausible > before:
            subjects = [plan.subjects[s][0] for s in at.tolist()]
            jumps = counter_jumps.told(rows, plan.curves, readings, _HOUR_UM, subjects, since_us)
            found += [(int(part[i]), event) for i, event in jumps]
        busy: Bools = rows["busy"][at]
        gate_sums = curve.windows(rows, at, _WINDOWS[GATES])
        notice(at, part, gate_sums)
        reached = gate_sums > plan.gates[plan.variant[at]]
        near = (reached.any(axis=1) | busy).nonzero()[0]
        if not len(near):
            continue
        at, places, busy = at[near], part[near], busy[near]
        sums = curve.windows(rows, at, _WINDOWS)
        hot = ((sums > plan.lowest[plan.variant[at]]).any(axis=1) | busy).nonzero()[0]
        if len(hot):
            places = places[hot]
            judged = _judge(rows, plan, at[hot], sums[hot], since_us)
            found += [(int(places[i]), event) for i, event in judged]
    return found


def _judge(rows: Rows, plan: RainPlan, at: Slots, sums: Ints, since_us: int) -> list[tuple[int, Event]]:
    """Events of gauges at their newest reading, with the position in `at`; changes `rows` in place.

    What holds now is found for all gauges at once; one by one go only those where it may mean an event.
    """
    variant, hour, time = plan.variant[at], sums[:, _HOUR], rows["head"]["time"][at]
    ending, sri_ending = plan.endings[at].swapaxes(0, 1)
    episode, before = rows["episode"][at], rows["met"][at]
    limits_, bounds_ = plan.limits[:, variant], plan.bounds[:, variant]
    met, spent = _held(sums[:, None, _DWD], limits_, rows["spent"][at], hour >= ending[:, 3])
    moved: Bools = np.any(met > before, axis=(1, 2))
    moved |= (_LEVEL_OF[_highest(met, spent)] > episode["level"]).any(axis=1)
    moved |= _may_end(episode, ending[:, None], hour[:, None], time[:, None], since_us).any(axis=1)

    sri_episode, sri_before, old = rows["sri_episode"][at], rows["sri_met"][at], rows["sri_spent"][at]
    sri_met, sri_spent = _held(sums, bounds_, old, hour >= sri_ending[:, 3])
    waits = _between_marks(rows, plan, at)
    sri_met[waits], sri_spent[waits] = sri_before[waits], old[waits]
    unknown = ~plan.known[variant] & (sri_episode["level"] == 0)
    sri_met[unknown] = sri_spent[unknown] = 0
    sri_moved: Bools = sri_met.max(axis=1) > sri_before.max(axis=1)
    sri_moved |= _highest(sri_met[:, :_ALERT], sri_spent[:, :_ALERT]) > sri_episode["level"]
    sri_moved |= _may_end(sri_episode, sri_ending, hour, time, since_us)
    sri_moved &= ~(waits | unknown)

    rows["met"][at], rows["spent"][at], rows["sri_met"][at], rows["sri_spent"][at] = (
        met,
        spent,
        sri_met,
        sri_spent,
    )
    busy: Bools = episode["level"].any(axis=1) | (sri_episode["level"] > 0)
    held = (met.reshape(len(at), -1), spent.reshape(len(at), -1), sri_met, sri_spent)
    busy |= np.concatenate(held, axis=1).any(axis=1)
    rows["busy"][at] = busy
    found: list[tuple[int, Event]] = []
    for i in (moved | sri_moved).nonzero()[0].tolist():
        gauge = _Gauge(rows[at[i]], plan, int(at[i]), sums[i], since_us)
        if moved[i]:
            found += [(i, event) for event in gauge.dwd(before[i].tolist())]
        if sri_moved[i]:
            found += [(i, event) for event in gauge.sri(int(sri_before[i].max()))]
        gauge.settle()
    return found


def _held(sums: Ints, limits_: Ints, spent: Counts, rearmed: Bools) -> tuple[Counts, Counts]:
    """How many levels hold now, and how many of them are only old rain; levels first in the limits."""
    met: Counts = np.add.reduce((sums > limits_).view(np.uint8), axis=0, dtype=np.uint8)
    spent = spent.copy()
    spent[rearmed] = 0
    left: Bools = np.any(spent.reshape(len(spent), -1), axis=1)
    some = left.nonzero()[0]
    if len(some):
        old = np.add.reduce(sums[some] > limits_[:, some] * _REARM_SHARE, axis=0, dtype=np.uint8)
        spent[some] = np.minimum(spent[some], old)
    return met, spent


def _highest(met: Counts, spent: Counts) -> Counts:
    """How many levels hold by new rain, over the windows in the last axis."""
    highest: Counts = np.where(met > spent, met, 0).max(axis=-1)
    return highest


def _may_end(episode: Rows, ending: Ints, hour: Ints, time: Ints, since_us: int) -> Bools:
    """Whether an episode may step down, clear or be told of now: see _Gauge._ease()."""
    wait = np.where(episode["number"] == episode["rise"], ending[..., 1], ending[..., 2])
    calm: Bools = (hour < ending[..., 0]) & (time - episode["changed"] >= wait)
    untold: Bools = ~episode["told"] & (time >= since_us)
    return (episode["level"] > 0) & (calm | untold)


def _between_marks(rows: Rows, plan: RainPlan, at: Slots) -> Bools:
    """Whether gauges that report more often than the marks stand between two of them.

    Their short sums are interpolated there and may be too high; at the next mark they are exact.
    """
    interval, head = plan.curves.interval_us[at], rows["head"]
    rest = (head["time"][at] - head["phase"][at]) % MARK_US
    off: Bools = (rest > _NEAR_MARK_US) & (rest < MARK_US - _NEAR_MARK_US)
    return off & (interval > 0) & (interval < MARK_US)


class _Gauge:
    """One gauge at its newest reading, of which `met` and `spent` are known: crossings, then its episodes."""

    def __init__(self, row: np.void, plan: RainPlan, slot: int, sums: Ints, since_us: int) -> None:
        self._row = row
        self._plan = plan
        self._slot = slot
        self._sums = sums
        self._since_us = since_us
        self._time = int(row["head"]["time"])
        self._hour = int(sums[_HOUR])

    def settle(self) -> None:
        """Say whether anything is left to follow."""
        row = self._row
        episodes = (row["episode"]["level"].any(), row["sri_episode"]["level"])
        held = (row["met"], row["spent"], row["sri_met"], row["sri_spent"])
        row["busy"] = any(episodes) or any(each.any() for each in held)

    def dwd(self, before: Sequence[Sequence[int]]) -> list[Event]:
        """Events of Starkregen and Dauerregen; `before`: the levels that held, by measure and window."""
        row, slot = self._row, self._slot
        all_met, all_spent = row["met"].tolist(), row["spent"].tolist()
        events: list[Event] = []
        for m, subject in enumerate(self._plan.subjects[slot][: len(MEASURES)]):
            met, spent = all_met[m], all_spent[m]
            episode = Episode(row["episode"][m], subject, self._since_us)
            for w, (was, is_) in enumerate(zip(before[m], met, strict=True)):
                events += [
                    episode.crossing(LEVELS[number], self._dwd_finding(m, w, number))
                    for number in range(was, is_)
                ]
            live = [new if new > old else 0 for new, old in zip(met, spent, strict=True)]
            top = max(live)
            if top and LEVELS[top - 1] > episode.level:
                finding = self._dwd_finding(m, live.index(top), top - 1)
                events.append(episode.rise(LEVELS[top - 1], finding))
            else:
                held = (row["met"][m], row["spent"][m])
                events += self._ease(episode, self._plan.rules[slot], LEVELS, held, _DWD.tolist())
        return events

    def sri(self, before: int) -> list[Event]:
        """Events of the Starkregenindex; `before`: the SRI that held."""
        row, plan, slot = self._row, self._plan, self._slot
        table = plan.tables[plan.variant[slot]]
        met, spent = row["sri_met"].tolist(), row["sri_spent"].tolist()
        episode = Episode(row["sri_episode"], plan.subjects[slot][len(MEASURES)], self._since_us)
        events: list[Event] = []
        highest = max(met)
        if table is not None and highest > before:
            shortest = met.index(highest)
            events += [
                episode.crossing(level, self._sri_finding(table, shortest, level))
                for level in SRI[before:highest]
            ]
        live = [new if new > old else 0 for new, old in zip(met[:_ALERT], spent, strict=False)]
        level = max(live)
        if table is not None and level > episode.level:
            return [*events, episode.rise(level, self._sri_finding(table, live.index(level), level))]
        held = (row["sri_met"][:_ALERT], row["sri_spent"][:_ALERT])
        return [*events, *self._ease(episode, plan.sri_rules[slot], SRI, held, range(_ALERT), table)]

    def _ease(  # noqa: PLR0913, PLR0917 - what one decision rests on
        self,
        episode: Episode,
        rule: RainRule,
        levels: Sequence[int],
        held: tuple[Counts, Counts],
        windows: Sequence[int],
        table: DepthTable | None = None,
    ) -> list[Event]:
        """Step down or clear when it is calm; else tell what stands untold. Changes the second of `held`."""
        if not episode.level:
            return []
        met, spent = held
        version = table.version if table else ""
        wait = rule.calm_time if episode.rose_last else rule.step_time
        calm = self._hour < rule.calm and self._time - episode.changed_us >= wait
        # silence is not calm
        if calm and curve.unheard_us(self._row, self._plan.curves, self._slot, _HOUR_US) <= _UNHEARD_US:
            lower = levels.index(episode.level)
            spent[:] = np.where(met > lower, met, spent)
            reason = (
                f"{self._hour / UM_PER_MM:.1f} mm in the last 60 min, less than "
                f"{rule.calm / UM_PER_MM:g} mm: what is left in the windows is old rain"
            )
            finding = Finding(self._time, 60, self._hour / UM_PER_MM, reason, version)
            return [episode.fall(levels[lower - 1] if lower else 0, finding)]
        window = windows[int(np.argmax(met))] if met.any() else _HOUR
        depth = int(self._sums[window]) / UM_PER_MM
        told = episode.tell(Finding(self._time, DURATIONS_MIN[window], depth, "still in force", version))
        return [told] if told else []

    def _dwd_finding(self, m: int, w: int, number: int) -> Finding:
        measure, window = MEASURES[m], WINDOWS_MIN[w]
        depth = int(self._sums[_DWD[w]]) / UM_PER_MM
        sign = ">=" if number == 0 else ">"
        limit = DWD_MM[measure][window][number]
        name = f"DWD {_NAMES[measure]}, level {LEVELS[number]}"
        reason = f"{depth:g} mm in {window} min {sign} {limit:g} mm ({name})"
        return Finding(self._time, window, depth, reason + self._bridged(window))

    def _sri_finding(self, table: DepthTable, d: int, level: int) -> Finding:
        duration = DURATIONS_MIN[d]
        depth = int(self._sums[d]) / UM_PER_MM
        bound = table.sri_bounds(duration)[level - 1] / UM_PER_MM
        years = SRI_YEARS[level - 1] if level <= len(SRI_YEARS) else SRI_YEARS[-1]
        share = "" if level <= len(SRI_YEARS) else f"{SRI_PERCENT[level - 1 - len(SRI_YEARS)] / 100:g} times "
        of_what = f"{share}the {years}-year depth"
        if duration > SRI_ALERT_MIN:
            meaning = f"Dauerregen of a return period of at least {years} a, SRI {level} of this duration"
        else:
            name = _SRI_NAMES[level - 1]
            meaning = f"SRI {level}, {name}" + (" Starkregen" if name != "Starkregen" else "")
        reason = (
            f"{depth:g} mm in {duration} min >= {bound:g} mm, {of_what} there: {meaning} "
            f"({table.version}, lower bound)"
        )
        return Finding(self._time, duration, depth, reason + self._bridged(duration), table.version)

    def _bridged(self, window_min: int) -> str:
        spread = curve.bridged_us(self._row, self._plan.curves, self._slot, window_min * 60_000_000)
        return f"; {spread // 60_000_000} min of it are a gap over which its rain is spread" if spread else ""
