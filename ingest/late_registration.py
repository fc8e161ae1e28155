"""Uplinks that were refused because the list of devices was wrong: decoded once somebody has corrected it.

Or because a codec was: decoded once another version of it is in force.

So are those whose codec could not be asked when they came: no time, no worker, held back for what another
uplink did. They wait in the journal, refused as `codec_waiting`.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog

from devices.javascript.codec import WAITING
from devices.measurement import Rejected, Waiting
from devices.registry import Registry, RegistryFile
from ingest.decoding import KILLED, Decoding, Read, no_time
from ingest.dedup import keys
from ingest.journal import Accepted, Journal, RejectedRow, accept_still_refused

PAGE = 200
_PAUSE_S = 10.0
_HELD_S = (1.0, 60.0)

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Walk:
    """On the way through what was refused of a device, newest first.

    `reason`: only that; `before`: the id before which it goes on, None: the beginning; `decoded`: whether it
    has come upon an answer; `after_s`: seconds after which the first of those held back is worth a try.
    """

    reason: str | None = None
    before: int | None = None
    decoded: bool = False
    after_s: float = math.inf


@dataclass(slots=True)
class _Sleep:
    """Until when nothing of a device is tried, by time.monotonic, and how long the last pause was."""

    until: float
    pause_s: float = 0.0


class LateRegistration:
    """Watches the list of devices; decodes the refused uplinks of those that are new or of another type.

    And of those whose type has another version: with the registry's next snapshot it is seen.

    The intake thread calls `tick` between its batches, a page of history each, so that history never holds up
    what arrives. `accepted` counts uplinks taken after all.
    """

    def __init__(self, journal: Journal, registry: RegistryFile, decoding: Decoding, poll_s: float) -> None:
        self._journal = journal
        self._registry = registry
        self._decoding = decoding
        self._poll_s = poll_s
        self._seen: Registry | None = None
        self._versions: dict[str, str] = {}
        self._looked = -math.inf
        self._paused_until = -math.inf
        # by DevEUI, whose turn it is first
        self._walks: dict[str, _Walk] = {}
        self._sleeping: dict[str, _Sleep] = {}
        self._quickest = False
        self.accepted = 0

    @property
    def busy(self) -> bool:
        """Whether there is work now."""
        now = time.monotonic()
        if now < self._paused_until:
            return False
        return bool(self._walks) or any(each.until <= now for each in self._sleeping.values())

    def again(self, dev_eui: str, after_s: float = 0.0) -> None:
        """Decode what waits of this device, after so many seconds; from the intake thread."""
        walk = self._walks.get(dev_eui)
        if after_s <= 0 and walk is not None and walk.reason == WAITING:
            walk.before = None  # the newest first
            return
        until = time.monotonic() + after_s
        sleep = self._sleeping.setdefault(dev_eui, _Sleep(until))
        sleep.until = min(sleep.until, until)

    def tick(self) -> None:
        """Look at the list of devices if it is time, then decode one page. Never raises; tries again."""
        try:
            if time.monotonic() - self._looked >= self._poll_s:
                self._looked = time.monotonic()
                self._look()
            if self.busy:
                self._wake()
                self._decode_page()
        except Exception:  # noqa: BLE001 - history must never stop what arrives now
            _log.exception("late_registration_failed", retry_s=_PAUSE_S)
            self._paused_until = time.monotonic() + _PAUSE_S
            # another device first: one damaged row must not hold up the others
            dev_euis = list(self._walks)
            self._walks = {eui: self._walks[eui] for eui in (*dev_euis[1:], *dev_euis[:1])}

    def _look(self) -> None:
        fault = self._registry.fault
        if self._registry.refresh():
            _log.info("devices_reloaded", devices=len(self._registry.current.devices))
        elif self._registry.fault is not fault:
            _log.warning("devices_not_reloaded", fault=str(self._registry.fault)[:1000])
        new, old = self._registry.current, self._seen
        if new is old:
            return
        types = {device.type for device in new.devices.values()}
        versions = {type_id: self._decoding.version(type_id) for type_id in types}
        if old is not None:
            changed = {type_id for type_id in types if versions[type_id] != self._versions.get(type_id)}
            self._add(
                eui
                for eui, device in new.devices.items()
                if device.type in changed or _differs(old, eui, device.type)
            )
        elif self._journal.counts().rejected:
            # the list may have changed while we were away
            self._add(new.devices)
        self._seen, self._versions = new, versions

    def _add(self, dev_euis: Iterable[str]) -> None:
        """Begin at the newest, also with those of which a walk by what held before is under way."""
        self._walks.update((eui, _Walk()) for eui in dev_euis)

    def _wake(self) -> None:
        """Begin to look through what waits of those whose time has come."""
        now = time.monotonic()
        for dev_eui, sleep in self._sleeping.items():
            if sleep.until <= now and dev_eui not in self._walks:
                self._walks[dev_eui] = _Walk(WAITING)
                # it stays for its pause, until the walk has found something
                sleep.until = math.inf

    def _decode_page(self) -> None:
        dev_eui, walk = self._next()
        rows = self._journal.rejected(limit=PAGE, before=walk.before, dev_eui=dev_eui, reason=walk.reason)
        readable = [(row, row.uplink) for row in rows if row.uplink is not None]
        found = self._decoding.readings_of([uplink for _, uplink in readable])
        # a sandbox may have had no time for all of them: the next page begins there
        ready = next((i for i, read in enumerate(found) if no_time(read)), len(found))
        self._settle(walk, [(row, read) for (row, _), read in zip(readable[:ready], found, strict=False)])
        # by turns: a device whose codec is slow must not hold up the others
        del self._walks[dev_eui]
        if ready < len(found):
            walk.before = readable[ready][0].id + 1
            self._walks[dev_eui] = walk
        elif len(rows) == PAGE:
            walk.before = rows[-1].id
            self._walks[dev_eui] = walk
        else:
            self._lay_down(dev_eui, walk)

    def _next(self) -> tuple[str, _Walk]:
        """Whose turn it is: who waits longest, and every other time the quickest, whom slow ones hold up."""
        self._quickest = not self._quickest
        first = min(self._walks, key=self._decoding.pace) if self._quickest else next(iter(self._walks))
        return first, self._walks[first]

    def _settle(self, walk: _Walk, found: Sequence[tuple[RejectedRow, Read | Rejected]]) -> None:
        """Keep what came of some rows: stored after all, or refused for the reason that holds now."""
        pairs = [
            (row.id, Accepted(*read, keys(read[0]))) for row, read in found if not isinstance(read, Rejected)
        ]
        pairs.reverse()
        taken = accept_still_refused(
            self._journal, [id_ for id_, _ in pairs], [accepted for _, accepted in pairs]
        )
        self.accepted += taken
        anew: list[tuple[int, Rejected]] = []
        for row, read in found:
            was = row.rejected
            if not isinstance(read, Waiting):
                walk.decoded = True
            elif was.reason in KILLED:
                continue  # one that has had its call is not excused by another's
            else:
                walk.after_s = min(walk.after_s, read.after_s)
            if isinstance(read, Rejected) and WAITING in {read.reason, was.reason}:
                now = Rejected(read.reason, read.detail)
                if now != was:
                    anew.append((row.id, now))
        self._journal.refuse_anew(anew)

    def _lay_down(self, dev_eui: str, walk: _Walk) -> None:
        """After a walk: what was held back is tried again, the later the more often nothing came of it."""
        sleep = self._sleeping.pop(dev_eui, _Sleep(math.inf))
        if walk.decoded:
            sleep.pause_s = 0.0
        if walk.after_s < math.inf:
            shortest_s, longest_s = _HELD_S
            sleep.pause_s = min(longest_s, max(shortest_s, 2 * sleep.pause_s))
            sleep.until = min(sleep.until, time.monotonic() + max(walk.after_s, sleep.pause_s))
        if sleep.until < math.inf:
            self._sleeping[dev_eui] = sleep


def _differs(old: Registry, dev_eui: str, type_: str) -> bool:
    before = old.devices.get(dev_eui)
    return before is None or before.type != type_
