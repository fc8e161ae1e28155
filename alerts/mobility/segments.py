"""Pieces of street that a city draws: where they are and which counting sites speak for them."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.areas import LAT, LON
from alerts.mobility.counted import Site
from devices.errors import Fault

Line = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Street:
    """A segment as configured. `line`: (longitude, latitude) in WGS 84, in the direction of travel.

    Sites of its `stations` speak for it; of these `channels` where there are any named. `free_flow_kmh` None:
    learned at each site.
    """

    id: str
    name: str
    line: Line
    stations: tuple[str, ...]
    channels: tuple[str, ...] = ()
    free_flow_kmh: float | None = None

    def counts(self, way: Site) -> bool:
        """Whether a direction at a station speaks for it."""
        return way.station in self.stations and (not self.channels or way.channel in self.channels)


def read_line(file: Path, segment: str) -> tuple[Line, str]:
    """The line of a segment from a GeoJSON file, and what is wrong with the file ("": nothing).

    A LineString, a Feature with one, or a FeatureCollection in which the feature is that of the segment's id
    (`id` or `properties.id`) or the only one.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as fault:
        return (), f"cannot be read: {fault}"
    except (ValueError, RecursionError) as fault:
        return (), f"is not JSON: {fault}"
    geometry = _geometry(document, segment)
    if not isinstance(geometry, dict) or geometry.get("type") != "LineString":
        return (), f"has no LineString for {segment!r}"
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list) or not all(map(_is_position, coordinates)):
        return (), "has a line that is no list of [longitude, latitude]"
    return tuple((float(each[0]), float(each[1])) for each in coordinates), ""


def line_problems(line: Line) -> Iterator[tuple[str, str]]:
    """What is wrong with a line, and the remedy."""
    if len(set(line)) < 2:  # noqa: PLR2004 - the ends of a line
        yield "has fewer than two different positions", "draw it from one end to the other"
    for lon, lat in line:
        if _in_germany(lon, lat):
            continue
        if _in_germany(lat, lon):
            problem = f"[{lon:.6g}, {lat:.6g}] has latitude and longitude swapped"
            yield problem, f"longitude comes first: [{lat:.6g}, {lon:.6g}]"
        else:
            yield f"[{lon:.6g}, {lat:.6g}] is not in Germany", "give degrees in WGS 84: [longitude, latitude]"
        return


def segment_faults(
    file: str, streets: Sequence[Street], counted: Mapping[str, frozenset[str] | None]
) -> list[Fault]:
    """What does not fit each other or the installed devices.

    `counted`: channels by station of what counts vehicles there, None where they are not known beforehand.
    """
    faults = [
        Fault(file, f"traffic.segment {id_}", f"{count} segments of this id", "give each its own id")
        for id_, count in Counter(street.id for street in streets).items()
        if count > 1
    ]
    for street in streets:
        key = f"traffic.segment {street.id}"
        faults += [Fault(file, f"{key}.line", *each) for each in line_problems(street.line)]
        faults += [Fault(file, f"{key}.{name}", *each) for name, *each in _misfits(street, counted)]
    return faults


def _misfits(street: Street, counted: Mapping[str, frozenset[str] | None]) -> Iterator[tuple[str, str, str]]:
    known: set[str] = set()
    certain = True
    for station in street.stations:
        if station not in counted:
            problem = f"no vehicles are counted at {station!r}"
            yield "stations", problem, "name a station of the device list that counts vehicles"
        channels = counted.get(station)
        certain = certain and channels is not None
        known |= channels or frozenset()
    for channel in street.channels if certain else ():
        if channel not in known:
            remedy = f"one of {', '.join(sorted(map(repr, known)))}"
            yield "channels", f"no direction {channel!r} at its stations", remedy


def _geometry(document: Any, segment: str) -> Any:
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "Feature":
        return document.get("geometry")
    if kind != "FeatureCollection":
        return document
    features = document.get("features")
    found = [each for each in features if isinstance(each, dict)] if isinstance(features, list) else []
    named = [each for each in found if segment in {each.get("id"), _named(each)}]
    chosen = named or found
    return chosen[0].get("geometry") if len(chosen) == 1 else None


def _named(feature: Mapping[str, Any]) -> Any:
    properties = feature.get("properties")
    return properties.get("id") if isinstance(properties, dict) else None


def _is_position(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= 2  # noqa: PLR2004 - longitude and latitude; a height may follow
        and all(
            isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
            for each in value[:2]
        )
    )


def _in_germany(lon: float, lat: float) -> bool:
    return LON[0] <= lon <= LON[1] and LAT[0] <= lat <= LAT[1]
