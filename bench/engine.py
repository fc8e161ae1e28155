"""Rain sums over 18 windows and the whole engine step, for 1,000, 10,000 and 100,000 series."""

import gc
from functools import partial
from pathlib import Path

import numpy as np
from rain import dry_city, pure_python, wet_city
from report import Report, best, cpu_us, run

from alerts.kostra.kostra import DURATIONS_MIN

SERIES = (1_000, 10_000, 100_000)
BATCHES = (4096, 1024, 64, 1)
GOAL = 1e6 / 0.5
MOST_ONE_BY_ONE = 2_000
BIN_MIN = 5
GOAL_BATCH = 1024
RESIDENT_FROM = 10_000


def measure(scale: float) -> Report:
    """Readings per second of one core's CPU time, dry and in the second day of rain; memory per series."""
    report = Report("engine", "rain sums over 18 windows and the whole engine step, gauges every 5 min")
    rounds = max(1, round(3 * scale))
    deques = pure_python(round(20_000 * max(scale, 0.1)))
    sizes = [max(100, round(count * scale)) for count in SERIES]
    memory: list[tuple[str, float, tuple[str, float]]] = []
    rained = 0
    for count in sizes:
        floor = RingAndSums(count)
        floor_kb = floor.nbytes / count / 1000
        floors = {size: best(rounds, partial(floor.cost, size)) for size in BATCHES}
        del floor
        gc.collect()
        for weather, make in (("dry", dry_city), ("rain", wet_city)):
            before = resident()
            city = make(count)
            if weather == "dry":
                base = ("ring and sums", floor_kb)
                memory.append((f"state, {count:,} series", city.state_bytes / count / 1000, base))
                if count >= RESIDENT_FROM:
                    grown = (resident() - before) / count / 1000
                    memory.append((f"process, {count:,} series", grown, base))
            for what, take in (("rain sums", city.rain), ("engine", city.whole)):
                for size in BATCHES:
                    cost = best(rounds, partial(city.cost, take, size, most(size, count)))
                    base = ("ring and sums", floors[size]) if what == "rain sums" else ("deques", deques)
                    report.add(
                        f"{what}, {weather}, {count:,} series, batch {size:,}",
                        1e6 / cost,
                        "readings/s",
                        "more",
                        goal=GOAL
                        if what == "rain sums" and weather == "dry" and size == GOAL_BATCH
                        else None,
                        baseline=(base[0], 1e6 / base[1]),
                    )
            if weather == "rain":
                rained += city.events
            del city
            gc.collect()
    for name, each, base in memory:
        report.add(name, each, "kB/series", baseline=base)
    report.notes += [
        "per core: of CPU time; every series is a rain gauge, the dearest kind",
        "engine: all of it, quality control, rain sums and criteria, episodes, witnesses, incidents",
        f"rain: every gauge wet for a day, episodes in force, {rained:,} events in all that was measured",
        "ring and sums: the least that numpy can do: readings in order, whole bins, one limit a window",
        "deques: exact windows of readings that come in order in pure Python, and nothing else",
        "state: the rows of all tables; process: growth of its memory (RSS), with plans, names and registry",
    ]
    return report


def most(size: int, count: int) -> int:
    """How many readings are measured."""
    return min(count, MOST_ONE_BY_ONE * (10 if size > 1 else 1) * (10 if size > 64 else 1))


class RingAndSums:
    """A ring of depths [bin, series] and sums [series, windows], moved on by one tick for all."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._back = np.array(DURATIONS_MIN) // BIN_MIN
        self._bins = int(self._back[-1]) + 1
        self._ring = np.ones((self._bins, count), np.int32)
        self._sums = np.tile(self._back.astype(np.int32), (count, 1))
        self._limits = np.arange(1, len(self._back) + 1, dtype=np.int32) * 1_000_000
        self._bin = 0

    @property
    def nbytes(self) -> int:
        return self._ring.nbytes + self._sums.nbytes

    def tick(self) -> None:
        self._bin = (self._bin + 1) % self._bins
        self._sums -= self._ring[(self._bin - self._back) % self._bins].T
        self._ring[self._bin] = 0

    def take(self, slot: np.ndarray, depth: np.ndarray) -> np.ndarray:
        self._ring[self._bin, slot] += depth
        sums = self._sums[slot] + depth[:, None]
        self._sums[slot] = sums
        return (sums > self._limits).any(axis=1)

    def cost(self, size: int) -> float:
        """µs of CPU a reading, one tick for every gauge's reading included."""
        count = most(size, self._count)
        slot, depth = np.arange(self._count), np.full(self._count, 100, np.int32)
        batches = [(slot[i : i + size], depth[i : i + size]) for i in range(0, count, size)]

        def task() -> None:
            for batch in batches:
                self.take(*batch)

        return cpu_us(task, count) + cpu_us(self.tick, self._count)


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


if __name__ == "__main__":
    run(measure)
