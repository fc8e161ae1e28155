"""A reader of the journal: how far it has come, and the thread that goes on from there.

What is made of the readings is its owner's, who reads, steps and commits in an order of its own. What was not
committed is read again: after a crash, and after whatever else went wrong.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import structlog

from alerts.errors import AlertsError
from alerts.kernels.curve_row import Tally
from devices.registry import Registry
from ingest.errors import Fenced, JournalError
from ingest.health import Health
from ingest.journal import EventRow, Journal, Part
from ingest.reading import Readings, Series

MAX_AHEAD_S = 600.0
BATCH_UPLINKS = 4096

_IDLE_S = 0.5
_BACK_OFF_S = (0.1, 5.0)
_FAULT_SHOWN_S = 3600.0
_log = structlog.get_logger(__name__)

Skip: TypeAlias = Callable[[Readings, Exception], None]
"""Takes a reading that cannot be stepped, and why."""


State = TypeVar("State")
Found = TypeVar("Found")


@dataclass(slots=True)
class ReaderStats(Tally):
    """Since the start of a reader. `behind`: uplinks not yet taken at the last look.

    `skipped`: readings that made a kernel raise; `ahead`: readings dated in the future; `implausible`,
    `too_late`, `counter_breaks`, `undated`: what was not taken (see alerts/kernels/curve_row.py).
    """

    readings: int = 0
    skipped: int = 0
    ahead: int = 0
    behind: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """How a reader speaks of itself: its thread's name, what its health says, and what the log calls it."""

    thread: str
    taken_over: str
    failed: str
    left_out: str
    log: str
    log_step_failed: str
    log_skipped: str


class JournalReader(Generic[State]):
    """The journal's reader `part`, of which `series` and `registry` are what its state knows.

    `turn` reads, steps and commits once and returns how many uplinks it took; `load` makes the state anew of
    what open() gives; `commit` makes durable what there is. `registry` gives the current registry, `clock` µs
    since the epoch: readings dated more than `max_ahead_s` in the future are not sane. A commit is due every
    `checkpoint_s`. start(), stop() and what tells how the reader does are for any thread, the rest for its.
    `fault`: what keeps it from its work, "" nothing. `max_ahead_us` is `max_ahead_s` in µs.
    """

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        journal: Journal,
        part: str,
        registry: Callable[[], Registry],
        clock: Callable[[], int],
        *,
        turn: Callable[[], int],
        load: Callable[[], State],
        commit: Callable[[State], None],
        stats: ReaderStats,
        words: Words,
        max_ahead_s: float,
        checkpoint_s: float,
        batch_uplinks: int,
    ) -> None:
        self.cursor = 0
        self.fault = ""
        self.registry = Registry()
        self.series: list[Series] = []
        self._journal = journal
        self._part = part
        self._current = registry
        self._clock = clock
        self._turn = turn
        self._load = load
        self._commit = commit
        self._stats = stats
        self._words = words
        self.max_ahead_us = round(max_ahead_s * 1_000_000)
        self._checkpoint_s = checkpoint_s
        self._batch_uplinks = batch_uplinks
        self._state: State | None = None
        self._durable = self._fence = 0
        self._checkpoint_at = 0.0
        self._careful_until = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._skipped_at: float | None = None
        self._stepped_at: float | None = None

    @property
    def health(self) -> Health:
        """Whether uplinks are taken, and what an operator should know."""
        if self.fault:
            return Health(ok=False, detail=self.fault)
        if self._skipped_at is not None and time.monotonic() - self._skipped_at < _FAULT_SHOWN_S:
            detail = f"{self._stats.skipped} readings {self._words.left_out} and were left out: see the log"
            return Health(ok=False, detail=detail)
        return Health(ok=True, detail=f"{self._stats.behind} uplinks behind" if self._stats.behind else "")

    @property
    def since_step_s(self) -> float | None:
        """Real seconds since the last turn that succeeded (at first since the start); None before that."""
        return None if self._stepped_at is None else time.monotonic() - self._stepped_at

    def start(self) -> None:
        """Run until stop()."""
        self._stop.clear()
        self._stepped_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=self._words.thread, daemon=False)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its turn; what it has taken is durable."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def state(self) -> State:
        """What the readings up to the cursor have made. Raises JournalError."""
        if self._state is None:
            self._state = self._load()
        return self._state

    def open(self) -> Part:
        """What is durable, to make the state from; the reader goes on behind it. Raises JournalError."""
        part = self._journal.load(self._part)
        self.series = list(self._journal.series())
        self.registry = self._current()
        self.cursor = self._durable = part.cursor
        self._fence = part.fence
        self._checkpoint_at = time.monotonic() + self._checkpoint_s
        return part

    def rewind(self, part: Part) -> Part:
        """Forget what a part has, and begin with the journal's beginning. Raises JournalError."""
        self._journal.commit(self._part, part.fence, 0, dict.fromkeys(part.state, b""))
        self.cursor = self._durable = 0
        return Part(0, part.fence, {})

    def read(self) -> tuple[int, Readings]:
        """The next uplinks' readings and the seq they go to: the cursor when there are none."""
        last, readings = self._journal.read(self.cursor, self._batch_uplinks)
        if last == self.cursor:
            self._stats.behind = 0
        return last, readings

    def sane(self, readings: Readings) -> Readings:
        """Those that are not dated in the future."""
        sane = readings["time_us"] <= self._clock() + self.max_ahead_us
        self._stats.ahead += len(readings) - int(sane.sum())
        return readings[sane]

    def news(self, known: int, readings: Readings) -> Registry | None:
        """The registry, where it is another one or there are more series than those `known`; else None."""
        registry = self._current()
        unknown = len(readings) and int(readings["series"].max()) >= known
        if unknown:
            self.series += self._journal.series(len(self.series))
        if not unknown and registry is self.registry:
            return None
        self.registry = registry
        return registry

    def attempt(self, step: Callable[[Skip | None], Found], last: int) -> Found | None:
        """What a step finds in readings up to `last`; None where it raised: then they are read once more.

        Whoever has a Skip steps such that one reading which raises does not take the others with it.
        """
        if self.cursor < self._careful_until:
            found = step(self._skip)
            self.hasten()
            return found
        try:
            return step(None)
        except Exception:  # noqa: BLE001 - whatever a kernel raises, the other readings must be taken
            _log.exception(self._words.log_step_failed, cursor=self.cursor, last=last)
            # the state is half changed: take the last durable one, and go carefully past this batch
            self._careful_until = last
            self._state = None
            return None

    def advance(self, last: int) -> int:
        """The uplinks up to `last` are in the state; how many there were."""
        done, self.cursor = last - self.cursor, last
        return done

    def hasten(self) -> None:
        """The next commit is due at once."""
        self._checkpoint_at = 0.0

    def due(self, *, found: bool = False) -> bool:
        """Whether it is time to commit, and there is something: a cursor that moved, or what was `found`."""
        return (found or self.cursor != self._durable) and time.monotonic() >= self._checkpoint_at

    def commit(self, pages: Mapping[str, bytes], rows: Sequence[EventRow] = ()) -> Sequence[EventRow]:
        """Make the cursor, the state's pages and some events durable; which of them are new.

        Raises JournalError.
        """
        new = self._journal.commit(self._part, self._fence, self.cursor, pages, rows)
        self._durable = self.cursor
        self._checkpoint_at = time.monotonic() + self._checkpoint_s
        return new

    def count(self, readings: Readings) -> None:
        """A turn has taken these."""
        self._stats.readings += len(readings)
        self._stats.behind = max(self._journal.last_seq() - self.cursor, 0)

    def _skip(self, readings: Readings, fault: Exception) -> None:
        self._stats.skipped += len(readings)
        self._skipped_at = time.monotonic()
        reading = readings[0]
        series = self.series[int(reading["series"])]
        _log.error(
            self._words.log_skipped,
            station=series.station,
            property=series.property,
            seq=int(reading["seq"]),
            value=float(reading["value"]),
            fault=repr(fault),
        )

    def _run(self) -> None:
        pause_s = _BACK_OFF_S[0]
        while not self._stop.is_set():
            try:
                idle = self._turn() == 0 and self.cursor >= self._careful_until
                self._stepped_at = time.monotonic()
                self.fault, pause_s = "", _BACK_OFF_S[0]
                if idle:
                    self._journal.wait(self.cursor, min(_IDLE_S, max(self._checkpoint_s, 0.01)))
            except Fenced as fault:
                self.fault = f"{self._words.taken_over}: {fault}"
                _log.error(f"{self._words.log}_fenced", fault=str(fault))
                return
            except Exception as fault:  # noqa: BLE001 - the loop goes on, and says so in its health
                self.fault = f"{self._words.failed}: {fault!r}"
                _log.exception(f"{self._words.log}_failed")
                # what was not committed is taken again
                self._state = None
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _BACK_OFF_S[1])
        self._finish()

    def _finish(self) -> None:
        if self._state is None:
            return
        self.hasten()
        try:
            self._commit(self._state)
        except (JournalError, AlertsError) as fault:
            # nothing is lost: it is taken again at the next start
            _log.warning(f"{self._words.log}_last_commit_failed", fault=str(fault))
