"""Forecasts of all car parks: what they are asked by the machine, and the moments they learn from.

A car park is looked at whenever the readings' clock passes a quarter of an hour, as it is told then. When
that quarter is closed, what was put right since replaces what was seen.
"""

from collections.abc import MutableMapping, Sequence

import numpy as np

from alerts.kernels.rows import Rows, Table
from alerts.mobility import forecast
from alerts.mobility.calendar import QUARTER_US, Calendar
from alerts.mobility.car_park import MINUTE_US, ParkingPlan, known_minutes
from alerts.mobility.car_park_now import spaces_taken
from alerts.mobility.forecast import ForecastPlan, ForecastScore, Samples
from alerts.mobility.forecast_days import DAY, DAYS, Memory
from alerts.mobility.states import Expected, Occupancy

_LOOKED_BACK = 96
"""Quarters of an hour: after a longer silence of the whole city the older ones teach nothing."""


class Forecasts:
    """The forecast's state, of every car park that was shown once: a road's counters have no week here."""

    def __init__(self, state: MutableMapping[str, bytes]) -> None:
        self._days = Table("forecast_day", DAY)
        self._parks = Table("forecast", forecast.PARK)
        self.tables = (self._days, self._parks)
        for table in self.tables:
            table.restore(state)
        self._slot: dict[str, int] = {}

    def adopt(self, parking: ParkingPlan, calendar: Calendar) -> None:
        """Follow a plan from now on; the state stays."""
        self._parking = parking
        for station, shown in zip(parking.stations, parking.shown, strict=True):
            if shown:
                self._slot.setdefault(station, len(self._slot))
        self._plan = ForecastPlan(list(self._slot), calendar.slots)
        self._days.claim(self._plan.day_keys())
        self._parks.claim(self._plan.stations)

    def look(self, sensors: Rows, parks: Rows, looked_us: int, now_us: int) -> None:
        """See how full the car parks are at each quarter of an hour passed since the last look."""
        now = now_us // QUARTER_US
        for quarter in range(max(looked_us // QUARTER_US, now - _LOOKED_BACK) + 1, now + 1):
            self._take(self._moment(sensors, parks, quarter * QUARTER_US))

    def correct(self, quarters: Sequence[tuple[str, Occupancy]]) -> None:
        """Closed quarters of an hour of stations: what differs from what was seen replaces it."""
        quarters = [(station, each) for station, each in quarters if station in self._slot]
        if not quarters:
            return
        samples = Samples(
            np.array([self._slot[station] for station, _ in quarters], np.int64),
            np.array([each.end_us for _, each in quarters], np.int64),
            np.array([each.last for _, each in quarters], np.float64),
            np.array([each.capacity for _, each in quarters], np.int64),
            np.array([each.completeness for _, each in quarters], np.float64),
        )
        memory = Memory(self._days.rows, self._plan.slots)
        place = memory.place(samples.park, samples.time)
        seen = self._days.rows["occupied"][place.slot, place.quarter]
        self._take(samples.part(~(memory.known(place) & (seen == samples.occupied))))

    def move(self, station: str, cars: int) -> None:
        """A person's count moved a car park's number: what is expected goes on from there at once."""
        slot = self._slot.get(station)
        if slot is None:
            return
        park, rows = self._parks.rows[slot], self._days.rows
        of, newest = np.array([slot], np.int64), np.array([int(park["newest"])], np.int64)
        memory = Memory(rows, self._plan.slots)
        place = memory.place(of, newest)
        if newest[0] and memory.known(place)[0]:
            capacity = np.array([int(park["capacity"])], np.int64)
            occupied = np.clip(rows["occupied"][place.slot, place.quarter] + cars, 0, capacity)
            self._take(Samples(of, newest, occupied.astype(np.float64), capacity, np.ones(1)))

    def expected(self, station: str, now_us: int) -> tuple[Expected, ...]:
        """What is expected of a car park's free spaces at a time; nothing of one that is not known."""
        slot = self._slot.get(station)
        return () if slot is None else forecast.expected(self._parks.rows, slot, now_us)

    def scores(self) -> tuple[ForecastScore, ...]:
        """How good every car park's forecasts were, by horizon."""
        return forecast.scores(self._parks.rows, self._plan)

    def _take(self, samples: Samples) -> None:
        if len(samples.park):
            changed = forecast.step(self._days.rows, self._parks.rows, self._plan, samples)
            self._days.touch(changed)
            self._parks.touch(changed // DAYS)

    def _moment(self, sensors: Rows, parks: Rows, time_us: int) -> Samples:
        """The car parks of which something is known at a time that no reading has passed yet."""
        plan, found = self._parking, []
        for park in range(len(plan.stations)):
            complete = known_minutes(sensors, plan, park, np.array([time_us // MINUTE_US]))[0]
            if plan.shown[park] and parks["mark"][park] and complete:
                occupied = spaces_taken(sensors, parks[park], plan, park, time_us)
                found.append(
                    (self._slot[plan.stations[park]], time_us, occupied, int(plan.capacity[park]), complete)
                )
        park_, time, occupied_, capacity, completeness = zip(*found, strict=True) if found else ((),) * 5
        return Samples(
            np.array(park_, np.int64),
            np.array(time, np.int64),
            np.array(occupied_, np.float64),
            np.array(capacity, np.int64),
            np.array(completeness, np.float64),
        )
