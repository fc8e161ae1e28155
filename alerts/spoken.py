"""Times and durations as people read them, in the words of a language's file."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

_HOUR_MIN = 60


class Durations(Protocol):
    """How a file says a duration."""

    @property
    def minutes(self) -> str:
        """With {} for how many."""

    @property
    def hour(self) -> str:
        """One hour."""

    @property
    def hours(self) -> str:
        """With {} for how many."""


def moment(time_us: int, zone: ZoneInfo, template: str, months: Sequence[str]) -> str:
    """A time in a zone. `template` has {day}, {month}, {month_name}, {year}, {hour}, {minute}."""
    local = datetime.fromtimestamp(time_us // 1_000_000, UTC).astimezone(zone)
    said = template.format(
        day=local.day,
        month=local.month,
        month_name=months[local.month - 1],
        year=local.year,
        hour=local.hour,
        minute=local.minute,
    )
    # the hour that a clock change repeats is said twice a year: only there the offset helps
    if local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset():
        said += f" (UTC{local:%z})"
    return said


def duration(minutes: int | None, words: Durations) -> str:
    """Whole hours as hours; empty for None."""
    if minutes is None:
        return ""
    if minutes % _HOUR_MIN:
        return words.minutes.format(minutes)
    return words.hour if minutes == _HOUR_MIN else words.hours.format(minutes // _HOUR_MIN)
