"""audit.db: who decided what, when and why. Entries are added, never changed, and never hold contact data."""

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from sqlite3 import Connection

import msgspec
import structlog

from alerts.errors import AuditError
from ingest.health import Health
from ingest.sqlite_file import SqliteFile

FILE = "audit.db"
"""Beside the journal."""
FIRST = "0" * 64
"""What the first entry carries for the hash of the one before."""
REMOVED = "[removed]"

_APPLICATION_ID = 0x53464155
_VERSION = 1
_COLUMNS = "seq, time_us, by, action, subject, reason, detail, previous, hash"
_SCHEMA = (
    """CREATE TABLE entries(
        seq INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, by TEXT NOT NULL, action TEXT NOT NULL,
        subject TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, previous TEXT NOT NULL,
        hash TEXT NOT NULL)""",
    # the last one too: INSERT OR REPLACE removes a row without asking the trigger of DELETE
    """CREATE TRIGGER entries_follow BEFORE INSERT ON entries
        WHEN NEW.seq IS NOT (SELECT ifnull(max(seq), 0) + 1 FROM entries)
        BEGIN SELECT raise(ABORT, 'entries of the audit log follow one another'); END""",
    """CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
        BEGIN SELECT raise(ABORT, 'entries of the audit log stay as they are'); END""",
    """CREATE TRIGGER entries_remain BEFORE DELETE ON entries
        BEGIN SELECT raise(ABORT, 'entries of the audit log are not deleted'); END""",
)
_LONGEST = {"by": 100, "action": 60, "subject": 200, "reason": 500, "detail": 2_000}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_EMAIL = re.compile(r"[^\s<>\"'(),;:@]{1,64}@[^\s<>\"'(),;:@]{1,255}")
# +49 ..., 0049 ..., or an area code with its 0; neither a date, a time, a measurement nor one of our ids
_NUMBER = re.compile(
    r"(?<!\w)(?<!\d[.,:-])(?:\+[1-9]\d{0,2}|00[1-9]\d{0,2}|\(?0[1-9]\d{1,4}\)?)(?:[ /()-]{0,3}\d){4,}"
)
_CHUNK = 1_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `time_us` µs since the epoch, UTC; `previous`: hash of the entry before, 64 hex digits."""

    seq: int
    time_us: int
    by: str
    action: str
    subject: str
    reason: str
    detail: str
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Chain:
    """How many entries, the hash of the last one, and the first one that does not fit, None if all do."""

    entries: int
    head: str
    broken_at: int | None


class AuditLog:
    """The file. Opening it raises AuditError; thread-safe.

    A decision is never refused because it cannot be noted: it stands in the journal with its name, reason and
    time as well. Then `health` says what keeps the log from being written.
    """

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._fault = ""
        self._file = SqliteFile(
            path, application_id=_APPLICATION_ID, version=_VERSION, schema=_SCHEMA, error=AuditError
        )
        try:
            broken = self.verify()
        except BaseException:
            self._file.close()
            raise
        self._broken = "" if broken is None else f"entry {broken} is not as it was written"
        if self._broken:
            _log.error("audit_chain_broken", entry=broken)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    @property
    def health(self) -> Health:
        """Not ok while it cannot be written, or when an entry has been changed behind its back."""
        told = self._fault or self._broken
        return Health(ok=not told, detail=told)

    def note(self, by: str, action: str, subject: str, reason: str, detail: str = "") -> None:
        """Add an entry: who did what to what and why.

        Takes no address and no telephone number: what looks like one is replaced before it is written. The
        hash also goes into the service's log, so that an end cut off the file leaves a trace elsewhere.
        """
        said = {"by": by, "action": action, "subject": subject, "reason": reason, "detail": detail}
        said = {name: _without_contacts(text)[: _LONGEST[name]] for name, text in said.items()}
        with self._lock:
            try:
                entry = self._append(said)
            except AuditError as fault:
                self._fault = str(fault)[:500]
                _log.error("audit_not_written", action=action, subject=subject, error=str(fault))
                return
            self._fault = ""
        _log.info("audit", seq=entry.seq, action=entry.action, subject=entry.subject, hash=entry.hash)

    def entries(self, limit: int, after: int | None = None) -> list[Entry]:
        """Newest first, on from the `seq` of the last one seen. Raises AuditError."""
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT ?",  # noqa: S608 - fixed names only
                ((1 << 62) if after is None else after, limit),
            ).fetchall()
        return [Entry(*row) for row in rows]

    def verify(self) -> int | None:
        """The `seq` of the first entry that does not fit, None where all do. Raises AuditError.

        Finds whatever was changed, taken out or put in between. Cutting off the end leaves no trace in the
        file: compare `chain().head` with what was noted elsewhere.
        """
        return self.chain().broken_at

    def chain(self) -> Chain:
        """The whole file, read through. Raises AuditError."""
        seen, previous, broken = 0, FIRST, None
        with self._file.read() as connection:
            while chunk := _after(connection, seen):
                for entry in chunk:
                    fits = (entry.seq, entry.previous, entry.hash) == (
                        seen + 1,
                        previous,
                        _hash(entry),
                    )
                    if broken is None and not fits:
                        broken = entry.seq if entry.seq == seen + 1 else seen + 1
                    seen, previous = entry.seq, entry.hash
        return Chain(seen, previous, broken)

    def _append(self, said: Mapping[str, str]) -> Entry:
        with self._file.write() as connection:
            last = connection.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
            seq, previous = last or (0, FIRST)
            entry = Entry(seq=seq + 1, time_us=self._clock(), previous=previous, hash="", **said)
            entry = replace(entry, hash=_hash(entry))
            connection.execute(
                f"INSERT INTO entries({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(entry)
            )
        return entry


def _after(connection: Connection, seq: int) -> list[Entry]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM entries WHERE seq > ? ORDER BY seq LIMIT ?",  # noqa: S608 - fixed names only
        (seq, _CHUNK),
    ).fetchall()
    return [Entry(*row) for row in rows]


def _hash(entry: Entry) -> str:
    """SHA-256 of all that an entry says, the hash before it too: a JSON array in the order of the columns."""
    return hashlib.sha256(msgspec.json.encode(astuple(entry)[:-1])).hexdigest()


def _without_contacts(text: str) -> str:
    plain = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode()).strip()
    return _NUMBER.sub(REMOVED, _EMAIL.sub(REMOVED, plain))
