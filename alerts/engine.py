"""The engine: read, step, commit.

It reads the journal by its own cursor, steps the kernels and commits in one transaction what they concluded,
the state behind it and how far it has read: at once when there are events, else every `checkpoint_s`. What
was judged since the last commit raised nothing and is judged again after a crash.
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import structlog

from alerts.areal_rain import GaugeRain
from alerts.catchments import Catchments
from alerts.event import Event, from_row, to_row
from alerts.incidents.decision import ACTIONS, Decision, DecisionRefusedError
from alerts.kernels.curve_row import Tally
from alerts.kernels.kernels import Kernels
from alerts.kostra.kostra import Kostra
from alerts.outlook import LevelOutlook
from alerts.rules import Rules
from alerts.watch.outages import Hearing, Sight
from devices.catalogue import DeviceType
from devices.registry import Registry
from ingest.errors import Fenced, JournalError
from ingest.gateways import Reception
from ingest.health import Health
from ingest.journal import Journal
from ingest.reading import Readings, Series

PART = "engine"
MAX_ALERT_AGE_S = 3 * 3600.0
MAX_AHEAD_S = 600.0

_BATCH_UPLINKS = 4096
_IDLE_S = 0.5
_BACK_OFF_S = (0.1, 5.0)
_TICK_US = 15_000_000
_FAULT_SHOWN_S = 3600.0
_DECIDE_S = 10.0
STUCK_S = 60.0
"""A step that takes longer hangs: a full batch takes a second or two."""
_EVENTS = 1000
_log = structlog.get_logger(__name__)

Listener = Callable[[tuple[Event, ...]], None]


@dataclass(slots=True)
class EngineStats:
    """Since the start of this engine. `behind`: uplinks not yet judged at the last look.

    `skipped`: readings that made a kernel raise; `ahead`: readings dated in the future; `implausible`,
    `too_late`, `counter_breaks`, `undated`: what was not taken (see curve.py). `gateways_lost`: now.
    `newest_us`: time of the newest reading judged, 0 before the first.
    """

    readings: int = 0
    events: int = 0
    batches: int = 0
    skipped: int = 0
    ahead: int = 0
    implausible: int = 0
    too_late: int = 0
    counter_breaks: int = 0
    undated: int = 0
    behind: int = 0
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
        batch_uplinks: int = _BATCH_UPLINKS,
    ) -> None:
        self.stats = EngineStats()
        self._journal = journal
        self._rules = rules
        self._registry = registry
        self._clock = clock
        self._catalogue = catalogue or {}
        self._kostra = kostra
        self._catchments = catchments
        self._hears = hears
        self._heard_by = heard_by
        self._max_age_us = round(max_alert_age_s * 1_000_000)
        self._max_ahead_us = round(max_ahead_s * 1_000_000)
        self._checkpoint_s = checkpoint_s
        self._batch_uplinks = batch_uplinks
        # over the kernels: the loop changes them, levels() and gauge_rain() read them
        self._lock = threading.Lock()
        self._kernels: Kernels | None = None
        self._loaded = False
        self._series: list[Series] = []
        self._arranged: Registry | None = None
        self._cursor = self._durable = self._fence = 0
        self._checkpoint_at = 0.0
        self._started_us: int | None = None
        self._listening_us: dict[str, int] = {}
        self._ticked_us = 0
        self._sights: tuple[Sight, ...] = ()
        self._careful_until = 0
        self._listeners: list[Listener] = []
        self._recalled: list[Decision] = []
        self._decisions: queue.SimpleQueue[tuple[Decision, Future[Event]]] = queue.SimpleQueue()
        self._tally = Tally()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._fault = ""
        self._skipped_at: float | None = None
        self._stepped_at: float | None = None

    @property
    def cursor(self) -> int:
        """Seq of the last uplink judged."""
        return self._cursor

    @property
    def health(self) -> Health:
        """Whether uplinks are judged, and what an operator should know."""
        if self._fault:
            return Health(ok=False, detail=self._fault)
        if (idle_s := self.since_step_s) is not None and idle_s > STUCK_S:
            return Health(ok=False, detail=f"no step finished for {idle_s:.0f} s: restart the service")
        if self._skipped_at is not None and time.monotonic() - self._skipped_at < _FAULT_SHOWN_S:
            detail = f"{self.stats.skipped} readings made a rule fail and were left out: see the log"
            return Health(ok=False, detail=detail)
        return Health(ok=True, detail=f"{self.stats.behind} uplinks behind" if self.stats.behind else "")

    @property
    def since_step_s(self) -> float | None:
        """Real seconds since the last step that succeeded (at first since the start); None before that."""
        return None if self._stepped_at is None else time.monotonic() - self._stepped_at

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call back with new events after their commit, in the engine's thread. Returns what ends it."""
        with self._lock:
            self._listeners = [*self._listeners, callback]

        def leave() -> None:
            with self._lock:
                self._listeners = [each for each in self._listeners if each is not callback]

        return leave

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
        future: Future[Event] = Future()
        self._decisions.put((decision, future))
        return future

    def decide(self, decision: Decision, timeout_s: float = _DECIDE_S) -> Event:
        """submit() and wait. Raises DecisionRefusedError."""
        try:
            return self.submit(decision).result(timeout_s)
        except TimeoutError:
            text = "the rule engine does not answer; look whether the decision appears before you repeat it"
            raise DecisionRefusedError("late", text) from None

    def start(self) -> None:
        """Run until stop()."""
        self._stop.clear()
        self._stepped_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="rule-engine", daemon=False)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its step; what it has judged is durable."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run_once(self) -> int:
        """Read, step, commit; return how many uplinks were judged. Raises JournalError."""
        kernels = self._kernels if self._kernels is not None and self._loaded else self._load()
        self._decide(kernels)
        last, readings = self._journal.read(self._cursor, self._batch_uplinks)
        if last == self._cursor:
            self._recall(kernels)
            found = [*self._weigh(kernels), *self._watch(kernels)]
            self._commit(kernels, found, due=time.monotonic() >= self._checkpoint_at)
            self.stats.behind = 0
            return 0
        events = self._step(kernels, readings, last)
        if events is None:
            return 0
        done = last - self._cursor
        careful = self._cursor < self._careful_until
        self._cursor = last
        due = bool(events) or careful or time.monotonic() >= self._checkpoint_at
        self._commit(kernels, events, due=due)
        self._take_tally()
        self.stats.batches += 1
        self.stats.readings += len(readings)
        self.stats.newest_us = max(self.stats.newest_us, self._newest(readings))
        self.stats.behind = max(self._journal.last_seq() - last, 0)
        return done

    def _load(self) -> Kernels:
        part = self._journal.load(PART)
        self._series = list(self._journal.series())
        self._arranged = self._registry()
        kernels = Kernels(
            self._rules,
            self._arranged,
            self._catalogue,
            self._series,
            part.state,
            self._kostra,
            self._catchments,
        )
        kernels.tally = self._tally
        self._fence = part.fence
        self._checkpoint_at = time.monotonic() + self._checkpoint_s
        with self._lock:
            self._kernels = kernels
            self._cursor = self._durable = part.cursor
        self._loaded = True
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
        while not self._decisions.empty():
            decision, future = self._decisions.get_nowait()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                with self._lock:
                    events = kernels.decide(decision, self._clock() - self._max_age_us)
                self._commit(kernels, events, due=True)
            except BaseException as fault:
                future.set_exception(fault)
                if not isinstance(fault, DecisionRefusedError):
                    raise
            else:
                future.set_result(events[0])

    def _step(self, kernels: Kernels, readings: Readings, last: int) -> list[Event] | None:
        """Events of a batch; None when a kernel raised and everything starts again from the last commit."""
        now = self._clock()
        since = now - self._max_age_us
        sane = readings["time_us"] <= now + self._max_ahead_us
        self.stats.ahead += len(readings) - int(sane.sum())
        readings = readings[sane]
        self._arrange(kernels, readings)
        if self._cursor < self._careful_until:
            with self._lock:
                return kernels.step_carefully(readings, since, self._skip)
        try:
            with self._lock:
                events = kernels.step(readings, since)
        except Exception:  # noqa: BLE001 - whatever a kernel raises, the other readings must be judged
            _log.exception("rule_failed", cursor=self._cursor, last=last)
            # the state is half changed: take the last durable one, and go carefully past this batch
            self._careful_until = last
            self._load()
            return None
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
        registry = self._registry()
        unknown = len(readings) and int(readings["series"].max()) >= kernels.series
        if unknown:
            self._series += self._journal.series(len(self._series))
        if unknown or registry is not self._arranged:
            self._arranged = registry
            plans = kernels.plans(registry, self._series)
            with self._lock:
                kernels.adopt(plans)

    def _commit(self, kernels: Kernels, events: Sequence[Event], *, due: bool) -> None:
        if not (due or events) or (self._cursor == self._durable and not events):
            return
        new = self._journal.commit(
            PART, self._fence, self._cursor, kernels.pages(), [to_row(event) for event in events]
        )
        kernels.durable()
        self._durable = self._cursor
        self._checkpoint_at = time.monotonic() + self._checkpoint_s
        ids = {row.id for row in new}
        fresh = tuple(event for event in events if event.id in ids)
        self.stats.events += len(fresh)
        if fresh:
            for listener in self._listeners:
                _tell(listener, fresh)

    def _newest(self, readings: Readings) -> int:
        sane = readings["time_us"][readings["time_us"] <= self._clock() + self._max_ahead_us]
        return int(sane.max()) if len(sane) else 0

    def _skip(self, readings: Readings, fault: Exception) -> None:
        self.stats.skipped += len(readings)
        self._skipped_at = time.monotonic()
        reading = readings[0]
        series = self._series[int(reading["series"])]
        _log.error(
            "reading_skipped",
            station=series.station,
            property=series.property,
            seq=int(reading["seq"]),
            value=float(reading["value"]),
            fault=repr(fault),
        )

    def _take_tally(self) -> None:
        tally, stats = self._tally, self.stats
        stats.implausible, stats.too_late = tally.implausible, tally.too_late
        stats.counter_breaks, stats.undated = tally.counter_breaks, tally.undated

    def _run(self) -> None:
        pause = _BACK_OFF_S[0]
        while not self._stop.is_set():
            try:
                idle = self.run_once() == 0 and self._cursor >= self._careful_until
                self._stepped_at = time.monotonic()
                self._fault, pause = "", _BACK_OFF_S[0]
                if idle:
                    self._journal.wait(self._cursor, min(_IDLE_S, max(self._checkpoint_s, 0.01)))
            except Fenced as fault:
                self._fault = f"another engine has taken over this journal: {fault}"
                _log.error("engine_fenced", fault=str(fault))
                return
            except Exception as fault:  # noqa: BLE001 - the loop goes on, and says so in its health
                self._fault = f"uplinks are not judged: {fault!r}"
                _log.exception("engine_failed")
                # what was not committed is judged again
                self._loaded = False
                self._stop.wait(pause)
                pause = min(2 * pause, _BACK_OFF_S[1])
        self._finish()

    def _finish(self) -> None:
        if self._kernels is None or not self._loaded:
            return
        try:
            self._commit(self._kernels, [], due=True)
        except JournalError as fault:
            # nothing is lost: it is judged again at the next start
            _log.warning("engine_last_commit_failed", fault=str(fault))


def _tell(listener: Listener, events: tuple[Event, ...]) -> None:
    try:
        listener(events)
    except Exception:  # noqa: BLE001 - a listener's fault is not the engine's
        _log.exception("engine_listener_failed")
