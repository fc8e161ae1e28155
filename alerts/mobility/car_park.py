"""What is remembered of car parks, and by what plan their sensors tell what is taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import NamedTuple

import numpy as np

from alerts.kernels.rows import Bools, Floats, Ints, Rows, Slots
from alerts.mobility.states import Correction, Occupancy, Reserved, Truth

MINUTE_US = 60_000_000
QUARTER_US = 15 * MINUTE_US
DAY_US = 24 * 60 * MINUTE_US
SETTLE_US = 15 * MINUTE_US
"""A quarter of an hour is closed this long after its end."""
MARKS = 96
"""Minutes kept: an hour of trend, the quarter that is open and what is late."""
NIGHTS = 7
NIGHT_US = 4 * 60 * MINUTE_US
"""From the first to the last hour of a night that is looked at."""

SPACE, ENTRANCE, EXIT, RESERVED, TAKEN, FREE = range(6)
"""What a series is: one space, cars in, cars out, a reserved space, a barrier's spaces taken or free."""
LEARNED, UNKNOWN = -1, -2
"""Instead of a number of cars at night: as few as in the quietest of the nights before; nothing is known."""

SENSOR = np.dtype(
    [
        ("time", "<i8"),
        ("value", "<i8"),
        ("since", "<i8"),
        ("suspect_time", "<i8"),
        ("suspect", "<i8"),
        ("back", "<i8"),
        ("silence", "<i8"),
        ("gap", "<i8"),
        ("gap_end", "<i8"),
    ]
)
"""One series: newest reading, occupied 0/1, spaces taken or the counter's value, since when it has been so,
a counter value that does not follow from the last one (the next reading decides), and when it was heard again
after a silence longer than its car park's window and how long that was, of several within NIGHT_US the
longest; `gap` to `gap_end` the newest time for which it does not speak. Times µs since the epoch, UTC."""

PARK = np.dtype(
    [
        ("occupied", "<i8"),
        ("changed", "<i8"),
        ("time", "<i8"),
        ("begun", "<i8"),
        ("mark", "<i8"),
        ("quarter", "<i8"),
        ("passages", "<i8"),
        ("sure_passages", "<i8"),
        ("night", "<i8"),
        ("night_passages", "<i8"),
        ("night_least", "<i8"),
        ("night_held", "<i8"),
        ("nights_known", "<i8"),
        ("counted", "<i8"),
        ("counted_us", "<i8"),
        ("held", "<i8"),
        ("held_us", "<i8"),
        ("bound_passages", "<i8"),
        ("evened_passages", "<i8"),
        ("shifted", "<i8"),
        ("drifted", "<f8"),
        ("drifted_passages", "<f8"),
        ("sure", "<i8"),
        ("doubt", "<f8"),
        ("doubt_passages", "<i8"),
        ("least", "<i8"),
        ("most", "<i8"),
        ("strayed", "<i8"),
        ("untold", "<i8"),
        ("nights", "<i4", (NIGHTS,)),
        ("ring", "<i4", (MARKS,)),
    ]
)
"""One car park. `occupied` is the sum of what its sensors say and may lie outside of what is possible;
`ring[k % MARKS]` is what it was at minute k since the epoch, for the last MARKS minutes up to `mark`.
`quarter` is the newest closed quarter of an hour (its end in quarters since the epoch), `passages` cars in
and out so far, `anchor` when the number was last put right, `sure_passages` those when last all of it was
known, not only a bound. Of the night (day `night` since year 1) the fewest passages in an hour and what the
car park held then; `nights` what the last ones held. `counted` is the number of the newest count by hand that
was taken, `counted_us` its time. `held` is the number at `held_us`, up to when all gates were heard.
Of drift: `bound_passages` when last the number could be no more than the truth, `evened_passages` up to which
learned drift is taken off, `shifted` by how much the number was moved since all of it was known, `drifted`
cars in `drifted_passages` learned. Of confidence: `doubt` the error expected at `sure` (0: never), and the
passages then; `least` and `most` the number was since the night, and by how much it had `strayed` to what is
impossible. `untold`: which of the newest closed quarters were left out, bit 0 of the last one."""


class HandCount(NamedTuple):
    """A person counted: number of the entry, time (µs since the epoch, UTC), spaces taken, who."""

    number: int
    station: str
    time_us: int
    occupied: int
    by: str


@dataclass(frozen=True, slots=True)
class ParkingPlan:
    """Slots are series of car parks: `role[slot]` what it is, `park[slot]` whose.

    `effect[slot]`: by how much the car park's number rises with the series' own; `silent_us[slot]`: after
    that long without a word nothing is known of it.
    Per car park: `capacity` spaces that everybody may take, `sensors` installed that tell what is taken,
    `cap` most vehicles a minute that are real, `window` minutes in which every counter has its say, `night`
    cars at night or LEARNED or UNKNOWN, `share`: the watched spaces speak for the others; slots in use:
    `tellers` what its number follows from, `watched` single spaces, `apart` reserved ones, by whom they are
    for; `spaces_for` how many of those there are. `same[slot]`: others that the running total of the same
    device tells, of those slots that have such.
    """

    slot_of: Slots
    role: Slots
    park: Slots
    effect: Slots
    modulus: Ints
    silent_us: Ints
    stations: Sequence[str]
    source: Sequence[Truth]
    shown: Sequence[bool]
    capacity: Ints
    sensors: Ints
    cap: Ints
    window: Ints
    night: Ints
    share: Bools
    tellers: Sequence[Slots]
    watched: Sequence[Slots]
    apart: Sequence[Mapping[Reserved, Slots]]
    spaces_for: Sequence[Mapping[Reserved, int]]
    same: Mapping[int, Slots]
    zone: tzinfo = UTC


@dataclass(slots=True)
class Concluded:
    """What a step concludes: closed quarters of an hour of stations, corrections, and whose they are."""

    parks: list[int] = field(default_factory=list)
    quarters: list[tuple[str, Occupancy]] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)


def joined(found: Sequence[Concluded]) -> Concluded:
    """Of several steps in their order."""
    return Concluded(
        [each for one in found for each in one.parks],
        [each for one in found for each in one.quarters],
        [each for one in found for each in one.corrections],
    )


class Heard(NamedTuple):
    """Which of a car park's tellers are heard at a time, and what the others said last."""

    known: Slots
    silent: Slots


def heard(sensors: Rows, plan: ParkingPlan, slots: Slots, time_us: int) -> Heard:
    """Split slots into those that have spoken lately and the others."""
    last = sensors["time"][slots]
    lately = (last > 0) & (time_us - last <= plan.silent_us[slots])
    return Heard(slots[lately], slots[~lately])


def told_until(sensors: Rows, row: np.void, plan: ParkingPlan, park: int) -> int:
    """Up to when (µs) everything is known that passed: every counter has spoken, or a person counted."""
    times = sensors["time"][plan.tellers[park]]
    return max(int(times.min()) if len(times) else 0, int(row["counted_us"]))


def gates_at(row: np.void, told_us: int, marks: Ints) -> Ints:
    """What counters say at minutes: since one of them has not spoken any more, the number stays as it was.

    What the others go on counting is half of the truth, and would empty a car park or fill it.
    """
    last = told_us // MINUTE_US
    oldest = int(row["mark"]) - MARKS + 1
    numbers = at_marks(row, np.maximum(np.minimum(marks, last), oldest))
    stays = (marks >= last) & (last < oldest) & bool(row["held_us"] == told_us)
    return np.where(stays, row["held"], numbers)


def speaks_us(plan: ParkingPlan, slots: Slots) -> Ints:
    """For how long (µs) a word speaks: until its series counts as silent, a counter's for half of that."""
    counter = (plan.role[slots] == ENTRANCE) | (plan.role[slots] == EXIT)
    return np.where(counter, plan.silent_us[slots] // 2, plan.silent_us[slots])


def known_minutes(sensors: Rows, plan: ParkingPlan, park: int, marks: Ints) -> Floats:
    """Share of a car park's sensors that speak for each of some minutes; of counters all do or none.

    One speaks from its word on for the time after which it is silent, a counter for half of that, and after a
    silence not for what was before.
    """
    row, limit = sensors[plan.tellers[park]], speaks_us(plan, plan.tellers[park])[:, None]
    time, gap, gap_end = (row[name][:, None] for name in ("time", "gap", "gap_end"))
    minute = marks * MINUTE_US
    known = (time > 0) & (minute - time <= limit)
    known &= (minute >= gap_end) | (minute - gap <= limit)
    if plan.source[park] == "counters":
        every: Floats = known.all(axis=0).astype(np.float64)
        return every
    share: Floats = np.minimum(known.sum(axis=0) / max(int(plan.sensors[park]), 1), 1.0)
    return share


def at_marks(row: np.void, marks: Ints) -> Ints:
    """The number at minutes since the epoch, none of them older than the ring reaches."""
    kept: Ints = row["ring"][marks % MARKS].astype(np.int64)
    return np.where(marks > row["mark"], row["occupied"], kept)


def taken(sensors: Rows, plan: ParkingPlan, park: int, numbers: Ints, told: Heard) -> Ints:
    """Spaces taken as they are told, from the numbers of a row: never below 0 or above the capacity.

    Spaces that nobody knows of are taken as those that are known.
    """
    capacity = int(plan.capacity[park])
    if plan.source[park] == "spaces":
        known = len(told.known)
        if known:
            numbers = numbers - sensors["value"][told.silent].sum()
        else:
            # nobody is heard: as it was
            known = int((sensors["time"][told.silent] > 0).sum())
        if 0 < known < capacity:
            numbers = (2 * numbers * capacity + known) // (2 * known)
    return np.minimum(np.maximum(numbers, 0), capacity)


def bounds(sensors: Rows, plan: ParkingPlan, park: int, time_us: int, still_us: int = 0) -> tuple[int, int]:
    """Least and most spaces that can be taken, by the single spaces that are watched.

    Those count that have been as they are for `still_us` up to the time. Where they speak for the others, it
    is also no more than three standard errors of a sample without replacement (Cochran, Sampling Techniques,
    1977, ch. 3) from their share, which is taken as (taken + 1) / (watched + 2): a few of them do not say
    that all or none are.
    """
    capacity = int(plan.capacity[park])
    if not len(plan.watched[park]):
        return 0, capacity
    watched = heard(sensors, plan, plan.watched[park], time_us).known
    watched = watched[sensors["since"][watched] <= time_us - still_us]
    known = min(len(watched), capacity)
    full = min(int(sensors["value"][watched].sum()), known)
    low, high = full, capacity - (known - full)
    if plan.share[park] and known:
        share = (full + 1) / (known + 2)
        error = 3 * capacity * (share * (1 - share) / known * (1 - known / capacity)) ** 0.5
        low = max(low, min(int(capacity * share - error), high))
        high = min(high, max(int(capacity * share + error) + 1, low))
    return low, high
