"""The Things Stack publishes at QoS 0: what it sent while we were away is fetched from its storage.

Source: thethingsindustries.com, Storage Integration, Retrieve Messages, and the reference of
GetStoredApplicationUp. The answer is a line of JSON per uplink, oldest first as we ask for it. What had
arrived all the same is dropped by the intake like every second delivery.
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import msgspec
import structlog
import urllib3

from devices.instant import rfc3339_us
from ingest.broker import Broker, tls_context
from ingest.hand_over import Delivery, HandOver
from ingest.health import Health
from ingest.journal import Journal
from ingest.uplink import Message

OVERLAP_US = 120 * 1_000_000
"""So much before the gap is fetched as well: its clock and ours differ."""
LONGEST_US = 24 * 3_600_000_000
"""How far back when nothing is known: what the sandbox keeps."""
PAGE = 1_000
PAUSE_S = (2.0, 300.0)
_NEWEST = 5_000
_BATCH = 100
_CHUNK = 64 << 10
_MOST_LINE = 256 << 10
_CONNECT_S, _READ_S = 5.0, 30.0
_OK, _REFUSED = 200, {401, 403}
_STOP_S = 2.0
_RIGHT = "give the key of the url RIGHT_APPLICATION_TRAFFIC_READ"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """A Storage Integration. `url`: of The Things Stack's API; `key`: one that may read the traffic."""

    name: str
    url: str
    application: str
    key: str = field(repr=False)
    ca_file: Path | None = None


def storage_config(name: str, broker: Broker, url: str = "", ca_file: Path | None = None) -> StorageConfig:
    """The storage beside an MQTT server: same host, same application and key. `url` where it is elsewhere."""
    application = (broker.user or "").partition("@")[0]
    return StorageConfig(name, url or f"https://{broker.host}", application, broker.password or "", ca_file)


def newest_received_us(journal: Journal, server: str) -> int | None:
    """When the newest uplink of a network server was received, of those the journal has last."""
    uplinks = (uplink for _, uplink, _ in journal.latest_uplinks(_NEWEST))
    return next((uplink.received_us for uplink in uplinks if uplink.server == server), None)


@dataclass(slots=True)
class StorageStats:
    """Totals since the start. `uplinks`: handed over, those that had arrived before among them."""

    requests: int = 0
    failures: int = 0
    uplinks: int = 0
    gaps: int = 0


class _AwayError(Exception):
    """No usable answer, in words."""


class _Stamped(msgspec.Struct):
    received_at: str | None = None


class _Line(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


_line = msgspec.json.Decoder(_Line)
_stamped = msgspec.json.Decoder(_Stamped)


class TtsStorage:
    """Fetches what was missed after each connection, in a thread of its own, and tries until it has it.

    `newest` says when the last uplink in the journal was received, µs since the epoch, for the first gap.
    `mark` is a file that remembers a gap over a restart until it is closed.
    """

    def __init__(
        self,
        config: StorageConfig,
        sink: HandOver,
        clock: Callable[[], int],
        newest: Callable[[], int | None],
        mark: Path,
    ) -> None:
        self.name = config.name
        self.stats = StorageStats()
        self.health = Health(ok=True, detail="nothing to fetch yet")
        self._config = config
        self._sink = sink
        self._clock = clock
        self._newest = newest
        self._mark = mark
        self._opened: deque[int] = deque()
        self._from_us: int | None = None  # of the gap that is open, also where it could not be marked
        self._changed = threading.Condition()
        self._unsafe = 0
        self._stopping = threading.Event()
        self._pool = urllib3.PoolManager(
            retries=False,
            maxsize=1,
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S),
            ssl_context=tls_context(config.ca_file),
        )
        # a read that waits for the server holds the thread up for longer than stop() may take
        self._thread = threading.Thread(target=self._run, name=f"storage-{config.name}", daemon=True)

    def start(self) -> None:
        """Begin to wait for connections."""
        self._thread.start()

    def stop(self) -> None:
        """End; a gap that is open stays marked."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        self._pool.clear()
        self.health = Health(ok=False, detail="stopped")

    def connected(self, last_message_us: int) -> None:
        """A connection to the MQTT server stands. `last_message_us`: when the last before it came, or 0."""
        with self._changed:
            self._opened.append(last_message_us)
            self._changed.notify_all()

    def ack(self, delivery: Delivery) -> None:
        """Uplinks are durable. Does not block; from any thread."""
        with self._changed:
            self._unsafe -= len(delivery.messages)
            self._changed.notify_all()

    def _run(self) -> None:
        shortest_s, longest_s = PAUSE_S
        pause_s = shortest_s
        while not self._stopping.is_set():
            with self._changed:
                while not self._opened and not self._stopping.is_set():
                    self._changed.wait(1.0)
            try:
                self._close_gap()
            except Exception as fault:  # noqa: BLE001 - whatever it is: show it and try again
                if not isinstance(fault, (_AwayError, urllib3.exceptions.HTTPError, OSError)):
                    _log.exception("storage_failed", server=self.name)
                self.stats.failures += 1
                self._say(ok=False, detail=f"uplinks may be missing: {self._config.url}: {fault}"[:400])
                self._opened.append(0)  # what is marked, or else what the journal lacks
                self._stopping.wait(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                pause_s = min(pause_s * 2, longest_s)
            else:
                pause_s = shortest_s

    def _close_gap(self) -> None:
        """Fetch from the oldest thing missing on. Raises when it could not be fetched to its end."""
        opened = [self._opened.popleft() for _ in range(len(self._opened))]
        if not opened or self._stopping.is_set():
            return
        now_us = self._clock()
        starts = [each for each in (self._marked(), self._from_us) if each is not None]
        if not starts and not all(opened):
            self._from_us = now_us - LONGEST_US - OVERLAP_US  # should the journal fail now
            newest = self._newest()
            starts.append(self._from_us if newest is None else newest - OVERLAP_US)
        starts += [last_us - OVERLAP_US for last_us in opened if last_us]
        after_us = self._from_us = max(min(starts), 0)
        self._remember(after_us)
        self._say(ok=True, detail=f"fetches what came since {_rfc3339(after_us)}")
        before = self.stats.uplinks
        while True:
            count, last_us = self._fetch_page(after_us)
            if self._stopping.is_set():
                return
            if count < PAGE or last_us <= after_us:
                break
            after_us = self._from_us = last_us
            self._remember(after_us)
        self._from_us = None
        self._mark.unlink(missing_ok=True)
        self.stats.gaps += 1
        fetched = self.stats.uplinks - before
        self._say(ok=True, detail=f"complete as of {_rfc3339(now_us)}, {fetched} uplinks looked through")

    def _fetch_page(self, after_us: int) -> tuple[int, int]:
        """Uplinks after a time, durable here when this returns: how many, and when the last was received."""
        count, last_us = 0, after_us
        batch: list[Message] = []
        for text in self._lines(after_us):
            received_us = rfc3339_us(_stamped.decode(text).received_at)
            last_us = max(last_us, received_us or last_us)
            count += 1
            batch.append(Message(self.name, "storage/up", text, 1, False, self._clock()))
            if len(batch) == _BATCH:
                self._hand_over(batch)
                batch = []
        self._hand_over(batch)
        with self._changed:
            while self._unsafe and not self._stopping.is_set():
                self._changed.wait(1.0)
        return count, last_us

    def _hand_over(self, batch: list[Message]) -> None:
        if not batch:
            return
        with self._changed:
            self._unsafe += len(batch)
        if not self._sink.put(Delivery(batch, self, 0, (1,)), self._stopping):
            raise _AwayError("stopped")
        self.stats.uplinks += len(batch)

    def _lines(self, after_us: int) -> Iterator[bytes]:
        """The uplinks of an answer as JSON, one by one. Raises _AwayError for an answer that is none."""
        config = self._config
        query = urlencode({"after": _rfc3339(after_us), "order": "received_at", "limit": PAGE})
        path = f"/api/v3/as/applications/{quote(config.application)}/packages/storage/uplink_message"
        headers = {"Authorization": f"Bearer {config.key}", "Accept": "text/event-stream"}
        self.stats.requests += 1
        response = self._pool.request(
            "GET", f"{config.url}{path}?{query}", headers=headers, preload_content=False, redirect=False
        )
        try:
            if response.status != _OK:
                said = response.read(_CHUNK)[:200].decode("utf-8", "replace")
                remedy = f": {_RIGHT}" if response.status in _REFUSED else f": {said}"
                raise _AwayError(f"HTTP {response.status}{remedy}")
            rest = b""
            while chunk := response.read1(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(bytes.strip, lines):
                    yield _uplink_in(line)
                if len(rest) > _MOST_LINE or self._stopping.is_set():
                    raise _AwayError("stopped" if self._stopping.is_set() else "a line without an end")
            if rest.strip():
                yield _uplink_in(rest)
        finally:
            response.close()

    def _marked(self) -> int | None:
        with suppress(OSError, ValueError):
            return rfc3339_us(self._mark.read_text(encoding="ascii").strip())
        return None

    def _remember(self, after_us: int) -> None:
        draft = self._mark.with_suffix(".new")
        draft.write_text(_rfc3339(after_us), encoding="ascii")
        draft.replace(self._mark)

    def _say(self, *, ok: bool, detail: str) -> None:
        health = Health(ok, detail)
        if health != self.health:
            self.health = health
            (_log.info if ok else _log.warning)("storage", server=self.name, ok=ok, detail=detail)


def _uplink_in(line: bytes) -> bytes:
    try:
        found = _line.decode(line)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise _AwayError(f"no JSON of uplinks: {fault}") from fault
    if not bytes(found.result):
        raise _AwayError(f"said: {bytes(found.error)[:200].decode('utf-8', 'replace') or 'nothing'}")
    return bytes(found.result)


def _rfc3339(time_us: int) -> str:
    return (
        datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )
