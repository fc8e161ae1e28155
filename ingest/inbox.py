"""The inbox: uplinks of devices that stand in no list, gathered under their DevEUI."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from devices.catalogue import DeviceType
from devices.decoded import Frame
from devices.guess import MOST_FRAMES, Guess, guess
from devices.registry import Registry
from ingest.journal import Journal, RefusedDevice
from ingest.uplink import Uplink

REASON = "unknown_device"
_MOST_KEPT = 2_000


@dataclass(frozen=True, slots=True)
class Unregistered:
    """A device that sends and that nobody has registered.

    `recent`: its newest uplinks, newest first, at most MOST_FRAMES; `guesses`: the types that read all of
    them, best first.
    """

    seen: RefusedDevice
    recent: tuple[Uplink, ...]
    guesses: tuple[Guess, ...]


class Inbox:
    """Reads the journal; keeps what it worked out until the device is heard again. Thread-safe."""

    def __init__(
        self, journal: Journal, registry: Callable[[], Registry], types: Mapping[str, DeviceType]
    ) -> None:
        self._journal = journal
        self._registry = registry
        self._types = types
        self._lock = threading.Lock()
        self._kept: dict[str, Unregistered] = {}

    def devices(self) -> Sequence[RefusedDevice]:
        """Those that are in no list, the one heard last first."""
        known = self._registry().devices
        found = [each for each in self._journal.refused_devices(REASON) if each.dev_eui not in known]
        return sorted(found, key=lambda each: (-each.last_us, each.dev_eui))

    def look(self, seen: RefusedDevice) -> Unregistered:
        """All that is known of a device."""
        with self._lock:
            kept = self._kept.get(seen.dev_eui)
        if kept is not None and kept.seen == seen:
            return kept
        rows = self._journal.rejected(MOST_FRAMES, dev_eui=seen.dev_eui, reason=REASON)
        recent = tuple(row.uplink for row in rows if row.uplink is not None)
        frames = [Frame(each.f_port, each.payload, each.received_us) for each in recent]
        words = {word for each in recent for word in (each.device_name, each.codec_hint)}
        fresh = Unregistered(seen, recent, tuple(guess(frames, self._types.values(), words)))
        with self._lock:
            while len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[seen.dev_eui] = fresh
        return fresh
