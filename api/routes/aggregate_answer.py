"""What /api/v1/readings answers with `interval=`: one item for each interval of a place."""

import math
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request, Response
from fastapi.concurrency import iterate_in_threadpool, run_in_threadpool

from api.aggregates.expected import Spacing, per_second
from api.aggregates.interval import read_interval
from api.aggregates.kernel import Summary
from api.aggregates.source import Aggregation, Place, Position, Row, Source, Span
from api.encoders import encoder, media_type
from api.formats import Layout
from api.paging import bad_cursor, decode_cursor, link_next
from api.problems import Problem
from api.responses import collection, common_headers
from api.rfc3339 import format_us
from api.routes.query import ReadingsQuery, flags
from api.visibility import View
from devices.properties import Kind
from ingest.reading import Series

if TYPE_CHECKING:
    from api.routes.downloads import Downloads

Item: TypeAlias = dict[str, Any]
FUNCTIONS = ("mean", "min", "max", "sum", "count", "last")
_DEFAULT: Mapping[Kind, tuple[str, ...]] = {
    "gauge": ("mean",),
    "count": ("sum",),
    "counter": ("sum",),
    "state": ("min", "max", "last"),
}
_CACHE = "public, max-age=30"
_SIGNIFICANT = ".12g"
_NO_PLACES = frozenset({"localtime", "posixrules", "Factory", "leapseconds"})
_OTHER_CLOCKS = ("posix/", "right/")
"""What else lies among a machine's time zones: its own clock, no zone at all, clocks with leap seconds."""
_MOST_READINGS = 500_000
"""Of one page: then it is shorter than its limit, and the next one goes on."""
_MOST_BLOCKS = 50
"""Of one page, likewise: looking for short intervals where nothing counts would take minutes."""


async def aggregated(
    request: Request,
    view: View,
    query: ReadingsQuery,
    series: Sequence[Series],
    span_us: tuple[int, int | None],
) -> Response:
    """The intervals that meet a span of time."""
    after = _position(query.cursor)
    wanted = _Wanted(view, query, series, span_us)
    layout, terms = wanted.layout, view.terms_of(each.property for each in series)
    if query.limit == "all":
        downloads: Downloads = request.app.state.downloads

        async def body() -> AsyncIterator[bytes]:
            writer = encoder(query.f, layout, terms)
            yield writer.head()
            async for items in iterate_in_threadpool(wanted.all(after)):
                yield writer.chunk(items)
            yield writer.tail()

        headers = common_headers(view, "no-store", terms=terms)
        return downloads.answer(body(), headers=headers, media_type=media_type(query.f))
    items, last = await run_in_threadpool(wanted.page, after, query.limit)
    return collection(
        request,
        view,
        query.f,
        items=items,
        layout=layout,
        cache=_CACHE,
        link=link_next(request, last, **{"from": format_us(span_us[0])}),
        terms=terms,
    )


class _Wanted:
    """One request for intervals."""

    def __init__(
        self, view: View, query: ReadingsQuery, series: Sequence[Series], span_us: tuple[int, int | None]
    ) -> None:
        self._view = view
        self._named = _functions(query.aggregate)
        self._source: Source = view.readings
        self._spacing = Spacing(self._source, span_us[0])
        self._rates: dict[Place, float] = {}
        self._places = _places(view, series)
        self._span = Span(
            self._places,
            _interval(query.interval or ""),
            _zone(query.timezone or view.services.city.timezone),
            *span_us,
            qualities=flags(query) or frozenset({1}),
            descending=query.order == "desc",
        )
        self._wraps = {each: wraps for each in series if (wraps := _wraps(view, each))}

    @property
    def layout(self) -> Layout:
        """Columns: the functions asked for, or all that any of the properties has by default."""
        kinds = {self._view.properties[place.property].kind for place in self._places}
        some = self._named or [
            each for each in FUNCTIONS if any(each in _DEFAULT[kind] for kind in kinds or _DEFAULT)
        ]
        columns = ("station", "property", "channel", "begin", "end", *some, "unit", "completeness")
        return Layout(columns, self._view.locate)

    def page(self, after: Position | None, limit: int) -> tuple[list[Item], Position | None]:
        """Items after a position, and the position to go on from; None at the end."""
        found: list[Row] = []
        aggregation = self._aggregation()
        for number, block in enumerate(aggregation.blocks(after), 1):
            found += block.rows
            if len(found) > limit:
                return self._items(found[:limit]), found[limit - 1].position
            if aggregation.readings > _MOST_READINGS or number == _MOST_BLOCKS:
                return self._items(found), block.end
        return self._items(found), None

    def all(self, after: Position | None) -> Iterator[list[Item]]:
        """Items, a bounded number at a time."""
        for block in self._aggregation().blocks(after):
            if block.rows:
                yield self._items(block.rows)

    def _aggregation(self) -> Aggregation:
        return Aggregation(self._source, self._span, self._wraps)

    def _items(self, rows: Iterable[Row]) -> list[Item]:
        return [self._item(row) for row in rows]

    def _item(self, row: Row) -> Item:
        place = row.place
        observed = self._view.properties[place.property]
        item: Item = {"station": place.station, "property": place.property}
        if place.channel:
            item["channel"] = place.channel
        item["begin"], item["end"] = format_us(row.begin_us), format_us(row.end_us)
        for name in self._named or _DEFAULT[observed.kind]:
            item[name] = _value(row.summary, "rise" if place.counter and name == "sum" else name, row.index)
        item["unit"] = observed.unit
        expected = self._rate(place) * (row.end_us - row.begin_us) / 1e6
        item["completeness"] = (
            round(min(1.0, int(row.summary.count[row.index]) / expected), 3) if expected else None
        )
        return item

    def _rate(self, place: Place) -> float:
        if place not in self._rates:
            services = self._view.services
            observed = self._view.properties[place.property]
            self._rates[place] = per_second(
                place, self._view.registry, services.catalogue, observed, self._spacing
            )
        return self._rates[place]


def _places(view: View, series: Sequence[Series]) -> list[Place]:
    groups: dict[tuple[str, str, str], list[Series]] = {}
    for each in series:
        # what an operator may see of a property that nobody knows any more has no kind
        if each.property in view.properties:
            groups.setdefault((each.station, each.property, each.channel), []).append(each)
    return [
        Place(
            *key,
            tuple(group),
            counter=view.properties[key[1]].kind == "counter",
            every_s=view.coarsen_us(key[1]) / 1e6,
        )
        for key, group in sorted(groups.items())
    ]


def _wraps(view: View, series: Series) -> float:
    device = view.registry.devices.get(series.dev_eui)
    type_ = view.services.catalogue.get(device.type) if device else None
    return type_.wraps.get(series.property, 0.0) if type_ else 0.0


def _value(summary: Summary, name: str, index: int) -> float | int | None:
    value = getattr(summary, name)[index]
    if name == "count":
        return int(value)
    return float(format(value, _SIGNIFICANT)) if math.isfinite(value) else None


def _functions(text: str | None) -> list[str]:
    if text is None:
        return []
    names = list(dict.fromkeys(text.split(",")))
    if unknown := [name for name in names if name not in FUNCTIONS]:
        raise Problem(400, f"aggregate: there is no {unknown[0]!r}", f"some of {', '.join(FUNCTIONS)}")
    return names


def _interval(text: str) -> Any:
    try:
        return read_interval(text)
    except ValueError as error:
        raise Problem(400, f"interval={text!r} is not possible", str(error)) from error


def _zone(name: str) -> ZoneInfo:
    unknown = Problem(400, f"there is no time zone {name!r}", "a name such as Europe/Berlin")
    if name in _NO_PLACES or name.startswith(_OTHER_CLOCKS):
        raise unknown
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise unknown from error


def _position(cursor: str | None) -> Position | None:
    key = decode_cursor(cursor, int, str, str, str)
    if key is None:
        return None
    begin, station, property_, channel = key
    if not isinstance(begin, int):
        raise bad_cursor()
    return begin, str(station), str(property_), str(channel)
