"""Uplinks in: parse, drop duplicates, decode, append to the journal, acknowledge. One thread does it all.

Nothing is acknowledged before the journal has it. While the journal fails (disk full), the same batch is
tried again for ever: brokers keep what is not acknowledged, the bounded hand-over holds the consumers back.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from devices.catalogue import DeviceType
from devices.measurement import Rejected, Waiting
from devices.registry import RegistryFile
from ingest.decoding import SANDBOX_S, Decoding
from ingest.dedup import WINDOW_US, RecentKeys, keys, message_keys, unheard
from ingest.device_event import DeviceEvent
from ingest.errors import IngestError
from ingest.hand_over import Delivery, HandOver
from ingest.health import Health
from ingest.intake_stats import IntakeStats, Taken
from ingest.journal import Accepted, Heard, Journal, Refused
from ingest.late_registration import LateRegistration
from ingest.network_servers import Found, Ignored
from ingest.uplink import Message, Uplink

MAX_MESSAGE_BYTES = 64 << 10
BATCH = 2_000
REGISTRY_POLL_S = 2.0
_RETRY_S = (0.5, 30.0)
_STOP_S = 1.5

_log = structlog.get_logger(__name__)

Parse = Callable[[Message], Found]
Record = Callable[[Sequence[tuple[int, DeviceEvent]]], object]
"""Keeps events of devices, each with the key of its message."""


@dataclass(frozen=True, slots=True)
class _Parsed:
    message: Message
    found: Uplink | Rejected
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Decoded:
    """`messages[i]` is what `accepted[i]` was made of."""

    messages: list[Message] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class Intake:
    """Takes messages from the hand-over (or `take`'s caller) into the journal.

    `parsers` maps the name of a network server to its `parse`. `clock` gives µs since the epoch, UTC.
    `heard` is told of every new uplink once it is durable, also of those of unknown devices, and again of one
    whose gateways are told later; `record` keeps what else network servers tell of devices. What it cannot
    keep is lost: no uplink waits for it.
    """

    def __init__(  # noqa: PLR0913 - everything it works with is given to it
        self,
        journal: Journal,
        registry: RegistryFile,
        catalogue: Mapping[str, DeviceType],
        parsers: Mapping[str, Parse],
        clock: Callable[[], int],
        *,
        hand_over: HandOver | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        registry_poll_s: float = REGISTRY_POLL_S,
        heard: Callable[[Sequence[Uplink]], object] = lambda _: None,
        record: Record = lambda _: None,
    ) -> None:
        self.hand_over = HandOver() if hand_over is None else hand_over  # an empty one is false
        self.stats = IntakeStats()
        self.decoding = Decoding(registry, catalogue)
        self.late = LateRegistration(journal, registry, self.decoding, registry_poll_s)
        self.health = Health(ok=False, detail="not started")
        self._journal = journal
        self._parsers = parsers
        self._heard = heard
        self._record = record
        self._max_message_bytes = max_message_bytes
        now_us = clock()
        self.recent = RecentKeys(journal.recent_keys(now_us - WINDOW_US).tolist(), now_us=now_us)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="intake")

    def start(self) -> None:
        """Begin to take messages from the hand-over."""
        self.health = Health(ok=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what was handed over, as far as that is quick. Stop the consumers after this.

        What a sandbox has no time for by then is durable, and decoded after the next start.
        """
        self._stopping.set()
        self.decoding.stop()
        if self._thread.ident is not None:
            self._thread.join(2.0)
        self.health = Health(ok=False, detail="stopped")

    def take(self, messages: Sequence[Message]) -> Taken:
        """Make messages durable; when this returns, they may be acknowledged.

        What a sandbox reads comes last and has a bounded time: the rest of the batch is in the journal, and
        judged, before it. What that time is not enough for becomes durable undecoded (`codec_waiting`) and is
        decoded between the next batches, and so is all of a codec that had to be stopped last time: one in an
        endless loop holds up nobody else.
        Raises JournalError when nothing, or not everything, is durable: call it again with the same messages.
        """
        parsed, ignored, events = self._parse(messages)
        fresh, halves = self._without_duplicates(parsed)
        accepted = refused = 0
        for some in self._rounds(fresh):
            decoded = self._decode(some)
            self._append(decoded)
            self._heard([each.found for each in some if isinstance(each.found, Uplink)])
            self._count(decoded)
            accepted += len(decoded.accepted)
            refused += len(decoded.refused)
        self._complete(halves)
        self._keep(events)
        duplicates = len(parsed) - len(fresh)
        self._count_messages(messages, ignored, duplicates)
        return Taken(
            accepted=accepted,
            refused=refused,
            duplicates=duplicates,
            ignored=len(ignored),
            events=len(events),
        )

    def _parse(
        self, messages: Iterable[Message]
    ) -> tuple[list[_Parsed], list[Ignored], list[tuple[int, DeviceEvent]]]:
        parsed: list[_Parsed] = []
        ignored: list[Ignored] = []
        events: list[tuple[int, DeviceEvent]] = []
        for message in messages:
            found = self._parse_one(message)
            if isinstance(found, Uplink):
                parsed.append(_Parsed(message, found, keys(found)))
            elif isinstance(found, Rejected):
                parsed.append(_Parsed(self._capped(message), found, message_keys(message)))
            elif isinstance(found, DeviceEvent):
                events.append((message_keys(message)[0], found))
            else:
                ignored.append(found)
        return parsed, ignored, events

    def _keep(self, events: Sequence[tuple[int, DeviceEvent]]) -> None:
        if not events:
            return
        try:
            self._record(events)
        except Exception as error:  # noqa: BLE001 - whatever it is, uplinks go on
            self.stats.events_lost += len(events)
            _log.error("events_lost", count=len(events), exc_info=not isinstance(error, IngestError))
        self.stats.events.update(event.kind.value for _, event in events)

    def _parse_one(self, message: Message) -> Found:
        size = len(message.payload)
        if size > self._max_message_bytes:
            return Rejected("oversized_message", f"{size} bytes, at most {self._max_message_bytes}")
        parse = self._parsers.get(message.server)
        if parse is None:
            return Rejected("unknown_network_server", message.server)
        try:
            return parse(message)
        except Exception as error:  # noqa: BLE001 - one message must not stop the others
            _log.exception("parser_error", server=message.server, topic=message.topic)
            return Rejected("parser_error", f"{type(error).__name__}: {error}"[:500])

    def _capped(self, message: Message) -> Message:
        if len(message.payload) <= self._max_message_bytes:
            return message
        return replace(message, payload=message.payload[: self._max_message_bytes])

    def _without_duplicates(self, parsed: Iterable[_Parsed]) -> tuple[list[_Parsed], list[Heard]]:
        """Those not seen before, neither in the journal's last 48 h nor earlier in this batch.

        And duplicates that name the gateways of an uplink of which the journal knows none.
        """
        fresh: list[_Parsed] = []
        here: set[int] = set()
        halves: dict[int, Heard] = {}
        for each in parsed:
            if here.isdisjoint(each.keys) and not self.recent.seen(each.keys):
                fresh.append(each)
                here.update(each.keys)
            elif isinstance(each.found, Uplink) and each.found.gateways:
                key = unheard(each.keys)
                if key in here or key in self.recent:
                    halves.setdefault(key, Heard(each.found, key))
        if not here.isdisjoint(halves):
            fresh = [_with_gateways(each, halves) for each in fresh]
        return fresh, [each for each in halves.values() if each.key not in here]

    def _complete(self, halves: Sequence[Heard]) -> None:
        """Add what other halves tell to uplinks that are recorded already. Raises JournalError."""
        if not halves:
            return
        try:
            heard = self._journal.hear(halves)
        except IngestError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, uplinks go on
            _log.exception("gateways_not_storable", uplinks=len(halves))
        else:
            self.stats.completed += len(heard)
            self._heard(heard)
        # what is found, or is not there, need not be looked for again
        self.recent.forget(each.key for each in halves)

    def _rounds(self, fresh: list[_Parsed]) -> Iterator[list[_Parsed]]:
        boxed = [isinstance(each.found, Uplink) and self.decoding.is_sandboxed(each.found) for each in fresh]
        if any(boxed):
            yield [each for each, slow in zip(fresh, boxed, strict=True) if not slow]
            yield [each for each, slow in zip(fresh, boxed, strict=True) if slow]
        else:
            yield fresh

    def _decode(self, fresh: Iterable[_Parsed]) -> _Decoded:
        decoded = _Decoded()
        readable: list[tuple[_Parsed, Uplink]] = []
        for each in fresh:
            if isinstance(each.found, Rejected):
                decoded.refused.append(Refused(each.message, each.found, each.keys))
            else:
                readable.append((each, each.found))
        found = self.decoding.readings_of([uplink for _, uplink in readable], hurry=True)
        for (each, uplink), read in zip(readable, found, strict=True):
            if isinstance(read, Rejected):
                decoded.refused.append(Refused(each.message, read, each.keys, uplink))
                if isinstance(read, Waiting):
                    self.late.again(uplink.dev_eui, read.after_s)
            else:
                decoded.messages.append(each.message)
                decoded.accepted.append(Accepted(*read, each.keys))
        return decoded

    def _append(self, decoded: _Decoded) -> None:
        if not decoded.accepted and not decoded.refused:
            return
        try:
            self._journal.append(decoded.accepted, decoded.refused)
        except IngestError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it must not stop the others
            _log.exception("batch_not_storable", accepted=len(decoded.accepted), refused=len(decoded.refused))
            self._append_one_by_one(decoded)
        else:
            self._remember((*decoded.accepted, *decoded.refused))

    def _append_one_by_one(self, decoded: _Decoded) -> None:
        """Something in the batch breaks the journal: find it, so that the rest gets through."""
        for message, row in zip(decoded.messages, decoded.accepted, strict=True):
            try:
                self._journal.append((row,))
            except IngestError:
                raise
            except Exception as error:  # noqa: BLE001 - see above
                self._refuse_unstorable(Refused(message, _not_storable(error), row.keys))
            self._remember((row,))
        for refused in decoded.refused:
            self._refuse_unstorable(refused)
            self._remember((refused,))

    def _refuse_unstorable(self, refused: Refused) -> None:
        try:
            self._journal.append((), (refused,))
        except IngestError:
            raise
        except Exception:  # noqa: BLE001 - see above
            # never seen; kept from stopping every uplink after it
            _log.exception("message_lost", topic=refused.message.topic, payload=refused.message.payload.hex())
            self.stats.lost += 1

    def _remember(self, rows: Iterable[Accepted | Refused]) -> None:
        """Only now that they are durable: until then a second delivery must not pass for a duplicate."""
        for row in rows:
            arrived_us = row.uplink.arrived_us if isinstance(row, Accepted) else row.message.arrived_us
            self.recent.remember(row.keys, arrived_us)

    def _count_messages(
        self, messages: Sequence[Message], ignored: Iterable[Ignored], duplicates: int
    ) -> None:
        stats = self.stats
        stats.batches += 1
        stats.messages += len(messages)
        stats.duplicates += duplicates
        stats.ignored.update(each.reason for each in ignored)
        stats.bytes += sum(len(message.payload) for message in messages)
        stats.qos0.update(message.server for message in messages if message.qos == 0)
        for message in messages:
            stats.last_message_us[message.server] = message.arrived_us

    def _count(self, decoded: _Decoded) -> None:
        stats = self.stats
        stats.accepted += len(decoded.accepted)
        stats.refused.update(row.rejected.reason for row in decoded.refused)
        stats.readings += sum(len(row.readings) for row in decoded.accepted)
        stats.time_sources.update(row.uplink.time_source.value for row in decoded.accepted)

    def _run(self) -> None:
        passed_over = False
        while not self._stopping.is_set():
            deliveries = self.hand_over.take(BATCH, 0.0 if self.late.busy else 0.2)
            begun = time.monotonic()
            self._settle(deliveries)
            # after a batch that took long, what has arrived meanwhile does not wait for history as well
            took_long = time.monotonic() - begun > SANDBOX_S / 2
            passed_over = took_long and len(self.hand_over) > 0 and not passed_over
            if not passed_over and not self._stopping.is_set():
                self.late.tick()
        end = time.monotonic() + _STOP_S
        while time.monotonic() < end and (deliveries := self.hand_over.take(BATCH, 0.0)):
            self._settle(deliveries)

    def _settle(self, deliveries: Sequence[Delivery]) -> None:
        messages = [message for delivery in deliveries for message in delivery.messages]
        if messages and self._take_at_last(messages):
            for delivery in deliveries:
                delivery.acknowledge()

    def _take_at_last(self, messages: Sequence[Message]) -> bool:
        """Take the messages, as often as it needs; False when stopped before they are durable."""
        pause_s, longest_s = _RETRY_S
        while True:
            try:
                self.take(messages)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be acknowledged or lost
                self.stats.journal_failures += 1
                self.health = Health(ok=False, detail=f"uplinks wait at the broker, unacknowledged: {error}")
                known = isinstance(error, IngestError)
                _log.error("journal_failed", error=str(error), retry_s=pause_s, exc_info=not known)
            else:
                if not self.health.ok:
                    self.health = Health(ok=True)
                    _log.info("journal_recovered")
                return True
            if self._stopping.wait(pause_s):
                return False
            pause_s = min(pause_s * 2, longest_s)


def _with_gateways(each: _Parsed, halves: Mapping[int, Heard]) -> _Parsed:
    """A message with the gateways that its other half, in the same batch, has told."""
    other = halves.get(unheard(each.keys))
    if other is None or not isinstance(each.found, Uplink) or each.found.gateways:
        return each
    uplink = replace(each.found, gateways=other.uplink.gateways)
    return _Parsed(each.message, uplink, keys(uplink))


def _not_storable(error: Exception) -> Rejected:
    return Rejected("not_storable", f"{type(error).__name__}: {error}"[:500])
