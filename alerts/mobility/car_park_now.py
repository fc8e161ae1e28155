"""Car parks as they are now: free spaces, trend, confidence, reserved spaces."""

import numpy as np

from alerts.kernels.rows import Ints, Rows, Slots
from alerts.mobility.car_park import (
    MINUTE_US,
    ParkingPlan,
    at_marks,
    bounds,
    heard,
    taken,
)
from alerts.mobility.states import CarPark, ReservedSpaces

NEVER_RIGHT = 0.25
"""Confidence in counters whose number was never put right: what was inside when they began is not known."""
TURNOVERS, DAYS = 30, 30
"""After so many cars in or out per space, or days, without a correction counters are not believed at all."""

_NONE: Slots = np.zeros(0, np.int64)
_DAY_US = 86_400_000_000
_TREND_MIN, _LEAST_TREND_MIN, _TREND_STEP_MIN = 60, 30, 5


def car_parks(sensors: Rows, parks: Rows, plan: ParkingPlan, now_us: int) -> tuple[CarPark, ...]:
    """Every car park at a time (µs since the epoch, UTC); a time before the newest reading is that one's."""
    return tuple(
        _car_park(sensors, parks, plan, park, now_us)
        for park in range(len(plan.stations))
        if plan.shown[park]
    )


def confidence(sensors: Rows, row: np.void, plan: ParkingPlan, park: int, now_us: int) -> float:
    """How far the number of a car park can be trusted, 0..1.

    A sensor weighs 1 until half of the time after which it counts as silent, then less and less down to 0.
    Spaces: their weights over the spaces there are. Barriers: the mean weight. Counters: the least weight,
    times 1 - (cars in and out since the number was last put right) / (TURNOVERS · capacity), times
    1 - (days since then) / DAYS; NEVER_RIGHT instead of these two before the first time. With one car in a
    hundred missed in one direction alone, TURNOVERS is an error of 15 % of the capacity.
    """
    tellers = plan.tellers[park]
    silent = np.maximum(plan.silent_us[tellers], 1)
    age = np.maximum(now_us - sensors["time"][tellers], 0)
    weight = np.clip(2 * (1 - age / silent), 0, 1)
    if not len(weight):
        return 0.0
    capacity = int(plan.capacity[park])
    if plan.source[park] == "barrier":
        return round(float(weight.mean()), 3)
    if plan.source[park] == "spaces":
        return round(min(float(weight.sum()) / max(capacity, int(plan.sensors[park]), 1), 1.0), 3)
    right = NEVER_RIGHT
    if row["anchor"]:
        passed = int(row["passages"] - row["anchor_passages"])
        days = max(now_us - int(row["anchor"]), 0) / _DAY_US
        right = max(1 - passed / max(TURNOVERS * capacity, 1), 0) * max(1 - days / DAYS, 0)
    return round(float(weight.min()) * right, 3)


def trend(sensors: Rows, row: np.void, plan: ParkingPlan, park: int, now_us: int) -> float | None:
    """Spaces more taken an hour: the slope of the line through the last hour (least squares).

    None where less than half an hour is known or nobody is heard.
    """
    told = heard(sensors, plan, plan.tellers[park], now_us)
    now = now_us // MINUTE_US
    begin = max(now - _TREND_MIN, int(row["begun"]) + 1)
    if now - begin < _LEAST_TREND_MIN or not len(told.known):
        return None
    minutes = np.arange(now, begin - 1, -_TREND_STEP_MIN)
    numbers = taken(sensors, plan, park, at_marks(row, minutes), told)
    hours = (minutes - minutes.mean()) / 60
    slope = float((hours * numbers).sum() / (hours**2).sum())
    # no "-0.0"
    return round(slope, 1) + 0.0


def _car_park(sensors: Rows, parks: Rows, plan: ParkingPlan, park: int, now_us: int) -> CarPark:
    row, tellers = parks[park], plan.tellers[park]
    now_us = max(now_us, int(row["mark"]) * MINUTE_US)
    told = heard(sensors, plan, tellers, now_us)
    capacity = int(plan.capacity[park])
    occupied = int(taken(sensors, plan, park, row["occupied"][None], told)[0])
    if plan.source[park] == "counters":
        occupied = int(np.clip(occupied, *bounds(sensors, plan, park, now_us)))
    times: Ints = sensors["time"][tellers]
    return CarPark(
        station=plan.stations[park],
        source=plan.source[park],
        capacity=capacity,
        occupied=occupied,
        free=capacity - occupied,
        changed_us=_changed(sensors, row, plan, park),
        newest_us=int(times.max(initial=0)) or None,
        sensors=int(plan.sensors[park]),
        sensors_heard=int((times > 0).sum()),
        confidence=confidence(sensors, row, plan, park, now_us),
        trend_per_h=trend(sensors, row, plan, park, now_us),
        reserved={
            kind: _reserved(sensors, plan, plan.apart[park].get(kind, _NONE), spaces, now_us)
            for kind, spaces in plan.spaces_for[park].items()
        },
    )


def _changed(sensors: Rows, row: np.void, plan: ParkingPlan, park: int) -> int | None:
    if plan.source[park] == "spaces":
        since = sensors["since"][plan.watched[park]]
        return int(since.max(initial=0)) or None
    return int(row["changed"]) or None


def _reserved(sensors: Rows, plan: ParkingPlan, mine: Slots, spaces: int, now_us: int) -> ReservedSpaces:
    """What the sensors say that are heard; a space that nobody knows of is neither taken nor free."""
    known = heard(sensors, plan, mine, now_us).known
    full = int(sensors["value"][known].sum())
    return ReservedSpaces(spaces, full, len(known) - full)
