"""The state of the traffic at a counting site: free, dense, slow or jam, by a quarter of an hour.

By counts the quarters are those of the clock; by speeds there is a new one every five minutes.

By speed where enough vehicles were measured: the share of the free-flow speed, against those at which the
Highway Capacity Manual's levels of service of urban streets change (HCM 2010, exhibit 17-2: C at 67 %, D at
50 %, F at 30 % of the base free-flow speed). The free-flow speed is configured, or the 85 % quantile of the
quarters' speeds the typical week keeps (FHWA's Urban Congestion Report takes that of the off-peak).

By the counts alone where not: more than the 90 % quantile of the typical week is dense, in a quarter that is
busy by the site's own measure. Few vehicles mean free road or none at all: that it is a queue is only said
when they collapse right after dense traffic, in a quarter that is usually busy, and for COLLAPSE_US at most.

A state is entered at its limit and left with a margin. Only a site's newest quarter moves it: a late or
corrected one teaches the week and leaves the state alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from alerts.kernels.rows import Bools, Floats, Ints, Rows, Slots, rounds
from alerts.mobility import week
from alerts.mobility.calendar import DAY_TYPES, QUARTER_US, Calendar
from alerts.mobility.counted import Site
from alerts.mobility.states import Flow, FlowState
from alerts.mobility.week import Lessons

STATES: tuple[Flow, ...] = ("unknown", "free", "dense", "slow", "jam")
UNKNOWN, FREE, DENSE, SLOW, JAM = range(5)
Basis = Literal["none", "speed", "count"]
BASES: tuple[Basis, ...] = ("none", "speed", "count")
NO_BASIS, BY_SPEED, BY_COUNT = range(3)

SPEED_SHARES = (0.67, 0.5, 0.3)
"""At or below these shares of the free-flow speed traffic is dense, slow, a jam."""
SPEED_MARGIN = 0.05
"""A better state needs so much more of the free-flow speed than its limit."""
FREE_FLOW_SHARE = 0.85
LEAST_SPEEDS = 96
"""Quarters with a speed, a day of them, from which on the free-flow speed is learned."""
LEAST_MEASURED = 5
"""Vehicles in a quarter whose mean speed says something: one dust cart is no queue."""
BUSY_SHARE = 0.5
"""A quarter is busy from this share of what the site counts in its high quarters (90 % quantile) ..."""
HIGH_SHARE = 0.9
LEAST_BUSY = 20
"""... and from so many vehicles."""
LEAST_COUNTS = 96
DENSE_STAYS = 0.9
"""Dense by counts until they fall below this share of the limit."""
COLLAPSES = (0.6, 0.3)
"""Below these shares of the 10 % quantile a collapse right after dense traffic is slow, a jam."""
COLLAPSE_STAYS = (0.8, 0.4)
COLLAPSE_US = 8 * QUARTER_US
"""A collapse that lasts longer is more likely a closed road."""
LEAST_KNOWN = 0.5
"""Of a quarter that begins at any five minutes, to judge it by its speeds."""
PATIENCE_US = QUARTER_US
"""A quarter without evidence (a lost uplink) keeps the state, a second one does not."""

ROW = np.dtype(
    [
        ("judged", "<i8"),
        ("quarter", "<i8"),
        ("heard", "<i8"),
        ("since", "<i8"),
        ("collapsed", "<i8"),
        ("count", "<i8"),
        ("speed", "<f8"),
        ("typical", "<f8", (3,)),
        ("day", "<i8"),
        ("high", "<f8"),
        ("free_flow", "<f8"),
        ("has_typical", "u1"),
        ("state", "u1"),
        ("basis", "u1"),
    ]
)
"""Ends of the newest quarter of an hour judged, of the newest of the clock, and of the newest with evidence;
begin of the state and of what counts alone call slow or jam (0: no such); what the newest of the clock had
(speed 0: none); of the begin of its `day`, what the site counts in its high quarters and its free-flow speed
(0: not known)."""


@dataclass(frozen=True, slots=True)
class Quarters:
    """What sites counted in quarters that begin at `begin` (µs since the epoch, UTC) and are over.

    `count` vehicles, `completeness` 0..1, `speed` km/h, NaN where none is known. One that is corrected comes
    again.
    """

    site: Slots
    begin: Ints
    count: Ints
    completeness: Floats
    speed: Floats

    def at(self, part: Slots | Bools) -> "Quarters":
        """Some of them."""
        site, begin, count = self.site[part], self.begin[part], self.count[part]
        return Quarters(site, begin, count, self.completeness[part], self.speed[part])


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """Slots are sites; the rows of their weeks are site * DAY_TYPES + kind of day.

    `vehicles`: what is counted there can jam; others only have a typical week. `free_flow`: km/h, NaN where
    it is learned.
    """

    sites: Sequence[Site]
    vehicles: Bools
    free_flow: Floats
    calendar: Calendar


@dataclass(frozen=True, slots=True)
class _Now:
    """What one quarter each of some sites is judged by."""

    before: Ints
    count: Ints
    speed: Floats
    free_flow: Floats
    low: Floats
    middle: Floats
    upper: Floats
    high: Floats


def step(rows: Rows, weeks: Rows, plan: FlowPlan, quarters: Quarters) -> Slots:
    """Take quarters in their order; changes `rows` and `weeks` in place, returns which of `weeks`."""
    slots = plan.calendar.slots(quarters.begin)
    taught: list[Slots] = [np.zeros(0, np.int64)]
    for part in rounds(quarters.site):
        now, slot = quarters.at(part), slots.at(part)
        newer = now.begin + QUARTER_US > rows["quarter"][now.site]
        if newer.any():
            new = now.at(newer)
            typical = week.typical(weeks, new.site, slot.at(newer))
            _learn(rows, weeks, new.site, slot.day[newer])
            _show(rows, new, typical)
            # speeds may have told of later ones
            on = new.begin + QUARTER_US > rows["judged"][new.site]
            _judge(rows, plan, new.at(on), typical[on])
        speed = np.where(now.count >= LEAST_MEASURED, now.speed, np.nan)
        taught.append(
            week.teach(weeks, Lessons(now.site, slot, now.count, speed, now.completeness >= week.TEACHES))
        )
    return np.unique(np.concatenate(taught))


def glance(rows: Rows, weeks: Rows, plan: FlowPlan, quarters: Quarters) -> None:
    """Move the states by newer quarters that begin at any five minutes, where their speeds suffice.

    One of each site. Changes `rows` in place; teaches nothing.
    """
    newer = quarters.begin + QUARTER_US > rows["judged"][quarters.site]
    newer &= (quarters.count >= LEAST_MEASURED) & ~np.isnan(quarters.speed)
    newer &= quarters.completeness >= LEAST_KNOWN
    free_flow = plan.free_flow[quarters.site]
    newer &= ~np.isnan(free_flow) | (rows["free_flow"][quarters.site] > 0)
    if newer.any():
        now = quarters.at(newer)
        slot = plan.calendar.slots(now.begin)
        _judge(rows, plan, now, week.typical(weeks, now.site, slot))


def keys(sites: Sequence[Site]) -> tuple[list[str], list[str]]:
    """Page keys of the rows and of the weeks' rows."""
    names = [f"{site.station}/{site.property}/{site.channel}" for site in sites]
    return names, [f"{name}/{kind}" for name in names for kind in range(DAY_TYPES)]


def flow_states(rows: Rows, plan: FlowPlan, closed_us: int) -> tuple[FlowState, ...]:
    """Every site that was heard; unknown where it has nothing of the quarters over by `closed_us`."""
    found = []
    for slot, site in enumerate(plan.sites):
        row = rows[slot]
        if not row["quarter"]:
            continue
        silent = closed_us - int(row["judged"]) > PATIENCE_US
        state = UNKNOWN if silent else int(row["state"])
        found.append(
            FlowState(
                site=site,
                state=STATES[state],
                basis=BASES[NO_BASIS if silent else int(row["basis"])],
                since_us=int(row["since"]) if state else None,
                time_us=int(row["quarter"]),
                count=int(row["count"]),
                speed_kmh=float(row["speed"]) or None,
                typical=_triple(row["typical"]) if row["has_typical"] else None,
            )
        )
    return tuple(found)


def _triple(typical: Floats) -> tuple[float, float, float]:
    low, middle, upper = map(float, typical)
    return low, middle, upper


def _learn(rows: Rows, weeks: Rows, site: Slots, day: Ints) -> None:
    """Once a day, before its first quarter, what is much and what is fast at a site."""
    site, day = site[rows["day"][site] != day], day[rows["day"][site] != day]
    rows["day"][site] = day
    rows["high"][site] = np.nan_to_num(week.high(weeks, "count", site, HIGH_SHARE, LEAST_COUNTS))
    rows["free_flow"][site] = np.nan_to_num(week.high(weeks, "speed", site, FREE_FLOW_SHARE, LEAST_SPEEDS))


def _show(rows: Rows, quarters: Quarters, typical: Floats) -> None:
    site, count = quarters.site, quarters.count
    rows["quarter"][site], rows["count"][site] = quarters.begin + QUARTER_US, count
    rows["speed"][site] = np.where(count >= LEAST_MEASURED, np.nan_to_num(quarters.speed), 0)
    rows["typical"][site], rows["has_typical"][site] = np.nan_to_num(typical), ~np.isnan(typical[:, 1])


def _judge(rows: Rows, plan: FlowPlan, quarters: Quarters, typical: Floats) -> None:
    site, begin, count, speed = quarters.site, quarters.begin, quarters.count, quarters.speed
    complete = quarters.completeness >= week.TEACHES
    row = rows[site]
    end = begin + QUARTER_US
    # what was long ago says nothing of now
    fresh = begin - row["heard"] <= PATIENCE_US
    before = np.where(fresh, row["state"], UNKNOWN).astype(np.int64)
    free_flow = np.where(np.isnan(plan.free_flow[site]), row["free_flow"], plan.free_flow[site])
    free_flow[free_flow == 0] = np.nan
    high = np.where(row["high"] > 0, row["high"], np.nan)
    now = _Now(before, count, speed, free_flow, typical[:, 0], typical[:, 1], typical[:, 2], high)
    with np.errstate(invalid="ignore"):
        by_speed = (count >= LEAST_MEASURED) & ~np.isnan(speed / free_flow)
    by_count = ~by_speed & complete & ~np.isnan(typical[:, 1] + high)
    state = np.where(by_speed, _by_speed(now), np.where(by_count, _by_count(now), UNKNOWN))
    state[~plan.vehicles[site]] = UNKNOWN
    kept = ~by_speed & ~by_count & (before != UNKNOWN) & (begin <= row["heard"])
    collapsed = by_count & (state >= SLOW)
    begun = np.where(row["collapsed"] > 0, row["collapsed"], begin)
    row["collapsed"] = np.where(collapsed, begun, np.where(kept, row["collapsed"], 0))
    state[collapsed & (end - begun > COLLAPSE_US)] = UNKNOWN
    evident = state != UNKNOWN
    state = np.where(kept, before, state)
    row["basis"] = np.where(
        evident, np.where(by_speed, BY_SPEED, BY_COUNT), np.where(kept, row["basis"], NO_BASIS)
    )
    row["since"] = np.where((state == before) & (before != UNKNOWN), row["since"], begin)
    row["heard"] = np.where(evident, end, row["heard"])
    row["state"], row["judged"] = state, end
    rows[site] = row


def _by_speed(now: _Now) -> Ints:
    share = now.speed / now.free_flow
    level = np.full(len(share), FREE)
    eased = np.full(len(share), FREE)
    for limit in SPEED_SHARES:
        level += share <= limit
        eased += share <= limit + SPEED_MARGIN
    return np.where(now.before > level, np.minimum(now.before, eased), level)


def _by_count(now: _Now) -> Ints:
    before, count = now.before, now.count
    floor = np.maximum(BUSY_SHARE * now.high, LEAST_BUSY)
    limit = np.maximum(now.upper, floor)
    dense = (count > limit) | ((before == DENSE) & (count >= DENSE_STAYS * limit))
    busy = now.middle >= floor
    # right after dense traffic; what is a queue already stays one longer
    slow_below = np.where(before >= SLOW, COLLAPSE_STAYS[0], COLLAPSES[0]) * now.low
    jam_below = np.where(before == JAM, COLLAPSE_STAYS[1], COLLAPSES[1]) * now.low
    after_dense = busy & (before >= DENSE)
    state = np.where(dense, DENSE, FREE)
    state = np.where(after_dense & (count < slow_below), SLOW, state)
    state = np.where(after_dense & (count < jam_below), JAM, state)
    # nobody where many are usual: a closed road, a dead counter
    return np.where((state == FREE) & busy & (count == 0), UNKNOWN, state)
