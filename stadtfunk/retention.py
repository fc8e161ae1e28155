"""Old raw uplinks leave the journal once a day, when the configuration limits how long they are kept."""

import threading
from collections.abc import Callable

import structlog

from ingest.errors import JournalError
from ingest.sqlite_journal import SqliteJournal

_DAY_US = 86_400_000_000
_DAY_S = 86_400.0
_AGAIN_S = 3_600.0
_log = structlog.get_logger(__name__)


class Retention:
    """Prunes the journal at the start and once a day, an hour after a failure; nothing without a limit."""

    def __init__(self, journal: SqliteJournal, days: int | None, clock: Callable[[], int]) -> None:
        self._journal = journal
        self._days = days
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        """Begin."""
        if self._days is not None:
            self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                pruned = self._journal.prune(self._clock() - (self._days or 0) * _DAY_US)
            except Exception as fault:  # noqa: BLE001 - whatever it is, the journal must not grow for ever
                known = isinstance(fault, JournalError)
                _log.warning("retention_failed", error=str(fault), exc_info=not known)
                self._stopping.wait(_AGAIN_S)
            else:
                _log.info("retention", pruned=pruned)
                self._stopping.wait(_DAY_S)
