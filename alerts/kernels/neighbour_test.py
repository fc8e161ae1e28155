"""Neighbour consistency of rain gauges: one that stays dry while it rains all around, or rains alone.

A gauge is compared hourly, by event time, with the NEAREST nearest gauges that report and are believed
themselves, by sums of whole hours over a day. Nothing here doubts a cloudburst: high is doubted only after
`lonely` separate hours with rain in which no neighbour had any in the hour, the one before and the one after.

A gauge that is stuck dry has its dry readings suspect; what rain it shows counts. One that runs away has its
wet readings suspect, and staff hear as unverified of an hour that alone would have been a DWD level. Sums
here are of what the gauge says, believed or not, so that it can become consistent again. A late reading
changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerts.event import Event
from alerts.kernels.rows import Batch, Bools, Floats, Ints, Rows, Slots, Table, rounds
from alerts.lifecycle import Subject, stamp
from ingest.reading import Readings

HOUR_US = 3_600_000_000
DAY_H = 24
NEAREST, FEWEST = 5, 3
"""How many neighbours are asked, and how few are enough."""
CANDIDATES = 8
"""How many gauges within the distance are kept, for some of them do not report."""
OK, STUCK, RUNAWAY = 0, 1, 2
MEASURE = "precipitation"

_RING = DAY_H + 2
_HEARD_H = 20
_WET_UM = 1000
_UM_PER_MM = 1000

ROW = np.dtype(
    [
        ("time", "<i8"),
        ("last", "<f8"),
        ("hour", "<i8"),
        ("um", "<i4", (_RING,)),
        ("heard", "u1", (_RING,)),
        ("verdict", "u1"),
        ("told", "u1"),
    ]
)
"""Newest reading and its value; the hour (since the epoch) that it belongs to; rain (µm) and whether there
was a reading, by hour; OK, STUCK or RUNAWAY; the level told since it ran away."""
CLOCK = np.dtype([("hour", "<i8")])
"""The hour of the newest reading of any gauge."""


@dataclass(frozen=True, slots=True)
class NeighbourPlan:
    """Slots are rain series that a rule with `neighbours_km` covers. `near` (slot, CANDIDATES): slots of the
    nearest gauges of other stations, -1 none. `dry` µm a day that three of them must exceed, and `share` of
    their median that a gauge must reach not to be stuck; `lonely` hours make it a runaway. `cap` µm a minute:
    more is no rain. `hour`: µm in an hour from which on it has level 2, 3, 4."""  # noqa: D205, D209 - one thought

    slot_of: Slots
    counter: Bools
    near: Slots
    dry: Ints
    share: Floats
    lonely: Ints
    cap: Ints
    hour: tuple[int, ...]
    subjects: Sequence[Subject]


class Neighbours:
    """The test with its state."""

    def __init__(self) -> None:
        self._rows = Table("neighbours", ROW)
        self._clock = Table("neighbours_clock", CLOCK)
        self._plan: NeighbourPlan

    @property
    def tables(self) -> tuple[Table, Table]:
        """What there is to save."""
        return self._rows, self._clock

    def arrange(self, plan: NeighbourPlan, keys: Sequence[str]) -> None:
        """Follow a new plan; `keys`: page keys of its slots."""
        self._plan = plan
        self._rows.claim(keys)
        self._clock.claim(["all"])

    def doubts(
        self, readings: Readings, believed: Bools, since_us: int
    ) -> tuple[Bools, list[tuple[int, Event]]]:
        """Which of the readings that other tests believe are suspect, and events with their positions."""
        doubted = np.zeros(len(readings), np.bool_)
        slot = self._plan.slot_of[readings["series"]]
        place = ((slot >= 0) & believed).nonzero()[0]
        if not len(place):
            return doubted, []
        batch = Batch(slot[place], readings["time_us"][place], readings["value"][place])
        doubted[place], found = step(self._rows.rows, self._clock.rows, self._plan, batch, since_us)
        self._rows.touch(batch.slot)
        self._rows.touch(self._rows.rows["verdict"][: len(self._rows)].nonzero()[0])
        self._clock.touch(np.zeros(1, np.int64))
        return doubted, [(int(place[i]), event) for i, event in found]

    def counters(self, readings: Readings) -> Bools:
        """Which of the readings are running totals."""
        slot = self._plan.slot_of[readings["series"]]
        found = np.zeros(len(readings), np.bool_)
        mine = slot >= 0
        found[mine] = self._plan.counter[slot[mine]]
        return found


def step(
    rows: Rows, clock: Rows, plan: NeighbourPlan, batch: Batch, since_us: int
) -> tuple[Bools, list[tuple[int, Event]]]:
    """Take readings (mm) that other tests believe, in their order; changes `rows` and `clock` in place.

    Returns which of them are suspect, and events with the position of the reading that caused them.
    """
    suspect = np.zeros(len(batch.slot), np.bool_)
    found: list[tuple[int, Event]] = []
    # an interval that ends with the hour belongs to it
    hours = np.maximum((np.maximum.accumulate(batch.time) - 1) // HOUR_US, int(clock["hour"][0]))
    begins = np.flatnonzero(np.diff(hours, prepend=clock["hour"][0]))
    ends = [*begins.tolist(), len(hours)]
    for begin, end in zip([0, *begins.tolist()], ends, strict=True):
        if begin == end:
            continue
        if hours[begin] > clock["hour"][0]:
            if clock["hour"][0]:
                found += [(begin, event) for event in _judge(rows, plan, int(hours[begin]), since_us)]
            clock["hour"][0] = hours[begin]
        for part in rounds(batch.slot[begin:end]):
            at = part + begin
            suspect[at], um = _take(rows, plan, batch.slot[at], batch.time[at], batch.value[at])
            for i in at[suspect[at] & (um > 0)].tolist():
                event = _high(rows, plan, int(batch.slot[i]), int(batch.time[i]), since_us)
                found += [(i, event)] if event else []
    return suspect, found


def _take(rows: Rows, plan: NeighbourPlan, slot: Slots, time: Ints, value: Floats) -> tuple[Bools, Ints]:
    """Add readings to their hours; which of them the verdict in force doubts, and the rain (µm) of each."""
    row: Rows = rows[slot]
    counter, spacing = plan.counter[slot], np.maximum(time - row["time"], 0)
    rise = np.where(row["time"] > 0, value - row["last"], 0.0)
    um = np.rint(np.where(counter, rise, value) * _UM_PER_MM).astype(np.int64)
    most = plan.cap[slot] * np.maximum(spacing // 60_000_000, 1)
    # a counter that jumps or falls says nothing of its hour
    um = np.where(counter & ((um < 0) | (um > most)), 0, np.clip(um, 0, 1_000_000))
    fresh = time > row["time"]
    hour = (time - 1) // HOUR_US
    apart = np.where(fresh, np.clip(hour - row["hour"], 0, _RING), 0)
    for step_ in range(1, int(apart.max(initial=0)) + 1):
        moved = (apart >= step_).nonzero()[0]
        place = (hour[moved] - step_ + 1) % _RING
        rows["um"][slot[moved], place] = 0
        rows["heard"][slot[moved], place] = 0
    s, place = slot[fresh], hour[fresh] % _RING
    rows["um"][s, place] += um[fresh].astype(np.int32)
    rows["heard"][s, place] = 1
    rows["time"][s], rows["last"][s] = time[fresh], value[fresh]
    rows["hour"][s] = hour[fresh]
    doubted: Bools = np.where(um > 0, row["verdict"] == RUNAWAY, row["verdict"] == STUCK)
    return doubted, um


def _high(rows: Rows, plan: NeighbourPlan, slot: int, time: int, since_us: int) -> Event | None:
    """What staff must hear of a runaway's hour: once, and again when it is higher."""
    row = rows[slot]
    um = int(row["um"][int(row["hour"]) % _RING])
    level = _level(plan, um)
    if level <= row["told"] or time != row["time"]:
        return None
    row["told"] = level
    return _event(plan.subjects[slot], time, level, um / _UM_PER_MM, _WHY[RUNAWAY], since_us)


def _median(values: Ints, asked: Bools) -> Floats:
    """Median of those asked, by row; 0 where nobody is."""
    count = asked.sum(axis=1)
    ordered = np.sort(np.where(asked, values, np.iinfo(np.int64).max), axis=1)
    low, high = (
        np.take_along_axis(ordered, each[:, None], axis=1)[:, 0] for each in ((count - 1) // 2, count // 2)
    )
    middle: Floats = np.where(count > 0, (low.astype(np.float64) + high) / 2, 0.0)
    return middle


def _level(plan: NeighbourPlan, um: int) -> int:
    reached = sum(um >= limit for limit in plan.hour)
    return reached + 1 if reached else 0


def _judge(rows: Rows, plan: NeighbourPlan, now: int, since_us: int) -> list[Event]:
    """The verdict on every gauge by the 24 hours before an hour; changes `rows` in place."""
    count = len(plan.near)
    row = rows[:count]
    hours = np.arange(now - DAY_H, now)
    place, known = hours % _RING, hours <= row["hour"][:, None]
    um = np.where(known, row["um"][:, place], 0).astype(np.int64)
    reports: Bools = (known & (row["heard"][:, place] > 0)).sum(axis=1) >= _HEARD_H
    before = row["verdict"].copy()
    asked = (plan.near >= 0) & (reports & (before == OK))[plan.near]
    asked &= np.cumsum(asked, axis=1) <= NEAREST
    day = um.sum(axis=1)
    # only who is odd, or was, is compared with every hour
    able = reports & (asked.sum(axis=1) >= FEWEST)
    theirs = np.where(asked, day[plan.near], -1)
    wet_enough = (theirs > plan.dry[:, None]).sum(axis=1) >= FEWEST
    wet_enough &= np.where(asked, theirs, plan.dry[:, None]).min(axis=1) > plan.dry // 2
    around = _median(theirs, asked)
    stuck = able & wet_enough & (day < plan.share * around)
    lonely = np.zeros(count, np.int64)
    alone = (able & ((um >= _WET_UM).sum(axis=1) >= 1)).nonzero()[0]
    if len(alone):
        others = np.where(asked[alone, :, None], um[plan.near[alone]], 0).max(axis=1)
        padded = np.pad(others, ((0, 0), (1, 1)))
        dry_around = np.maximum(np.maximum(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:]) == 0
        lonely[alone] = ((um[alone] >= _WET_UM) & dry_around).sum(axis=1)
    verdict = before.copy()
    verdict[(before == STUCK) & able & ~stuck & (day > 0)] = OK
    verdict[(before == RUNAWAY) & able & (lonely == 0)] = OK
    verdict[(before == OK) & stuck] = STUCK
    verdict[(before == OK) & (lonely >= plan.lonely)] = RUNAWAY
    rows["verdict"][:count] = verdict
    rows["told"][:count][verdict != RUNAWAY] = 0
    events: list[Event] = []
    for s in ((verdict != before) & (verdict != OK)).nonzero()[0].tolist():
        value = int(um[s].max()) if verdict[s] == RUNAWAY else 0
        # what was high before has been told as what it was
        rows["told"][s] = _level(plan, value)
        why = _WHY[int(verdict[s])]
        mm = value / _UM_PER_MM if value else None
        events.append(_event(plan.subjects[s], now * HOUR_US, _level(plan, value), mm, why, since_us))
    return events


_WHY = {
    STUCK: "dry in 24 hours in which its neighbours had rain: its dry readings are suspect",
    RUNAWAY: "rain in hours in which no neighbour had any: its rain is suspect",
}


def _event(  # noqa: PLR0913, PLR0917 - an event has that many parts
    subject: Subject, time: int, level: int, value: float | None, why: str, since_us: int
) -> Event:
    fresh = time >= since_us
    place = f"{subject.place}.{MEASURE}.{stamp(time)}.neighbours"
    return Event(
        id=f"{place}.{level}" + ("" if fresh else ".history"),
        episode=place,
        time_us=time,
        station=subject.station,
        kind="unverified",
        measure=MEASURE,
        level=level,
        window_min=None if value is None else 60,
        value=value,
        rule=subject.rule,
        reason=why,
        audience="staff" if fresh and level else None,
    )
