"""The InfluxDB store: 1.x, 2.x and what speaks like them. Layout of a point: `ingest.line_protocol`."""

import heapq
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

import structlog

from devices.measurement import Quality
from ingest.influx_http import Connection, PointsRefused, connect, parse_address
from ingest.line_protocol import identifier, lines, of_series, unescape
from ingest.reading import Readings, Series
from ingest.store import Point, Query, time_bounds

_log = structlog.get_logger(__name__)
_BATCH = 5000
_PAGE = 5000
# conditions of one statement; InfluxQL tries each of them on each series
_CONDITIONS = 100
_COLUMNS = '"value", "quality", "station", "channel", "device"'
_DROPPED = re.compile(r"dropped=(\d+)")


class InfluxStore:
    """`ingest.store.Store` in an InfluxDB, by URL (see `influx_http.parse_address`).

    A point that InfluxDB will never take (its field has another type, its time is out of range) is found by
    halving its batch, counted in `refused` and logged; all others are written.
    """

    def __init__(self, url: str) -> None:
        self._connection: Connection = connect(parse_address(url))
        self._heads: dict[Series, str] = {}
        self.refused = 0

    def write(self, series: Sequence[Series], readings: Readings) -> None:
        """Make readings durable; `series[i]` is what number i in the readings stands for."""
        for start in range(0, len(readings), _BATCH):
            self._write(lines(series, readings[start : start + _BATCH], self._heads))

    def query(self, query: Query) -> Iterator[Point]:
        """Readings in the order the query asks for, streamed."""
        wanted = sorted(set(query.series))
        streams = [
            self._stream(property_, group, query)
            for property_, members in _by_property(wanted).items()
            for group in _groups(members)
        ]
        merged = heapq.merge(*streams, key=_order, reverse=query.descending)
        return islice(merged, max(0, query.limit))

    def delete(self, series: Series, spans: Sequence[tuple[int, int]]) -> None:
        """Let go of a series' readings at some times, from the first to the last of each span."""
        for first, last in spans:
            self._connection.delete(series, first, last)

    def latest(self, series: Sequence[Series] | None = None) -> Sequence[Point]:
        """The newest reading of each series (None: of all). Slow: InfluxDB looks at every series."""
        if series is None:
            return list(self._newest("/.+/", "", None))
        return [
            point
            for property_, members in _by_property(sorted(set(series))).items()
            for group in _groups(members)
            for point in self._newest(identifier(property_), f" WHERE {_condition(group)}", set(group))
        ]

    def ping(self) -> None:
        """Raise StoreError when the store cannot be used now."""
        self._connection.query("SHOW MEASUREMENTS LIMIT 1")

    def close(self) -> None:
        """Release files and connections."""
        self._connection.close()

    def _write(self, batch: list[str]) -> None:
        try:
            self._connection.write("\n".join(batch).encode())
        except PointsRefused as fault:
            # 1.x and 2.x say how many they dropped: all of them need no halving
            dropped = _DROPPED.search(str(fault))
            if len(batch) == 1 or (dropped and int(dropped[1]) == len(batch)):
                self.refused += len(batch)
                _log.warning("points_refused", points=len(batch), first=batch[0], reason=str(fault))
                return
            # what is refused is mostly one property: side by side, it is found in few steps
            ordered = sorted(batch, key=_measurement)
            middle = len(ordered) // 2
            self._write(ordered[:middle])
            self._write(ordered[middle:])

    def _stream(self, property_: str, group: Sequence[Series], query: Query) -> Iterator[Point]:
        """Points of some series of one property, in order, page by page.

        InfluxDB sorts by time only, so a page may end among points of one time: those are left to the next
        page, which begins with that time.
        """
        bounds = {series: time_bounds(query, series) for series in group}
        low = min(first for first, _ in bounds.values())
        high = max(last for _, last in bounds.values())
        page = max(min(query.limit, _PAGE), len(group)) + 1
        order = "DESC" if query.descending else "ASC"
        while low <= high:
            rows = self._connection.query(
                f"SELECT {_COLUMNS} FROM {identifier(property_)} WHERE ({_condition(group)})"  # noqa: S608 - quoted
                f" AND time >= {low}u AND time <= {high}u ORDER BY time {order} LIMIT {page}",
                query.until_s,
            )
            points = [point for result in rows for point in _points(property_, result)]
            whole = len(points) < page
            edge = points[-1].time_us if points else low
            if not whole and points[0].time_us == edge:
                page *= 2
                continue
            inside = (
                point
                for point in points
                if (whole or point.time_us != edge)
                and point.series in bounds
                and bounds[point.series][0] <= point.time_us <= bounds[point.series][1]
            )
            yield from sorted(inside, key=_order, reverse=query.descending)
            if whole:
                return
            if query.descending:
                high = edge
            else:
                low = edge

    def _newest(self, source: str, where: str, wanted: set[Series] | None) -> Iterator[Point]:
        rows = self._connection.query(
            f'SELECT "value", "quality" FROM {source}{where}'  # noqa: S608 - quoted by the callers
            ' GROUP BY "station", "channel", "device" ORDER BY time DESC LIMIT 1'
        )
        for result in rows:
            tags = result["tags"]
            row = [*result["values"][0], tags["station"], tags["channel"], tags["device"]]
            for point in _points(unescape(result["name"]), {"values": [row]}):
                if wanted is None or point.series in wanted:
                    yield point


def _points(property_: str, result: dict[str, list[list[object]]]) -> Iterator[Point]:
    for time_us, value, quality, *tags in result["values"]:
        # somebody else's points can stand in the same database
        if isinstance(time_us, int) and isinstance(quality, int):
            station, channel, dev_eui = (unescape(str(tag)) if tag else "" for tag in tags)
            has_value = isinstance(value, int | float) and quality != Quality.MISSING
            yield Point(
                Series(station, property_, channel, dev_eui),
                time_us,
                float(value) if has_value and isinstance(value, int | float) else None,
                quality,
            )


def _condition(group: Sequence[Series]) -> str:
    return " OR ".join(f"({of_series(series)})" for series in group)


def _by_property(series: Sequence[Series]) -> dict[str, list[Series]]:
    properties = defaultdict(list)
    for row in series:
        properties[row.property].append(row)
    return properties


def _groups(series: list[Series]) -> Iterator[list[Series]]:
    for start in range(0, len(series), _CONDITIONS):
        yield series[start : start + _CONDITIONS]


def _order(point: Point) -> tuple[int, Series]:
    return point.time_us, point.series


def _measurement(line: str) -> str:
    return line.partition(" ")[0]
