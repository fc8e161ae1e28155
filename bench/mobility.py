"""Traffic and parking: uplinks a second through counting and parking, and into the history on disk."""

import bisect
import gc
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from report import Report, best, cpu_us, run

from alerts.mobility.counts_db import CountsDb, Keep
from alerts.mobility.database import FILE, open_database
from alerts.mobility.local_time import LocalTime
from alerts.mobility.machine import Machine, together
from alerts.rules import load_rules
from devices.registry import load_registry
from ingest.reading import READING, Readings, Series

SENSORS = 10_000
BATCHES = (4096, 256, 1)
INTERVAL_US = 300_000_000
START_US = 1_770_000_000_000_000
GOAL = 50_000
SPACES_OF_TEN = 3
MOST_ONE_BY_ONE = 1_000
LATE = 0.02
KNOTS = 96
TICKS = 6


class City:
    """Seven of ten sensors count vehicles, three watch one parking space; each reports every five minutes."""

    def __init__(self, sensors: int) -> None:
        self.sensors = sensors
        self._tick = 0
        self._random = np.random.default_rng(sensors)
        self._space = np.arange(sensors) % 10 < SPACES_OF_TEN
        self._total = np.zeros(sensors, np.int64)
        self._series = [
            Series(f"car-park-{i // 100}", "parking_occupied", "", f"{i + 1:016x}")
            if self._space[i]
            else Series(f"road-{i}", "vehicle_count", "ltr", f"{i + 1:016x}")
            for i in range(sensors)
        ]
        tables = [
            {"dev_eui": each.dev_eui, "type": "sensor", "station": each.station, "interval_s": 300}
            for each in self._series
        ]
        registry = load_registry(None, tables, types_optional=True)
        self.machine = Machine(load_rules(None), registry, {}, self._series)
        self._late = np.zeros(0, READING)

    def readings(self) -> Readings:
        """The next of every sensor; one in fifty comes after the one that follows it."""
        self._tick += 1
        number = np.arange(self.sensors)
        self._total += self._random.poisson(4, self.sensors)
        found = np.zeros(self.sensors, READING)
        found["seq"], found["series"], found["quality"] = self._tick, number, 1
        found["time_us"] = START_US + self._tick * INTERVAL_US + number % 1000 * 100_000
        taken = self._random.random(self.sensors) < 0.5
        found["value"] = np.where(self._space, taken, self._total)
        waits = self._random.random(self.sensors) < LATE
        now = np.concatenate([found[~waits], self._late])
        self._late = found[waits]
        return now


def measure(scale: float) -> Report:
    """Uplinks per second of one core's CPU time; the history's disk is the machine's own."""
    report = Report("mobility", "counting and parking, sensors every 5 min, one uplink of fifty late")
    rounds = max(1, round(3 * scale))
    sensors = max(200, round(SENSORS * scale))
    plain = best(rounds, partial(in_plain_python, City(sensors)))
    for size in BATCHES:
        city = City(sensors)
        for _ in range(3):
            city.machine.step(city.readings())
        cost = best(rounds, partial(stepped, city, size))
        report.add(
            f"counting and parking, {sensors:,} sensors, batch {size:,}",
            1e6 / cost,
            "uplinks/s",
            "more",
            goal=GOAL if size == BATCHES[0] else None,
            baseline=("plain Python", 1e6 / plain),
        )
        del city
        gc.collect()
    with tempfile.TemporaryDirectory() as folder:
        city = City(sensors)
        file = open_database(Path(folder) / FILE)
        history = CountsDb(file, LocalTime(ZoneInfo("Europe/Berlin")), Keep())
        history.arrange(city.machine.plan_now.counts, city.machine.plan_now.speeds)
        cost = best(rounds, partial(written, city, history))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        file.close()
    report.add(
        f"and the history of five resolutions, {sensors:,} sensors",
        1e6 / cost,
        "uplinks/s",
        "more",
        baseline=("plain Python", 1e6 / plain),
    )
    report.notes += [
        "per core: of CPU time; a city of 10,000 sensors every five minutes sends 33 uplinks a second",
        "plain Python: sorted readings a sensor and a dict of five minutes, late readings split a rise anew;",
        "no completeness, reset, wrap or quality, and nothing that survives a restart",
        f"the history on disk after {rounds * TICKS} readings of each sensor: {size / 1e6:.0f} MB",
    ]
    return report


def stepped(city: City, size: int) -> float:
    """µs of CPU an uplink, some readings of every sensor in batches."""
    readings = np.concatenate([city.readings() for _ in range(TICKS if size > 1 else 1)])
    if size == 1:
        readings = readings[:MOST_ONE_BY_ONE]
    batches = [readings[i : i + size] for i in range(0, len(readings), size)]
    return cpu_us(partial(_each, city.machine.step, batches), len(readings))


def written(city: City, history: CountsDb) -> float:
    """The same with what is written of it, once for all sensors' readings of a second's worth of replay."""
    ticks = [city.readings() for _ in range(TICKS)]
    file = history._file  # noqa: SLF001 - what is measured

    def task() -> None:
        for readings in ticks:
            found = together([city.machine.step(readings)])
            with file.write() as connection:
                history.write(connection, found.cells, found.speeds)

    return cpu_us(task, sum(map(len, ticks)))


def _each(take: Callable[[Readings], object], batches: Iterable[Readings]) -> None:
    for batch in batches:
        take(batch)


class Plain:
    """The usual Python: sorted readings a sensor, a dict of five minutes; late readings split a rise anew."""

    def __init__(self, spaces: list[bool]) -> None:
        self._spaces = spaces
        self._readings: dict[int, list[tuple[int, float]]] = {}
        self.counts: dict[tuple[int, int], float] = {}
        self.occupied: dict[int, tuple[int, bool]] = {}

    def take(self, sensor: int, time: int, value: float) -> None:
        if self._spaces[sensor]:
            if time > self.occupied.get(sensor, (0, False))[0]:
                self.occupied[sensor] = time, value != 0
            return
        readings = self._readings.setdefault(sensor, [])
        place = bisect.bisect_left(readings, (time, value))
        before = readings[place - 1] if place else None
        after = readings[place] if place < len(readings) else None
        if after is not None and after[0] == time:
            return
        if before and after:
            self._spread(sensor, before, after, -1)
        if before:
            self._spread(sensor, before, (time, value), 1)
        if after:
            self._spread(sensor, (time, value), after, 1)
        readings.insert(place, (time, value))
        if len(readings) > KNOTS:
            del readings[0]

    def _spread(self, sensor: int, before: tuple[int, float], after: tuple[int, float], sign: int) -> None:
        (start, low), (end, high) = before, after
        done, mark = 0.0, start // INTERVAL_US
        while start < end:
            mark += 1
            until = min(mark * INTERVAL_US, end)
            share = (high - low) * (until - before[0]) // (end - before[0])
            key = sensor, mark
            self.counts[key] = self.counts.get(key, 0) + sign * (share - done)
            done, start = share, until


def in_plain_python(city: City) -> float:
    """µs of CPU an uplink in plain Python."""
    readings = np.concatenate([city.readings() for _ in range(TICKS)])
    rows = list(zip(*(readings[name].tolist() for name in ("series", "time_us", "value")), strict=True))
    plain = Plain(city._space.tolist())  # noqa: SLF001 - the same city

    def task() -> None:
        for row in rows:
            plain.take(*row)

    return cpu_us(task, len(rows))


if __name__ == "__main__":
    run(measure)
