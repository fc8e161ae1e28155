"""The engine: read, step, commit.

It reads the journal by its own cursor, steps the kernels and commits in one transaction what they concluded,
the state behind it and how far it has read: at once when there are events, else every `checkpoint_s`. What
was judged since the last commit raised nothing and is judged again after a crash.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import structlog

from alerts.areal_rain import GaugeRain
from alerts.catchments import Catchments
from alerts.errands import Errands
from alerts.event import Event, from_row, to_row
from alerts.incidents.decision import ACTIONS, Decision, DecisionRefusedError
from alerts.journal_reader import BATCH_UPLINKS, MAX_AHEAD_S, JournalReader, ReaderStats, Skip, Words
from alerts.kernels.kernels import Kernels
from alerts.kostra.kostra import Kostra
from alerts.outlook import LevelOutlook
from alerts.rules import Rules
from alerts.watch.outages import Hearing, Sight
from devices.catalogue import DeviceType
from devices.registry import Registry
from ingest.gateways import Reception
from ingest.health import Health
from ingest.journal import Journal
from ingest.listeners import Listeners
from ingest.reading import Readings

if TYPE_CHECKING:
    from concurrent.futures import Future

PART = "engine"
MAX_ALERT_AGE_S = 3 * 3600.0
_TICK_US = 15_000_000
_DECIDE_S = 10.0
STUCK_S = 60.0
"""A step that takes longer hangs: a full batch takes a second or two."""
_EVENTS = 1000
_WORDS = Words(
    thread="rule-engine",
    taken_over="another engine has taken over this journal",
    failed="uplinks are not judged",
    left_out="made a rule fail",
    log="engine",
    log_step_failed="rule_failed",
    log_skipped="reading_skipped",
)
_log = structlog.get_logger(__name__)

Listener = Callable[[tuple[Event, ...]], None]


@dataclass(slots=True)
class EngineStats(ReaderStats):
    """Since the start of this engine. `gateways_lost`: now.

    `newest_us`: time of the newest reading judged, 0 before the first.
    """

    events: int = 0
    batches: int = 0
    gateways_lost: int = 0
    newest_us: int = 0


class Engine:
    """One reader of the journal; start() runs it in a thread of its own, run_once() by hand.

    `registry` gives the current registry. Events about readings older than `max_alert_age_s` by the clock
    have no audience; readings dated more than `max_ahead_s` in the future change nothing. `hears`: per
    network server whether its uplinks can reach us: while they cannot, none of its devices counts as silent.
    `heard_by`: through which servers and gateways devices are heard.
    """

    def __init__(  # noqa: PLR0913 - what the composition root has to say
        self,
        journal: Journal,
        rules: Rules,
        registry: Callable[[], Registry],
        clock: Callable[[], int],
        *,
        catalogue: Mapping[str, DeviceType] | None = None,
        kostra: Kostra | None = None,
        catchments: Catchments | None = None,
        hears: Callable[[], Mapping[str, bool]] = dict,
        heard_by: Callable[[], Reception] = Reception,
        max_alert_age_s: float = MAX_ALERT_AGE_S,
        max_ahead_s: float = MAX_AHEAD_S,
        checkpoint_s: float = 1.0,
        batch_uplinks: int = BATCH_UPLINKS,
    ) -> None:
        self.stats = EngineStats()
        self._journal = journal
        self._rules = rules
        self._clock = clock
        self._catalogue = catalogue or {}
        self._kostra = kostra
        self._catchments = catchments
        self._hears = hears
        self._heard_by = heard_by
        self._max_age_us = round(max_alert_age_s * 1_000_000)
        # over the kernels: the loop changes them, levels() and gauge_rain() read them
        self._lock = threading.Lock()
        self._kernels: Kernels | None = None
        self._started_us: int | None = None
        self._listening_us: dict[str, int] = {}
        self._ticked_us = 0
        self._sights: tuple[Sight, ...] = ()
        self._listeners: Listeners[tuple[Event, ...]] = Listeners("engine_listener_failed")
        self._recalled: list[Decision] = []
        self._decisions: Errands[Decision, Event] = Errands(DecisionRefusedError)
        self._reader = JournalReader(
            journal,
            PART,
            registry,
            clock,
            turn=self.run_once,
            load=self._load,
            commit=self._commit,
            stats=self.stats,
            words=_WORDS,
            max_ahead_s=max_ahead_s,
            checkpoint_s=checkpoint_s,
            batch_uplinks=batch_uplinks,
        )

    @property
    def cursor(self) -> int:
        """Seq of the last uplink judged."""
        return self._reader.cursor

    @property
    def health(self) -> Health:
        """Whether uplinks are judged, and what an operator should know."""
        idle_s = self.since_step_s
        if idle_s is not None and idle_s > STUCK_S and not self._reader.fault:
            return Health(ok=False, detail=f"no step finished for {idle_s:.0f} s: restart the service")
        return self._reader.health

    @property
    def since_step_s(self) -> float | None:
        """Real seconds since the last step that succeeded (at first since the start); None before that."""
        return self._reader.since_step_s

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call back with new events after their commit, in the engine's thread. Returns what ends it."""
        return self._listeners.add(callback)

    def levels(self, station: str | None = None) -> tuple[LevelOutlook, ...]:
        """Every level gauge's rise and what it is heading for; of one station or of all."""
        with self._lock:
            return self._kernels.levels(station) if self._kernels else ()

    def gauge_rain(self) -> tuple[GaugeRain, ...]:
        """Every rain gauge's sums over the last hours."""
        with self._lock:
            return self._kernels.gauge_rain(self._clock()) if self._kernels else ()

    def catchments(self) -> tuple[Sight, ...]:
        """How many gauges of every catchment live, as of the last look."""
        return self._sights

    def submit(self, decision: Decision) -> "Future[Event]":
        """A person's decision, to be taken in the next step; the future brings its event once it is durable.

        The future raises DecisionRefusedError where the decision cannot be taken.
        """
        return self._decisions.submit(decision)

    def decide(self, decision: Decision, timeout_s: float = _DECIDE_S) -> Event:
        """submit() and wait. Raises DecisionRefusedError."""
        try:
            return self.submit(decision).result(timeout_s)
        except TimeoutError:
            text = "the rule engine does not answer; look whether the decision appears before you repeat it"
            raise DecisionRefusedError("late", text) from None

    def start(self) -> None:
        """Run until stop()."""
        self._reader.start()

    def stop(self) -> None:
        """End the thread after its step; what it has judged is durable."""
        self._reader.stop()

    def run_once(self) -> int:
        """Read, step, commit; return how many uplinks were judged. Raises JournalError."""
        kernels = self._reader.state()
        self._decide(kernels)
        last, readings = self._reader.read()
        if last == self._reader.cursor:
            self._recall(kernels)
            self._commit(kernels, [*self._weigh(kernels), *self._watch(kernels)])
            return 0
        events = self._step(kernels, readings, last)
        if events is None:
            return 0
        done = self._reader.advance(last)
        self._commit(kernels, events)
        self._reader.count(readings)
        self.stats.batches += 1
        return done

    def _load(self) -> Kernels:
        part = self._reader.open()
        kernels = Kernels(
            self._rules,
            self._reader.registry,
            self._catalogue,
            self._reader.series,
            part.state,
            self._kostra,
            self._catchments,
        )
        kernels.tally = self.stats
        with self._lock:
            self._kernels = kernels
        # a journal that is judged from its beginning knows what people decided, and its state does not
        self._recalled = [] if part.cursor else self._journal_decisions()
        return kernels

    def _journal_decisions(self) -> list[Decision]:
        found: list[Decision] = []
        after = 0
        while page := self._journal.events(after, _EVENTS):
            after = page[-1][0]
            for _, row in page:
                with suppress(msgspec.DecodeError):
                    event = from_row(row)
                    action = next((each for each in ACTIONS if each == event.measure), None)
                    if event.kind == "decision" and action is not None:
                        found.append(Decision(event.incident, action, event.by, event.reason, event.time_us))
        return found

    def _recall(self, kernels: Kernels) -> None:
        """Once everything is judged again, what people had decided about the incidents that are left."""
        decisions, self._recalled = self._recalled, []
        for decision in decisions:
            with suppress(DecisionRefusedError), self._lock:
                kernels.decide(decision)

    def _decide(self, kernels: Kernels) -> None:
        """Take the decisions that wait, each committed before its maker hears of it."""

        def taken(decision: Decision) -> Event:
            with self._lock:
                events = kernels.decide(decision, self._clock() - self._max_age_us)
            self._commit(kernels, events)
            return events[0]

        self._decisions.take(taken)

    def _step(self, kernels: Kernels, readings: Readings, last: int) -> list[Event] | None:
        """Events of a batch; None when a kernel raised and everything starts again from the last commit."""
        since = self._clock() - self._max_age_us
        readings = self._reader.sane(readings)
        self._arrange(kernels, readings)

        def step(skip: Skip | None) -> list[Event]:
            with self._lock:
                if skip is None:
                    return kernels.step(readings, since)
                return kernels.step_carefully(readings, since, skip)

        events = self._reader.attempt(step, last)
        if events is not None and len(readings):
            self.stats.newest_us = max(self.stats.newest_us, int(readings["time_us"].max()))
        return events

    def _weigh(self, kernels: Kernels) -> list[Event]:
        """What the public is to hear of by now, whether or not uplinks can reach us."""
        try:
            with self._lock:
                return kernels.weigh(now := self._clock(), now - self._max_age_us)
        except Exception:  # noqa: BLE001 - readings must be judged whatever becomes of the claims
            _log.exception("claims_failed")
            return []

    def _watch(self, kernels: Kernels) -> list[Event]:
        """Which devices are silent, now that every uplink there is has been judged."""
        now = self._clock()
        hearing = self._hearing(now)
        if abs(now - self._ticked_us) < _TICK_US:
            return []
        self._ticked_us = now
        try:
            # without the lock: nothing that other threads read changes here
            events = kernels.tick(now, hearing.started_us, now - self._max_age_us, hearing)
        except Exception:  # noqa: BLE001 - readings must be judged whatever becomes of the watchdog
            _log.exception("watchdog_failed")
            return []
        self._sights = kernels.outages.sights
        self.stats.gateways_lost = kernels.outages.lost_gateways
        return events

    def _hearing(self, now: int) -> Hearing:
        """Who can be heard now; a server counts from the moment it reached us."""
        if self._started_us is None:
            self._started_us = self._ticked_us = now
        hears = self._hears()
        for server, reaches_us in hears.items():
            if reaches_us:
                self._listening_us.setdefault(server, now)
            else:
                self._listening_us.pop(server, None)
        away = frozenset(hears) - self._listening_us.keys()
        return Hearing(self._started_us, dict(self._listening_us), away, self._heard_by())

    def _arrange(self, kernels: Kernels, readings: Readings) -> None:
        registry = self._reader.news(kernels.series, readings)
        if registry is not None:
            plans = kernels.plans(registry, self._reader.series)
            with self._lock:
                kernels.adopt(plans)

    def _commit(self, kernels: Kernels, events: Sequence[Event] = ()) -> None:
        if not events and not self._reader.due():
            return
        new = self._reader.commit(kernels.pages(), [to_row(event) for event in events])
        kernels.durable()
        ids = {row.id for row in new}
        fresh = tuple(event for event in events if event.id in ids)
        self.stats.events += len(fresh)
        if fresh:
            self._listeners.tell(fresh)
