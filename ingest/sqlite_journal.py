"""The journal in one SQLite file: a row per batch of uplinks, not per uplink; that keeps durable cheap."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from devices.measurement import Rejected
from ingest.errors import Fenced, JournalError, NoLongerRefusedError
from ingest.journal import (
    Accepted,
    Corrected,
    Counts,
    EventRow,
    Heard,
    Part,
    Refused,
    RefusedDevice,
    RejectedRow,
)
from ingest.journal_gateways import add_gateways, with_gateways
from ingest.journal_record import (
    pack_uplinks,
    unpack_keys,
    unpack_message,
    unpack_readings,
    unpack_uplinks,
)
from ingest.journal_tables import (
    APPLICATION_ID,
    BATCHES,
    LATER,
    SCHEMA,
    SERIES,
    VERSION,
    add,
    correct,
    done,
    last_seq,
    number_of,
    refuse,
    refuse_anew,
    unpack,
)
from ingest.reading import READING, Readings, Series
from ingest.sqlite_file import SqliteFile, sqlite_path
from ingest.uplink import Uplink

_BATCHES_A_PAGE = 64
_POLL_S = 0.5
# a page without a part: nobody's position, so it holds back no pruning
_CORRECTIONS = ("corrections", "store")


def open_journal(url: str) -> "SqliteJournal":
    """Journal behind a URL of the configuration. Raises JournalError."""
    try:
        return SqliteJournal(sqlite_path(url))
    except ValueError as fault:
        raise JournalError(f"[journal] url: {fault}") from fault


class SqliteJournal:
    """`ingest.journal.Journal` in one file. Several processes may hold it; each has one writer at a time."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(
            path,
            application_id=APPLICATION_ID,
            version=VERSION,
            schema=SCHEMA,
            later=LATER,
            error=JournalError,
        )
        self._grown = threading.Condition()
        self._closed = False
        self._appending = threading.Lock()
        # under `_appending`: the series table, read again when another process has changed the file
        self._numbers: dict[Series, int] = {}
        self._data_version = -1

    def append(self, accepted: Sequence[Accepted], refused: Sequence[Refused] = ()) -> int:
        """Make a batch durable, all or nothing; return the last seq. Empty input is allowed."""
        if not accepted and not refused:
            return self.last_seq()
        uplinks = pack_uplinks(row.uplink for row in accepted)
        with self._write() as (connection, numbers):
            last = add(connection, numbers, accepted, uplinks)
            refuse(connection, refused)
        self._wake()
        return last

    def hear(self, rows: Sequence[Heard]) -> Sequence[Uplink]:
        """Add gateways to recorded uplinks that know none; return those uplinks as they are now."""
        if not rows:
            return ()
        with self._file.write() as connection:
            return add_gateways(connection, rows)

    def read(self, after: int, limit: int) -> tuple[int, Readings]:
        """Readings of about `limit` uplinks after seq `after`, in seq order, and the last seq covered."""
        parts = []
        covered = after
        with self._file.read() as connection:
            for first, count, blob in connection.execute(BATCHES.format("readings"), (after, after)):
                start = max(first, after + 1)
                last = min(first + count - 1, start + limit - 1)
                if last >= start:
                    readings = unpack_readings(blob)
                    if (start, last) != (first, first + count - 1):
                        low, high = np.searchsorted(readings["seq"], (start, last + 1))
                        readings = readings[low:high]
                    parts.append(readings)
                    covered = last
                    limit -= last - start + 1
                if limit <= 0:
                    break
        return covered, np.concatenate(parts) if parts else np.empty(0, READING)

    def wait(self, after: int, timeout_s: float) -> bool:
        """Block until there is something after seq `after`, or the time is up; say which."""
        end = time.monotonic() + timeout_s
        with self._grown:
            while not self._closed:
                if self.last_seq() > after:
                    return True
                left = end - time.monotonic()
                if left <= 0:
                    break
                # another process can append, and cannot wake us
                self._grown.wait(min(left, _POLL_S))
        return False

    def last_seq(self) -> int:
        """Seq of the newest uplink, 0 when empty."""
        with self._file.read() as connection:
            return last_seq(connection)

    def series(self, start: int = 0) -> Sequence[Series]:
        """Series from number `start` on; the index is the number minus `start`."""
        with self._file.read() as connection:
            return [Series(*row) for row in connection.execute(SERIES, (start,))]

    def load(self, part: str) -> Part:
        """Open a reader: its position and state, and a new fence that shuts out any older holder."""
        with self._file.write() as connection:
            connection.execute(
                "INSERT INTO parts VALUES(?, 0, 1) ON CONFLICT(part) DO UPDATE SET fence = fence + 1", (part,)
            )
            row = connection.execute("SELECT cursor, fence FROM parts WHERE part = ?", (part,)).fetchone()
            pages = connection.execute("SELECT page, blob FROM pages WHERE part = ?", (part,)).fetchall()
        return Part(cursor=row[0], fence=row[1], state=dict(pages))

    def cursor(self, part: str) -> int:
        """Where a reader stands, without taking it over; 0 when it never was."""
        with self._file.read() as connection:
            row = connection.execute("SELECT cursor FROM parts WHERE part = ?", (part,)).fetchone()
        return row[0] if row else 0

    def commit(
        self,
        part: str,
        fence: int,
        cursor: int,
        state: Mapping[str, bytes] | None = None,
        events: Sequence[EventRow] = (),
    ) -> Sequence[EventRow]:
        """Store cursor, changed state pages and new events, all or nothing; return the events that are new.

        Raises Fenced when somebody has loaded the part since.
        """
        with self._file.write() as connection:
            held = connection.execute(
                "UPDATE parts SET cursor = ? WHERE part = ? AND fence = ?", (cursor, part, fence)
            )
            if held.rowcount != 1:
                raise Fenced(f"part {part!r} has a new owner: end this one")
            if state:
                connection.executemany(
                    "INSERT INTO pages VALUES(?, ?, ?) "
                    "ON CONFLICT(part, page) DO UPDATE SET blob = excluded.blob",
                    [(part, page, blob) for page, blob in state.items()],
                )
            return [
                event
                for event in events
                if connection.execute(
                    "INSERT INTO events(id, time_us, body) VALUES(?, ?, ?) ON CONFLICT(id) DO NOTHING",
                    (event.id, event.time_us, event.body),
                ).rowcount
                == 1
            ]

    def events(self, after: int, limit: int) -> Sequence[tuple[int, EventRow]]:
        """Events numbered after `after`, oldest first."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT number, id, time_us, body FROM events WHERE number > ? ORDER BY number LIMIT ?",
                (after, limit),
            )
            return [(number, EventRow(*rest)) for number, *rest in rows]

    def uplinks(
        self, after: int = 0, limit: int = 1000, dev_eui: str | None = None
    ) -> Iterator[tuple[int, Uplink, Readings]]:
        """Raw uplinks with what was read from them, oldest first."""
        while limit > 0:
            with self._file.read() as connection:
                page = connection.execute(
                    BATCHES.format("readings, uplinks") + " LIMIT ?", (after, after, _BATCHES_A_PAGE)
                ).fetchall()
            if not page:
                return
            for first, count, readings, uplinks in page:
                for seq, uplink, own in unpack(first, readings, uplinks, dev_eui):
                    if seq > after and limit > 0:
                        limit -= 1
                        yield seq, uplink, own
                after = first + count - 1

    def latest_uplinks(
        self, limit: int, dev_eui: str | None = None
    ) -> Sequence[tuple[int, Uplink, Readings]]:
        """The newest raw uplinks, newest first."""
        found: list[tuple[int, Uplink, Readings]] = []
        with self._file.read() as connection:
            for first, readings, uplinks in connection.execute(
                "SELECT first_seq, readings, uplinks FROM batches ORDER BY first_seq DESC"
            ):
                found.extend(reversed(list(unpack(first, readings, uplinks, dev_eui))))
                if len(found) >= limit:
                    break
        return found[:limit]

    def rejected(
        self,
        limit: int = 100,
        before: int | None = None,
        dev_eui: str | None = None,
        reason: str | None = None,
    ) -> Sequence[RejectedRow]:
        """Refused messages, newest first, with an id smaller than `before`."""
        tests: list[str] = []
        values: list[int | str] = []
        # the device alone decides where to look: a reason may have hundreds of thousands
        of_reason = "reason = ?" if dev_eui is None else "+reason = ?"
        for test, value in (("id < ?", before), ("dev_eui = ?", dev_eui), (of_reason, reason)):
            if value is not None:
                tests.append(test)
                values.append(value)
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT id, reason, detail, message, uplink FROM refused{where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - fixed words
                (*values, limit),
            ).fetchall()
        return [
            RejectedRow(
                id=number,
                message=unpack_message(message),
                rejected=Rejected(why, detail),
                uplink=unpack_uplinks(uplink)[0] if uplink is not None else None,
            )
            for number, why, detail, message, uplink in rows
        ]

    def refused_devices(self, reason: str) -> Sequence[RefusedDevice]:
        """Whose messages were refused for this reason, by DevEUI; without those nobody could parse."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT dev_eui, count(*), min(arrived_us), max(arrived_us) FROM refused "
                "WHERE reason = ? AND dev_eui > '' GROUP BY dev_eui",
                (reason,),
            )
            return [RefusedDevice(*row) for row in rows]

    def accept_refused(self, ids: Sequence[int], accepted: Sequence[Accepted]) -> int:
        """Turn refused messages into stored uplinks, all or nothing (a device was registered late).

        `accepted[i]` is what `ids[i]` became. Returns the last seq. Raises NoLongerRefusedError when somebody
        else has accepted one of them.
        """
        if len(ids) != len(accepted):
            raise ValueError(f"{len(ids)} ids for {len(accepted)} uplinks")
        if not ids:
            return self.last_seq()
        rows: list[Accepted] = []
        with self._write() as (connection, numbers):
            for number, accept in zip(ids, accepted, strict=True):
                row = connection.execute(
                    "DELETE FROM refused WHERE id = ? RETURNING reason, uplink", (number,)
                ).fetchone()
                if row is None:
                    raise NoLongerRefusedError(f"message {number} is no longer refused: read the list again")
                connection.execute("UPDATE reasons SET count = count - 1 WHERE reason = ?", row[:1])
                rows.append(with_gateways(accept, row[1]))
            connection.execute("UPDATE totals SET rejected = rejected - ?", (len(ids),))
            last = add(connection, numbers, rows, pack_uplinks(row.uplink for row in rows))
        self._wake()
        return last

    def refuse_anew(self, rows: Sequence[tuple[int, Rejected]]) -> None:
        """Give refused messages other reasons, by id, all or nothing; passes over those refused no longer."""
        if not rows:
            return
        with self._file.write() as connection:
            refuse_anew(connection, rows)

    def done(self) -> int:
        """The seq up to which every reader has gone; 0 before there is one."""
        with self._file.read() as connection:
            return done(connection)

    def number(self, series: Sequence[Series]) -> Sequence[int]:
        """The numbers of some series; those that have none get one."""
        with self._write() as (connection, numbers):
            return [number_of(connection, numbers, each) for each in series]

    def correct(self, rows: Sequence[Corrected]) -> None:
        """Put other readings in the place of those of some uplinks, in seq order, all or nothing.

        No reader sees them who has gone past. Raises JournalError for an uplink that one has still to read;
        passes over those that have left the journal.
        """
        with self._file.write() as connection:
            correct(connection, rows)

    def note_correction(self) -> None:
        """Say that the store was corrected, to whoever keeps a copy of what it holds."""
        with self._file.write() as connection:
            number = _corrections(connection) + 1
            connection.execute(
                "INSERT INTO pages VALUES(?, ?, ?) "
                "ON CONFLICT(part, page) DO UPDATE SET blob = excluded.blob",
                (*_CORRECTIONS, str(number).encode()),
            )

    def corrections(self) -> int:
        """How often that was said."""
        with self._file.read() as connection:
            return _corrections(connection)

    def recent_keys(self, since_us: int) -> npt.NDArray[np.int64]:
        """Dedup keys of everything that arrived since (whole batches: a few older ones may be among them)."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT keys FROM batches WHERE arrived_us >= ? "
                "UNION ALL SELECT keys FROM refused WHERE arrived_us >= ?",
                (since_us, since_us),
            )
            return unpack_keys(keys for (keys,) in rows)

    def counts(self) -> Counts:
        """Totals since the journal was made."""
        with self._file.read() as connection:
            # one statement, so that the parts fit together
            rows = connection.execute(
                "SELECT stored, rejected, readings, reason, count FROM totals LEFT JOIN reasons ON count > 0"
            ).fetchall()
        stored, rejected, readings = rows[0][:3]
        return Counts(
            stored=stored,
            rejected=rejected,
            readings=readings,
            by_reason={reason: count for *_, reason, count in rows if reason is not None},
        )

    def prune(self, before_us: int) -> int:
        """Forget raw batches and refused messages that arrived before; return how many uplinks went.

        Nothing goes that a reader has not done yet. Totals, series, events and state stay.
        """
        with self._file.write() as connection:
            gone = connection.execute(
                "DELETE FROM batches WHERE arrived_us < ? AND first_seq + count - 1 <= ? RETURNING count",
                (before_us, done(connection)),
            ).fetchall()
            connection.execute("DELETE FROM refused WHERE arrived_us < ?", (before_us,))
        return sum(count for (count,) in gone)

    def close(self) -> None:
        """Release files and wake whoever waits."""
        with self._grown:
            self._closed = True
            self._grown.notify_all()
        self._file.close()

    @contextmanager
    def _write(self) -> Iterator[tuple[sqlite3.Connection, MutableMapping[Series, int]]]:
        with self._appending:
            with self._file.write() as connection:
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != self._data_version:
                    rows = connection.execute(SERIES, (0,))
                    self._numbers = {Series(*row): number for number, row in enumerate(rows)}
                # until the commit has succeeded, what this adds may be rolled back
                self._data_version = -1
                yield connection, self._numbers
            self._data_version = version

    def _wake(self) -> None:
        with self._grown:
            self._grown.notify_all()


def _corrections(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT blob FROM pages WHERE part = ? AND page = ?", _CORRECTIONS).fetchone()
    return int(row[0]) if row else 0
