"""Who passes the counters of the simulated city, day by day without end.

What has passed up to a time depends on the seed, the place and the time alone, not on when anybody began to
ask: whoever tells of last week and whoever tells of now are of the same city.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from devices.simulator import weather
from devices.simulator.mobility import demand
from devices.simulator.mobility.days import CELL_US, WORKDAY, Days, Floats, days
from devices.simulator.mobility.sensors import SPEED_CLASSES_KMH
from devices.simulator.storm import MINUTE_US

REACH_DAYS = 16
"""Counters run since so many days before the storm."""
FREE_KMH = 47.0
_SPREAD = 0.12
_HOUR_US = 60 * MINUTE_US
_SLOWER_WHEN_BUSY = 0.11
_JAM_KMH, _JAM_SPREAD_KMH = 11.0, 2.5
_THROUGH_A_JAM = 0.6
_RUSH_HOUR_JAMS = 0.4
_RUSH_H, _RUSH_H_LONG = 7.5, (0.8, 1.4)
_STORM_JAM_MIN = (20.0, 95.0)


@dataclass(frozen=True, slots=True)
class Lane:
    """One direction: what it is called, passings on a usual workday, the shape of its day (demand.SHAPES).

    `damped`: what the storm takes away, 0..1. `jams`: in the storm, and on some mornings.
    """

    name: str
    daily: float
    shape: str
    damped: float
    jams: bool = False


class Passings:
    """Everyone who passes in one lane at a station that the storm reaches after `delay_min` minutes."""

    def __init__(self, seed: int, station: str, lane: Lane, sky: weather.Weather, delay_min: float) -> None:
        self._seed = seed
        self._names = station, lane.name
        self._lane = lane
        self._sky = sky
        self._delay_min = delay_min
        self._first = local_date(sky.onset_us, sky.timezone) - timedelta(REACH_DAYS)
        # of the days drawn so far: where they begin, what had passed before, what has by each cell's begin
        self._begins: list[int] = []
        self._before: list[int] = []
        self._passed: list[list[int]] = []
        self._jams: list[tuple[int, int]] = []
        self._next = 0

    def total(self, time_us: int) -> int:
        """How many have passed up to a time (µs since the epoch) since the first day."""
        while not self._begins or time_us >= self._next:
            self._draw()
        day = day_of(self._begins, time_us)
        cell, part = divmod(time_us - self._begins[day], CELL_US)
        passed = self._passed[day]
        within = (passed[cell + 1] - passed[cell]) * part // CELL_US
        return self._before[day] + passed[cell] + within

    def speeds(self, begin_us: int, end_us: int) -> Floats:
        """km/h of everyone between two times, in their order."""
        count = self.total(end_us) - self.total(begin_us)
        rng = demand.generator(self._seed, *self._names, str(begin_us))
        workday = demand.SHAPES[self._lane.shape][0]
        most = self._lane.daily * max(workday) / sum(workday) * (end_us - begin_us) / _HOUR_US
        usual = FREE_KMH * (1 - _SLOWER_WHEN_BUSY * min(count / most, 1.0))
        found: Floats = usual * rng.normal(1, _SPREAD, count)
        times = begin_us + (np.arange(count) + 0.5) * (end_us - begin_us) / max(count, 1)
        for begin, end in (*self._jams, *self._storm_jams(begin_us, end_us)):
            stuck = (times >= begin) & (times < end)
            found[stuck] = rng.normal(_JAM_KMH, _JAM_SPREAD_KMH, int(stuck.sum()))
        return np.clip(found, 3, 119)

    def _draw(self) -> None:
        """One day more."""
        day = self._first + timedelta(len(self._begins))
        calendar = calendar_of(day, self._sky.timezone)
        rng = demand.generator(self._seed, *self._names, day.isoformat())
        expected = demand.rate(calendar, _dry(calendar), self._lane.shape, self._lane.daily, rng)
        expected *= self._storm(calendar)
        for begin, end in self._of_the_day(calendar, rng):
            expected[(calendar.cells >= begin) & (calendar.cells < end)] *= _THROUGH_A_JAM
        count = rng.poisson(expected)
        self._before.append(self._before[-1] + self._passed[-1][-1] if self._passed else 0)
        self._passed.append([0, *np.cumsum(count).tolist()])
        self._begins.append(int(calendar.midnights[0]))
        self._next = int(calendar.midnights[1])

    def _storm(self, calendar: Days) -> Floats:
        over = [self._sky.disturbance(each, self._delay_min) for each in calendar.cells.tolist()]
        return 1 - self._lane.damped * np.array(over)

    def _of_the_day(self, calendar: Days, rng: np.random.Generator) -> Sequence[tuple[int, int]]:
        """Jams of this day; the storm's are where the storm is."""
        chance, begin_h, long_h = rng.random(), rng.normal(_RUSH_H, 0.15), rng.uniform(*_RUSH_H_LONG)
        if not self._lane.jams:
            return ()
        if calendar.kind[0] == WORKDAY and chance < _RUSH_HOUR_JAMS:
            begin = int(calendar.midnights[0]) + round(begin_h * _HOUR_US)
            self._jams.append((begin, begin + round(long_h * _HOUR_US)))
        return [*self._jams[-1:], *self._storm_jams(int(calendar.midnights[0]), int(calendar.midnights[1]))]

    def _storm_jams(self, begin_us: int, end_us: int) -> list[tuple[int, int]]:
        """The storms' jams that touch a time."""
        if not self._lane.jams:
            return []
        first, last = (_STORM_JAM_MIN[each] + self._delay_min for each in range(2))
        period, onset = self._sky.period_min * MINUTE_US, self._sky.onset_us
        numbers = range(
            max(0, math.floor((begin_us - onset - last * MINUTE_US) / period)),
            max(0, math.ceil((end_us - onset) / period) + 1),
        )
        found = [
            (onset + n * period + round(first * MINUTE_US), onset + n * period + round(last * MINUTE_US))
            for n in numbers
        ]
        return [(begin, end) for begin, end in found if begin < end_us and end > begin_us]


def by_class(speeds: Floats) -> list[tuple[int, int | None]]:
    """Of each class of speed of a radar how many there were and their mean in whole km/h, None for nobody."""
    classes = np.digitize(speeds, SPEED_CLASSES_KMH)
    found: list[tuple[int, int | None]] = []
    for number in range(len(SPEED_CLASSES_KMH) + 1):
        mine = speeds[classes == number]
        found.append((len(mine), round(float(mine.mean())) if len(mine) else None))
    return found


@lru_cache(64)
def calendar_of(day: date, zone: ZoneInfo) -> Days:
    """One local day."""
    return days(day, 1, zone)


def local_date(time_us: int, zone: ZoneInfo) -> date:
    """The city's date at a time (µs since the epoch)."""
    return datetime.fromtimestamp(time_us / 1e6, UTC).astimezone(zone).date()


def day_of(begins: Sequence[int], time_us: int) -> int:
    """Which of some days a time belongs to; the last is the most asked for. What lies before is the first."""
    day = len(begins) - 1
    while day > 0 and begins[day] > time_us:
        day -= 1
    return day


def _dry(calendar: Days) -> demand.Weather:
    cells = len(calendar.day)
    return demand.Weather(np.zeros(cells), np.ones(cells))
