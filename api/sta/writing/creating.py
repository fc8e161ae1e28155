"""New entities, with all that is written inline: OGC 18-088, section 10.2."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.sta.errors import BadRequestError
from api.sta.model import ENTITY_SETS, Between, EntitySet, ToMany, ToOne
from api.sta.writing import bodies, placing
from api.sta.writing.bodies import Object, Row
from api.sta.writing.work import Work, between

MOST_DEEP = 50
"""Entities within entities."""


@dataclass(frozen=True, slots=True)
class Parent:
    """What a new entity belongs to before anything else is linked.

    `column`: the link to it in the new entity's table, with its `id`; "" for none. `join`: links them as soon
    as the new entity has an id.
    """

    column: str = ""
    id: int = 0
    join: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class Inline:
    """A value in a body, and where it stands; `deep`: entities around it."""

    value: Any
    at: str = ""
    deep: int = 0

    def below(self, name: str, value: Any) -> "Inline":
        """What a member of it holds."""
        return Inline(value, f"{self.at}.{name}" if self.at else name, self.deep + 1)

    def entries(self) -> list["Inline"]:
        """The values of a list; none for null."""
        values = [] if self.value is None else bodies.a_list(self.value, self.at)
        return [Inline(value, f"{self.at}[{number}]", self.deep) for number, value in enumerate(values)]

    def reference(self) -> int | None:
        """The id of a linked entity; None for one written inline."""
        return bodies.reference(self.value, self.at)


def create(work: Work, entity_set: EntitySet, inline: Inline, parent: Parent = Parent()) -> int:
    """The new entity's id; raises BadRequestError, and then the transaction is to be undone."""
    if inline.deep > MOST_DEEP:
        raise BadRequestError(f"more than {MOST_DEEP} entities within each other", "send them one by one")
    body = bodies.an_object(inline.value, inline.at)
    properties, written = bodies.split(entity_set, body, inline.at)
    links = {name: inline.below(name, value) for name, value in written.items() if value is not None}
    row = bodies.whole_row(entity_set, properties, inline.at)
    for link in entity_set.links.values():
        if isinstance(link, ToOne):
            row |= _to_one(work, link, links.get(link.name), parent, f"{entity_set.entity}{_at(inline.at)}")
    if entity_set.name == "Observations":
        complete(work, row, inline.at)
    id_ = work.insert(entity_set, row)
    if parent.join is not None:
        parent.join(id_)
    many = [each for each in entity_set.links.values() if each.name in links and not isinstance(each, ToOne)]
    # where a Thing is comes first: its Observations may need to know
    for each in sorted(many, key=lambda link: isinstance(link, ToMany)):
        _to_many(work, each, id_, links[each.name])
    if entity_set.name == "HistoricalLocations":
        if not work.paired(between("HistoricalLocations", "Locations"), [id_]):
            raise BadRequestError(f"a HistoricalLocation needs Locations{_at(inline.at)}", "add Locations")
        placing.follow(work, id_)
    return id_


def complete(work: Work, row: Row, at: str) -> None:
    """What an Observation says without words: it is of now, and of the place where its Thing is."""
    if row.get("phenomenon_begin") is None:
        row["phenomenon_begin"] = work.now_us
    datastream = int(row["datastream_id"] or 0)
    if row.get("feature_id") is None:
        row["feature_id"] = placing.feature_of(work, datastream, at)
    work.grown.setdefault(datastream, set()).add(int(row["feature_id"] or 0))


def adopt(work: Work, link: ToMany, id_: int, children: list[int]) -> None:
    """Entities that were another's are this one's from now on."""
    target = ENTITY_SETS[link.target]
    observations = link.target == "Observations"
    for child in children:
        if observations:
            work.shrunk.add(int(work.value(target, child, "datastream_id") or 0))
        work.update(target, child, {link.column: id_})
        if observations:
            work.shrunk.add(int(work.value(target, child, "datastream_id") or 0))
        if link.target == "HistoricalLocations":
            placing.follow(work, child)


def join(work: Work, link: Between, own: int, theirs: int) -> None:
    """Link two entities that are there; a Thing that gets a Location moves to it."""
    if link.table != "things_locations":
        work.pair(link, own, [theirs])
    elif link.own == "thing_id":
        placing.place(work, own, [theirs])
    else:
        placing.place(work, theirs, [own])


def _to_one(work: Work, link: ToOne, inline: Inline | None, parent: Parent, whose: str) -> Row:
    if link.column == parent.column:
        if inline is not None and inline.reference() != parent.id:
            raise BadRequestError(
                f"{inline.at} is another one than that of the path or the entity around it", "leave it out"
            )
        return {link.column: parent.id}
    if inline is not None:
        return {link.column: _linked(work, ENTITY_SETS[link.target], inline)}
    if link.required:
        raise BadRequestError(
            f"a {whose} needs a {link.name}",
            f'add {link.name}: {{"@iot.id": 1}} for one that is there, or a whole one',
        )
    return {}


def _linked(work: Work, target: EntitySet, inline: Inline) -> int:
    id_ = inline.reference()
    return create(work, target, inline) if id_ is None else work.demand(target, id_, inline.at)


def _to_many(work: Work, link: Between | ToMany, id_: int, inline: Inline) -> None:
    target = ENTITY_SETS[link.target]
    if link.name == "Locations" and isinstance(link, Between):
        locations = [_linked(work, target, each) for each in inline.entries()]
        if link.table == "things_locations" and locations:
            placing.place(work, id_, locations)
        else:
            work.pair(link, id_, locations)
        return
    for each in inline.entries():
        linked = each.reference()
        if linked is None:
            create(work, target, each, belonging(work, link, id_))
        elif isinstance(link, Between):
            join(work, link, id_, work.demand(target, linked, each.at))
        else:
            adopt(work, link, id_, [work.demand(target, linked, each.at)])


def belonging(work: Work, link: Between | ToMany, id_: int) -> Parent:
    """What a new entity is told that a link of the entity with this id leads to."""
    if isinstance(link, ToMany):
        return Parent(link.column, id_)
    return Parent(join=lambda new: join(work, link, id_, new))


def only_references(work: Work, target: EntitySet, value: Object | list[Any], where: str) -> list[int]:
    """Ids of what a change links to; raises BadRequestError for an entity written inline."""
    entries = value if isinstance(value, list) else [value]
    found = []
    for each in entries:
        id_ = bodies.reference(each, where)
        if id_ is None or any("@iot." not in name for name in each):
            raise BadRequestError(
                f"{where} is written inline: a change takes links only",
                'link by {"@iot.id": 1}, and POST or PATCH the other entity by itself',
            )
        found.append(work.demand(target, id_, where))
    return found


def _at(at: str) -> str:
    return f", at {at}," if at else ""
