"""How far counters at gates are trusted: by how much they drift, and how wrong their number may be by now."""

import math

import numpy as np

from alerts.kernels.rows import Ints
from alerts.mobility.car_park import DAY_US

MISSED = 0.005
"""Share of the cars that pass by which a number may drift steadily though nothing has been found."""
MISCOUNT = 0.02
"""Variance of the miscount for each car that passes: some are overlooked, some are counted twice."""
ENOUGH = 0.15
"""A number that is expected to be wrong by this share of the capacity is not believed at all."""
DAYS = 30
"""Nor is one that nothing has confirmed for so many days."""
_FADES = 0.8
_FEW_PASSAGES = 300
"""What was learned of drift fades from night to night; of so few cars hardly anything is learned."""


def shift(row: np.void, by: int) -> None:
    """Move a car park's number and all of it that is not closed."""
    row["occupied"] += by
    row["ring"] += np.int32(by)
    for name in ("night_held", "held", "shifted"):
        row[name] += by


def rate(row: np.void) -> float:
    """Cars by which the number rises too much for each that passes, negative: too little."""
    return float(row["drifted"] / (row["drifted_passages"] + _FEW_PASSAGES))


def even_out(row: np.void) -> None:
    """Take off the cars by which the number has drifted since, where it is known to rise too much.

    Where it rises too little nothing is added: nothing would tell that it was too much.
    """
    passed = int(row["passages"] - row["evened_passages"])
    cars = int(max(rate(row), 0.0) * passed)
    if cars:
        shift(row, -cars)
        row["evened_passages"] += int(cars / rate(row))
    elif rate(row) <= 0:
        row["evened_passages"] = row["passages"]


def surplus(row: np.void) -> int:
    """How many cars the number may have too many by miscounts, at most, since it was no more than right."""
    passed = int(row["passages"] - row["bound_passages"])
    return int(max(MISSED + 2 * min(rate(row), 0.0), 0.0) * passed)


def uncounted(row: np.void) -> int:
    """How many cars the number is known to have lost since it was last no more than right."""
    passed = int(row["passages"] - row["bound_passages"])
    return math.ceil(max(-rate(row), 0.0) * passed)


def learn(row: np.void) -> None:
    """All of the number is known now: what it was moved by since it was last is the drift."""
    passed = int(row["passages"] - row["sure_passages"])
    if row["sure"]:
        row["drifted"] = _FADES * row["drifted"] - row["shifted"]
        row["drifted_passages"] = _FADES * row["drifted_passages"] + passed
    row["shifted"] = 0
    for name in ("sure_passages", "bound_passages", "evened_passages"):
        row[name] = row["passages"]


def believe(row: np.void, time_us: int, cars: float) -> None:
    """From now on the number is expected to be wrong by no more than so many cars."""
    row["sure"], row["doubt"], row["doubt_passages"] = time_us, cars, row["passages"]


def note(row: np.void, numbers: Ints) -> None:
    """What the number has been."""
    row["least"] = min(int(row["least"]), int(numbers.min()))
    row["most"] = max(int(row["most"]), int(numbers.max()))


def of_range(row: np.void, time_us: int, capacity: int) -> None:
    """A number that has been nearly empty and nearly full in a day cannot be far off at either."""
    span = int(row["most"] - row["least"])
    cars = max(capacity - span, 0) / 2 + int(row["strayed"])
    if row["sure"] == 0 or cars < doubt(row, capacity):
        believe(row, time_us, cars)
    row["least"] = row["most"] = row["occupied"]
    row["strayed"] = 0


def contradict(row: np.void, by: int) -> None:
    """The number was found to be impossible and was moved: it may be wrong by as much again."""
    shift(row, by)
    row["doubt"] += abs(by)
    row["strayed"] += abs(by)


def doubt(row: np.void, capacity: int) -> float:
    """By how many cars the number is expected to be wrong by now (one standard deviation).

    What it was at the last confirmation, chance since (MISCOUNT for each car), and a drift that is steady:
    MISSED of the cars, which fades as cars are learned from, and all that is known to come in uncounted.
    """
    if row["sure"] == 0:
        return capacity / 2
    passed = int(row["passages"] - row["doubt_passages"])
    learned = _FEW_PASSAGES / (_FEW_PASSAGES + float(row["drifted_passages"]))
    steady = MISSED * learned + max(-rate(row), 0.0)
    return math.hypot(row["doubt"], math.sqrt(MISCOUNT * passed), steady * passed)


def confidence(row: np.void, capacity: int, now_us: int) -> float:
    """1 - doubt / (ENOUGH · capacity), times 1 - days since it was confirmed / DAYS; neither below 0."""
    days = max(now_us - int(row["sure"]), 0) / DAY_US
    share = doubt(row, capacity) / max(ENOUGH * capacity, 1.0)
    return max(1 - share, 0.0) * max(1 - days / DAYS, 0.0)
