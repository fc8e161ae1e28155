"""Running totals on a grid of five-minute marks, from counters or interval amounts that arrive in any order.

A row holds the total amount at every grid mark of the last hours, so the amount of any window is one
subtraction. Amounts are integers (µm of rain, vehicles): no drift, no false crossing.

An amount is spread evenly over the time it belongs to: a counter's rise over the time since the reading
before it (a gap included), an interval's depth over its interval. The last readings (KNOTS of them, where
nothing else is asked for) stay known: a late one between two of them takes back their segment and puts two in
its place, so that totals equal those of the sorted run; a repeated one changes nothing.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.kernels.rows import Bools, Ints, Rows, Slots

MARK_US = 300_000_000
KNOTS = 32
MAX_GAP_US = 30 * 86_400_000_000
"""A counter that was silent for longer starts anew: its rise belongs to no time."""

WRAP_SHARE = 0.05
"""Of vehicles and people: a fall that only a rise by more of the modulus explains is no wrap but a reset."""

_MINUTE_US = 60_000_000
_HOUR_US = 60 * _MINUTE_US
_S = 1_000_000
_FAST_MARKS = 16
_MISALIGNED_US = 15_000_000
_REBASE = 1 << 30


HEAD = np.dtype(
    [
        ("time", "<i8"),
        ("total", "<i8"),
        ("covered", "<i8"),
        ("phase", "<i8"),
        ("last", "<i8"),
        ("pushes", "<i8"),
        ("suspect_time", "<i8"),
        ("suspect", "<i8"),
    ]
)
"""What every reading needs, in one cache line: `time` of the newest reading, `total` amount and `covered`
seconds up to it, time of mark 0, the value as it came, how many readings were kept, and a counter value that
does not follow from the last one (the next reading decides)."""


def fields(marks: int, *, cover: bool, knots: int = KNOTS) -> list[tuple[Any, ...]]:
    """Fields of a row. `ring[k % marks]` is the total at mark k (time `phase` + k * MARK_US); with `cover`
    the seconds that readings speak for are kept likewise, and apart from them those that a counter's rise
    bridges: how much is known, not when. `knots`: how many readings stay known."""  # noqa: D205, D209 - one thought
    rows: list[tuple[Any, ...]] = [
        ("head", HEAD.descr),
        ("knot_time", "<i8", (knots,)),
        ("knot", "<i8", (knots,)),
        ("knot_break", "u1", (knots,)),
        ("ring", "<i4", (marks,)),
    ]
    if not cover:
        return rows
    return [*rows, ("cover", "<i4", (marks,)), ("bridge", "<i4", (marks,)), ("bridged", "<i8")]


@dataclass(frozen=True, slots=True)
class CurvePlan:
    """What is known of each slot's series.

    `counter`: cumulative, else amount of the interval that ends at the reading's time. `interval_us`: between
    readings, 0 unknown (then the spacing, at most an hour). `cap`: most that can be real, per minute.
    `modulus`: where a counter wraps, 0 unknown. `own_phase`: marks follow the series' own reporting times
    (windows that end with a reading are then exact), else UTC. `at_once`: the amount happened at the
    reading's time, not in its interval, which only says for how long the reading speaks. `joins`: an interval
    that comes up to half of it late begins where the one before ended. `wrap_share`: the share of its modulus
    that a counter rises by at most when it wraps; below 1 two low values that agree are a new counter too.
    """

    counter: Bools
    interval_us: Ints
    cap: Ints
    modulus: Ints
    own_phase: bool
    at_once: Bools | None = None
    joins: bool = False
    wrap_share: float = 1.0


@dataclass(slots=True)
class Tally:
    """What a step did not take, by reason. `undated`: of a time before 1900 or after 2200."""

    undated: int = 0
    implausible: int = 0
    too_late: int = 0
    counter_breaks: int = 0


class Amounts(NamedTuple):
    """One reading each for some different slots: time µs since the epoch, amount in the curve's integers."""

    slot: Slots
    time: Ints
    amount: Ints


class Span(NamedTuple):
    """What the reading at `place` spread over the time between two others (µs), and the seconds of cover or
    of a bridge."""  # noqa: D205, D209 - one thought

    place: int
    start: int
    end: int
    amount: int
    seconds: int
    bridged: int


@dataclass(slots=True)
class Spans:
    """What add() spread: `fast` has places, starts and ends (µs) of most readings, `rare` all others.

    Of late readings it has parts only. Whoever asks for spans reads what the ring holds, so a late reading
    that would change older marks is too late.
    """

    fast: list[tuple[Ints, Ints, Ints]] = field(default_factory=list)
    rare: list[Span] = field(default_factory=list)


def add(rows: Rows, plan: CurvePlan, readings: Amounts, tally: Tally, spans: Spans | None = None) -> None:
    """Take the readings; changes `rows` in place and says in `spans` which marks."""
    slot, time, amount = readings
    head: Rows = rows["head"][slot]
    last, phase, total, counter = head["time"], head["phase"], head["total"], plan.counter[slot]
    spacing = time - last
    interval = plan.interval_us[slot]
    if not interval.all():
        interval = np.where(interval == 0, np.clip(spacing, 0, _HOUR_US), interval)
    depth = np.where(counter, amount - head["last"], amount)
    joined = counter | (2 * spacing <= 3 * interval) if plan.joins else counter
    start = np.where(joined, last, np.maximum(last, time - interval))
    limit = plan.cap[slot] * np.where(counter, np.maximum(spacing, _MINUTE_US), interval) // _MINUTE_US
    mark = (last - phase) // MARK_US
    marks = (time - phase) // MARK_US - mark
    ring = rows["ring"]
    size = ring.shape[1]
    clean = (spacing > 0) & (head["pushes"] > 0) & (depth >= 0) & (depth <= limit) & (marks <= _FAST_MARKS)
    clean &= (head["suspect_time"] == 0) & (total < _REBASE)
    if plan.own_phase:
        # a clock that drifted: move the marks with it while there is nothing on them
        drift = (time - phase + MARK_US // 2) % MARK_US - MARK_US // 2
        aligned = np.abs(drift) <= _MISALIGNED_US
        if not aligned.all():
            clean &= aligned | (depth == 0) | (ring[slot, (mark + 1) % size] != total)
    rare = (~clean).nonzero()[0].tolist()
    kept = None
    if rare:
        for i in rare:
            changed = None if spans is None else spans.rare
            _Curve(rows[slot[i]], plan, int(slot[i]), tally, changed, i).take(int(time[i]), int(amount[i]))
        kept = clean.nonzero()[0]
        if not len(kept):
            return
        slot, time, amount, start, depth = slot[kept], time[kept], amount[kept], start[kept], depth[kept]
        head, counter, interval, total = head[kept], counter[kept], interval[kept], total[kept]
        phase, mark, marks, spacing = phase[kept], mark[kept], marks[kept], spacing[kept]
    length_ms = np.maximum((time - start) // 1000, 1)
    _fill(ring, slot, (*_of_amount(plan, slot, time, start, length_ms), phase, mark, marks), total, depth)
    if "cover" in (rows.dtype.names or ()):
        seconds = time // _S - start // _S, ~counter | (2 * spacing <= 3 * interval)
        _cover(rows, head, slot, (start, length_ms, phase, mark, marks), seconds)
    if spans is not None:
        spans.fast.append((np.arange(len(slot)) if kept is None else kept, start, time))
    at = head["pushes"] % rows["knot_time"].shape[1]
    rows["knot_time"][slot, at] = time
    rows["knot"][slot, at] = amount
    rows["knot_break"][slot, at] = 0
    head["time"], head["last"] = time, amount
    head["total"] += depth
    head["pushes"] += 1
    rows["head"][slot] = head


def _cover(
    rows: Rows,
    head: Rows,
    slot: Slots,
    course: tuple[Ints, Ints, Ints, Ints, Ints],
    seconds: tuple[Ints, Bools],
) -> None:
    """Keep the seconds that readings speak for, and apart from them those that are only bridged."""
    lasts, regular = seconds
    spoken = np.where(regular, lasts, 0)
    _fill(rows["cover"], slot, course, head["covered"], spoken)
    _fill(rows["bridge"], slot, course, rows["bridged"][slot], lasts - spoken)
    head["covered"] += spoken
    rows["bridged"][slot] += lasts - spoken


def _of_amount(plan: CurvePlan, slot: Slots, time: Ints, start: Ints, length_ms: Ints) -> tuple[Ints, Ints]:
    """From when (µs) and over how many ms the amounts are spread."""
    if plan.at_once is None:
        return start, length_ms
    once = plan.at_once[slot]
    return np.where(once, time - 1000, start), np.where(once, 1, length_ms)


def _fill(
    ring: npt.NDArray[np.int32],
    slot: Slots,
    course: tuple[Ints, Ints, Ints, Ints, Ints],
    total: Ints,
    amount: Ints,
) -> None:
    """Write the marks that a reading has passed."""
    start, length_ms, phase, mark, marks = course
    for step in range(1, int(marks.max()) + 1):
        on = (marks >= step).nonzero()[0]
        k = mark[on] + step
        share = np.maximum(phase[on] + k * MARK_US - start[on], 0) // 1000
        ring[slot[on], k % ring.shape[1]] = total[on] + amount[on] * share // length_ms[on]


def windows(rows: Rows, slot: Slots, lengths: Ints) -> Ints:
    """Amount in (time - length, time] at each slot's newest reading: shape (slots, lengths).

    Lengths count marks: at least one, at most three less than a ring has. Between marks the total is taken as
    rising evenly.
    """
    ring = rows["ring"]
    marks = ring.shape[1]
    newest: Rows = rows["head"][slot]
    since = newest["time"] - newest["phase"]
    mark = since // MARK_US
    rest_ms = (since - mark * MARK_US) // 1000
    line = slot[:, None]
    at = (mark % marks)[:, None] - lengths
    at += marks * (at < 0)
    before: npt.NDArray[np.int64] = ring[line, at].astype(np.int64)
    if rest_ms.any():
        at += 1
        at[at == marks] = 0
        before += (ring[line, at] - before) * rest_ms[:, None] // (MARK_US // 1000)
    return newest["total"][:, None] - before


def unheard_us(row: np.void, plan: CurvePlan, slot: int, window_us: int) -> int:
    """How much of the window up to the newest reading no interval speaks for; 0 for counters, whose rise
    covers every gap. Only the last readings are known."""  # noqa: D205, D209 - one thought
    interval = int(plan.interval_us[slot]) or _HOUR_US
    if plan.counter[slot]:
        return 0
    newest = int(row["head"]["time"])
    begin = newest - window_us
    times = np.sort(row["knot_time"][: min(int(row["head"]["pushes"]), len(row["knot_time"]))])
    before = np.maximum(times[:-1], begin)
    return int(np.maximum(times[1:] - before - interval, 0)[times[1:] > begin].sum())


def bridged_us(row: np.void, plan: CurvePlan, slot: int, window_us: int) -> int:
    """How much of the window up to the newest reading lies between two readings of a counter that stand more
    than one and a half intervals apart. Only the last readings are known."""  # noqa: D205, D209 - one thought
    if not plan.counter[slot]:
        return 0
    longest = 3 * (int(plan.interval_us[slot]) or _HOUR_US) // 2
    times = np.sort(row["knot_time"][: min(int(row["head"]["pushes"]), len(row["knot_time"]))])
    apart = np.diff(times) > longest
    begin = int(row["head"]["time"]) - window_us
    return int(np.maximum(times[1:] - np.maximum(times[:-1], begin), 0)[apart].sum())


def restart(row: np.void, plan: CurvePlan, slot: int, time: int, amount: int) -> None:
    """Let a counter go on from a value without an amount for what came before; a late one changes nothing."""
    _Curve(row, plan, slot, Tally()).restart(time, amount)


class _Curve:
    """One row, one reading, the rare cases: first, late, doubtful, after a long gap."""

    def __init__(  # noqa: PLR0913, PLR0917 - a row, a reading, and who hears of it
        self,
        row: np.void,
        plan: CurvePlan,
        slot: int,
        tally: Tally,
        spans: list[Span] | None = None,
        place: int = 0,
    ) -> None:
        self._row = row
        self._head: np.void = row["head"]
        self._cover = row["cover"] if "cover" in (row.dtype.names or ()) else None
        self._joins = plan.joins
        self._counter = bool(plan.counter[slot])
        self._interval = int(plan.interval_us[slot])
        self._cap = int(plan.cap[slot])
        self._modulus = int(plan.modulus[slot])
        self._most_wrapped = int(self._modulus * plan.wrap_share)
        self._own_phase = plan.own_phase
        self._at_once = plan.at_once is not None and bool(plan.at_once[slot])
        self._tally = tally
        self._spans = spans
        self._place = place
        self._most = len(row["knot_time"])
        pushes = int(self._head["pushes"])
        count = min(pushes, self._most)
        order = [(pushes - count + i) % self._most for i in range(count)]
        times, values, breaks = row["knot_time"], row["knot"], row["knot_break"]
        self._knots = [(int(times[i]), int(values[i]), bool(breaks[i])) for i in order]

    def take(self, time: int, amount: int) -> None:
        """Whatever the reading is, the row is right afterwards."""
        if not self._counter and not self._plausible_interval(time, amount):
            self._tally.implausible += 1
        elif not self._knots:
            self._first(time, amount)
        elif time > self._head["time"]:
            self._next(time, amount)
        else:
            self._late(time, amount)

    def restart(self, time: int, amount: int) -> None:
        """See above."""
        if not self._knots:
            self._first(time, amount)
        elif time > self._head["time"]:
            self._append(time, amount, broken=True)

    def _first(self, time: int, amount: int) -> None:
        self._head["phase"] = time % MARK_US if self._own_phase else 0
        self._head["time"] = time - (0 if self._counter else self._interval or MARK_US)
        self._append(time, amount, broken=False)

    def _next(self, time: int, amount: int) -> None:
        if self._counter:
            before_time, before, _ = self._knots[-1]
            suspect_time, suspect = int(self._head["suspect_time"]), int(self._head["suspect"])
            confirms = 0 < suspect_time < time and suspect <= amount
            anew = confirms and self._follows(suspect_time, suspect, time, amount)
            fell = amount < before and self._most_wrapped < self._modulus
            if time - before_time > MAX_GAP_US:
                self._append(time, amount, broken=True)
            elif self._follows(before_time, before, time, amount) and not (fell and anew):
                self._append(time, amount, broken=False)
            elif anew:
                # two readings agree: the counter was reset or exchanged
                self._append(suspect_time, suspect, broken=True)
                self._append(time, amount, broken=False)
                self._tally.counter_breaks += 1
            else:
                if time > suspect_time:
                    self._head["suspect_time"], self._head["suspect"] = time, amount
                self._tally.implausible += 1
        else:
            self._append(time, amount, broken=False)

    def _late(self, time: int, amount: int) -> None:
        knots = self._knots
        place = sum(knot[0] < time for knot in knots)
        if knots[place][0] == time:
            return
        before = knots[place - 1] if place else None
        after = knots[place]
        knot = (time, amount, False)
        if (place == 0 and len(knots) == self._most) or not self._reaches(before, knot):
            self._tally.too_late += 1
            return
        if self._counter:
            fits = after[2] or self._follows(time, amount, after[0], after[1])
            if not fits or (before is not None and not self._follows(before[0], before[1], time, amount)):
                self._tally.implausible += 1
                return
        self._spread(before, after, -1)
        self._spread(before, knot, 1)
        self._spread(knot, after, 1)
        knots.insert(place, knot)
        self._store()

    def _reaches(self, before: tuple[int, int, bool] | None, knot: tuple[int, int, bool]) -> bool:
        """Whether the ring has every mark that changes, where somebody reads them all."""
        since = self._segment(None, knot)[0] if before is None else before[0]
        oldest = self._mark(int(self._head["time"])) - len(self._row["ring"]) + 1
        return self._spans is None or self._mark(since) >= oldest

    def _append(self, time: int, amount: int, *, broken: bool) -> None:
        before = self._knots[-1] if self._knots else None
        self._rephase(time, amount)
        self._advance(time)
        knot = (time, amount, broken)
        self._spread(before, knot, 1)
        self._head["last"] = amount
        if self._head["suspect_time"] <= time:
            # one from before a reset says nothing of what came after
            self._head["suspect_time"] = 0
        self._knots.append(knot)
        self._store()

    def _store(self) -> None:
        """Knots back into the row, oldest first."""
        row = self._row
        kept = self._knots[-self._most :]
        self._knots = kept
        for i, (time, value, broken) in enumerate(kept):
            row["knot_time"][i], row["knot"][i], row["knot_break"][i] = time, value, broken
        self._head["pushes"] = len(kept)

    def _advance(self, time: int) -> None:
        """Move the head to a time, dry and uncovered so far."""
        row = self._row
        marks = len(row["ring"])
        head, new = self._mark(int(self._head["time"])), self._mark(time)
        at = np.arange(max(head + 1, new - marks + 1), new + 1) % marks
        if self._head["total"] >= _REBASE:
            row["ring"] -= np.int32(_REBASE // 2)
            self._head["total"] -= _REBASE // 2
        row["ring"][at] = self._head["total"]
        if self._cover is not None:
            self._cover[at] = self._head["covered"]
            row["bridge"][at] = row["bridged"]
        self._head["time"] = time

    def _rephase(self, time: int, amount: int) -> None:
        ring = self._row["ring"]
        depth = amount - int(self._head["last"]) if self._counter else amount
        if self._own_phase and depth and (ring == self._head["total"]).all():
            self._head["phase"] = time % MARK_US

    def _mark(self, time: int) -> int:
        return (time - int(self._head["phase"])) // MARK_US

    def _spread(self, before: tuple[int, int, bool] | None, knot: tuple[int, int, bool], sign: int) -> None:
        """Add (or with sign -1 take back) what a reading says about the time since the one before."""
        row = self._row
        time = knot[0]
        start, depth, seconds, bridged = self._segment(before, knot)
        marks = len(row["ring"])
        head = self._mark(int(self._head["time"]))
        k = np.arange(max(self._mark(start) + 1, head - marks + 1), head + 1)
        length_ms = max((time - start) // 1000, 1)
        at = int(self._head["phase"]) + k * MARK_US
        share = np.maximum(np.minimum(at, time) - start, 0) // 1000
        part = depth * (at >= time) if self._at_once else depth * share // length_ms
        row["ring"][k % marks] += (sign * part).astype(np.int32)
        if self._cover is not None:
            self._cover[k % marks] += (sign * (seconds * share // length_ms)).astype(np.int32)
            row["bridge"][k % marks] += (sign * (bridged * share // length_ms)).astype(np.int32)
            row["bridged"] += sign * bridged
        self._head["total"] += sign * depth
        self._head["covered"] += sign * seconds
        if self._spans is not None:
            self._spans.append(Span(self._place, start, time, depth, seconds, bridged))

    def _segment(
        self, before: tuple[int, int, bool] | None, knot: tuple[int, int, bool]
    ) -> tuple[int, int, int, int]:
        """Start, amount, and covered or bridged seconds of what a reading says."""
        time, amount, broken = knot
        if self._counter:
            if before is None or broken:
                return time, 0, 0, 0
            rise = amount - before[1]
            regular = 2 * (time - before[0]) <= 3 * (self._interval or _HOUR_US)
            lasts = time // _S - before[0] // _S
            rise = rise if rise >= 0 else rise + self._modulus
            return before[0], rise, lasts if regular else 0, 0 if regular else lasts
        interval = self._interval
        if not interval:
            interval = MARK_US if before is None else min(time - before[0], _HOUR_US)
        start = time - interval if before is None else max(time - interval, before[0])
        if self._joins and before is not None and 2 * (time - before[0]) <= 3 * interval:
            start = before[0]
        return start, amount, time // _S - start // _S, 0

    def _follows(self, before_time: int, before: int, time: int, value: int) -> bool:
        rise = value - before
        if rise < 0:
            rise += self._modulus
            if rise > self._most_wrapped:
                return False
        return 0 <= rise <= self._cap * max(time - before_time, _MINUTE_US) // _MINUTE_US

    def _plausible_interval(self, time: int, amount: int) -> bool:
        interval = self._interval
        if not interval:
            spacing = time - int(self._head["time"]) if self._knots else MARK_US
            interval = min(spacing, _HOUR_US) if spacing > 0 else _HOUR_US
        return 0 <= amount <= self._cap * max(interval, _MINUTE_US) // _MINUTE_US
