"""Telling a second delivery of an uplink from a new uplink.

Two keys: what the network server calls this reception (equal when MQTT delivers again), and what the device
sent (equal when a network server, or a second one, hands out the same frame under another id). The same
session and counter with another payload is no duplicate: 16-bit counters wrap, ABP devices restart theirs.

A third key while no gateway is known of an uplink. By it a duplicate that names some (LORIOT's other half) is
told from the many that bring nothing new, without a look into the journal, also after a restart.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import islice, takewhile

from ingest.uplink import Message, Uplink

HOUR_US = 3_600_000_000
WINDOW_US = 48 * HOUR_US
MAX_KEYS = 2_000_000
"""About 180 MB; two keys an uplink, so 48 h of 20,000 uplinks an hour."""
_UNHEARD = 0x51_6E_7A_1D_0C_39_B5_27


def keys(uplink: Uplink) -> tuple[int, ...]:
    """Signed 64-bit keys: transport (where the network server gave an id), semantic, and maybe `unheard`."""
    payload = uplink.payload
    semantic = _digest(
        b"semantic",
        f"{uplink.dev_eui} {uplink.f_cnt} {uplink.f_port} {len(payload)} {uplink.session}".encode() + payload,
    )
    if not uplink.transport_id:
        return (semantic,) if uplink.gateways else (semantic, semantic ^ _UNHEARD)
    transport = _digest(b"transport", f"{uplink.server}\0{uplink.transport_id}".encode())
    return (transport, semantic) if uplink.gateways else (transport, semantic, transport ^ _UNHEARD)


def unheard(some: Sequence[int]) -> int:
    """Of an uplink's keys, the one that it has while no gateway is known of it.

    It follows the transport key: a gateway's name means something at its own network server only.
    """
    return some[0] ^ _UNHEARD


def message_keys(message: Message) -> tuple[int, ...]:
    """The key of a message in which no uplink could be found: the whole of it."""
    head = f"{len(message.server)} {len(message.topic)} {message.server}{message.topic}"
    return (_digest(b"message", head.encode("utf-8", "surrogateescape") + message.payload),)


def _digest(purpose: bytes, data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8, person=purpose).digest(), "little", signed=True)


class RecentKeys:
    """Keys of what arrived within the window; beyond `most` the oldest are forgotten early.

    Times are arrival times, µs since the epoch. A key is remembered only once its uplink is durable.
    """

    def __init__(
        self, known: Iterable[int] = (), *, now_us: int = 0, window_us: int = WINDOW_US, most: int = MAX_KEYS
    ) -> None:
        self._window_us = window_us
        self._most = most
        self._hour_us = 0
        self._arrived: dict[int, int] = {}  # oldest first, to the hour: few int objects
        self.forgotten_early = 0
        self.remember(known, now_us)

    def __len__(self) -> int:
        return len(self._arrived)

    def __contains__(self, key: int) -> bool:
        return key in self._arrived

    def seen(self, some: Iterable[int]) -> bool:
        """Whether one of an uplink's keys is known."""
        return any(key in self._arrived for key in some)

    def remember(self, some: Iterable[int], arrived_us: int) -> None:
        """Keep keys that arrived now, and let go of those whose window has passed."""
        hour_us = arrived_us - arrived_us % HOUR_US
        if hour_us != self._hour_us:
            self._hour_us = hour_us
            self._expire(hour_us - self._window_us)
        for key in some:
            self._arrived[key] = self._hour_us
        if len(self._arrived) > self._most:
            # a tenth at once: finding a dict's oldest key passes over all that were deleted before it
            oldest = list(islice(self._arrived, len(self._arrived) - self._most + self._most // 10))
            self._forget(oldest)
            self.forgotten_early += len(oldest)

    def forget(self, some: Iterable[int]) -> None:
        """Let go of some keys, known or not."""
        for key in some:
            self._arrived.pop(key, None)

    def _expire(self, before_us: int) -> None:
        self._forget([key for key, _ in takewhile(lambda item: item[1] < before_us, self._arrived.items())])

    def _forget(self, some: Iterable[int]) -> None:
        for key in some:
            del self._arrived[key]
