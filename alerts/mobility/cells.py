"""Five-minute cells: what the kernels of counts and speeds give out."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from alerts.kernels.curve_row import MARK_US
from alerts.kernels.rows import Floats, Ints, Slots

CELL_US = MARK_US


class Cells(NamedTuple):
    """Counts as they stand now; cell k is k * CELL_US < time <= (k + 1) * CELL_US.

    `passed`: how many; `seconds`: how much of it regular readings speak for; `bridged`: how much lies between
    two readings of a counter that stand too far apart, so that when it rose is a guess. `touched`: the newest
    time known (µs) when a reading last changed it.
    """

    slot: Slots
    mark: Ints
    passed: Ints
    seconds: Ints
    bridged: Ints
    touched: Ints


class SpeedCells(NamedTuple):
    """Mean speeds (km/h) as they stand now, likewise."""

    slot: Slots
    mark: Ints
    kmh: Floats
    touched: Ints


def no_cells() -> Cells:
    """None."""
    return Cells(*(np.zeros(0, np.int64) for _ in range(6)))


def no_speeds() -> SpeedCells:
    """None."""
    none = np.zeros(0, np.int64)
    return SpeedCells(none, none, np.zeros(0), none)


def joined(found: Sequence[Cells]) -> Cells:
    """Each cell once, as the last of them has it."""
    if not found:
        return no_cells()
    columns = [np.concatenate(each) for each in zip(*found, strict=True)]
    last = _last(columns[0], columns[1])
    return Cells(*(each[last] for each in columns))


def joined_speeds(found: Sequence[SpeedCells]) -> SpeedCells:
    """Each cell once, as the last of them has it."""
    if not found:
        return no_speeds()
    slot, mark, kmh, touched = (np.concatenate(each) for each in zip(*found, strict=True))
    last = _last(slot, mark)
    return SpeedCells(slot[last], mark[last], kmh[last], touched[last])


def spread(first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Positions of the ranges and the cells in them: every cell from `first` to `last` of each range."""
    count = np.maximum(last - first + 1, 0)
    which = np.repeat(np.arange(len(first)), count)
    within = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return which, first[which] + within


def _last(slot: Slots, mark: Ints) -> Ints:
    """Where each (slot, mark) stands last, in their order."""
    order = np.lexsort((mark, slot))
    ends = np.ones(len(order), np.bool_)
    ends[:-1] = (np.diff(slot[order]) != 0) | (np.diff(mark[order]) != 0)
    found: Ints = order[ends]
    return found
