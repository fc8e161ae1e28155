"""Who parks in the simulated city, day by day without end; as in passing.py the time alone decides."""

import heapq
from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np

from devices.simulator import weather
from devices.simulator.mobility import demand
from devices.simulator.mobility.days import CELL_US, SATURDAY, SUNDAY, Days
from devices.simulator.passing import REACH_DAYS, calendar_of, day_of, local_date
from devices.simulator.storm import MINUTE_US

OPENS_H, CLOSES_H = 6.0, 23.0
MISSED = {"in": 0.004, "out": 0.013}
"""Of the cars that a counter at a gate overlooks; so the number that follows from both drifts up."""
_HOUR_US = 60 * MINUTE_US
_GUESTS = (("shops", 4.0, 75.0, 0.5), ("work", 0.34, 500.0, 0.18))
"""Shape of the day, cars a day for each space, minutes that the middle one stays, spread of that."""
_IN_THE_STORM = 0.35
_TURNOVER = 0.05
"""Chance that a single space may change hands within five minutes."""


class Garage:
    """A car park with a gate: cars in and out since the first day. At night it is closed, and empty."""

    def __init__(self, seed: int, station: str, capacity: int, sky: weather.Weather) -> None:
        self._seed = seed
        self._station = station
        self._capacity = capacity
        self._sky = sky
        self._first = local_date(sky.onset_us, sky.timezone) - timedelta(REACH_DAYS)
        self._begins: list[int] = []
        self._next = 0
        self._moments: dict[str, list[list[int]]] = {"in": [], "out": []}
        self._seen: dict[str, list[list[int]]] = {"in": [], "out": []}
        self._before: dict[str, list[int]] = {"in": [], "out": []}

    def counted(self, way: str, time_us: int) -> int:
        """What the counter of a way, in or out, has seen up to a time; it misses some."""
        day = self._day(time_us)
        return self._before[way][day] + bisect_right(self._seen[way][day], time_us)

    def occupied(self, time_us: int) -> int:
        """Cars that are truly inside at a time."""
        day = self._day(time_us)
        came, gone = (bisect_right(self._moments[way][day], time_us) for way in ("in", "out"))
        return came - gone

    def _day(self, time_us: int) -> int:
        while not self._begins or time_us >= self._next:
            self._draw()
        return day_of(self._begins, time_us)

    def _draw(self) -> None:
        day = self._first + timedelta(len(self._begins))
        calendar = calendar_of(day, self._sky.timezone)
        rng = demand.generator(self._seed, self._station, day.isoformat())
        stays = self._fill(self._wishes(calendar, rng))
        moments = {"in": [begin for begin, _ in stays], "out": sorted(end for _, end in stays)}
        for way, each in moments.items():
            kept = rng.random(len(each)) >= MISSED[way]
            before = self._before[way][-1] + len(self._seen[way][-1]) if self._seen[way] else 0
            self._before[way].append(before)
            self._moments[way].append(each)
            self._seen[way].append([at for at, there in zip(each, kept.tolist(), strict=True) if there])
        self._begins.append(int(calendar.midnights[0]))
        self._next = int(calendar.midnights[1])

    def _wishes(self, calendar: Days, rng: np.random.Generator) -> list[tuple[int, int]]:
        """When everyone comes and would leave, by when they come."""
        dry = demand.Weather(np.zeros(len(calendar.day)), np.ones(len(calendar.day)))
        closing = int(calendar.midnights[1]) - round((24 - CLOSES_H) * _HOUR_US)
        storm = [self._sky.disturbance(each, 0.0) for each in calendar.cells.tolist()]
        found: list[tuple[int, int]] = []
        for shape, per_space, stay_min, spread in _GUESTS:
            expected = demand.rate(calendar, dry, shape, per_space * self._capacity, rng)
            expected *= 1 - _IN_THE_STORM * np.array(storm)
            expected[(calendar.hour < OPENS_H) | (calendar.hour >= CLOSES_H - 0.5)] = 0
            come = demand.draw(calendar, expected, rng)
            minutes = np.exp(rng.normal(np.log(stay_min), spread, len(come)))
            leave = come + (MINUTE_US * np.maximum(minutes, 1.5)).astype(np.int64)
            # at the gate one after another
            last = closing - rng.integers(1, 10 * MINUTE_US, len(come))
            found += zip(come.tolist(), np.maximum(np.minimum(leave, last), come + 1).tolist(), strict=True)
        return sorted(found)

    def _fill(self, wishes: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Who finds a space; the others go on."""
        inside: list[int] = []
        found = []
        for begin, end in wishes:
            while inside and inside[0] <= begin:
                heapq.heappop(inside)
            if len(inside) < self._capacity:
                heapq.heappush(inside, end)
                found.append((begin, end))
        return found


class Space:
    """One space: whether a car stands there, looked at every five minutes."""

    def __init__(self, seed: int, dev_eui: str, sky: weather.Weather) -> None:
        self._names = seed, dev_eui
        self._sky = sky
        self._drawn: dict[date, tuple[list[int], list[int]]] = {}

    def occupied(self, time_us: int) -> int:
        """1 or 0."""
        times, states = self._of(local_date(time_us, self._sky.timezone))
        return states[bisect_right(times, time_us) - 1]

    def changes(self, from_us: int) -> Iterator[tuple[int, int]]:
        """When it changes after a time, and what to, without end."""
        day = local_date(from_us, self._sky.timezone)
        before = self.occupied(from_us)
        while True:
            for time_us, state in zip(*self._of(day), strict=True):
                if time_us > from_us and state != before:
                    before = state
                    yield time_us, state
            day += timedelta(1)

    def _of(self, day: date) -> tuple[list[int], list[int]]:
        """Of a day the times at which somebody looks, and what there is; it begins where the last ended."""
        if day not in self._drawn:
            self._drawn = {kept: each for kept, each in self._drawn.items() if abs((kept - day).days) <= 1}
            times, states = self._draw(day)
            yesterday, _ = self._wanted(day - timedelta(1))
            state = int(yesterday[yesterday >= 0][-1]) if (yesterday >= 0).any() else 0
            begin = int(calendar_of(day, self._sky.timezone).midnights[0])
            known = [state]
            for each in states.tolist():
                state = state if each < 0 else each
                known.append(state)
            self._drawn[day] = [begin, *times.tolist()], known
        return self._drawn[day]

    def _draw(self, day: date) -> tuple[np.ndarray, np.ndarray]:
        states, rng = self._wanted(day)
        calendar = calendar_of(day, self._sky.timezone)
        # sensors of one car park do not look at the same second
        times = calendar.cells + rng.integers(1, CELL_US, len(calendar.cells))
        return np.maximum.accumulate(times), states

    def _wanted(self, day: date) -> tuple[np.ndarray, np.random.Generator]:
        """By five minutes 1, 0, or -1 where nobody comes or goes."""
        seed, name = self._names
        rng = demand.generator(seed, name, day.isoformat())
        calendar = calendar_of(day, self._sky.timezone)
        kind, hour = int(calendar.kind[0]), calendar.hour
        share = 0.15 + 0.72 * np.exp(-(((hour - _PEAK_H[kind]) / 4.5) ** 2)) * _FULL[kind]
        told = (rng.random(len(hour)) < share).astype(np.int64)
        return np.where(rng.random(len(hour)) < _TURNOVER, told, -1), rng


_PEAK_H = {0: 13.0, SATURDAY: 12.0, SUNDAY: 15.0}
_FULL = {0: 1.0, SATURDAY: 1.08, SUNDAY: 0.5}
