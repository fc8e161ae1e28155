"""What `reprocess` has to remember over an interruption: how far it is, and which points have moved."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from ingest.errors import JournalError
from ingest.reprocess_report import Report
from ingest.sqlite_file import SqliteFile

FILE = "reprocess.db"
_APPLICATION_ID = 0x53465250
_VERSION = 1
# `page_end` and `page_report` stand while a page is under way: what it ends with
_SCHEMA = (
    """CREATE TABLE runs(
        id TEXT PRIMARY KEY, basis TEXT NOT NULL, after INTEGER NOT NULL, report BLOB NOT NULL,
        page_end INTEGER, page_report BLOB) WITHOUT ROWID""",
    """CREATE TABLE moved(
        series INTEGER NOT NULL, time_us INTEGER NOT NULL, quality INTEGER, value REAL,
        PRIMARY KEY(series, time_us)) WITHOUT ROWID""",
)
_LATER = (
    """CREATE TABLE IF NOT EXISTS deleted(
        series INTEGER NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL)""",
)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Report).decode


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run is: the last seq done, and what it found; likewise of the page under way."""

    after: int
    report: Report
    page_end: int | None = None
    page_report: Report | None = None


class Moved(NamedTuple):
    """A point that decoding again has moved. `quality` None: there is no reading any more.

    `series` is the journal's number; `value` is None where the reading has none.
    """

    series: int
    time_us: int
    quality: int | None
    value: float | None


class Book:
    """One file beside the journal. Methods raise JournalError."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(
            path,
            application_id=_APPLICATION_ID,
            version=_VERSION,
            schema=_SCHEMA,
            later=_LATER,
            error=JournalError,
        )

    def open(self, run: str, basis: str, *, anew: bool = False) -> Position:
        """Where a run goes on. From the beginning: `anew`, or what it decodes with (`basis`) has changed."""
        with self._file.write() as connection:
            connection.execute("DELETE FROM runs WHERE id = ? AND (basis != ? OR ?)", (run, basis, anew))
            connection.execute(
                "INSERT INTO runs VALUES(?, ?, 0, ?, NULL, NULL) ON CONFLICT(id) DO NOTHING",
                (run, basis, _encode(Report())),
            )
            after, report, end, page = connection.execute(
                "SELECT after, report, page_end, page_report FROM runs WHERE id = ?", (run,)
            ).fetchone()
        return Position(after, _decode(report), end, _decode(page) if page is not None else None)

    def begin_page(self, run: str, end: int, report: Report, moved: Iterable[Moved]) -> None:
        """What is about to be corrected, the later last."""
        with self._file.write() as connection:
            connection.execute(
                "UPDATE runs SET page_end = ?, page_report = ? WHERE id = ?", (end, _encode(report), run)
            )
            connection.executemany(
                "INSERT INTO moved VALUES(?, ?, ?, ?) ON CONFLICT(series, time_us) "
                "DO UPDATE SET quality = excluded.quality, value = excluded.value",
                moved,
            )

    def end_page(self, run: str, end: int, report: Report) -> None:
        """It is corrected."""
        with self._file.write() as connection:
            connection.execute(
                "UPDATE runs SET after = ?, report = ?, page_end = NULL, page_report = NULL WHERE id = ?",
                (end, _encode(report), run),
            )

    def close_run(self, run: str) -> None:
        """It is done: the next one with this name begins at the beginning."""
        with self._file.write() as connection:
            connection.execute("DELETE FROM runs WHERE id = ?", (run,))

    def moved_series(self) -> Sequence[int]:
        """Numbers of the series that have points that moved."""
        with self._file.read() as connection:
            return [row[0] for row in connection.execute("SELECT DISTINCT series FROM moved")]

    def count_moved(self) -> int:
        """How many points have moved."""
        with self._file.read() as connection:
            count: int = connection.execute("SELECT count(*) FROM moved").fetchone()[0]
            return count

    def found(self, points: Sequence[Moved]) -> int:
        """Of some readings, the later last: note those that stand where a point moved; say how many do."""
        if not points:
            return 0
        with self._file.write() as connection:
            return connection.executemany(
                "UPDATE moved SET quality = ?, value = ? WHERE series = ? AND time_us = ?",
                [(each.quality, each.value, each.series, each.time_us) for each in points],
            ).rowcount

    def add(self, points: Iterable[Moved]) -> int:
        """Note points that have to be written again, the later last; say how many were not noted yet."""
        latest = {(each.series, each.time_us): each for each in points}
        if not latest:
            return 0
        with self._file.write() as connection:
            return connection.executemany(
                "INSERT INTO moved VALUES(?, ?, ?, ?) ON CONFLICT(series, time_us) DO NOTHING",
                latest.values(),
            ).rowcount

    def delete(self, series: int, spans: Iterable[tuple[int, int]]) -> None:
        """Note what the store is about to delete, from the first to the last time of each span."""
        with self._file.write() as connection:
            connection.executemany("INSERT INTO deleted VALUES(?, ?, ?)", [(series, *span) for span in spans])

    def spans(self) -> Sequence[tuple[int, int, int]]:
        """Series, first and last time of what the store was told to delete, in order."""
        with self._file.read() as connection:
            return connection.execute("SELECT * FROM deleted ORDER BY series, first_us").fetchall()

    def moved(self, size: int) -> Iterator[list[Moved]]:
        """All points that moved, by series and time, so many at once."""
        last = (-1, 0)
        while True:
            with self._file.read() as connection:
                page = [
                    Moved(*row)
                    for row in connection.execute(
                        "SELECT series, time_us, quality, value FROM moved "
                        "WHERE (series, time_us) > (?, ?) ORDER BY series, time_us LIMIT ?",
                        (*last, size),
                    )
                ]
            if not page:
                return
            yield page
            last = page[-1][:2]

    def clear_moved(self) -> None:
        """The store has followed."""
        with self._file.write() as connection:
            connection.execute("DELETE FROM moved")
            connection.execute("DELETE FROM deleted")

    def close(self) -> None:
        """Release the file."""
        self._file.close()
