"""Traffic and parking as a reader of the journal: read, step, write, commit.

It has a cursor and state pages of its own, so the rule engine of the flood warnings never waits for it. What
is told of the past is in mobility.db, see database.py.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog

from alerts.errors import CountRefusedError, MobilityError
from alerts.kernels.curve import Tally
from alerts.lifecycle import stamp
from alerts.mobility import congestions_db
from alerts.mobility.by_hand import ByHand
from alerts.mobility.car_park import Concluded, HandCount
from alerts.mobility.counted import Asked, Count, Resolution, Site
from alerts.mobility.counting import SiteCounts
from alerts.mobility.counts_db import CountsDb, Keep
from alerts.mobility.database import is_new
from alerts.mobility.forecast import ForecastScore
from alerts.mobility.local_time import LocalTime
from alerts.mobility.machine import Found, Machine, together
from alerts.mobility.occupancy_db import KeepOccupancy, OccupancyDb, OccupancyResolution
from alerts.mobility.roads import Streets
from alerts.mobility.segments import Street
from alerts.mobility.states import CarPark, Congestion, Correction, FlowState, Occupancy, Segment
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.registry import Registry
from ingest.errors import Fenced, JournalError
from ingest.health import Health
from ingest.journal import Journal, Part
from ingest.reading import Readings, Series
from ingest.sqlite_file import SqliteFile

PART = "mobility"
MAX_AHEAD_S = 600.0
COUNT_AGE_US = 3_600_000_000
"""A count by hand may be this old when it is entered."""

_BERLIN = ZoneInfo("Europe/Berlin")
_BATCH_UPLINKS = 4096
_IDLE_S = 0.5
_HOUR_US = 3_600_000_000
_COUNT_AHEAD_US = 60_000_000
_LAG_US = 900_000_000
"""What is counted by hand waits while the readings taken are this old, and newer ones are there."""
_BACK_OFF_S = (0.1, 5.0)
_FAULT_SHOWN_S = 3600.0
_HISTORY_US = 3_600_000_000
"""What is this much older than now is read up on, and no news."""
Listener = Callable[[tuple[Congestion, ...]], None]
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class MobilityStats:
    """Since the start of this reader. `behind`: uplinks not yet taken at the last look.

    `skipped`: readings that made a kernel raise; `ahead`: readings dated in the future; `implausible`,
    `too_late`, `counter_breaks`, `undated`: what was not taken (see alerts/kernels/curve.py). `congestions`:
    told, each time that one began, became worse or ended.
    """

    readings: int = 0
    skipped: int = 0
    ahead: int = 0
    implausible: int = 0
    too_late: int = 0
    counter_breaks: int = 0
    undated: int = 0
    behind: int = 0
    congestions: int = 0


class Mobility:
    """One reader of the journal; start() runs it in a thread of its own, run_once() by hand.

    `registry` gives the current registry, `clock` µs since the epoch: readings dated more than `max_ahead_s`
    in the future change nothing. State is committed every `checkpoint_s`. `file`: mobility.db, not closed
    here; one without a history is filled from the journal's beginning. `zone`: whose days and weeks.
    `streets`: what the city says of its roads.
    """

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        journal: Journal,
        rules: Rules,
        registry: Callable[[], Registry],
        clock: Callable[[], int],
        file: SqliteFile,
        *,
        zone: ZoneInfo = _BERLIN,
        keep: Keep | None = None,
        streets: Streets | None = None,
        keep_occupancy: KeepOccupancy | None = None,
        catalogue: Mapping[str, DeviceType] | None = None,
        max_ahead_s: float = MAX_AHEAD_S,
        checkpoint_s: float = 1.0,
        batch_uplinks: int = _BATCH_UPLINKS,
    ) -> None:
        self.stats = MobilityStats()
        self._journal = journal
        self._rules = rules
        self._registry = registry
        self._clock = clock
        self._file = file
        self._zone = zone
        self._history = CountsDb(file, LocalTime(zone), keep or Keep())
        self._parked = OccupancyDb(file, LocalTime(zone), keep_occupancy or KeepOccupancy())
        self._by_hand = ByHand(self._parked)
        self._catalogue = catalogue or {}
        self._streets = streets or Streets()
        self._listeners: tuple[Listener, ...] = ()
        self._max_ahead_us = round(max_ahead_s * 1_000_000)
        self._checkpoint_s = checkpoint_s
        self._batch_uplinks = batch_uplinks
        # over the machine: the loop changes it, parking() and traffic() read it
        self._lock = threading.Lock()
        self._machine: Machine | None = None
        self._traffic: tuple[SiteCounts, ...] | None = None
        self._loaded = False
        self._series: list[Series] = []
        self._arranged: Registry | None = None
        self._cursor = self._durable = self._fence = 0
        self._found: list[Found] = []
        self._written = False
        self._checkpoint_at = 0.0
        self._purged_hour = 0
        self._careful_until = 0
        self._tally = Tally()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._fault = ""
        self._skipped_at: float | None = None

    @property
    def cursor(self) -> int:
        """Seq of the last uplink taken."""
        return self._cursor

    @property
    def health(self) -> Health:
        """Whether uplinks are counted, and what an operator should know."""
        if self._fault:
            return Health(ok=False, detail=self._fault)
        if self._skipped_at is not None and time.monotonic() - self._skipped_at < _FAULT_SHOWN_S:
            detail = f"{self.stats.skipped} readings could not be counted and were left out: see the log"
            return Health(ok=False, detail=detail)
        return Health(ok=True, detail=f"{self.stats.behind} uplinks behind" if self.stats.behind else "")

    def parking(self) -> tuple[CarPark, ...]:
        """Every car park as it is now."""
        with self._lock:
            return self._machine.parking(self._clock()) if self._machine else ()

    def forecast_scores(self) -> tuple[ForecastScore, ...]:
        """How good the forecasts of every car park's free spaces were, by horizon."""
        with self._lock:
            return self._machine.forecast_scores() if self._machine else ()

    def traffic(self) -> tuple[SiteCounts, ...]:
        """Every counting site's last 24 hours, the same until the reader has gone on."""
        with self._lock:
            if self._traffic is None and self._machine:
                self._traffic = self._machine.traffic()
            return self._traffic or ()

    @property
    def streets(self) -> tuple[Street, ...]:
        """The street segments as they are drawn."""
        return self._streets.segments

    def flow(self) -> tuple[FlowState, ...]:
        """Every direction that is counted and was heard."""
        with self._lock:
            return self._machine.flow() if self._machine else ()

    def segments(self) -> tuple[Segment, ...]:
        """Every street segment as it is now."""
        with self._lock:
            return self._machine.segments() if self._machine else ()

    def congestions(
        self, from_us: int, to_us: int, limit: int, after: tuple[int, str] | None = None
    ) -> tuple[Congestion, ...]:
        """Congestions in force or ended after `from_us` that began before `to_us`, by begin and id.

        `after`: on from the (begin_us, id) of the last one seen. Raises MobilityError.
        """
        return congestions_db.read(self._file, from_us, to_us, limit, after)

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call back with congestions that have begun, become worse or ended, in the reader's thread.

        After they are durable, and not while a history is read. Returns what ends it.
        """
        with self._lock:
            self._listeners = (*self._listeners, callback)

        def leave() -> None:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not callback)

        return leave

    def sites(self) -> tuple[Site, ...]:
        """Every site of which something was counted. Raises MobilityError."""
        return self._history.sites()

    def counts(
        self, site: Site, resolution: Resolution, from_us: int, to_us: int, limit: int
    ) -> tuple[Count, ...]:
        """Counts of the intervals that begin from `from_us` on and before `to_us`, oldest first.

        What nobody ever said anything about is left out; the running interval is there, with what is known.
        Raises MobilityError.
        """
        return self._history.counts(site, resolution, from_us, to_us, limit)

    def counts_of(
        self, spans: Mapping[Asked, tuple[int, int]], limit: int
    ) -> Mapping[Asked, Sequence[Count]]:
        """Counts of some sites in their order, those that lie within their span; at most `limit` in all.

        Raises MobilityError.
        """
        return self._history.counts_of(spans, limit)

    def occupancy(
        self, station: str, resolution: OccupancyResolution, from_us: int, to_us: int, limit: int
    ) -> tuple[Occupancy, ...]:
        """How full a car park was in the intervals that begin from `from_us` on and before `to_us`.

        Oldest first; see OccupancyDb.occupancy(). Raises MobilityError.
        """
        return self._parked.occupancy(station, resolution, from_us, to_us, limit)

    def corrections(
        self, station: str | None, from_us: int, limit: int, before: tuple[int, str, str] | None = None
    ) -> tuple[Correction, ...]:
        """Corrections from a time on, of one car park or of all, newest first. Raises MobilityError.

        `before`: on from the (time_us, station, reason) of the last one seen.
        """
        return self._parked.corrections(station, from_us, limit, before)

    def count_by_hand(self, station: str, time_us: int, occupied: int, by: str) -> Correction:
        """A person counted the spaces taken at a time; durable when it returns.

        Raises CountRefusedError where it cannot be taken, MobilityError where it cannot be kept.
        """
        return self._by_hand.count(HandCount(0, station, time_us, occupied, by))

    def start(self) -> None:
        """Run until stop()."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="mobility", daemon=False)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its step; what it has counted is durable."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def run_once(self) -> int:
        """Read, step, commit; return how many uplinks were taken. Raises JournalError, MobilityError."""
        machine = self._machine if self._machine is not None and self._loaded else self._load()
        self._take_counts(machine)
        last, readings = self._journal.read(self._cursor, self._batch_uplinks)
        readings, last = self._by_hand.until(readings, last)
        if last == self._cursor:
            self._commit(machine, due=time.monotonic() >= self._checkpoint_at)
            self._purge(machine.newest_us)
            self.stats.behind = 0
            return 0
        if not self._step(machine, readings, last):
            return 0
        done = last - self._cursor
        careful = self._cursor < self._careful_until
        self._cursor = last
        self._commit(machine, due=careful or time.monotonic() >= self._checkpoint_at)
        self._take_tally()
        self.stats.readings += len(readings)
        self.stats.behind = max(self._journal.last_seq() - last, 0)
        return done

    def _purge(self, now_us: int) -> None:
        """Delete what is kept no longer; congestions as long as hours of counts."""
        self._history.purge(now_us)
        self._parked.purge(now_us)
        before_us = self._history.kept_from("PT1H", now_us)
        if before_us is not None and now_us // _HOUR_US != self._purged_hour:
            congestions_db.purge(self._file, before_us)
            self._purged_hour = now_us // _HOUR_US

    def _load(self) -> Machine:
        part = self._journal.load(PART)
        if part.cursor and is_new(self._file):
            # without its history everything is counted again
            self._journal.commit(PART, part.fence, 0, dict.fromkeys(part.state, b""))
            part = Part(0, part.fence, {})
        state = {page: blob for page, blob in part.state.items() if blob}
        self._series = list(self._journal.series())
        self._arranged = self._registry()
        machine = Machine(
            self._rules, self._arranged, self._catalogue, self._series, state, self._zone, self._streets
        )
        machine.tally = self._tally
        self._history.arrange(machine.plan_now.counts, machine.plan_now.speeds)
        self._by_hand.load(part.cursor)
        self._found = []
        self._fence = part.fence
        self._checkpoint_at = time.monotonic() + self._checkpoint_s
        with self._lock:
            self._machine, self._traffic = machine, None
            self._cursor = self._durable = part.cursor
        self._loaded = True
        return machine

    def _step(self, machine: Machine, readings: Readings, last: int) -> bool:
        """Take a batch; False when a kernel raised and everything starts again from the last commit."""
        sane = readings["time_us"] <= self._clock() + self._max_ahead_us
        self.stats.ahead += len(readings) - int(sane.sum())
        readings = readings[sane]
        self._arrange(machine, readings)
        try:
            with self._lock:
                self._traffic = None
                if self._cursor < self._careful_until:
                    found = machine.step_carefully(readings, self._skip)
                else:
                    found = machine.step(readings)
        except Exception:  # noqa: BLE001 - whatever a kernel raises, the other readings must count
            _log.exception("counting_failed", cursor=self._cursor, last=last)
            # the state is half changed: take the last durable one, and go carefully past this batch
            self._careful_until = last
            self._load()
            return False
        self._found.append(found)
        return True

    def _take_counts(self, machine: Machine) -> None:
        """What people counted: after the uplinks where it was taken before, and what is new."""
        for count in self._by_hand.due(self._cursor):
            if machine.awaits(count):
                self._take_count(machine, count)
        if self._clock() - machine.newest_us > _LAG_US and self._journal.last_seq() > self._cursor:
            # cars that passed before it, and wait in the journal, would be added to it
            return
        for count, future in self._by_hand.asked():
            try:
                self._check_count(machine, count)
                kept = self._by_hand.keep(count, self._cursor)
                correction = self._take_count(machine, kept)
                self._commit(machine, due=True)
            except BaseException as fault:
                future.set_exception(fault)
                if not isinstance(fault, CountRefusedError):
                    raise
            else:
                future.set_result(correction)

    def _take_count(self, machine: Machine, count: HandCount) -> Correction:
        with self._lock:
            correction = machine.count(count)
        self._found.append(Found(parking=Concluded(corrections=[correction])))
        return correction

    def _check_count(self, machine: Machine, count: HandCount) -> None:
        now = self._clock()
        found = {each.station: each for each in machine.parking(now)}.get(count.station)
        if found is None:
            raise CountRefusedError("unknown", f"there is no car park {count.station!r}")
        if found.source != "counters":
            text = f"its number follows from {found.source}, not from counters: a count cannot put it right"
            raise CountRefusedError("source", text)
        if not 0 <= count.occupied <= found.capacity:
            raise CountRefusedError("capacity", f"it has {found.capacity} spaces, not {count.occupied}")
        if count.time_us > now + _COUNT_AHEAD_US:
            raise CountRefusedError("future", "it is dated in the future")
        if count.time_us < machine.newest_us - COUNT_AGE_US:
            minutes = COUNT_AGE_US // 60_000_000
            raise CountRefusedError(
                "age", f"it is older than {minutes} minutes: what passed since is not known"
            )

    def _arrange(self, machine: Machine, readings: Readings) -> None:
        registry = self._registry()
        unknown = len(readings) and int(readings["series"].max()) >= machine.series
        if unknown:
            self._series += self._journal.series(len(self._series))
        if unknown or registry is not self._arranged:
            self._arranged = registry
            plan = machine.plan(registry, self._series)
            # slots only grow: what was found before has its place in the new plan
            self._history.arrange(plan.counts, plan.speeds)
            with self._lock:
                self._traffic = None
                machine.adopt(plan)

    def _commit(self, machine: Machine, *, due: bool) -> None:
        if not due or (self._cursor == self._durable and not self._found):
            return
        found = together(self._found)
        self._write(found)
        self._journal.commit(PART, self._fence, self._cursor, machine.pages())
        machine.durable()
        self._found = []
        self._durable = self._cursor
        self._checkpoint_at = time.monotonic() + self._checkpoint_s
        if found.congestions and self._clock() - machine.newest_us < _HISTORY_US:
            self._tell(tuple({each.id: each for each in found.congestions}.values()))

    def _tell(self, congestions: tuple[Congestion, ...]) -> None:
        self.stats.congestions += len(congestions)
        for each in congestions:
            _log.info(
                "congestion",
                segment=each.segment,
                congestion=each.id,
                worst=each.worst,
                begin=stamp(each.begin_us),
                end=None if each.end_us is None else stamp(each.end_us),
            )
        for listener in self._listeners:
            try:
                listener(congestions)
            except Exception:  # noqa: BLE001 - a listener's fault is not the counter's
                _log.exception("congestion_listener_failed")

    def _write(self, found: Found) -> None:
        """Before the journal's commit: after a crash between the two the same is written again."""
        told = found.congestions or found.parking.quarters or found.parking.corrections
        if len(found.cells.slot) or len(found.speeds.slot) or told or not self._written:
            with self._file.write() as connection:
                self._history.write(connection, found.cells, found.speeds)
                congestions_db.write(connection, found.congestions)
                self._parked.write(connection, found.parking)
                connection.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", (self._cursor,))
            self._written = True

    def _skip(self, readings: Readings, fault: Exception) -> None:
        self.stats.skipped += len(readings)
        self._skipped_at = time.monotonic()
        reading = readings[0]
        series = self._series[int(reading["series"])]
        _log.error(
            "reading_not_counted",
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
                self._fault, pause = "", _BACK_OFF_S[0]
                if idle:
                    self._journal.wait(self._cursor, min(_IDLE_S, max(self._checkpoint_s, 0.01)))
            except Fenced as fault:
                self._fault = f"another service has taken over this journal: {fault}"
                _log.error("mobility_fenced", fault=str(fault))
                return
            except Exception as fault:  # noqa: BLE001 - the loop goes on, and says so in its health
                self._fault = f"traffic and parking are not counted: {fault!r}"
                _log.exception("mobility_failed")
                # what was not committed is counted again
                self._loaded = False
                self._stop.wait(pause)
                pause = min(2 * pause, _BACK_OFF_S[1])
        self._finish()

    def _finish(self) -> None:
        if self._machine is None or not self._loaded:
            return
        try:
            self._commit(self._machine, due=True)
        except (JournalError, MobilityError) as fault:
            # nothing is lost: it is counted again at the next start
            _log.warning("mobility_last_commit_failed", fault=str(fault))
