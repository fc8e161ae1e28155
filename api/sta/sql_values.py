"""What a part of an expression is as SQL, and how one kind of value is read as another.

A value of JSON (`result`, `properties/…`) is known by its row only. Read as a number it is the number, or
that of a text which is one from first to last character; as a text, time or boolean only what JSON has as
such. Anything else reads as NULL: unknown.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from api.sta.errors import BadRequestError
from api.sta.sql import Sql, parameter, sql
from api.sta.sql_functions import number_of
from api.sta.times import parse_interval, parse_time, parse_time_of_day


class What(StrEnum):
    """Kind of a value, in the words of an error."""

    NULL = "null"
    BOOLEAN = "a condition"
    INTEGER = "an integer"
    DECIMAL = "a number"
    TEXT = "a text"
    TIME = "a time"
    DURATION = "a duration"
    GEOMETRY = "a geometry"
    ANY = "a JSON value"


NUMBERS = (What.INTEGER, What.DECIMAL)


@dataclass(frozen=True, slots=True)
class Operand:
    """One compiled part. `sql`: its value; NULL where it is unknown or absent.

    TIME: µs since the epoch in `sql` and in `end`, equal for an instant. DURATION: µs. BOOLEAN: 0 or 1.
    ANY: `sql` is json_extract's value, `type` what json_type calls it, `number` the value read as a number.
    `literal`: what a Text or Number of the request says.
    """

    what: What
    sql: Sql
    at: int = 0
    end: Sql | None = None
    type: Sql | None = None
    number: Sql | None = None
    literal: str | int | float | None = None


def null(at: int = 0) -> Operand:
    """What is absent."""
    return Operand(What.NULL, Sql("NULL"), at)


def number(value: float, at: int) -> Operand:
    """A literal; integers beyond 64 bits become decimals, as SQLite has none."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        try:
            value = float(value)
        except OverflowError:
            raise BadRequestError("a number is too large", "write it with an exponent", at=at) from None
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRequestError("a number is too large", at=at)
    what = What.INTEGER if isinstance(value, int) else What.DECIMAL
    return Operand(what, parameter(value), at, literal=value)


def text(value: str, at: int) -> Operand:
    """A literal."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRequestError("a text is not valid Unicode", at=at) from None
    return Operand(What.TEXT, parameter(value), at, literal=value)


def time(begin: Sql, end: Sql | None = None, at: int = 0) -> Operand:
    """An instant, or an interval where there is an end."""
    return Operand(What.TIME, begin, at, end=begin if end is None else end)


def json_at(document: Sql, path: Sql, at: int) -> Operand:
    """What stands at a path of a JSON text."""
    type_ = sql("json_type(", document, ",", path, ")")
    value = sql("json_extract(", document, ",", path, ")")
    as_number = sql(
        "CASE ", type_, " WHEN 'text' THEN sta_number(", value, ")",
        " WHEN 'integer' THEN ", value, " WHEN 'real' THEN ", value, " END",
    )  # fmt: skip
    return Operand(What.ANY, value, at, type=type_, number=as_number)


def wrong(operand: Operand, wanted: str) -> BadRequestError:
    """Error for an operand that can never be what is needed."""
    return BadRequestError(f"{operand.what} stands where {wanted} is needed", at=operand.at)


def as_number(operand: Operand) -> Sql:
    """Read as a number."""
    if operand.number is not None:
        return operand.number
    if isinstance(operand.literal, str):
        value = number_of(operand.literal)
        if value is None:
            raise BadRequestError(f"the text {operand.literal!r} is no number", at=operand.at)
        return parameter(value)
    if operand.what is What.TEXT:
        return sql("sta_number(", operand.sql, ")")
    if operand.what in NUMBERS or operand.what is What.NULL:
        return operand.sql
    raise wrong(operand, "a number")


def as_text(operand: Operand) -> Sql:
    """Read as a text; a number is none."""
    if operand.type is not None:
        return sql("CASE ", operand.type, " WHEN 'text' THEN ", operand.sql, " END")
    if operand.what in {What.TEXT, What.NULL}:
        return operand.sql
    raise wrong(operand, "a text")


def as_condition(operand: Operand) -> Sql:
    """Read as true, false or unknown."""
    if operand.type is not None:
        return sql("CASE ", operand.type, " WHEN 'true' THEN 1 WHEN 'false' THEN 0 END")
    if operand.what in {What.BOOLEAN, What.NULL}:
        return operand.sql
    raise wrong(operand, "a condition")


def as_time(operand: Operand) -> Operand:
    """Read as a time; a text of the request as RFC 3339, or as an interval of two of them."""
    if operand.what in {What.TIME, What.NULL}:
        return operand if operand.end is not None else time(operand.sql, at=operand.at)
    if operand.type is not None:
        return time(sql("sta_time(", as_text(operand), ")"), at=operand.at)
    if isinstance(operand.literal, str):
        try:
            if "/" in operand.literal:
                begin, end = parse_interval(operand.literal)
                return time(parameter(begin), parameter(end), operand.at)
            return time(parameter(parse_time(operand.literal)), at=operand.at)
        except ValueError as error:
            message = f"the text {operand.literal!r} is no time"
            raise BadRequestError(message, str(error), at=operand.at) from None
    raise wrong(operand, "a time such as 2026-07-14T18:30:00Z")


def as_duration(operand: Operand) -> Sql:
    """Read as a duration; a text of the request as a time of day such as 18:30:00."""
    if operand.what in {What.DURATION, What.NULL}:
        return operand.sql
    if isinstance(operand.literal, str):
        try:
            return parameter(parse_time_of_day(operand.literal))
        except ValueError as error:
            message = f"the text {operand.literal!r} is no time of day"
            raise BadRequestError(message, str(error), at=operand.at) from None
    raise wrong(operand, "a duration")


def as_geometry(operand: Operand) -> Sql:
    """Read as a geometry: GeoJSON of a property or WKT of the request."""
    if operand.what in {What.GEOMETRY, What.ANY, What.NULL}:
        return operand.sql
    raise wrong(operand, "a geometry, such as a property or geography'POINT (7.1 51.0)'")


def tagged(operand: Operand) -> Sql:
    """Two arguments, type and value, for a comparison whose kinds only the row knows."""
    if operand.type is not None:
        return sql(operand.type, ",", operand.sql)
    if operand.what in NUMBERS:
        return sql("'real',", operand.sql)
    if operand.what is What.TEXT:
        return sql("'text',", operand.sql)
    if operand.what is What.BOOLEAN:
        return sql("'boolean',", operand.sql)
    raise wrong(operand, "a number, text or condition")
