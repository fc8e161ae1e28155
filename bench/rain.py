"""Rain sums and the DWD criteria: our kernels beside one deque a window in pure Python."""

from collections import deque

import numpy as np
from report import Report, best, cpu_us, run

from alerts.kernels import Kernels
from alerts.rules import load_rules
from devices.registry import load_registry
from ingest.reading import READING, Readings, Series

SERIES = 10_000
INTERVAL_US = 300_000_000
START_US = 1_770_000_000_000_000
WINDOWS_MIN = (60, 360, 720, 1440, 2880, 4320)
LIMITS_MM = (15, 20, 25, 30, 40, 60)
GOAL_BATCH_1024 = 0.5
GOAL_BATCH_1 = 32.0


def measure(scale: float) -> Report:
    """10,000 rain gauges at 5-minute intervals, light rain; µs of CPU an update."""
    report = Report("rain", "rain sums over six windows and the DWD criteria, 10,000 gauges every 5 min")
    series = [Series(f"rain-{i}", "precipitation", "", f"{i + 1:016x}") for i in range(SERIES)]
    tables = [
        {"dev_eui": each.dev_eui, "type": "gauge", "station": each.station, "interval_s": 300}
        for each in series
    ]
    kernels = Kernels(load_rules(None), load_registry(None, tables, types_optional=True), series=series)
    steps = iter(range(1_000_000))
    for _ in range(3):  # pages of the state are touched, sums begin
        kernels.step(rows(next(steps)))
    rounds = max(1, round(5 * scale))

    def by(size: int, updates: int) -> float:
        batches = []
        while sum(map(len, batches)) < updates:
            step = rows(next(steps))
            batches += [step[i : i + size] for i in range(0, SERIES, size)]
        total = sum(map(len, batches))

        def task() -> None:
            for batch in batches:
                kernels.step(batch)

        return cpu_us(task, total)

    plain = pure_python(round(20_000 * max(scale, 0.1)))
    baseline = ("deques", plain)
    report.add(
        "batch 1024",
        best(rounds, lambda: by(1024, SERIES)),
        "µs/update",
        goal=GOAL_BATCH_1024,
        baseline=baseline,
    )
    report.add("batch 10,000", best(rounds, lambda: by(SERIES, SERIES)), "µs/update", baseline=baseline)
    report.add("batch 32", best(rounds, lambda: by(32, SERIES)), "µs/update", baseline=baseline)
    report.add(
        "batch 1", best(rounds, lambda: by(1, SERIES)), "µs/update", goal=GOAL_BATCH_1, baseline=baseline
    )
    report.notes += [
        "ours: late and doubled readings, gaps and counters included, through the kernels' one entrance",
        "deques: exact windows of readings that come in order, and nothing else",
    ]
    return report


def rows(step: int) -> Readings:
    found = np.zeros(SERIES, READING)
    found["seq"] = step + 1
    found["series"] = np.arange(SERIES)
    found["quality"] = 1
    found["time_us"] = START_US + step * INTERVAL_US + np.arange(SERIES) * 10_000
    found["value"] = (np.arange(SERIES) + step) % 3 * 0.1
    return found


def pure_python(updates: int) -> float:
    """µs an update, windows already full (as long as they get in this run)."""
    gauges = 200
    windows = [[deque[tuple[int, float]]() for _ in WINDOWS_MIN] for _ in range(gauges)]
    sums = [[0.0] * len(WINDOWS_MIN) for _ in range(gauges)]

    def update(gauge: int, time_us: int, depth: float) -> bool:
        over = False
        mine = sums[gauge]
        for i, window in enumerate(windows[gauge]):
            window.append((time_us, depth))
            mine[i] += depth
            oldest = time_us - WINDOWS_MIN[i] * 60_000_000
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
