"""Car parks: how many spaces are taken, from single-space sensors, counters at the gates or a barrier system.

One reading changes the number of its car park by what its series has changed; what becomes of that number in
the long run is judged when a quarter of an hour is closed (drift.py).
"""

import numpy as np

from alerts.kernels.curve_row import WRAP_SHARE, Amounts
from alerts.kernels.rows import Batch, Bools, Ints, Rows, Slots, rounds
from alerts.mobility import drift, trust
from alerts.mobility.car_park import (
    ENTRANCE,
    EXIT,
    FREE,
    MARKS,
    MINUTE_US,
    NIGHT_US,
    QUARTER_US,
    RESERVED,
    SETTLE_US,
    TAKEN,
    Concluded,
    ParkingPlan,
    speaks_us,
)


def step(  # noqa: PLR0913, PLR0917 - two tables of state and the clock beside the usual
    sensors: Rows, parks: Rows, plan: ParkingPlan, batch: Batch, newest_us: Ints, until_us: int
) -> Concluded:
    """Take readings in their order; changes `sensors` and `parks` in place.

    `newest_us`: per reading the newest event time known with it, `until_us` with the whole batch. A late
    reading of a series changes nothing: a counter's rise since is in the newer one already.
    """
    found = Concluded()
    slot, time, value = batch
    amount = np.rint(value).astype(np.int64)
    for part in rounds(plan.park[slot]):
        park = plan.park[slot[part]]
        _close(sensors, parks, plan, park, newest_us[part], found)
        _advance(parks, park, newest_us[part] // MINUTE_US)
        newer = part[time[part] > sensors["time"][slot[part]]]
        if len(newer):
            _take(sensors, parks, plan, Amounts(slot[newer], time[newer], amount[newer]))
    park = np.arange(len(plan.stations))
    _close(sensors, parks, plan, park, np.full(len(park), until_us), found)
    return found


def rearrange(sensors: Rows, parks: Rows, plan: ParkingPlan) -> tuple[Slots, Slots]:
    """Follow a new plan: car parks whose sensors are others now; returns sensors and car parks that changed.

    A number from counters stays as it is. A counter that was turned round goes on from its last word; one
    that stood elsewhere in between begins anew.
    """
    turned = []
    for slot, others in plan.same.items():
        newest = int(others[sensors["time"][others].argmax()])
        if plan.effect[slot] and sensors["time"][slot] < sensors["time"][newest]:
            same = plan.park[slot] == plan.park[newest]
            sensors[slot] = sensors[newest] if same else np.zeros_like(sensors[slot])
            turned.append(slot)
    changed = []
    for park, source in enumerate(plan.source):
        row = parks[park]
        total = int(sensors["value"][plan.tellers[park]].sum())
        if source != "counters" and row["mark"] and row["occupied"] != total:
            trust.shift(row, total - int(row["occupied"]))
            changed.append(park)
    return np.array(turned, np.int64), np.array(changed, np.int64)


def _close(  # noqa: PLR0913, PLR0917 - see step()
    sensors: Rows, parks: Rows, plan: ParkingPlan, park: Slots, newest_us: Ints, found: Concluded
) -> None:
    last = (newest_us - SETTLE_US) // QUARTER_US
    due = (parks["mark"][park] > 0) & (parks["quarter"][park] < last)
    for i in due.nonzero()[0].tolist():
        found.parks.append(int(park[i]))
        drift.close(sensors, parks, plan, int(park[i]), int(last[i]), found)


def _advance(parks: Rows, park: Slots, mark: Ints) -> None:
    """Write the minutes that have passed."""
    row = parks[park]
    new = row["mark"] == 0
    row["begun"] = np.where(new, mark, row["begun"])
    # the quarter in which a car park begins is never whole
    row["quarter"] = np.where(new, mark * MINUTE_US // QUARTER_US + 1, row["quarter"])
    if (mark == row["mark"]).all():
        return
    fresh = _marks_after(mark, row["mark"])
    row["ring"] = np.where(fresh, row["occupied"][:, None], row["ring"])
    row["mark"] = np.maximum(row["mark"], mark)
    parks[park] = row


def _take(sensors: Rows, parks: Rows, plan: ParkingPlan, readings: Amounts) -> None:
    slot, time, value = readings
    park, role = plan.park[slot], plan.role[slot]
    row = sensors[slot]
    counter = (role == ENTRANCE) | (role == EXIT)
    barrier = (role == TAKEN) | (role == FREE)
    capacity = plan.capacity[park]
    amount = np.where(role == FREE, capacity - value, value)
    most = np.where(barrier, capacity, 1)
    amount = np.where(counter, amount, np.minimum(np.maximum(amount, 0), most))
    first = row["time"] == 0
    before, suspected = row["time"].copy(), row["suspect_time"].copy()
    rise = _rise(row["time"], row["value"], plan, readings)
    again = _rise(row["suspect_time"], row["suspect"], plan, readings)
    agrees = (row["suspect_time"] > 0) & (time > row["suspect_time"]) & (again >= 0)
    # it was reset or exchanged when two readings agree; what passed meanwhile nobody knows
    anew = agrees & ((rise < 0) | ((amount < row["value"]) & (amount >= row["suspect"])))
    rise = np.where(first, 0, np.where(anew, again, rise))
    strange = counter & (rise < 0)
    later = strange & (time > row["suspect_time"])
    row["suspect_time"] = np.where(later, time, np.where(strange, row["suspect_time"], 0))
    row["suspect"] = np.where(later, amount, row["suspect"])
    # what a space says first has been so before; of reserved ones the counters know nothing yet
    told = np.where(first & (role == RESERVED), 0, amount - row["value"])
    change = np.where(counter, np.maximum(rise, 0), told)
    row["since"] = np.where(~strange & (first | (row["value"] != amount)), time, row["since"])
    silence = time - row["time"]
    back = ~strange & ~first & (silence > plan.window[park] * MINUTE_US)
    longest = np.where(time - row["back"] < NIGHT_US, np.maximum(silence, row["silence"]), silence)
    row["silence"] = np.where(back, longest, row["silence"])
    row["back"] = np.where(back, time, row["back"])
    gap = ~strange & ~first & (silence > speaks_us(plan, slot))
    row["gap"], row["gap_end"] = np.where(gap, before, row["gap"]), np.where(gap, time, row["gap_end"])
    row["value"] = np.where(strange, row["value"], amount)
    row["time"] = np.where(strange, row["time"], time)
    sensors[slot] = row
    kept = ~strange
    begin = np.where(counter, np.where(anew, suspected, before), time - 1)
    end = np.where(first & ~counter, 0, time)
    _change(
        parks,
        park[kept],
        Amounts(slot[kept], time[kept], (plan.effect[slot] * change)[kept]),
        (
            np.where(counter, change, 0)[kept],
            (counter | (role == RESERVED))[kept],
            (first & (role != RESERVED) & (plan.effect[slot] != 0))[kept],
            np.minimum(begin, end - 1)[kept],
            end[kept],
        ),
    )


def _change(parks: Rows, park: Slots, changes: Amounts, how: tuple[Ints, Bools, Bools, Ints, Ints]) -> None:
    """Let numbers change. `how`: passages, of gates, whether it is a teller's first word, from when to when.

    Cars in and out are spread evenly over the time since the counter's word before, as far as the minutes
    reach back.
    """
    _, time, change = changes
    passages, gate, first, begin, end = how
    state = parks[park]
    state["passages"] += passages
    length = end - begin
    # a person counted in between: what had passed by then was counted
    counted = gate * _part(change, np.clip(state["counted_us"] - begin, 0, length), length)
    state["occupied"] += change - counted
    minute = _minutes(state["mark"])
    passed = np.clip(minute * MINUTE_US - begin[:, None], 0, length[:, None])
    part = _part(change[:, None], passed, length[:, None])
    state["ring"] += (part - counted[:, None]).astype(np.int32)
    # the first word of all is when the number has been known from
    moved = (change != counted) | (first & (state["changed"] == 0))
    state["changed"] = np.where(moved, np.maximum(state["changed"], time), state["changed"])
    state["time"] = np.maximum(state["time"], time)
    parks[park] = state


def _rise(before_us: Ints, before: Ints, plan: ParkingPlan, readings: Amounts) -> Ints:
    """How much a counter has risen, -1 where that does not follow."""
    slot, time, value = readings
    rise = value - before
    limit = plan.cap[plan.park[slot]] * np.maximum(time - before_us, MINUTE_US) // MINUTE_US
    wrapped = rise + plan.modulus[slot]
    wraps = (rise < 0) & (wrapped <= plan.modulus[slot] * WRAP_SHARE)
    rise = np.where(wraps, wrapped, rise)
    return np.where((rise < 0) | (rise > limit), -1, rise)


def _part(change: Ints, passed_us: Ints, length_us: Ints) -> Ints:
    """Of a change that is spread evenly what has passed after some time, rounded towards nothing."""
    part = np.abs(change) * (passed_us // 1000) // np.maximum(length_us // 1000, 1)
    found: Ints = np.sign(change) * np.where(passed_us == length_us, np.abs(change), part)
    return found


def _marks_after(mark: Ints, before: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which places of a ring that reaches up to `mark` hold minutes after `before`: shape (rows, MARKS)."""
    return _minutes(mark) > before[:, None]


def _minutes(mark: Ints) -> Ints:
    """Minutes since the epoch that the places of rings that reach up to `mark` hold: shape (rows, MARKS)."""
    minute: Ints = mark[:, None] - (mark[:, None] - np.arange(MARKS)) % MARKS
    return minute
