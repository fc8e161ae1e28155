"""The entity sets of SensorThings 1.1: their properties, their links, and the columns they live in.

Everything that has to know an entity reads it here: the parser which names exist, the compiler which column
or join a path means, the renderer what an entity shows, the writer what a new one needs.
OGC 18-088, sections 8.2.1 to 8.2.8.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a property's value is, and so how its columns are read."""

    TEXT = "text"
    JSON = "json"  # any JSON value, one column of JSON text
    GEOMETRY = "geometry"  # GeoJSON, one column of JSON text
    INSTANT = "instant"  # one column, µs since the epoch, UTC
    TIME = "time"  # instant or interval: two columns, the second NULL for an instant
    SPAN = "span"  # computed from a Datastream's Observations, never written
    RESULT = "result"  # any JSON value: `result` (number, text) and `result_json` (the others)


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an entity. `required`: a new entity needs it; `columns` as its kind says."""

    name: str
    kind: Kind
    columns: tuple[str, ...]
    required: bool = False


@dataclass(frozen=True, slots=True)
class ToOne:
    """A link to exactly one entity, by a column of the entity's own table."""

    name: str
    target: str
    column: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class ToMany:
    """A link to entities whose table has a column with this entity's id."""

    name: str
    target: str
    column: str


@dataclass(frozen=True, slots=True)
class Between:
    """A link to entities through a table of pairs: `own` column for this entity's id, `theirs` for theirs."""

    name: str
    target: str
    table: str
    own: str
    theirs: str
    required: bool = False


Link = ToOne | ToMany | Between


@dataclass(frozen=True, slots=True)
class EntitySet:
    """One of the eight sets. `name` as in an address, `entity` the singular that links to one use."""

    name: str
    entity: str
    table: str
    properties: Mapping[str, Property]
    links: Mapping[str, Link]


def _text(name: str, *, required: bool = True) -> Property:
    return Property(name, Kind.TEXT, (name if name == name.lower() else _snake(name),), required)


def _json(name: str, *, required: bool = False) -> Property:
    return Property(name, Kind.JSON, (_snake(name),), required)


def _snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def _set(
    name: str, entity: str, table: str, properties: Sequence[Property], links: Sequence[Link]
) -> EntitySet:
    return EntitySet(
        name,
        entity,
        table,
        MappingProxyType({each.name: each for each in properties}),
        MappingProxyType({each.name: each for each in links}),
    )


_NAMED = (_text("name"), _text("description"))

_SETS = (
    _set(
        "Things",
        "Thing",
        "things",
        [*_NAMED, _json("properties")],
        [
            Between("Locations", "Locations", "things_locations", "thing_id", "location_id"),
            ToMany("HistoricalLocations", "HistoricalLocations", "thing_id"),
            ToMany("Datastreams", "Datastreams", "thing_id"),
        ],
    ),
    _set(
        "Locations",
        "Location",
        "locations",
        [
            *_NAMED,
            _text("encodingType"),
            Property("location", Kind.GEOMETRY, ("location",), required=True),
            _json("properties"),
        ],
        [
            Between("Things", "Things", "things_locations", "location_id", "thing_id"),
            Between(
                "HistoricalLocations",
                "HistoricalLocations",
                "locations_historical_locations",
                "location_id",
                "historical_location_id",
            ),
        ],
    ),
    _set(
        "HistoricalLocations",
        "HistoricalLocation",
        "historical_locations",
        [Property("time", Kind.INSTANT, ("time",), required=True)],
        [
            ToOne("Thing", "Things", "thing_id"),
            Between(
                "Locations",
                "Locations",
                "locations_historical_locations",
                "historical_location_id",
                "location_id",
                required=True,
            ),
        ],
    ),
    _set(
        "Datastreams",
        "Datastream",
        "datastreams",
        [
            *_NAMED,
            _text("observationType"),
            _json("unitOfMeasurement", required=True),
            Property("observedArea", Kind.GEOMETRY, ("observed_area",)),
            Property("phenomenonTime", Kind.SPAN, ()),
            Property("resultTime", Kind.SPAN, ()),
            _json("properties"),
        ],
        [
            ToOne("Thing", "Things", "thing_id"),
            ToOne("Sensor", "Sensors", "sensor_id"),
            ToOne("ObservedProperty", "ObservedProperties", "observed_property_id"),
            ToMany("Observations", "Observations", "datastream_id"),
        ],
    ),
    _set(
        "Sensors",
        "Sensor",
        "sensors",
        [*_NAMED, _text("encodingType"), _json("metadata", required=True), _json("properties")],
        [ToMany("Datastreams", "Datastreams", "sensor_id")],
    ),
    _set(
        "ObservedProperties",
        "ObservedProperty",
        "observed_properties",
        [_text("name"), _text("definition"), _text("description"), _json("properties")],
        [ToMany("Datastreams", "Datastreams", "observed_property_id")],
    ),
    _set(
        "Observations",
        "Observation",
        "observations",
        [
            Property("phenomenonTime", Kind.TIME, ("phenomenon_begin", "phenomenon_end")),
            Property("result", Kind.RESULT, ("result", "result_json"), required=True),
            Property("resultTime", Kind.INSTANT, ("result_time",)),
            _json("resultQuality"),
            Property("validTime", Kind.TIME, ("valid_begin", "valid_end")),
            _json("parameters"),
        ],
        [
            ToOne("Datastream", "Datastreams", "datastream_id"),
            ToOne("FeatureOfInterest", "FeaturesOfInterest", "feature_id", required=False),
        ],
    ),
    _set(
        "FeaturesOfInterest",
        "FeatureOfInterest",
        "features",
        [
            *_NAMED,
            _text("encodingType"),
            Property("feature", Kind.GEOMETRY, ("feature",), required=True),
            _json("properties"),
        ],
        [ToMany("Observations", "Observations", "feature_id")],
    ),
)

ENTITY_SETS: Mapping[str, EntitySet] = MappingProxyType({each.name: each for each in _SETS})
"""The eight sets by their name in an address."""
