"""A city as a source of SensorThings entities: its registry, observed properties and stored readings."""

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson

from api.sta.city_database import READINGS, CityDatabase
from api.sta.city_ids import read_observation_id
from api.sta.city_points import Ends, Loader, Wanted
from api.sta.city_relation import (
    Attached,
    Edge,
    OneSeries,
    counted,
    edge_of,
    of_all,
    of_scope,
    of_series,
    span,
)
from api.sta.city_rows import CityBuilder
from api.sta.source import Scope
from api.sta.sql import Sql, sql
from api.visibility import View
from devices.registry import Registry
from ingest.errors import StoreError
from ingest.reading import Series
from ingest.store import Attachable, Query, Store

_REST = 5.0
"""Making the tables anew takes at most one in so many seconds, unless somebody was registered or hidden."""
_NEVER = -1e9

_LATER_S = 30.0
"""Where something is public later than measured, one looks so often whether it has become public."""

Special = Callable[[View, Series], bool]


@dataclass(slots=True)
class _Snapshot:
    """The tables of one state of the city.

    `series`: those in the tables, by the journal's number; `known`: so many the journal had; `stored`: the
    store had them too; `begun`: every station had a reading; `made_s`: when the tables were ready, `took_s`:
    how long that took; `looked_s`: when they were last compared with what is public.
    """

    database: CityDatabase
    registry: Registry
    series: Mapping[int, Series]
    known: int
    stored: bool
    begun: bool
    made_s: float
    took_s: float
    looked_s: float


@dataclass(slots=True)
class _Shelf:
    """What one kind of caller sees."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    snapshot: _Snapshot | None = None


class Cities:
    """Sources for the public and for operators, each with tables of its own that follow the registry.

    `address`: where the definitions of observed properties begin, "" for URNs. `special`: which series are
    read through `View.readings`; if left out, those that a caller does not see as they are stored.
    """

    def __init__(
        self,
        address: str = "",
        *,
        special: Special | None = None,
    ) -> None:
        self._address = address
        self._is_special = special or (lambda view, series: not view.as_stored(series))
        self._always = special is not None
        self._shelves = {False: _Shelf(), True: _Shelf()}
        self._ends = {False: Ends(), True: Ends()}
        self._since: dict[tuple[bool, str], int] = {}
        self._first_seen: dict[tuple[bool, str], int] = {}

    def __call__(self, view: View) -> "CitySource":
        """The source for a caller."""
        return CitySource(self, view, self._ends[view.operator is not None])

    def has_specials(self, view: View) -> bool:
        """Whether there can be series that are read through `View.readings`."""
        return self._always or not view.all_as_stored

    def close(self) -> None:
        """Let go of the tables."""
        for shelf in self._shelves.values():
            with shelf.lock:
                snapshot, shelf.snapshot = shelf.snapshot, None
            if snapshot is not None:
                snapshot.database.close()

    def snapshot(self, view: View, store: Store) -> _Snapshot:
        """The tables as they are to be now; while others make new ones, those from before.

        A caller never waits for what it does not need: only who was registered or hidden is waited for.
        """
        shelf = self._shelves[view.operator is not None]
        current = shelf.snapshot
        if current is not None and self._is_current(current, view, store):
            return current
        must = current is None or current.registry is not view.registry
        if not shelf.lock.acquire(blocking=must):
            assert current is not None  # noqa: S101 - without one it is waited for
            return current
        try:
            before = shelf.snapshot
            if before is not None and before is not current and self._is_current(before, view, store):
                return before
            made = self._make(view, store)
            shelf.snapshot = made
            if before is not None:
                before.database.close()
            return made
        finally:
            shelf.lock.release()

    def _is_current(self, snapshot: _Snapshot, view: View, store: Store) -> bool:
        if snapshot.registry is not view.registry:
            return False
        if time.monotonic() - snapshot.made_s < snapshot.took_s * _REST and snapshot.took_s > 1 / _REST:
            return True
        if snapshot.known != len(view.book.all()):
            return False
        if not view.all_as_stored and time.monotonic() - snapshot.looked_s > _LATER_S:
            if not snapshot.begun or set(view.series()) != set(snapshot.series.values()):
                return False
            snapshot.looked_s = time.monotonic()
        return snapshot.stored or not isinstance(store, Attachable)

    def _make(self, view: View, store: Store) -> _Snapshot:
        begun = time.monotonic()
        numbers = store.numbers() if isinstance(store, Attachable) else None
        known = len(view.book.all())
        waiting: set[str] = set()
        rows = CityBuilder(
            view,
            address=self._address,
            since=self._measures_since(view, store, waiting),
            numbers=numbers,
            special=lambda series: self._is_special(view, series),
        ).rows()
        if isinstance(store, Attachable):
            database = CityDatabase(rows.tables, store.path, store.rows(READINGS))
        else:
            database = CityDatabase(rows.tables)
        now = time.monotonic()
        return _Snapshot(
            database, view.registry, rows.series, known, rows.stored, not waiting, now, now - begun, now
        )

    def _measures_since(self, view: View, store: Store, waiting: set[str]) -> Callable[[str], int]:
        """Since when stations measure, as their caller sees it: their first reading.

        Where there is none yet, since they were first asked about; such stations go into `waiting`, where
        something of them can come. What is read from an attached file as it is stored is left to the file.
        """
        staff, attached = view.operator is not None, isinstance(store, Attachable)
        by_station: dict[str, list[Series]] = {}
        for series in view.series():
            if not attached or self._is_special(view, series):
                by_station.setdefault(series.station, []).append(series)

        away = False

        def since(station: str) -> int:
            nonlocal away
            key = staff, station
            if key in self._since:
                return self._since[key]
            found = None
            if station in by_station and not away:
                query = Query(by_station[station], limit=1)
                try:
                    found = next((each.time_us for each in view.readings.query(query)), None)
                except StoreError:
                    away = True
            if found is None:
                if station in by_station:
                    waiting.add(station)
                # the moment of these tables would tell when something unseen made them anew
                return self._first_seen.setdefault(key, view.services.clock())
            self._since[key] = found
            return found

        return since


class CitySource:
    """`api.sta.source.EntitySource` of what one caller sees of a city."""

    writable = False
    ids_follow_time = True
    limits = True
    result_ends = True

    def __init__(self, cities: Cities, view: View, ends: Ends) -> None:
        self._cities = cities
        self._view = view
        self._store = store = view.stored
        self._specials = cities.has_specials(view)
        self._ends = ends
        self._requests: dict[int, tuple[_Snapshot, Loader]] = {}
        self._attached = (
            Attached(store.rows(READINGS), store.extents(READINGS)) if isinstance(store, Attachable) else None
        )

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection to one state of the tables and the readings, for one thread.

        Raises StoreError where the store had to be asked and did not answer.
        """
        snapshot, connection = self._borrow()
        faults: list[StoreError] = []
        try:
            self._prepare(snapshot, connection, faults)
            connection.execute("BEGIN")
            self._requests[id(connection)] = snapshot, Loader(connection, self._view.readings)
            yield connection
        except sqlite3.OperationalError:
            # SQLite tells only that a function has failed
            if faults:
                raise faults[0] from None
            raise
        finally:
            self._requests.pop(id(connection), None)
            snapshot.database.give_back(connection)

    def observations(self, connection: sqlite3.Connection, scope: Scope) -> Sql:
        """What to select Observations from."""
        snapshot, loader = self._requests[id(connection)]
        wanted = self._wanted(connection, snapshot, scope)
        parts = []
        if self._attached is not None:
            one = self._one_series(connection, scope)
            if one is not None:
                return of_series(self._attached.rows, one, scope)
            parts.append(self._of_scope(connection, self._attached.rows, scope, self._attached.extents))
        if wanted or self._attached is None:
            parts.append(self._of_scope(connection, loader.load(wanted, scope), scope))
        if len(parts) == 1:
            return parts[0]
        return sql("(SELECT * FROM ", parts[0], " UNION ALL SELECT * FROM ", parts[1], ")")

    def count(self, connection: sqlite3.Connection, scope: Scope) -> int | None:
        """How many Observations are in a scope of whole series; None of others, or where a store is asked."""
        whole = Scope(datastreams=scope.datastreams, features=scope.features)
        if self._attached is None or scope != whole:
            return None
        snapshot, _ = self._requests[id(connection)]
        if self._wanted(connection, snapshot, scope):
            return None
        statement = counted(self._attached, self._stored, scope)
        return int(connection.execute(statement.text, statement.parameters).fetchone()[0])

    def _of_scope(
        self, connection: sqlite3.Connection, rows: str, scope: Scope, extents: str | None = None
    ) -> Sql:
        """Of an attached store, which keeps `extents`, or of what has been loaded, which has none."""
        key, condition = ("number", "s.special = 1") if extents is None else ("stored", self._stored)
        edge = None
        if scope.limit is not None and not scope.by_id and of_all(scope):
            statement = edge_of(rows, key, condition, scope, extents)
            found = connection.execute(statement.text, statement.parameters).fetchone()
            edge = Edge(*found) if found and found[0] is not None else None
        return of_scope(rows, key, condition, scope, edge=edge, extents=extents)

    @property
    def _stored(self) -> str:
        """What holds over a row of city_series that is read from the attached store."""
        return "s.special = 0" if self._specials else "1"

    def tables(self, connection: sqlite3.Connection) -> object:
        """Which tables a connection reads: the same object as long as nothing in them changes."""
        return self._requests[id(connection)][0].database

    def datastreams(self, connection: sqlite3.Connection, numbers: Collection[int]) -> Mapping[int, int]:
        """Datastreams by the numbers of their series, of those that the caller sees."""
        rows = connection.execute(
            "SELECT number, datastream_id FROM city_series WHERE number IN (SELECT value FROM json_each(?))",
            (orjson.dumps(sorted(numbers)).decode(),),
        )
        return dict(rows.fetchall())

    def span(self, datastream: str) -> tuple[Sql, Sql]:
        """Expressions for a Datastream's first begin and last end."""
        of = f"FROM city_series AS s WHERE s.datastream_id = {datastream} AND s.special = 1"
        first, last = (
            f"(SELECT min(city_first(s.number) - s.interval_us) {of})",
            f"(SELECT max(city_last(s.number)) {of})",
        )
        if self._attached is None:
            return Sql(first), Sql(last)
        # of the others their times as they are stored may tell what is not public
        stored = span(self._attached.rows, "stored", datastream, "s.special = 0")
        if not self._specials:
            return stored
        return _either("min", first, stored[0].text), _either("max", last, stored[1].text)

    def _prepare(self, snapshot: _Snapshot, connection: sqlite3.Connection, faults: list[StoreError]) -> None:
        if self._attached is not None and not self._specials:
            return
        for name, last in (("city_first", False), ("city_last", True)):
            connection.create_function(name, 1, self._end_of(snapshot, faults, last=last))

    def _end_of(
        self, snapshot: _Snapshot, faults: list[StoreError], *, last: bool
    ) -> Callable[[int], int | None]:
        def end(number: int) -> int | None:
            try:
                return self._ends.of(self._view.readings, snapshot.series[number], last=last)
            except StoreError as fault:
                faults.append(fault)
                raise

        return end

    @staticmethod
    def _one_series(connection: sqlite3.Connection, scope: Scope) -> OneSeries | None:
        """The only series of the only Datastream in the scope, where its times are those of the readings."""
        if scope.ids is not None or scope.datastreams is None or len(scope.datastreams) != 1:
            return None
        rows = connection.execute(
            "SELECT number, stored, shape, datastream_id, feature_id, interval_us, special FROM city_series"
            " WHERE datastream_id = ? LIMIT 2",
            (scope.datastreams[0],),
        ).fetchall()
        if len(rows) != 1 or rows[0][1] is None or rows[0][5:] != (0, 0):
            return None
        return OneSeries(*rows[0][:5])

    def _wanted(self, connection: sqlite3.Connection, snapshot: _Snapshot, scope: Scope) -> Wanted:
        """Series of the scope that are read through Store.query."""
        if self._attached is not None and not self._specials:
            return {}
        conditions, parameters = ["special = 1"], []
        asked = {
            "datastream_id": scope.datastreams,
            "feature_id": scope.features,
            "number": scope.ids and [read_observation_id(each).series for each in scope.ids],
        }
        for column, wanted in asked.items():
            if wanted is not None:
                conditions.append(f"{column} IN (SELECT value FROM json_each(?))")  # noqa: S608 - columns of ours
                parameters.append(orjson.dumps(list(wanted)).decode())
        rows = connection.execute(
            f"SELECT number, interval_us FROM city_series WHERE {' AND '.join(conditions)}",  # noqa: S608 - columns of ours
            parameters,
        )
        return {snapshot.series[number]: (number, interval_us) for number, interval_us in rows}

    def _borrow(self) -> tuple[_Snapshot, sqlite3.Connection]:
        while True:
            snapshot = self._cities.snapshot(self._view, self._store)
            connection = snapshot.database.borrow()
            if connection is not None:
                return snapshot, connection


def _either(choose: str, one: str, other: str) -> Sql:
    return Sql(f"coalesce({choose}({one}, {other}), {one}, {other})")
