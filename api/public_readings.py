"""Readings as the public sees them: later, coarser, rounded, where the city decided so."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice

from api.public_rule import PublicRule
from devices.measurement import Quality
from devices.properties import Kind
from ingest.reading import Series
from ingest.store import Point, Query, Store

FEWEST = 2
"""An interval with fewer readings has no value: it would be a single reading."""

Shown = Callable[[Series], tuple[PublicRule, Kind] | None]
"""The rule of a series and the kind of its property; None where the public may not know of it."""

_WHOLE = 2**62
# every finite float is a multiple of 2**-1074: sums of whole numbers are exact, whatever their order
_FINEST = 1 << 1074


class PublicReadings:
    """What the public sees of a store, at the moment of each call: query() and latest() of its protocol.

    A reading of a property with a delay exists from its time + delay on, before that nothing of it: no count,
    no page, no place in an aggregate. A coarsened one is never seen; instead there is one point for every
    interval begin < time <= end that holds a reading, at its end, once the end + delay has passed: for a
    count the sum, for a counter its last reading, else the mean. Intervals of UTC, whose length divides a
    day. A late reading corrects its interval. The quality is the worst of what went in; values that failed
    (QARTOD 4) do not. Raises StoreError where the store does.
    """

    def __init__(self, store: Store, shown: Shown, clock: Callable[[], int]) -> None:
        self._store = store
        self._shown = shown
        self._clock = clock

    def query(self, query: Query) -> Iterator[Point]:
        """Readings in the order the query asks for, streamed; series that are not public have none."""
        return self._query(query, self._clock())

    def latest(self, series: Sequence[Series]) -> Sequence[Point]:
        """The newest point that is visible of each series that has one."""
        now_us = self._clock()
        return [point for each in series for point in self._newest(each, now_us)]

    def live(self, points: Iterable[Point]) -> Iterator[Point]:
        """Points that have just come, as far as the public may see them at once."""
        for point in points:
            shown = self._shown(point.series)
            if shown is not None and shown[0].live:
                yield _rounded(point, shown[0])

    def _query(self, query: Query, now_us: int) -> Iterator[Point]:
        rules: dict[Series, PublicRule] = {}
        kinds: dict[Series, Kind] = {}
        groups: dict[tuple[int, int], list[Series]] = {}
        for series in query.series:
            if (shown := self._shown(series)) is not None:
                rules[series], kinds[series] = shown
                groups.setdefault((shown[0].coarsen_us, shown[0].delay_us), []).append(series)
        streams = []
        for (coarsen_us, delay_us), members in groups.items():
            part = replace(query, series=members)
            if coarsen_us:
                streams.append(self._coarse(part, coarsen_us, now_us - delay_us, kinds))
            else:
                streams.append(self._store.query(_until(part, now_us - delay_us) if delay_us else part))
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=_at, reverse=query.descending)
        points = islice(merged, query.limit)
        if not any(rule.round_to for rule in rules.values()):
            return points
        return (_rounded(point, rules[point.series]) for point in points)

    def _newest(self, series: Series, now_us: int) -> Iterator[Point]:
        shown = self._shown(series)
        if shown is None or not shown[0].coarsen_us:
            return self._query(Query([series], limit=1, descending=True), now_us)
        # not from the end of all: an interval of a quick sensor holds many readings, and one seek finds it
        length, newest_us = shown[0].coarsen_us, now_us - shown[0].delay_us
        seek = Query([series], to_us=newest_us // length * length + 1, limit=1, descending=True)
        for point in self._store.query(seek):
            end = _end(point.time_us, length)
            return self._query(Query([series], end, end + 1, limit=1), now_us)
        return iter(())

    def _coarse(
        self, query: Query, length: int, newest_us: int, kinds: dict[Series, Kind]
    ) -> Iterator[Point]:
        """One interval in memory at a time, of all series of the query."""
        first = None if query.from_us is None else _end(query.from_us, length)
        last = (newest_us if query.to_us is None else min(newest_us, query.to_us - 1)) // length * length
        if query.after is not None:
            if query.descending:
                last = min(last, query.after[0] // length * length)
            elif first is None or first < query.after[0]:
                first = _end(query.after[0], length)
        if first is not None and first > last:
            return
        raw = Query(
            query.series,
            None if first is None else first - length + 1,
            last + 1,
            limit=_WHOLE,
            descending=query.descending,
            until_s=query.until_s,
        )
        for end, points in groupby(self._store.query(raw), lambda point: _end(point.time_us, length)):
            found: dict[Series, _Interval] = {}
            for point in points:
                found.setdefault(point.series, _Interval()).take(point)
            for series in sorted(found, reverse=query.descending):
                if _beyond(query, (end, series)):
                    yield found[series].point(series, end, kinds[series])


class _Interval:
    """What one series measured in one interval."""

    def __init__(self) -> None:
        self._count = 0
        self._sum = 0
        self._last: tuple[int, float] = (-_WHOLE, 0.0)
        self._worst = 0

    def take(self, point: Point) -> None:
        if point.value is None or point.quality >= Quality.FAIL:
            return
        numerator, denominator = point.value.as_integer_ratio()
        self._count += 1
        self._sum += numerator * (_FINEST // denominator)
        self._last = max(self._last, (point.time_us, point.value))
        self._worst = max(self._worst, point.quality)

    def point(self, series: Series, end: int, kind: Kind) -> Point:
        if self._count < FEWEST:
            return Point(series, end, None, Quality.MISSING)
        if kind == "counter":
            return Point(series, end, self._last[1], self._worst)
        try:
            value = self._sum / (_FINEST * (1 if kind == "count" else self._count))
        except OverflowError:
            return Point(series, end, None, Quality.MISSING)
        return Point(series, end, value, self._worst)


def _end(time_us: int, length: int) -> int:
    """End of the interval begin < time <= end."""
    return -(-time_us // length) * length


def _until(query: Query, newest_us: int) -> Query:
    to_us = newest_us + 1 if query.to_us is None else min(query.to_us, newest_us + 1)
    # a span that ends before it begins is empty
    return replace(query, to_us=to_us if query.from_us is None else max(to_us, query.from_us))


def _beyond(query: Query, position: tuple[int, Series]) -> bool:
    if query.after is None:
        return True
    return position < query.after if query.descending else position > query.after


def _at(point: Point) -> tuple[int, Series]:
    return point.time_us, point.series


def _rounded(point: Point, rule: PublicRule) -> Point:
    if not rule.round_to or point.value is None:
        return point
    return point._replace(value=rule.rounded(point.value))
