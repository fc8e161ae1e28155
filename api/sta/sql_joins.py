"""Conditions that reach over links: which rows are joined for them, and how an index leads there."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeAlias

from api.sta.bounds import bounds_of
from api.sta.errors import BadRequestError
from api.sta.expression import Binary, Call, Expression, In, Negative, Not, Null, Path
from api.sta.model import ENTITY_SETS, Between, EntitySet, Link, ToMany, ToOne
from api.sta.source import Scope
from api.sta.sql import Sql, separated, sql
from api.sta.sql_paths import ID, Frame, links_of, many_of
from api.sta.sql_values import Operand, as_condition
from api.sta.trees import chained, joined, paths, without_first

Compile: TypeAlias = Callable[[Expression, Frame], Operand]
_JOINS = 32


def condition(expression: Expression, frame: Frame, compile_value: Compile) -> Sql:
    """A condition that is 1 exactly where the expression is true; else 0 or NULL."""
    all_paths = list(paths(expression))
    first = _common_link(all_paths, frame.entity_set)
    if first is not None and not (isinstance(first, ToOne) and _only_ids(all_paths)):
        always = isinstance(first, ToOne) and first.required
        if always or _needs(expression, (first.name,)):
            return _behind(first, without_first(expression, 1), frame, compile_value)
    parts = chained(expression)
    if isinstance(expression, Binary) and expression.operator == "and":
        parts = tuple(joined("and", group) for group in _groups(parts, frame.entity_set))
    if isinstance(expression, Binary) and len(parts) > 1:
        each = (condition(part, frame, compile_value) for part in parts)
        return sql("(", separated(f" {expression.operator.upper()} ", each), ")")
    many = {each for path in all_paths for each in many_of(path, frame.entity_set)}
    if not many:
        return as_condition(compile_value(expression, frame))
    return _exists(expression, many, frame, compile_value)


def _groups(parts: Iterable[Expression], entity_set: EntitySet) -> list[tuple[Expression, ...]]:
    """Parts that speak of the same row behind a link to many, together; each other part alone."""
    groups: list[tuple[set[tuple[str, ...]], list[Expression]]] = []
    for part in parts:
        links = {many[0] for path in paths(part) if (many := many_of(path, entity_set))}
        members = [part]
        touching = [group for group in groups if group[0] & links]
        for group in touching:
            groups.remove(group)
            links |= group[0]
            members = [*group[1], *members]
        groups.append((links, members))
    return [tuple(members) for _, members in groups]


def _behind(link: Link, expression: Expression, frame: Frame, compile_value: Compile) -> Sql:
    """That there is a row behind a link for which the expression, read over that row, is true.

    Rows of metadata are few: those it is true for are found first, and led back by the link. Observations are
    many: looked for from the row, as far as needed.
    """
    target, name = ENTITY_SETS[link.target], frame.name()
    inner = dataclasses.replace(frame, entity_set=target, alias=name)
    found = condition(expression, inner, compile_value)
    scope = bounds_of(expression, inner, compile_value) if target.name == "Observations" else Scope()
    rows, own = sql(frame.relation(target, scope), f" AS {name}"), f"{frame.alias}.id"
    if isinstance(link, ToOne):
        key, own = f"{name}.id", f"{frame.alias}.{link.column}"
    elif isinstance(link, ToMany):
        key = f"{name}.{link.column}"
    else:
        pairs = frame.name()
        key = f"{pairs}.{link.own}"
        rows = sql(f"{link.table} AS {pairs} JOIN ", rows, f" ON {name}.id = {pairs}.{link.theirs}")
    if target.name == "Observations" or _reaches_observations(expression, target):
        return sql("EXISTS (SELECT 1 FROM ", rows, f" WHERE {key} = {own} AND ", found, ")")
    return sql(f"{own} IN (SELECT {key} FROM ", rows, " WHERE ", found, ")")  # noqa: S608 - names of the model


def _reaches_observations(expression: Expression, entity_set: EntitySet) -> bool:
    return any(
        link.target == "Observations" for path in paths(expression) for link in links_of(path, entity_set)
    )


def _common_link(all_paths: list[Path], entity_set: EntitySet) -> Link | None:
    """The link that every path begins with."""
    firsts = {path.segments[0] for path in all_paths if links_of(path, entity_set)}
    if len(firsts) != 1 or not all(links_of(path, entity_set) for path in all_paths):
        return None
    return entity_set.links[firsts.pop()]


def _only_ids(all_paths: list[Path]) -> bool:
    return all(len(path.segments) == 2 and path.segments[1] in {ID, "id"} for path in all_paths)  # noqa: PLR2004 - link, id


def _exists(expression: Expression, many: set[tuple[str, ...]], frame: Frame, compile_value: Compile) -> Sql:
    """That there are rows behind links to many for which the expression is true; no row is one of NULL."""
    if len(many) > _JOINS:
        raise BadRequestError("reaches over too many links at once", "split it", at=expression.at)
    rows = _Rows(frame)
    for prefix in sorted(many, key=lambda each: (len(each), each)):
        scope = _scope(expression, prefix, frame, compile_value)
        rows.reach(prefix, scope, needed=_needs(expression, prefix))
    inner = dataclasses.replace(frame, joined={**frame.joined, **rows.joined})
    found = as_condition(compile_value(expression, inner))
    return sql("EXISTS (SELECT 1 FROM ", *rows.tables, " WHERE ", *rows.tied, found, ")")


class _Rows:
    """Tables joined to a frame's row, in the order they stand behind FROM.

    Where nothing is true without a row behind the first link, FROM begins with it, and `tied` ties it to the
    frame's row; else with a row of nothing.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.joined: dict[tuple[str, ...], str] = {}
        self.tables: list[Sql] = []
        self.tied: list[Sql] = []

    def reach(self, prefix: tuple[str, ...], scope: Scope, *, needed: bool) -> None:
        """Join what the last link of `prefix` leads to, and what lies between."""
        known = max((each for each in self.joined if prefix[: len(each)] == each), key=len, default=())
        alias = self.joined.get(known, self._frame.alias)
        entity_set = self._frame.entity_set
        for place, segment in enumerate(prefix):
            link = entity_set.links[segment]
            entity_set = ENTITY_SETS[link.target]
            if place >= len(known):
                alias = self._join(link, entity_set, alias, scope, needed=needed)
        self.joined[prefix] = alias

    def _join(self, link: Link, target: EntitySet, alias: str, scope: Scope, *, needed: bool) -> str:
        name = self._frame.name()
        relation = self._frame.relation(target, scope)
        if isinstance(link, Between):
            pairs = self._frame.name()
            self._table(Sql(link.table), pairs, f"{pairs}.{link.own}", f"{alias}.id", needed=needed)
            self._table(relation, name, f"{name}.id", f"{pairs}.{link.theirs}", needed=needed)
        elif isinstance(link, ToMany):
            self._table(relation, name, f"{name}.{link.column}", f"{alias}.id", needed=needed)
        else:
            self._table(relation, name, f"{name}.id", f"{alias}.{link.column}", needed=needed)
        return name

    def _table(self, relation: Sql, name: str, key: str, other: str, *, needed: bool) -> None:
        if not self.tables and needed:
            self.tied.append(Sql(f"{key} = {other} AND "))
            self.tables.append(sql(relation, f" AS {name}"))
            return
        if not self.tables:
            self.tables.append(Sql("(SELECT 1)"))
        join = " JOIN " if needed else " LEFT JOIN "
        self.tables.append(sql(join, relation, f" AS {name} ON {key} = {other}"))


def _scope(expression: Expression, prefix: tuple[str, ...], frame: Frame, compile_value: Compile) -> Scope:
    """Which Observations the link at the end of `prefix` need lead to."""
    target = links_of(Path(prefix), frame.entity_set)[-1].target
    if target != "Observations":
        return Scope()
    own = [
        part
        for part in chained(expression)
        if part is expression or (isinstance(expression, Binary) and expression.operator == "and")
        if (ways := list(paths(part))) and all(path.segments[: len(prefix)] == prefix for path in ways)
    ]
    if not own:
        return Scope()
    stripped = tuple(without_first(part, len(prefix)) for part in own)
    inner = dataclasses.replace(frame, entity_set=ENTITY_SETS[target], joined={})
    return bounds_of(joined("and", stripped), inner, compile_value)


def _needs(expression: Expression, prefix: tuple[str, ...]) -> bool:
    """That the expression cannot be true without a row behind `prefix`."""
    match expression:
        case Binary("and"):
            return any(_needs(part, prefix) for part in chained(expression))
        case Binary("or"):
            return all(_needs(part, prefix) for part in chained(expression))
        case Binary("ne", left, Null()) | Binary("ne", Null(), left):
            return _unknown_without(left, prefix)
    return _unknown_without(expression, prefix)


def _unknown_without(  # noqa: PLR0911 - one return for each node
    expression: Expression, prefix: tuple[str, ...]
) -> bool:
    """That the expression is NULL without a row behind `prefix`."""
    match expression:
        case Path():
            return expression.segments[: len(prefix)] == prefix
        case Not() | Negative():
            return _unknown_without(expression.operand, prefix)
        case Binary("and" | "or"):
            return all(_unknown_without(part, prefix) for part in chained(expression))
        case Binary("eq" | "ne", left, right) if isinstance(left, Null) or isinstance(right, Null):
            return False
        case Binary():
            return _unknown_without(expression.left, prefix) or _unknown_without(expression.right, prefix)
        case In():
            nulls = any(isinstance(option, Null) for option in expression.options)
            return not nulls and _unknown_without(expression.operand, prefix)
        case Call():
            return any(_unknown_without(each, prefix) for each in expression.arguments)
    return False
