"""Car parks: how many spaces are taken, from single-space sensors or from counters at entrance and exit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alerts.kernels.curve import Amounts
from alerts.kernels.rows import Batch, Ints, Rows, Slots, rounds
from alerts.mobility.states import CarPark

SENSOR = np.dtype([("time", "<i8"), ("value", "<i8"), ("since", "<i8")])
"""One series: newest reading, occupied 0/1 or the counter's value, since when the space has been so."""

PARK = np.dtype([("occupied", "<i8"), ("changed", "<i8"), ("time", "<i8")])
"""One car park by counters: spaces taken, last change and newest reading (µs since the epoch)."""

SPACE, ENTRANCE, EXIT = 0, 1, -1
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class ParkingPlan:
    """Slots are series of car parks: `role[slot]` SPACE, ENTRANCE or EXIT, `park[slot]` their car park.

    Per car park: `capacity` in spaces (-1: not given, then the number of sensors), `expected` installed
    single-space sensors, `by_counters` whether the counters tell what is taken, else those sensors, `cap` the
    most vehicles a minute that are real.
    """

    slot_of: Slots
    role: Slots
    park: Slots
    modulus: Ints
    used: npt.NDArray[np.bool_]
    stations: Sequence[str]
    capacity: Ints
    expected: Ints
    by_counters: npt.NDArray[np.bool_]
    cap: Ints


def step(sensors: Rows, parks: Rows, plan: ParkingPlan, batch: Batch) -> None:
    """Take readings in their order; changes `sensors` and `parks` in place. Parking raises no events.

    A late reading changes nothing: a counter's rise since is in the newer one already.
    """
    slot, time, value = batch
    amount = np.rint(value).astype(np.int64)
    spaces = plan.role[slot] == SPACE
    # a car park's counters act on one number; a space only on itself
    key = np.where(spaces, slot + len(plan.stations), plan.park[slot])
    for part in rounds(key):
        newer = part[time[part] > sensors["time"][slot[part]]]
        single = newer[spaces[newer]]
        _spaces(sensors, slot[single], time[single], (amount[single] != 0).astype(np.int64))
        counted = newer[~spaces[newer]]
        if len(counted):
            _counters(sensors, parks, plan, Amounts(slot[counted], time[counted], amount[counted]))


def car_parks(sensors: Rows, parks: Rows, plan: ParkingPlan) -> tuple[CarPark, ...]:
    """Every car park as it is now; single spaces without a word count as free."""
    found = []
    for park, station in enumerate(plan.stations):
        mine = np.flatnonzero((plan.park == park) & plan.used)
        counters = bool(plan.by_counters[park])
        mine = mine[(plan.role[mine] != SPACE) == counters]
        if not len(mine):
            continue
        rows = sensors[mine]
        capacity = int(plan.capacity[park])
        known = len(mine) if counters else max(len(mine), int(plan.expected[park]))
        capacity = known if capacity < 0 else capacity
        changed = int(parks["changed"][park] if counters else rows["since"].max())
        occupied = int(parks["occupied"][park] if counters else rows["value"].sum())
        occupied = min(max(occupied, 0), capacity)
        found.append(
            CarPark(
                station=station,
                source="counters" if counters else "spaces",
                capacity=capacity,
                occupied=occupied,
                free=capacity - occupied,
                changed_us=changed or None,
                newest_us=int(rows["time"].max()) or None,
                sensors=known,
                sensors_heard=int((rows["time"] > 0).sum()),
            )
        )
    return tuple(found)


def _spaces(sensors: Rows, slot: Slots, time: Ints, occupied: Ints) -> None:
    row = sensors[slot]
    row["since"] = np.where((row["time"] == 0) | (row["value"] != occupied), time, row["since"])
    row["value"], row["time"] = occupied, time
    sensors[slot] = row


def _counters(sensors: Rows, parks: Rows, plan: ParkingPlan, readings: Amounts) -> None:
    slot, time, value = readings
    row = sensors[slot]
    rise = value - row["value"]
    rise = np.where(rise < 0, rise + plan.modulus[slot], rise)
    limit = plan.cap[plan.park[slot]] * np.maximum(time - row["time"], _MINUTE_US) // _MINUTE_US
    # the first reading, a reset, a jump: from here on
    rise = np.where((row["time"] == 0) | (rise < 0) | (rise > limit), 0, rise)
    row["value"], row["time"] = value, time
    sensors[slot] = row
    park = plan.park[slot]
    state = parks[park]
    capacity = plan.capacity[park]
    most = np.where(capacity < 0, np.iinfo(np.int64).max, capacity)
    occupied = np.clip(state["occupied"] + plan.role[slot] * rise, 0, most)
    state["changed"] = np.where(
        (occupied != state["occupied"]) | (state["changed"] == 0), time, state["changed"]
    )
    state["changed"] = np.maximum(state["changed"], parks["changed"][park])
    state["occupied"], state["time"] = occupied, np.maximum(state["time"], time)
    parks[park] = state
