"""Traffic and parking as a reader of the journal: read, step, write, commit.

It has a cursor and state pages of its own, so the rule engine of the flood warnings never waits for it. What
is told of the past is in mobility.db, see database.py.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import structlog

from alerts.errors import CountRefusedError
from alerts.journal_reader import BATCH_UPLINKS, MAX_AHEAD_S, JournalReader, ReaderStats, Skip, Words
from alerts.lifecycle import stamp
from alerts.mobility import congestions_db
from alerts.mobility.by_hand import ByHand
from alerts.mobility.car_park import Concluded, HandCount
from alerts.mobility.counted import Asked, Count, Resolution, Site
from alerts.mobility.counting import SiteCounts
from alerts.mobility.counts_db import CountsDb, Keep
from alerts.mobility.database import WRITTEN, is_behind, write_position
from alerts.mobility.forecast import ForecastScore
from alerts.mobility.local_time import LocalTime
from alerts.mobility.machine import Found, Machine, together
from alerts.mobility.occupancy_db import KeepOccupancy, OccupancyDb, OccupancyResolution
from alerts.mobility.rezone import follow_zone
from alerts.mobility.roads import Streets
from alerts.mobility.segments import Street
from alerts.mobility.states import CarPark, Congestion, Correction, FlowState, Occupancy, Segment
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.registry import Registry
from ingest.health import Health
from ingest.journal import Journal
from ingest.listeners import Listeners
from ingest.reading import Readings
from ingest.sqlite_file import SqliteFile

PART = "mobility"
COUNT_AGE_US = 3_600_000_000
"""A count by hand may be this old when it is entered."""

_BERLIN = ZoneInfo("Europe/Berlin")
_HOUR_US = 3_600_000_000
_COUNT_AHEAD_US = 60_000_000
_LAG_US = 900_000_000
"""What is counted by hand waits while the readings taken are this old, and newer ones are there."""
_HISTORY_US = 3_600_000_000
"""What is this much older than now is read up on, and no news."""
_WORDS = Words(
    thread="mobility",
    taken_over="another service has taken over this journal",
    failed="traffic and parking are not counted",
    left_out="could not be counted",
    log="mobility",
    log_step_failed="counting_failed",
    log_skipped="reading_not_counted",
)
Listener = Callable[[tuple[Congestion, ...]], None]
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class MobilityStats(ReaderStats):
    """Since the start. `congestions`: told, each time that one began, became worse or ended."""

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
        batch_uplinks: int = BATCH_UPLINKS,
    ) -> None:
        self.stats = MobilityStats()
        self._journal = journal
        self._rules = rules
        self._clock = clock
        self._file = file
        self._zone = zone
        self._history = CountsDb(file, LocalTime(zone), keep or Keep())
        self._parked = OccupancyDb(file, LocalTime(zone), keep_occupancy or KeepOccupancy())
        self._by_hand = ByHand(self._parked)
        self._catalogue = catalogue or {}
        self._streets = streets or Streets()
        self._listeners: Listeners[tuple[Congestion, ...]] = Listeners("congestion_listener_failed")
        # over the machine: the loop changes it, parking() and traffic() read it
        self._lock = threading.Lock()
        self._machine: Machine | None = None
        self._traffic: tuple[SiteCounts, ...] | None = None
        self._found: list[Found] = []
        self._written = False
        self._purged_hour = 0
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
        """Seq of the last uplink taken."""
        return self._reader.cursor

    @property
    def health(self) -> Health:
        """Whether uplinks are counted, and what an operator should know."""
        health = self._reader.health
        return Health(ok=False, detail=fault) if health.ok and (fault := self._clock_fault()) else health

    def _clock_fault(self) -> str:
        """What was taken while a clock was ahead keeps out what comes, until that time is reached."""
        machine = self._machine
        ahead_us = 0 if machine is None else machine.newest_us - self._clock()
        if ahead_us <= self._reader.max_ahead_us:
            return ""
        return (
            f"the newest reading is {ahead_us // 60_000_000} minutes ahead of this machine's clock, and what "
            "comes is not counted until then: put the clock right, or if it was wrong before, stop the "
            "service, move mobility.db away and start again"
        )

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
        return self._listeners.add(callback)

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
        self._reader.start()

    def stop(self) -> None:
        """End the thread after its step; what it has counted is durable."""
        self._reader.stop()

    def run_once(self) -> int:
        """Read, step, commit; return how many uplinks were taken. Raises JournalError, MobilityError."""
        machine = self._reader.state()
        self._take_counts(machine)
        last, readings = self._reader.read()
        readings, last = self._by_hand.until(readings, last)
        if last == self._reader.cursor:
            self._commit(machine)
            self._purge(machine.newest_us)
            return 0
        if not self._step(machine, readings, last):
            return 0
        done = self._reader.advance(last)
        self._commit(machine)
        self._reader.count(readings)
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
        part = self._reader.open()
        if part.cursor and is_behind(self._file, part.state):
            # without its history everything is counted again
            _log.warning("mobility_counted_again", cursor=part.cursor)
            part = self._reader.rewind(part)
        registry, series = self._reader.registry, self._reader.series
        state = {page: blob for page, blob in part.state.items() if blob and page != WRITTEN}
        machine = Machine(self._rules, registry, self._catalogue, series, state, self._zone, self._streets)
        machine.tally = self.stats
        follow_zone(self._file, LocalTime(self._zone))
        self._history.arrange(machine.plan_now.counts, machine.plan_now.speeds)
        self._by_hand.load(part.cursor)
        self._found = []
        with self._lock:
            self._machine, self._traffic = machine, None
        return machine

    def _step(self, machine: Machine, readings: Readings, last: int) -> bool:
        """Take a batch; False when a kernel raised and everything starts again from the last commit."""
        readings = self._reader.sane(readings)
        self._arrange(machine, readings)

        def step(skip: Skip | None) -> Found:
            with self._lock:
                self._traffic = None
                return machine.step(readings) if skip is None else machine.step_carefully(readings, skip)

        found = self._reader.attempt(step, last)
        if found is None:
            return False
        self._found.append(found)
        return True

    def _take_counts(self, machine: Machine) -> None:
        """What people counted: after the uplinks where it was taken before, and what is new."""
        for count in self._by_hand.due(self._reader.cursor):
            if machine.awaits(count):
                self._take_count(machine, count)
        if self._clock() - machine.newest_us > _LAG_US and self._journal.last_seq() > self._reader.cursor:
            # cars that passed before it, and wait in the journal, would be added to it
            return

        def taken(count: HandCount) -> Correction:
            self._check_count(machine, count)
            correction = self._take_count(machine, self._by_hand.keep(count, self._reader.cursor))
            self._reader.hasten()
            self._commit(machine)
            return correction

        self._by_hand.take(taken)

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
        registry = self._reader.news(machine.series, readings)
        if registry is not None:
            plan = machine.plan(registry, self._reader.series)
            # slots only grow: what was found before has its place in the new plan
            self._history.arrange(plan.counts, plan.speeds)
            with self._lock:
                self._traffic = None
                machine.adopt(plan)

    def _commit(self, machine: Machine) -> None:
        if not self._reader.due(found=bool(self._found)):
            return
        found = together(self._found)
        self._reader.commit({**machine.pages(), **self._write(found)})
        machine.durable()
        self._found = []
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
        self._listeners.tell(congestions)

    def _write(self, found: Found) -> Mapping[str, bytes]:
        """Before the journal's commit: after a crash between the two the same is written again.

        Returns what the journal has to remember of it.
        """
        told = found.congestions or found.parking.quarters or found.parking.corrections
        if self._written and not (len(found.cells.slot) or len(found.speeds.slot) or told):
            return {}
        with self._file.write() as connection:
            self._history.write(connection, found.cells, found.speeds)
            congestions_db.write(connection, found.congestions)
            self._parked.write(connection, found.parking)
            noted = write_position(connection, self._reader.cursor)
        self._written = True
        return noted
