"""Comparisons in SQL, each true, false or unknown (NULL).

What is absent compares as unknown with anything but the literal null. Numbers and texts that read as
numbers meet as numbers. Where only the row knows the kind of a JSON value: values of different kinds are not
equal and have no order (unknown); two texts are equal as texts, and in order as numbers where both are. But
a literal text sets the order of texts: of the results 1 to 12 are six `gt '3'`, as OGC's suite has it.
Times: `a lt b` where a has ended when b begins, `a le b` where it neither begins nor ends later than b;
`eq` where both begin and end together. Ends are open, an instant begins and ends at its time.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from api.sta.errors import BadRequestError
from api.sta.sql import Sql, parameter, separated, sql
from api.sta.sql_functions import number_of
from api.sta.sql_values import (
    NUMBERS,
    Operand,
    What,
    as_condition,
    as_duration,
    as_number,
    as_text,
    as_time,
    tagged,
    wrong,
)

OPERATORS: Mapping[str, str] = MappingProxyType(
    {"eq": "=", "ne": "<>", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
)
"""Comparisons and how SQL writes them."""
_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


def compare(operator: str, left: Operand, right: Operand, at: int) -> Operand:
    """`left operator right`; BadRequestError where their kinds can never meet."""
    return Operand(What.BOOLEAN, sql("(", _compare(operator, left, right), ")"), at)


def is_in(operand: Operand, options: list[Operand], at: int) -> Operand:
    """`operand in (options)`: equal to one of them."""
    if operand.what in NUMBERS and all(option.what in NUMBERS for option in options):
        values = separated(", ", (option.sql for option in options))
        return Operand(What.BOOLEAN, sql("(", operand.sql, " IN (", values, "))"), at)
    each = [sql("(", _compare("eq", operand, option), ")") for option in options]
    return Operand(What.BOOLEAN, sql("(", separated(" OR ", each), ")"), at)


def _compare(operator: str, left: Operand, right: Operand) -> Sql:  # noqa: PLR0911 - one return for each case
    kinds = {left.what, right.what}
    if What.NULL in kinds:
        return _with_null(operator, left if right.what is What.NULL else right)
    if What.DURATION in kinds:
        return _simple(operator, as_duration(left), as_duration(right))
    if What.TIME in kinds:
        return _times(operator, as_time(left), as_time(right))
    if What.GEOMETRY in kinds:
        operand = left if left.what is What.GEOMETRY else right
        raise BadRequestError("a geometry has no order", "use st_equals or st_within", at=operand.at)
    if What.ANY in kinds:
        return _with_any(operator, left, right)
    if What.BOOLEAN in kinds:
        if len(kinds) > 1:
            raise wrong(left if right.what is What.BOOLEAN else right, "true, false or a condition")
        return _simple(operator, as_condition(left), as_condition(right))
    if kinds == {What.TEXT}:
        return _simple(operator, left.sql, right.sql)
    return _simple(operator, as_number(left), as_number(right))


def _simple(operator: str, left: Sql, right: Sql) -> Sql:
    return sql(left, f" {OPERATORS[operator]} ", right)


def _with_null(operator: str, other: Operand) -> Sql:
    if operator == "eq":
        return sql(other.sql, " IS NULL")
    return sql(other.sql, " IS NOT NULL") if operator == "ne" else Sql("NULL")


def _times(operator: str, left: Operand, right: Operand) -> Sql:
    if operator in {"lt", "le"}:
        return _times(_TURNED[operator], right, left)
    (begin, end), (other_begin, other_end) = bounds(left), bounds(right)
    if begin == end and other_begin == other_end:
        return _simple(operator, begin, other_begin)
    if operator == "gt":
        return both(sql(begin, " >= ", other_end), sql(begin, " > ", other_begin))
    if operator == "ge":
        later = sql(begin, " >= ", other_begin)
        return later if other_begin == other_end else both(later, sql(end, " >= ", other_end))
    sign = OPERATORS[operator]
    word = " AND " if operator == "eq" else " OR "
    return sql(begin, f" {sign} ", other_begin, word, end, f" {sign} ", other_end)


def bounds(operand: Operand) -> tuple[Sql, Sql]:
    """Begin and end of a time, the same for an instant."""
    return operand.sql, operand.sql if operand.end is None else operand.end


def both(first: Sql, second: Sql) -> Sql:
    """Both conditions."""
    return sql(first, " AND ", second)


def _with_any(operator: str, left: Operand, right: Operand) -> Sql:
    if left.literal is not None:
        left, right, operator = right, left, _TURNED.get(operator, operator)
    if isinstance(right.literal, str):
        return _any_with_text(operator, left, right.literal)
    if right.literal is not None:
        if operator in _TURNED:
            return _simple(operator, as_number(left), right.sql)
        return _or_different(operator, _simple(operator, as_number(left), right.sql), left)
    if operator in {"eq", "ne"}:
        equal = sql("sta_equal(", tagged(left), ",", tagged(right), ")")
        return equal if operator == "eq" else sql("NOT ", equal)
    name = "sta_less(" if operator in {"lt", "gt"} else "sta_at_most("
    first, second = (left, right) if operator in {"lt", "le"} else (right, left)
    return sql(name, tagged(first), ",", tagged(second), ")")


def _or_different(operator: str, same_kind: Sql, operand: Operand) -> Sql:
    """Equality with a value of one kind, where the operand may be of another."""
    return sql("coalesce(", same_kind, ", CASE WHEN ", operand.sql,
               f" IS NOT NULL THEN {int(operator == 'ne')} END)")  # fmt: skip


def _any_with_text(operator: str, operand: Operand, literal: str) -> Sql:
    if operator in _TURNED:
        written = sql("CASE WHEN ", operand.type or Sql("''"), " IN ('text', 'integer', 'real') THEN CAST(",
                      operand.sql, " AS TEXT) END")  # fmt: skip
        return _simple(operator, written, parameter(literal))
    as_texts = _simple(operator, as_text(operand), parameter(literal))
    value = number_of(literal)
    if value is not None:
        numbers = _simple(operator, as_number(operand), parameter(value))
        as_texts = sql("coalesce(", as_texts, ", ", numbers, ")")
    return _or_different(operator, as_texts, operand)


def _during(left: Operand, right: Operand) -> Sql:
    (begin, end), (other_begin, other_end) = bounds(left), bounds(right)
    return separated(" AND ", [
        sql(other_begin, " <= ", begin), sql(other_end, " > ", begin), sql(other_end, " >= ", end),
    ])  # fmt: skip


def _overlaps(left: Operand, right: Operand) -> Sql:
    (begin, end), (other_begin, other_end) = bounds(left), bounds(right)
    return sql(begin, " < ", other_end, " AND ", other_begin, " < ", end, " OR ", begin, " = ", other_begin)


def _meets(left: Operand, right: Operand) -> Sql:
    (begin, end), (other_begin, other_end) = bounds(left), bounds(right)
    return sql(begin, " = ", other_end, " OR ", end, " = ", other_begin)


TEMPORAL: Mapping[str, Callable[[Operand, Operand], Sql]] = MappingProxyType({
    "before": lambda left, right: _times("lt", left, right),
    "after": lambda left, right: _times("gt", left, right),
    "meets": _meets,
    "during": _during,
    "overlaps": _overlaps,
    "starts": lambda left, right: sql(left.sql, " = ", right.sql),
    "finishes": lambda left, right: sql(bounds(left)[1], " = ", bounds(right)[1]),
})  # fmt: skip
"""Functions of two times, each a condition without its parentheses."""
