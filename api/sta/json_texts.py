"""Columns of values as JSON texts, a whole column at a time: rows by the thousand cost little so.

Every function takes columns of one length and gives a list of that length; None stands for an absent value.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import orjson

Column: TypeAlias = Sequence[Any]
Texts: TypeAlias = list[str | None]
_TIMES = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
_NUMBERS = {int, float}


def quote(text: str) -> str:
    """A text as JSON."""
    return orjson.dumps(text).decode()


def numbers(values: Column) -> list[str]:
    """Integers, none of them None."""
    return orjson.dumps(values).decode()[1:-1].split(",") if values else []


def texts(values: Column) -> Texts:
    """Texts."""
    return [None if each is None else quote(each) for each in values]


def given(values: Column) -> Texts:
    """What is JSON text already."""
    return list(values)


def instants(times_us: Column) -> Texts:
    """Times, µs since the epoch, as RFC 3339 in UTC with Z; a fraction only where there is one."""
    if None not in times_us:
        return list(_instants(times_us))
    known = iter(_instants([each for each in times_us if each is not None]))
    return [None if each is None else next(known) for each in times_us]


def _instants(times_us: Column) -> list[str]:
    if not times_us:
        return []
    stamps = np.array(times_us, dtype=np.int64).view("M8[us]")
    try:
        text = orjson.dumps(stamps, option=_TIMES).decode()
    except TypeError:  # the very end of the year 9999, and what follows
        return [f'"{each}Z"' for each in np.datetime_as_string(stamps, unit="us")]
    return text[1:-1].replace('000Z"', 'Z"').split(",")


def times(begins_us: Column, ends_us: Column) -> Texts:
    """Instants, or intervals where there is an end."""
    begins = instants(begins_us)
    if set(ends_us) <= {None}:
        return begins
    return [
        begin if begin is None or end is None else f"{begin[:-1]}/{end[1:]}"
        for begin, end in zip(begins, instants(ends_us), strict=True)
    ]


def results(values: Column, others: Column) -> Texts:
    """Results: a number or text in `values`, or JSON text in `others`."""
    if set(map(type, values)) <= _NUMBERS:
        return list(orjson.dumps(values).decode()[1:-1].split(",")) if values else []
    return [
        other if value is None else orjson.dumps(value).decode()
        for value, other in zip(values, others, strict=True)
    ]


def parts(paths: Sequence[Sequence[str]]) -> Callable[[Column], Texts]:
    """What stands at these paths in JSON texts, with the keys around it."""
    return lambda values: [None if each is None else _parts(orjson.loads(each), paths) for each in values]


def _parts(value: Any, paths: Sequence[Sequence[str]]) -> str | None:
    found: dict[str, Any] = {}
    for *above, last in paths:
        source, target = value, found
        for key in above:
            source = source.get(key) if isinstance(source, dict) else None
            target = target.setdefault(key, {})
        if isinstance(source, dict) and last in source:
            target[last] = source[last]
    return orjson.dumps(found).decode()
