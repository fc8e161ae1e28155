"""areas.geojson: the parts of the city that are warned, and by which stations."""

import fnmatch
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pydantic
import shapely
from pydantic import BaseModel, ConfigDict, Field
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from alerts.errors import AlertsConfigError
from devices.errors import Fault
from devices.registry import Registry

LON, LAT = (5.5, 15.6), (47.0, 55.2)
"""Between these degrees lies Germany, with some margin."""

_POSITIONS = 4
_AT = re.compile(r"\[([-\d.e+]+) ([-\d.e+]+)\]")
Name = Annotated[str, Field(min_length=1, max_length=80)]


class Properties(BaseModel):
    """What a feature says of its area; anything else in it is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]
    name: Name
    name_en: Name | None = None
    stations: tuple[str, ...] = Field(min_length=1)
    catchment: str = ""
    fictitious: bool = False


@dataclass(frozen=True, slots=True)
class Area:
    """One warning area. `stations`: ids or globs of what warns it. `geometry`: GeoJSON, `form` the same for
    computing; both WGS 84, longitude first. `fictitious`: drawn for a demo, shown with it."""  # noqa: D205, D209 - one thought

    id: str
    name: str
    name_en: str
    stations: tuple[str, ...]
    catchment: str
    fictitious: bool
    geometry: Mapping[str, Any] = field(repr=False)
    form: BaseGeometry = field(repr=False, compare=False)

    def names(self) -> Mapping[str, str]:
        """Its name by language."""
        return {"de": self.name, "en": self.name_en}

    def warned_by(self, station: str) -> bool:
        """Whether a warning at a station is one for it."""
        return any(fnmatch.fnmatchcase(station, pattern) for pattern in self.stations)


@dataclass(frozen=True, slots=True)
class Areas:
    """One file's areas in its order; they may overlap. None without a file."""

    file: str = ""
    areas: tuple[Area, ...] = ()

    def at(self, lat: float, lon: float) -> tuple[Area, ...]:
        """The areas of a place (WGS 84 degrees); its border belongs to an area."""
        return tuple(each for each in self.areas if shapely.intersects_xy(each.form, lon, lat))

    def of(self, station: str) -> tuple[Area, ...]:
        """The areas that a station warns."""
        return tuple(each for each in self.areas if each.warned_by(station))

    def check(self, registry: Registry) -> list[Fault]:
        """What does not fit the installed devices."""
        return [
            fault
            for number, area in enumerate(self.areas, 1)
            for fault in self._misfits(number, area, registry)
        ]

    def _misfits(self, number: int, area: Area, registry: Registry) -> Iterator[Fault]:
        known = registry.stations
        unknown = [
            pattern
            for pattern in area.stations
            if not any(fnmatch.fnmatchcase(station, pattern) for station in known)
        ]
        key = f"features[{number - 1}] ({area.id}).properties.stations"
        for pattern in unknown:
            yield Fault(self.file, key, f"unknown station {pattern!r}", "use a station of the device list")
        if len(unknown) == len(area.stations):
            yield Fault(self.file, key, "no station that exists: nothing ever warns it", "name one that does")


def load_areas(file: Path | None) -> Areas:
    """The areas of a file, none without one. Raises AlertsConfigError with all faults in it."""
    if file is None:
        return Areas()
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as fault:
        remedy = "give a readable GeoJSON file in [alerts] areas"
        raise AlertsConfigError(Fault(str(file), "file", f"cannot be read: {fault}", remedy)) from fault
    except (ValueError, RecursionError) as fault:
        raise AlertsConfigError(
            Fault(str(file), "file", f"is not JSON: {fault}", "export it as GeoJSON again")
        ) from fault
    return parse_areas(document, str(file))


def parse_areas(document: Any, file: str) -> Areas:
    """Areas of a parsed document. Raises AlertsConfigError with all faults in it."""
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        remedy = "export the areas as GeoJSON, polygons in WGS 84 (EPSG:4326)"
        raise AlertsConfigError(Fault(file, "type", "is no GeoJSON FeatureCollection", remedy))
    faults: list[Fault] = []
    areas: list[Area] = []
    for number, feature in enumerate(features):
        area, wrong = _area(file, f"features[{number}]", feature)
        faults += wrong
        areas += [area] if area else []
    ids = Counter(
        str(feature["properties"].get("id"))
        for feature in features
        if isinstance(feature, dict) and isinstance(feature.get("properties"), dict)
    )
    faults += [
        Fault(file, f"properties.id {id_}", f"{count} areas of this id", "give each its own id")
        for id_, count in ids.items()
        if count > 1 and id_ != "None"
    ]
    if not features:
        faults.append(Fault(file, "features", "no area in it", "draw one, or leave [alerts] areas out"))
    if faults:
        raise AlertsConfigError(*faults)
    return Areas(file, tuple(areas))


def _area(file: str, key: str, feature: Any) -> tuple[Area | None, list[Fault]]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        return None, [Fault(file, key, "is no GeoJSON Feature", "export the areas as GeoJSON again")]
    faults: list[Fault] = []
    said: Properties | None = None
    properties = feature.get("properties")
    try:
        said = Properties.model_validate(properties if isinstance(properties, dict) else {})
    except pydantic.ValidationError as error:
        faults += [
            Fault(
                file,
                ".".join([f"{key}.properties", *map(str, item["loc"])]),
                "missing" if item["type"] == "missing" else f"{item['msg']} (it is {item['input']!r})",
                "see docs/areas.md for its meaning",
            )
            for item in error.errors()
        ]
    if said:
        key = f"{key} ({said.id})"
    geometry = feature.get("geometry")
    wrong = list(_geometry_faults(file, f"{key}.geometry", geometry))
    faults += wrong
    if faults or said is None or not isinstance(geometry, dict):
        return None, faults
    kept = {"type": geometry["type"], "coordinates": _without_heights(geometry["coordinates"])}
    form = shape(kept)
    if not form.is_valid:
        return None, [_invalid(file, f"{key}.geometry", form)]
    shapely.prepare(form)
    return Area(
        said.id,
        said.name,
        said.name_en or said.name,
        said.stations,
        said.catchment,
        said.fictitious,
        kept,
        form,
    ), []


def _geometry_faults(file: str, key: str, geometry: Any) -> Iterator[Fault]:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in {"Polygon", "MultiPolygon"}:
        yield Fault(file, f"{key}.type", f"is {kind}, no polygon", "draw it as Polygon or MultiPolygon")
        return
    coordinates = geometry.get("coordinates")
    polygons = [coordinates] if kind == "Polygon" else coordinates
    if not _lists(polygons) or not all(_lists(each) for each in polygons):
        yield Fault(file, f"{key}.coordinates", "are no rings of positions", "export it as GeoJSON again")
        return
    for p, polygon in enumerate(polygons):
        for r, ring in enumerate(polygon):
            where = f"[{r}]" if kind == "Polygon" else f"[{p}][{r}]"
            yield from _ring_faults(file, f"{key}.coordinates{where}", ring)


def _ring_faults(file: str, key: str, ring: Any) -> Iterator[Fault]:
    if not isinstance(ring, list) or not all(_is_position(each) for each in ring):
        yield Fault(file, key, "is no list of [longitude, latitude]", "export it as GeoJSON again")
        return
    places = [(each[0], each[1]) for each in ring]
    if len(set(places)) < _POSITIONS - 1:
        yield Fault(file, key, "encloses nothing: fewer than three corners", "draw it again")
    elif places[0] != places[-1]:
        problem = f"is not closed: it begins at {_said(*places[0])} and ends at {_said(*places[-1])}"
        yield Fault(file, key, problem, "repeat the first position at the end")
    outside = next(((lon, lat) for lon, lat in places if not _in_germany(lon, lat)), None)
    if outside is None:
        return
    lon, lat = outside
    if _in_germany(lat, lon):
        problem = f"{_said(lon, lat)} has latitude and longitude swapped"
        yield Fault(file, key, problem, f"longitude comes first: {_said(lat, lon)}")
    else:
        problem = f"{_said(lon, lat)} is not in Germany"
        metres = "export it in WGS 84 (EPSG:4326): these look like metres"
        degrees = "correct it: [longitude, latitude] in degrees"
        yield Fault(file, key, problem, metres if max(abs(lon), abs(lat)) > 360 else degrees)  # noqa: PLR2004 - degrees


def _invalid(file: str, key: str, form: BaseGeometry) -> Fault:
    reason = str(shapely.is_valid_reason(form))
    at = _AT.search(reason)
    where = f" at {_said(float(at[1]), float(at[2]))}" if at else ""
    what = _AT.sub("", reason).strip()
    crosses = what in {"Self-intersection", "Ring Self-intersection"}
    problem = f"its border crosses itself{where}" if crosses else f"is not valid: {what}{where}"
    return Fault(
        file,
        key,
        problem,
        "move the corners near there, or repair it in the map program (QGIS: Fix geometries)",
    )


def _without_heights(value: list[Any]) -> list[Any]:
    return value[:2] if _is_position(value) else [_without_heights(each) for each in value]


def _lists(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, list) for each in value)


def _is_position(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) >= 2  # noqa: PLR2004 - longitude and latitude; a height may follow
        and all(
            isinstance(each, int | float) and not isinstance(each, bool) and math.isfinite(each)
            for each in value
        )
    )


def _in_germany(lon: float, lat: float) -> bool:
    return LON[0] <= lon <= LON[1] and LAT[0] <= lat <= LAT[1]


def _said(lon: float, lat: float) -> str:
    return f"[{lon:.6g}, {lat:.6g}]"
