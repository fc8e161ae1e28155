"""Marks that a gauge is expected to reach, as episodes of their own: measure `water_level_expected`.

The level of an episode is the highest mark not yet reached that is expected for one of two reasons: the
gauge's own rise would reach it within `lead` (see rise.py; by the earlier of the two estimates), or a station
upstream has reached its mark of that number and the wave is on its way. Raised and escalated at once; by a
rise only with a reading above the one before it, and with two readings alone only when it has rained in the
catchment in the last hour.

An episode ends at once when its mark is reached, for then the mark's own stands; else when nothing has been
expected for `hold`, by event time: a rise counts until its estimate is half as long again as `lead`, a wave
from upstream until its slowest arrival.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from alerts.event import Event
from alerts.kernels import basin, rise
from alerts.kernels.basin import BasinPlan
from alerts.kernels.rain_seen import RainSeen
from alerts.kernels.rise import Rise
from alerts.kernels.rows import Batch, Floats, Ints, Rows, Slots, rounds
from alerts.lifecycle import EPISODE, Episode, Finding, Subject
from alerts.warning import STEPS

ROW = np.dtype(
    [
        *rise.RING,
        ("judged", "<i8"),
        ("reached", "u1"),
        ("announced", "u1"),
        ("arrival", "<i8", (2,)),
        ("over_since", "<i8"),
        ("episode", EPISODE.descr),
    ]
)
"""The last samples; newest reading judged; the mark in force by the marks' own episode; the mark that a wave
from upstream brings, with its first and last arrival (µs); since when nothing is expected (0: it is)."""

MEASURE = "water_level_expected"
_HEARD = frozenset({*STEPS, "crossing"})
_KEPT = 1.5
_RAIN_US = 3_600_000_000
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Below:
    """A slot downstream that a wave reaches after `fastest` to `slowest` µs."""

    slot: int
    fastest: int
    slowest: int


@dataclass(frozen=True, slots=True)
class ExpectedPlan:
    """Slots are all water-level series. `marks` as in level.py.

    `lead_min` minutes ahead, 0: never; `least` cm that a rise must have climbed; `hold` µs; number of the
    `catchment`; `below`: by slot, who lies downstream.
    """

    slot_of: Slots
    marks: Floats
    lead_min: Floats
    least: Floats
    hold: Ints
    catchment: Slots
    below: Mapping[int, Sequence[Below]]
    subjects: Sequence[Subject]


@dataclass(frozen=True, slots=True)
class Beside:
    """What is judged with the readings of levels: basins, whose rows have the same slots, and rain.

    `place`: positions of the batch's readings as `rain` counts them.
    """

    basins: Rows
    basin_plan: BasinPlan
    rain: RainSeen
    place: Slots


def step(  # noqa: PLR0913, PLR0917 - both kinds of rows, the readings and what the marks made of them
    rows: Rows,
    plan: ExpectedPlan,
    beside: Beside,
    batch: Batch,
    of_levels: Sequence[tuple[int, Event]],
    since_us: int,
) -> tuple[Slots, list[tuple[int, Event]]]:
    """Take readings (cm) in their order; changes `rows` in place.

    `of_levels`: what level.py made of the same readings, with positions in this batch, in their order. A
    late reading is kept for the next estimate and warns of nothing by itself. Returns slots downstream that
    changed without a reading, and events with the position of the reading that caused them.
    """
    found: list[tuple[int, Event]] = []
    warned: list[int] = []
    # of the marks that one reading reaches the highest stands for all
    told = list(
        {
            (place, event.kind == "crossing"): (place, event)
            for place, event in of_levels
            if event.kind in _HEARD
        }.values()
    )
    cuts = sorted({0, len(batch.slot), *(place for place, _ in told)})
    if not told:
        return np.zeros(0, np.int64), _read(rows, plan, beside, batch, 0, len(batch.slot), since_us)
    for start, stop in pairwise(cuts):
        for place, event in told:
            if place == start:
                events, slots = _heard(rows, plan, int(batch.slot[place]), event, since_us)
                found += [(place, each) for each in events]
                warned += slots
        found += _read(rows, plan, beside, batch, start, stop, since_us)
    return np.array(warned, np.int64), found


def _heard(
    rows: Rows, plan: ExpectedPlan, slot: int, event: Event, since_us: int
) -> tuple[list[Event], list[int]]:
    """What an event of a gauge's marks means for itself and for those downstream."""
    if event.kind != "crossing":
        rows[slot]["reached"] = event.level
        return [], [slot]
    events: list[Event] = []
    for below in plan.below.get(slot, ()):
        row, marks = rows[below.slot], plan.marks[below.slot]
        number = min(event.level, int((~np.isnan(marks)).sum()))
        arrival = (event.time_us + below.fastest, event.time_us + below.slowest)
        if number <= row["reached"] or row["judged"] > arrival[1] or not plan.lead_min[below.slot]:
            continue
        if number < row["announced"] and row["judged"] <= row["arrival"][1]:
            continue
        row["announced"], row["arrival"] = number, arrival
        row["over_since"] = 0
        episode = Episode(row["episode"], plan.subjects[below.slot], since_us)
        if number > episode.level:
            events.append(episode.rise(number, _wave(event, below, number)))
    return events, [below.slot for below in plan.below.get(slot, ())]


def _read(  # noqa: PLR0913, PLR0917 - a part of a batch
    rows: Rows, plan: ExpectedPlan, beside: Beside, batch: Batch, start: int, stop: int, since_us: int
) -> list[tuple[int, Event]]:
    found: list[tuple[int, Event]] = []
    for part in rounds(batch.slot[start:stop]):
        at, time = batch.slot[start:stop][part], batch.time[start:stop][part]
        value = batch.value[start:stop][part]
        rise.take(rows, at, time, value)
        fresh = time > rows["judged"][at]
        rows["judged"][at] = np.maximum(rows["judged"][at], time)
        busy = (rows["episode"]["level"][at] > 0) | (rows["announced"][at] > 0)
        busy |= rise.climbed(rows, at) >= plan.least[at]
        busy &= fresh & (plan.lead_min[at] > 0)
        here = fresh & beside.basin_plan.here[at]
        for i in np.flatnonzero(busy | here).tolist():
            s, when, level = int(at[i]), int(time[i]), float(value[i])
            events: list[Event] = []
            if busy[i]:
                rain_us = beside.rain.at(int(plan.catchment[s]), int(beside.place[start + int(part[i])]))
                events = _judge(rows[s], plan, s, when, level, rain_us, since_us)
            if here[i]:
                events += basin.step(beside.basins, beside.basin_plan, rows[s], s, when, level, since_us)
            found += [(start + int(part[i]), event) for event in events]
    return found


def _judge(  # noqa: PLR0913, PLR0917 - what one decision rests on
    row: np.void, plan: ExpectedPlan, slot: int, time: int, value: float, rain_us: int, since_us: int
) -> list[Event]:
    episode = Episode(row["episode"], plan.subjects[slot], since_us)
    reached = int(row["reached"])
    if row["announced"] <= reached or time > row["arrival"][1]:
        row["announced"] = 0
    now = rise.estimate(*rise.samples(row["time"], row["value"]), float(plan.least[slot]))
    if now is not None and now.confidence == "low" and time - rain_us > _RAIN_US:
        now = None
    lead = float(plan.lead_min[slot])
    climbs = now is not None and now.last_step > 0
    own = _within(now, plan, slot, reached, lead) if climbs else 0
    wanted = max(own, int(row["announced"]))
    if wanted > episode.level:
        row["over_since"] = 0
        return [episode.rise(wanted, _approach(now, plan, slot, wanted, time))]
    if not episode.level:
        return []
    if episode.level <= reached:
        row["over_since"] = 0
        reason = f"{value:g} cm, mark {episode.level} is reached"
        return [episode.fall(0, Finding(time, None, value, reason))]
    kept = max(_within(now, plan, slot, reached, _KEPT * lead), int(row["announced"]))
    if kept >= episode.level:
        row["over_since"] = 0
    elif not row["over_since"]:
        row["over_since"] = time
    elif time - row["over_since"] >= plan.hold[slot]:
        row["over_since"] = 0
        minutes = plan.hold[slot] // _MINUTE_US
        reason = f"{value:g} cm, mark {episode.level} not expected any more for {minutes} min"
        return [episode.fall(wanted, Finding(time, None, value, reason))]
    told = episode.tell(Finding(time, None, value, f"{value:g} cm, mark {episode.level} still expected"))
    return [told] if told else []


def _within(now: Rise | None, plan: ExpectedPlan, slot: int, reached: int, minutes: float) -> int:
    """The highest mark not yet reached that a rise gets to within so many minutes, 0 none."""
    if now is None or not now.real(float(plan.least[slot])):
        return 0
    for number in range(plan.marks.shape[1], reached, -1):
        to = now.minutes_to(float(plan.marks[slot, number - 1]))
        if to is not None and to[0] <= minutes:
            return number
    return 0


def _approach(now: Rise | None, plan: ExpectedPlan, slot: int, number: int, time: int) -> Finding:
    mark = float(plan.marks[slot, number - 1])
    to = now.minutes_to(mark) if now else None
    if now is None or to is None:
        return Finding(time, None, None, f"mark {number} expected")
    sure = "" if now.confidence == "good" else ", low confidence: two readings only"
    reason = (
        f"{now.level:g} cm rising {now.rate * 60:.0f} cm/h: mark {number} ({mark:g} cm) in "
        f"{to[0]:.0f} to {to[1]:.0f} min{sure}"
    )
    return Finding(time, None, now.level, reason, expected_min=to)


def _wave(event: Event, below: Below, number: int) -> Finding:
    fastest, slowest = below.fastest / _MINUTE_US, below.slowest / _MINUTE_US
    reason = (
        f"mark {event.level} reached upstream at {event.station}: mark {number} expected here "
        f"{fastest:.0f} to {slowest:.0f} min later"
    )
    return Finding(event.time_us, None, None, reason, expected_min=(fastest, slowest), cause=event.station)
