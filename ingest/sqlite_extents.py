"""How much each series of the SQLite store has and from when to when, kept while readings come and go."""

import sqlite3
import threading
import time

import structlog

from ingest.errors import StoreError
from ingest.sqlite_file import SqliteFile

_BATCH_S = 0.05
_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 60.0
_STOP_S = 5.0
_log = structlog.get_logger(__name__)


def _millisecond(time_us: str) -> str:
    """First microsecond of a time's millisecond, before 1970 too."""
    return f"({time_us} - ({time_us} % 1000 + 1000) % 1000)"


def _alone(time_us: str, series: str) -> str:
    """1 where a series has no other reading in the millisecond of a time, else 0."""
    first = _millisecond(time_us)
    return (
        f"NOT EXISTS (SELECT 1 FROM readings WHERE series = {series}"  # noqa: S608 - names of ours
        f" AND time BETWEEN {first} AND {first} + 999 AND time <> {time_us})"
    )


LATER = (
    # all three are NULL where an older file has not been counted yet; `moments` 0: no readings
    """CREATE TABLE IF NOT EXISTS extents(
        series INTEGER PRIMARY KEY, moments INTEGER, first INTEGER, last INTEGER)""",
    "INSERT OR IGNORE INTO extents(series) SELECT number FROM series",
    """CREATE TRIGGER IF NOT EXISTS series_added AFTER INSERT ON series BEGIN
        INSERT INTO extents(series, moments) VALUES(new.number, 0);
    END""",
    # what overwrites a reading is no insert to a trigger, and changes nothing here
    f"""CREATE TRIGGER IF NOT EXISTS reading_added AFTER INSERT ON readings BEGIN
        UPDATE extents SET
            first = CASE WHEN moments = 0 THEN new.time ELSE min(first, new.time) END,
            last = CASE WHEN moments = 0 THEN new.time ELSE max(last, new.time) END,
            moments = moments + CASE WHEN new.time > last + 999 THEN 1
                ELSE {_alone("new.time", "new.series")} END
        WHERE series = new.series;
    END""",  # noqa: S608 - names of ours
    f"""CREATE TRIGGER IF NOT EXISTS reading_gone AFTER DELETE ON readings BEGIN
        UPDATE extents SET
            first = CASE WHEN first = old.time
                THEN (SELECT min(time) FROM readings WHERE series = old.series) ELSE first END,
            last = CASE WHEN last = old.time
                THEN (SELECT max(time) FROM readings WHERE series = old.series) ELSE last END,
            moments = moments - {_alone("old.time", "old.series")}
        WHERE series = old.series;
    END""",  # noqa: S608 - names of ours
)
"""What every file gets when it is opened: a program that knows nothing of it keeps it true all the same."""
_COUNT = f"""UPDATE extents SET (moments, first, last) = (
        SELECT count(DISTINCT {_millisecond("time")}), min(time), max(time)
        FROM readings WHERE readings.series = extents.series)
    WHERE series = ?"""  # noqa: S608 - names of ours


class ExtentsCounter:
    """Counts what a file has from before it kept extents, in a thread of its own, a little at a time.

    Writers wait a twentieth of a second for it, or as long as one series takes.
    """

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, where there is something to count."""
        with self._file.read() as connection:
            uncounted = [
                number for (number,) in connection.execute("SELECT series FROM extents WHERE moments IS NULL")
            ]
        if uncounted:
            self._thread = threading.Thread(
                target=self._count, args=(uncounted,), name="store-count", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """End soon; what is not counted yet is counted after the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    def _count(self, uncounted: list[int]) -> None:
        pause_s = _PAUSE_S
        while uncounted and not self._stopping.wait(pause_s):
            try:
                with self._file.write() as connection:
                    done = self._some(connection, uncounted)
            except StoreError as fault:
                _log.warning("store_counting_waits", error=str(fault))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            del uncounted[len(uncounted) - done :]
            pause_s = _PAUSE_S

    def _some(self, connection: sqlite3.Connection, uncounted: list[int]) -> int:
        """How many series from the end of the list were counted."""
        end = time.monotonic() + _BATCH_S
        for done, number in enumerate(reversed(uncounted), 1):
            connection.execute(_COUNT, (number,))
            if time.monotonic() > end or self._stopping.is_set():
                return done
        return len(uncounted)
