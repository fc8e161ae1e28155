"""Which Observations a filter can be true for: a Scope for the source, out of what must hold."""

import dataclasses
import sqlite3

from api.sta.bounds import bounds_of
from api.sta.expression import Binary, Expression
from api.sta.model import ENTITY_SETS, EntitySet, Kind
from api.sta.source import EntitySource, Scope
from api.sta.sql import sql
from api.sta.sql_filter import compile_value, frame_of, naming
from api.sta.sql_joins import condition
from api.sta.sql_paths import Frame, links_of
from api.sta.trees import chained, joined, paths, without_first

_MOST = 10_000


def scope_of(
    expression: Expression | None,
    entity_set: EntitySet,
    source: EntitySource,
    connection: sqlite3.Connection,
    *,
    now_us: int | None = None,
) -> Scope:
    """Span and Datastreams outside which a filter on Observations matches nothing; all for another set.

    Conditions on the Datastream are asked of the tables first; more than 10,000 ids are as good as any.
    Raises BadRequestError as compile_filter does.
    """
    if expression is None or entity_set.name != "Observations":
        return Scope()
    with naming("$filter"):
        frame = frame_of(expression, entity_set, "_scope", source, connection, now_us)
        scope = bounds_of(expression, frame, compile_value)
        return dataclasses.replace(scope, datastreams=_datastreams(expression, frame))


def _datastreams(expression: Expression, frame: Frame) -> tuple[int, ...] | None:
    is_or = isinstance(expression, Binary) and expression.operator == "or"
    parts = (expression,) if is_or else chained(expression)
    own = tuple(part for part in parts if _of_datastream(part, frame.entity_set))
    if not own:
        return None
    target = ENTITY_SETS["Datastreams"]
    inner = dataclasses.replace(frame, entity_set=target)
    found = condition(without_first(joined("and", own), 1), inner, compile_value)
    statement = sql(f"SELECT id FROM {target.table} AS {inner.alias} WHERE ", found,  # noqa: S608 - names of the model only
                    f" ORDER BY id LIMIT {_MOST + 1}")  # fmt: skip
    ids = tuple(row[0] for row in frame.connection.execute(statement.text, statement.parameters))
    return ids if len(ids) <= _MOST else None


def _of_datastream(part: Expression, entity_set: EntitySet) -> bool:
    """That a part speaks of the Datastream alone, and not of Observations through it."""
    all_paths = list(paths(part))
    for path in all_paths:
        links = links_of(path, entity_set)
        if not links or path.segments[0] != "Datastream":
            return False
        if any(link.target == "Observations" for link in links):
            return False
        rest = path.segments[len(links) :]
        property_ = ENTITY_SETS[links[-1].target].properties.get(rest[0]) if rest else None
        if property_ is not None and property_.kind is Kind.SPAN:
            return False
    return bool(all_paths)
