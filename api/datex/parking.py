"""Car parks as a DATEX II v3 Parking Publication Light.

The form is that of version 02-00-00 of the light profile, as JSON: enumerations are objects with `value`,
attributes of XML begin with `_` (https://github.com/leonardehrenfried/parking-publication-light-schema).
"""

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from alerts.mobility.states import CarPark
from api.datex.creator import creator
from api.formats import Item
from api.mobility.parks import park_item, shown_parks, trend_of
from api.mobility.sites import ParkingSite
from api.rfc3339 import format_us
from api.visibility import View

_TYPES: Mapping[str, str] = {
    "CAR_PARK": "carPark",
    "UNDERGROUND": "carPark",
    "OFF_STREET_PARKING_GROUND": "offStreetParkingGround",
    "ON_STREET": "onStreet",
}
_USERS = {"disabled": {"user": {"value": "disabled"}}, "charging": {"fuelType": {"value": "battery"}}}


def parking_publication(view: View) -> Item:
    """The publication of every car park that this caller sees and that has a place on the map."""
    services = view.services
    parks = [
        (park, services.parking_site(id_), park_item(view, park))
        for id_, park in sorted(shown_parks(view).items())
        if view.stations[id_].lat is not None and view.stations[id_].lon is not None
    ]
    heard = [park.newest_us for park, _, item in parks if park.newest_us is not None and item["time"]]
    return {
        "_modelBaseVersion": "3",
        "parkingPublicationLight": {
            "lang": "de",
            "publicationTime": format_us(max(heard, default=services.static_us())),
            "publicationCreator": creator(services.city),
            "name": f"Parken in {services.city.name}",
            "description": f"Freie Stellplätze. Quelle: {view.terms.attribution}",
            "parkingSite": [dict(_site(view, *each)) for each in parks],
        },
    }


def _site(view: View, park: CarPark, known: ParkingSite, item: Item) -> Iterator[tuple[str, Any]]:
    station, services = view.stations[park.station], view.services
    yield "_id", park.station
    yield "lastUpdate", item["time"] or format_us(services.static_us())
    yield "type", {"value": _TYPES[known.type]}
    yield "name", station.name
    if known.description:
        yield "description", known.description
    if known.opening_hours is not None:
        yield "openingTimesDescription", [known.opening_hours.text]
        zone = ZoneInfo(services.city.timezone)
        yield "isOpenNow", known.opening_hours.open_at(services.clock(), zone)
    if known.operator:
        yield "operatorInformation", [known.operator]
    if known.url:
        yield "urlLinkAddress", known.url
    yield "numberOfSpaces", park.capacity
    if item["free"] is not None:
        yield "availableSpaces", item["free"]
        yield "occupancyTrend", {"value": trend_of(item) or "unknown"}
    if assigned := [_assigned(kind, each) for kind, each in item["reserved"].items()]:
        yield "assignedFor", assigned
    yield (
        "locationAndDimension",
        {
            **({"locationDescriptor": known.address} if known.address else {}),
            "coordinatesForDisplay": {"latitude": station.lat, "longitude": station.lon},
        },
    )


def _assigned(kind: str, each: Item) -> Item:
    """Spaces that only some may take; they are no part of the car park's other numbers."""
    return {
        "typeOfAssignment": {"value": "allowedFor"},
        **_USERS[kind],
        **({} if each["free"] is None else {"availableSpaces": each["free"]}),
    }
