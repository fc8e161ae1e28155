"""What a forecast remembers of a car park: its last days by quarters of an hour of the city's clock.

Beside what was seen stand the forecasts as they were issued and, once it is known, what came of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alerts.kernels.rows import Bools, Floats, Ints, Rows, Slots

QUARTER_US = 900_000_000
QUARTERS = 96
DAYS = 42
"""Days kept: six of each day of the week."""

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

_NUMBERS = tuple(name for name in DAY.names or () if name not in {"day", "kind", "mark"})

When = Callable[[Ints], tuple[Ints, Ints, Ints]]
"""Of times (µs since the epoch): local dates as days since 1970-01-01, quarters 0..95 of the local clock, and
kinds of day 0..6 from Monday (a holiday counts as Sunday)."""


class Place(NamedTuple):
    """Where times fall in the memory of their car parks. `mark`: quarters of an hour UTC since the epoch."""

    park: Slots
    slot: Slots
    day: Ints
    quarter: Ints
    kind: Ints
    mark: Ints


@dataclass(frozen=True, slots=True)
class Memory:
    """The rows of all car parks: those of car park p are p * DAYS and the next DAYS, a ring by date."""

    rows: Rows
    when: When

    def place(self, park: Slots, time: Ints) -> Place:
        """Where times (µs) are or would be."""
        day, quarter, kind = self.when(time)
        return Place(park, park * DAYS + day % DAYS, day, quarter, kind, time // QUARTER_US)

    def open(self, place: Place) -> Bools:
        """Begin the days that are new. False where a day is older than what is kept."""
        kept = self.rows["day"][place.slot]
        new = kept < place.day
        at = place.slot[new]
        for name in _NUMBERS:
            self.rows[name][at] = np.nan
        self.rows["mark"][at] = 0
        self.rows["day"][at], self.rows["kind"][at] = place.day[new], place.kind[new]
        return kept <= place.day

    def known(self, place: Place) -> Bools:
        """Whether just this quarter has been seen."""
        at = place.slot, place.quarter
        return (self.rows["day"][place.slot] == place.day) & (self.rows["mark"][at] == place.mark)

    def last_week(self, place: Place) -> Floats:
        """Spaces taken at the same time of the clock seven dates before, NaN unknown."""
        day = place.day - 7
        slot = place.park * DAYS + day % DAYS
        seen = self.rows["occupied"][slot, place.quarter].astype(np.float64)
        return np.where(self.rows["day"][slot] == day, seen, np.nan)

    def typical(self, place: Place) -> Floats:
        """Median of the spaces taken at that time of the clock on the kept days of its kind before it."""
        slots = _of_park(place.park)
        day = self.rows["day"][slots]
        seen = self.rows["occupied"][slots, place.quarter[:, None]].astype(np.float64)
        alike = self.rows["kind"][slots] == place.kind[:, None]
        before = (day < place.day[:, None]) & (day > place.day[:, None] - DAYS)
        return median(np.where(alike & before, seen, np.nan))

    def errors(self, place: Place, method: Ints, ahead: int, around: int) -> Floats:
        """Known errors of forecasts issued within `around` quarters of that time of the clock, NaN elsewhere.

        Of days of its class: working days, Saturdays, Sundays. Shape (places, DAYS * (2 * around + 1)).
        """
        slots = _of_park(place.park)
        quarters = (place.quarter[:, None] + np.arange(-around, around + 1)) % QUARTERS
        found = self.rows["error"][
            slots[:, :, None], quarters[:, None, :], method[:, None, None], ahead
        ].astype(np.float64)
        day = self.rows["day"][slots]
        alike = day_class(self.rows["kind"][slots]) == day_class(place.kind)[:, None]
        use = alike & (day <= place.day[:, None]) & (day > place.day[:, None] - DAYS)
        return np.where(use[:, :, None], found, np.nan).reshape(len(slots), -1)


def day_class(kind: npt.NDArray[np.integer]) -> Ints:
    """0 Monday to Friday, 1 Saturday, 2 Sunday and holidays."""
    return np.maximum(kind.astype(np.int64) - 4, 0)


def median(values: Floats) -> Floats:
    """Median of each row without its NaN; NaN where there is nothing else."""
    ordered = np.sort(values, axis=1)
    count = (~np.isnan(ordered)).sum(axis=1)
    at = np.arange(len(ordered))
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    middle: Floats = (ordered[at, low] + ordered[at, np.minimum(high, ordered.shape[1] - 1)]) / 2
    return middle


def _of_park(park: Slots) -> Slots:
    return park[:, None] * DAYS + np.arange(DAYS)
