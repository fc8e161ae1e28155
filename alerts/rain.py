"""Rain: sums over rolling windows and the DWD's heavy-rain criteria.

Criteria (DWD, "Wetterwarnkriterien" on www.dwd.de): Starkregen over 1 h or 6 h, Dauerregen over 12, 24, 48
or 72 h; level 2 from its depth on (>=), levels 3 and 4 above theirs (>). Depths are integers,
µm; a window's time is the END of a reported interval, and a gauge is judged by the windows that are whole
multiples of its interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alerts import curve
from alerts.curve import Amounts, CurvePlan, Tally
from alerts.event import Event
from alerts.lifecycle import EPISODE, Episode, Finding, Subject
from alerts.rows import Batch, Bools, Ints, Rows, Slots, rounds

UM_PER_MM = 1000
WINDOWS_MIN = (60, 360, 720, 1440, 2880, 4320)
LEVELS = (2, 3, 4)
MEASURES = ("dwd_starkregen", "dwd_dauerregen")
DWD_MM: Mapping[str, Mapping[int, tuple[float, float, float]]] = {
    "dwd_starkregen": {60: (15, 25, 40), 360: (20, 35, 60)},
    "dwd_dauerregen": {720: (25, 40, 70), 1440: (30, 50, 80), 2880: (40, 60, 90), 4320: (60, 90, 120)},
}
"""Measure -> window (min) -> mm of levels 2, 3, 4."""

_NAMES = {"dwd_starkregen": "Starkregen", "dwd_dauerregen": "Dauerregen"}
_HOUR = WINDOWS_MIN.index(60)
_WINDOWS = np.array(WINDOWS_MIN, np.int64) * 60_000_000 // curve.MARK_US
_MARKS = WINDOWS_MIN[-1] * 60_000_000 // curve.MARK_US + 4
_HOUR_US = 3_600_000_000
_UNHEARD_US = 900_000_000
_NEVER = np.iinfo(np.int64).max
_REARM_SHARE = 0.9
_SHAPE = (len(MEASURES), len(WINDOWS_MIN))

ROW = np.dtype(
    [
        ("busy", "?"),
        ("met", "u1", _SHAPE),
        ("spent", "u1", _SHAPE),
        ("episode", EPISODE.descr, (len(MEASURES),)),
        *curve.fields(_MARKS, cover=False),
    ]
)
"""`met`: how many levels of a criterion hold, per measure and window. `spent`: how many of them are only old
rain, because the episode stepped down while they held. `busy`: anything of this is not zero."""


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
    """Slots are rain series. `limits[variant[slot]]`: depths (µm) to exceed, by measure, window and level;
    `lowest[variant[slot]]` the least of them by window."""  # noqa: D205, D209 - one thought

    slot_of: Slots
    curves: CurvePlan
    variant: Slots
    limits: Ints
    lowest: Ints
    rules: Sequence[RainRule]
    subjects: Sequence[Sequence[Subject]]


def limits(interval_min: float) -> Ints:
    """Depths (µm) that a sum must exceed, (measure, window, level), for a gauge that reports at an interval.

    Windows that are no whole multiple of the interval never hold. For an interval that does not fit into an
    hour (7 min) the windows of at least four intervals count all the same, interpolated: a gauge set to
    an odd interval is not blind.
    """
    table = np.full((*_SHAPE, len(LEVELS)), _NEVER, np.int64)
    fits_hour = interval_min <= 0 or 60 % interval_min == 0
    for m, measure in enumerate(MEASURES):
        for w, window in enumerate(WINDOWS_MIN):
            whole = interval_min <= 0 or window % interval_min == 0
            if window in DWD_MM[measure] and (whole or (not fits_hour and window >= 4 * interval_min)):
                l2, l3, l4 = (round(mm * UM_PER_MM) for mm in DWD_MM[measure][window])
                table[m, w] = (l2 - 1, l3, l4)
    return table


def step(rows: Rows, plan: RainPlan, batch: Batch, since_us: int, tally: Tally) -> list[tuple[int, Event]]:
    """Take readings (mm) in their order; changes `rows` in place.

    Returns events with the position of the reading that caused them. Readings before `since_us` make
    history: their events have no audience.
    """
    slot, time, value = batch
    amount = np.rint(value * UM_PER_MM).astype(np.int64)
    found: list[tuple[int, Event]] = []
    for part in rounds(slot):
        at = slot[part]
        curve.add(rows, plan.curves, Amounts(at, time[part], amount[part]), tally)
        sums = curve.windows(rows, at, _WINDOWS)
        hot: Bools = (sums > plan.lowest[plan.variant[at]]).any(axis=1) | rows["busy"][at]
        for i in hot.nonzero()[0].tolist():
            s = int(at[i])
            place = int(part[i])
            found += [(place, event) for event in _judge(rows[s], plan, s, sums[i], since_us)]
    return found


def _judge(row: np.void, plan: RainPlan, slot: int, sums: Ints, since_us: int) -> list[Event]:
    """One gauge at its newest reading: crossings, then each measure's episode."""
    time = int(row["head"]["time"])
    table = plan.limits[plan.variant[slot]]
    rule = plan.rules[slot]
    before = row["met"].copy()
    met = (sums[None, :, None] > table).sum(axis=2).astype(np.uint8)
    row["met"] = met
    old = (sums[None, :, None] > table * _REARM_SHARE).sum(axis=2)
    row["spent"] = 0 if sums[_HOUR] >= rule.rearm else np.minimum(row["spent"], old)
    events: list[Event] = []
    for m, subject in enumerate(plan.subjects[slot]):
        episode = Episode(row["episode"][m], subject, since_us)
        made: list[Event] = []
        for w in np.flatnonzero(met[m] > before[m]).tolist():
            made += [
                episode.crossing(LEVELS[number], _rain_finding(time, m, w, number, sums))
                for number in range(int(before[m, w]), int(met[m, w]))
            ]
        live = np.where(met[m] > row["spent"][m], met[m], 0)
        events += made + _move(episode, row, plan, slot, m, live, sums)
    row["busy"] = bool(met.any() or row["spent"].any() or row["episode"]["level"].any())
    return events


def _move(  # noqa: PLR0913, PLR0917 - what one decision rests on
    episode: Episode, row: np.void, plan: RainPlan, slot: int, m: int, live: Ints, sums: Ints
) -> list[Event]:
    rule = plan.rules[slot]
    time = int(row["head"]["time"])
    top = int(live.max())
    level = LEVELS[top - 1] if top else 0
    if level > episode.level:
        window = int(np.argmax(live == top))
        return [episode.rise(level, _rain_finding(time, m, window, top - 1, sums))]
    if not episode.level:
        return []
    wait = rule.calm_time if episode.rose_last else rule.step_time
    calm = sums[_HOUR] < rule.calm and time - episode.changed_us >= wait
    # silence is not calm
    if calm and curve.unheard_us(row, plan.curves, slot, _HOUR_US) <= _UNHEARD_US:
        lower = LEVELS.index(episode.level)
        row["spent"][m] = np.where(row["met"][m] > lower, row["met"][m], row["spent"][m])
        reason = (
            f"{sums[_HOUR] / UM_PER_MM:.1f} mm in the last 60 min, less than {rule.calm / UM_PER_MM:g} mm: "
            "what is left in the windows is old rain"
        )
        finding = Finding(time, WINDOWS_MIN[_HOUR], int(sums[_HOUR]) / UM_PER_MM, reason)
        return [episode.fall(LEVELS[lower - 1] if lower else 0, finding)]
    window = int(np.argmax(row["met"][m])) if row["met"][m].any() else _HOUR
    standing = Finding(time, WINDOWS_MIN[window], int(sums[window]) / UM_PER_MM, "still in force")
    told = episode.tell(standing)
    return [told] if told else []


def _rain_finding(time: int, m: int, w: int, number: int, sums: Ints) -> Finding:
    measure, window = MEASURES[m], WINDOWS_MIN[w]
    depth = int(sums[w]) / UM_PER_MM
    sign = ">=" if number == 0 else ">"
    limit = DWD_MM[measure][window][number]
    reason = (
        f"{depth:g} mm in {window} min {sign} {limit:g} mm (DWD {_NAMES[measure]}, level {LEVELS[number]})"
    )
    return Finding(time, window, depth, reason)
