"""Pages that begin behind the last row of the page before, so that new rows neither shift nor repeat any."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api.sta.errors import BadRequestError
from api.sta.sql import Sql, parameter, separated, sql

_LONGEST = 1500
"""Characters of a token; addresses have to fit into a line of HTTP."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of an order. NULL is less than everything, as in SQLite."""

    value: Sql
    descending: bool = False
    nullable: bool = True


def order(keys: Sequence[Key]) -> Sql:
    """The keys behind ORDER BY."""
    return separated(", ", [sql(each.value, " DESC") if each.descending else each.value for each in keys])


def behind(keys: Sequence[Key], values: Sequence[Any]) -> Sql:
    """What holds for rows behind the one whose keys have these values."""
    first = keys[0]
    if not any(each.nullable for each in keys) and len({each.descending for each in keys}) == 1:
        left = separated(", ", [each.value for each in keys])
        right = separated(", ", [parameter(each) for each in values])
        return sql("(", left, ") ", "<" if first.descending else ">", " (", right, ")")
    ways = []
    for at, (key, value) in enumerate(zip(keys, values, strict=True)):
        same = [_same(*each) for each in zip(keys[:at], values[:at], strict=True)]
        ways.append(sql("(", separated(" AND ", [*same, _beyond(key, value)]), ")"))
    anyway = sql("(", separated(" OR ", ways), ")")
    if first.nullable:
        return anyway
    # says nothing new, but lets an index of the first key be used
    return sql(first.value, " <= " if first.descending else " >= ", parameter(values[0]), " AND ", anyway)


def _same(key: Key, value: Any) -> Sql:
    return sql(key.value, " IS NULL") if value is None else sql(key.value, " = ", parameter(value))


def _beyond(key: Key, value: Any) -> Sql:
    if value is None:
        return Sql("0") if key.descending else sql(key.value, " IS NOT NULL")
    if key.descending:
        return sql("(", key.value, " < ", parameter(value), " OR ", key.value, " IS NULL)")
    return sql(key.value, " > ", parameter(value))


def token(values: Sequence[Any]) -> str | None:
    """A token for a row's keys; None where these are too long for an address or of no JSON type."""
    whole = all(type(each) is int for each in values)
    if not whole and not all(each is None or isinstance(each, int | float | str) for each in values):
        return None
    text = base64.urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=").decode()
    # whole numbers come back out of JSON as they went in
    fits = len(text) <= _LONGEST and (whole or values_of(text, len(values)) == list(values))
    return text if fits else None


def values_of(text: str, count: int) -> list[Any]:
    """The keys of a token; raises BadRequestError for what is none of this many keys."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        values = None
    plain = isinstance(values, list) and all(
        each is None or isinstance(each, int | float | str) for each in values
    )
    if not plain or len(values) != count or (values and not isinstance(values[-1], int)):
        raise BadRequestError(
            "this token belongs to no page of this query",
            "follow @iot.nextLink as it is",
            option="$skiptoken",
        )
    return list(values)
