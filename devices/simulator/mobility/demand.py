"""How many want to drive, walk, cycle or park when: shapes of the day, weather, chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from devices.simulator.mobility.days import CELL_US, Days, Floats, Ints

Shape = tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Relative demand in the 24 hours of a workday, a Saturday, a Sunday; 100 is a busy hour of a workday."""

SHAPES: Mapping[str, Shape] = {
    "inbound": (
        (6, 3, 2, 2, 6, 22, 58, 97, 92, 66, 57, 56, 58, 58, 59, 62, 66, 68, 58, 42, 30, 22, 16, 10),
        (12, 8, 5, 4, 5, 9, 18, 32, 50, 66, 76, 78, 72, 64, 58, 55, 53, 50, 44, 36, 28, 22, 18, 14),
        (15, 11, 8, 5, 4, 5, 8, 13, 22, 34, 44, 49, 46, 43, 47, 51, 52, 50, 44, 36, 28, 20, 14, 9),
    ),
    "outbound": (
        (8, 4, 2, 2, 3, 9, 27, 52, 56, 50, 52, 55, 60, 64, 71, 86, 99, 96, 77, 53, 37, 28, 21, 13),
        (14, 10, 7, 4, 4, 6, 11, 20, 34, 48, 60, 70, 76, 74, 68, 62, 57, 52, 46, 38, 31, 26, 22, 18),
        (17, 13, 9, 6, 4, 4, 6, 10, 17, 27, 37, 43, 46, 47, 52, 58, 60, 56, 48, 38, 29, 21, 15, 10),
    ),
    "shops": (
        (1, 0, 0, 0, 0, 1, 4, 14, 34, 61, 78, 84, 80, 76, 82, 90, 97, 94, 73, 41, 20, 12, 6, 3),
        (2, 1, 0, 0, 0, 1, 3, 11, 36, 78, 112, 124, 117, 104, 98, 90, 74, 52, 31, 20, 14, 10, 7, 4),
        (3, 2, 1, 0, 0, 0, 1, 3, 8, 16, 24, 29, 31, 36, 43, 45, 40, 31, 23, 17, 12, 8, 5, 3),
    ),
    "work": (
        (0, 0, 0, 0, 2, 14, 52, 98, 86, 40, 18, 12, 11, 12, 9, 7, 5, 4, 3, 2, 1, 1, 0, 0),
        (0, 0, 0, 0, 0, 2, 6, 12, 15, 12, 9, 7, 6, 5, 4, 3, 2, 2, 1, 1, 0, 0, 0, 0),
        (0, 0, 0, 0, 0, 1, 2, 4, 5, 5, 4, 4, 3, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0, 0),
    ),
    "home": (
        (2, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 6, 9, 11, 15, 27, 52, 74, 70, 46, 28, 18, 11, 5),
        (4, 2, 1, 0, 0, 0, 0, 1, 2, 5, 9, 14, 20, 22, 24, 27, 31, 35, 34, 28, 21, 16, 12, 8),
        (6, 3, 1, 0, 0, 0, 0, 1, 2, 4, 6, 9, 12, 14, 18, 26, 34, 40, 38, 29, 20, 13, 8, 4),
    ),
    "leisure": (
        (1, 0, 0, 0, 1, 6, 24, 46, 34, 20, 18, 20, 25, 27, 32, 46, 68, 74, 58, 36, 20, 11, 5, 2),
        (2, 1, 0, 0, 1, 2, 5, 12, 26, 46, 62, 70, 72, 76, 84, 86, 74, 54, 36, 22, 13, 8, 5, 3),
        (2, 1, 0, 0, 0, 1, 3, 8, 22, 46, 70, 84, 86, 94, 112, 116, 96, 64, 38, 21, 11, 6, 3, 2),
    ),
}
"""`home` is who comes home and stays the night."""

WET: Mapping[str, float] = {
    "inbound": 1.05,
    "outbound": 1.04,
    "shops": 0.72,
    "work": 1.03,
    "home": 1.0,
    "leisure": 0.33,
}
"""What is left of the demand while it rains."""


@dataclass(frozen=True, slots=True)
class Weather:
    """`wet` 0..1 by cell; `mood` a factor by cell that all of the city shares."""

    wet: Floats
    mood: Floats


def generator(seed: int, *names: str) -> np.random.Generator:
    """A source of chance of its own for each name."""
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])


def weather(calendar: Days, seed: int) -> Weather:
    """Wet spells of some hours, a few in a week, and busier and quieter days."""
    rng = generator(seed, "weather")
    cells = len(calendar.day)
    wet = np.zeros(cells)
    for _ in range(rng.poisson(0.45 * len(calendar.dates))):
        begin = int(rng.integers(cells))
        length = int(12 * min(rng.exponential(4.5) + 0.5, 30))
        wet[begin : begin + length] = rng.uniform(0.4, 1.0)
    mood = np.exp(rng.normal(0, 0.035, len(calendar.dates)))
    return Weather(wet, mood[calendar.day])


def rate(calendar: Days, sky: Weather, shape: str, daily: float, rng: np.random.Generator) -> Floats:
    """Expected arrivals by cell: `daily` on a usual dry workday, and what the day makes of it."""
    hours = np.arange(24) + 0.5
    tables = SHAPES[shape]
    at = np.stack([np.interp(calendar.hour, hours, table, period=24) for table in tables])
    kind = calendar.kind[calendar.day]
    level = at[kind, np.arange(len(kind))] / (12 * sum(tables[0]))
    of_day = np.exp(rng.normal(0, 0.06, len(calendar.dates)))[calendar.day]
    damped = 1 + (WET[shape] - 1) * sky.wet
    found: Floats = daily * level * of_day * damped * sky.mood * _wander(len(kind), rng)
    return found


def draw(calendar: Days, per_cell: Floats, rng: np.random.Generator) -> Ints:
    """Moments (µs since the epoch, ascending) of an inhomogeneous Poisson process."""
    count = rng.poisson(per_cell)
    begin = np.repeat(calendar.cells, count)
    moments: Ints = np.sort(begin + rng.integers(1, CELL_US, len(begin)))
    return moments


def _wander(cells: int, rng: np.random.Generator) -> Floats:
    """A factor that wanders about 1 within some two hours (first-order autoregression by half-hour)."""
    knots = cells // 6 + 2
    steps = rng.normal(0, 0.055, knots)
    walk = np.empty(knots)
    walk[0] = steps[0]
    for i in range(1, knots):
        walk[i] = 0.75 * walk[i - 1] + steps[i]
    found: Floats = np.exp(np.interp(np.arange(cells) / 6, np.arange(knots), walk))
    return found
