"""What a forecast remembers of a car park: its last days by quarters of an hour of the city's clock.

Beside what was seen stand the forecasts as they were issued and, once it is known, what came of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.kernels.rows import Bools, Floats, Ints, Rows
from alerts.mobility.calendar import QUARTER_US, QUARTERS, SATURDAY, Slot

DAYS = 42
"""Days kept: six of each day of the week."""
WEEK = 7

AHEAD = (1, 2, 4)
"""Horizons in quarters of an hour."""

LEARNED, AS_NOW, AS_LAST_WEEK = 0, 1, 2
METHODS = 3

_PREDICTED = (QUARTERS, METHODS, len(AHEAD))

DAY = np.dtype(
    [
        ("day", "<i4"),
        ("kind", "u1"),
        ("mark", "<i4", (QUARTERS,)),
        ("occupied", "<f4", (QUARTERS,)),
        ("anomaly", "<f4", (QUARTERS,)),
        ("trend", "<f4", (QUARTERS,)),
        ("change", "<f4", (QUARTERS, len(AHEAD))),
        ("predicted", "<f4", _PREDICTED),
        ("error", "<f4", _PREDICTED),
        ("low", "<f4", (QUARTERS, len(AHEAD))),
        ("high", "<f4", (QUARTERS, len(AHEAD))),
    ]
)
"""One local day of one car park, by quarters of its clock; NaN is not known, `day` 0 nothing kept here.

`day` counts local dates from 1970-01-01, `mark` quarters of an hour UTC since then: the hour that the autumn
repeats keeps its second run. `occupied` spaces taken; `anomaly` spaces above what is typical and `trend` how
much that rose in half an hour; `change` what is typical at the horizon minus what is typical now. `predicted`
spaces taken by each method, `error` what came minus that; `low` and `high` the interval issued.
"""

_CLASS = np.array([0] * SATURDAY + [1, 2, 2])
_NUMBERS = tuple(name for name in DAY.names or () if name not in {"day", "kind", "mark"})

Slots = Callable[[Ints], Slot]
"""Where times (µs since the epoch) stand in the city's calendar: Calendar.slots."""


class Place(NamedTuple):
    """Where moments of car parks fall in the memory: arrays of one shape.

    `slot` of the day's row, `day` and `kind` of the calendar, `quarter` of its clock, `mark` quarters of an
    hour UTC since the epoch.
    """

    slot: Ints
    day: Ints
    kind: Ints
    quarter: Ints
    mark: Ints

    def part(self, which: slice | Ints | Bools) -> "Place":
        """Some of them, by their first axis."""
        return Place(*(each[which] for each in self))


@dataclass(frozen=True, slots=True)
class Memory:
    """The rows of all car parks: those of car park p are p * DAYS and the next DAYS, a ring by date."""

    rows: Rows
    slots: Slots

    def place(self, park: Ints, time: Ints) -> Place:
        """Where moments (µs) are or would be; `park` of the same shape."""
        found = self.slots(time.ravel())
        day, kind, quarter = (each.reshape(time.shape) for each in (found.day, found.type, found.quarter))
        return Place(park * DAYS + day % DAYS, day, kind, quarter, time // QUARTER_US)

    def open(self, place: Place) -> Bools:
        """Begin the days that are new. False where a day is older than what is kept."""
        kept = self.rows["day"][place.slot]
        new = kept < place.day
        if new.any():
            at = place.slot[new]
            for name in _NUMBERS:
                self.rows[name][at] = np.nan
            self.rows["mark"][at] = 0
            self.rows["day"][at], self.rows["kind"][at] = place.day[new], place.kind[new]
        known: Bools = kept <= place.day
        return known

    def known(self, place: Place) -> Bools:
        """Whether just these moments have been seen."""
        mark = self.rows["mark"][place.slot, place.quarter]
        known: Bools = (self.rows["day"][place.slot] == place.day) & (mark == place.mark)
        return known

    def last_week(self, park: Ints, place: Place) -> Floats:
        """Spaces taken at the same time of the clock seven dates before, NaN unknown."""
        day = place.day - 7
        slot = park * DAYS + day % DAYS
        return np.where(self.rows["day"][slot] == day, self.rows["occupied"][slot, place.quarter], np.nan)

    def typical(self, park: Ints, place: Place) -> Floats:
        """Median of the spaces taken at that time of the clock on the kept days of its kind before it.

        `place` (car parks, times); where no day of the kind is kept, those of its class answer. NaN where
        none does, or where fewer than WEEK days ago nothing had been seen.
        """
        slots = _of_park(park)
        day, kind = self.rows["day"][slots][:, None, :], self.rows["kind"][slots][:, None, :]
        seen = self.rows["occupied"][slots[:, None, :], place.quarter[:, :, None]]
        today = place.day[:, :, None]
        use = (day < today) & (day > today - DAYS)
        begun = (use & (day <= today - WEEK)).any(axis=-1)
        own = median(np.where(use & (kind == place.kind[:, :, None]), seen, np.nan))
        if np.isnan(own).any():
            like = use & (day_class(kind) == day_class(place.kind)[:, :, None])
            own = np.where(np.isnan(own), median(np.where(like, seen, np.nan)), own)
        return np.where(begun, own, np.nan)

    def errors(self, park: Ints, place: Place, method: Ints, around: int, least: int) -> Floats:
        """Known errors of what each horizon's `method` (car parks, horizons) told at that time of the clock.

        Within `around` quarters, on days of the same class, on all days where those give less than `least`;
        NaN elsewhere. Shape (car parks, horizons, errors).
        """
        slots = _of_park(park)
        quarters = (place.quarter[:, None] + np.arange(-around, around + 1)) % QUARTERS
        found = self.rows["error"][
            slots[:, None, :, None],
            quarters[:, None, None, :],
            method[:, :, None, None],
            np.arange(len(AHEAD))[:, None, None],
        ]
        day, today = self.rows["day"][slots], place.day[:, None]
        alike = day_class(self.rows["kind"][slots]) == day_class(place.kind)[:, None]
        kept = (day <= today) & (day > today - DAYS)
        own = np.where((kept & alike)[:, None, :, None], found, np.nan).reshape(*method.shape, -1)
        few = (~np.isnan(own)).sum(axis=-1) < least
        if few.any():
            every = np.where(kept[:, None, :, None], found, np.nan).reshape(own.shape)
            own[few] = every[few]
        return own


def day_class(kind: npt.NDArray[np.integer]) -> Ints:
    """0 Monday to Friday, 1 Saturday, 2 Sunday and holidays."""
    found: Ints = _CLASS[kind]
    return found


def median(values: Floats) -> Floats:
    """Median over the last axis of what is not NaN; NaN where there is nothing else."""
    ordered = np.sort(values, axis=-1)
    count = (~np.isnan(ordered)).sum(axis=-1)[..., None]
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=-1)
    high = np.take_along_axis(ordered, np.minimum(count // 2, np.maximum(count - 1, 0)), axis=-1)
    middle: Floats = ((low + high) / 2)[..., 0]
    return middle


def _of_park(park: Ints) -> Ints:
    return park[:, None] * DAYS + np.arange(DAYS)
