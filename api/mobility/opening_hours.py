"""Opening hours as OpenStreetMap writes them, as far as car parks need them: days, spans of a day, off.

`24/7`, `Mo-Fr 06:00-22:00; Sa,Su 08:00-20:00`, `Mo-Su 06:00-02:00`, `Su off`. A later rule replaces an
earlier one for its days (https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification). Holidays and
seasons are not understood.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

ALWAYS = "24/7"
_DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAY_MIN = 24 * 60
_SPAN = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_RULE = re.compile(r"(?:((?:Mo|Tu|We|Th|Fr|Sa|Su)[A-Za-z,-]*) +)?(off|closed|[0-9:,-]+)")
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """By weekday from Monday on: spans (begin, end) in minutes since its midnight, past 1440 the next day."""

    text: str
    days: tuple[tuple[tuple[int, int], ...], ...]

    def open_at(self, time_us: int, zone: ZoneInfo) -> bool:
        """Whether it is open at a time (µs since the epoch, UTC), by the clocks of the zone."""
        local = datetime.fromtimestamp(time_us // _SECOND_US, UTC).astimezone(zone)
        minute, today = local.hour * 60 + local.minute, local.weekday()
        return any(begin <= minute < end for begin, end in self.days[today]) or any(
            begin <= minute + _DAY_MIN < end for begin, end in self.days[today - 1]
        )


def read_opening_hours(text: str) -> OpeningHours:
    """Raises ValueError with what is expected."""
    if text.strip() == ALWAYS:
        return OpeningHours(ALWAYS, (((0, _DAY_MIN),),) * len(_DAYS))
    days: list[tuple[tuple[int, int], ...]] = [()] * len(_DAYS)
    for rule in text.split(";"):
        match = _RULE.fullmatch(rule.strip())
        if match is None:
            raise ValueError(
                f"{rule.strip()!r}: expected 24/7, or days and times such as Mo-Fr 06:00-22:00; Su off"
            )
        spans = () if match[2] in {"off", "closed"} else tuple(map(_span, match[2].split(",")))
        for day in _named(match[1]) if match[1] else range(len(_DAYS)):
            days[day] = spans
    return OpeningHours(" ".join(text.split()), tuple(days))


def _span(text: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r}: expected a span of the day such as 06:00-22:00")
    begin, end = (int(match[n]) * 60 + int(match[n + 1]) for n in (1, 3))
    if begin >= _DAY_MIN or end > 2 * _DAY_MIN or any(int(match[n]) >= 60 for n in (2, 4)):  # noqa: PLR2004 - minutes
        raise ValueError(f"{text!r}: there is no such hour")
    return begin, end if end > begin else end + _DAY_MIN


def _named(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        ends = part.split("-")
        if not 1 <= len(ends) <= 2 or any(each not in _DAYS for each in ends):  # noqa: PLR2004 - one day, or two
            raise ValueError(f"{text!r}: expected days such as Mo-Fr or Sa,Su")
        first, last = _DAYS.index(ends[0]), _DAYS.index(ends[-1])
        found += [(first + n) % len(_DAYS) for n in range((last - first) % len(_DAYS) + 1)]
    return found
