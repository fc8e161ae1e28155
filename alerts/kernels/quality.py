"""Quality of readings: QARTOD's tests as far as they can be made when a reading comes, without the next one.

Flags are QARTOD's (IOOS, Manual for Real-Time Quality Control of Water Level Data, 2.1): 1 good, 2 not
evaluated, 3 suspect, 4 fail, 9 missing. Limits are a station's own; there are no universal numbers.

A jump (spike or rate of change against the last good reading) is suspect. If the reading after it agrees with
it, that one is good: a flood that rises faster than the limits is delayed by one reading, and staff hear of
the first as unverified. A flat line is measured in time, not in readings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alerts.event import Event
from alerts.kernels.rows import Batch, Bools, Floats, Ints, Rows, Slots, rounds
from alerts.lifecycle import Subject, stamp
from devices.measurement import Quality

Flags = npt.NDArray[np.uint8]

ROW = np.dtype(
    [
        ("good_time", "<i8"),
        ("good", "<f8"),
        ("time", "<i8"),
        ("value", "<f8"),
        ("same_since", "<i8"),
        ("flag", "u1"),
        ("pending", "?"),
        ("told", "u1"),
        ("refused", "<i8"),
        ("began", "<i8"),
    ]
)
"""Last good reading; newest reading with its flag, since when it is the same, whether it was a jump that the
next may confirm; the `unverified` in force: 1 + the marks it reached (0 none;
128 more in maintenance, when nobody is told), its last rejected reading, its start."""

LARGEST = 1e12
FIRST_US, LAST_US = -2_208_988_800_000_000, 7_258_118_400_000_000
"""1900 and 2200: a time beyond is none, and no sum of two within overflows."""
_MINUTE_US = 60_000_000
_GOOD, _SUSPECT, _FAIL, _MISSING = (
    int(each) for each in (Quality.GOOD, Quality.SUSPECT, Quality.FAIL, Quality.MISSING)
)
_SILENT = 128
_UNJUDGED = int(Quality.NOT_EVALUATED)


@dataclass(frozen=True, slots=True)
class QualityPlan:
    """Slots are the series that a quality rule covers; a test without a limit has an infinite one.

    `lowest`, `highest`: outside fails. `rise`, `fall`: most between two readings, `rate` per minute in either
    direction. `flat`: µs that a value may stay the same, `gap` µs without a reading that interrupt it.
    `marks` (slot, marks): from these values on a rejected reading is `unverified` for staff, NaN none; the
    first of them has level `first_level`. `low`: so is one below zero or `lowest`. `heeds`: so is one that
    its device had rejected. `hold`: µs without a rejected reading that end it. `service` (slot, windows, 2):
    from and to of maintenance, µs.
    """

    slot_of: Slots
    lowest: Floats
    highest: Floats
    rise: Floats
    fall: Floats
    rate: Floats
    flat: Floats
    gap: Floats
    remembers: Bools
    marks: Floats
    first_level: Ints
    low: Bools
    heeds: Bools
    hold: Ints
    service: Ints
    subjects: Sequence[Subject]


def step(
    rows: Rows, plan: QualityPlan, batch: Batch, given: Flags, since_us: int
) -> tuple[Flags, list[tuple[int, Event]]]:
    """Judge readings in their order; changes `rows` in place.

    `given` are the flags they came with: 3, 4 and 9 stay. Returns a flag per reading, and the `unverified`
    events with the position of the reading that caused them. A late reading is judged by what is known and
    changes nothing; one that is repeated gets the flag it had.
    """
    flags = given.copy()
    found: list[tuple[int, Event]] = []
    for part in _parts(plan, batch.slot):
        at, time, value = batch.slot[part], batch.time[part], batch.value[part]
        row = rows[at]
        flag, fresh, jump = _judge(row, plan, at, time, value, given[part])
        flags[part] = flag
        rejected = (flag == _SUSPECT) | (flag == _FAIL)
        keep = fresh & plan.remembers[at]
        if keep.any():
            keep &= ~in_service(plan, at, time)
            _remember(rows, at[keep], time[keep], value[keep], flag[keep], jump[keep], plan)
        rejected &= plan.heeds[at] | (given[part] == _GOOD) | (given[part] == _UNJUDGED)
        # what is late or flat is told where it stands high
        low = plan.low[at] & (time > row["time"]) & (jump | (flag == _FAIL))
        for i in np.flatnonzero(rejected & (time > row["good_time"])).tolist():
            s, place = int(at[i]), int(part[i])
            event = _unverified(rows[s], plan, s, int(time[i]), float(value[i]), since_us, low=bool(low[i]))
            if event is not None:
                found.append((place, event))
    return flags, found


def _parts(plan: QualityPlan, slot: Slots) -> Iterator[Slots]:
    """Positions to judge at once: all that remember nothing, of the others one of a series at a time."""
    remembering = plan.remembers[slot]
    if not remembering.any():
        yield np.arange(len(slot))
    elif remembering.all():
        yield from rounds(slot)
    else:
        yield (~remembering).nonzero()[0]
        others = remembering.nonzero()[0]
        for part in rounds(slot[others]):
            yield others[part]


def _judge(  # noqa: PLR0913, PLR0917 - what one judgement rests on
    row: Rows, plan: QualityPlan, at: Slots, time: Ints, value: Floats, given: Flags
) -> tuple[Flags, Bools, Bools]:
    """Flags; which readings are newer than all of their series and can be judged; which jumped."""
    finite = np.abs(value) < LARGEST  # neither is NaN
    judged: Bools = finite & ((given == _GOOD) | (given == _UNJUDGED))
    fail = judged & ((value < plan.lowest[at]) | (value > plan.highest[at]))
    fresh = judged & (time > row["time"])
    jump = flat = np.zeros(len(at), np.bool_)
    # without a limit nothing jumps and nothing is flat
    if plan.remembers[at].any():
        jump = judged & ~fail & (row["good_time"] > 0)
        jump &= _jumps(plan, at, value - row["good"], time - row["good_time"])
        confirmed = fresh & row["pending"] & ~_jumps(plan, at, value - row["value"], time - row["time"])
        jump &= ~confirmed
        same = (value == row["value"]) & (time - row["time"] <= plan.gap[at])
        flat = fresh & same & (time - row["same_since"] >= plan.flat[at])
    flag = np.where(judged, _GOOD, given)
    flag = np.where(jump | flat, _SUSPECT, flag)
    flag = np.where(fail, _FAIL, flag)
    flag = np.where(judged & ~fail & in_service(plan, at, time), _SUSPECT, flag)
    flag = np.where(finite | (given == _SUSPECT) | (given == _FAIL), flag, _MISSING)
    repeated = judged & (row["time"] > 0) & (time == row["time"]) & (value == row["value"])
    flag = np.where(repeated, row["flag"], flag)
    return flag.astype(np.uint8), fresh, jump


def _jumps(plan: QualityPlan, at: Slots, change: Floats, dt: Ints) -> Bools:
    # two stamps a second apart are no rate
    minutes = np.maximum(np.abs(dt), _MINUTE_US) / _MINUTE_US
    jumped: Bools = (change > plan.rise[at]) | (-change > plan.fall[at])
    most: Floats = plan.rate[at] * minutes
    return jumped | (np.abs(change) > most)


def in_service(plan: QualityPlan, at: Slots, time: Ints) -> Bools:
    """Whether somebody works at the station of each slot at each time (µs)."""
    if not plan.service.size:
        return np.zeros(len(at), np.bool_)
    windows = plan.service[at]
    inside: Bools = (windows[:, :, 0] <= time[:, None]) & (time[:, None] < windows[:, :, 1])
    some: Bools = np.any(inside, axis=1)
    return some


def _remember(  # noqa: PLR0913, PLR0917 - what one reading leaves behind
    rows: Rows, at: Slots, time: Ints, value: Floats, flag: Flags, jump: Bools, plan: QualityPlan
) -> None:
    same = (value == rows["value"][at]) & (time - rows["time"][at] <= plan.gap[at])
    rows["same_since"][at] = np.where(same, rows["same_since"][at], time)
    rows["time"][at], rows["value"][at], rows["flag"][at] = time, value, flag
    rows["pending"][at] = jump
    good = flag == _GOOD
    rows["good_time"][at[good]], rows["good"][at[good]] = time[good], value[good]


def _unverified(  # noqa: PLR0913, PLR0917 - what one decision rests on
    row: np.void, plan: QualityPlan, slot: int, time: int, value: float, since_us: int, *, low: bool
) -> Event | None:
    """What staff must hear of a rejected reading: once, and again when it is higher."""
    marks = plan.marks[slot]
    reached = int((value >= marks).sum())
    if not reached and not (low and (value < 0 or value < plan.lowest[slot])):
        return None
    service = bool(in_service(plan, np.array([slot]), np.array([time]))[0])
    if time - row["refused"] > plan.hold[slot] or (row["told"] >= _SILENT and not service):
        row["told"] = 0
    row["refused"] = max(time, int(row["refused"]))
    told = reached + 1 + (_SILENT if service else 0)
    if row["told"] >= told:
        return None
    if not row["told"]:
        row["began"] = time
    row["told"] = told
    level = reached + int(plan.first_level[slot]) - 1 if reached else 0
    subject = plan.subjects[slot]
    place = f"{subject.place}.{subject.measure}"
    why = "in maintenance" if service else "not confirmed"
    what = "at or above a mark" if reached else "too low: the sensor may be blind"
    fresh = time >= since_us
    return Event(
        id=f"{place}.{stamp(time)}.unverified.{level}" + ("" if fresh else ".history"),
        episode=f"{place}.{stamp(int(row['began']))}.unverified",
        time_us=time,
        station=subject.station,
        kind="unverified",
        measure=subject.measure,
        level=level,
        window_min=None,
        value=value,
        rule=subject.rule,
        reason=f"{value:g}, {what}, rejected by quality control ({why})",
        audience="staff" if fresh and not service else None,
    )
