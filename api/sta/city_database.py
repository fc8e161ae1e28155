"""A city's entities in memory, for any number of threads at once."""

import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from itertools import count
from operator import itemgetter
from pathlib import Path
from typing import Any

from api.sta.city_rows import CITY_SERIES
from api.sta.sql_functions import install_functions

READINGS = "readings"
"""The schema as which a store's file is attached."""
_DISK = "win32" if os.name == "nt" else "unix"
"""Where files are: to ATTACH, what its own connection uses would be the default."""
_first = itemgetter(0)
_SINCE = """UPDATE historical_locations SET time = min(time, coalesce((
    SELECT min((SELECT r.time_us FROM {rows} AS r WHERE r.series = s.stored ORDER BY r.time_us LIMIT 1))
    FROM city_series AS s WHERE s.feature_id = thing_id AND s.special = 0), time))"""
"""A station has been where it is since its first reading. Its Thing and its feature have one id."""
_names = count()


class CityDatabase:
    """Tables of schema.sql and `city_series`, filled once. SQLite keeps them for as long as anybody reads.

    `attached`: a store's file, whose `readings` (see Attachable.rows) tell since when stations measure.
    SQLite's memdb: one copy in memory that every connection reads, each with a cache of its own.
    """

    def __init__(
        self,
        tables: Mapping[str, Sequence[Sequence[Any]]],
        attached: Path | None = None,
        readings: str | None = None,
    ) -> None:
        self._uri = f"file:/stadtfunk-sta-{os.getpid()}-{next(_names)}?vfs=memdb"
        self._attached = attached
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._keeper: sqlite3.Connection | None = self._open()
        self._keeper.executescript((files("api.sta") / "schema.sql").read_text("utf-8") + CITY_SERIES)
        self._keeper.execute("BEGIN")
        for table, rows in tables.items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                self._keeper.executemany(f"INSERT INTO {table} VALUES({marks})", sorted(rows, key=_first))
        self._keeper.execute("COMMIT")
        if readings is not None:
            self._attach(self._keeper)
            self._keeper.execute(_SINCE.format(rows=readings))
            self._keeper.execute(f"DETACH {READINGS}")

    def borrow(self) -> sqlite3.Connection | None:
        """A connection for one thread; None where the database has been closed."""
        with self._lock:
            if self._keeper is None:
                return None
            if self._idle:
                return self._idle.pop()
            # within the lock: the last connection that ends takes the database along
            connection = self._open()
        try:
            install_functions(connection)
            self._attach(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Lend it to others later."""
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        with self._lock:
            if self._keeper is not None:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """No new readers; those under way finish."""
        with self._lock:
            keeper, self._keeper = self._keeper, None
            idle, self._idle = self._idle, []
        for each in (*idle, keeper):
            if each is not None:
                each.close()

    def _attach(self, connection: sqlite3.Connection) -> None:
        if self._attached is not None:
            address = f"{self._attached.absolute().as_uri()}?mode=ro&vfs={_DISK}"
            connection.execute(f"ATTACH ? AS {READINGS}", (address,))

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._uri, uri=True, isolation_level=None, check_same_thread=False)
