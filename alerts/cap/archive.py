"""cap.db: every CAP document as it was issued, and what is handed over to the control centre.

A document that is out does not change, whatever becomes of the configuration: the first one stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from alerts.cap.document import Document
from alerts.errors import CapError
from ingest.sqlite_file import SqliteFile

HandOverStatus = Literal["pending", "sent", "failed"]

_APPLICATION_ID = 0x53464341
_VERSION = 1
_SCHEMA = (
    """CREATE TABLE documents(
        seq INTEGER PRIMARY KEY, identifier TEXT NOT NULL UNIQUE, warning TEXT NOT NULL,
        draft INTEGER NOT NULL, document BLOB NOT NULL)""",
    "CREATE INDEX documents_by_warning ON documents(warning, draft, seq)",
    """CREATE TABLE reports(
        event TEXT PRIMARY KEY, name TEXT NOT NULL, title TEXT NOT NULL, text TEXT NOT NULL,
        pdf BLOB NOT NULL, cap BLOB NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE hand_overs(
        seq INTEGER PRIMARY KEY, event TEXT NOT NULL, place TEXT NOT NULL, status TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, detail TEXT NOT NULL DEFAULT '', created_us INTEGER NOT NULL,
        ended_us INTEGER, UNIQUE(event, place))""",
    "CREATE INDEX hand_overs_pending ON hand_overs(place, seq) WHERE status = 'pending'",
)
_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(Document)


@dataclass(frozen=True, slots=True)
class Report:
    """One step of a warning for the control centre. `name` for files; `cap` b"" when there is no draft."""

    event: str
    name: str
    title: str
    text: str
    pdf: bytes
    cap: bytes


@dataclass(frozen=True, slots=True)
class HandOver:
    """One report for one place and what became of it. Times µs since the epoch, UTC."""

    event: str
    place: str
    status: HandOverStatus
    attempts: int
    detail: str
    created_us: int
    ended_us: int | None


class CapArchive:
    """The file. Methods raise CapError; thread-safe."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(
            path, application_id=_APPLICATION_ID, version=_VERSION, schema=_SCHEMA, error=CapError
        )

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def keep(self, document: Document, *, draft: bool = False) -> None:
        """A document that is issued now; one of this identifier that is there already stays."""
        with self._file.write() as connection:
            connection.execute(
                "INSERT INTO documents(identifier, warning, draft, document) VALUES(?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (document.identifier, document.warning, draft, _encode(document)),
            )

    def of(self, warning: str, *, draft: bool = False) -> list[Document]:
        """A warning's documents, oldest first."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT document FROM documents WHERE warning = ? AND draft = ? ORDER BY seq",
                (warning, draft),
            )
            return [_decoder.decode(row[0]) for row in rows]

    def document(self, identifier: str) -> Document | None:
        """One document, drafts too."""
        with self._file.read() as connection:
            row = connection.execute(
                "SELECT document FROM documents WHERE identifier = ?", (identifier,)
            ).fetchone()
        return _decoder.decode(row[0]) if row else None

    def reported(self, event: str) -> bool:
        """Whether a step has its report already."""
        with self._file.read() as connection:
            return (
                connection.execute("SELECT 1 FROM reports WHERE event = ?", (event,)).fetchone() is not None
            )

    def hand_over(self, report: Report, places: Sequence[str], now_us: int) -> None:
        """Put a report into the queue of every place, once."""
        with self._file.write() as connection:
            connection.execute(
                "INSERT INTO reports VALUES(?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (report.event, report.name, report.title, report.text, report.pdf, report.cap),
            )
            connection.executemany(
                "INSERT INTO hand_overs(event, place, status, created_us) VALUES(?, ?, 'pending', ?) "
                "ON CONFLICT DO NOTHING",
                [(report.event, place, now_us) for place in places],
            )

    def next_for(self, place: str) -> tuple[HandOver, Report] | None:
        """What a place is to be given next, in the order of the steps."""
        with self._file.read() as connection:
            row = connection.execute(
                "SELECT h.event, h.place, h.status, h.attempts, h.detail, h.created_us, h.ended_us, "
                "r.event, r.name, r.title, r.text, r.pdf, r.cap FROM hand_overs h "
                "JOIN reports r ON r.event = h.event "
                "WHERE h.status = 'pending' AND h.place = ? ORDER BY h.seq LIMIT 1",
                (place,),
            ).fetchone()
        return (HandOver(*row[:7]), Report(*row[7:])) if row else None

    def taken(self, place: str) -> set[str]:
        """The steps that a place took."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT event FROM hand_overs WHERE place = ? AND status = 'sent'", (place,)
            ).fetchall()
        return {row[0] for row in rows}

    def note(self, entry: HandOver, status: HandOverStatus, detail: str, now_us: int) -> None:
        """What became of an attempt."""
        with self._file.write() as connection:
            connection.execute(
                "UPDATE hand_overs SET status = ?, detail = ?, attempts = attempts + 1, ended_us = ? "
                "WHERE event = ? AND place = ?",
                (status, detail, None if status == "pending" else now_us, entry.event, entry.place),
            )

    def hand_overs(self, limit: int = 100) -> list[HandOver]:
        """The latest, newest first."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT event, place, status, attempts, detail, created_us, ended_us FROM hand_overs "
                "ORDER BY seq DESC LIMIT ?",
                (limit,),
            )
            return [HandOver(*row) for row in rows]
