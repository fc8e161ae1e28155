"""What a body says of an entity: its properties as values of columns, and its links as they were written."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import orjson
import shapely

from api.sta.errors import BadRequestError
from api.sta.model import EntitySet, Kind, Property
from api.sta.sql import Value
from api.sta.sql_geometry import FARTHEST
from api.sta.times import parse_interval, parse_time

ID = "@iot.id"
Row: TypeAlias = dict[str, Value]
Object: TypeAlias = Mapping[str, Any]
GEOJSON = frozenset({"application/geo+json", "application/vnd.geo+json"})
"""Encoding types whose geometry is looked into."""
_OBJECTS = frozenset({"properties", "parameters", "unitOfMeasurement"})
_LARGEST = 2**63 - 1


def parse(body: bytes) -> Any:
    """The JSON value of a body; raises BadRequestError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(
            f"the body is no JSON: {error}", "send an entity as JSON in UTF-8", at=error.pos
        ) from error


def an_object(value: Any, at: str) -> Object:
    """The value if it is a JSON object; `at` is where it stands in the body, "" for the body itself."""
    if not isinstance(value, dict):
        raise BadRequestError(f"{at or 'the body'} is no JSON object", "write an entity as {...}")
    return value


def split(entity_set: EntitySet, body: Object, at: str) -> tuple[Object, Object]:
    """Properties and links of a body.

    Left out is what the service says itself: all that has @iot. in its name, and times of a Datastream.
    """
    properties: dict[str, Any] = {}
    links: dict[str, Any] = {}
    for name, value in body.items():
        if name in entity_set.links:
            links[name] = value
        elif name in entity_set.properties:
            if entity_set.properties[name].kind is not Kind.SPAN:
                properties[name] = value
        elif "@iot." not in name and name != "id":
            known = [*entity_set.properties, *entity_set.links]
            close = difflib.get_close_matches(name[:80], known, 1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(known)}"
            raise BadRequestError(f"a {entity_set.entity} has no {name[:80]!r}{_where(at)}", hint)
    return properties, links


def whole_row(entity_set: EntitySet, properties: Object, at: str) -> Row:
    """All columns of properties; NULL for what is absent. Raises BadRequestError for what is missing."""
    row: Row = {}
    for name, property_ in entity_set.properties.items():
        if property_.kind is Kind.SPAN:
            continue
        if property_.required and name not in properties:
            raise BadRequestError(
                f"a {entity_set.entity} needs {name!r}{_where(at)}", f"add {name} to the body"
            )
        row |= _columns(entity_set, property_, properties.get(name), properties, at)
    return row


def part_of_row(entity_set: EntitySet, properties: Object, at: str, encoding: str) -> Row:
    """The columns of the properties given. `encoding`: the entity's encodingType so far."""
    told = {"encodingType": encoding, **properties}
    row: Row = {}
    for name, value in properties.items():
        row |= _columns(entity_set, entity_set.properties[name], value, told, at)
    return row


def reference(value: Any, at: str) -> int | None:
    """The id of a linked entity; None for one written inline."""
    body = an_object(value, at)
    if ID not in body:
        return None
    id_ = body[ID]
    if isinstance(id_, bool) or not isinstance(id_, int) or not 0 <= id_ <= _LARGEST:
        raise BadRequestError(f"{at}: {ID} is no id", f'ids are whole numbers: {{"{ID}": 1}}')
    return id_


def a_list(value: Any, at: str) -> list[Any]:
    """The value if it is a JSON array."""
    if not isinstance(value, list):
        raise BadRequestError(f"{at} is no list", "many entities are linked by [...]")
    return value


def as_json(value: Any, at: str) -> str:
    """A value as the JSON text that is kept."""
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise BadRequestError(f"{at} cannot be kept: {error}", "nest it less deeply") from error


def _columns(entity_set: EntitySet, property_: Property, value: Any, told: Object, at: str) -> Row:
    where = f"{at}.{property_.name}" if at else property_.name
    if value is None and property_.kind is not Kind.RESULT:
        if property_.required:
            raise BadRequestError(
                f"{where} of a {entity_set.entity} cannot be null", f"give {property_.name} a value"
            )
        return dict.fromkeys(property_.columns)
    if property_.kind is Kind.GEOMETRY:
        return {property_.columns[0]: _geometry(property_, value, told, where)}
    return dict(zip(property_.columns, _READ[property_.kind](property_, value, where), strict=True))


def _text(_property: Property, value: Any, where: str) -> tuple[Value, ...]:
    if not isinstance(value, str):
        raise BadRequestError(f"{where} is no text", 'write it as "..."')
    return (value,)


def _json(property_: Property, value: Any, where: str) -> tuple[Value, ...]:
    if property_.name in _OBJECTS and not isinstance(value, dict):
        raise BadRequestError(f"{where} is no JSON object", "write it as {...}")
    return (as_json(value, where),)


def _instant(_property: Property, value: Any, where: str) -> tuple[Value, ...]:
    return (_time(value, where),)


def _times(_property: Property, value: Any, where: str) -> tuple[Value, ...]:
    if isinstance(value, str) and "/" in value:
        try:
            return parse_interval(value)
        except ValueError as error:
            raise BadRequestError(f"{where} is no interval", str(error)) from error
    return _time(value, where), None


def _time(value: Any, where: str) -> int:
    try:
        if isinstance(value, str):
            return parse_time(value)
    except ValueError as error:
        raise BadRequestError(f"{where} is no time", str(error)) from error
    raise BadRequestError(f"{where} is no time", 'write it as "2026-07-14T18:30:00Z"')


def _result(_property: Property, value: Any, where: str) -> tuple[Value, ...]:
    if isinstance(value, bool | dict | list):
        return None, as_json(value, where)
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return float(value), None
    return value, None


def _geometry(property_: Property, value: Any, told: Object, where: str) -> str:
    text = as_json(value, where)
    encoding = told.get("encodingType", "application/geo+json")
    if property_.required and str(encoding).partition(";")[0].strip().lower() not in GEOJSON:
        return text
    document = value.get("geometry") if isinstance(value, dict) and value.get("type") == "Feature" else value
    try:
        geometry = shapely.from_geojson(as_json(an_object(document, where), where))
    except (shapely.errors.ShapelyError, ValueError, TypeError) as error:
        raise BadRequestError(
            f"{where} is no GeoJSON geometry: {error}",
            'write such as {"type": "Point", "coordinates": [7.13, 50.99]}',
        ) from error
    if geometry is None or geometry.is_empty:
        raise BadRequestError(f"{where} is an empty geometry", "give it coordinates: longitude, latitude")
    if not all(abs(each) <= FARTHEST for each in geometry.bounds):
        raise BadRequestError(
            f"{where} has a coordinate that is no number of degrees", "WGS 84: longitude, latitude"
        )
    return text


_READ: Mapping[Kind, Callable[[Property, Any, str], tuple[Value, ...]]] = {
    Kind.TEXT: _text,
    Kind.JSON: _json,
    Kind.INSTANT: _instant,
    Kind.TIME: _times,
    Kind.RESULT: _result,
}


def _where(at: str) -> str:
    return f", at {at}" if at else ""
