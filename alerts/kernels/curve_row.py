"""One row of a curve: what it holds, and the reading that comes first, late, doubtful or after a long gap.

See curve.py, which takes all others, many rows at once.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from alerts.kernels.rows import Bools, Ints, Slots

MARK_US = 300_000_000
KNOTS = 32
MAX_GAP_US = 30 * 86_400_000_000
"""A counter that was silent for longer starts anew: its rise belongs to no time."""

WRAP_SHARE = 0.05
"""Of vehicles and people: a fall that only a rise by more of the modulus explains is no wrap but a reset."""

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
_S = 1_000_000
REBASE = 1 << 30
"""A total as large as this is lowered: a mark holds 32 bits."""


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
    bridges: how much is known, not when. `knots`: how many readings stay known, `interval`: the plan's
    (µs) by which they were spread, 1 where it had none."""  # noqa: D205, D209 - one thought
    rows: list[tuple[Any, ...]] = [
        ("head", HEAD.descr),
        ("knot_time", "<i8", (knots,)),
        ("knot", "<i8", (knots,)),
        ("knot_break", "u1", (knots,)),
        ("interval", "<i8"),
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


class CurveRow:
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
        """Go on from a counter's value without an amount for what came before; a late one changes nothing."""
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
        if self._head["total"] >= REBASE:
            row["ring"] -= np.int32(REBASE // 2)
            self._head["total"] -= REBASE // 2
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
            regular = 2 * (time - before[0]) <= 3 * (self._interval or HOUR_US)
            lasts = time // _S - before[0] // _S
            rise = rise if rise >= 0 else rise + self._modulus
            return before[0], rise, lasts if regular else 0, 0 if regular else lasts
        interval = self._interval
        if not interval:
            interval = MARK_US if before is None else min(time - before[0], HOUR_US)
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
        return 0 <= rise <= self._cap * max(time - before_time, MINUTE_US) // MINUTE_US

    def _plausible_interval(self, time: int, amount: int) -> bool:
        interval = self._interval
        if not interval:
            spacing = time - int(self._head["time"]) if self._knots else MARK_US
            interval = min(spacing, HOUR_US) if spacing > 0 else HOUR_US
        return 0 <= amount <= self._cap * max(interval, MINUTE_US) // MINUTE_US
