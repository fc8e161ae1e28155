"""Arithmetic and functions in SQL. Whatever cannot be computed, a division by zero too, is NULL.

`div` of two integers (literals, ids, lengths, parts of times) is an integer, rounded towards zero, as OData
says; `result` and other JSON values are decimals. `mod` has the sign of its dividend. `round` goes away from
zero at a half.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from api.rfc3339 import EPOCH
from api.sta.errors import BadRequestError
from api.sta.sql import Sql, parameter, sql
from api.sta.sql_compare import TEMPORAL, bounds
from api.sta.sql_values import (
    Operand,
    What,
    as_geometry,
    as_number,
    as_text,
    as_time,
    null,
    time,
)

ARITHMETIC: Mapping[str, str] = MappingProxyType({"add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%"})
"""Operators that make a value, and how SQL writes them."""
_MIN_US = (datetime.min.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
_MAX_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)

_TEXT = MappingProxyType({
    "length": (What.INTEGER, "sta_length"),
    "tolower": (What.TEXT, "sta_lower"),
    "toupper": (What.TEXT, "sta_upper"),
    "trim": (What.TEXT, "sta_trim"),
    "concat": (What.TEXT, "sta_concat"),
    "startswith": (What.BOOLEAN, "sta_startswith"),
    "endswith": (What.BOOLEAN, "sta_endswith"),
    "indexof": (What.INTEGER, "sta_indexof"),
})  # fmt: skip
_TIME = MappingProxyType({
    "year": (What.INTEGER, "sta_year"),
    "month": (What.INTEGER, "sta_month"),
    "day": (What.INTEGER, "sta_day"),
    "hour": (What.INTEGER, "sta_hour"),
    "minute": (What.INTEGER, "sta_minute"),
    "second": (What.INTEGER, "sta_second"),
    "fractionalseconds": (What.DECIMAL, "sta_fraction"),
    "totaloffsetminutes": (What.INTEGER, "sta_offset"),
    "date": (What.TIME, "sta_date"),
    "time": (What.DURATION, "sta_time_of_day"),
})  # fmt: skip
_GEOMETRY = MappingProxyType({
    "geo.distance": (What.DECIMAL, "sta_geo_distance"),
    "geo.length": (What.DECIMAL, "sta_geo_length"),
    "geo.intersects": (What.BOOLEAN, "sta_st_intersects"),
    **{f"st_{name}": (What.BOOLEAN, f"sta_st_{name}") for name in (
        "equals", "disjoint", "touches", "within", "overlaps", "crosses", "intersects", "contains")},
})  # fmt: skip
_ROUNDING = MappingProxyType({"round": "sta_round", "floor": "sta_floor", "ceiling": "sta_ceiling"})


def negative(operand: Operand, at: int) -> Operand:
    """`-operand`."""
    if operand.what is What.DURATION:
        return Operand(What.DURATION, sql("(-", operand.sql, ")"), at)
    what = What.INTEGER if operand.what is What.INTEGER else What.DECIMAL
    return Operand(what, sql("(-", as_number(operand), ")"), at)


def arithmetic(operator: str, left: Operand, right: Operand, at: int) -> Operand:
    """`left operator right`, of numbers, or of times and durations."""
    kinds = {left.what, right.what}
    if What.NULL in kinds:
        return null(at)
    if kinds & {What.TIME, What.DURATION}:
        return _with_time(operator, left, right, at)
    integers = kinds == {What.INTEGER}
    what = What.INTEGER if integers else What.DECIMAL
    a, b = as_number(left), as_number(right)
    if operator == "mod":
        return Operand(what, sql("sta_mod(", a, ", ", b, ")"), at)
    if operator == "div" and not integers:
        a = sql("CAST(", a, " AS REAL)")
    return Operand(what, sql("(", a, f" {ARITHMETIC[operator]} ", b, ")"), at)


def _with_time(operator: str, left: Operand, right: Operand, at: int) -> Operand:
    sign = ARITHMETIC[operator]
    if operator == "add" and right.what is not What.DURATION:
        left, right = right, left
    if operator in {"add", "sub"} and right.what is What.DURATION:
        if left.what is What.DURATION:
            return Operand(What.DURATION, sql("(", left.sql, f" {sign} ", right.sql, ")"), at)
        begin, end = bounds(as_time(left))
        moved = [sql("(", each, f" {sign} ", right.sql, ")") for each in (begin, end)]
        return time(moved[0], moved[0] if begin == end else moved[1], at)
    if operator == "sub" and left.what is not What.DURATION:
        return Operand(
            What.DURATION, sql("(", as_time(left).sql, " - ", as_time(right).sql, ")"), at
        )  # fmt: skip
    if operator == "mul" and right.what is What.DURATION:
        left, right = right, left
    if operator in {"mul", "div"} and left.what is What.DURATION and right.what is not What.DURATION:
        factor = sql("CAST(", left.sql, f" AS REAL) {sign} ", as_number(right))
        return Operand(What.DURATION, sql("CAST(", factor, " AS INTEGER)"), at)
    raise BadRequestError(
        f"there is no {operator} of {left.what} and {right.what}",
        "a time takes add and sub of a duration, and sub of a time", at=at,
    )  # fmt: skip


def call(  # noqa: PLR0911 - one return for each shape of function
    function: str, arguments: Sequence[Operand], now_us: int, at: int
) -> Operand:
    """A function of the standard with arguments in the number it takes."""
    moments = {"now": now_us, "mindatetime": _MIN_US, "maxdatetime": _MAX_US}
    if function in moments:
        return time(parameter(moments[function]), at=at)
    if function in _TEXT:
        return _called(_TEXT[function], [as_text(each) for each in arguments], at)
    if function in {"contains", "substringof"}:
        text, part = arguments if function == "contains" else reversed(arguments)
        return Operand(What.BOOLEAN, sql("(instr(", as_text(text), ", ", as_text(part), ") > 0)"), at)
    if function == "substring":
        places = [as_number(each) for each in arguments[1:]]
        return _called((What.TEXT, "sta_substring"), [as_text(arguments[0]), *places], at)
    if function in _TIME:
        return _called(_TIME[function], [as_time(arguments[0]).sql], at)
    if function in _ROUNDING:
        return _called((What.DECIMAL, _ROUNDING[function]), [as_number(arguments[0])], at)
    if function in TEMPORAL:
        left, right = (as_time(each) for each in arguments)
        return Operand(What.BOOLEAN, sql("(", TEMPORAL[function](left, right), ")"), at)
    if function in _GEOMETRY:
        return _called(_GEOMETRY[function], [as_geometry(each) for each in arguments], at)
    if function == "st_relate":
        geometries = [as_geometry(each) for each in arguments[:2]]
        return _called((What.BOOLEAN, "sta_st_relate"), [*geometries, as_text(arguments[2])], at)
    raise BadRequestError(f"there is no function {function}", at=at)


def _called(function: tuple[What, str], arguments: list[Sql], at: int) -> Operand:
    what, name = function
    pieces: list[str | Sql] = [name, "("]
    for place, argument in enumerate(arguments):
        pieces += [", ", argument] if place else [argument]
    return Operand(what, sql(*pieces, ")"), at)
