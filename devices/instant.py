"""Times that others write, as whole microseconds since 1970, UTC."""

import re
from datetime import UTC, datetime

SECOND_US = 1_000_000
EARLIEST_US = 1_420_070_400 * SECOND_US
"""2015-01-01: LoRaWAN 1.0 is of that January; an older time is a clock that was never set."""
_DAY_US = 86_400 * SECOND_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# what RFC 3339 allows and Python does not read: a small z, and the second 60
_rare = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII).fullmatch


def rfc3339_us(text: str | None) -> int | None:
    """An RFC 3339 time with offset; finer than microseconds is cut off. None for anything else.

    A leap second is the one after it, as POSIX counts. Other forms of ISO 8601 are read too.
    """
    if not text:
        return None
    time_us = _iso_us(text)
    if time_us is None and (match := _rare(text)):
        before, second, fraction, offset = match.groups("")
        if second != "60":
            return _iso_us(f"{before}{second}{fraction}{offset.upper()}")
        time_us = _iso_us(f"{before}59{fraction}{offset.upper()}")
        # leap seconds end a day, in UTC
        if time_us is not None and (time_us + SECOND_US) % _DAY_US < SECOND_US:
            return time_us + SECOND_US
        return None
    return time_us


def _iso_us(text: str) -> int | None:
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except (ValueError, TypeError, OverflowError):  # TypeError: no offset
        return None
    return since.days * _DAY_US + since.seconds * SECOND_US + since.microseconds
