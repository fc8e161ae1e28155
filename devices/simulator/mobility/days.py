"""The days of a simulated month, in the city's own time."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CELL_US = 300_000_000
"""Demand is constant for five minutes."""

WORKDAY, SATURDAY, SUNDAY = 0, 1, 2
_MARKET_WEEKDAYS = (2, 5)
_SUNDAY, _SATURDAY = 6, 5

HOLIDAYS = frozenset(
    date.fromisoformat(text)
    for text in (
        *("2025-01-01", "2025-04-18", "2025-04-21", "2025-05-01", "2025-05-29", "2025-06-09", "2025-06-19"),
        *("2025-10-03", "2025-11-01", "2025-12-25", "2025-12-26"),
        *("2026-01-01", "2026-04-03", "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-25", "2026-06-04"),
        *("2026-10-03", "2026-11-01", "2026-12-25", "2026-12-26"),
        *("2027-01-01", "2027-03-26", "2027-03-29", "2027-05-01", "2027-05-06", "2027-05-17", "2027-05-27"),
        *("2027-10-03", "2027-11-01", "2027-12-25", "2027-12-26"),
    )
)
"""Public holidays of North Rhine-Westphalia, written out."""


@dataclass(frozen=True, slots=True)
class Days:
    """Some days from a date on. Times µs since the epoch, UTC.

    `midnights` begin the days and end the last; `kind` of each day WORKDAY, SATURDAY or SUNDAY (holidays
    too); `market` whether there is one. Per five-minute cell: `day` its number, `hour` the local time of day
    at its middle.
    """

    zone: ZoneInfo
    dates: tuple[date, ...]
    midnights: Ints
    kind: Ints
    market: npt.NDArray[np.bool_]
    day: Ints
    hour: Floats

    @property
    def cells(self) -> Ints:
        """Where the cells begin."""
        return np.arange(self.midnights[0], self.midnights[-1], CELL_US, dtype=np.int64)

    @property
    def weekday(self) -> Ints:
        """Monday 0 to Sunday 6 by day, holiday or not."""
        return np.array([each.weekday() for each in self.dates], np.int64)


def days(first: date, count: int, zone: ZoneInfo) -> Days:
    """So many days from a date on; a day has 23, 24 or 25 hours."""
    dates = tuple(first + timedelta(each) for each in range(count))
    midnights = np.array([_midnight(each, zone) for each in (*dates, first + timedelta(count))], np.int64)
    cells = np.arange(midnights[0], midnights[-1], CELL_US, dtype=np.int64)
    local = [datetime.fromtimestamp((int(each) + CELL_US // 2) / 1e6, zone) for each in cells]
    return Days(
        zone=zone,
        dates=dates,
        midnights=midnights,
        kind=np.array([_kind(each) for each in dates], np.int64),
        market=np.array([each.weekday() in _MARKET_WEEKDAYS and each not in HOLIDAYS for each in dates]),
        day=np.searchsorted(midnights, cells, side="right") - 1,
        hour=np.array([each.hour + each.minute / 60 + each.second / 3600 for each in local]),
    )


def _midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1_000_000


def _kind(day: date) -> int:
    if day in HOLIDAYS or day.weekday() == _SUNDAY:
        return SUNDAY
    return SATURDAY if day.weekday() == _SATURDAY else WORKDAY
