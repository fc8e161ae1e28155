"""Functions that SQLite lacks, for a connection: text by character, parts of a time, numbers out of text.

None of them raises: what cannot be computed is NULL.
"""

import functools
import json
import math
import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from api.sta.sql_geometry import geometry_functions

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
DAY_US = 86_400_000_000
DIFFERENT = object()
"""Outcome of `ordered` for two values that have no order and are not the same."""


def number_of(text: str) -> int | float | None:
    """The number a text is, from first to last character."""
    if not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
        return None
    return int(text) if _INTEGER.fullmatch(text) else float(text)


def time_of(text: str) -> int | None:
    """µs since the epoch of an ISO 8601 time or date; UTC where it names no offset."""
    try:
        moment = datetime.fromisoformat(text.strip().upper())
        return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError, AttributeError):
        return None


def _moment(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(time_us))


def _mod(dividend: float, divisor: float) -> int | float | None:
    if isinstance(dividend, int) and isinstance(divisor, int):
        return int(math.copysign(1, dividend)) * (abs(dividend) % abs(divisor))
    return math.fmod(dividend, divisor)


def _round(value: float) -> float:
    whole = math.floor(abs(value))
    return math.copysign(whole + (abs(value) - whole >= 0.5), value)  # noqa: PLR2004 - half goes up


def _substring(text: str, start: float, length: float | None = None) -> str:
    begin = max(0, int(start))
    return text[begin:] if length is None else text[begin : begin + max(0, int(length))]


def _kind(type_: str, value: Any) -> tuple[str, Any]:
    """Kind and comparable form of a value that json_type calls `type_`."""
    if type_ in {"integer", "real"}:
        return "number", value
    if type_ in {"true", "false", "boolean"}:
        return "boolean", bool(value)
    return (type_, value) if type_ == "text" else (type_, json.loads(value))


def ordered(left_type: str, left: Any, right_type: str, right: Any) -> Any:
    """The pair to compare, DIFFERENT, or None where one is unknown.

    A text and a number meet as numbers where the text is one.
    """
    if left is None or right is None:
        return None
    left_kind, a = _kind(left_type, left)
    right_kind, b = _kind(right_type, right)
    if left_kind != right_kind:
        if {left_kind, right_kind} != {"number", "text"}:
            return DIFFERENT
        a, b = (number_of(each) if isinstance(each, str) else each for each in (a, b))
        return DIFFERENT if a is None or b is None else (a, b)
    return a, b


def _equal(left_type: str, left: Any, right_type: str, right: Any) -> bool | None:
    pair = ordered(left_type, left, right_type, right)
    return pair if pair is None else pair is not DIFFERENT and pair[0] == pair[1]


def _less(left_type: str, left: Any, right_type: str, right: Any) -> bool | None:
    pair = _in_order(left_type, left, right_type, right)
    return None if pair is None else pair[0] < pair[1]


def _at_most(left_type: str, left: Any, right_type: str, right: Any) -> bool | None:
    pair = _in_order(left_type, left, right_type, right)
    return None if pair is None else pair[0] <= pair[1]


def _in_order(left_type: str, left: Any, right_type: str, right: Any) -> Any:
    pair = ordered(left_type, left, right_type, right)
    if pair is None or pair is DIFFERENT or isinstance(pair[0], dict | list):
        return None
    if isinstance(pair[0], str):
        numbers = number_of(pair[0]), number_of(pair[1])
        return pair if None in numbers else numbers
    return pair


def _member(document: str, keys: str) -> str | None:
    """JSON text of what stands in `document` below `keys`, a JSON array: names, or places in an array."""
    value = json.loads(document)
    for key in json.loads(keys):
        if isinstance(value, list):
            if not key.isdecimal() or int(key) >= len(value):
                return None
            value = value[int(key)]
        elif isinstance(value, dict) and key in value:
            value = value[key]
        else:
            return None
    return json.dumps(value, ensure_ascii=False)


FUNCTIONS: Mapping[str, tuple[int, Callable[..., Any]]] = MappingProxyType({
    "sta_number": (1, number_of),
    "sta_time": (1, time_of),
    "sta_mod": (2, _mod),
    "sta_round": (1, _round),
    "sta_floor": (1, lambda value: float(math.floor(value))),
    "sta_ceiling": (1, lambda value: float(math.ceil(value))),
    "sta_equal": (4, _equal),
    "sta_less": (4, _less),
    "sta_at_most": (4, _at_most),
    "sta_member": (2, _member),
    "sta_length": (1, len),
    "sta_lower": (1, str.lower),
    "sta_upper": (1, str.upper),
    "sta_trim": (1, str.strip),
    "sta_concat": (2, lambda left, right: left + right),
    "sta_startswith": (2, str.startswith),
    "sta_endswith": (2, str.endswith),
    "sta_indexof": (2, str.find),
    "sta_substring": (-1, _substring),
    "sta_year": (1, lambda time_us: _moment(time_us).year),
    "sta_month": (1, lambda time_us: _moment(time_us).month),
    "sta_day": (1, lambda time_us: _moment(time_us).day),
    "sta_hour": (1, lambda time_us: _moment(time_us).hour),
    "sta_minute": (1, lambda time_us: _moment(time_us).minute),
    "sta_second": (1, lambda time_us: _moment(time_us).second),
    "sta_fraction": (1, lambda time_us: int(time_us) % 1_000_000 / 1_000_000),
    "sta_offset": (1, lambda _: 0),
    "sta_date": (1, lambda time_us: int(time_us) // DAY_US * DAY_US),
    "sta_time_of_day": (1, lambda time_us: int(time_us) % DAY_US),
})  # fmt: skip
"""Name in SQL to number of arguments (-1: any) and what it does; an argument that is NULL makes it NULL."""


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def run(*arguments: Any) -> Any:
        if None in arguments:
            return None
        try:
            return function(*arguments)
        except (ArithmeticError, TypeError, ValueError, RecursionError, AttributeError, MemoryError):
            return None

    return run


def install_functions(connection: sqlite3.Connection) -> None:
    """Make every function that compiled filters call known to a connection."""
    for name, (arguments, function) in {**FUNCTIONS, **geometry_functions()}.items():
        connection.create_function(name, arguments, _guarded(function), deterministic=True)
