"""Watchdog: which devices have fallen silent, by their own expected interval and by a clock that is given.

A device is stale after some intervals and lost after more of them, but no sooner than `lost_least`; it is
back with its next reading. While it rains staleness comes sooner. Silence counts from the device's newest
reading and not from before this engine began to listen: an outage of ours is none of the sensors. A device
that has never been heard is never lost.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from alerts.event import Event, Kind
from alerts.kernels.rows import Bools, Floats, Ints, Rows, Slots
from alerts.lifecycle import stamp
from ingest.reading import Readings

ROW = np.dtype([("heard", "<i8"), ("since", "<i8"), ("status", "u1"), ("good", "<i8")])
"""Newest reading; the reading after which silence began, for the ids of what follows; 0 heard, 1 stale,
2 lost; the newest good reading of rain or level."""

MEASURE = "sensor"
STALE, LOST = 1, 2
WARNED = "; a warning is in force at this station and stands"
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """Slots are devices at a station. Times µs, `interval` 0: not watched; `stale`, `stale_in_rain`, `lost`
    in intervals. `places`: the station, with a number where several devices stand there; `devices`: DevEUIs.
    `gauge`: slots that measure rain or level, `of_gauge`: the series of such measurements."""  # noqa: D205, D209 - one thought

    slot_of: Slots
    interval: Ints
    stale: Floats
    stale_in_rain: Floats
    lost: Floats
    lost_least: Ints
    stations: Sequence[str]
    places: Sequence[str]
    rules: Sequence[str]
    devices: Sequence[str]
    gauge: Bools
    of_gauge: Bools

    def stale_us(self, raining: Bools | bool) -> Ints:
        """Silence after which each slot is stale."""
        return (np.where(raining, self.stale_in_rain, self.stale) * self.interval).astype(np.int64)

    def lost_us(self) -> Ints:
        """Silence after which each slot is lost."""
        return np.maximum((self.lost * self.interval).astype(np.int64), self.lost_least)


def step(
    rows: Rows, plan: WatchPlan, slot: Slots, time: Ints, since_us: int
) -> tuple[Slots, list[tuple[int, Event]]]:
    """Hear readings (slot, time); changes `rows` in place.

    Returns the slots whose rows are worth saving (hourly, and with every change of status) and `sensor_back`
    events with the position of the reading that caused them.
    """
    found: list[tuple[int, Event]] = []
    changed: list[int] = []
    for i in np.flatnonzero(rows["status"][slot]).tolist():
        row, s = rows[slot[i]], int(slot[i])
        if row["status"] and time[i] > row["heard"]:
            event = sensor_event(row, plan, s, "sensor_back", int(time[i]), since_us)
            row["status"] = 0
            changed.append(s)
            found.append((i, event))
    before = rows["heard"][slot] // _HOUR_US
    np.maximum.at(rows["heard"], slot, time)
    hourly = slot[rows["heard"][slot] // _HOUR_US != before]
    return np.concatenate([hourly, np.array(changed, np.int64)]), found


def see(rows: Rows, plan: WatchPlan, readings: Readings) -> None:
    """Note the good readings of rain and level; changes `rows` in place."""
    number = readings["series"]
    seen = plan.of_gauge[number].nonzero()[0]
    np.maximum.at(rows["good"], plan.slot_of[number[seen]], readings["time_us"][seen])


def tick(  # noqa: PLR0913, PLR0917 - what silence is judged by
    rows: Rows,
    plan: WatchPlan,
    now_us: int,
    listening_us: Ints | int,
    since_us: int,
    raining: Bools | bool,
    alarmed: Collection[str],
    causes: Mapping[int, str] = MappingProxyType({}),
) -> tuple[Slots, list[Event]]:
    """Judge every device's silence at a time; changes `rows` in place.

    `listening_us`: since when readings would have been heard. `alarmed`: stations with a warning in force;
    staff hear at once when a device there is lost. `causes`: slots whose silence is that of something else,
    in words; staff hear of that instead. Returns the slots that changed, and events in time order.
    """
    count = len(plan.interval)
    heard = rows["heard"][:count]
    status = rows["status"][:count]
    silent_since = np.maximum(heard, listening_us)
    watched: Bools = (heard > 0) & (plan.interval > 0)
    stale_at = silent_since + plan.stale_us(raining)
    lost_at = silent_since + plan.lost_us()
    stale = watched & (status < STALE) & (now_us > stale_at)
    lost = watched & (status < LOST) & (now_us > lost_at)
    events: list[Event] = []
    for s in np.flatnonzero(stale).tolist():
        cause = causes.get(s, "")
        events.append(sensor_event(rows[s], plan, s, "sensor_stale", int(stale_at[s]), since_us, cause=cause))
        rows["status"][s] = STALE
    for s in np.flatnonzero(lost).tolist():
        staff, cause = plan.stations[s] in alarmed, causes.get(s, "")
        event = sensor_event(
            rows[s], plan, s, "sensor_lost", int(lost_at[s]), since_us, staff=staff, cause=cause
        )
        events.append(event)
        rows["status"][s] = LOST
    events.sort(key=_when)
    return np.flatnonzero(stale | lost), events


def sensor_event(  # noqa: PLR0913, PLR0917 - an event has that many parts
    row: np.void,
    plan: WatchPlan,
    slot: int,
    kind: Kind,
    time: int,
    since_us: int,
    *,
    staff: bool = False,
    cause: str = "",
) -> Event:
    """What became of a device, as its row says before the change."""
    if not row["status"]:
        row["since"] = row["heard"]
    since = int(row["since"])
    place = f"{plan.places[slot]}.{MEASURE}.{stamp(since)}"
    interval = f"{plan.interval[slot] / 60_000_000:g} min"
    silent = f"silent since {stamp(since)}, expected every {interval}"
    reason = f"heard again, was {silent}" if kind == "sensor_back" else silent
    if cause:
        reason += f"; {cause}"
    if staff:
        reason += WARNED
    return Event(
        id=f"{place}.{kind.removeprefix('sensor_')}",
        episode=place,
        time_us=time,
        station=plan.stations[slot],
        kind=kind,
        measure=MEASURE,
        level=0,
        window_min=None,
        value=None,
        rule=plan.rules[slot],
        reason=reason,
        audience="staff" if staff and not cause and time >= since_us else None,
    )


def _when(event: Event) -> tuple[int, str]:
    return event.time_us, event.id
