"""Network servers without a broker: they send each message by HTTP, and hear when it is durable.

It takes the way of every message: one delivery to the hand-over, acknowledged by the intake once the journal
has it. A network server that hears nothing sends again, and the intake drops what it has.
"""

import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from ingest.hand_over import Delivery, HandOver
from ingest.health import Health
from ingest.uplink import Message

MOST_WAITING = 200
"""Requests of one network server that wait for the journal at a time."""


class NoRoom(Enum):
    """Why a message was not taken."""

    WAITING = "so many messages of this network server wait already"
    FULL = "the journal does not keep up"


@dataclass(slots=True)
class PushStats:
    """Totals since the start. `turned_away`: sent again later by a network server that repeats."""

    messages: int = 0
    bytes: int = 0
    turned_away: int = 0
    last_message_us: int = 0


class PushServer:
    """One network server that sends by HTTP. Thread-safe. `clock` gives µs since the epoch, UTC."""

    loss_window = (
        "HTTP push: none, as long as the network server sends again what was not answered with 2xx; what it "
        "does not repeat is lost while we are away."
    )

    def __init__(
        self, name: str, sink: HandOver, clock: Callable[[], int], most_waiting: int = MOST_WAITING
    ) -> None:
        self.name = name
        self.stats = PushStats()
        self._sink = sink
        self._clock = clock
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._waiting = 0
        self._numbers = itertools.count(1)

    @property
    def health(self) -> Health:
        """Whoever sends decides when: silence alone is no fault."""
        return Health(ok=True, detail=f"takes what is sent to /api/v1/uplinks/{self.name}")

    def receive(self, topic: str, payload: bytes) -> "Future[None] | NoRoom":
        """Hand a message over. The future is done when it is durable. Does not block."""
        with self._lock:
            if self._waiting >= self._most_waiting:
                self.stats.turned_away += 1
                return NoRoom.WAITING
            self._waiting += 1
            number = next(self._numbers)
        now_us = self._clock()
        done: Future[None] = Future()
        message = Message(self.name, topic, payload, 1, False, now_us)
        # in the place of a packet id: the request that wants to hear
        if not self._sink.offer(Delivery((message,), _Request(done), number, (1,))):
            self._release()
            self.stats.turned_away += 1
            return NoRoom.FULL
        done.add_done_callback(lambda _: self._release())
        self.stats.messages += 1
        self.stats.bytes += len(payload)
        self.stats.last_message_us = now_us
        return done

    def _release(self) -> None:
        with self._lock:
            self._waiting -= 1


@dataclass(frozen=True, slots=True)
class _Request:
    done: "Future[None]"

    def ack(self, _: Delivery) -> None:
        """The message is durable."""
        with suppress(InvalidStateError):  # nobody waits for it any more
            self.done.set_result(None)
