"""$resultFormat=GeoJSON: entities as features, everything that is expanded flattened into their properties.

The names are FROST's, which maps and apps read: `Datastreams/0/Observations/0/result`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from api.sta.layout import ID
from api.sta.model import ENTITY_SETS, EntitySet, Kind

_GEOMETRIES = {
    *(
        "Point",
        "MultiPoint",
        "LineString",
        "MultiLineString",
        "Polygon",
        "MultiPolygon",
        "GeometryCollection",
    ),
}


def feature_collection(
    entity_set: EntitySet,
    entities: Sequence[Mapping[str, Any]],
    *,
    count: int | None = None,
    next_link: str | None = None,
) -> bytes:
    """A FeatureCollection of entities as they are in JSON.

    A feature's geometry is the first that is found in its entity, then in what is expanded; null without.
    """
    more = {"@iot.count": count, "@iot.nextLink": next_link}
    return orjson.dumps(
        {
            "type": "FeatureCollection",
            **{name: value for name, value in more.items() if value is not None},
            "features": [_feature(entity_set, each) for each in entities],
        }
    )


def _feature(entity_set: EntitySet, entity: Mapping[str, Any]) -> dict[str, Any]:
    properties = {}
    geometry = None
    for name, value, is_place in _members(entity_set, entity, ""):
        if not is_place:
            properties[name] = value
        elif geometry is None:
            geometry = value
    feature: dict[str, Any] = {"type": "Feature"}
    if ID in entity:
        feature["id"] = entity[ID]
    return {**feature, "properties": properties, "geometry": geometry}


def _members(
    entity_set: EntitySet, entity: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, Any, bool]]:
    """Names and values of all that an entity shows; whether a value is a geometry."""
    for name, value in entity.items():
        link, property_ = entity_set.links.get(name), entity_set.properties.get(name)
        if name == ID:
            yield f"{prefix}id", value, False
        elif link is not None:
            target = ENTITY_SETS[link.target]
            for place, each in enumerate(value) if isinstance(value, list) else [(None, value)]:
                below = f"{prefix}{name}/" if place is None else f"{prefix}{name}/{place}/"
                yield from _members(target, each, below)
        elif property_ is not None:
            geometry = _geometry(value) if property_.kind is Kind.GEOMETRY else None
            if geometry is not None:
                yield name, geometry, True
            else:
                for path, leaf in leaves(f"{prefix}{name}", value):
                    yield path, leaf, False
        elif name.endswith("@iot.count"):
            yield f"{prefix}{name}", value, False


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The values within a JSON value, and the paths to them; null is left out."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(f"{path}/{key}", each)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from leaves(f"{path}/{place}", each)
    elif value is not None:
        yield path, value


def _geometry(value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") == "Feature":
        value = value.get("geometry")
    return value if isinstance(value, dict) and value.get("type") in _GEOMETRIES else None
