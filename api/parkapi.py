"""Car parks in the shape of a ParkAPI v3 source, as MobiData BW pulls them.

Names and values as `parkapi-sources` validates them: StaticParkingSiteInput and RealtimeParkingSiteInput in
one object a site (https://github.com/ParkenDD/parkapi-sources-v3).
"""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from alerts.mobility.states import CarPark
from api.formats import Item
from api.mobility.parks import park_item, shown_parks
from api.mobility.sites import ParkingSite
from api.rfc3339 import format_us
from api.visibility import View


def parking_sites(view: View) -> list[Item]:
    """One object for each car park that this caller sees and that has a place on the map, by station."""
    return [
        _site(view, park, view.services.parking_site(id_))
        for id_, park in sorted(shown_parks(view).items())
        if view.stations[id_].lat is not None and view.stations[id_].lon is not None
    ]


def _site(view: View, park: CarPark, known: ParkingSite) -> Item:
    station, item = view.stations[park.station], park_item(view, park)
    heard = item["free"] is not None
    texts = {
        "address": known.address,
        "description": known.description,
        "operator_name": known.operator,
        "public_url": known.url,
        "opening_hours": known.opening_hours.text if known.opening_hours else "",
    }
    site: dict[str, Any] = {
        "uid": park.station,
        "name": station.name,
        "purpose": "CAR",
        "type": known.type,
        "lat": station.lat,
        "lon": station.lon,
        "capacity": park.capacity,
        **{f"capacity_{kind}": each["capacity"] for kind, each in item["reserved"].items()},
        "has_realtime_data": heard,
        "static_data_updated_at": format_us(view.services.static_us()),
        **{name: text for name, text in texts.items() if text},
    }
    return site | (dict(_realtime(view, item, known)) if heard else {})


def _realtime(view: View, item: Item, known: ParkingSite) -> Iterator[tuple[str, Any]]:
    yield "realtime_data_updated_at", item["time"]
    yield "realtime_opening_status", _opening(view, known)
    yield "realtime_capacity", item["capacity"]
    yield "realtime_free_capacity", item["free"]
    for kind, each in item["reserved"].items():
        if each["free"] is not None:
            yield f"realtime_capacity_{kind}", each["capacity"]
            yield f"realtime_free_capacity_{kind}", each["free"]


def _opening(view: View, known: ParkingSite) -> str:
    if known.opening_hours is None:
        return "UNKNOWN"
    zone = ZoneInfo(view.services.city.timezone)
    return "OPEN" if known.opening_hours.open_at(view.services.clock(), zone) else "CLOSED"
