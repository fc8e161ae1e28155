"""The last events of each device, in a SQLite file beside the journal: bounded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ingest.device_event import DeviceEvent, EventKind
from ingest.errors import JournalError
from ingest.sqlite_file import SqliteFile

FILE = "device_events.db"
KEPT = 20
"""Events of one device and kind."""
MOST = 500_000
"""Events in all, about 100 MB; then the oldest go."""
_APPLICATION_ID = 0x53464445
_FIELDS = (
    "server, dev_eui, kind, time_us, arrived_us, detail, error, battery_percent, margin_db, external_power"
)
_SCHEMA = (
    """CREATE TABLE events(
        id INTEGER PRIMARY KEY AUTOINCREMENT, key INTEGER NOT NULL UNIQUE, server TEXT NOT NULL,
        dev_eui TEXT NOT NULL, kind TEXT NOT NULL, time_us INTEGER NOT NULL, arrived_us INTEGER NOT NULL,
        detail TEXT NOT NULL, error INTEGER NOT NULL, battery_percent REAL, margin_db INTEGER,
        external_power INTEGER NOT NULL)""",
    "CREATE INDEX events_by_device ON events(dev_eui, kind, id)",
    "CREATE INDEX events_by_kind ON events(kind, id)",
)


class DeviceEventLog:
    """Events as they came, the newest `kept` of each device and kind. Thread-safe; raises JournalError."""

    def __init__(self, path: Path, *, kept: int = KEPT, most: int = MOST) -> None:
        self._kept = kept
        self._most = most
        self._file = SqliteFile(
            path, application_id=_APPLICATION_ID, version=1, schema=_SCHEMA, error=JournalError
        )
        with self._file.read() as connection:
            self._count: int = connection.execute("SELECT count(*) FROM events").fetchone()[0]

    def append(self, events: Sequence[tuple[int, DeviceEvent]]) -> None:
        """Make events durable, each with the key of its message: what is there already is not added."""
        if not events:
            return
        count = self._count
        with self._file.write() as connection:
            for key, event in events:
                count += connection.execute(
                    f"INSERT OR IGNORE INTO events(key, {_FIELDS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (key, *_row(event)),
                ).rowcount
            for dev_eui, kind in {(event.dev_eui, event.kind.value) for _, event in events}:
                count -= connection.execute(
                    "DELETE FROM events WHERE dev_eui = ? AND kind = ? AND id <= "
                    "(SELECT id FROM events WHERE dev_eui = ? AND kind = ? "
                    "ORDER BY id DESC LIMIT 1 OFFSET ?)",
                    (dev_eui, kind, dev_eui, kind, self._kept),
                ).rowcount
            if count > self._most:
                # a tenth at once: not a scan with every event from then on
                count -= connection.execute(
                    "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?)",
                    (count - self._most + self._most // 10,),
                ).rowcount
        self._count = count

    def recent(
        self,
        limit: int,
        before: int | None = None,
        dev_eui: str | None = None,
        kind: EventKind | None = None,
    ) -> Sequence[tuple[int, DeviceEvent]]:
        """Events, newest first, with an id smaller than `before`."""
        tests: list[str] = []
        values: list[int | str] = []
        for test, value in (("id < ?", before), ("dev_eui = ?", dev_eui), ("kind = ?", kind)):
            if value is not None:
                tests.append(test)
                values.append(value)
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT id, {_FIELDS} FROM events{where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - fixed words
                (*values, limit),
            ).fetchall()
        return [(number, _event(row)) for number, *row in rows]

    def latest(self) -> Mapping[tuple[str, EventKind], DeviceEvent]:
        """The newest event of every device by kind; of its log, the newest error."""
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT max(id), {_FIELDS} FROM events WHERE kind <> 'log' OR error "  # noqa: S608 - fixed words
                "GROUP BY dev_eui, kind"
            ).fetchall()
        found = [_event(row) for _, *row in rows]
        return {(event.dev_eui, event.kind): event for event in found}

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _row(event: DeviceEvent) -> tuple[Any, ...]:
    return (
        event.server,
        event.dev_eui,
        event.kind.value,
        event.time_us,
        event.arrived_us,
        event.detail,
        event.error,
        event.battery_percent,
        event.margin_db,
        event.external_power,
    )


def _event(row: Sequence[Any]) -> DeviceEvent:
    server, dev_eui, kind, time_us, arrived_us, detail, error, battery, margin, external = row
    return DeviceEvent(
        server,
        dev_eui,
        EventKind(kind),
        time_us,
        arrived_us,
        detail,
        bool(error),
        battery,
        margin,
        bool(external),
    )
