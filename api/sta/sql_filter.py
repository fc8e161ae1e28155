"""$filter and $orderby as SQL over a set's rows.

A path over a link to many asks for any of the rows behind it; all that an expression says over the same link
it says of the same row, as FROST reads it: `Datastreams/name eq 'a' and Datastreams/id eq 3` is one
Datastream.
Without any row behind the link, what is asked of one is null: `Datastreams/id eq null` are Things without.

Only a row for which the filter is true matches. Conditions are split at and/or so that each reaches its rows
by an index: those behind links become `id IN (SELECT ...)` where that means the same, else EXISTS.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterator

from api.sta.errors import BadRequestError, StaError
from api.sta.expression import (
    Binary,
    Boolean,
    Call,
    Duration,
    Expression,
    Geometry,
    In,
    Instant,
    Interval,
    Negative,
    Not,
    Null,
    Number,
    Path,
    Text,
)
from api.sta.model import EntitySet, ToOne
from api.sta.source import EntitySource
from api.sta.sql import Sql, parameter, separated, sql
from api.sta.sql_calls import arithmetic, call, negative
from api.sta.sql_compare import OPERATORS, compare, is_in
from api.sta.sql_joins import condition
from api.sta.sql_paths import Frame, check_ends, compile_path
from api.sta.sql_values import Operand, What, as_condition, null, number, text
from api.sta.sql_values import time as time_operand
from api.sta.trees import chained, height, paths

_MAX_HEIGHT = 100
_MAX_TEXT = 400_000
_MAX_PARAMETERS = 30_000
_RESERVE = 12


def compile_filter(  # noqa: PLR0913 - what a filter is read over
    expression: Expression,
    entity_set: EntitySet,
    alias: str,
    source: EntitySource,
    connection: sqlite3.Connection,
    *,
    now_us: int | None = None,
) -> Sql:
    """A condition over the rows of the set under `alias`; only where it is 1 a row matches.

    Raises BadRequestError for a name there is not, for kinds that never meet, and for what is too large.
    """
    with naming("$filter"):
        frame = frame_of(expression, entity_set, alias, source, connection, now_us)
        found = condition(expression, frame, compile_value)
        _check(found, frame, expression.at)
        return found


def compile_key(  # noqa: PLR0913 - what a key is read over
    expression: Expression,
    entity_set: EntitySet,
    alias: str,
    source: EntitySource,
    connection: sqlite3.Connection,
    *,
    now_us: int | None = None,
) -> Sql:
    """What to order rows by: NULL before numbers before texts. An interval is ordered by its begin.

    Raises BadRequestError as compile_filter does, and for a path over a link to many.
    """
    with naming("$orderby"):
        frame = frame_of(expression, entity_set, alias, source, connection, now_us)
        found = compile_value(expression, frame).sql
        _check(found, frame, expression.at)
        return found


@contextlib.contextmanager
def naming(option: str) -> Iterator[None]:
    """Within it, errors say which option they are of."""
    try:
        yield
    except StaError as error:
        error.option = error.option or option
        raise


def frame_of(  # noqa: PLR0913, PLR0917 - what an expression is read over
    expression: Expression,
    entity_set: EntitySet,
    alias: str,
    source: EntitySource,
    connection: sqlite3.Connection,
    now_us: int | None,
) -> Frame:
    """The frame for an expression that is not too deep. `now_us`: what now() is, None for the clock."""
    if height(expression) > _MAX_HEIGHT:
        raise BadRequestError("nested too deep", "take out parentheses", at=expression.at)
    for path in paths(expression):
        check_ends(path, entity_set)
    return Frame(entity_set, alias, source, connection, time.time_ns() // 1000 if now_us is None else now_us)


def _check(found: Sql, frame: Frame, at: int) -> None:
    """SQLite's own word on whether it can read this, with a reserve for what stands around it."""
    _check_size(found, at)
    columns = ["id", *(each for known in frame.entity_set.properties.values() for each in known.columns)]
    columns += [link.column for link in frame.entity_set.links.values() if isinstance(link, ToOne)]
    row = "SELECT " + ", ".join(f"NULL AS {column}" for column in columns)
    statement = sql(
        "EXPLAIN SELECT ", "(" * _RESERVE, found, ")" * _RESERVE, f" FROM ({row}) AS {frame.alias}"
    )
    try:
        frame.connection.execute(statement.text, statement.parameters).close()
    except sqlite3.OperationalError as error:
        if "stack overflow" in str(error) or "too large" in str(error) or "too many" in str(error):
            raise BadRequestError("nested too deep", "ask for less at once", at=at) from error
        raise


def _check_size(found: Sql, at: int) -> None:
    if len(found.text) > _MAX_TEXT or len(found.parameters) > _MAX_PARAMETERS:
        raise BadRequestError("too long", "ask for less at once", at=at)


def compile_value(expression: Expression, frame: Frame) -> Operand:
    """What an expression is for one row of the frame."""
    found = _value(expression, frame)
    _check_size(found.sql, expression.at)
    return found


def _value(expression: Expression, frame: Frame) -> Operand:  # noqa: PLR0911 - one case for each node
    at = expression.at
    match expression:
        case Path():
            return compile_path(expression, frame)
        case Not():
            inner = as_condition(compile_value(expression.operand, frame))
            return Operand(What.BOOLEAN, sql("(NOT ", inner, ")"), at)
        case Negative():
            return negative(compile_value(expression.operand, frame), at)
        case Binary("and" | "or"):
            each = [as_condition(compile_value(part, frame)) for part in chained(expression)]
            return Operand(
                What.BOOLEAN, sql("(", separated(f" {expression.operator.upper()} ", each), ")"), at
            )
        case Binary():
            left, right = compile_value(expression.left, frame), compile_value(expression.right, frame)
            make = compare if expression.operator in OPERATORS else arithmetic
            return make(expression.operator, left, right, at)
        case In():
            operand = compile_value(expression.operand, frame)
            return is_in(operand, [compile_value(each, frame) for each in expression.options], at)
        case Call():
            arguments = [compile_value(each, frame) for each in expression.arguments]
            return call(expression.function, arguments, frame.now_us, at)
        case _:
            return _literal(expression)


def _literal(expression: Expression) -> Operand:  # noqa: PLR0911 - one case for each node
    at = expression.at
    match expression:
        case Null():
            return null(at)
        case Boolean():
            return Operand(What.BOOLEAN, parameter(int(expression.value)), at)
        case Number():
            return number(expression.value, at)
        case Text():
            return text(expression.value, at)
        case Instant():
            return time_operand(parameter(expression.time_us), at=at)
        case Interval():
            return time_operand(parameter(expression.begin_us), parameter(expression.end_us), at)
        case Duration():
            return Operand(What.DURATION, parameter(expression.length_us), at)
        case Geometry():
            return Operand(What.GEOMETRY, parameter(expression.wkt), at)
    raise BadRequestError("this cannot be computed", at=at)
