"""The inbox: uplinks of devices that stand in no list, gathered under their DevEUI."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from devices.catalogue import DeviceType
from devices.decoded import Frame
from devices.guess import MOST_FRAMES, Guess, Search, Unread
from devices.registry import Registry
from ingest.journal import Journal, RefusedDevice
from ingest.uplink import Uplink

REASON = "unknown_device"
_MOST_KEPT = 2_000
_BUDGET_S = 2.0


@dataclass(frozen=True, slots=True)
class Unregistered:
    """A device that sends and that nobody has registered.

    `recent`: its newest uplinks, newest first, at most MOST_FRAMES; `guesses`: the types that read all of
    them, best first, as far as there was time; `untried` types are left for a later look.
    """

    seen: RefusedDevice
    recent: tuple[Uplink, ...]
    guesses: tuple[Guess, ...]
    untried: int


@dataclass(frozen=True, slots=True)
class _Looked:
    """What is known of a device since it was heard last."""

    seen: RefusedDevice
    recent: tuple[Uplink, ...]
    types: tuple[DeviceType, ...]
    search: Search

    def told(self) -> Unregistered:
        return Unregistered(self.seen, self.recent, tuple(self.search.found), self.search.untried)


class Inbox:
    """Reads the journal; keeps what it worked out until the device is heard again or a type is another one.

    Thread-safe.

    `budget_s`: seconds after which a look takes no further step. A step is one payload and one script at the
    most, so a look takes at most that much longer; the journal is read besides.
    """

    def __init__(
        self,
        journal: Journal,
        registry: Callable[[], Registry],
        types: Mapping[str, DeviceType],
        budget_s: float = _BUDGET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._registry = registry
        self._types = types
        self._budget_s = budget_s
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, _Looked] = {}
        self._unread = Unread()

    def devices(self) -> Sequence[RefusedDevice]:
        """Those that are in no list, the one heard last first."""
        known = self._registry().devices
        found = [each for each in self._journal.refused_devices(REASON) if each.dev_eui not in known]
        return sorted(found, key=lambda each: (-each.last_us, each.dev_eui))

    def look(self, devices: Sequence[RefusedDevice]) -> list[Unregistered]:
        """What is known of some devices, in their order.

        What cannot be worked out in time is left to the next look, which goes on where this one ended. No
        script is tried before every table, so that a slow one leaves no other device without a guess.
        """
        until = self._clock() + self._budget_s
        for each in devices:
            self._look(each, until, scripts=False)
        return [self._look(each, until, scripts=True) for each in devices]

    def _look(self, seen: RefusedDevice, until: float, *, scripts: bool) -> Unregistered:
        with self._at_work(until) as mine:
            if not mine:
                return Unregistered(seen, self._recent(seen), (), len(self._types))
            kept = self._kept.get(seen.dev_eui)
            types = tuple(self._types.values())
            if kept is None or kept.seen != seen or kept.types != types:
                kept = self._begun(seen, types)
            elif not all(each.gateways for each in kept.recent):
                # their gateways may have been told since
                kept = self._kept[seen.dev_eui] = replace(kept, recent=self._recent(seen))
            kept.search.go_on(lambda: self._clock() >= until, scripts=scripts)
            return kept.told()

    @contextmanager
    def _at_work(self, until: float) -> Iterator[bool]:
        """One look at a time: two would only wait for one sandbox. False where the time is up before."""
        mine = self._lock.acquire(timeout=max(0.0, until - self._clock()))
        try:
            yield mine
        finally:
            if mine:
                self._lock.release()

    def _begun(self, seen: RefusedDevice, types: tuple[DeviceType, ...]) -> _Looked:
        recent = self._recent(seen)
        frames = [Frame(each.f_port, each.payload, each.received_us) for each in recent]
        words = {word for each in recent for word in (each.device_name, each.codec_hint)}
        fresh = _Looked(seen, recent, types, Search(frames, types, words, self._unread))
        self._kept.pop(seen.dev_eui, None)
        while len(self._kept) >= _MOST_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[seen.dev_eui] = fresh
        return fresh

    def _recent(self, seen: RefusedDevice) -> tuple[Uplink, ...]:
        rows = self._journal.rejected(MOST_FRAMES, dev_eui=seen.dev_eui, reason=REASON)
        return tuple(row.uplink for row in rows if row.uplink is not None)
