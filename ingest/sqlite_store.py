"""The embedded store: one SQLite file, readings clustered by series and time."""

import heapq
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from devices.measurement import Quality
from ingest.errors import StoreError
from ingest.reading import Readings, Series
from ingest.sqlite_extents import LATER, ExtentsCounter
from ingest.sqlite_file import SqliteFile
from ingest.store import Point, Query, missing, time_bounds

_APPLICATION_ID = 0x53465231
_VERSION = 1
_SCHEMA = (
    """CREATE TABLE series(
        number INTEGER PRIMARY KEY, station TEXT NOT NULL, property TEXT NOT NULL, channel TEXT NOT NULL,
        dev_eui TEXT NOT NULL, UNIQUE(station, property, channel, dev_eui))""",
    """CREATE TABLE readings(
        series INTEGER NOT NULL, time INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,
        PRIMARY KEY(series, time)) WITHOUT ROWID""",
)
_UPSERT = """INSERT INTO readings VALUES(?, ?, ?, ?)
    ON CONFLICT(series, time) DO UPDATE SET value = excluded.value, quality = excluded.quality"""
_RANGE = (
    "SELECT time, ?, value, quality FROM readings WHERE series = ? AND time BETWEEN ? AND ? ORDER BY time"
)
# one seek to the end of each series' range: never wrong about late readings, no second table to keep
_LATEST = """SELECT number, time, value, quality
    FROM series CROSS JOIN readings ON series = number
    WHERE time = (SELECT max(time) FROM readings WHERE series = number)"""
_CHUNK = 5000


class SqliteStore:
    """`ingest.store.Store` in one file.

    synchronous=FULL, although a lost write could be repeated: the writer's cursor in the journal moves on as
    soon as `write` returns, so what it returned for has to be on the disk. One sync per batch of thousands.
    """

    refused = 0

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SqliteFile(
            path,
            application_id=_APPLICATION_ID,
            version=_VERSION,
            schema=_SCHEMA,
            later=LATER,
            error=StoreError,
        )
        self._counter = ExtentsCounter(self._file)
        self._counter.start()
        # only what is committed stands here; series are never renumbered
        self._numbers: dict[Series, int] = {}

    def write(self, series: Sequence[Series], readings: Readings) -> None:
        """Make readings durable; `series[i]` is what number i in the readings stands for."""
        if not len(readings):
            return
        theirs, inverse = np.unique(readings["series"], return_inverse=True)
        without = missing(readings)
        # SQLite stores a NaN as NULL
        values = np.where(without, np.nan, readings["value"])
        quality = np.where(without, Quality.MISSING, readings["quality"])
        with self._file.write() as connection:
            found = [series[number] for number in theirs]
            ours = [self._number(connection, row) for row in found]
            numbers = np.array(ours, np.int64)[inverse]
            rows = zip(
                numbers.tolist(), readings["time_us"].tolist(), values.tolist(), quality.tolist(), strict=True
            )
            connection.executemany(_UPSERT, rows)
        self._numbers.update(zip(found, ours, strict=True))

    def query(self, query: Query) -> Iterator[Point]:
        """Readings in the order the query asks for, streamed."""
        left = query.limit
        while left > 0:
            # a chunk at a time: a slow consumer must not hold a snapshot that keeps the WAL growing
            size = min(left, max(_CHUNK, 10 * len(query.series)))
            chunk = self._chunk(query, size)
            yield from chunk
            left -= len(chunk)
            if len(chunk) < size:
                return
            query = replace(query, after=(chunk[-1].time_us, chunk[-1].series))

    def delete(self, series: Series, spans: Sequence[tuple[int, int]]) -> None:
        """Let go of a series' readings at some times, from the first to the last of each span."""
        with self._file.write() as connection:
            number = self._known(connection, series)
            connection.executemany(
                "DELETE FROM readings WHERE series = ? AND time BETWEEN ? AND ?",
                [(number, first, last) for first, last in spans],
            )

    def latest(self, series: Sequence[Series] | None = None) -> Sequence[Point]:
        """The newest reading of each series (None: of all)."""
        with self._file.read() as connection:
            if series is None:
                rows = connection.execute(_LATEST).fetchall()
                names = self._names(connection, {row[0] for row in rows})
            else:
                names = {self._known(connection, row): row for row in series}
                rows = [
                    row
                    for number in names
                    for row in connection.execute(_LATEST + " AND number = ?", (number,))
                ]
        return [Point(names[number], time, value, quality) for number, time, value, quality in rows]

    def rows(self, schema: str) -> str:
        """What to select readings from where the file is attached as `schema` (see `Attachable`)."""
        return f"(SELECT series, time AS time_us, value, quality FROM {schema}.readings)"  # noqa: S608 - the caller's own name

    def extents(self, schema: str) -> str:
        """How much each series has, where the file is attached as `schema` (see `Attachable`)."""
        return f"(SELECT series, moments, first AS first_us, last AS last_us FROM {schema}.extents)"  # noqa: S608 - the caller's own name

    def numbers(self) -> Mapping[Series, int]:
        """The number that stands for each series in `rows`."""
        with self._file.read() as connection:
            known = connection.execute("SELECT count(*) FROM series").fetchone()[0]
            if known != len(self._numbers):
                self._names(connection, {-1})
        return self._numbers.copy()

    def ping(self) -> None:
        """Raise StoreError when the store cannot be used now."""
        with self._file.read() as connection:
            connection.execute("SELECT number FROM series LIMIT 1").fetchone()

    def close(self) -> None:
        """Release files and connections."""
        self._counter.stop()
        self._file.close()

    def _chunk(self, query: Query, size: int) -> list[Point]:
        wanted = sorted(set(query.series))
        order = "DESC" if query.descending else "ASC"
        with self._file.read() as connection:
            cursors = []
            for rank, series in enumerate(wanted):
                number = self._known(connection, series)
                if number is not None:
                    low, high = time_bounds(query, series)
                    cursors.append(
                        connection.execute(f"{_RANGE} {order} LIMIT ?", (rank, number, low, high, size))
                    )
            merged = cursors[0] if len(cursors) == 1 else heapq.merge(*cursors, reverse=query.descending)
            rows = islice(merged, size)
            return [Point(wanted[rank], time, value, quality) for time, rank, value, quality in rows]

    def _names(self, connection: sqlite3.Connection, numbers: set[int]) -> dict[int | None, Series]:
        names: dict[int | None, Series] = {number: series for series, number in self._numbers.copy().items()}
        if not numbers <= names.keys():
            for number, *row in connection.execute(
                "SELECT number, station, property, channel, dev_eui FROM series"
            ):
                names[number] = Series(*row)
                self._numbers[names[number]] = number
        return names

    def _known(self, connection: sqlite3.Connection, series: Series) -> int | None:
        number = self._numbers.get(series)
        if number is None:
            row = connection.execute(
                "SELECT number FROM series "
                "WHERE station = ? AND property = ? AND channel = ? AND dev_eui = ?",
                (series.station, series.property, series.channel, series.dev_eui),
            ).fetchone()
            number = row[0] if row else None
        return number

    def _number(self, connection: sqlite3.Connection, series: Series) -> int:
        number = self._known(connection, series)
        if number is None:
            number = connection.execute(
                "INSERT INTO series(station, property, channel, dev_eui) VALUES(?, ?, ?, ?) RETURNING number",
                (series.station, series.property, series.channel, series.dev_eui),
            ).fetchone()[0]
        return number
