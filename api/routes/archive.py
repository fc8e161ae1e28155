"""/api/v1/archive: one file a property and day, as the public sees it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import iterate_in_threadpool, run_in_threadpool
from fastapi.responses import FileResponse

from api.aggregates.interval import day_bounds
from api.caller import AnyCaller
from api.encoders import PARQUET, encoder, media_type
from api.formats import MEDIA_TYPES, Format, Layout
from api.paging import cut, decode_cursor, link_next
from api.problems import Problem
from api.responses import collection, common_headers
from api.routes.openapi import collection_of, errors
from api.routes.query import CollectionQuery
from api.routes.reading_item import reading_items, reading_layout
from api.routes.stations import nowhere
from api.schemas.measurements import ArchivedDay
from api.visibility import View
from ingest.reading import Series
from ingest.store import Query as StoreQuery

if TYPE_CHECKING:
    from api.routes.downloads import Downloads

router = APIRouter(prefix="/api/v1/archive", tags=["readings"])
_FOR_EVER = "public, max-age=31536000, immutable"
_CHUNK = 5_000
_FILE = {"schema": {"type": "string", "format": "binary"}}
_COLUMNS = ("property", "date", "closed", "csv", "parquet")


@router.get("", response_class=Response, responses=collection_of(ArchivedDay, geojson=False))
async def days(request: Request, view: AnyCaller, query: Annotated[CollectionQuery, Query()]) -> Response:
    """The days there are files of, property by property, oldest first."""
    after = decode_cursor(query.cursor, str, str)
    found = await run_in_threadpool(_listed, _public(view), after, query.limit + 1)
    items, last = cut(found, lambda item: (str(item["property"]), str(item["date"])), query.limit)
    return collection(
        request,
        view,
        query.f,
        items=items,
        layout=Layout(_COLUMNS, nowhere),
        cache="no-cache",
        link=link_next(request, last),
    )


@router.get(
    "/{property_name}/{day}.{form}",
    response_class=Response,
    responses={
        200: {"content": {MEDIA_TYPES[Format.CSV].partition(";")[0]: _FILE, PARQUET: _FILE}},
        304: {"description": "You have it"},
        **errors(401, 404, 422, 503),
    },
)
async def of_day(
    request: Request,
    view: AnyCaller,
    property_name: Annotated[str, Path(max_length=200)],
    day: date,
    form: Literal["csv", "parquet"],
) -> Response:
    """What the public may read of one property on one day of the city's calendar.

    Once the day is closed the file never changes; before, it is what there is now. Operators get the same.
    """
    public = _public(view)
    public.property(property_name)
    if not public.services.rule(property_name).readable:
        raise Problem(404, f"there is no file of {day}", "the days there are: /api/v1/archive")
    series = await run_in_threadpool(public.series, (), [property_name])
    begin, end = _bounds(public, day)
    now = public.services.clock()
    archive = public.services.archive
    if archive is None or not archive.has(property_name, day, form):
        span = await run_in_threadpool(_span, public, series)
        known = span is not None and span[0] < end and begin <= min(span[1], now)
    else:
        known = True
    if not known:
        raise Problem(404, f"there is no file of {day}", "the days there are: /api/v1/archive")
    parts, terms = _parts(public, series, (begin, end), form), public.terms_of([property_name])
    kind = media_type(Format(form) if form == "csv" else form)
    if archive is not None and archive.closed(end, now, _later_us(public, property_name)):
        try:
            path, etag = await run_in_threadpool(archive.file, property_name, day, form, parts)
        except OSError as error:
            problem = "the file cannot be kept at the moment"
            raise Problem(503, problem, "the same is in /api/v1/readings", {"Retry-After": "60"}) from error
        headers = {"ETag": etag, **common_headers(public, _FOR_EVER, terms=terms)}
        return FileResponse(path, headers=headers, media_type=kind)
    downloads: Downloads = request.app.state.downloads
    return downloads.answer(
        iterate_in_threadpool(parts),
        headers=common_headers(public, "no-cache", terms=terms),
        media_type=kind,
    )


def _public(view: View) -> View:
    return View(view.services, view.book)


def _later_us(view: View, property_name: str) -> int:
    """How long after its time the last of a property's readings can come to be public."""
    rule = view.services.rule(property_name)
    return rule.delay_us + rule.coarsen_us


def _bounds(view: View, day: date) -> tuple[int, int]:
    try:
        return day_bounds(ZoneInfo(view.services.city.timezone), day)
    except OverflowError as error:
        raise Problem(404, f"there is no file of {day}", "the days there are: /api/v1/archive") from error


def _span(view: View, series: list[Series]) -> tuple[int, int] | None:
    """Times of the first and last reading."""
    if not series:
        return None
    first = next(iter(view.readings.query(StoreQuery(series, limit=1))), None)
    last = next(iter(view.readings.query(StoreQuery(series, limit=1, descending=True))), None)
    return (first.time_us, last.time_us) if first and last else None


def _listed(view: View, after: tuple[str | int, ...] | None, limit: int) -> list[dict[str, object]]:
    zone = ZoneInfo(view.services.city.timezone)
    archive, now = view.services.archive, view.services.clock()
    items: list[dict[str, object]] = []
    for name in sorted(view.properties):
        if after is not None and name < str(after[0]):
            continue
        span = _span(view, view.series((), [name]))
        if span is None:
            continue
        later_us = _later_us(view, name)
        day, last = (_date(zone, each) for each in (span[0], min(span[1], now)))
        if after is not None and name == after[0]:
            day = max(day, _day_after(str(after[1])))
        while day <= last and len(items) < limit:
            closed = archive is not None and archive.closed(day_bounds(zone, day)[1], now, later_us)
            files = {form: f"/api/v1/archive/{name}/{day}.{form}" for form in ("csv", "parquet")}
            items.append({"property": name, "date": str(day), "closed": closed, **files})
            day += timedelta(days=1)
        if len(items) >= limit:
            break
    return items


def _day_after(text: str) -> date:
    try:
        return date.fromisoformat(text) + timedelta(days=1)
    except (ValueError, OverflowError):
        return date.max


def _date(zone: ZoneInfo, us: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).astimezone(zone).date()


def _parts(view: View, series: list[Series], span: tuple[int, int], form: str) -> Iterator[bytes]:
    """The file in pieces of bounded size."""
    terms = view.terms_of({each.property for each in series})
    writer = encoder(Format.CSV if form == "csv" else "parquet", reading_layout(view), terms)
    yield writer.head()
    query = StoreQuery(series, *span, limit=_CHUNK)
    while True:
        points = list(view.readings.query(query))
        yield writer.chunk(reading_items(view, points))
        if len(points) < _CHUNK:
            break
        query = StoreQuery(series, *span, limit=_CHUNK, after=(points[-1].time_us, points[-1].series))
    yield writer.tail()
