"""The bounded queue between the network servers' consumers and the one intake thread."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ingest.uplink import Message


class Acknowledges(Protocol):
    """Who can tell the broker that a delivery is safe here."""

    def ack(self, delivery: "Delivery") -> None:
        """Acknowledge the messages of a delivery. Does not block; may be called from any thread."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Messages that one connection to a broker brought in one go.

    `packet_ids` are those of the messages that want an acknowledgement. They mean something on `connection`
    only: the broker gives the same ids to other messages on the next one.
    """

    messages: Sequence[Message]
    consumer: Acknowledges
    connection: int
    packet_ids: Sequence[int]

    def acknowledge(self) -> None:
        """Tell the broker that these messages are durable here."""
        self.consumer.ack(self)


class HandOver:
    """First in, first out, bounded by messages and bytes; whoever puts waits when it is full.

    A single delivery is always taken, so the bound may be passed by one delivery.
    """

    def __init__(self, most_messages: int = 10_000, most_bytes: int = 32 << 20) -> None:
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._deliveries: deque[Delivery] = deque()
        self._changed = threading.Condition()
        self._messages = 0
        self._bytes = 0

    def __len__(self) -> int:
        """Messages that wait."""
        return self._messages

    def put(self, delivery: Delivery, give_up: threading.Event) -> bool:
        """Hand a delivery over; wait while there is no room, but not beyond `give_up`. Say whether."""
        with self._changed:
            while self._messages >= self._most_messages or self._bytes >= self._most_bytes:
                if give_up.is_set():
                    return False
                self._changed.wait(0.1)
            self._add(delivery)
        return True

    def offer(self, delivery: Delivery) -> bool:
        """Hand a delivery over if there is room now. Say whether."""
        with self._changed:
            if self._messages >= self._most_messages or self._bytes >= self._most_bytes:
                return False
            self._add(delivery)
        return True

    def _add(self, delivery: Delivery) -> None:
        self._deliveries.append(delivery)
        self._messages += len(delivery.messages)
        self._bytes += _bytes(delivery)
        self._changed.notify_all()

    def take(self, most: int, timeout_s: float) -> list[Delivery]:
        """Everything that waits, up to about `most` messages; wait for the first one at most `timeout_s`."""
        end = time.monotonic() + timeout_s
        taken: list[Delivery] = []
        count = 0
        with self._changed:
            while not self._deliveries:
                left = end - time.monotonic()
                if left <= 0:
                    return taken
                self._changed.wait(left)
            while self._deliveries and (not taken or count + len(self._deliveries[0].messages) <= most):
                delivery = self._deliveries.popleft()
                taken.append(delivery)
                count += len(delivery.messages)
                self._bytes -= _bytes(delivery)
            self._messages -= count
            self._changed.notify_all()
        return taken


def _bytes(delivery: Delivery) -> int:
    return sum(len(message.payload) for message in delivery.messages)
