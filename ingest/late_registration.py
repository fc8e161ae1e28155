"""Uplinks that were refused because the list of devices was wrong: decoded once somebody has corrected it."""

import math
import time
from collections import deque
from collections.abc import Iterable

import structlog

from devices.registry import Registry, RegistryFile
from ingest.decoding import Decoding
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
        self._waiting: deque[str] = deque()
        self._before: int | None = None
        self.accepted = 0

    @property
    def busy(self) -> bool:
        """Whether there is work now."""
        return bool(self._waiting) and time.monotonic() >= self._paused_until

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
            self._waiting.rotate(-1)
            self._before = None

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
        waiting = set(self._waiting)
        self._waiting.extend(eui for eui in dev_euis if eui not in waiting)

    def _decode_page(self) -> None:
        rows = self._journal.rejected(limit=PAGE, before=self._before, dev_eui=self._waiting[0])
        ids: list[int] = []
        accepted: list[Accepted] = []
        for row in reversed(rows):
            if row.uplink is None:
                continue
            readings = self._decoding.readings(row.uplink)
            if isinstance(readings, tuple):
                ids.append(row.id)
                accepted.append(Accepted(row.uplink, readings, keys(row.uplink)))
        self._journal.accept_refused(ids, accepted)
        self.accepted += len(ids)
        if len(rows) < PAGE:
            self._waiting.popleft()
            self._before = None
        else:
            self._before = rows[-1].id


def _differs(old: Registry, dev_eui: str, type_: str) -> bool:
    before = old.devices.get(dev_eui)
    return before is None or before.type != type_
