"""/api/v1/parking and /api/v1/traffic: free spaces and counts, as the engine keeps them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from alerts.mobility.counting import SiteCounts
from alerts.mobility.parking_plan import SPACES, VEHICLES
from alerts.mobility.states import CarPark
from api.caller import AnyCaller
from api.formats import Item, Layout
from api.paging import Key, decode_cursor, link_next, page
from api.responses import collection
from api.rfc3339 import format_us
from api.routes.openapi import collection_of, errors
from api.routes.query import LatestQuery, StationQuery, Time, moment
from api.schemas.measurements import Parking, Traffic
from api.visibility import View

router = APIRouter(prefix="/api/v1", tags=["parking and traffic"])
_CACHE = "public, max-age=30"
OCCUPANCY = "parking_occupancy"
"""What a car park as a whole tells is public as this property is."""
Interval = Literal["PT5M", "PT15M", "PT1H"]
_MINUTES: dict[str, int] = {"PT5M": 5, "PT15M": 15, "PT1H": 60}
_MINUTE_US = 60_000_000
_PARKING_COLUMNS = (
    *("station", "name", "capacity", "occupied", "free", "time", "sensors_known", "sensors_total"),
)
_TRAFFIC_COLUMNS = ("station", "property", "channel", "interval", "time", "value", "completeness")


class TrafficQuery(LatestQuery):
    """Counts of one interval."""

    interval: Annotated[Interval | None, Field(description="all when left out")] = None
    from_: Time = Field(
        default=None, alias="from", description="all intervals that began then or later, up to 24 hours back"
    )


@router.get("/parking", response_class=Response, responses=collection_of(Parking))
async def parking(request: Request, view: AnyCaller, query: Annotated[StationQuery, Query()]) -> Response:
    """Free spaces of every car park."""
    wanted = {view.station(id_).id for id_ in query.station} or view.stations.keys()
    sites = {
        site.station: site
        for site in view.services.parking()
        if site.station in wanted and is_shown(view, site)
    }
    after = decode_cursor(query.cursor, str)
    chosen, last = page(sorted(sites), lambda id_: (id_,), after, query.limit)
    items = [site_item(view, sites[id_]) for id_ in chosen]
    layout = Layout(_PARKING_COLUMNS, view.locate)
    return collection(
        request,
        view,
        query.f,
        items=items,
        layout=layout,
        cache=_CACHE,
        link=link_next(request, last),
        terms=view.terms_of([OCCUPANCY]),
    )


@router.get("/traffic", response_class=Response, responses={**collection_of(Traffic), **errors(400)})
def traffic(request: Request, view: AnyCaller, query: Annotated[TrafficQuery, Query()]) -> Response:
    """What passed each counter in its newest finished interval; with `from`, in all since then."""
    stations = {view.station(id_).id for id_ in query.station} or view.stations.keys()
    properties = {view.property(name).name for name in query.property} or view.properties.keys()
    intervals = list(_MINUTES) if query.interval is None else [query.interval]
    from_us = moment("from", query.from_)
    items = [
        item
        for each in view.services.traffic()
        if each.site.station in stations and each.site.property in properties
        for interval in intervals
        if may_count(view, each.site.property, interval)
        for item in count_items(view, each, interval, from_us)
    ]
    items.sort(key=_key)
    after = decode_cursor(query.cursor, str, str, str, int, str)
    chosen, last = page(items, _key, after, query.limit)
    layout = Layout(_TRAFFIC_COLUMNS, view.locate)
    return collection(
        request,
        view,
        query.f,
        items=chosen,
        layout=layout,
        cache=_CACHE,
        link=link_next(request, last),
        terms=view.terms_of({item["property"] for item in items}),
    )


def is_shown(view: View, park: CarPark) -> bool:
    """A car park is what its sensors say this moment: it cannot be told later, only not at all."""
    return view.live(OCCUPANCY, SPACES if park.source == "spaces" else VEHICLES)


def may_count(view: View, property_: str, interval: str) -> bool:
    """Counts of as long or longer than the public may know them.

    What passed between two readings is spread over the time between, so a count of long ago can follow from a
    reading of now: with a delay there are none.
    """
    if view.operator is not None:
        return True
    rule = view.services.rule(property_)
    length = _MINUTES[interval] * _MINUTE_US
    return not rule.delay_us and (not rule.coarsen_us or length % rule.coarsen_us == 0)


def site_item(view: View, park: CarPark) -> Item:
    """A car park as this caller may see it."""
    silent = park.newest_us is None
    occupied = min(round(view.rounded(OCCUPANCY, park.occupied)), park.capacity)
    return {
        "station": park.station,
        "name": view.stations[park.station].name,
        "capacity": park.capacity,
        "occupied": None if silent else occupied,
        "free": None if silent else park.capacity - occupied,
        "time": None if park.newest_us is None else format_us(park.newest_us),
        "sensors_known": park.sensors_heard,
        "sensors_total": park.sensors,
    }


def count_items(view: View, each: SiteCounts, interval: str, from_us: int | None) -> list[Item]:
    """Finished intervals: the newest reading is not older than their end."""
    finished = [count for count in each.counts(_MINUTES[interval]) if count.end_us <= each.newest_us]
    chosen = finished[-1:] if from_us is None else [count for count in finished if count.begin_us >= from_us]
    return [
        {
            "station": each.site.station,
            "property": each.site.property,
            "channel": each.site.channel,
            "interval": interval,
            "time": format_us(count.end_us),
            "value": round(view.rounded(each.site.property, count.count)),
            "completeness": round(count.completeness, 3),
        }
        for count in chosen
    ]


def _key(item: Item) -> Key:
    length = _MINUTES[item["interval"]]
    return item["station"], item["property"], item["channel"], length, item["time"]
