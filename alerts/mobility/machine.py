"""The kernels of traffic and parking in their order; no I/O and no clock."""

from collections.abc import Callable, Mapping, MutableMapping, Sequence

import numpy as np

from alerts.kernels import quality
from alerts.kernels.curve import Tally
from alerts.kernels.kernels import batch_of
from alerts.kernels.rows import Bools, Table
from alerts.mobility import counting, parking
from alerts.mobility.counting import SiteCounts
from alerts.mobility.plan import Plan, make_plan
from alerts.mobility.states import CarPark
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.measurement import Quality
from devices.registry import Registry
from ingest.reading import Readings, Series

_GOOD, _UNJUDGED = int(Quality.GOOD), int(Quality.NOT_EVALUATED)


class Machine:
    """Counts and car parks with their state.

    What they become depends on the readings and their order alone, not on how they were split into batches.
    """

    def __init__(
        self,
        rules: Rules,
        registry: Registry,
        catalogue: Mapping[str, DeviceType],
        series: Sequence[Series] = (),
        state: Mapping[str, bytes] | None = None,
    ) -> None:
        self.tally = Tally()
        self._rules = rules
        self._catalogue = catalogue
        self._quality = Table("quality", quality.ROW)
        self._counts = Table("counts", counting.ROW)
        self._sensors = Table("parking", parking.SENSOR)
        self._parks = Table("car_park", parking.PARK)
        self._tables = (self._quality, self._counts, self._sensors, self._parks)
        pages: MutableMapping[str, bytes] = dict(state or {})
        for table in self._tables:
            table.restore(pages)
        self.adopt(self.plan(registry, series))

    def plan(self, registry: Registry, series: Sequence[Series]) -> Plan:
        """What adopt() takes; nothing of this is touched."""
        return make_plan(self._rules, registry, series, self._catalogue)

    def adopt(self, plan: Plan) -> None:
        """Follow a new registry or more series from now on; the state stays."""
        self._plan = plan
        self._quality.claim(plan.quality_keys)
        self._counts.claim(plan.counts_keys)
        self._sensors.claim(plan.parking_keys)
        self._parks.claim(plan.parking.stations)

    @property
    def series(self) -> int:
        """How many series the plan knows; readings of others must wait for adopt()."""
        return self._plan.series

    def step(self, readings: Readings) -> None:
        """Take readings in their order.

        Readings that quality control does not leave at 1 or 2, that are no number, or whose time cannot be
        one change nothing.
        """
        plan = self._plan
        dated = (readings["time_us"] >= quality.FIRST_US) & (readings["time_us"] <= quality.LAST_US)
        self.tally.undated += len(readings) - int(dated.sum())
        readings = readings[dated]
        readings = readings[self._good(readings)]
        for batch, _ in batch_of(readings, plan.counts.slot_of[readings["series"]]):
            self._counts.touch(batch.slot)
            counting.step(self._counts.rows, plan.counts, batch, self.tally)
        for batch, _ in batch_of(readings, plan.parking.slot_of[readings["series"]]):
            self._sensors.touch(batch.slot)
            self._parks.touch(plan.parking.park[batch.slot])
            parking.step(self._sensors.rows, self._parks.rows, plan.parking, batch)

    def step_carefully(self, readings: Readings, skipped: Callable[[Readings, Exception], None]) -> None:
        """step() that survives a kernel that raises: the readings that do it are left out and named.

        Halves the batch until the reading is alone; the state before each half is kept to go back to.
        """
        kept = [table.rows.copy() for table in self._tables]
        try:
            self.step(readings)
        except Exception as fault:  # noqa: BLE001 - whatever it is, the other readings must count
            for table, rows in zip(self._tables, kept, strict=True):
                table.rows[:] = rows
            if len(readings) == 1:
                skipped(readings, fault)
                return
            half = len(readings) // 2
            self.step_carefully(readings[:half], skipped)
            self.step_carefully(readings[half:], skipped)

    def pages(self) -> dict[str, bytes]:
        """State that changed since durable(), as pages of a few hundred bytes to a few KB."""
        return {key: page for table in self._tables for key, page in table.pages()}

    def durable(self) -> None:
        """What pages() gave is in the journal."""
        for table in self._tables:
            table.durable()

    def traffic(self) -> tuple[SiteCounts, ...]:
        """Every counting site's last 24 hours."""
        return counting.site_counts(self._counts.rows, self._plan.counts)

    def parking(self) -> tuple[CarPark, ...]:
        """Every car park as it is now."""
        return parking.car_parks(self._sensors.rows, self._parks.rows, self._plan.parking)

    def _good(self, readings: Readings) -> Bools:
        """Which readings quality control leaves at 1 or 2; staff hear of the others from the rule engine."""
        flags: quality.Flags = readings["quality"].copy()
        plan = self._plan.quality
        for batch, place in batch_of(readings, plan.slot_of[readings["series"]]):
            flags[place], _ = quality.step(self._quality.rows, plan, batch, flags[place], quality.LAST_US)
            self._quality.touch(batch.slot[plan.remembers[batch.slot]])
        good: Bools = (flags == _GOOD) | (flags == _UNJUDGED)
        # neither is NaN
        good &= np.abs(readings["value"]) < quality.LARGEST
        return good
