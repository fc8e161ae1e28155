"""/api/v1/parking and /api/v1/traffic: free spaces and counts, now and before."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from alerts.mobility.counted import Asked, Resolution, Site
from alerts.mobility.counting import SiteCounts
from alerts.mobility.occupancy_db import OccupancyResolution
from api.caller import AnyCaller
from api.encoders import AnyFormat
from api.formats import Format, Item, Layout
from api.mobility.counts import (
    MINUTES,
    Part,
    count_items,
    may_count,
    newest_parts,
    parts_between,
)
from api.mobility.parks import OCCUPANCY, occupancy_item, park_item, shown_parks
from api.paging import Key, decode_cursor, link_next, page
from api.problems import Problem
from api.responses import collection
from api.rfc3339 import EARLIEST_US, format_us, parse_us
from api.routes.openapi import collection_of, errors
from api.routes.query import LatestQuery, StationQuery, Time, moment
from api.schemas.mobility import Occupied, Parking, Traffic
from api.visibility import View

router = APIRouter(prefix="/api/v1", tags=["parking and traffic"])
_CACHE = "public, max-age=30"
_DAY_US = 86_400_000_000
_USUAL_SPAN: Mapping[str | None, int] = {"P1D": 31 * _DAY_US, "P1W": 371 * _DAY_US}
_PARKING_COLUMNS = (
    *("station", "name", "capacity", "occupied", "free", "trend_per_h", "changed", "confidence", "time"),
    *("sensors_known", "sensors_total", "source"),
)
_OCCUPIED_COLUMNS = (
    *("station", "interval", "begin", "time", "occupied_mean", "occupied_max", "occupied", "free"),
    *("capacity", "completeness"),
)
_TRAFFIC_COLUMNS = (
    *("station", "property", "channel", "direction", "vehicle_class", "interval", "begin", "time", "value"),
    *("suppressed", "completeness", "corrected", "speed_mean_kmh", "speed_v85_kmh"),
)
_From = Annotated[
    Time, Field(alias="from", description="only what begins then or later / was ab dann beginnt")
]
_To = Annotated[Time, Field(description="only what ends then or earlier / was bis dann endet")]
_Form = Annotated[AnyFormat, Field(description="format of the answer")]


class TrafficQuery(LatestQuery):
    """Counts of intervals."""

    interval: Annotated[
        Resolution | None,
        Field(
            description="5 or 15 minutes, an hour, a day, a week from Monday by the city's clocks; without "
            "it all up to an hour / Minuten, Stunde, Tag, Woche ab Montag; ohne Angabe alle bis zur Stunde"
        ),
    ] = None
    from_: _From = None
    to: _To = None
    f: _Form = Format.JSON  # type: ignore[assignment]  # a wider choice


class OccupiedQuery(StationQuery):
    """Taken spaces in intervals."""

    interval: Annotated[OccupancyResolution, Field(description="length of an interval")] = "PT15M"
    from_: _From = None
    to: _To = None
    f: _Form = Format.JSON  # type: ignore[assignment]  # a wider choice


@router.get("/parking", response_class=Response, responses=collection_of(Parking))
def parking(request: Request, view: AnyCaller, query: Annotated[StationQuery, Query()]) -> Response:
    """Free spaces of every car park.

    Now, where it is going, how far it can be trusted, and what is expected in 15, 30 and 60 minutes.
    """
    wanted = {view.station(id_).id for id_ in query.station} or view.stations.keys()
    parks = {id_: park for id_, park in shown_parks(view).items() if id_ in wanted}
    after = decode_cursor(query.cursor, str)
    chosen, last = page(sorted(parks), lambda id_: (id_,), after, query.limit)
    return collection(
        request,
        view,
        query.f,
        items=[park_item(view, parks[id_]) for id_ in chosen],
        layout=Layout(_PARKING_COLUMNS, view.locate),
        cache=_CACHE,
        link=link_next(request, last),
        terms=view.terms_of([OCCUPANCY]),
    )


@router.get(
    "/parking/history",
    response_class=Response,
    responses={**collection_of(Occupied, parquet=True), **errors(503)},
)
def parking_history(request: Request, view: AnyCaller, query: Annotated[OccupiedQuery, Query()]) -> Response:
    """Taken spaces of every car park in intervals, oldest first.

    Intervals that are not over are never told. `from` defaults to 24 hours before `to` (of days 31 days), and
    `to` to now.
    """
    wanted = {view.station(id_).id for id_ in query.station} or view.stations.keys()
    parks = {id_: park for id_, park in sorted(shown_parks(view).items()) if id_ in wanted}
    now_us = view.services.clock()
    from_us, to_us = _span(view, query.interval, query.from_, query.to)
    after = decode_cursor(query.cursor, str, int)
    items: list[Item] = []
    last: Key | None = None
    for id_, park in parks.items():
        begin_us = _begin((id_,), after, from_us, to_us)
        if begin_us is None:
            continue
        room = query.limit - len(items)
        kept = view.services.occupancy(id_, query.interval, begin_us, to_us, room + 1)
        found = [each for each in kept if each.end_us <= min(to_us, now_us)]
        items += [occupancy_item(view, park, query.interval, each) for each in found[:room]]
        if len(found) > room:
            last = _occupied_key(items[-1])
            break
    return collection(
        request,
        view,
        query.f,
        items=items,
        layout=Layout(_OCCUPIED_COLUMNS, view.locate),
        cache=_CACHE,
        link=link_next(request, last, **{"from": format_us(from_us), "to": format_us(to_us)}),
        terms=view.terms_of([OCCUPANCY]),
    )


@router.get(
    "/traffic", response_class=Response, responses={**collection_of(Traffic, parquet=True), **errors(503)}
)
def traffic(request: Request, view: AnyCaller, query: Annotated[TrafficQuery, Query()]) -> Response:
    """What passed each counter in its newest finished interval; with `from` or `to`, in all between.

    Intervals that are not over are never told. `from` defaults to 24 hours before `to` (31 days of days, 53
    weeks), and `to` to now.
    """
    stations = {view.station(id_).id for id_ in query.station} or view.stations.keys()
    properties = {view.property(name).name for name in query.property} or view.properties.keys()
    intervals: Sequence[Resolution] = (
        ("PT5M", "PT15M", "PT1H") if query.interval is None else (query.interval,)
    )
    recent = {each.site: each for each in view.services.traffic()}
    sites = sorted(
        each
        for each in {*recent, *view.services.history.sites()}
        if each.station in stations and each.property in properties
    )
    wanted = [
        (site, interval)
        for site in sites
        for interval in sorted(intervals, key=MINUTES.__getitem__)
        if may_count(view, site.property, interval)
    ]
    after = decode_cursor(query.cursor, str, str, str, int, int)
    resolved: dict[str, str] = {}
    if query.from_ is None and query.to is None:
        parts, last = _newest(
            view, [each for each in wanted if each[0] in recent], recent, after, query.limit
        )
    else:
        span = _span(view, query.interval, query.from_, query.to)
        parts, last = _between(view, wanted, recent, span, after, query.limit)
        resolved = {"from": format_us(span[0]), "to": format_us(span[1])}
    return collection(
        request,
        view,
        query.f,
        items=count_items(view, parts),
        layout=Layout(_TRAFFIC_COLUMNS, view.locate),
        cache=_CACHE,
        link=link_next(request, last, **resolved),
        terms=view.terms_of({site.property for site, _ in wanted}),
    )


def _newest(
    view: View, wanted: Sequence[Asked], recent: Mapping[Site, SiteCounts], after: Key | None, limit: int
) -> tuple[list[Part], Key | None]:
    """At most `limit` newest intervals behind a position, and the position to go on from."""
    found: list[Part] = []
    begin = 0 if after is None else bisect_left(wanted, after[:-1], key=_place)
    while begin < len(wanted) and len(found) <= limit:
        behind = begin + limit + 1
        parts = newest_parts(view, wanted[begin:behind], recent)
        found += [part for part in parts if after is None or _key(part) > after]
        begin = behind
    return found[:limit], _key(found[limit - 1]) if len(found) > limit else None


def _between(  # noqa: PLR0913, PLR0917 - one page of what was asked for
    view: View,
    wanted: Sequence[Asked],
    recent: Mapping[Site, SiteCounts],
    span: tuple[int, int],
    after: Key | None,
    limit: int,
) -> tuple[list[Part], Key | None]:
    """At most `limit` intervals of these sites behind a position, and the position to go on from."""
    begins = {each: _begin(_place(each), after, *span) for each in wanted}
    asked = {each: begin_us for each, begin_us in begins.items() if begin_us is not None}
    parts, more = parts_between(view, asked, span[1], limit, recent)
    return parts, _key(parts[-1]) if more else None


def _begin(key: Key, after: Key | None, from_us: int, to_us: int) -> int | None:
    """From when on the intervals of something come; None where they are all before the position."""
    if after is None or key > after[:-1]:
        return from_us
    if key < after[:-1] or not isinstance(after[-1], int):
        return None
    return max(from_us, min(after[-1] + 1, to_us))


def _place(asked: Asked) -> Key:
    site, interval = asked
    return site.station, site.property, site.channel, MINUTES[interval]


def _key(part: Part) -> Key:
    """Of the last of them."""
    return *_place((part.site, part.interval)), part.counts[-1].begin_us


def _occupied_key(item: Item) -> Key:
    return item["station"], parse_us(item["begin"])


def _span(view: View, interval: str | None, from_: str | None, to: str | None) -> tuple[int, int]:
    """What is asked for, or the usual; raises Problem 400."""
    to_us, from_us = moment("to", to), moment("from", from_)
    to_us = view.services.clock() if to_us is None else to_us
    if from_us is None:
        from_us = max(to_us - _USUAL_SPAN.get(interval, _DAY_US), EARLIEST_US)
    if to is not None and from_us > to_us:
        raise Problem(400, f"from {from_} is later than to {to}", "exchange from and to")
    return from_us, to_us
