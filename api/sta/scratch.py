"""A scratch instance's entities: one SQLite file with all tables, for outside conformance suites."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from api.sta.errors import StorageError
from api.sta.model import ENTITY_SETS
from api.sta.source import Scope
from api.sta.sql import Sql
from api.sta.sql_functions import install_functions
from ingest.sqlite_file import SqliteFile

FILE = "sta-scratch.db"
"""Its name, beside the journal."""
_APPLICATION_ID = 0x53465354
_VERSION = 1
_SCHEMA = ("schema.sql", "observations.sql", "scratch.sql")


class ScratchSource:
    """`EntitySource` that can be written. Raises StorageError where the file cannot be used.

    Many read at a time, each one state of everything; one writes at a time, and what was written is durable.
    """

    writable = True
    ids_follow_time = False
    limits = False
    result_ends = False

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(
            path, application_id=_APPLICATION_ID, version=_VERSION, schema=_schema(), error=StorageError
        )

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees one state of everything; for one thread, until the context ends."""
        with self._file.read() as connection:
            install_functions(connection)
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: durable when the context ends, nothing at all when it raises."""
        with self._file.write() as connection:
            yield connection

    def observations(self, _connection: sqlite3.Connection, _scope: Scope) -> Sql:
        """The table of Observations, whatever is wanted of it."""
        return Sql("observations")

    def count(self, _connection: sqlite3.Connection, _scope: Scope) -> int | None:
        """Nothing is known without counting."""
        return None

    def span(self, datastream: str) -> tuple[Sql, Sql]:
        """First begin and last end of phenomenonTime of the Datastream whose id the SQL expression is."""
        of = f"FROM observations AS s WHERE s.datastream_id = {datastream}"
        end = "coalesce(s.phenomenon_end, s.phenomenon_begin)"
        return (
            Sql(f"(SELECT s.phenomenon_begin {of} ORDER BY s.phenomenon_begin LIMIT 1)"),
            Sql(f"(SELECT {end} {of} ORDER BY {end} DESC LIMIT 1)"),
        )

    def close(self) -> None:
        """Close the file; whoever still reads finishes first."""
        self._file.close()


def _schema() -> list[str]:
    texts = [(files("api.sta") / name).read_text(encoding="utf-8") for name in _SCHEMA]
    statements = [each for text in texts for each in _statements(text)]
    return [*statements, *(f"INSERT INTO last_ids VALUES('{each}', 0)" for each in ENTITY_SETS)]


def _statements(text: str) -> Iterator[str]:
    lines: list[str] = []
    for line in text.splitlines():
        lines.append(line.partition("--")[0])
        if sqlite3.complete_statement("\n".join(lines)):
            yield "\n".join(lines)
            lines = []
