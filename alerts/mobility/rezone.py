"""Days and weeks of mobility.db after the city's time zone was changed.

Kept as they were they would overlap with those of the new zone, and a week would have days of both. They are
made anew from their hours, once: the file says whose days it has. What ended before the oldest hour kept
stays as it is, and where the two meet there may be part of a day that belongs to neither.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence

import structlog

from alerts.mobility import counts_db, occupancy_db
from alerts.mobility.local_time import LocalTime
from ingest.sqlite_file import SqliteFile

_Span = tuple[int, int]
_STATIONS = (
    "WITH RECURSIVE found (station) AS (SELECT min(station) FROM occupancy UNION ALL "
    "SELECT (SELECT min(station) FROM occupancy WHERE station > found.station) FROM found "
    "WHERE station IS NOT NULL) SELECT station FROM found WHERE station IS NOT NULL"
)
"""Each once, without a look at all their rows."""
_log = structlog.get_logger(__name__)


def follow_zone(file: SqliteFile, local: LocalTime) -> None:
    """Make days and weeks of another time zone those of this one. Raises MobilityError."""
    with file.write() as connection:
        # older files have none
        connection.execute(
            "CREATE TABLE IF NOT EXISTS zone (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT)"
        )
        if connection.execute("SELECT name FROM zone").fetchone() == (local.name,):
            return
        counted = [
            id_
            for (id_,) in connection.execute("SELECT id FROM site").fetchall()
            if _rezone(_Sums(connection, "total", "site", id_, counts_db.COARSER), local, weeks=True)
        ]
        stations = connection.execute(_STATIONS).fetchall()
        parked = [
            station
            for (station,) in stations
            if _rezone(
                _Sums(connection, "occupancy", "station", station, occupancy_db.COARSER), local, weeks=False
            )
        ]
        connection.execute("INSERT OR REPLACE INTO zone VALUES (1, ?)", (local.name,))
    if counted or parked:
        _log.warning("days_follow_another_time_zone", sites=len(counted), car_parks=len(parked))


class _Sums:
    """The sums of one site or car park."""

    def __init__(
        self, connection: sqlite3.Connection, table: str, column: str, key: str | int, coarser: str
    ) -> None:
        self._connection = connection
        self._key = key
        self._coarser = coarser
        self._where = f"FROM {table} WHERE {column} = ? AND level = ?"
        hours = {"total": counts_db.HOURS, "occupancy": occupancy_db.HOURS}
        self.hours = hours[table]

    def spans(self, level: int) -> Sequence[_Span]:
        """Begin and end of what is kept of a level, oldest first."""
        sql = f"SELECT begin_us, end_us {self._where} ORDER BY begin_us"
        return self._connection.execute(sql, (self._key, level)).fetchall()

    def oldest(self, level: int) -> int | None:
        """Begin of the oldest of a level."""
        sql = f"SELECT begin_us {self._where} ORDER BY begin_us LIMIT 1"
        row = self._connection.execute(sql, (self._key, level)).fetchone()
        return None if row is None else int(row[0])

    def delete(self, level: int, spans: Iterable[_Span]) -> None:
        """Take some away."""
        sql = f"DELETE {self._where} AND begin_us = ?"
        self._connection.executemany(sql, [(self._key, level, begin) for begin, _ in spans])

    def make(self, level: int, spans: Iterable[_Span]) -> None:
        """Sum some anew from the finer ones beneath them."""
        self._connection.executemany(self._coarser, [(self._key, *span, level) for span in sorted(spans)])


def _rezone(sums: _Sums, local: LocalTime, *, weeks: bool) -> bool:
    """Whether there was anything of another zone that its hours could make anew."""
    level = sums.hours + 1
    from_us = sums.oldest(sums.hours)
    if from_us is None:
        return False
    if all(local.day(begin) == (begin, end) for begin, end in sums.spans(level) if end > from_us):
        return False
    made = _replace(sums, level, local.day, [begin for begin, _ in sums.spans(sums.hours)])
    if weeks:
        _replace(sums, level + 1, local.week, [begin for begin, _ in made])
    return True


def _replace(
    sums: _Sums, level: int, span_of: Callable[[int], _Span], finer: Sequence[int]
) -> Sequence[_Span]:
    """Spans that were made, of finer ones by their begins, in place of those of another zone."""
    if not finer:
        return ()
    others = [span for span in sums.spans(level) if span_of(span[0]) != span]
    gone = [span for span in others if span[1] > finer[0]]
    sums.delete(level, gone)
    kept_until = max((end for _, end in others[: len(others) - len(gone)]), default=0)
    made = sorted({span for begin in finer if (span := span_of(begin))[0] >= kept_until})
    sums.make(level, made)
    return made
