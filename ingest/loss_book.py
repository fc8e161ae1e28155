"""Which uplinks of registered devices arrived, 12 bytes each, in a SQLite file beside the journal: 8 days.

The journal has all that too, by time and not by device. The intake only hands its lists over; a thread of
its own writes them. What is written twice changes nothing, so after a crash the newest uplinks of the
journal are simply taken again.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from zlib import crc32

import numpy as np
import structlog

from devices.registry import Registry
from ingest.errors import JournalError
from ingest.losses import FRAME, Frames, Tally, tally
from ingest.sqlite_file import SqliteFile
from ingest.uplink import Uplink

FILE = "reception.db"
KEPT_DAYS = 8
MOST_PENDING = 200_000
_APPLICATION_ID = 0x53464C42
# a device's rows stand together, and are short enough to stand in the tree itself
_SCHEMA = (
    """CREATE TABLE frames(
        dev_eui TEXT NOT NULL, part INTEGER NOT NULL, frames BLOB NOT NULL,
        PRIMARY KEY(dev_eui, part)) WITHOUT ROWID""",
)
_PART_S = 6 * 3600
_EVERY_S = 30.0
_DAY_S = 86_400
_US = 1_000_000
_PORTION = 500
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Losses:
    """A device's last 24 hours and its last 7 days."""

    day: Tally
    week: Tally


class LossBook:
    """Takes uplinks from the intake, writes them now and then, counts when somebody asks. Thread-safe.

    `clock`: µs since the epoch. `lost`: uplinks that were missing when a later one of the device was written,
    since the start; one that comes late is not taken off. Whatever fails here holds up no uplink.
    """

    def __init__(
        self,
        path: Path,
        registry: Callable[[], Registry],
        clock: Callable[[], int],
        every_s: float = _EVERY_S,
    ) -> None:
        self._file = SqliteFile(
            path, application_id=_APPLICATION_ID, version=1, schema=_SCHEMA, error=JournalError
        )
        self._registry = registry
        self._clock = clock
        self._every_s = every_s
        self._lock = threading.Lock()
        self._pending: list[Sequence[Uplink]] = []
        self._count = 0
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="losses", daemon=True)
        self.lost = 0

    def hear(self, uplinks: Sequence[Uplink]) -> None:
        """Take uplinks; the list must not change any more."""
        with self._lock:
            self._pending.append(uplinks)
            self._count += len(uplinks)
            while self._count > MOST_PENDING and len(self._pending) > 1:
                self._count -= len(self._pending.pop(0))

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write the rest and end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def losses(self, dev_euis: Iterable[str]) -> Mapping[str, Losses]:
        """What is known of some devices, up to now; those of which nothing is are left out.

        Nothing is known while the file cannot be read.
        """
        found: dict[str, Losses] = {}
        # the thread tries again, and says what is in the way
        with suppress(JournalError):
            self.write()
        now_s = self._clock() // _US
        with suppress(JournalError), self._file.read() as connection:
            for dev_eui in dev_euis:
                frames = _read(connection, dev_eui, (now_s - 7 * _DAY_S) // _PART_S, now_s // _PART_S)
                frames = frames[frames["time_s"] > now_s - 7 * _DAY_S]
                if len(frames):
                    today = frames[frames["time_s"] > now_s - _DAY_S]
                    found[dev_eui] = Losses(tally(today), tally(frames))
        return found

    def write(self) -> None:
        """Make durable what was heard. Raises JournalError; it is tried again then."""
        with self._writing:
            with self._lock:
                pending, self._pending, self._count = self._pending, [], 0
            before = (self._clock() // _US - KEPT_DAYS * _DAY_S) // _PART_S
            try:
                fresh = sorted(self._fresh(uplink for some in pending for uplink in some).items())
                for first in range(0, len(fresh), _PORTION):
                    with self._file.write() as connection:
                        lost = 0
                        for (dev_eui, part), frames in fresh[first : first + _PORTION]:
                            lost += _add(connection, dev_eui, part, frames)
                            connection.execute(
                                "DELETE FROM frames WHERE dev_eui = ? AND part < ?", (dev_eui, before)
                            )
                    self.lost += lost
            except JournalError:
                with self._lock:
                    self._pending = pending + self._pending
                    self._count = sum(map(len, self._pending))
                raise

    def _fresh(self, uplinks: Iterable[Uplink]) -> Mapping[tuple[str, int], list[tuple[int, int, int]]]:
        """Frames by device and part of a day, of what can be counted."""
        devices, now_s = self._registry().devices, self._clock() // _US
        found: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
        for uplink in uplinks:
            session, _, unknown = uplink.session.partition("@")
            # without a counter; a mapping sets the time in the place of a session
            if uplink.dev_eui not in devices or (unknown and not uplink.f_cnt):
                continue
            time_s = min(uplink.received_us, uplink.arrived_us) // _US
            if now_s - (KEPT_DAYS - 1) * _DAY_S < time_s <= now_s + _DAY_S:
                frame = (time_s, uplink.f_cnt & 0xFFFF_FFFF, crc32(session.encode()))
                found.setdefault((uplink.dev_eui, time_s // _PART_S), []).append(frame)
        return found

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(self._every_s)
            try:
                self.write()
            except Exception:  # noqa: BLE001 - whatever it is, it is a statistic and no uplink waits for it
                _log.exception("losses_not_written")


def _read(connection: Connection, dev_eui: str, first: int, last: int) -> Frames:
    rows = connection.execute(
        "SELECT frames FROM frames WHERE dev_eui = ? AND part BETWEEN ? AND ? ORDER BY part",
        (dev_eui, first, last),
    )
    return np.frombuffer(b"".join(blob for (blob,) in rows), FRAME)


def _add(connection: Connection, dev_eui: str, part: int, more: Sequence[tuple[int, int, int]]) -> int:
    """Add frames to a part of a device's day; how many more are missing by then."""
    before = _read(connection, dev_eui, part, part)
    known = set(before.tolist())
    fresh = sorted({each for each in more if each not in known})
    if not fresh:
        return 0
    after = np.concatenate([before, np.array(fresh, FRAME)])
    connection.execute(
        "INSERT INTO frames VALUES(?, ?, ?) "
        "ON CONFLICT(dev_eui, part) DO UPDATE SET frames = excluded.frames",
        (dev_eui, part, after.tobytes()),
    )
    # a gap may begin in a part before
    row = connection.execute(
        "SELECT frames FROM frames WHERE dev_eui = ? AND part < ? ORDER BY part DESC LIMIT 1", (dev_eui, part)
    ).fetchone()
    last = np.frombuffer(row[0] if row else b"", FRAME)[-1:]
    missing = [tally(np.concatenate([last, each])).lost for each in (before, after)]
    return max(0, missing[1] - missing[0])
