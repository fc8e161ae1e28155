"""Changed entities: PATCH and PUT, OGC 18-088, section 10.3."""

from collections.abc import Mapping
from typing import Any

import orjson

from api.sta.errors import BadRequestError
from api.sta.model import ENTITY_SETS, Between, EntitySet, Kind, Link, ToMany, ToOne
from api.sta.sql import Value
from api.sta.writing import bodies, placing
from api.sta.writing.creating import adopt, join, only_references
from api.sta.writing.json_patch import apply, same
from api.sta.writing.work import Work


def merge(work: Work, entity_set: EntitySet, id_: int, value: Any) -> None:
    """PATCH with JSON: what is named is replaced, null takes it away."""
    properties, links = bodies.split(entity_set, bodies.an_object(value, ""), "")
    encoding = ""
    if "encodingType" in entity_set.properties:
        encoding = str(work.value(entity_set, id_, "encoding_type"))
    row = bodies.part_of_row(entity_set, properties, "", encoding)
    if "phenomenon_begin" in row and row["phenomenon_begin"] is None:
        raise BadRequestError("phenomenonTime cannot be null", "give it a time, or leave it out")
    if "encodingType" in properties:
        _demand_geometry(work, entity_set, id_, properties)
    _change(work, entity_set, id_, row, links)


def replace(work: Work, entity_set: EntitySet, id_: int, value: Any) -> None:
    """PUT: properties that are left out go; links that are left out stay."""
    properties, links = bodies.split(entity_set, bodies.an_object(value, ""), "")
    row = bodies.whole_row(entity_set, properties, "")
    if "phenomenon_begin" in row and row["phenomenon_begin"] is None:
        row["phenomenon_begin"] = work.now_us
    if entity_set.name == "Datastreams" and "observedArea" not in properties:
        row.pop("observed_area")
    _change(work, entity_set, id_, row, links)


def patch(work: Work, entity_set: EntitySet, id_: int, before: Mapping[str, Any], operations: Any) -> None:
    """PATCH with JSON Patch (RFC 6902) over `before`: the entity as JSON."""
    document = {name: value for name, value in before.items() if _is_written(entity_set, name)}
    for link in entity_set.links.values():
        if isinstance(link, ToOne):
            document[link.name] = {bodies.ID: work.value(entity_set, id_, link.column)}
    after = bodies.an_object(apply(document, operations), "what the patch makes")
    changed = {name: after.get(name) for name in {**document, **after} if not _kept(name, document, after)}
    if changed:
        merge(work, entity_set, id_, orjson.loads(bodies.as_json(changed, "the patch")))


def _kept(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return name in before and name in after and same(before[name], after[name])


def _is_written(entity_set: EntitySet, name: str) -> bool:
    return name in entity_set.properties and entity_set.properties[name].kind is not Kind.SPAN


def _demand_geometry(work: Work, entity_set: EntitySet, id_: int, properties: Mapping[str, Any]) -> None:
    """A new encodingType has to be right for the geometry that stays."""
    for name, property_ in entity_set.properties.items():
        if property_.kind is Kind.GEOMETRY and name not in properties:
            kept = orjson.loads(str(work.value(entity_set, id_, property_.columns[0])))
            bodies.part_of_row(entity_set, {name: kept}, "", str(properties["encodingType"]))


def _change(
    work: Work, entity_set: EntitySet, id_: int, row: dict[str, Value], links: Mapping[str, Any]
) -> None:
    later: list[tuple[Link, list[int]]] = []
    for name, value in links.items():
        link = entity_set.links[name]
        entries = bodies.a_list(value, name) if not isinstance(link, ToOne) else value
        if isinstance(link, ToOne):
            row[link.column] = only_references(
                work, ENTITY_SETS[link.target], bodies.an_object(value, name), name
            )[0]
        else:
            later.append((link, only_references(work, ENTITY_SETS[link.target], entries, name)))
    _before(work, entity_set, id_, row)
    work.update(entity_set, id_, row)
    for link, ids in later:
        _link(work, entity_set, id_, link, ids)
    _after(work, entity_set, id_, row)


def _link(work: Work, entity_set: EntitySet, id_: int, link: Link, ids: list[int]) -> None:
    if isinstance(link, ToMany):
        adopt(work, link, id_, ids)
    elif isinstance(link, Between) and entity_set.name == "Things":
        placing.place(work, id_, ids)
    elif isinstance(link, Between) and entity_set.name == "HistoricalLocations":
        if not ids:
            raise BadRequestError("a HistoricalLocation needs Locations", "link at least one")
        work.unpair(link, [id_])
        work.pair(link, id_, ids)
        placing.follow(work, id_)
    elif isinstance(link, Between):
        for each in ids:
            join(work, link, id_, each)


def _before(work: Work, entity_set: EntitySet, id_: int, row: Mapping[str, Value]) -> None:
    if entity_set.name == "Observations" and {"datastream_id", "feature_id"} & row.keys():
        work.shrunk.add(int(work.value(entity_set, id_, "datastream_id") or 0))


def _after(work: Work, entity_set: EntitySet, id_: int, row: Mapping[str, Value]) -> None:
    if entity_set.name == "Observations" and {"datastream_id", "feature_id"} & row.keys():
        work.shrunk.add(int(work.value(entity_set, id_, "datastream_id") or 0))
    elif entity_set.name == "Locations" and {"location", "encoding_type"} & row.keys():
        placing.forget_features(work, locations=[id_])
    elif entity_set.name == "FeaturesOfInterest" and {"feature", "encoding_type"} & row.keys():
        placing.forget_features(work, features=[id_])
        observations = entity_set.links["Observations"]
        assert isinstance(observations, ToMany)  # noqa: S101 - as model.py has it
        work.shrunk |= set(work.children(observations, [id_], "datastream_id"))
    elif entity_set.name == "HistoricalLocations" and row:
        placing.follow(work, id_)
