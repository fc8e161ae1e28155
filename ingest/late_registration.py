"""Uplinks that were refused because the list of devices was wrong: decoded once somebody has corrected it.

So are those for which the sandbox had no time when they came.
"""

import math
import time
from collections.abc import Iterable

import structlog

from devices.measurement import Rejected
from devices.registry import Registry, RegistryFile
from ingest.decoding import WAITING, Decoding, Read
from ingest.dedup import keys
from ingest.journal import Accepted, Journal

PAGE = 200
_PAUSE_S = 10.0

_log = structlog.get_logger(__name__)


class LateRegistration:
    """Watches the list of devices; decodes the refused uplinks of those that are new or of another type.

    The intake thread calls `tick` between its batches, a page of history each, so that history never holds up
    what arrives. `accepted` counts uplinks taken after all.
    """

    def __init__(self, journal: Journal, registry: RegistryFile, decoding: Decoding, poll_s: float) -> None:
        self._journal = journal
        self._registry = registry
        self._decoding = decoding
        self._poll_s = poll_s
        self._seen: Registry | None = None
        self._looked = -math.inf
        self._paused_until = -math.inf
        # DevEUI -> id before which refused messages are still to be looked at, None: all of them
        self._waiting: dict[str, int | None] = {}
        self.accepted = 0

    @property
    def busy(self) -> bool:
        """Whether there is work now."""
        return bool(self._waiting) and time.monotonic() >= self._paused_until

    def again(self, dev_eui: str) -> None:
        """Decode what was refused of this device; from the intake thread."""
        self._waiting[dev_eui] = None

    def tick(self) -> None:
        """Look at the list of devices if it is time, then decode one page. Never raises; tries again."""
        try:
            if time.monotonic() - self._looked >= self._poll_s:
                self._looked = time.monotonic()
                self._look()
            if self.busy:
                self._decode_page()
        except Exception:  # noqa: BLE001 - history must never stop what arrives now
            _log.exception("late_registration_failed", retry_s=_PAUSE_S)
            self._paused_until = time.monotonic() + _PAUSE_S
            # another device first: one damaged row must not hold up the others
            dev_euis = list(self._waiting)
            self._waiting = dict.fromkeys([*dev_euis[1:], *dev_euis[:1]])

    def _look(self) -> None:
        fault = self._registry.fault
        if self._registry.refresh():
            _log.info("devices_reloaded", devices=len(self._registry.current.devices))
        elif self._registry.fault is not fault:
            _log.warning("devices_not_reloaded", fault=str(self._registry.fault)[:1000])
        new, old = self._registry.current, self._seen
        if new is old:
            return
        if old is not None:
            self._add(eui for eui, device in new.devices.items() if _differs(old, eui, device.type))
        elif self._journal.counts().rejected:
            # the list may have changed while we were away
            self._add(new.devices)
        self._seen = new

    def _add(self, dev_euis: Iterable[str]) -> None:
        for eui in dev_euis:
            self._waiting.setdefault(eui, None)

    def _decode_page(self) -> None:
        dev_eui, before = next(iter(self._waiting.items()))
        rows = self._journal.rejected(limit=PAGE, before=before, dev_eui=dev_eui)
        readable = [(row, row.uplink) for row in rows if row.uplink is not None]
        found = self._decoding.readings_of([uplink for _, uplink in readable])
        # a sandbox may have had no time for all of them: the next page begins there
        ready = next((i for i, read in enumerate(found) if _waits(read)), len(found))
        pairs = [
            (row.id, Accepted(*read, keys(read[0])))
            for (row, _), read in zip(readable[:ready], found, strict=False)
            if not isinstance(read, Rejected)
        ]
        pairs.reverse()
        self._journal.accept_refused([id_ for id_, _ in pairs], [row for _, row in pairs])
        self.accepted += len(pairs)
        # by turns: a device whose codec is slow must not hold up the others
        del self._waiting[dev_eui]
        if ready < len(found):
            self._waiting[dev_eui] = readable[ready][0].id + 1
        elif len(rows) == PAGE:
            self._waiting[dev_eui] = rows[-1].id


def _waits(read: Read | Rejected) -> bool:
    return isinstance(read, Rejected) and read.reason == WAITING


def _differs(old: Registry, dev_eui: str, type_: str) -> bool:
    before = old.devices.get(dev_eui)
    return before is None or before.type != type_
