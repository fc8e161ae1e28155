"""Where a path leads: to a collection, or to one entity. Followed with a seek for each step."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from api.sta.errors import NotFoundError
from api.sta.model import ENTITY_SETS, Between, EntitySet, Link, ToMany, ToOne
from api.sta.options import Step
from api.sta.source import EntitySource, Scope
from api.sta.sql import Sql

ALIAS = "e"
_LARGEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Target:
    """Entities of a set for which `condition` holds, over the alias ALIAS; one of them, or all.

    `scope`: the Observations these can be, where that is the set. `path`: their shortest path below the root.
    """

    entity_set: EntitySet
    condition: Sql
    scope: Scope
    path: str
    id: int | None = None


def find(connection: sqlite3.Connection, source: EntitySource, steps: Sequence[Step]) -> Target:
    """Where the steps lead; raises NotFoundError where there is nothing."""
    first, *more = steps
    if first.name not in ENTITY_SETS:
        raise NotFoundError(
            f"there is no entity set {first.name[:100]!r}", f"there are: {', '.join(ENTITY_SETS)}"
        )
    entity_set = ENTITY_SETS[first.name]
    target = Target(entity_set, Sql("1"), Scope(), entity_set.name)
    if first.id is not None:
        target = _one(connection, source, target, first.id)
    for step in more:
        if target.id is None:
            raise NotFoundError(
                f"{target.entity_set.name} are many: {step.name[:100]} of which one?",
                f"write {target.path}(1)/{step.name[:100]}",
            )
        link = target.entity_set.links.get(step.name)
        if link is None:
            raise NotFoundError(
                f"{target.entity_set.name} have no {step.name[:100]!r}",
                f"they have: {', '.join([*target.entity_set.properties, *target.entity_set.links])}",
            )
        target = _follow(connection, source, target, link)
        if step.id is not None:
            target = _one(connection, source, target, step.id)
    return target


def table(connection: sqlite3.Connection, source: EntitySource, entity_set: EntitySet, scope: Scope) -> Sql:
    """What entities of a set are selected from."""
    if entity_set.name == "Observations":
        return source.observations(connection, scope)
    return Sql(entity_set.table)


def child_condition(link: ToMany | Between, parent: int) -> Sql:
    """What holds, over ALIAS, for the entities that a link leads to from the entity with this id."""
    if isinstance(link, ToMany):
        return Sql(f"{ALIAS}.{link.column} = ?", (parent,))
    return Sql(
        f"{ALIAS}.id IN (SELECT {link.theirs} FROM {link.table} WHERE {link.own} = ?)",  # noqa: S608 - names of model.py
        (parent,),
    )


def child_scope(entity_set: EntitySet, link: Link, parents: Sequence[int]) -> Scope:
    """The Observations that a link from these entities of a set can lead to; of other sets, all of them."""
    if link.target != "Observations":
        return Scope()
    return Scope(datastreams=parents) if entity_set.name == "Datastreams" else Scope(features=parents)


def _follow(connection: sqlite3.Connection, source: EntitySource, target: Target, link: Link) -> Target:
    assert target.id is not None  # noqa: S101 - the caller has one entity
    entity_set = ENTITY_SETS[link.target]
    path = f"{target.path}/{link.name}"
    if not isinstance(link, ToOne):
        scope = child_scope(target.entity_set, link, (target.id,))
        return Target(entity_set, child_condition(link, target.id), scope, path)
    rows = table(connection, source, target.entity_set, target.scope)
    row = connection.execute(
        f"SELECT {link.column} FROM {rows.text} AS {ALIAS} WHERE {ALIAS}.id = ?",  # noqa: S608 - names of model.py
        (*rows.parameters, target.id),
    ).fetchone()
    if row is None or row[0] is None:
        raise NotFoundError(f"there is no {path}")
    everything = Target(entity_set, Sql("1"), Scope(), entity_set.name)
    return _one(connection, source, everything, row[0])


def _one(connection: sqlite3.Connection, source: EntitySource, among: Target, id_: int) -> Target:
    path = f"{among.entity_set.name}({id_})"
    if not 0 <= id_ <= _LARGEST:
        raise NotFoundError(f"there is no {path}")
    scope = replace(among.scope, ids=(id_,)) if among.entity_set.name == "Observations" else among.scope
    rows = table(connection, source, among.entity_set, scope)
    found = connection.execute(
        f"SELECT 1 FROM {rows.text} AS {ALIAS} WHERE {ALIAS}.id = ? AND {among.condition.text}",  # noqa: S608 - as above
        (*rows.parameters, id_, *among.condition.parameters),
    ).fetchone()
    if found is None:
        raise NotFoundError(
            f"there is no {path}" if "/" not in among.path else f"there is no {among.path}({id_})"
        )
    return Target(among.entity_set, Sql(f"{ALIAS}.id = ?", (id_,)), scope, path, id_)
