"""Quiet hours: from one hour of the clock to another, every day."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from alerts.routing.rota import from_us, to_us

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Quiet:
    """From `begin` to before `end` by the clock on the wall; over midnight when `end` is earlier."""

    begin: time
    end: time

    def until_us(self, time_us: int, zone: ZoneInfo) -> int | None:
        """When (µs since the epoch, UTC) the quiet hours end that a time lies in, None where in none."""
        now = from_us(time_us, zone)
        for days in (-1, 0):
            begin = _at(now + timedelta(days=days), self.begin, zone)
            last = now + timedelta(days=days + (self.end <= self.begin))
            end = _at(last, self.end, zone)
            if begin <= time_us < end:
                return end
        return None


def read_quiet(text: str) -> Quiet:
    """`22:00-06:00`. Raises ValueError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError('expected quiet hours such as "22:00-06:00"')
    begin, end = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if begin == end:
        raise ValueError("quiet hours end when they begin: that would be all day")
    return Quiet(begin, end)


def _at(day: datetime, hour: time, zone: ZoneInfo) -> int:
    return to_us(datetime.combine(day.date(), hour, tzinfo=zone))
