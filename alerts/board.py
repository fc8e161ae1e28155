"""The warnings in force and those ended in the last 24 hours."""

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType

import msgspec
import structlog

from alerts.event import Event, from_row
from alerts.incidents.incident import Incident
from alerts.incidents.incident import fold as fold_incidents
from alerts.warning import Warning, fold  # noqa: A004 - the field's word, see there
from ingest.journal import EventRow, Journal
from ingest.listeners import Listeners

KEPT_US = 24 * 3_600_000_000
"""How long an ended warning stays on the board."""

_PAGE = 1000
_log = structlog.get_logger(__name__)

Listener = Callable[[tuple[Warning, ...]], None]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The board at one moment: in force, then ended, each newest first. `version` grows with changes."""

    version: int
    warnings: tuple[Warning, ...]

    @property
    def in_force(self) -> tuple[Warning, ...]:
        """Those not ended."""
        return tuple(warning for warning in self.warnings if warning.in_force)


class WarningBoard:
    """Folds the engine's events into warnings; thread-safe, everything handed out is immutable.

    The result depends on the events and their order alone: not on how they were split into calls, nor on how
    often a call was repeated.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._listeners: Listeners[tuple[Warning, ...]] = Listeners("board_listener_failed")
        self._warnings: Mapping[str, Warning] = MappingProxyType({})
        # episodes that ended and left the board: a replay must not bring them back
        self._gone: set[str] = set()
        # events that came before their episode and changed nothing: nor must they when repeated
        self._void: set[str] = set()
        self._incidents: dict[str, Incident] = {}
        self._version = 0
        self._cursor = 0

    def catch_up(self, journal: Journal) -> int:
        """Apply what the journal holds beyond the last call (all of it at first); say how many events."""
        done = 0
        with self._lock:
            while page := journal.events(self._cursor, _PAGE):
                self.apply([event for _, row in page if (event := _readable(row)) is not None])
                self._cursor = page[-1][0]
                done += len(page)
        return done

    def apply(self, events: Iterable[Event]) -> tuple[Warning, ...]:
        """Fold events, oldest first; return the warnings that changed, and tell the listeners."""
        with self._lock:
            warnings = dict(self._warnings)
            changed: dict[str, Warning] = {}
            for event in events:
                if event.episode in self._gone or event.id in self._void:
                    continue
                before = warnings.get(event.episode)
                after = fold(before, event)
                if after is None and event.kind == "clear":
                    self._void.add(event.id)
                elif after is not None and after is not before:
                    warnings[after.id] = changed[after.id] = after
                for each in self._of_incident(event, warnings):
                    warnings[each.id] = changed[each.id] = each
            if not changed:
                return ()
            self._warnings = MappingProxyType(self._kept(warnings))
            self._version += 1
            result = tuple(changed.values())
            # inside the lock, so that listeners hear of changes in their order
            self._listeners.tell(result)
        return result

    def snapshot(self) -> Snapshot:
        """The board now, by the clock."""
        with self._lock:
            warnings, version = self._warnings, self._version
        since = self._clock() - KEPT_US
        shown = [w for w in warnings.values() if w.ended_us is None or w.ended_us > since]
        shown.sort(key=lambda w: (w.in_force, w.changed_us, w.id), reverse=True)
        return Snapshot(version, tuple(shown))

    def get(self, episode: str) -> Warning | None:
        """One warning of the snapshot, None when it is not on the board."""
        return next((warning for warning in self.snapshot().warnings if warning.id == episode), None)

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call back with the changed warnings after each change, in the thread that applied it.

        Keep it short: it holds the board. Returns what ends the listening.
        """
        return self._listeners.add(callback)

    def _of_incident(self, event: Event, warnings: Mapping[str, Warning]) -> list[Warning]:
        """The warnings that look different because of what an event says about their incident."""
        before = self._incidents.get(event.incident)
        clearance = before.clearance if before else ""
        for incident in fold_incidents(self._incidents, [event]):
            reminded = event.time_us if event.kind == "reminder" else 0
            if reminded or incident.clearance != clearance:
                return [
                    replace(each, all_clear=incident.clearance, reminded_us=max(each.reminded_us, reminded))
                    for each in warnings.values()
                    if each.incident == incident.id
                ]
        return []

    def _kept(self, warnings: Mapping[str, Warning]) -> dict[str, Warning]:
        since = self._clock() - KEPT_US
        kept = {key: w for key, w in warnings.items() if w.ended_us is None or w.ended_us > since}
        self._gone.update(warnings.keys() - kept.keys())
        shown = {each.incident for each in kept.values()}
        self._incidents = {key: each for key, each in self._incidents.items() if key in shown}
        return kept


def _readable(row: EventRow) -> Event | None:
    try:
        return from_row(row)
    except msgspec.DecodeError as fault:
        with suppress(OSError, ValueError):
            _log.error("event_unreadable", event_id=row.id, fault=str(fault))
        return None
