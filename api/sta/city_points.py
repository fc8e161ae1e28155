"""Stored readings that no statement reaches: asked of the store and laid into a table of the connection."""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

from api.public_readings import PublicReadings
from api.sta.city_ids import FIRST_US, LAST_US, read_observation_id
from api.sta.deadline import LONGEST_S, NARROW
from api.sta.errors import TooManyError
from api.sta.source import Scope
from ingest.errors import StoreError
from ingest.reading import Series
from ingest.store import Point, Query, Store

Wanted: TypeAlias = Mapping[Series, tuple[int, int]]
"""Series with their numbers in the journal and the lengths (µs) of the intervals that their readings end."""
MOST_POINTS = 200_000
_CHUNK = 5_000
_AT_ONCE = 16
"""So many series are asked one by one for their first or last readings; more of them all together first."""
_SHORT_US = 3_600_000_000
"""Many readings of so short a time are asked for together."""
_LAST_GOOD_S, _FIRST_GOOD_S = 30.0, 600.0
_MANY = 50_000
_ID_US = 1_000
"""Readings of one series within so short a time share an id, see city_ids."""


class Ends:
    """First and last time of series of a store that has to be asked, kept for a while. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[Series, bool], tuple[float, int | None]] = {}

    def of(self, store: Store | PublicReadings, series: Series, *, last: bool) -> int | None:
        """µs since the epoch; None without readings."""
        now = time.monotonic()
        with self._lock:
            known = self._known.get((series, last))
        if known is not None:
            # a first reading may come any moment
            good = _LAST_GOOD_S if last or known[1] is None else _FIRST_GOOD_S
            if now - known[0] < good:
                return known[1]
        query = Query((series,), FIRST_US, LAST_US + 1, 1, descending=last)
        time_us = next((point.time_us for point in store.query(query)), None)
        with self._lock:
            if len(self._known) > _MANY:
                self._known.clear()
            self._known[series, last] = now, time_us
        return time_us


class Loader:
    """Lays the readings of scopes into temporary tables of one connection. For one request."""

    def __init__(self, connection: sqlite3.Connection, store: Store | PublicReadings) -> None:
        self._connection = connection
        self._store = store
        self._end = time.monotonic() + LONGEST_S

    def load(self, wanted: Wanted, scope: Scope) -> str:
        """Name of a table of series, time_us, value, quality.

        Raises TooManyError where that is more than MOST_POINTS, or takes too long.
        """
        made = self._connection.execute("SELECT count(*) FROM sqlite_temp_schema").fetchone()[0]
        table = f"temp.loaded_{made}"
        self._connection.execute(
            f"CREATE TABLE {table}(series INTEGER, time_us INTEGER, value REAL, quality INTEGER,"
            " PRIMARY KEY(series, time_us)) WITHOUT ROWID"
        )
        points = self._checked(self._points(wanted, scope))
        while chunk := list(islice(points, _CHUNK)):
            self._connection.executemany(
                f"INSERT OR IGNORE INTO {table} VALUES(?, ?, ?, ?)",
                [(wanted[each.series][0], each.time_us, each.value, each.quality) for each in chunk],
            )
        return table

    def _checked(self, points: Iterable[Point]) -> Iterator[Point]:
        for number, point in enumerate(points):
            if number >= MOST_POINTS:
                raise TooManyError(f"this needs more than {MOST_POINTS} Observations at once", NARROW)
            if number % _CHUNK == 0:
                self._hurry()
            yield point

    def _hurry(self) -> None:
        if time.monotonic() > self._end:
            raise TooManyError("this takes too long to answer", NARROW)

    def _ask(self, query: Query) -> Iterator[Point]:
        """Points of the store, which gives up when the time is over."""
        try:
            yield from self._store.query(replace(query, until_s=self._end))
        except StoreError:
            self._hurry()
            raise

    def _points(self, wanted: Wanted, scope: Scope) -> Iterator[Point]:
        if scope.ids is not None:
            return self._by_id(wanted, scope.ids)
        if scope.limit is None:
            return self._all(wanted, scope, MOST_POINTS + 1)
        if scope.by_id and scope.datastreams is None and scope.features is None:
            return self._in_order(wanted, scope, scope.limit)
        return self._some_of_each(wanted, scope, scope.limit)

    def _by_id(self, wanted: Wanted, ids: Sequence[int]) -> Iterator[Point]:
        names = {number: series for series, (number, _) in wanted.items()}
        asked = [read_observation_id(each) for each in ids]
        first_us, last_us = (
            min((each[1] for each in asked), default=0),
            max((each[2] for each in asked), default=0),
        )
        if len(ids) > _AT_ONCE and last_us - first_us < _SHORT_US:
            yield from self._ask(Query(tuple(wanted), first_us, last_us + 1, MOST_POINTS + 1))
            return
        for id_ in ids:
            self._hurry()
            number, first_us, last_us = read_observation_id(id_)
            if number in names:
                yield from self._ask(Query((names[number],), first_us, last_us + 1))

    def _all(self, wanted: Wanted, scope: Scope, limit: int) -> Iterator[Point]:
        """Of all series together, in order of time."""
        spans = [each for each in (_span(*row, scope) for row in wanted.values()) if each[0] <= each[1]]
        if not spans:
            return iter(())
        low, high = min(first for first, _ in spans), max(last for _, last in spans)
        query = Query(tuple(wanted), low, high + 1, limit, descending=scope.newest_first)
        return self._ask(query)

    def _in_order(self, wanted: Wanted, scope: Scope, limit: int) -> Iterator[Point]:
        """The first of all series, one behind the other in order of their numbers."""
        left = limit
        for series in sorted(wanted, key=lambda each: wanted[each][0], reverse=scope.newest_first):
            self._hurry()
            known = None
            for point in self._of(series, wanted, scope, left):
                left -= point.time_us // _ID_US != known
                known = point.time_us // _ID_US
                yield point
            if left <= 0:
                return

    def _some_of_each(self, wanted: Wanted, scope: Scope, limit: int) -> Iterator[Point]:
        # one more than wanted: of the last one all that shares its id has to be there
        lacking = dict.fromkeys(wanted, limit + 1)
        if len(wanted) > _AT_ONCE and scope.newest_first:
            known: dict[Series, int] = {}
            for point in self._all(wanted, scope, min(MOST_POINTS // 2, 2 * (limit + 1) * len(wanted))):
                lacking[point.series] -= point.time_us // _ID_US != known.get(point.series)
                known[point.series] = point.time_us // _ID_US
                yield point
        for series, left in lacking.items():
            if left > 0:
                self._hurry()
                yield from self._of(series, wanted, scope, limit)

    def _of(self, series: Series, wanted: Wanted, scope: Scope, limit: int) -> Iterator[Point]:
        """The first readings of a series within the scope, or the last."""
        low, high = _span(*wanted[series], scope)
        if not scope.newest_first:
            # an interval that ends within the span begins before it: it comes too, and takes nobody's place
            begin = low + wanted[series][1]
            if begin > low:
                yield from self._ask(Query((series,), low, min(begin, high + 1), MOST_POINTS))
            low = begin
        if low <= high:
            yield from self._ids_of(Query((series,), low, high + 1, limit + 1, descending=scope.newest_first))

    def _ids_of(self, query: Query) -> Iterator[Point]:
        """Points of one series until they have as many ids as the limit; of all but the last id, all."""
        left, known = query.limit, None
        while left > 0:
            points = list(self._ask(query))
            for point in points:
                left -= point.time_us // _ID_US != known
                known = point.time_us // _ID_US
            yield from points
            if len(points) < query.limit:
                return
            query = replace(query, after=(points[-1].time_us, points[-1].series))


def _span(number: int, interval_us: int, scope: Scope) -> tuple[int, int]:
    """First and last time of a series' readings that the scope can mean."""
    low, high = FIRST_US, LAST_US
    if scope.begin_us is not None:
        low = max(low, scope.begin_us)
    if scope.end_us is not None:
        high = min(high, scope.end_us + interval_us)
    if scope.id_above is not None:
        above = read_observation_id(max(0, scope.id_above))
        low = max(low, {above.series: above.first_us}.get(number, low if number > above.series else high + 1))
    if scope.id_below is not None:
        below = read_observation_id(max(0, scope.id_below))
        high = min(
            high, {below.series: below.last_us}.get(number, high if number < below.series else low - 1)
        )
    return low, high
