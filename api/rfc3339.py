"""Times on the wire: RFC 3339 in UTC with Z out, RFC 3339 with any offset in."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import orjson

from devices.instant import rfc3339_us

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_US = -62_135_596_800_000_000
"""Year 1 begins: nothing before it has a text."""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?")
_PLUS_LOST = re.compile(r" (\d\d:\d\d)$")
LATEST_US = 253_402_300_799_999_999
_STAMPS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_MANY = 8


def format_us(time_us: int) -> str:
    """Microseconds since the epoch as `2026-07-14T18:30:00Z`, with a fraction only where there is one."""
    return (EPOCH + timedelta(microseconds=int(time_us))).isoformat()[:-6] + "Z"


def format_all_us(times_us: Sequence[int]) -> list[str]:
    """What format_us makes of each, at a tenth of the cost where there are many."""
    if len(times_us) < _MANY or min(times_us) < EARLIEST_US:
        return [format_us(each) for each in times_us]
    try:
        stamps = np.array(times_us, dtype=np.int64).view("M8[us]")
        text = orjson.dumps(stamps, option=_STAMPS).decode()
    except (TypeError, OverflowError):  # what has no text: format_us says so, of the one that it is
        return [format_us(each) for each in times_us]
    return text[2:-2].split('","')


def parse_us(text: str) -> int:
    """RFC 3339 text as microseconds since the epoch; raises ValueError with a hint a person can follow.

    A `+` that a query string turned into a space is understood.
    """
    text = _PLUS_LOST.sub(r"+\1", text.strip())
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("write a time such as 2026-07-14T18:30:00Z or 2026-07-14T20:30:00+02:00")
    if match[3] is None:
        raise ValueError(
            "a time needs its offset from UTC: append Z, or +02:00 (in an address: %2B02:00) for summer time"
        )
    time_us = rfc3339_us(text.upper())
    # with an offset the first and last hours of the calendar can be none in UTC
    if time_us is None or not EARLIEST_US <= time_us <= LATEST_US:
        raise ValueError("no such time: look at month, day, hour, minute, second and offset")
    return time_us
