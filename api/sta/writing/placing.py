"""What follows from a change: where a Thing was and is, what an Observation is of, what a Datastream covers.

OGC 18-088, sections 8.2.2 to 8.2.8 and 10.2.
"""

from collections.abc import Collection, Sequence
from typing import Any

import orjson
import shapely

from api.sta.errors import BadRequestError
from api.sta.model import ENTITY_SETS
from api.sta.writing.bodies import GEOJSON
from api.sta.writing.work import Work, array, between

_LOCATIONS_OF_THING = between("Things", "Locations")
_LOCATIONS_OF_HISTORICAL = between("HistoricalLocations", "Locations")


def place(work: Work, thing: int, locations: Sequence[int]) -> None:
    """A Thing is at these Locations from now on; a HistoricalLocation tells so."""
    _move(work, thing, locations)
    if locations:
        row = {"time": work.now_us, "thing_id": thing}
        historical = work.insert(ENTITY_SETS["HistoricalLocations"], dict(row))
        work.pair(_LOCATIONS_OF_HISTORICAL, historical, locations)


def follow(work: Work, historical: int) -> None:
    """A HistoricalLocation that is later than all others of its Thing says where the Thing is."""
    thing, newest = work.connection.execute(
        """SELECT thing_id, NOT EXISTS (SELECT 1 FROM historical_locations AS other
            WHERE other.thing_id = this.thing_id AND other.id <> this.id AND other.time >= this.time)
        FROM historical_locations AS this WHERE id = ?""",
        (historical,),
    ).fetchone()
    if newest:
        _move(work, thing, work.paired(_LOCATIONS_OF_HISTORICAL, [historical]))


def _move(work: Work, thing: int, locations: Sequence[int]) -> None:
    work.unpair(_LOCATIONS_OF_THING, [thing])
    work.pair(_LOCATIONS_OF_THING, thing, locations)


def feature_of(work: Work, datastream: int, at: str) -> int:
    """The FeatureOfInterest that the Location of a Datastream's Thing is; made where there is none yet."""
    places = work.connection.execute(
        """SELECT locations.id, name, description, encoding_type, location, feature_id
        FROM things_locations JOIN locations ON locations.id = things_locations.location_id
            LEFT JOIN features_of_locations ON features_of_locations.location_id = locations.id
        WHERE thing_id = (SELECT thing_id FROM datastreams WHERE id = ?) ORDER BY locations.id""",
        (datastream,),
    ).fetchall()
    if not places:
        raise BadRequestError(
            f"{at or 'an Observation'} needs a FeatureOfInterest: the Thing of Datastreams({datastream})"
            " has no Location to make one of",
            "add FeatureOfInterest, or give the Thing a Location first",
        )
    chosen = next((each for each in places if each[3].lower() in GEOJSON), places[0])
    location, name, description, encoding, geometry, feature = chosen
    if feature is None:
        row = {"name": name, "description": description, "encoding_type": encoding, "feature": geometry}
        feature = work.insert(ENTITY_SETS["FeaturesOfInterest"], row)
        work.connection.execute("INSERT INTO features_of_locations VALUES(?, ?)", (location, feature))
    return int(feature)


def forget_features(work: Work, *, locations: Collection[int] = (), features: Collection[int] = ()) -> None:
    """Features made from Locations are no longer the same as these, so they are not used again."""
    work.delete("features_of_locations", "location_id", locations)
    work.delete("features_of_locations", "feature_id", features)


def cover(work: Work) -> None:
    """Bring observedArea of all Datastreams up to date: the box around the features of its Observations."""
    for datastream in sorted(work.shrunk):
        rows = work.connection.execute(
            "SELECT DISTINCT feature_id FROM observations WHERE datastream_id = ?", (datastream,)
        )
        _set_area(work, datastream, _features(work, [row[0] for row in rows]))
    for datastream, features in work.grown.items():
        if datastream not in work.shrunk:
            statement = "SELECT observed_area FROM datastreams WHERE id = ?"
            before = [row[0] for row in work.connection.execute(statement, (datastream,)) if row[0]]
            _set_area(work, datastream, [*before, *_features(work, features)])


def _features(work: Work, features: Collection[int]) -> list[str]:
    rows = work.connection.execute(
        "SELECT encoding_type, feature FROM features WHERE id IN (SELECT value FROM json_each(?))",
        (array(features),),
    )
    return [row[1] for row in rows if row[0].partition(";")[0].strip().lower() in GEOJSON]


def _set_area(work: Work, datastream: int, texts: Sequence[str]) -> None:
    found = [shapely.from_geojson(each, on_invalid="ignore") for each in texts]
    known = [each for each in found if each is not None and not each.is_empty]
    area = orjson.dumps(_box(*shapely.total_bounds(known).tolist())).decode() if known else None
    work.connection.execute("UPDATE datastreams SET observed_area = ? WHERE id = ?", (area, datastream))


def _box(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """The box as GeoJSON; a line or a point where a polygon would have no area, which is not valid."""
    if west == east or south == north:
        ends = [[west, south], [east, north]]
        if ends[0] == ends[1]:
            return {"type": "Point", "coordinates": ends[0]}
        return {"type": "LineString", "coordinates": ends}
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
