"""When it last rained in a catchment: what backs a rise that two readings alone would leave in doubt."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from alerts.kernels.rows import Batch, Bools, Ints, Rows, Slots, rounds

ROW = np.dtype([("time", "<i8"), ("value", "<f8"), ("wet", "<i8")])
"""Newest reading of a rain series (µs, its value), the newest that brought rain (0: none)."""


@dataclass(frozen=True, slots=True)
class RainSeenPlan:
    """Slots are those of the rain kernel: which are running totals, in which catchment (a number) each is."""

    counter: Bools
    catchment: Slots
    catchments: int


class Wet(NamedTuple):
    """Readings that brought rain: slot, position, time (µs); the newest rain of the series before each."""

    slot: Slots
    position: Slots
    time: Ints
    before: Ints


_NONE = Wet(*(np.zeros(0, np.int64) for _ in Wet._fields))


class RainSeen:
    """Newest rain (µs) by catchment, as known after every reading of a batch.

    Looked up in the rows when it is asked for, which is seldom: only until more readings are taken.
    """

    def __init__(self, rows: Rows, plan: RainSeenPlan, new: Wet = _NONE) -> None:
        self._rows = rows
        self._plan = plan
        self._new = new
        self._found: dict[int, tuple[int, list[int], list[int]]] = {}

    def at(self, catchment: int, position: int) -> int:
        """Newest rain in a catchment, by the readings up to a position; 0 none."""
        if catchment not in self._found:
            self._found[catchment] = self._look_up(catchment)
        before, positions, times = self._found[catchment]
        after = bisect_right(positions, position)
        return times[after - 1] if after else before

    def _look_up(self, catchment: int) -> tuple[int, list[int], list[int]]:
        """Newest rain before the batch; positions that brought rain, and the newest after each."""
        of, new = self._plan.catchment, self._new
        wet = self._rows["wet"][: len(of)].copy()
        np.minimum.at(wet, new.slot, new.before)
        before = int(wet[of == catchment].max(initial=0))
        mine = of[new.slot] == catchment
        times = np.maximum.accumulate(np.maximum(new.time[mine], before))
        return before, new.position[mine].tolist(), times.tolist()


def step(rows: Rows, plan: RainSeenPlan, batch: Batch, place: Slots) -> tuple[Slots, RainSeen]:
    """Take rain readings; changes `rows` in place. `place`: their positions in the batch of all readings.

    Returns the slots that are worth saving: where it rained or a total changed.
    """
    before = np.zeros(len(batch.slot), np.int64)
    wet = np.zeros(len(batch.slot), np.bool_)
    changed = wet.copy()
    for part in rounds(batch.slot):
        at, time, value = batch.slot[part], batch.time[part], batch.value[part]
        row = rows[at]
        before[part] = row["wet"]
        rose = np.where(plan.counter[at], (value > row["value"]) & (row["time"] > 0), value > 0)
        wet[part] = rose & (time > row["time"])
        fresh = time > row["time"]
        changed[part] = fresh & (value != row["value"])
        rows["time"][at[fresh]], rows["value"][at[fresh]] = time[fresh], value[fresh]
        rows["wet"][at[wet[part]]] = time[wet[part]]
    new = Wet(batch.slot[wet], place[wet], batch.time[wet], before[wet])
    return batch.slot[wet | changed], RainSeen(rows, plan, new)
