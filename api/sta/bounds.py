"""The span of phenomenonTime outside which a filter on Observations is never true."""

import dataclasses
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from api.rfc3339 import EPOCH
from api.sta.errors import StaError
from api.sta.expression import Binary, Call, Expression, Path
from api.sta.source import Scope
from api.sta.sql import sql
from api.sta.sql_compare import bounds
from api.sta.sql_functions import DAY_US
from api.sta.sql_paths import Frame
from api.sta.sql_values import Operand, as_time
from api.sta.trees import chained, operands, paths

_TURNED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge", "eq": "eq"}
_WITHIN = {"meets", "during", "overlaps", "starts", "finishes"}
_CLOCK_US = 60_000_000
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
_LAST_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def bounds_of(
    expression: Expression, frame: Frame, compile_value: Callable[[Expression, Frame], Operand]
) -> Scope:
    """`begin_us` and `end_us` as far as comparisons that must hold say them; too wide, never too narrow."""
    begins, ends = [], []
    parts = chained(expression)
    if isinstance(expression, Binary) and expression.operator == "or":
        parts = ()
    for part in parts:
        begin, end = _bounds(part, frame, compile_value)
        begins += [] if begin is None else [begin]
        ends += [] if end is None else [end]
    begin, end = max(begins, default=None), min(ends, default=None)
    if begin is not None and end is not None and begin > end:  # only an interval over both can match
        begin, end = end, begin
    return Scope(begin_us=begin, end_us=end)


def _bounds(
    part: Expression, frame: Frame, compile_value: Callable[[Expression, Frame], Operand]
) -> tuple[int | None, int | None]:
    if isinstance(part, Binary) and part.operator in _TURNED:
        operator, left, right = part.operator, part.left, part.right
        if any(True for _ in paths(right)):
            operator, left, right = _TURNED[operator], right, left
    elif isinstance(part, Call) and part.function in _WITHIN | {"before", "after"}:
        operator = {"before": "lt", "after": "gt"}.get(part.function, "eq")
        left, right = part.arguments
    else:
        return None, None
    whole_days = isinstance(left, Call) and left.function == "date"
    if whole_days:
        left = operands(left)[0]
    # a resultTime within a span is one that phenomenonTime touches
    times = [("phenomenonTime",), ("resultTime",)][: 1 + frame.source.result_ends]
    if not isinstance(left, Path) or left.segments not in times or any(True for _ in paths(right)):
        return None, None
    span = _evaluated(right, frame, compile_value)
    if span is None:
        return None, None
    begin, end = span
    slack = _CLOCK_US if _has_now(right) else 0
    late = _clamped(end + slack + (DAY_US if whole_days else 0))
    if operator in {"gt", "ge"}:
        return _clamped(end - slack), None
    if operator in {"lt", "le"}:
        return None, _clamped(begin + slack + (DAY_US if whole_days else 0))
    return _clamped(begin - slack), late


def _clamped(time_us: int) -> int:
    return max(_FIRST_US, min(time_us, _LAST_US))


def _has_now(expression: Expression) -> bool:
    waiting = [expression]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Call) and each.function == "now":
            return True
        waiting += operands(each)
    return False


def _evaluated(
    expression: Expression, frame: Frame, compile_value: Callable[[Expression, Frame], Operand]
) -> tuple[int, int] | None:
    """Begin and end of a time that is the same for every row; None where it is none or unknown."""
    try:
        begin, end = bounds(as_time(compile_value(expression, dataclasses.replace(frame, joined={}))))
    except StaError:
        return None  # the filter itself says what is wrong
    statement = sql("SELECT ", begin, ", ", end)
    first, last = frame.connection.execute(statement.text, statement.parameters).fetchone()
    if first is None or last is None or not (math.isfinite(first) and math.isfinite(last)):
        return None
    return math.floor(min(first, last)), math.ceil(max(first, last))
