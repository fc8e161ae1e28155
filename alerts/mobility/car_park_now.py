"""Car parks as they are now: free spaces, trend, confidence, reserved spaces."""

import numpy as np

from alerts.kernels.rows import Ints, Rows, Slots
from alerts.mobility import trust
from alerts.mobility.car_park import (
    MINUTE_US,
    ParkingPlan,
    at_marks,
    bounds,
    gates_at,
    heard,
    speaks_us,
    taken,
    told_until,
)
from alerts.mobility.states import CarPark, ReservedSpaces

_NONE: Slots = np.zeros(0, np.int64)
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
    times what their number is worth (trust.py).
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
    return round(float(weight.min()) * trust.confidence(row, capacity, now_us), 3)


def trend(sensors: Rows, row: np.void, plan: ParkingPlan, park: int, now_us: int) -> float | None:
    """Spaces more taken an hour: the slope of the line through the last hour (least squares).

    None where less than half an hour is known, nobody is heard or one of the counters is not.
    """
    told = heard(sensors, plan, plan.tellers[park], now_us)
    now = now_us // MINUTE_US
    begin = max(now - _TREND_MIN, int(row["begun"]) + 1)
    counters = plan.source[park] == "counters"
    if now - begin < _LEAST_TREND_MIN or not len(told.known) or (counters and len(told.silent)):
        return None
    minutes = np.arange(now, begin - 1, -_TREND_STEP_MIN)
    numbers = taken(sensors, plan, park, at_marks(row, minutes), told)
    hours = (minutes - minutes.mean()) / 60
    slope = float((hours * numbers).sum() / (hours**2).sum())
    # no "-0.0"
    return round(slope, 1) + 0.0


def spaces_taken(sensors: Rows, row: np.void, plan: ParkingPlan, park: int, now_us: int) -> int:
    """Spaces of a car park taken at a time that is not before its newest reading, as they are told."""
    told = heard(sensors, plan, plan.tellers[park], now_us)
    if plan.source[park] != "counters":
        return int(taken(sensors, plan, park, row["occupied"][None], told)[0])
    told_us = told_until(sensors, row, plan, park)
    number = row["occupied"][None]
    if now_us - told_us > speaks_us(plan, plan.tellers[park]).max(initial=0):
        number = gates_at(row, told_us, np.array([now_us // MINUTE_US]))
    number = taken(sensors, plan, park, number, told)
    return int(np.clip(number[0], *bounds(sensors, plan, park, now_us)))


def _car_park(sensors: Rows, parks: Rows, plan: ParkingPlan, park: int, now_us: int) -> CarPark:
    row, tellers = parks[park], plan.tellers[park]
    now_us = max(now_us, int(row["mark"]) * MINUTE_US)
    capacity = int(plan.capacity[park])
    occupied = spaces_taken(sensors, row, plan, park, now_us)
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
        sensors_heard=len(heard(sensors, plan, tellers, now_us).known),
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
