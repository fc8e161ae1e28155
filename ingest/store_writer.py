"""Carries readings from the journal into the store, at the store's own pace."""

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from ingest.errors import Fenced, IngestError
from ingest.health import Health
from ingest.journal import Journal
from ingest.reading import Readings, Series
from ingest.store import Store

_log = structlog.get_logger(__name__)
PART = "store"
_UPLINKS = 2000
_LONGEST_PAUSE_S = 30.0
_STOP_S = 2.0


@dataclass(slots=True)
class StoreWriterStats:
    """Readings `written` and `refused` by the store since the start."""

    written: int = 0
    refused: int = 0
    failures: int = 0
    last_error: str = ""


class Judge(Protocol):
    """Gives readings the quality flags that they are stored with."""

    def begin(self, state: Mapping[str, bytes]) -> None:
        """Start from what was durable."""

    def flags(self, series: Sequence[Series], readings: Readings) -> npt.NDArray[np.uint8]:
        """A flag for every reading; `series[i]` is what number i stands for."""

    def pages(self) -> Mapping[str, bytes]:
        """State that changed since durable()."""

    def durable(self) -> None:
        """What pages() gave is in the journal."""


class StoreWriter:
    """Reader "store" of the journal: write first, then move the cursor, so that nothing is skipped.

    A store that is away costs nothing but time: the journal keeps what it has not taken. `linger_s` lets a
    batch grow while uplinks trickle in. With a `judge` readings are stored with its flags.
    """

    def __init__(
        self,
        journal: Journal,
        store: Store,
        *,
        judge: Judge | None = None,
        linger_s: float = 0.1,
        pause_s: float = 0.5,
    ) -> None:
        self._judge = judge
        self._journal = journal
        self._store = store
        self._linger_s = linger_s
        self._pause_s = pause_s
        self._series: list[Series] = []
        self._cursor = 0
        # what was read and judged but is not through: the judge must not see it a second time
        self._batch: tuple[int, Readings] | None = None
        self._stopping = threading.Event()
        self._done = threading.Condition()
        self._thread: threading.Thread | None = None
        self.stats = StoreWriterStats()
        self.health = Health(ok=False, detail="not started")

    def start(self) -> None:
        """Begin where the last one stopped."""
        self._stopping.clear()
        # a write that hangs may be cut off at the end of the process: the next start repeats it
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop within two seconds; a batch that is not through then is written again next time."""
        self._stopping.set()
        with self._done:
            self._done.notify_all()
        if self._thread is not None:
            self._thread.join(_STOP_S)

    @property
    def behind(self) -> int:
        """Uplinks that are in the journal now and not yet in the store. Raises JournalError."""
        return max(0, self._journal.last_seq() - self._cursor)

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything that is in the journal now is in the store; say whether it is."""
        target = self._journal.last_seq()
        with self._done:
            self._done.wait_for(lambda: self._cursor >= target or self._stopping.is_set(), timeout_s)
            return self._cursor >= target

    def _run(self) -> None:
        fence = None
        failures = 0
        while not self._stopping.is_set():
            try:
                if fence is None:
                    part = self._journal.load(PART)
                    fence, self._cursor = part.fence, part.cursor
                    self._batch = None
                    if self._judge is not None:
                        self._judge.begin(part.state)
                    self.health = Health(ok=True)
                self._step(fence)
                failures = 0
            except Fenced as fault:
                self.health = Health(ok=False, detail=f"{fault}: another service writes this store")
                _log.error("store_writer_fenced", error=str(fault))
                return
            except Exception as fault:  # noqa: BLE001 - the thread survives, its health shows the fault
                failures += 1
                self._failed(fault)
                longest = min(_LONGEST_PAUSE_S, self._pause_s * 2 ** min(failures - 1, 10))
                self._stopping.wait(longest * random.uniform(0.5, 1))  # noqa: S311 - jitter, no secret

    def _step(self, fence: int) -> None:
        if not self._journal.wait(self._cursor, 0.5):
            return
        if self._journal.last_seq() - self._cursor < _UPLINKS:
            self._stopping.wait(self._linger_s)
        if self._batch is None:
            self._batch = self._read()
        covered, readings = self._batch
        before = self._store.refused
        self._store.write(self._series, readings)
        self._journal.commit(PART, fence, covered, self._judge.pages() if self._judge is not None else None)
        self._batch = None
        if self._judge is not None:
            self._judge.durable()
        refused = self._store.refused - before
        self.stats.refused += refused
        self.stats.written += len(readings) - refused
        if not self.health.ok:
            _log.info("store_writer_recovered", cursor=covered)
            self.health = Health(ok=True)
        with self._done:
            self._cursor = covered
            self._done.notify_all()

    def _read(self) -> tuple[int, Readings]:
        covered, readings = self._journal.read(self._cursor, _UPLINKS)
        if len(readings) and int(readings["series"].max()) >= len(self._series):
            self._series.extend(self._journal.series(len(self._series)))
        if self._judge is not None:
            readings = judged(self._judge, self._series, readings)
        return covered, readings

    def _failed(self, fault: Exception) -> None:
        self.stats.failures += 1
        self.stats.last_error = str(fault)
        self.health = Health(ok=False, detail=str(fault))
        if isinstance(fault, IngestError):
            _log.warning("store_writer_waits", error=str(fault))
        else:
            _log.exception("store_writer_failed")


def judged(judge: Judge, series: Sequence[Series], readings: Readings) -> Readings:
    """The readings with the judge's flags; with their own where it fails."""
    try:
        flags = judge.flags(series, readings)
    except Exception:  # noqa: BLE001 - a reading with the flag it came with is better than none
        _log.exception("judging_failed")
        return readings
    judged = readings.copy()
    judged["quality"] = flags
    return judged
