"""A scratch instance's POST, PATCH, PUT and DELETE, each whole or not at all."""

from collections.abc import Callable

import orjson

from api.sta.deadline import bounded
from api.sta.errors import NotAllowedError
from api.sta.model import ENTITY_SETS, EntitySet, ToOne
from api.sta.options import Options, ResourcePath, Tail
from api.sta.reading import Reading
from api.sta.scratch import ScratchSource
from api.sta.source import Scope
from api.sta.sql import Sql
from api.sta.target import ALIAS, Target, find
from api.sta.writer import Change, Changed
from api.sta.writing import updating
from api.sta.writing.bodies import parse
from api.sta.writing.creating import Inline, Parent, belonging, create
from api.sta.writing.data_arrays import PATH, create_observations
from api.sta.writing.deleting import remove
from api.sta.writing.placing import cover
from api.sta.writing.work import Work

_JSON_PATCH = "application/json-patch+json"


class ScratchWriter:
    """`Writer` over a scratch instance. `clock`: µs since the epoch, UTC."""

    def __init__(self, source: ScratchSource, clock: Callable[[], int]) -> None:
        self._source = source
        self._clock = clock

    def write(self, change: Change) -> Changed:
        """Do it whole or not at all; raises StaError for what cannot be done."""
        _demand_method(change)
        body = parse(change.body) if change.method != "DELETE" else None
        with self._source.write() as connection, bounded(connection):
            work = Work(connection, self._clock())
            return self._written(work, change, body)

    def _written(self, work: Work, change: Change, body: object) -> Changed:
        steps = change.path.steps
        if change.method == "POST":
            if steps[0].name == PATH:
                links = create_observations(work, body, change.base)
                cover(work)
                return Changed(201, body=orjson.dumps(links))
            entity_set, parent = self._place(work, change)
            id_ = create(work, entity_set, Inline(body), parent)
            cover(work)
            location = f"{change.base}/{entity_set.name}({id_})"
            return Changed(201, location, self._entity(work, entity_set, id_, change.base))
        target = find(work.connection, self._source, steps)
        id_ = target.id or 0
        if change.method == "DELETE":
            remove(work, target.entity_set, [id_])
            cover(work)
            return Changed(200)
        if change.method == "PUT":
            updating.replace(work, target.entity_set, id_, body)
        elif change.content_type.partition(";")[0].strip().lower() == _JSON_PATCH:
            before = orjson.loads(self._entity(work, target.entity_set, id_, change.base))
            updating.patch(work, target.entity_set, id_, before, body)
        else:
            updating.merge(work, target.entity_set, id_, body)
        cover(work)
        return Changed(200, body=self._entity(work, target.entity_set, id_, change.base))

    def _place(self, work: Work, change: Change) -> tuple[EntitySet, Parent]:
        """What a POST makes, and what that belongs to."""
        *before, last = change.path.steps
        if not before:
            return ENTITY_SETS[last.name], Parent()
        above = find(work.connection, self._source, before)
        link, own = above.entity_set.links[last.name], above.id or 0
        assert not isinstance(link, ToOne)  # noqa: S101 - _demand_method has let only collections pass
        return ENTITY_SETS[link.target], belonging(work, link, own)

    def _entity(self, work: Work, entity_set: EntitySet, id_: int, base: str) -> bytes:
        condition = Sql(f"{ALIAS}.id = ?", (id_,))
        target = Target(entity_set, condition, Scope(ids=(id_,)), f"{entity_set.name}({id_})", id_)
        return Reading(work.connection, self._source, base).entity(target, Options()).encode()


def methods_of(path: ResourcePath) -> tuple[str, ...]:
    """The methods that write to a resource."""
    if not path.steps or path.property or path.tail is not Tail.NOTHING:
        return ()
    if path.steps[0].name == PATH:
        return ("POST",)
    entity_set, one = ENTITY_SETS[path.steps[0].name], path.steps[0].id is not None
    for step in path.steps[1:]:
        link = entity_set.links[step.name]
        entity_set, one = ENTITY_SETS[link.target], isinstance(link, ToOne) or step.id is not None
    return ("PATCH", "PUT", "DELETE") if one else ("POST",)


def _demand_method(change: Change) -> None:
    allowed = methods_of(change.path)
    if change.method in allowed:
        return
    what = "an entity" if "PATCH" in allowed else "a collection" if allowed else "this resource"
    hint = f"{what} takes {', '.join(allowed)}" if allowed else "write to the entity that it is part of"
    raise NotAllowedError(f"{change.method} is not for {what}", hint)
