"""Times as SensorThings writes them: instants, dates, intervals, durations, times of day (ISO 8601)."""

import re
from datetime import UTC, datetime, timedelta

from api.rfc3339 import EPOCH, parse_us

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_LAST_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
_LONGEST_US = _LAST_US - _FIRST_US
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME_OF_DAY = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?")
_DURATION = re.compile(
    r"([+-])?P(?=[0-9T])(?:([0-9]{1,12})Y)?(?:([0-9]{1,12})M)?(?:([0-9]{1,12})W)?(?:([0-9]{1,12})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,12})H)?(?:([0-9]{1,12})M)?(?:([0-9]{1,12})(?:\.([0-9]{1,9}))?S)?)?",
    re.IGNORECASE,
)
_UNITS_US = (365 * _DAY, 30 * _DAY, 7 * _DAY, _DAY, 3600 * _SECOND, 60 * _SECOND, _SECOND)


def parse_time(text: str) -> int:
    """RFC 3339 time with its offset, or a date for its midnight in UTC, as µs since the epoch.

    Raises ValueError with a hint.
    """
    return parse_us(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)


def parse_interval(text: str) -> tuple[int, int]:
    """`begin/end`, `begin/duration` or `duration/end` as µs since the epoch.

    Raises ValueError with a hint.
    """
    first, slash, second = text.partition("/")
    if not slash:
        raise ValueError("an interval is two times with a / between")
    if first[:1] in "Pp" and second[:1] in "Pp":
        raise ValueError("an interval needs at least one time: begin/end, begin/duration or duration/end")
    if first[:1] in "Pp":
        end = parse_time(second)
        begin = end - parse_duration(first)
    elif second[:1] in "Pp":
        begin = parse_time(first)
        end = begin + parse_duration(second)
    else:
        begin, end = parse_time(first), parse_time(second)
    if begin > end:
        raise ValueError("an interval begins before it ends: exchange its two times")
    if begin < _FIRST_US or end > _LAST_US:
        raise ValueError("an interval lies within the years 1 to 9999")
    return begin, end


def parse_duration(text: str) -> int:
    """ISO 8601 duration as µs; a year counts 365 and a month 30 days. Raises ValueError with a hint."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("write a duration such as PT15M, P1D or P1DT12H")
    sign, *counts, fraction = match.groups()
    length = sum(int(count or 0) * unit for count, unit in zip(counts, _UNITS_US, strict=True))
    length += _micros(fraction)
    if length > _LONGEST_US:
        raise ValueError("a duration is no longer than 9999 years")
    return -length if sign == "-" else length


def parse_time_of_day(text: str) -> int:
    """`18:30` or `18:30:00.5` as µs since midnight. Raises ValueError with a hint."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise ValueError("write a time of day such as 18:30:00")
    hours, minutes, seconds = (int(each or 0) for each in match.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 59:  # noqa: PLR2004 - the last hour, minute and second
        raise ValueError("no such time of day")
    return (hours * 3600 + minutes * 60 + seconds) * _SECOND + _micros(match[4])


def format_duration(length_us: int) -> str:
    """µs as an ISO 8601 duration in seconds: `PT900S`, `-PT0.5S`."""
    seconds, micros = divmod(abs(length_us), _SECOND)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    return f"{'-' if length_us < 0 else ''}PT{seconds}{fraction}S"


def _micros(fraction: str | None) -> int:
    return int((fraction or "")[:6].ljust(6, "0"))
