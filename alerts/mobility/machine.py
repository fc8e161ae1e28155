"""The kernels of traffic and parking in their order; no I/O and no clock."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo

import numpy as np

from alerts.kernels import quality
from alerts.kernels.curve_row import Tally
from alerts.kernels.kernels import batch_of
from alerts.kernels.rows import Batch, Bools, Ints, Table
from alerts.mobility import car_park, counting, drift, newest, parking, speeds
from alerts.mobility.calendar import QUARTER_US
from alerts.mobility.car_park import Concluded, HandCount
from alerts.mobility.car_park_now import car_parks
from alerts.mobility.cells import Cells, SpeedCells, joined, joined_speeds, no_cells, no_speeds
from alerts.mobility.counting import SiteCounts
from alerts.mobility.forecast import ForecastScore
from alerts.mobility.forecasts import Forecasts
from alerts.mobility.plan import Plan, make_plan
from alerts.mobility.roads import Roads, Streets
from alerts.mobility.states import CarPark, Congestion, Correction, FlowState, Segment
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.measurement import Quality
from devices.registry import Registry
from ingest.reading import Readings, Series

_GOOD, _UNJUDGED = int(Quality.GOOD), int(Quality.NOT_EVALUATED)
_CLOCK = np.dtype([("time", "<i8")])


@dataclass(frozen=True, slots=True)
class Found:
    """What readings changed, to be written down."""

    cells: Cells = field(default_factory=no_cells)
    speeds: SpeedCells = field(default_factory=no_speeds)
    congestions: tuple[Congestion, ...] = ()
    parking: Concluded = field(default_factory=Concluded)


def together(found: Sequence[Found]) -> Found:
    """Of several steps in their order, each thing once and as it is after the last."""
    return Found(
        joined([each.cells for each in found]),
        joined_speeds([each.speeds for each in found]),
        tuple(congestion for each in found for congestion in each.congestions),
        parking=car_park.joined([each.parking for each in found]),
    )


class Machine:
    """Counts and car parks with their state.

    What they become depends on the readings and their order alone, not on how they were split into batches.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what the kernels are made from
        self,
        rules: Rules,
        registry: Registry,
        catalogue: Mapping[str, DeviceType],
        series: Sequence[Series] = (),
        state: Mapping[str, bytes] | None = None,
        zone: tzinfo = UTC,
        streets: Streets | None = None,
    ) -> None:
        self.tally = Tally()
        self._rules = rules
        self._catalogue = catalogue
        self._streets = streets or Streets()
        pages: MutableMapping[str, bytes] = dict(state or {})
        self._roads = Roads(pages)
        self._forecasts = Forecasts(pages)
        self._zone = zone
        self._quality = Table("quality", quality.ROW)
        # its row: the newest time known
        self._clock = Table("clock", _CLOCK)
        self._counts = Table("counted", counting.ROW)
        self._speeds = Table("speeds", speeds.ROW)
        self._sensors = Table("parking", car_park.SENSOR)
        self._parks = Table("car_park", car_park.PARK)
        self._tables = (
            self._quality,
            self._clock,
            self._counts,
            self._speeds,
            self._sensors,
            self._parks,
            *self._roads.tables,
            *self._forecasts.tables,
        )
        for table in self._tables:
            table.restore(pages)
        self._clock.claim(["newest"])
        self.adopt(self.plan(registry, series))

    def plan(self, registry: Registry, series: Sequence[Series]) -> Plan:
        """What adopt() takes; nothing of this is touched."""
        return make_plan(self._rules, registry, series, self._catalogue, self._zone, self._streets)

    def adopt(self, plan: Plan) -> None:
        """Follow a new registry or more series from now on; the state stays."""
        self.plan_now = plan
        self._quality.claim(plan.quality_keys)
        self._shown = newest.shown(plan.counts, plan.speeds)
        self._counts.claim(plan.counts_keys)
        self._speeds.claim(plan.speeds_keys)
        self._sensors.claim(plan.parking_keys)
        self._parks.claim(plan.parking.stations)
        self._roads.adopt(plan.roads)
        self._forecasts.adopt(plan.parking, self._streets.calendar)
        sensors, parks = parking.rearrange(self._sensors.rows, self._parks.rows, plan.parking)
        self._sensors.touch(sensors)
        self._parks.touch(parks)

    @property
    def series(self) -> int:
        """How many series the plan knows; readings of others must wait for adopt()."""
        return self.plan_now.series

    @property
    def newest_us(self) -> int:
        """The newest time that any reading had, 0 before the first."""
        return int(self._clock.rows["time"][0])

    def step(self, readings: Readings) -> Found:
        """Take readings in their order; return what they changed.

        Readings that quality control does not leave at 1 or 2, that are no number, or whose time cannot be
        one change nothing.
        """
        dated = (readings["time_us"] >= quality.FIRST_US) & (readings["time_us"] <= quality.LAST_US)
        self.tally.undated += len(readings) - int(dated.sum())
        readings = readings[dated]
        if not len(readings):
            return Found()
        looked = self.newest_us or int(readings["time_us"][0])
        seen = self._seen(readings)
        good = self._good(readings)
        readings, seen = readings[good], seen[good]
        found: list[Found] = []
        # up to each look and no further, however the readings are split
        times = np.concatenate([[looked], seen])
        due = np.flatnonzero(np.diff(self._roads.looks(times) + times // QUARTER_US))
        for part, times in zip(np.split(readings, due), np.split(seen, due), strict=True):
            if len(part):
                found += [self._look(looked, int(times[0])), self._take(part, times)]
                looked = int(times[-1])
        return together([*found, self._look(looked, self.newest_us)])

    def _look(self, looked_us: int, now_us: int) -> Found:
        """What roads and forecasts conclude between two times of the clock of the readings."""
        told = self._roads.look(self._counts.rows, self._speeds.rows, looked_us, now_us)
        self._forecasts.look(self._sensors.rows, self._parks.rows, looked_us, now_us)
        return Found(congestions=tuple(told))

    def _take(self, readings: Readings, seen: Ints) -> Found:
        """Readings that are good, between two looks."""
        plan = self.plan_now
        cells, kmh = no_cells(), no_speeds()
        for batch, place in batch_of(readings, plan.counts.slot_of[readings["series"]]):
            self._counts.touch(batch.slot)
            cells = counting.step(self._counts.rows, plan.counts, batch, seen[place], self.tally)
            self._roads.note(cells.slot, cells.mark)
        for batch, place in batch_of(readings, plan.speeds.slot_of[readings["series"]]):
            self._speeds.touch(batch.slot)
            kmh = speeds.step(self._speeds.rows, plan.speeds, batch, seen[place], self.tally)
        parked = self._park(readings, seen)
        self._forecasts.correct(parked.quarters)
        return Found(cells, kmh, parking=parked)

    def step_carefully(self, readings: Readings, skipped: Callable[[Readings, Exception], None]) -> Found:
        """step() that survives a kernel that raises: the readings that do it are left out and named.

        Halves the batch until the reading is alone; the state before each half is kept to go back to.
        """
        kept = [table.rows.copy() for table in self._tables]
        try:
            return self.step(readings)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the other readings must count
            for table, rows in zip(self._tables, kept, strict=True):
                table.rows[:] = rows
            # the halves keep their own
            kept.clear()
            if len(readings) == 1:
                skipped(readings, fault)
                return Found()
        half = len(readings) // 2
        before = self.step_carefully(readings[:half], skipped)
        return together([before, self.step_carefully(readings[half:], skipped)])

    def pages(self) -> dict[str, bytes]:
        """State that changed since durable(), as pages of a few hundred bytes to a few KB."""
        return {key: page for table in self._tables for key, page in table.pages()}

    def durable(self) -> None:
        """What pages() gave is in the journal."""
        for table in self._tables:
            table.durable()

    def traffic(self) -> tuple[SiteCounts, ...]:
        """Every counting site's last 24 hours."""
        return newest.site_counts(self._counts.rows, self.plan_now.counts, self._speeds.rows, self._shown)

    def parking(self, now_us: int = 0) -> tuple[CarPark, ...]:
        """Every car park at a time; a time before its newest reading is that one's."""
        found = car_parks(self._sensors.rows, self._parks.rows, self.plan_now.parking, now_us)
        now_us = max(now_us, self.newest_us)
        return tuple(replace(each, expected=self._forecasts.expected(each.station, now_us)) for each in found)

    def forecast_scores(self) -> tuple[ForecastScore, ...]:
        """How good the forecasts of every car park were, by horizon."""
        return self._forecasts.scores()

    def awaits(self, counted: HandCount) -> bool:
        """Whether a count by hand is of a known car park, and was not taken before."""
        stations = list(self.plan_now.parking.stations)
        if counted.station not in stations:
            return False
        return bool(self._parks.rows["counted"][stations.index(counted.station)] < counted.number)

    def count(self, counted: HandCount) -> Correction:
        """Take what a person counted in a known car park, as of its time."""
        park = list(self.plan_now.parking.stations).index(counted.station)
        self._parks.touch(np.array([park]))
        correction = drift.count(self._parks.rows[park], counted)
        self._forecasts.move(counted.station, correction.after - correction.before)
        return correction

    def _park(self, readings: Readings, seen: Ints) -> Concluded:
        """All readings that car parks are told by, and the quarters of an hour that are over."""
        plan = self.plan_now.parking
        slot = plan.slot_of[readings["series"]]
        mine = slot >= 0
        batch = Batch(slot[mine], readings["time_us"][mine], readings["value"][mine])
        told = parking.step(self._sensors.rows, self._parks.rows, plan, batch, seen[mine], int(seen[-1]))
        self._sensors.touch(batch.slot)
        self._parks.touch(plan.park[batch.slot])
        self._parks.touch(np.array(told.parks, np.int64))
        return told

    def flow(self) -> tuple[FlowState, ...]:
        """Every direction that is counted and was heard."""
        return self._roads.flow(self.newest_us)

    def segments(self) -> tuple[Segment, ...]:
        """Every street segment as it is now."""
        return self._roads.segments()

    def _seen(self, readings: Readings) -> Ints:
        """The newest time known at each reading, its own included."""
        times = np.append(self._clock.rows["time"][:1], readings["time_us"])
        newest: Ints = np.maximum.accumulate(times)
        self._clock.rows["time"][0] = newest[-1]
        self._clock.touch(np.zeros(1, np.int64))
        return newest[1:]

    def _good(self, readings: Readings) -> Bools:
        """Which readings quality control leaves at 1 or 2; staff hear of the others from the rule engine."""
        flags: quality.Flags = readings["quality"].copy()
        plan = self.plan_now.quality
        for batch, place in batch_of(readings, plan.slot_of[readings["series"]]):
            flags[place], _ = quality.step(self._quality.rows, plan, batch, flags[place], quality.LAST_US)
            self._quality.touch(batch.slot[plan.remembers[batch.slot]])
        good: Bools = (flags == _GOOD) | (flags == _UNJUDGED)
        # neither is NaN
        good &= np.abs(readings["value"]) < quality.LARGEST
        return good
