"""/api/v1/traffic/segments, /congestions and /flow: where the traffic stands."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from api.caller import AnyCaller
from api.formats import Format, Item, Layout
from api.mobility.roads import (
    SPEED,
    VEHICLES,
    congestion_items,
    congestions_between,
    flow_item,
    line_of,
    place_of,
    seen_flow,
    seen_streets,
    segment_item,
)
from api.paging import Key, decode_cursor, link_next, page
from api.problems import Problem
from api.responses import collection
from api.rfc3339 import LATEST_US, format_us, parse_us
from api.routes.openapi import collection_of
from api.routes.query import CollectionQuery, StationQuery, Time, moment
from api.routes.stations import nowhere
from api.schemas.roads import CongestionItem, FlowItem, SegmentItem

router = APIRouter(prefix="/api/v1/traffic", tags=["parking and traffic"])
_CACHE = "public, max-age=30"
_DAY_US = 86_400_000_000
_FLOW_COLUMNS = (
    *("station", "property", "channel", "state", "basis", "since", "time", "value", "speed_kmh"),
    *("typical_low", "typical", "typical_high"),
)
_SEGMENT_COLUMNS = ("id", "name", "state", "since", "time", "speed_kmh", "free_flow_kmh", "stations")
_CONGESTION_COLUMNS = ("id", "segment", "station", "channel", "name", "begin", "end", "in_force", "worst")


class SegmentsQuery(CollectionQuery):
    """Segments, as a map wants them unless said otherwise."""

    f: Annotated[Format, Field(description="format of the answer")] = Format.GEOJSON


class CongestionsQuery(CollectionQuery):
    """Congestions of a span of time."""

    from_: Annotated[
        Time,
        Field(
            alias="from",
            description="those in force then or later; 24 hours ago if left out / "
            "die dann oder später bestanden; sonst vor 24 Stunden",
        ),
    ] = None
    to: Annotated[Time, Field(description="those that had begun before / die davor begonnen hatten")] = None


@router.get("/segments", response_class=Response, responses=collection_of(SegmentItem))
def segments(request: Request, view: AnyCaller, query: Annotated[SegmentsQuery, Query()]) -> Response:
    """Street segments: free, dense, slow, jam or unknown.

    In the newest quarter of an hour that is judged: by speeds there is one every five minutes.
    """
    streets = seen_streets(view)
    items = [
        segment_item(view, each, streets[each.id])
        for each in view.services.roads.segments()
        if each.id in streets
    ]
    items.sort(key=lambda item: str(item["id"]))
    after = decode_cursor(query.cursor, str)
    chosen, last = page(items, lambda item: (item["id"],), after, query.limit)
    return collection(
        request,
        view,
        query.f,
        items=chosen,
        layout=Layout(_SEGMENT_COLUMNS, nowhere, lambda item: line_of(streets[item["id"]])),
        cache=_CACHE,
        link=link_next(request, last),
        terms=view.terms_of(_rests_on(items)),
    )


@router.get("/congestions", response_class=Response, responses=collection_of(CongestionItem))
def congestions(request: Request, view: AnyCaller, query: Annotated[CongestionsQuery, Query()]) -> Response:
    """Congestions of street segments, and of stations that no segment has, oldest first.

    Those in force and of the last 24 hours unless `from` and `to` say otherwise.
    """
    from_us, to_us = moment("from", query.from_), moment("to", query.to)
    from_us = view.services.clock() - _DAY_US if from_us is None else from_us
    if to_us is not None and from_us > to_us:
        raise Problem(400, "from is later than to", "exchange from and to, or leave one of them out")
    streets = seen_streets(view)
    cursor = decode_cursor(query.cursor, int, str)
    after = None if cursor is None else (int(cursor[0]), str(cursor[1]))
    span_us = from_us, LATEST_US if to_us is None else to_us
    found, more = congestions_between(view, span_us, query.limit, after)
    items = congestion_items(view, found)
    last = _congestion_key(items[-1]) if more else None
    return collection(
        request,
        view,
        query.f,
        items=items,
        layout=Layout(_CONGESTION_COLUMNS, nowhere, lambda item: place_of(view, streets, item)),
        cache=_CACHE,
        link=link_next(request, last, **{"from": format_us(from_us)}),
        terms=view.terms_of(_rests_on(items)),
    )


@router.get("/flow", response_class=Response, responses=collection_of(FlowItem))
def flow(request: Request, view: AnyCaller, query: Annotated[StationQuery, Query()]) -> Response:
    """Every counted direction: its state, and what is usual at this time of such a day.

    People and bicycles have what is usual and no state.
    """
    wanted = {view.station(id_).id for id_ in query.station} or view.stations.keys()
    items = [flow_item(view, each) for each in seen_flow(view) if each.site.station in wanted]
    items.sort(key=_flow_key)
    after = decode_cursor(query.cursor, str, str, str)
    chosen, last = page(items, _flow_key, after, query.limit)
    return collection(
        request,
        view,
        query.f,
        items=chosen,
        layout=Layout(_FLOW_COLUMNS, view.locate),
        cache=_CACHE,
        link=link_next(request, last),
        terms=view.terms_of({item["property"] for item in items}),
    )


def _rests_on(items: list[Item]) -> list[str]:
    """Whose licence a state is under: that of the counts, and of the speeds where it has one."""
    return [VEHICLES, SPEED] if any(item.get("speed_kmh") is not None for item in items) else [VEHICLES]


def _congestion_key(item: Item) -> Key:
    return parse_us(item["begin"]), item["id"]


def _flow_key(item: Item) -> Key:
    return item["station"], item["property"], item["channel"]
