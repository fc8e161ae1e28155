"""Stations and car parks as points of interest."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from alerts.mobility.counting import SiteCounts
from alerts.mobility.states import CarPark
from api.citykey.forms import decimal, numbers, plain
from api.dcat.texts import dataset_texts
from api.mobility.counts import may_count, newest_counts
from api.mobility.parks import PARKING, park_item, shown_parks, trend_of
from api.visibility import View
from devices.measurement import Quality
from devices.registry import Station
from ingest.store import Point

_EARTH_M = 6_371_008.8
_SHOWN = 3
_NO_DATA = "keine aktuellen Daten"
_COUNTED = {"vehicle": "Fahrzeuge", "bicycle": "Fahrräder", "people": "Personen"}
_RAW = {"water_distance": "water_level", "water_depth": "water_level", "fill_distance": "fill_level"}
"""What a sensor measures, and what people read instead where it is there."""
_TRENDS = {"increasing": "wird voller", "decreasing": "wird leerer", "stable": "gleichbleibend"}
_SURE = 0.7


class Group(NamedTuple):
    """A group of categories. `icon`: a picture that the apps bring along."""

    id: str
    name: str
    icon: str
    categories: Mapping[str, int]


GROUPS = (
    Group("1", "Umwelt", "poi_nature_2x.png", {"level": 1, "rain": 2, "weather": 3, "air": 4, "soil": 5}),
    Group("2", "Mobilität", "icon-category-mobility-2@2x.png", {PARKING: 11, "traffic": 12}),
    Group("3", "Stadt", "poi_life_2x.png", {"waste": 21, "lighting": 22, "climate": 23}),
)
_CATEGORIES: Mapping[str, int] = {
    theme: number for group in GROUPS for theme, number in group.categories.items()
}


@dataclass(frozen=True, slots=True)
class Place:
    """A station of one theme, with what it measures now."""

    theme: str
    station: Station
    points: Sequence[Point] = ()
    park: CarPark | None = None
    sites: Sequence[SiteCounts] = ()


def categories(view: View) -> list[dict[str, Any]]:
    """The groups and categories in which there is something."""
    found = {place.theme for place in _places(view)}
    return [
        {
            "categoryGroupId": group.id,
            "categoryGroupName": group.name,
            "categoryGroupIcon": group.icon,
            "categoryList": [
                {"categoryId": number, "categoryName": _name(theme), "categoryIcon": group.icon}
                for theme, number in group.categories.items()
                if theme in found
            ],
        }
        for group in GROUPS
        if found & group.categories.keys()
    ]


def pois(
    view: View,
    city_id: int,
    category: int | None = None,
    near: tuple[float, float] | None = None,
    url: str = "",
) -> list[dict[str, Any]]:
    """The places of a category (None: of all), from the nearest on; `near` is latitude, longitude in degrees.

    Without `near` their distance is 0 and they come by their names.
    """
    chosen: dict[str, Place] = {}
    for place in _places(view):
        if category is None or _CATEGORIES[place.theme] == category:
            chosen.setdefault(place.station.id, place)
    ids = numbers("station", view.stations)
    zone = ZoneInfo(view.services.city.timezone)
    items = [
        _item(view, place, zone)
        | {"id": ids[id_], "cityId": city_id, "distance": _distance(place.station, near), "url": url}
        for id_, place in chosen.items()
    ]
    return sorted(items, key=lambda item: (item["distance"], item["title"], item["id"]))


def _places(view: View) -> Iterable[Place]:
    """By theme in the order of the groups: a station with several has one for each."""
    points: dict[tuple[str, str], list[Point]] = {}
    for point in view.latest():
        if view.sees(point.series):
            theme: str = view.properties[point.series.property].theme
            points.setdefault((theme, point.series.station), []).append(point)
    parks = shown_parks(view)
    sites: dict[str, list[SiteCounts]] = {}
    for site in view.services.traffic():
        if site.site.property in view.properties and may_count(view, site.site.property, "PT1H"):
            sites.setdefault(site.site.station, []).append(site)
    for theme in _CATEGORIES:
        for id_, station in sorted(view.stations.items()):
            if station.lat is None or station.lon is None:
                continue
            park = parks.get(id_) if theme == PARKING else None
            measured = points.get((theme, id_), ())
            counted = sites.get(id_, ()) if theme == "traffic" else ()
            if park is not None or measured or counted:
                yield Place(theme, station, measured, park, counted)


def _item(view: View, place: Place, zone: ZoneInfo) -> dict[str, Any]:
    there = {point.series.property for point in place.points}
    values = [
        point
        for point in _newest(place.points)
        if point.value is not None
        and _RAW.get(point.series.property) not in there
        and point.quality != Quality.FAIL
        and view.properties[point.series.property].kind != "counter"
    ]
    times = [point.time_us for point in values]
    if place.park is not None:
        subtitle = _spaces(view, place.park)
        times = [] if place.park.newest_us is None else [place.park.newest_us]
    else:
        passed = filter(None, (_passed(view, site) for site in place.sites))
        times += [site.newest_us for site in place.sites]
        shown = [*passed, *(_measured(view, point) for point in values)][:_SHOWN]
        subtitle = ", ".join(shown) or _NO_DATA
    stand = f"Stand: {_clock(max(times), zone)}\n" if times else ""
    attribution = view.services.city.attribution
    source = f"Quelle: {attribution}" if attribution else "Messwerte der Sensoren der Stadt"
    return {
        "latitude": place.station.lat,
        "longitude": place.station.lon,
        "icon": "",
        "title": place.station.name,
        "subtitle": subtitle,
        "address": "",
        "openHours": "",
        "description": plain(f"{stand}{source}"),
        "categoryName": _name(place.theme),
    }


def _newest(points: Sequence[Point]) -> list[Point]:
    """The newest of each property and channel: an exchanged device leaves an older one."""
    newest: dict[tuple[str, str], Point] = {}
    for point in points:
        key = point.series.property, point.series.channel
        if key not in newest or newest[key].time_us < point.time_us:
            newest[key] = point
    return [newest[key] for key in sorted(newest)]


def _spaces(view: View, park: CarPark) -> str:
    """Free spaces and where their number goes; `etwa` where it cannot quite be trusted."""
    item = park_item(view, park)
    if item["free"] is None:
        return _NO_DATA
    about = "" if item["confidence"] >= _SURE else "etwa "
    trend = trend_of(item)
    return f"{about}{item['free']} von {item['capacity']} frei" + (f", {_TRENDS[trend]}" if trend else "")


def _passed(view: View, site: SiteCounts) -> str:
    """How many passed in the newest whole hour; "" where none is over."""
    hours = newest_counts(view, site, "PT1H")
    if not hours:
        return ""
    hour = hours[-1]
    what = _COUNTED.get(site.site.property.partition("_")[0], "Vorbeikommende")
    channel = f" ({site.site.channel})" if site.site.channel else ""
    below = view.services.rule(site.site.property).suppress_below
    number = f"weniger als {below}" if hour["suppressed"] else hour["value"]
    return f"{number} {what} je Stunde{channel}"


def _clock(time_us: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, zone).strftime("%d.%m.%Y, %H:%M Uhr")


def _measured(view: View, point: Point) -> str:
    known = view.properties[point.series.property]
    channel = f" ({point.series.channel})" if point.series.channel else ""
    unit = "" if known.unit == "1" else f" {_UNITS.get(known.unit, known.unit)}"
    return f"{known.name_de}{channel}: {decimal(point.value or 0.0, known.decimals)}{unit}"


_UNITS = {
    "Cel": "°C",
    "deg": "°",
    "m3/s": "m³/s",
    "ug/m3": "µg/m³",
    "uS/cm": "µS/cm",
    "W/m2": "W/m²",
    "[ppm]": "ppm",
    "[ppb]": "ppb",
}


def _name(theme: str) -> str:
    return dataset_texts()[theme].title_de


def _distance(station: Station, near: tuple[float, float] | None) -> int:
    """Metres along the great circle (haversine on the mean sphere), rounded."""
    if near is None or station.lat is None or station.lon is None:
        return 0
    lat, lon, there, across = map(math.radians, (*near, station.lat, station.lon))
    half = (
        math.sin((there - lat) / 2) ** 2 + math.cos(lat) * math.cos(there) * math.sin((across - lon) / 2) ** 2
    )
    return round(2 * _EARTH_M * math.asin(min(1.0, math.sqrt(half))))
