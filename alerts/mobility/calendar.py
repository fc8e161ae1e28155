"""The city's calendar: which local day, kind of day and quarter of the day a time belongs to."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from alerts.kernels.rows import Bools, Ints, Slots

QUARTER_US = 900_000_000
QUARTERS = 96
DAY_TYPES = 8
"""Monday 0 to Sunday 6, and public holidays whatever their weekday."""
SATURDAY, SUNDAY, HOLIDAY = 5, 6, 7

_LANDS = (
    *("SH", "HH", "NI", "HB", "NW", "HE", "RP", "BW"),
    *("BY", "SL", "BE", "BB", "MV", "SN", "ST", "TH"),
)
LANDS = {f"{number:02}": land for number, land in enumerate(_LANDS, 1)}
"""The Land by the first two digits of a Regionalschlüssel."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY = date(1970, 1, 1).toordinal()


class Slot(NamedTuple):
    """Where quarters of an hour stand in the city's calendar.

    `day`: days since 1970-01-01; `type` 0..7, see DAY_TYPES; `quarter` of the wall clock, 0..95; `again`: in
    the hour that an autumn night has a second time.
    """

    day: Ints
    type: Ints
    quarter: Ints
    again: Bools

    def at(self, part: Slots | Bools) -> "Slot":
        """Some of them."""
        return Slot(self.day[part], self.type[part], self.quarter[part], self.again[part])


class Calendar:
    """Local days of a time zone with the public holidays of a Land.

    `ars`: the city's Regionalschlüssel; without one only the holidays that all of Germany has. Holidays of
    single municipalities (Augsburg's Friedensfest, Assumption in parts of Bavaria) are ordinary days.
    """

    def __init__(self, timezone: str = "Europe/Berlin", ars: str | None = None) -> None:
        self._zone = ZoneInfo(timezone)
        self._holidays = holidays.country_holidays("DE", subdiv=LANDS.get((ars or "")[:2]))
        # of each hour once: every site asks for the same quarter
        self._slot = lru_cache(4096)(self._found)

    def type_of(self, day: date) -> int:
        """What kind of day a local date is, 0..7."""
        return HOLIDAY if day in self._holidays else day.weekday()

    def slots(self, begin_us: Ints) -> Slot:
        """The place of quarters that begin at these times (µs since the epoch, UTC)."""
        times, where = np.unique(begin_us, return_inverse=True)
        found = np.array([self._slot(time) for time in times.tolist()], np.int64).reshape(-1, 4)[where]
        return Slot(found[:, 0], found[:, 1], found[:, 2], found[:, 3] != 0)

    def _found(self, begin_us: int) -> tuple[int, int, int, int]:
        local = (_EPOCH + timedelta(microseconds=begin_us)).astimezone(self._zone)
        day = local.date()
        quarter = local.hour * 4 + local.minute // 15
        return day.toordinal() - _FIRST_DAY, self.type_of(day), quarter, local.fold
