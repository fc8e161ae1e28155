"""Days and weeks of the city: from midnight to midnight of its own time, 23 to 25 hours."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)
DAY_US = 86_400_000_000


class LocalTime:
    """One time zone. Times are µs since the epoch, UTC."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.name = str(zone)
        self._zone = zone
        # a history comes hour after hour of the same day
        self.day = lru_cache(4096)(self._day)
        self.week = lru_cache(4096)(self._week)

    def _day(self, time_us: int) -> tuple[int, int]:
        """Begin and end of the day that a time lies in."""
        midnight = self._midnight(time_us)
        return _us(midnight), _us(midnight + timedelta(days=1))

    def _week(self, time_us: int) -> tuple[int, int]:
        """Begin, a Monday, and end of the week that a time lies in."""
        midnight = self._midnight(time_us)
        monday = midnight - timedelta(days=midnight.weekday())
        return _us(monday), _us(monday + timedelta(days=7))

    def _midnight(self, time_us: int) -> datetime:
        local = (_EPOCH + time_us * _US).astimezone(self._zone)
        return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def _us(time: datetime) -> int:
    # the sum of a local time and days is a local time: its offset is that day's
    return (time.astimezone(UTC) - _EPOCH) // _US
