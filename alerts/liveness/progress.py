"""Whether warnings are judged, which is more than that the process answers."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from alerts.engine import STUCK_S, Engine
from ingest.errors import JournalError
from ingest.journal import Journal


@dataclass(frozen=True, slots=True)
class Progress:
    """The engine at one moment. `problem`: why it does not advance, "" when it does.

    `newest_us`: time of the newest reading judged (µs since the epoch, UTC), 0 when there was none since the
    start; `lag`: uplinks in the journal that are not judged yet; `since_step_s`: real seconds.
    """

    problem: str
    newest_us: int
    lag: int
    since_step_s: float

    @property
    def ok(self) -> bool:
        """The engine advances."""
        return not self.problem


class EngineWatch:
    """Looks at the engine from outside, without any lock of it: whoever asks never hangs with it.

    It does not advance when its last successful step is more than `stuck_s` ago, or when uplinks wait and it
    has taken none for so long. The second is seen only by looking again and again.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        *,
        stuck_s: float = STUCK_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._stuck_s = stuck_s
        self._monotonic = monotonic
        self._cursor = -1
        self._moved_at = monotonic()

    def progress(self) -> Progress:
        """Now."""
        now, cursor = self._monotonic(), self._engine.cursor
        since_step_s = self._engine.since_step_s
        problem, lag = "", 0
        try:
            lag = max(self._journal.last_seq() - cursor, 0)
        except JournalError as fault:
            problem = f"the journal cannot be read: {fault}"
        if lag == 0 or cursor != self._cursor:
            self._cursor, self._moved_at = cursor, now
        if since_step_s is None:
            problem = "the engine has not been started"
        elif since_step_s > self._stuck_s:
            problem = f"the engine has finished no step for {since_step_s:.0f} s"
        elif now - self._moved_at > self._stuck_s:
            problem = f"{lag} uplinks wait, and the engine has taken none for {now - self._moved_at:.0f} s"
        return Progress(problem, self._engine.stats.newest_us, lag, since_step_s or 0.0)
