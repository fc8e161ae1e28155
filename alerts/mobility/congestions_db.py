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
)


def write(connection: sqlite3.Connection, congestions: Sequence[Congestion]) -> None:
    """As they are now, in their order; the same again changes nothing."""
    connection.executemany(
        "INSERT OR REPLACE INTO congestion VALUES (?, ?, ?, ?, ?)",
        [(each.id, each.segment, each.begin_us, each.end_us, each.worst) for each in congestions],
    )


def read(file: SqliteFile, from_us: int) -> tuple[Congestion, ...]:
    """Those in force or ended after `from_us`, by begin and id. Raises MobilityError."""
    with file.read() as connection:
        rows = connection.execute(
            "SELECT id, segment, begin_us, end_us, worst FROM congestion "
            "WHERE end_us IS NULL OR end_us > ? ORDER BY begin_us, id",
            (from_us,),
        ).fetchall()
    worst = {each: each for each in STATES}
    return tuple(
        Congestion(id_, segment, begin, end, worst[state]) for id_, segment, begin, end, state in rows
    )
