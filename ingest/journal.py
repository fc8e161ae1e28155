"""The journal's protocol: what is durable, who has read how far, what the engine concluded.

SQLite is the default (`sqlite_journal`); a replicated journal can stand behind the same protocol.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from devices.measurement import Rejected
from ingest.errors import NoLongerRefusedError
from ingest.reading import Measured, Readings, Series
from ingest.uplink import Message, Uplink


@dataclass(frozen=True, slots=True)
class Accepted:
    """An uplink that decoded. `keys` are its 64-bit dedup keys (transport, semantic)."""

    uplink: Uplink
    readings: tuple[Measured, ...]
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that was not taken: kept raw, with its reason. `uplink` where it could be parsed."""

    message: Message
    rejected: Rejected
    keys: tuple[int, ...]
    uplink: Uplink | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """An uplink decoded anew: what now stands for its seq. The readings' seq is this one."""

    seq: int
    uplink: Uplink
    readings: Readings


@dataclass(frozen=True, slots=True)
class Heard:
    """A duplicate that names the gateways of an uplink recorded without any; `key`: its `dedup.unheard`."""

    uplink: Uplink
    key: int


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A refused message as the operator sees it; `id` grows with time."""

    id: int
    message: Message
    rejected: Rejected
    uplink: Uplink | None


@dataclass(frozen=True, slots=True)
class RefusedDevice:
    """How often messages of a device were refused for one reason; when the first and the last arrived, µs."""

    dev_eui: str
    count: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many uplinks the journal holds; `by_reason` splits the rejected ones."""

    stored: int
    rejected: int
    readings: int
    by_reason: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EventRow:
    """A conclusion of the engine, opaque to the journal. `id` is deterministic: a second one is ignored."""

    id: str
    time_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Part:
    """A reader's durable position: cursor (last seq it has done), fence, and its state pages."""

    cursor: int
    fence: int
    state: Mapping[str, bytes]


class Journal(Protocol):
    """Durable log of uplinks with independent readers. Methods raise JournalError; all are thread-safe."""

    def append(self, accepted: Sequence[Accepted], refused: Sequence[Refused] = ()) -> int:
        """Make a batch durable, all or nothing; return the last seq. Empty input is allowed."""

    def hear(self, rows: Sequence[Heard]) -> Sequence[Uplink]:
        """Add gateways to recorded uplinks that know none, stored or refused, durably, all or nothing.

        Returns those uplinks as they are now; passes over those that know some or have left the journal. No
        reader sees them again: seq, readings and keys stay.
        """

    def read(self, after: int, limit: int) -> tuple[int, Readings]:
        """Readings of about `limit` uplinks after seq `after`, in seq order, and the last seq covered."""

    def wait(self, after: int, timeout_s: float) -> bool:
        """Block until there is something after seq `after`, or the time is up; say which."""

    def last_seq(self) -> int:
        """Seq of the newest uplink, 0 when empty."""

    def series(self, start: int = 0) -> Sequence[Series]:
        """Series from number `start` on; the index is the number minus `start`."""

    def load(self, part: str) -> Part:
        """Open a reader: its position and state, and a new fence that shuts out any older holder."""

    def cursor(self, part: str) -> int:
        """Where a reader stands, without taking it over; 0 when it never was."""

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

    def events(self, after: int, limit: int) -> Sequence[tuple[int, EventRow]]:
        """Events numbered after `after`, oldest first."""

    def uplinks(
        self, after: int = 0, limit: int = 1000, dev_eui: str | None = None
    ) -> Iterator[tuple[int, Uplink, Readings]]:
        """Raw uplinks with what was read from them, oldest first."""

    def latest_uplinks(
        self, limit: int, dev_eui: str | None = None
    ) -> Sequence[tuple[int, Uplink, Readings]]:
        """The newest raw uplinks, newest first."""

    def rejected(
        self,
        limit: int = 100,
        before: int | None = None,
        dev_eui: str | None = None,
        reason: str | None = None,
    ) -> Sequence[RejectedRow]:
        """Refused messages, newest first, with an id smaller than `before`."""

    def refused_devices(self, reason: str) -> Sequence[RefusedDevice]:
        """Whose messages were refused for this reason, by DevEUI; without those nobody could parse."""

    def accept_refused(self, ids: Sequence[int], accepted: Sequence[Accepted]) -> int:
        """Turn refused messages into stored uplinks, all or nothing (a device was registered late)."""

    def refuse_anew(self, rows: Sequence[tuple[int, Rejected]]) -> None:
        """Give refused messages other reasons, by id, all or nothing; passes over those refused no longer."""

    def done(self) -> int:
        """The seq up to which every reader has gone; 0 before there is one."""

    def number(self, series: Sequence[Series]) -> Sequence[int]:
        """The numbers of some series; those that have none get one."""

    def correct(self, rows: Sequence[Corrected]) -> None:
        """Put other readings in the place of those of some uplinks, in seq order, all or nothing.

        No reader sees them who has gone past. Raises JournalError for an uplink that one has still to read;
        passes over those that have left the journal.
        """

    def note_correction(self) -> None:
        """Say that the store was corrected, to whoever keeps a copy of what it holds."""

    def corrections(self) -> int:
        """How often that was said."""

    def recent_keys(self, since_us: int) -> npt.NDArray[np.int64]:
        """Dedup keys of everything that arrived since, for the start of the service."""

    def counts(self) -> Counts:
        """Totals since the journal was made."""

    def close(self) -> None:
        """Release files and wake whoever waits."""


def newest_uplinks(journal: Journal, most: int = 10_000) -> Sequence[Uplink]:
    """The last that were accepted, oldest first. Raises JournalError."""
    after = max(journal.last_seq() - most, 0)
    return [uplink for _, uplink, _ in journal.uplinks(after, most)]


def accept_still_refused(journal: Journal, ids: Sequence[int], accepted: Sequence[Accepted]) -> int:
    """As `Journal.accept_refused`, without those that somebody else has accepted meanwhile; how many it took.

    A service and `stadtfunk reprocess` beside it take up the same messages. Raises JournalError.
    """
    with suppress(NoLongerRefusedError):
        journal.accept_refused(ids, accepted)
        return len(ids)
    taken = 0
    for number, row in zip(ids, accepted, strict=True):
        with suppress(NoLongerRefusedError):
            journal.accept_refused([number], [row])
            taken += 1
    return taken
