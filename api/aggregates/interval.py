"""Intervals of ISO 8601, laid out by the clocks and the calendar of a time zone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Edges = npt.NDArray[np.int64]
Unit = Literal["minute", "hour", "day", "week", "month", "year"]

FIRST_US = -2_208_988_800_000_000
"""1900-01-01: before that nobody measured, and no zone has a rule."""
LAST_US = 7_258_118_400_000_000
"""2200-01-01."""
_TEXT = re.compile(r"P(?:([1-9]\d{0,2})([DWMY])|T([1-9]\d{0,3})([MH]))")
_MINUTES_OF_HOUR = frozenset({1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60})
_HOURS_OF_DAY = frozenset({1, 2, 3, 4, 6, 8, 12})
_MONTHS_OF_YEAR = frozenset({1, 2, 3, 4, 6, 12})
_UNITS: dict[str, Unit] = {"D": "day", "W": "week", "M": "month", "Y": "year"}
_LONGEST_MIN: dict[Unit, int] = {
    "minute": 1,
    "hour": 60,
    "day": 25 * 60,
    "week": 169 * 60,
    "month": 31 * 1440 + 60,
    "year": 366 * 1440 + 60,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
_MINUTE_US = 60_000_000
HINT = (
    "write minutes that divide an hour (PT1M to PT30M), hours that divide a day (PT1H to PT12H), P1D, P1W, "
    "P1M, P3M or P1Y"
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A length that repeats from the start of each local hour, day, week (Monday), or year.

    `minute` and `hour` up to one are exact lengths from local midnight on; longer hours follow the wall
    clock: where it is put forward or back one of them is shorter or longer, as days are.
    """

    amount: int
    unit: Unit

    @property
    def longest_min(self) -> int:
        """Minutes in the longest of them."""
        return self.amount * _LONGEST_MIN[self.unit]

    def forward(self, zone: ZoneInfo, us: int) -> Iterator[int]:
        """Edges in µs since the epoch: the last one at or before a time, and on from there."""
        at = _local_date(zone, us)
        last: int | None = None
        for edge in self._edges(zone, at, 1):
            if last is not None and edge <= last:  # a day that a zone left out (Samoa, 2011)
                continue
            if edge > us and last is not None and last <= us:
                yield last
            if edge > us:
                yield edge
            last = edge

    def backward(self, zone: ZoneInfo, us: int) -> Iterator[int]:
        """Edges: the first one at or after a time, and back from there."""
        at = _local_date(zone, us) + timedelta(days=1)
        last: int | None = None
        for edge in self._edges(zone, self._begin_after(at), -1):
            if last is not None and edge >= last:
                continue
            if edge < us and last is not None and last >= us:
                yield last
            if edge < us:
                yield edge
            last = edge

    def around(self, zone: ZoneInfo, us: int, count: int, *, back: bool = False) -> Edges:
        """Edges of `count` intervals in ascending order, from the one that holds a time on, or back from it.

        An interval is begin < time <= end; going on it is the one that begins at or before the time.
        """
        edges = self.backward(zone, us) if back else self.forward(zone, us)
        found = np.fromiter(islice(edges, count + 1), np.int64)
        return found[::-1].copy() if back else found

    def _begin_after(self, at: date) -> date:
        """Start of a period that is not before a date."""
        begin = self._begin(at)
        while begin < at:
            begin = self._step(begin, 1)
        return begin

    def _edges(self, zone: ZoneInfo, at: date, way: int) -> Iterator[int]:
        """Edges from the period of a date on, in one direction."""
        day = self._begin(at)
        while True:
            inside = self._of_day(zone, day)
            yield from inside if way > 0 else reversed(inside)
            day = self._step(day, way)

    def _of_day(self, zone: ZoneInfo, day: date) -> list[int]:
        """Edges in the period that begins on a day, but not its end."""
        begin = _moment(zone, day)
        if self.unit not in {"minute", "hour"}:
            return [begin]
        end = _moment(zone, day + timedelta(days=1))
        if self.unit == "hour" and self.amount > 1:
            marks = [_moment(zone, day, hour) for hour in range(0, 24, self.amount)]
            # where the clock is put forward over more than an interval two of them are one
            return [mark for mark in dict.fromkeys(marks) if begin <= mark < end]
        step = self.amount * _MINUTE_US * (60 if self.unit == "hour" else 1)
        return list(range(begin, end, step))

    def _begin(self, at: date) -> date:
        if self.unit == "week":
            return at - timedelta(days=at.weekday())
        if self.unit == "month":
            return date(at.year, (at.month - 1) // self.amount * self.amount + 1, 1)
        if self.unit == "year":
            return date(at.year, 1, 1)
        return at

    def _step(self, begin: date, way: int) -> date:
        if self.unit == "month":
            months = begin.year * 12 + begin.month - 1 + way * self.amount
            return date(months // 12, months % 12 + 1, 1)
        if self.unit == "year":
            return date(begin.year + way, 1, 1)
        return begin + timedelta(days=way * (7 if self.unit == "week" else 1))


def read_interval(text: str) -> Interval:
    """An interval out of ISO 8601; raises ValueError with what is possible."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(HINT)
    if match[1]:
        amount, unit = int(match[1]), _UNITS[match[2]]
        if amount not in (_MONTHS_OF_YEAR if unit == "month" else {1}):
            raise ValueError(HINT)
        return Interval(amount, unit)
    amount = int(match[3])
    if match[4] == "M" and amount % 60 == 0:
        amount, hours = amount // 60, True
    else:
        hours = match[4] == "H"
    if amount not in (_HOURS_OF_DAY if hours else _MINUTES_OF_HOUR):
        raise ValueError(HINT)
    return Interval(amount, "hour" if hours else "minute")


def day_bounds(zone: ZoneInfo, day: date) -> tuple[int, int]:
    """Begin and end (µs) of a local day: 23, 24 or 25 hours."""
    return _moment(zone, day), _moment(zone, day + timedelta(days=1))


def _local_date(zone: ZoneInfo, us: int) -> date:
    return (_EPOCH + timedelta(microseconds=us)).astimezone(zone).date()


def _moment(zone: ZoneInfo, day: date, hour: int = 0) -> int:
    """When it is that hour there: the first time, or when the clock is put forward over it."""
    return (datetime.combine(day, time(hour), zone).astimezone(UTC) - _EPOCH) // _US
