"""Sums, means, extremes and counts of readings in intervals, pure numpy.

Points come in the order of their times, in batches of any size: the result is the same to the last bit,
because every cell of interval and column is added to one by one in that order.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from api.aggregates.interval import Edges

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Table: TypeAlias = npt.NDArray[np.float64]

CIRCULAR = frozenset({"wind_direction", "device_heading"})
"""Degrees: the mean of 350 and 10 is 0, by their unit vectors (WMO-No. 8, part I, 5)."""
ENERGETIC = frozenset({"noise_level"})
"""dB: the mean is of the energy, 10 lg of the mean of 10^(L/10) (DIN 45641)."""
_LOUDEST_DB = 3000.0
_CALM = 1e-9


@dataclass(frozen=True, slots=True)
class Summary:
    """What a group of columns holds, one row per interval. NaN: nothing to say.

    `rise`: of counters. `touched`: there is a reading, or a counter's rise.
    """

    count: Ints
    sum: Floats
    rise: Floats
    mean: Floats
    min: Floats
    max: Floats
    last: Floats
    touched: npt.NDArray[np.bool_]


class Cells:
    """Readings of some columns (series) in the intervals edges[i] < time <= edges[i + 1]."""

    def __init__(self, edges: Edges, properties: list[str]) -> None:
        self._edges = edges
        self._width = len(properties)
        self._circular = np.array([each in CIRCULAR for each in properties], np.bool_)
        self._energetic = np.array([each in ENERGETIC for each in properties], np.bool_)
        size = (len(edges) - 1) * self._width
        self._count = np.zeros(size, np.int64)
        self._sum, self._mean, self._aside, self._rise = (np.zeros(size) for _ in range(4))
        self._covered, self._last_us = np.zeros(size, np.int64), np.full(size, np.iinfo(np.int64).min)
        self._min, self._max = np.full(size, np.inf), np.full(size, -np.inf)
        self._last = np.full(size, np.nan)

    def add(self, column: Ints, time_us: Ints, value: Floats) -> None:
        """Take readings, by time; what is outside the intervals is left out."""
        bins = np.searchsorted(self._edges, time_us, "left") - 1
        inside = (bins >= 0) & (bins < len(self._edges) - 1)
        column, time_us, value, bins = column[inside], time_us[inside], value[inside], bins[inside]
        cell = bins * self._width + column
        self._count += np.bincount(cell, minlength=len(self._count))
        np.add.at(self._sum, cell, value)
        np.minimum.at(self._min, cell, value)
        np.maximum.at(self._max, cell, value)
        # of a repeated index the last assignment holds
        self._last[cell], self._last_us[cell] = value, time_us
        angle = self._circular[column]
        loud = self._energetic[column]
        share = value.copy()
        share[angle] = np.cos(np.radians(value[angle]))
        share[loud] = 10.0 ** (np.clip(value[loud], -_LOUDEST_DB, _LOUDEST_DB) / 10)
        np.add.at(self._mean, cell, share)
        if angle.any():
            np.add.at(self._aside, cell[angle], np.sin(np.radians(value[angle])))

    def rise(self, column: int, begin_us: Ints, end_us: Ints, amount: Floats) -> None:
        """Take what a counter rose by between two readings, spread evenly over the time between them."""
        edges = self._edges
        meets = (end_us > edges[0]) & (begin_us < edges[-1])
        begin_us, end_us, amount = begin_us[meets], end_us[meets], amount[meets]
        first = np.maximum(np.searchsorted(edges, begin_us, "right") - 1, 0)
        last = np.minimum(np.searchsorted(edges, end_us, "left") - 1, len(edges) - 2)
        parts = last - first + 1
        of = np.repeat(np.arange(len(parts)), parts)
        bins = first[of] + np.arange(len(of)) - np.repeat(np.cumsum(parts) - parts, parts)
        inside = np.minimum(end_us[of], edges[bins + 1]) - np.maximum(begin_us[of], edges[bins])
        cell = bins * self._width + column
        np.add.at(self._rise, cell, amount[of] * (inside / (end_us - begin_us)[of]))
        np.add.at(self._covered, cell, inside)

    def summary(self, columns: list[int]) -> Summary:
        """What columns hold together, such as a device and the one that took its place."""
        count, total, mean, aside = (
            self._of(each, columns).sum(axis=1) for each in (self._count, self._sum, self._mean, self._aside)
        )
        rise, covered = (self._of(each, columns).sum(axis=1) for each in (self._rise, self._covered))
        newest = self._of(self._last_us, columns).argmax(axis=1)
        last = self._of(self._last, columns)[np.arange(len(count)), newest]
        none = count == 0
        some = np.maximum(count, 1)
        if self._circular[columns[0]]:
            average = np.degrees(np.arctan2(aside, mean)) % 360
            # opposite directions, or as many of each: there is none between them
            average[np.hypot(aside, mean) < _CALM * some] = np.nan
        elif self._energetic[columns[0]]:
            average = 10 * np.log10(np.where(none, 1.0, mean / some))
        else:
            average = mean / some
        return Summary(
            count=count,
            sum=np.where(none, np.nan, total),
            rise=np.where(covered == 0, np.nan, rise),
            mean=np.where(none, np.nan, average),
            min=np.where(none, np.nan, self._of(self._min, columns).min(axis=1)),
            max=np.where(none, np.nan, self._of(self._max, columns).max(axis=1)),
            last=last,
            touched=(count > 0) | (covered > 0),
        )

    def _of(self, cells: npt.NDArray[np.generic], columns: list[int]) -> npt.NDArray[np.generic]:
        return cells.reshape(-1, self._width)[:, columns]
