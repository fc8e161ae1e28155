"""When it last rained in a catchment: what backs a rise that two readings alone would leave in doubt."""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from alerts.rows import Batch, Bools, Ints, Rows, Slots, rounds

ROW = np.dtype([("time", "<i8"), ("value", "<f8"), ("wet", "<i8")])
"""Newest reading of a rain series (µs, its value), the newest that brought rain (0: none)."""


@dataclass(frozen=True, slots=True)
class RainSeenPlan:
    """Slots are those of the rain kernel: which are running totals, in which catchment (a number) each is."""

    counter: Bools
    catchment: Slots
    catchments: int


class RainSeen:
    """Newest rain (µs) by catchment, as known after every reading of a batch."""

    def __init__(self, before: Ints, catchment: Slots, position: Slots, time: Ints) -> None:
        self._before = before
        self._found: dict[int, tuple[list[int], list[int]]] = {}
        for number in np.unique(catchment).tolist():
            mine = catchment == number
            times = np.maximum.accumulate(np.maximum(time[mine], before[number]))
            self._found[number] = (position[mine].tolist(), times.tolist())

    def at(self, catchment: int, position: int) -> int:
        """Newest rain in a catchment, by the readings up to a position; 0 none."""
        positions, times = self._found.get(catchment, ((), ()))
        after = bisect_right(positions, position)
        return times[after - 1] if after else int(self._before[catchment])


def last_rain(rows: Rows, plan: RainSeenPlan) -> Ints:
    """Newest rain by catchment now."""
    found = np.zeros(plan.catchments, np.int64)
    np.maximum.at(found, plan.catchment, rows["wet"][: len(plan.catchment)])
    return found


def step(rows: Rows, plan: RainSeenPlan, batch: Batch, place: Slots) -> tuple[Slots, RainSeen]:
    """Take rain readings; changes `rows` in place. `place`: their positions in the batch of all readings.

    Returns the slots that are worth saving: where it rained or a total changed.
    """
    before = last_rain(rows, plan)
    wet = np.zeros(len(batch.slot), np.bool_)
    changed = wet.copy()
    for part in rounds(batch.slot):
        at, time, value = batch.slot[part], batch.time[part], batch.value[part]
        row = rows[at]
        rose = np.where(plan.counter[at], (value > row["value"]) & (row["time"] > 0), value > 0)
        wet[part] = rose & (time > row["time"])
        fresh = time > row["time"]
        changed[part] = fresh & (value != row["value"])
        rows["time"][at[fresh]], rows["value"][at[fresh]] = time[fresh], value[fresh]
        rows["wet"][at[wet[part]]] = time[wet[part]]
    slot = batch.slot[wet]
    seen = RainSeen(before, plan.catchment[slot], place[wet], batch.time[wet])
    return batch.slot[wet | changed], seen
