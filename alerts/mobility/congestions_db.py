"""Congestions in mobility.db: one row each, written again whenever it becomes worse or ends."""

import sqlite3
from collections.abc import Sequence

from alerts.mobility.flow import STATES
from alerts.mobility.states import Congestion
from ingest.sqlite_file import SqliteFile

SCHEMA = (
    """CREATE TABLE congestion (
        id TEXT PRIMARY KEY, segment TEXT NOT NULL, begin_us INTEGER NOT NULL, end_us INTEGER,
        worst TEXT NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX congestion_begin ON congestion (begin_us, id)",
)


def write(connection: sqlite3.Connection, congestions: Sequence[Congestion]) -> None:
    """As they are now, in their order; the same again changes nothing."""
    connection.executemany(
        "INSERT OR REPLACE INTO congestion VALUES (?, ?, ?, ?, ?)",
        [(each.id, each.segment, each.begin_us, each.end_us, each.worst) for each in congestions],
    )


def purge(file: SqliteFile, before_us: int) -> None:
    """Delete those that had ended by then. Raises MobilityError."""
    old = "end_us <= ?1 AND begin_us < ?1"
    with file.read() as connection:
        found = connection.execute(f"SELECT 1 FROM congestion WHERE {old} LIMIT 1", (before_us,)).fetchone()  # noqa: S608 - a constant
    if found:
        with file.write() as connection:
            connection.execute(f"DELETE FROM congestion WHERE {old}", (before_us,))  # noqa: S608 - a constant


def read(
    file: SqliteFile, from_us: int, to_us: int, limit: int, after: tuple[int, str] | None = None
) -> tuple[Congestion, ...]:
    """Those in force or ended after `from_us` that began before `to_us`, by begin and id.

    `after`: on from the (begin_us, id) of the last one seen. Raises MobilityError.
    """
    with file.read() as connection:
        rows = connection.execute(
            "SELECT id, segment, begin_us, end_us, worst FROM congestion "
            "WHERE (end_us IS NULL OR end_us > ?1) AND begin_us < ?2 "
            "AND (?3 IS NULL OR (begin_us, id) > (?3, ?4)) ORDER BY begin_us, id LIMIT ?5",
            (from_us, to_us, *(after or (None, None)), limit),
        ).fetchall()
    worst = {each: each for each in STATES}
    return tuple(
        Congestion(id_, segment, begin, end, worst[state]) for id_, segment, begin, end, state in rows
    )
