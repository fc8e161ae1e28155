"""Intervals out of a store: block by block, each of bounded size, so that any span takes bounded memory.

How a span falls into blocks changes nothing: a block reads what it needs of the time before and after it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from alerts.kernels.curve_row import MAX_GAP_US
from api.aggregates.counter import Counter
from api.aggregates.interval import FIRST_US, LAST_US, Edges, Interval
from api.aggregates.kernel import Cells, Summary
from ingest.reading import Series
from ingest.store import Point, Query

_WHOLE = 2**62
_CHUNK = 5_000
_MOST_CELLS = 5_000
_MOST_READINGS = 200_000
"""In a block, as if every series had one a minute."""
_CONTEXT = 4
_NEAR = 64
Position = tuple[int, str, str, str]
"""Where an interval stands in an answer: its begin (µs), station, property, channel."""


class Source(Protocol):
    """What can be asked for readings: a store, or what the public sees of it."""

    def query(self, query: Query) -> Iterator[Point]:
        """As ingest.store.Store has it."""


@dataclass(frozen=True, slots=True)
class Place:
    """What is summed up together: a station's property and channel, of whichever devices.

    `every_s`: where the caller sees intervals instead of readings, how long they are, else 0.
    """

    station: str
    property: str
    channel: str
    series: tuple[Series, ...]
    counter: bool = False
    every_s: float = 0.0

    def key(self) -> tuple[str, str, str]:
        """What orders it."""
        return self.station, self.property, self.channel


@dataclass(frozen=True, slots=True)
class Row:
    """One place in one interval, row `index` of `summary`."""

    place: Place
    begin_us: int
    end_us: int
    summary: Summary
    index: int

    @property
    def position(self) -> Position:
        """Where it stands in an answer."""
        return self.begin_us, *self.place.key()


@dataclass(frozen=True, slots=True)
class Span:
    """What is asked for: every interval that meets from_us <= time < to_us (None: to the end).

    `qualities`: which readings count.
    """

    places: Sequence[Place]
    interval: Interval
    zone: ZoneInfo
    from_us: int
    to_us: int | None
    qualities: frozenset[int] = frozenset({1})
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows in the order of the answer, and the position behind all it has looked at."""

    rows: list[Row]
    end: Position


class Aggregation:
    """One request. `wraps`: by series, where its counter begins again."""

    def __init__(self, source: Source, span: Span, wraps: Mapping[Series, float]) -> None:
        self._source = source
        self._span = span
        self._wraps = wraps
        self._places = sorted(span.places, key=lambda place: place.key(), reverse=span.descending)
        self._series = [series for place in span.places for series in place.series]
        self._counters = [series for place in span.places if place.counter for series in place.series]
        self.readings = 0
        """Read so far: what it costs."""

    def blocks(self, after: Position | None = None) -> Iterator[Block]:
        """Rows in the order of (begin, station, property, channel), those after a position."""
        span = self._span
        minutes, width = span.interval.longest_min, max(len(self._series), 1)
        most = max(1, min(_MOST_CELLS // width, _MOST_READINGS // (width * minutes)))
        for edges in self._spans(most, after):
            single = len(edges) == 2  # noqa: PLR2004 - begin and end of one interval
            beyond = after[1:] if single and after is not None and after[0] == edges[0] else None
            for places in self._groups(minutes if single else 0, beyond):
                rows = self._block(edges, places)
                rows.sort(key=lambda row: row.position, reverse=span.descending)
                if after is not None:
                    rows = [row for row in rows if self._follows(row.position, after)]
                yield Block(rows, (int(edges[0 if span.descending else -2]), *places[-1].key()))

    def _groups(self, minutes: int, beyond: tuple[str, ...] | None) -> Iterator[Sequence[Place]]:
        """So many places at a time that their readings of so many minutes are not too many (0: all)."""
        places = [place for place in self._places if beyond is None or self._follows(place.key(), beyond)]
        size = max(1, min(_MOST_CELLS, _MOST_READINGS // minutes)) if minutes else len(places)
        for start in range(0, len(places), size):
            yield places[start : start + size]

    def _follows(self, position: tuple[int | str, ...], other: tuple[int | str, ...]) -> bool:
        return position < other if self._span.descending else position > other

    def _spans(self, most: int, after: Position | None) -> Iterator[Edges]:
        """Edges of runs of intervals, where there are readings."""
        span = self._span
        first_us = min(max(span.from_us, FIRST_US), LAST_US)
        to_us = LAST_US if span.to_us is None else min(max(span.to_us, first_us), LAST_US)
        begin = next(span.interval.forward(span.zone, first_us))
        end = next(span.interval.backward(span.zone, to_us))
        if after is not None:
            at = min(max(after[0], begin), end)
            if span.descending:
                end = min(end, int(span.interval.around(span.zone, at, 1)[1]))
            else:
                begin = max(begin, int(span.interval.around(span.zone, at, 1)[0]))
        while begin < end:
            found = self._nearest(begin, end)
            if found is None:
                return
            if span.descending:
                edges = span.interval.around(span.zone, min(end, found), most, back=True)
                edges = edges[np.searchsorted(edges, begin) :]
                end = int(edges[0])
            else:
                edges = span.interval.around(span.zone, max(begin, found), most)
                edges = edges[: np.searchsorted(edges, end) + 1]
                begin = int(edges[-1])
            yield edges

    def _nearest(self, begin: int, end: int) -> int | None:
        """A time before (or at descending, after) which there is nothing; None where nothing is left.

        A rise reaches from a counter's reading back to the one before it, however long that was silent.
        """
        descending = self._span.descending
        at = end if descending else begin
        if self._rises(at):
            return at
        found = self._first(Query(self._series, begin + 1, end + 1, descending=descending))
        if found is None or descending:
            return found
        return found - 1  # a reading at an edge ends the interval before it

    def _rises(self, at: int) -> bool:
        """Whether a time may lie between two readings of a counter that are near enough for a rise."""
        if not self._counters:
            return False
        before = Query(self._counters, at - MAX_GAP_US + 1, at + 1, descending=True)
        behind = Query(self._counters, at + 1, at + MAX_GAP_US + 1)
        return self._first(before) is not None and self._first(behind) is not None

    def _first(self, query: Query) -> int | None:
        return next((point.time_us for point in self._source.query(replace(query, limit=1))), None)

    def _block(self, edges: Edges, places: Sequence[Place]) -> list[Row]:
        series = [each for place in places for each in place.series]
        column = {each: number for number, each in enumerate(series)}
        cells = Cells(edges, [each.property for each in series])
        counters = {
            column[each]: Counter(each.property, self._wraps.get(each, 0))
            for place in places
            if place.counter
            for each in place.series
        }
        begin, end = int(edges[0]), int(edges[-1])
        for number, counter in counters.items():
            before = Query([series[number]], begin - MAX_GAP_US, begin + 1, descending=True)
            self._feed(cells, {number: counter}, column, self._context(before)[::-1])
        inside = self._source.query(Query(sorted(series), begin + 1, end + 1, limit=_WHOLE))
        while chunk := list(islice(inside, _CHUNK)):
            self.readings += len(chunk)
            self._feed(cells, counters, column, [each for each in chunk if self._counted(each)])
        for number, counter in counters.items():
            behind = Query([series[number]], end + 1, end + MAX_GAP_US + 1)
            self._feed(cells, {number: counter}, column, self._context(behind))
        rows = []
        for place in places:
            summary = cells.summary([column[each] for each in place.series])
            rows += [
                Row(place, int(edges[i]), int(edges[i + 1]), summary, i)
                for i in np.flatnonzero(summary.touched).tolist()
            ]
        return rows

    def _context(self, query: Query) -> list[Point]:
        """The readings next to a block that decide how a counter stands at its edge."""
        points = (each for each in self._source.query(replace(query, limit=_NEAR)) if self._counted(each))
        return list(islice(points, _CONTEXT))

    def _counted(self, point: Point) -> bool:
        return point.value is not None and point.quality in self._span.qualities

    @staticmethod
    def _feed(
        cells: Cells, counters: Mapping[int, Counter], column: Mapping[Series, int], points: Sequence[Point]
    ) -> None:
        if not points:
            return
        columns = np.fromiter((column[each.series] for each in points), np.int64, len(points))
        times = np.fromiter((each.time_us for each in points), np.int64, len(points))
        values = np.fromiter((each.value for each in points), np.float64, len(points))
        cells.add(columns, times, values)
        for number, counter in counters.items():
            own = columns == number
            cells.rise(number, *counter.take(times[own], values[own]))
