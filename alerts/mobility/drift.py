"""Closing a car park's quarters of an hour: what is published of them, drift found and put right.

Counters miss cars. The number that follows from them is wrong for certain where, in all minutes of a window
in which every counter has had its say, it lies outside of what is possible: below 0, above the capacity, or
against what the watched spaces show. It is then moved by the least that is needed. At the end of the night it
is moved to what the car park is taken to hold then.
"""

from datetime import UTC, datetime

import numpy as np

from alerts.kernels.rows import Ints, Rows
from alerts.mobility import trust
from alerts.mobility.car_park import (
    LEARNED,
    MARKS,
    MINUTE_US,
    NIGHT_US,
    NIGHTS,
    QUARTER_US,
    UNKNOWN,
    Concluded,
    HandCount,
    ParkingPlan,
    at_marks,
    bounds,
    gates_at,
    heard,
    known_minutes,
    taken,
    told_until,
)
from alerts.mobility.states import Correction, Occupancy

NIGHTS_NEEDED = 3
EMPTY_SHARE, EMPTY_SPACES = 0.15, 2
"""The nights are empty where half of the last ones held at most this share of the capacity, or so many."""
NOTICED = 0.02
"""A number that is outside by this share of the capacity at most is only told as what is possible."""
GUESTS = 0.02
"""Share of the capacity by which a number is expected to be wrong after a night: guests may have stayed."""

LOOK_AGAIN = 4
"""So many quarters later one that was left out is looked at once more: what MARKS reaches back to."""
_EVERY_UNTOLD = (1 << LOOK_AGAIN) - 1
_HOUR_US = 3_600_000_000
_FIRST_HOUR, _LAST_HOUR = 1, 5
_QUARTER_MARKS = QUARTER_US // MINUTE_US


def close(  # noqa: PLR0913, PLR0917 - two tables of state and where to say it
    sensors: Rows, parks: Rows, plan: ParkingPlan, park: int, last: int, found: Concluded
) -> None:
    """Close a car park's quarters up to number `last`; of those of which nothing is known nothing is told.

    They are looked at once more when LOOK_AGAIN others are closed: what its sensors told late, but in its
    order, is known by then. What was told stays.
    """
    row = parks[park]
    counters = plan.source[park] == "counters"
    if counters:
        _hold(row, told_until(sensors, row, plan, park))
    silent = 0
    for quarter in range(int(row["quarter"]) + 1, last + 1):
        end_us = quarter * QUARTER_US
        if int(row["untold"]) >> (LOOK_AGAIN - 1) & 1:
            _tell(sensors, row, plan, park, quarter - LOOK_AGAIN, found)
        is_heard = bool(len(heard(sensors, plan, plan.tellers[park], end_us).known))
        if is_heard and counters:
            found.corrections += [
                *_outside(sensors, row, plan, park, end_us),
                *_night(sensors, row, plan, park, end_us),
            ]
        numbers = _tell(sensors, row, plan, park, quarter, found)
        if len(numbers) and counters:
            trust.note(row, numbers)
            trust.even_out(row)
        row["untold"] = int(row["untold"]) << 1 & _EVERY_UNTOLD | (not len(numbers))
        silent = 0 if is_heard else silent + 1
        if silent > LOOK_AGAIN:
            # of all that follow nothing is known
            break
    row["quarter"] = last


def _tell(  # noqa: PLR0913, PLR0917 - see close()
    sensors: Rows, row: np.void, plan: ParkingPlan, park: int, quarter: int, found: Concluded
) -> Ints:
    """Tell of a quarter by its number; the car park's numbers in the minutes that somebody spoke for."""
    end_us = quarter * QUARTER_US
    marks = np.arange((quarter - 1) * _QUARTER_MARKS + 1, quarter * _QUARTER_MARKS + 1)
    known = known_minutes(sensors, plan, park, marks)
    told = heard(sensors, plan, plan.tellers[park], end_us)
    if not len(told.known) or not known.any():
        return marks[:0]
    capacity, low, high = int(plan.capacity[park]), 0, int(plan.capacity[park])
    if plan.source[park] == "counters":
        low, high = bounds(sensors, plan, park, end_us, QUARTER_US)
        every = gates_at(row, told_until(sensors, row, plan, park), marks)[known > 0]
    else:
        every = at_marks(row, marks)[known > 0]
    numbers = taken(sensors, plan, park, every, told)
    numbers = np.minimum(np.maximum(numbers, low), high)
    occupancy = Occupancy(
        begin_us=end_us - QUARTER_US,
        end_us=end_us,
        mean=round(float(numbers.mean()), 2),
        most=int(numbers.max()),
        last=int(numbers[-1]),
        capacity=capacity,
        # somebody was heard: it never rounds to nothing, and hours are means weighted by it
        completeness=max(round(float(known.mean()), 3), 0.001),
    )
    found.quarters.append((plan.stations[park], occupancy))
    return every


def count(row: np.void, counted: HandCount) -> Correction:
    """Take what a person counted, as of its time; everything that has passed since stays passed."""
    mark = counted.time_us // MINUTE_US
    before = int(at_marks(row, np.array([mark]))[0])
    trust.shift(row, counted.occupied - before)
    trust.learn(row)
    trust.believe(row, counted.time_us, 0.0)
    row["counted"], row["counted_us"] = counted.number, mark * MINUTE_US
    return Correction(
        station=counted.station,
        time_us=counted.time_us,
        before=before,
        after=counted.occupied,
        reason="manual",
        detail=f"{counted.by} counted {_cars(counted.occupied)}, the counters had made it {before}",
    )


def _hold(row: np.void, told_us: int) -> None:
    """Keep what the number was when the gate was last heard that has been silent for longest."""
    if row["held_us"] != told_us:
        oldest = int(row["mark"]) - MARKS + 1
        row["held"] = at_marks(row, np.array([max(told_us // MINUTE_US, oldest)]))[0]
        row["held_us"] = told_us


def _outside(sensors: Rows, row: np.void, plan: ParkingPlan, park: int, end_us: int) -> list[Correction]:
    """Where the number is impossible throughout the window that ends then."""
    window = int(plan.window[park])
    still_us = window * MINUTE_US
    if not _all_heard(sensors, plan, park, end_us - still_us):
        return []
    capacity = int(plan.capacity[park])
    low, high = bounds(sensors, plan, park, end_us, still_us)
    end = end_us // MINUTE_US
    told_us = told_until(sensors, row, plan, park)
    numbers = gates_at(row, told_us, np.arange(max(end - window, int(row["begun"])) + 1, end + 1))
    least, most = int(numbers.min()), int(numbers.max())
    station, watched = plan.stations[park], len(plan.watched[park])
    noticed = max(int(NOTICED * capacity), 1)
    if least > high + noticed:
        trust.contradict(row, high - least)
        if high == capacity:
            text = f"{_cars(least)} by the counters in {capacity} spaces; {least - high} have left uncounted"
            return [Correction(station, end_us, least, high, "over_capacity", text)]
        text = f"{_cars(least)} by the counters, at most {high} by the {watched} spaces that are watched"
        return [Correction(station, end_us, least, high, "spaces", text)]
    if most < low:
        more = min(trust.uncounted(row), noticed) if low == 0 else 0
        trust.contradict(row, low + more - most)
        # so far down, it is no more than the truth
        row["bound_passages"] = row["passages"]
        _was_low(row, low - most)
        if low == 0:
            text = f"the counters had {_cars(-most)} more leave than were inside; that many came uncounted"
            return [Correction(station, end_us, most, more, "below_zero", text)]
        text = f"{_cars(most)} by the counters, at least {low} by the {watched} spaces that are watched"
        return [Correction(station, end_us, most, low, "spaces", text)]
    return []


def _night(sensors: Rows, row: np.void, plan: ParkingPlan, park: int, end_us: int) -> list[Correction]:
    """Look at the hours of the night as they end; at the end of the last one, put the number right."""
    if end_us % _HOUR_US:
        return []
    local = datetime.fromtimestamp(end_us // 1_000_000, UTC).astimezone(plan.zone)
    if not _FIRST_HOUR <= local.hour <= _LAST_HOUR:
        return []
    passages, day = int(row["passages"]), local.toordinal()
    if row["night"] != day:
        row["night"], row["night_passages"], row["night_least"] = day, passages, -1
        return []
    passed = passages - int(row["night_passages"])
    row["night_passages"] = passages
    if row["night_least"] < 0 or passed <= row["night_least"]:
        row["night_least"] = passed
        told_us = told_until(sensors, row, plan, park)
        row["night_held"] = gates_at(row, told_us, np.array([end_us // MINUTE_US]))[0]
    if local.hour < _LAST_HOUR or not _all_heard(sensors, plan, park, end_us - NIGHT_US, _HOUR_US):
        return []
    low, high = bounds(sensors, plan, park, end_us, QUARTER_US)
    return _morning(row, plan, park, end_us, (low, high))


def _morning(
    row: np.void, plan: ParkingPlan, park: int, end_us: int, possible: tuple[int, int]
) -> list[Correction]:
    capacity, held = int(plan.capacity[park]), int(row["night_held"])
    target = int(plan.night[park])
    if target == UNKNOWN:
        trust.of_range(row, end_us, capacity)
        return []
    why = "the car park is known to hold that many at night"
    others = 0.0
    if target == LEARNED:
        known = int(row["nights_known"])
        row["nights"][known % NIGHTS] = np.clip(held, 0, capacity)
        row["nights_known"] = known + 1
        nights = row["nights"][: min(known + 1, NIGHTS)]
        quietest = int(nights.min())
        empty = np.median(nights) <= max(EMPTY_SPACES, EMPTY_SHARE * capacity)
        if known + 1 < NIGHTS_NEEDED or not empty:
            trust.of_range(row, end_us, capacity)
            return []
        target = max(quietest, held - trust.surplus(row))
        row["nights"][known % NIGHTS] = np.clip(target, 0, capacity)
        others = float(nights.mean()) - quietest
        why = f"the quietest of the last {len(nights)} nights held {quietest}"
    target = min(max(target, possible[0]), possible[1])
    trust.shift(row, target - held)
    trust.learn(row)
    moved = (abs(target - held) + int(row["strayed"])) / 2
    trust.believe(row, end_us, max(EMPTY_SPACES, GUESTS * capacity) + others + moved)
    trust.of_range(row, end_us, capacity)
    if target == held:
        return []
    text = (
        f"{_cars(held)} by the counters in the quietest hour of the night, {target} taken to be right: {why}"
    )
    return [Correction(plan.stations[park], end_us, held, target, "night_minimum", text)]


def _was_low(row: np.void, by: int) -> None:
    """More have left than there were: so many more were there in the night before."""
    known = int(row["nights_known"])
    if known:
        row["nights"][(known - 1) % NIGHTS] += by


def _all_heard(sensors: Rows, plan: ParkingPlan, park: int, since_us: int, tolerated_us: int = 0) -> bool:
    """Whether every counter has spoken since, and none of a silence longer than tolerated, begun before."""
    row = sensors[plan.tellers[park]]
    known = (row["back"] <= since_us) | (row["silence"] <= tolerated_us)
    return bool(((row["time"] > since_us) & known).all())


def _cars(number: int) -> str:
    return "1 car" if number == 1 else f"{number} cars"
