"""Rain sums of 18 durations, DWD criteria and SRI: our kernels beside one deque a window in pure Python."""

from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
from report import Report, best, cpu_us, run

from alerts.kernels import rain
from alerts.kernels.kernels import Kernels
from alerts.kernels.rows import Batch
from alerts.kostra.kostra import DURATIONS_MIN, Kostra, shipped_table
from alerts.rules import load_rules
from devices.registry import load_registry
from ingest.reading import READING, Readings, Series

SERIES = 10_000
INTERVAL_US = 300_000_000
START_US = 1_770_000_000_000_000
LIMITS_MM = (5, 8, 10, 12, 14, 15, 15, 18, 20, 22, 24, 20, 29, 25, 35, 30, 40, 54)
ALIKE = 1_000
WET_MM = 0.3
DAY_STEPS = 288
GOAL_BATCH_1024 = 0.5
GOAL_BATCH_1 = 32.0


class City:
    """Rain gauges at 5-minute intervals. `mean_mm`: rain of an interval, 0: now and then a tip of 0.1 mm."""

    def __init__(self, gauges: int, mean_mm: float = 0.0, step: int = 0) -> None:
        self.gauges = gauges
        self.step = step
        self.events = 0
        self._mean_mm = mean_mm
        self._random = np.random.default_rng(gauges)
        series = [Series(f"rain-{i}", "precipitation", "", f"{i + 1:016x}") for i in range(gauges)]
        tables = [
            {"dev_eui": each.dev_eui, "type": "gauge", "station": each.station, "interval_s": 300}
            for each in series
        ]
        registry = load_registry(None, tables, types_optional=True)
        kostra = Kostra(everywhere=shipped_table())
        self.kernels = Kernels(load_rules(None), registry, series=series, kostra=kostra)

    @property
    def state_bytes(self) -> int:
        tables = self.kernels._tables  # noqa: SLF001 - what is measured
        return sum(table.rows.nbytes for table in tables)

    def run(self, steps: int) -> None:
        """The next readings of every gauge, unmeasured."""
        for _ in range(steps):
            self.whole(self.readings())

    def readings(self) -> Readings:
        """The next of every gauge."""
        number = np.arange(self.gauges)
        found = np.zeros(self.gauges, READING)
        found["seq"] = self.step + 1
        found["series"] = number
        found["quality"] = 1
        found["time_us"] = START_US + self.step * INTERVAL_US + number % ALIKE * 10_000
        if self._mean_mm:
            found["value"] = self._random.gamma(0.6, self._mean_mm / 0.6, self.gauges).round(1)
        else:
            found["value"] = ((number + self.step) % 12 == 0) * 0.1
        self.step += 1
        return found

    def whole(self, readings: Readings) -> None:
        """Through the kernels' one entrance, quality control included."""
        self.events += len(self.kernels.step(readings))

    def rain(self, readings: Readings) -> None:
        """The rain kernel alone."""
        kernels = self.kernels
        batch = Batch(readings["series"].astype(np.int64), readings["time_us"], readings["value"])
        rows, plan = kernels._rain.rows, kernels._plan.rain  # noqa: SLF001 - what is measured
        self.events += len(rain.step(rows, plan, batch, 0, kernels.tally))

    def cost(self, take: Callable[[Readings], None], size: int, most: int | None = None) -> float:
        """µs of CPU an update in batches of a size; the next reading of every gauge or the first `most`."""
        readings = self.readings()[:most]
        batches = [readings[i : i + size] for i in range(0, len(readings), size)]

        def task() -> None:
            for batch in batches:
                take(batch)

        return cpu_us(task, len(readings))


def dry_city(gauges: int) -> City:
    """With some steps behind it: pages of the state are touched, sums begin."""
    city = City(gauges)
    city.run(3)
    return city


def wet_city(gauges: int) -> City:
    """After a day of rain everywhere: some gauges live through it, the others stand where those do."""
    few = City(min(gauges, ALIKE), WET_MM)
    few.run(DAY_STEPS)
    city = City(gauges, WET_MM, few.step)
    tables = zip(city.kernels._tables, few.kernels._tables, strict=True)  # noqa: SLF001 - what is measured
    for mine, theirs in tables:
        mine.rows[:] = np.resize(theirs.rows, len(mine.rows))
    city.run(2)
    city.events = 0
    return city


def measure(scale: float) -> Report:
    """µs of CPU an update."""
    report = Report("rain", "rain sums over 18 windows, DWD criteria and SRI, gauges every 5 min")
    rounds = max(1, round(5 * scale))
    baseline = ("deques", pure_python(round(20_000 * max(scale, 0.1))))
    for weather, city in (("dry", dry_city(SERIES)), ("rain", wet_city(SERIES))):
        for size in (SERIES, 1024, 32, 1):
            most = SERIES if size > 1 else SERIES // 5
            figure = best(rounds, partial(city.cost, city.rain, size, most))
            goal = {1024: GOAL_BATCH_1024, 1: GOAL_BATCH_1}.get(size) if weather == "dry" else None
            report.add(f"{weather}, batch {size:,}", figure, "µs/update", goal=goal, baseline=baseline)
    report.add("memory", rain.ROW.itemsize / 1000, "kB/gauge")
    report.notes += [
        f"{SERIES:,} gauges; rain: every gauge wet for a day, episodes in force; more sizes: bench engine",
        "ours: late and doubled readings, gaps and counters included",
        "deques: exact windows of readings that come in order, and nothing else",
    ]
    return report


def pure_python(updates: int) -> float:
    """µs an update, windows already full (as long as they get in this run)."""
    gauges = 200
    windows = [[deque[tuple[int, float]]() for _ in DURATIONS_MIN] for _ in range(gauges)]
    sums = [[0.0] * len(DURATIONS_MIN) for _ in range(gauges)]

    def update(gauge: int, time_us: int, depth: float) -> bool:
        over = False
        mine = sums[gauge]
        for i, window in enumerate(windows[gauge]):
            window.append((time_us, depth))
            mine[i] += depth
            oldest = time_us - DURATIONS_MIN[i] * 60_000_000
            while window[0][0] <= oldest:
                mine[i] -= window.popleft()[1]
            over = over or mine[i] > LIMITS_MM[i]
        return over

    filled = 4320 * 60_000_000 // INTERVAL_US
    for step in range(filled):
        for gauge in range(gauges):
            update(gauge, step * INTERVAL_US, 0.1)

    def task() -> None:
        for number in range(updates):
            update(number % gauges, (filled + number // gauges) * INTERVAL_US, 0.1)

    return cpu_us(task, updates)


if __name__ == "__main__":
    run(measure)
