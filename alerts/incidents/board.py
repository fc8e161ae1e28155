"""The incidents as the API shows them, folded from the journal's events."""

import threading
from collections.abc import Iterable

import msgspec

from alerts.event import Event, from_row
from alerts.incidents.incident import Incident, fold
from ingest.journal import Journal

_KEPT_US = 7 * 24 * 3_600_000_000
_PAGE = 1000


class IncidentBoard:
    """Incidents that are open or wait for their all-clear, and those that closed in the last 7 days.

    Days by the newest event. Thread-safe; what is handed out is a copy.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._incidents: dict[str, Incident] = {}
        self._cursor = 0
        self._newest_us = 0

    def catch_up(self, journal: Journal) -> None:
        """Fold what the journal holds beyond the last call."""
        with self._lock:
            while page := journal.events(self._cursor, _PAGE):
                events: list[Event] = []
                for _, row in page:
                    try:
                        events.append(from_row(row))
                    except msgspec.DecodeError:
                        # the board of warnings names it in the log
                        continue
                self._fold(events)
                self._cursor = page[-1][0]

    def apply(self, events: Iterable[Event]) -> None:
        """Fold events, oldest first."""
        with self._lock:
            self._fold(list(events))

    def incidents(self) -> list[Incident]:
        """All of them: what stands or waits first, each newest first."""
        with self._lock:
            found = [_copy(each) for each in self._incidents.values()]
        return sorted(found, key=lambda each: (each.status == "closed", -each.began_us, each.id))

    def get(self, id_: str) -> Incident | None:
        """One of them."""
        with self._lock:
            found = self._incidents.get(id_)
            return found and _copy(found)

    def _fold(self, events: list[Event]) -> None:
        for incident in fold(self._incidents, events):
            self._newest_us = max(self._newest_us, incident.changed_us)
        old = self._newest_us - _KEPT_US
        if any(each.changed_us < old for each in self._incidents.values()):
            self._incidents = {
                id_: each
                for id_, each in self._incidents.items()
                if each.changed_us >= old or each.status != "closed"
            }


def _copy(incident: Incident) -> Incident:
    return msgspec.convert(msgspec.to_builtins(incident), Incident)
