"""Running totals on a grid of five-minute marks, from counters or interval amounts that arrive in any order.

A row holds the total amount at every grid mark of the last hours, so the amount of any window is one
subtraction. Amounts are integers (µm of rain, vehicles): no drift, no false crossing.

An amount is spread evenly over the time it belongs to: a counter's rise over the time since the reading
before it (a gap included), an interval's depth over its interval. The last readings (KNOTS of them, where
nothing else is asked for) stay known: a late one between two of them takes back their segment and puts two in
its place, so that totals equal those of the sorted run; a repeated one changes nothing.
"""

import numpy as np
import numpy.typing as npt

from alerts.kernels.curve_row import (
    HOUR_US,
    MARK_US,
    MINUTE_US,
    REBASE,
    Amounts,
    CurvePlan,
    CurveRow,
    Spans,
    Tally,
)
from alerts.kernels.rows import Bools, Ints, Rows, Slots

_S = 1_000_000
_FAST_MARKS = 16
_MISALIGNED_US = 15_000_000


def add(rows: Rows, plan: CurvePlan, readings: Amounts, tally: Tally, spans: Spans | None = None) -> None:
    """Take the readings; changes `rows` in place and says in `spans` which marks."""
    slot, time, amount = readings
    _forget(rows, slot, plan.interval_us[slot])
    head: Rows = rows["head"][slot]
    last, phase, total, counter = head["time"], head["phase"], head["total"], plan.counter[slot]
    spacing = time - last
    interval = plan.interval_us[slot]
    if not interval.all():
        interval = np.where(interval == 0, np.clip(spacing, 0, HOUR_US), interval)
    depth = np.where(counter, amount - head["last"], amount)
    joined = counter | (2 * spacing <= 3 * interval) if plan.joins else counter
    start = np.where(joined, last, np.maximum(last, time - interval))
    limit = plan.cap[slot] * np.where(counter, np.maximum(spacing, MINUTE_US), interval) // MINUTE_US
    mark = (last - phase) // MARK_US
    marks = (time - phase) // MARK_US - mark
    ring = rows["ring"]
    size = ring.shape[1]
    clean = (spacing > 0) & (head["pushes"] > 0) & (depth >= 0) & (depth <= limit) & (marks <= _FAST_MARKS)
    clean &= (head["suspect_time"] == 0) & (total < REBASE)
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
            CurveRow(rows[slot[i]], plan, int(slot[i]), tally, changed, i).take(int(time[i]), int(amount[i]))
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


def _forget(rows: Rows, slot: Slots, interval: Ints) -> None:
    """Where the device list has another interval now, keep the newest reading alone.

    What older ones were spread over is not known any more: a late one between them would take back more from
    a mark than was put there.
    """
    before, interval = rows["interval"][slot], np.maximum(interval, 1)
    changed = before != interval
    if not changed.any():
        return
    for i in (changed & (before > 0) & (rows["head"]["pushes"][slot] > 0)).nonzero()[0].tolist():
        row = rows[slot[i]]
        row["knot_time"], row["knot"], row["knot_break"] = row["head"]["time"], row["head"]["last"], 0
        row["head"]["pushes"] = len(row["knot_time"])
    rows["interval"][slot] = interval


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
    interval = int(plan.interval_us[slot]) or HOUR_US
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
    longest = 3 * (int(plan.interval_us[slot]) or HOUR_US) // 2
    times = np.sort(row["knot_time"][: min(int(row["head"]["pushes"]), len(row["knot_time"]))])
    apart = np.diff(times) > longest
    begin = int(row["head"]["time"]) - window_us
    return int(np.maximum(times[1:] - np.maximum(times[:-1], begin), 0)[apart].sum())


def restart(row: np.void, plan: CurvePlan, slot: int, time: int, amount: int) -> None:
    """Let a counter go on from a value without an amount for what came before; a late one changes nothing."""
    CurveRow(row, plan, slot, Tally()).restart(time, amount)
