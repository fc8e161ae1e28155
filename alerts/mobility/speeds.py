"""Speeds of a site, to the same five-minute cells as the counts.

A sensor reports the mean speed of its interval, and some what 85 % keep to. A cell has the mean of what was
reported for it, weighted by the seconds that a report shares with it; the order of readings does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerts.kernels.curve_row import Tally
from alerts.kernels.rows import Batch, Bools, Floats, Ints, Rows, Slots, rounds
from alerts.mobility.cells import CELL_US, SpeedCells, joined_speeds
from alerts.mobility.counted import Site
from alerts.mobility.counting import KEPT_MARKS, KNOTS

ROW = np.dtype(
    [
        ("mark", "<i8"),
        ("readings", "<i8"),
        ("times", "<i8", (KNOTS,)),
        ("sum", "<i4", (KEPT_MARKS,)),
        ("weight", "<i4", (KEPT_MARKS,)),
    ]
)
"""Newest cell; how many readings were taken, the times of the last; per cell k % KEPT_MARKS the sum of tenths
of km/h times seconds, and the seconds."""

HIGHEST_KMH = 400.0
_S = 1_000_000


@dataclass(frozen=True, slots=True)
class SpeedsPlan:
    """Slots are speed series; each belongs to the site whose vehicles it is of, None where none are counted.

    `v85`: of what 85 % keep to. `interval_us`: what a report is about.
    """

    slot_of: Slots
    sites: Sequence[Site | None]
    devices: Sequence[str]
    v85: Bools
    interval_us: Ints


def step(rows: Rows, plan: SpeedsPlan, batch: Batch, seen: Ints, tally: Tally) -> SpeedCells:
    """Take readings (km/h) in their order; changes `rows` in place and returns the cells that changed."""
    real = ((batch.value >= 0) & (batch.value <= HIGHEST_KMH)).nonzero()[0]
    tally.implausible += len(batch.slot) - len(real)
    slot, time = batch.slot[real], batch.time[real]
    tenths, seen = np.rint(10 * batch.value[real]).astype(np.int64), seen[real]
    found = []
    for part in rounds(slot):
        at, end = slot[part], time[part]
        start = end - plan.interval_us[at]
        newest = rows["mark"][at]
        first = rows["readings"][at] == 0
        again = ~first & (rows["times"][at] == end[:, None]).any(axis=1)
        gone = ~first & (start // CELL_US <= newest - KEPT_MARKS)
        tally.too_late += int((gone & ~again).sum())
        kept = (~again & ~gone).nonzero()[0]
        if not len(kept):
            continue
        at, end, start, newest = at[kept], end[kept], start[kept], newest[kept]
        last = (end - 1) // CELL_US
        _advance(rows, at, np.where(first[kept], last - KEPT_MARKS, newest), last)
        rows["times"][at, rows["readings"][at] % KNOTS] = end
        rows["readings"][at] += 1
        begin = start // CELL_US
        for ahead in range(int((last - begin).max()) + 1):
            on = (begin + ahead <= last).nonzero()[0]
            mark, who = begin[on] + ahead, at[on]
            over = np.minimum((mark + 1) * CELL_US, end[on]) - np.maximum(mark * CELL_US, start[on])
            place = mark % KEPT_MARKS
            rows["sum"][who, place] += (tenths[part][kept][on] * (over // _S)).astype(np.int32)
            rows["weight"][who, place] += (over // _S).astype(np.int32)
            weight = rows["weight"][who, place]
            heard = weight > 0
            kmh = rows["sum"][who, place][heard] / (10.0 * weight[heard])
            found.append(SpeedCells(who[heard], mark[heard], kmh, seen[part][kept][on][heard]))
    return joined_speeds(found)


def at_marks(row: np.void, marks: Ints) -> Floats:
    """One slot's speeds (km/h) of some cells, NaN where none is known."""
    place = marks % KEPT_MARKS
    weight = row["weight"][place]
    heard = (marks <= row["mark"]) & (marks > row["mark"] - KEPT_MARKS) & (weight > 0)
    kmh: Floats = np.where(heard, row["sum"][place] / (10.0 * np.maximum(weight, 1)), np.nan)
    return kmh


def _advance(rows: Rows, at: Slots, newest: Ints, last: Ints) -> None:
    """Empty cells up to the new newest one."""
    steps = np.minimum(last - newest, KEPT_MARKS)
    for back in range(int(steps.max(initial=0))):
        on = (steps > back).nonzero()[0]
        place = (last[on] - back) % KEPT_MARKS
        rows["sum"][at[on], place] = 0
        rows["weight"][at[on], place] = 0
    rows["mark"][at] = np.maximum(newest, last)
