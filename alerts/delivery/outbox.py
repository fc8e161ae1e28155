"""The durable way from the engine's events to the channels.

A thread turns the journal's events into deliveries, one per channel; each channel's own thread takes them
through the stages. What stands in the file of deliveries survives every end of the process.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from alerts.delivery.channel_worker import ChannelStats, ChannelWorker, Retry
from alerts.delivery.channels import AppriseSender, Channel, Sender
from alerts.delivery.deliveries import Deliveries
from alerts.delivery.delivery import DeliveryStatus, Receipt
from alerts.delivery.dispatch import Dispatch
from alerts.delivery.expansion import expanded
from alerts.delivery.gate import Gate, held
from alerts.delivery.replaced_journal import replaced
from alerts.delivery.stages import CallOff, Record, Render, RenderPayload, Select, Send, Stage
from alerts.delivery.webhook import Webhook, WebhookSender
from alerts.errors import AlertsConfigError
from alerts.event import Event, from_row
from alerts.texts.texts import Texts
from devices.errors import Fault
from ingest.health import Health
from ingest.journal import EventRow, Journal

RECEIPTS_DAYS = 90
_PAGE = 500
_POLL_S = 0.5
_FAULT_S = 1.0
_STOP_S = 1.9
_PRUNE_S = 3600.0
_DAY_US = 86_400_000_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """Deliveries by (channel, status) since the file was made, attempts by channel since the start."""

    deliveries: Mapping[tuple[str, str], int]
    attempts: Mapping[str, ChannelStats]
    unreadable: int


class Outbox:
    """Tells every channel of every step of an episode or a warning of the city that is meant for it.

    `path`: the file of deliveries, beside the journal; what is over stays there for `receipts_days`.
    `dispatch`: who of the staff hears of what, without it each channel by its own word. `gate`: of a
    stand-by, which holds back. Whatever can be wrong with the channels is found here: raises
    AlertsConfigError with every fault, DeliveriesError for the file.
    """

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        journal: Journal,
        path: Path,
        channels: Sequence[Channel],
        texts: Texts,
        clock: Callable[[], int],
        *,
        retry: Retry | None = None,
        open_sender: Callable[[Channel], Sender] | None = None,
        receipts_days: int = RECEIPTS_DAYS,
        dispatch: Dispatch | None = None,
        gate: Gate | None = None,
    ) -> None:
        senders = _opened(channels, open_sender or sender_of)
        self._journal = journal
        self._clock = clock
        self._retry = retry or Retry()
        self._kept_us = receipts_days * _DAY_US
        self._pruned = -_PRUNE_S
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._fault = Health(ok=True)
        self._unreadable = 0
        self._dispatch = dispatch or Dispatch(channels, clock)
        self.gate = gate
        self._closed: frozenset[str] | None = None
        self._begun: frozenset[str] | None = None
        self._deliveries = Deliveries(path)
        self._workers = [
            ChannelWorker(
                channel,
                self._stages(texts, channel, senders[channel.name]),
                self._deliveries,
                self._retry,
                self._stopping,
                clock,
            )
            for channel in channels
        ]
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Take up what a former run left, then follow the journal."""
        self._find_position()
        repeated = self._deliveries.recover()
        if repeated:
            _log.warning("deliveries_interrupted", count=repeated)
        self._thread.start()
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """End within 2 s, also while a call hangs; what is under way counts as interrupted."""
        self._stopping.set()
        self._woken.set()
        end = time.monotonic() + _STOP_S
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
            for worker in self._workers:
                worker.join(max(0.0, end - time.monotonic()))
        self._deliveries.close()

    def unsilence(self, silence: str) -> None:
        """A silence has ended before its time: what it holds back is looked at again."""
        self._deliveries.unsilence(silence, self._clock())
        self.wake()

    def wake(self) -> None:
        """There are new events; callable from any thread, returns at once."""
        self._woken.set()

    @property
    def health(self) -> Health:
        """Not ok when nobody can be told: the outbox itself, or every one of its channels, fails."""
        if not self._fault.ok:
            return self._fault
        sick = {name: health for name, health in self.channel_health.items() if not health.ok}
        if sick:
            detail = "; ".join(f"{name}: {each.detail}" for name, each in sick.items())
            return Health(ok=len(sick) < len(self._workers), detail=detail)
        return Health(
            ok=True, detail="" if self._workers else "no [[alerts.channel]]: nobody hears of alerts"
        )

    @property
    def channel_health(self) -> Mapping[str, Health]:
        """Each channel by its last attempt."""
        return {worker.channel.name: worker.health for worker in self._workers}

    @property
    def stats(self) -> OutboxStats:
        """Counts for the metrics."""
        return OutboxStats(
            deliveries=self._deliveries.counts(),
            attempts={worker.channel.name: worker.stats for worker in self._workers},
            unreadable=self._unreadable,
        )

    def receipts(
        self,
        limit: int = 100,
        after: tuple[int, str] | None = None,
        channel: str | None = None,
        episode: str | None = None,
        status: DeliveryStatus | None = None,
    ) -> list[Receipt]:
        """Deliveries and what became of them, newest first; `after` (seq, channel) continues a page."""
        return self._deliveries.receipts(limit, after, channel, episode, status)

    def _stages(self, texts: Texts, channel: Channel, sender: Sender) -> Sequence[Stage]:
        return (
            Select(),
            CallOff(self._deliveries),
            RenderPayload() if isinstance(channel, Webhook) else Render(texts),
            Send(self._deliveries, sender, self._clock, self._stopping),
            Record(self._deliveries, self._clock, self._stopping),
        )

    def _find_position(self) -> None:
        if replaced(self._journal, self._deliveries.position()):
            self._deliveries.rewind()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                more = self._follow()
                self._release()
                self._deliveries.expire(self._oldest_us(), self._clock())
                self._prune()
                self._fault = Health(ok=True)
            except Exception as fault:  # noqa: BLE001 - the thread survives whatever it is
                self._fault = Health(ok=False, detail=f"{type(fault).__name__}: {fault}")
                with suppress(OSError, ValueError):
                    _log.exception("outbox_failed")
                self._stopping.wait(_FAULT_S)
                continue
            if not more:
                self._woken.wait(_POLL_S)

    def _follow(self) -> bool:
        """Expand one page; True when there may be more.

        A stand-by that falls silent sends no more from now on. One that begins to speak tells what stands,
        after the journal's end has been reached: the event that says so was there before the gate opened.
        """
        if self.gate is None:
            return self._expand()
        channels = [worker.channel for worker in self._workers]
        stand, closed = self.gate.stand, self.gate.closed_to(channels)
        if self._closed is None or closed - self._closed:
            self._deliveries.hold(closed, self._clock())
        self._closed = closed if self._closed is None else self._closed | closed
        more = self._expand()
        if not more and closed != self._begun:
            speaking = [each for each in channels if each.name not in closed]
            groups = self._deliveries.tell_what_stands(speaking, stand.heard_us)
            self._closed = self._begun = closed
            for worker in self._workers:
                worker.arrived(groups)
        return more

    def _expand(self) -> bool:
        """One page of events into deliveries; True when there may be more."""
        page = self._journal.events(self._deliveries.position()[0], _PAGE)
        if not page:
            return False
        events = [(seq, event) for seq, row in page if (event := self._readable(row)) is not None]
        last, row = page[-1]
        channels = [worker.channel for worker in self._workers]
        new = expanded((last, row.id), events, channels, self._deliveries, self._dispatch)
        self._deliveries.expand(held(new, self._closed) if self._closed else new, self._clock())
        if new.entries:
            groups = {entry.new.warning.id for entry in new.entries}
            groups |= {entry.weight.incident for entry in new.entries if entry.weight}
            for worker in self._workers:
                worker.arrived(groups)
        return len(page) == _PAGE

    def _prune(self) -> None:
        """Every hour, a little at a time: the channels write to the same file."""
        now = time.monotonic()
        if now - self._pruned >= _PRUNE_S and not self._deliveries.prune(self._clock() - self._kept_us):
            self._pruned = now

    def _release(self) -> None:
        """What was held back until now goes on its way."""
        if groups := self._deliveries.release(self._clock()):
            for worker in self._workers:
                worker.arrived(groups)

    def _readable(self, row: EventRow) -> Event | None:
        try:
            return from_row(row)
        except msgspec.DecodeError as fault:
            self._unreadable += 1
            with suppress(OSError, ValueError):
                _log.error("event_unreadable", event_id=row.id, fault=str(fault))
            return None

    def _oldest_us(self) -> int:
        return self._clock() - int(self._retry.give_up_s * 1_000_000)


def sender_of(channel: Channel) -> Sender:
    """What sends to it. Raises AlertsConfigError when its address cannot work."""
    return WebhookSender(channel) if isinstance(channel, Webhook) else AppriseSender(channel)


def _opened(channels: Sequence[Channel], open_sender: Callable[[Channel], Sender]) -> dict[str, Sender]:
    faults: list[Fault] = []
    senders: dict[str, Sender] = {}
    for name, count in Counter(channel.name for channel in channels).items():
        if count > 1:
            faults.append(
                Fault("[[alerts.channel]]", name, f"{count} channels of this name", "give each its own")
            )
    for channel in channels:
        try:
            senders[channel.name] = open_sender(channel)
        except AlertsConfigError as error:
            faults += error.faults
    if faults:
        raise AlertsConfigError(*faults)
    return senders
