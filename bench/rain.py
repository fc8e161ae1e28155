"""Rain sums of 18 durations, DWD criteria and SRI: our kernels beside one deque a window in pure Python."""

from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
from report import Report, best, cpu_us, run

from alerts import rain
from alerts.kernels import Kernels
from alerts.kostra import DURATIONS_MIN, Kostra, shipped_table
from alerts.rows import Batch
from alerts.rules import load_rules
from devices.registry import load_registry
from ingest.reading import READING, Readings, Series

SERIES = 10_000
INTERVAL_US = 300_000_000
START_US = 1_770_000_000_000_000
LIMITS_MM = (5, 8, 10, 12, 14, 15, 15, 18, 20, 22, 24, 20, 29, 25, 35, 30, 40, 54)
GOAL_BATCH_1024 = 0.5
GOAL_BATCH_1 = 32.0


class City:
    """Rain gauges at 5-minute intervals, light rain, the state of some steps behind them."""

    def __init__(self, gauges: int) -> None:
        self.gauges = gauges
        series = [Series(f"rain-{i}", "precipitation", "", f"{i + 1:016x}") for i in range(gauges)]
        tables = [
            {"dev_eui": each.dev_eui, "type": "gauge", "station": each.station, "interval_s": 300}
            for each in series
        ]
        registry = load_registry(None, tables, types_optional=True)
        kostra = Kostra(everywhere=shipped_table())
        self.kernels = Kernels(load_rules(None), registry, series=series, kostra=kostra)
        self._step = 0
        for _ in range(3):  # pages of the state are touched, sums begin
            self.kernels.step(self.readings())

    def readings(self) -> Readings:
        """The next of every gauge."""
        found = np.zeros(self.gauges, READING)
        found["seq"] = self._step + 1
        found["series"] = np.arange(self.gauges)
        found["quality"] = 1
        found["time_us"] = START_US + self._step * INTERVAL_US + np.arange(self.gauges) * 10_000
        found["value"] = (np.arange(self.gauges) + self._step) % 3 * 0.1
        self._step += 1
        return found

    def whole(self, readings: Readings) -> None:
        """Through the kernels' one entrance, quality control included."""
        self.kernels.step(readings)

    def rain(self, readings: Readings) -> None:
        """The rain kernel alone."""
        kernels = self.kernels
        batch = Batch(readings["series"].astype(np.int64), readings["time_us"], readings["value"])
        rain.step(kernels._rain.rows, kernels._plan.rain, batch, 0, kernels.tally)  # noqa: SLF001 - what is measured

    def cost(self, take: Callable[[Readings], None], size: int) -> float:
        """µs of CPU an update in batches of a size."""
        readings = self.readings()
        batches = [readings[i : i + size] for i in range(0, self.gauges, size)]

        def task() -> None:
            for batch in batches:
                take(batch)

        return cpu_us(task, len(readings))


def measure(scale: float) -> Report:
    """µs of CPU an update."""
    report = Report("rain", "rain sums over 18 windows, DWD criteria and SRI, gauges every 5 min")
    rounds = max(1, round(5 * scale))
    baseline = ("deques", pure_python(round(20_000 * max(scale, 0.1))))
    city = City(SERIES)
    goals = {1024: GOAL_BATCH_1024, 1: GOAL_BATCH_1}
    for what, take in (("rain", city.rain), ("kernels", city.whole)):
        for size in (SERIES, 1024, 32, 1):
            figure = best(rounds, partial(city.cost, take, size))
            goal = goals.get(size) if what == "rain" else None
            report.add(f"{what}, batch {size:,}", figure, "µs/update", goal=goal, baseline=baseline)
    for gauges in (1000, round(100_000 * max(scale, 0.01))):
        other = City(gauges)
        figure = best(rounds, partial(other.cost, other.rain, 1024))
        report.add(f"rain, batch 1,024, {gauges:,} gauges", figure, "µs/update", baseline=baseline)
    report.add("memory", rain.ROW.itemsize / 1000, "kB/gauge")
    report.notes += [
        f"{SERIES:,} gauges where no other number stands; kernels: with quality control and watchdogs",
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
