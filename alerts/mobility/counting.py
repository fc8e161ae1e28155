"""Counts of vehicles, people and bicycles, to cells of five minutes.

From cumulative counters, counts of intervals and single events. A count belongs to the time between two
readings and is spread evenly over it, a single event to its moment; totals stay exact. Cells follow UTC: a
quarter of an hour is one in every German time, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.kernels import curve
from alerts.kernels.curve_row import MARK_US, Amounts, CurvePlan, Span, Spans, Tally, fields
from alerts.kernels.rows import Batch, Bools, Ints, Rows, Slots, rounds
from alerts.mobility.cells import Cells, joined, spread
from alerts.mobility.counted import Count, Site

KEPT_MARKS = 28 * 12
"""Five-minute marks kept: a day and four hours, in which late readings still correct."""
KNOTS = 96
"""Readings that stay known: a day of quarters, eight hours of five minutes."""

ROW = np.dtype(fields(KEPT_MARKS, cover=True, knots=KNOTS))
MINUTES = (5, 15, 60)


@dataclass(frozen=True, slots=True)
class CountsPlan:
    """Slots are count series; `sites[slot]` is None for one that is not used.

    `standing`: its device is at its station now. `present`: somebody counts at its site, or is about to.
    `settle`: µs after the end of a cell from which on a reading that changes it comes late. `same`: other
    slots that the running total of the same device tells, of those slots that have such, `turns`; `line` is
    the same for all of one running total.
    """

    slot_of: Slots
    curves: CurvePlan
    sites: Sequence[Site | None]
    devices: Sequence[str]
    standing: Bools
    present: Bools
    settle: Ints
    same: Mapping[int, Slots]
    turns: Bools
    line: Slots


@dataclass(frozen=True, slots=True)
class SiteCounts:
    """One site: time of its newest reading, the five-minute counts kept, oldest first, up to that time.

    They have no gap. The last may be unfinished; its end_us is the end of its five minutes. `speeds`: whether
    a sensor there reports mean speeds.
    """

    site: Site
    newest_us: int
    five_minutes: Sequence[Count]
    speeds: bool = False

    def counts(self, minutes: int) -> tuple[Count, ...]:
        """Counts of whole 5, 15 or 60 minutes, oldest first; the last may be unfinished.

        The oldest is left out where it may have lost its beginning.
        """
        return self._made(minutes, self._intervals(minutes))

    def closed(self, minutes: int, from_us: int, to_us: int) -> tuple[Count, ...]:
        """Of the intervals that have ended those that begin at from_us or later and end by to_us."""
        length = minutes * 60_000_000
        known = self._intervals(minutes)
        first = max(known.start, -(-from_us // length))
        return self._made(minutes, range(first, min(known.stop, min(to_us, self.newest_us) // length)))

    def last_closed(self, minutes: int) -> Count | None:
        """The newest interval that has ended."""
        known = self._intervals(minutes)
        last = min(known.stop, self.newest_us // (minutes * 60_000_000)) - 1
        return self._made(minutes, range(last, last + 1))[0] if last in known else None

    def current(self, minutes: int) -> Count | None:
        """The interval that is running at the newest reading."""
        known = self._intervals(minutes)
        running = len(known) and known[-1] >= self.newest_us // (minutes * 60_000_000)
        return self._made(minutes, known[-1:])[0] if running else None

    def _intervals(self, minutes: int) -> range:
        """Numbers of the intervals since the epoch."""
        if minutes not in MINUTES:
            raise ValueError(f"counts are kept for {MINUTES} minutes, not for {minutes}")
        if not len(self.five_minutes):
            return range(0)
        length, first = minutes * 60_000_000, self.five_minutes[0].begin_us
        return range(-(-first // length), (first + (len(self.five_minutes) - 1) * MARK_US) // length + 1)

    def _made(self, minutes: int, intervals: range) -> tuple[Count, ...]:
        if not intervals:
            return ()
        length = minutes * 60_000_000
        parts = length // MARK_US
        first = (intervals[0] * length - self.five_minutes[0].begin_us) // MARK_US
        cells = self.five_minutes[first : first + parts * len(intervals)]
        groups = [cells[at : at + parts] for at in range(0, len(cells), parts)]
        return tuple(
            Count(
                begin_us=k * length,
                end_us=(k + 1) * length,
                count=sum(each.count for each in group),
                completeness=sum(each.completeness for each in group) / parts,
                speed_kmh=_mean([(each.count, each.speed_kmh) for each in group]),
                v85_kmh=_mean([(each.count, each.v85_kmh) for each in group]),
            )
            for k, group in zip(intervals, groups, strict=True)
        )


def _mean(speeds: Sequence[tuple[int, float | None]]) -> float | None:
    """Of some (vehicles, km/h), weighted by the vehicles."""
    known = [(count, kmh) for count, kmh in speeds if kmh is not None]
    vehicles = sum(count for count, _ in known)
    return round(sum(count * kmh for count, kmh in known) / vehicles, 1) if vehicles else None


def step(rows: Rows, plan: CountsPlan, batch: Batch, seen: Ints, tally: Tally) -> Cells:
    """Take readings in their order; changes `rows` in place and returns the cells that changed.

    `seen`: the newest time known at each reading (µs), its own included.
    """
    slot, time, value = batch
    amount = np.rint(value).astype(np.int64)
    found = []
    for part in rounds(plan.line[slot]):
        on = part[~_begin_anew(rows, plan, Amounts(slot[part], time[part], amount[part]))]
        if len(on):
            found += _take(rows, plan.curves, Amounts(slot[on], time[on], amount[on]), seen[on], tally)
    return joined(found)


def _begin_anew(rows: Rows, plan: CountsPlan, readings: Amounts) -> Bools:
    """Let counters begin anew that have counted in another direction, or elsewhere, since their last reading.

    What they rose by was counted there. Returns which readings did that.
    """
    anew = np.zeros(len(readings.slot), np.bool_)
    heard = rows["head"]["time"]
    for i in np.flatnonzero(plan.turns[readings.slot]).tolist():
        slot, time, amount = (int(each[i]) for each in readings)
        if heard[slot] < min(time, int(heard[plan.same[slot]].max())):
            curve.restart(rows[slot], plan.curves, slot, time, amount)
            anew[i] = True
    return anew


def _take(rows: Rows, plan: CurvePlan, readings: Amounts, seen: Ints, tally: Tally) -> list[Cells]:
    """Cells that one reading each of some slots changed."""
    slot, time, _ = readings
    before: Rows = rows["head"][slot]
    known = before["pushes"] > 0
    late = np.flatnonzero(known & (time <= before["time"]))
    old = _kept(rows, slot[late])
    base = _unfinished(rows, slot, before)
    spanned = rows["bridged"][slot]
    spans = Spans()
    curve.add(rows, plan, readings, tally, spans)
    after: Rows = rows["head"][slot]
    grown = (after["total"] != before["total"]) | (after["covered"] != before["covered"])
    grown |= rows["bridged"][slot] != spanned
    grown &= ~known | (time > before["time"])
    found = []
    for places, starts, ends in [*spans.fast, *_columns(spans)]:
        on = grown[places].nonzero()[0]
        place, start, end = places[on], starts[on], ends[on]
        oldest = after["time"][place] // MARK_US - KEPT_MARKS + 1
        which, mark = spread(np.maximum(start // MARK_US, oldest), (end - 1) // MARK_US)
        found.append(_now(rows, slot[place[which]], mark, seen[place[which]]))
    for span in spans.rare:
        i, begin = span.place, span.start // MARK_US
        first = int(after["time"][i]) // MARK_US - KEPT_MARKS + 1
        if grown[i] and begin < first and span.start < span.end:
            mark, columns = _beyond(plan, int(slot[i]), span, first)
            if begin == before["time"][i] // MARK_US and known[i]:
                columns[:, 0] += base[:, i]
            every = np.ones(len(mark), np.int64)
            passed, seconds, bridged = columns
            found.append(Cells(every * slot[i], mark, passed, seconds, bridged, every * seen[i]))
    if len(late):
        new = _kept(rows, slot[late])
        changed, place = ((new != old).any(axis=0)).nonzero()
        kept = after["time"][late] // MARK_US - KEPT_MARKS + 1
        found.append(_now(rows, slot[late][changed], kept[changed] + place, seen[late][changed]))
    return found


def _columns(spans: Spans) -> list[tuple[Ints, Ints, Ints]]:
    if not spans.rare:
        return []
    place, start, end = np.array([each[:3] for each in spans.rare], np.int64).T
    return [(place, start, end)]


def _now(rows: Rows, slot: Slots, mark: Ints, seen: Ints) -> Cells:
    """Some cells as the rings have them."""
    after = mark + 1 > rows["head"]["time"][slot] // MARK_US
    passed, seconds, bridged = (
        np.where(after, total[slot], rows[ring][slot, (mark + 1) % KEPT_MARKS])
        - rows[ring][slot, mark % KEPT_MARKS]
        for ring, total in _totals(rows)
    )
    return Cells(slot, mark, passed, seconds, bridged, seen)


def _totals(rows: Rows) -> Iterator[tuple[str, Ints]]:
    """Each ring and the running total that it has the marks of."""
    yield "ring", rows["head"]["total"]
    yield "cover", rows["head"]["covered"]
    yield "bridge", rows["bridged"]


def _kept(rows: Rows, slot: Slots) -> Ints:
    """All cells of some slots from the oldest kept on: shape (3, slots, KEPT_MARKS), as in Cells."""
    head: Ints = rows["head"]["time"][slot] // MARK_US
    mark = head[:, None] + np.arange(1 - KEPT_MARKS, 1)
    line = np.repeat(slot, KEPT_MARKS)
    cells = _now(rows, line, mark.ravel(), line)
    return np.stack([cells.passed, cells.seconds, cells.bridged]).reshape(3, len(slot), KEPT_MARKS)


def _unfinished(rows: Rows, slot: Slots, head: Rows) -> Ints:
    """What the running cell has had so far: shape (3, slots), as in Cells."""
    at = head["time"] // MARK_US % KEPT_MARKS
    return np.stack([total[slot] - rows[ring][slot, at] for ring, total in _totals(rows)])


def _beyond(plan: CurvePlan, slot: int, span: Span, oldest: int) -> tuple[Ints, Ints]:
    """Cells before the oldest mark kept, and what a long silence spreads over them, as in Cells."""
    _, start, end, amount, *lasts = span
    mark = np.arange(start // MARK_US, min((end - 1) // MARK_US + 1, oldest))
    edges = np.append(mark, mark[-1] + 1) * MARK_US
    share = np.maximum(np.minimum(edges, end) - start, 0) // 1000
    length_ms = max((end - start) // 1000, 1)
    once = plan.at_once is not None and bool(plan.at_once[slot])
    passed = amount * (edges >= end) if once else amount * share // length_ms
    return mark, np.diff(np.stack([passed, *(each * share // length_ms for each in lasts)]), axis=1)
