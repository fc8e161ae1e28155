"""/api/v1/readings: what was measured, newest values and history."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api.caller import AnyCaller
from api.encoders import encoder, media_type
from api.formats import Layout
from api.paging import Key, bad_cursor, decode_cursor, link_next, page
from api.problems import Problem
from api.public_readings import PublicReadings
from api.responses import collection, common_headers
from api.rfc3339 import EARLIEST_US, format_us
from api.routes.aggregate_answer import aggregated
from api.routes.openapi import collection_of, errors
from api.routes.query import LatestQuery, ReadingsQuery, flags, moment
from api.routes.reading_item import reading_items, reading_layout
from api.schemas.measurements import Reading
from api.terms import TermsOfAnswer
from api.visibility import SeriesBook, View
from ingest.reading import Series
from ingest.store import Point, Store
from ingest.store import Query as StoreQuery

if TYPE_CHECKING:
    from api.routes.downloads import Downloads

router = APIRouter(prefix="/api/v1", tags=["readings"])
_CACHE = "public, max-age=30"
_DAY_US = 86_400_000_000
_CHUNK = 5_000
_MOST_SEEN = 100_000


@router.get("/readings/latest", response_class=Response, responses=collection_of(Reading))
async def latest(request: Request, view: AnyCaller, query: Annotated[LatestQuery, Query()]) -> Response:
    """The newest reading of every station, property and channel."""
    stations = {view.station(id_).id for id_ in query.station} or None
    properties = {view.property(name).name for name in query.property} or None
    newest = newest_by_place(await run_in_threadpool(view.latest, stations, properties))
    points = [newest[key] for key in sorted(newest)]
    after = decode_cursor(query.cursor, str, str, str)
    chosen, last = page(points, _place_key, after, query.limit)
    items, layout = reading_items(view, chosen), reading_layout(view)
    return collection(
        request,
        view,
        query.f,
        items=items,
        layout=layout,
        cache=_CACHE,
        link=link_next(request, last),
        terms=view.terms_of(properties or {point.series.property for point in points}),
    )


@router.get(
    "/readings", response_class=Response, responses={**collection_of(Reading, parquet=True), **errors(503)}
)
async def readings(request: Request, view: AnyCaller, query: Annotated[ReadingsQuery, Query()]) -> Response:
    """Readings with from <= time < to, in the order of their times.

    `from` defaults to 24 hours before `to`, and `to` to the end of what there is.
    """
    to_us = moment("to", query.to)
    from_us = moment("from", query.from_)
    if from_us is None:
        from_us = max((view.services.clock() if to_us is None else to_us) - _DAY_US, EARLIEST_US)
    if query.interval is None and (query.aggregate or query.timezone):
        raise Problem(400, "aggregate and timezone say how intervals are", "name one, such as interval=PT1H")
    if to_us is not None and from_us > to_us:
        raise Problem(400, f"from {query.from_} is later than to {query.to}", "exchange from and to")
    series = await run_in_threadpool(view.series, query.station, query.property)
    if query.interval is not None:
        return await aggregated(request, view, query, series, (from_us, to_us))
    wanted = StoreQuery(
        series,
        from_us,
        to_us,
        after=_position(view.book, query.cursor),
        descending=query.order == "desc",
    )
    layout = reading_layout(view)
    if query.limit == "all":
        return _stream(request, view, query, wanted, layout)
    wanted = replace(wanted, limit=query.limit)
    chosen, final = await run_in_threadpool(_page, view.readings, wanted, flags(query))
    last = _key(view.book, final) if final else None
    link = link_next(request, last, **{"from": format_us(from_us)})
    return collection(
        request,
        view,
        query.f,
        items=reading_items(view, chosen),
        layout=layout,
        cache=_CACHE,
        link=link,
        terms=_terms(view, wanted),
    )


def _stream(
    request: Request, view: View, asked: ReadingsQuery, wanted: StoreQuery, layout: Layout
) -> StreamingResponse:
    """The whole span in bounded memory: a chunk is in memory, never the answer."""
    downloads: Downloads = request.app.state.downloads
    store, form, qualities, terms = view.readings, asked.f, flags(asked), _terms(view, wanted)

    async def body() -> AsyncIterator[bytes]:
        writer = encoder(form, layout, terms)
        yield writer.head()
        query: StoreQuery | None = replace(wanted, limit=_CHUNK)
        while query is not None:
            points = await run_in_threadpool(_fetch, store, query)
            yield writer.chunk(reading_items(view, _of(points, qualities)))
            full = len(points) == _CHUNK
            query = replace(query, after=(points[-1].time_us, points[-1].series)) if full else None
        yield writer.tail()

    headers = common_headers(view, "no-store", terms=terms)
    return downloads.answer(body(), headers=headers, media_type=media_type(form))


def newest_by_place(points: Iterable[Point]) -> dict[tuple[str, str, str], Point]:
    """The newest point of each station, property and channel: an exchanged device leaves an older one."""
    newest: dict[tuple[str, str, str], Point] = {}
    for point in points:
        key = _place_key(point)
        if key not in newest or newest[key].time_us < point.time_us:
            newest[key] = point
    return newest


def _place_key(point: Point) -> tuple[str, str, str]:
    return point.series.station, point.series.property, point.series.channel


def _terms(view: View, wanted: StoreQuery) -> TermsOfAnswer:
    return view.terms_of(series.property for series in wanted.series)


def _fetch(store: PublicReadings | Store, query: StoreQuery) -> list[Point]:
    return list(store.query(query)) if query.series else []


def _page(
    store: PublicReadings | Store, wanted: StoreQuery, qualities: frozenset[int] | None
) -> tuple[list[Point], Point | None]:
    """At most `limit` points of these qualities, and the one to go on behind; None at the end."""
    if qualities is None:
        found = _fetch(store, replace(wanted, limit=wanted.limit + 1))
        more = len(found) > wanted.limit
        return found[: wanted.limit], found[wanted.limit - 1] if more else None
    found, point, seen = [], None, 0
    if wanted.series:
        # what is rare must not make one page read everything
        for point in store.query(replace(wanted, limit=_MOST_SEEN)):
            seen += 1
            if point.quality in qualities:
                found.append(point)
                if len(found) == wanted.limit:
                    return found, point
    return found, point if seen == _MOST_SEEN else None


def _of(points: list[Point], qualities: frozenset[int] | None) -> list[Point]:
    return points if qualities is None else [point for point in points if point.quality in qualities]


def _key(book: SeriesBook, point: Point) -> Key:
    return point.time_us, book.number(point.series)


def _position(book: SeriesBook, cursor: str | None) -> tuple[int, Series] | None:
    """Where a cursor stands. It carries the series' number: its device must not be told."""
    key = decode_cursor(cursor, int, int)
    if key is None:
        return None
    time_us, number = key
    known = book.all()
    if not (isinstance(time_us, int) and isinstance(number, int) and 0 <= number < len(known)):
        raise bad_cursor()
    return time_us, known[number]
