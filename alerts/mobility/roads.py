"""Flow and congestions out of the cells that are counted, every five minutes.

The watermark is the newest event time that any reading of the journal has had. A quarter of a way (a
direction at a station) is judged when the watermark has passed its end by `settle`, with the cells as they
are then: the machine steps up to that reading and no further, so that any split of the readings judges the
same. Cells that change later teach the typical week at a later look. A way with speeds is judged by them at
every look at which something new was heard of it: by the quarter of an hour that ends with its newest cell.
"""

from collections.abc import Collection, MutableMapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from alerts.kernels.curve_row import MARK_US
from alerts.kernels.rows import Bools, Ints, Rows, Slots, Table
from alerts.mobility import congestion, flow, quarters, week
from alerts.mobility.calendar import QUARTER_US, Calendar
from alerts.mobility.cells import spread
from alerts.mobility.congestion import PlacesPlan
from alerts.mobility.counted import Site
from alerts.mobility.counting import CountsPlan
from alerts.mobility.flow import FlowPlan
from alerts.mobility.quarters import QuartersPlan, members, way_of
from alerts.mobility.segments import Street
from alerts.mobility.speeds import SpeedsPlan
from alerts.mobility.states import SITE, Congestion, FlowState, Segment

VEHICLES = "vehicle_count"
LOOK_US = MARK_US
"""The watermark is looked at this often, ..."""
LOOK_AFTER_US = 60_000_000
"""... so long after the full five minutes: what is sent at them is there by then."""
_LONGEST_SETTLE_US = QUARTER_US
_LOOKED_BACK_US = 25 * 4 * QUARTER_US

CHANGED = np.dtype([("oldest", "<i8"), ("newest", "<i8")])
"""Begin of the oldest and the newest quarter with a cell that changed since the last look, 0 for none."""


@dataclass(frozen=True, slots=True)
class RoadsPlan:
    """`settle` µs: so long after a quarter the readings of each way are usually there.

    `moments`: µs after each quarter at which something is due. `quick`: ways that are judged by speeds in
    between.
    """

    cells: QuartersPlan
    flow: FlowPlan
    places: PlacesPlan
    settle: Ints
    moments: tuple[int, ...]
    quick: Slots


@dataclass(frozen=True, slots=True)
class Streets:
    """What a city says of its roads: the calendar its weeks follow, and the segments it draws."""

    calendar: Calendar = field(default_factory=Calendar)
    segments: tuple[Street, ...] = ()


def roads_plan(
    streets: Streets,
    counted: Sequence[Site],
    counts: CountsPlan,
    speeds: SpeedsPlan,
    car_parks: Collection[str] = (),
) -> RoadsPlan:
    """The plan; `counted[slot]`: what a series of counts counts, whether it is used or not.

    Nobody jams at the entrances of `car_parks` (stations), but on the segments that these speak for.
    """
    used = np.array([site is not None for site in counts.sites], np.bool_) & counts.standing
    interval_us = counts.curves.interval_us
    every = [way_of(site) for site in counted]
    ways = list(dict.fromkeys(every))
    number = {way: i for i, way in enumerate(ways)}
    of_slot = np.array(
        [number[way] if use else -1 for way, use in zip(every, used.tolist(), strict=True)], np.int64
    )
    of_site = {site: slot for slot, site in enumerate(counts.sites) if site is not None}
    of_speed = [
        -1 if site is None or v85 else of_site.get(site, -1)
        for site, v85 in zip(speeds.sites, speeds.v85.tolist(), strict=True)
    ]
    settle = np.full(len(ways), LOOK_US)
    np.maximum.at(settle, of_slot[of_slot >= 0], -(-interval_us[of_slot >= 0] // LOOK_US) * LOOK_US)
    quick = (settle <= _LONGEST_SETTLE_US) & _with_speeds(of_slot, np.array(of_speed, np.int64), len(ways))
    settle = np.minimum(settle, _LONGEST_SETTLE_US)
    free_flow = [
        next(
            (each.free_flow_kmh for each in streets.segments if each.counts(way) and each.free_flow_kmh),
            np.nan,
        )
        for way in ways
    ]
    used_ways = np.unique(of_slot[of_slot >= 0])
    return RoadsPlan(
        QuartersPlan(
            of_slot,
            members(of_slot, len(ways)),
            members(np.array(of_speed, np.int64), len(counted)),
        ),
        FlowPlan(
            ways,
            np.array([way.property == VEHICLES for way in ways], np.bool_),
            np.array(free_flow, np.float64),
            streets.calendar,
        ),
        _places(streets.segments, ways, settle, car_parks),
        settle,
        tuple(np.unique(settle[used_ways] % QUARTER_US).tolist()),
        np.flatnonzero(quick),
    )


def _with_speeds(way: Slots, counts: Slots, ways: int) -> Bools:
    """Which ways have speeds; `way` of each series of counts, and these of each series of speeds."""
    found = np.zeros(ways, np.bool_)
    measured = way[counts[counts >= 0]]
    found[measured[measured >= 0]] = True
    return found


def _places(
    streets: Sequence[Street], ways: Sequence[Site], settle: Ints, car_parks: Collection[str]
) -> PlacesPlan:
    """Every street, and behind them every way: as a place of its own if no street has it."""
    place, site = [], []
    for number, way in enumerate(ways):
        if way.property != VEHICLES:
            continue
        on = [i for i, each in enumerate(streets) if each.counts(way)]
        if not on and way.station not in car_parks:
            on = [len(streets) + number]
        place += on
        site += [number] * len(on)
    settled = np.full(len(streets) + len(ways), LOOK_US)
    np.maximum.at(settled, place, settle[site])
    return PlacesPlan(
        streets,
        [*(each.id for each in streets), *(f"{SITE}{way.station}/{way.channel}" for way in ways)],
        np.array(place, np.int64),
        np.array(site, np.int64),
        settled,
    )


class Roads:
    """The flow's state, and what the machine asks it."""

    def __init__(self, state: MutableMapping[str, bytes]) -> None:
        self._changed = Table("changed_quarters", CHANGED)
        self._flow = Table("flow", flow.ROW)
        self._weeks = Table("week", week.ROW)
        self._segments = Table("segment", congestion.ROW)
        self.tables = (self._changed, self._flow, self._weeks, self._segments)
        for table in self.tables:
            table.restore(state)

    def adopt(self, plan: RoadsPlan) -> None:
        """Follow a plan from now on; the state stays."""
        self._plan = plan
        names, weeks = flow.keys(plan.flow.sites)
        self._changed.claim(names)
        self._flow.claim(names)
        self._weeks.claim(weeks)
        self._segments.claim(plan.places.ids)
        self._heard = plan.cells.series.of(plan.quick)

    def looks(self, time_us: Ints) -> Ints:
        """How many looks there have been up to times of the watermark, from any beginning."""
        return (time_us - LOOK_AFTER_US) // LOOK_US

    def note(self, slot: Slots, mark: Ints) -> None:
        """Cells of series of counts that have changed: `mark` * MARK_US is their begin."""
        way = self._plan.cells.ways[slot]
        begin = mark * MARK_US // QUARTER_US * QUARTER_US
        # of a device whose clock stands at 1970: 0 is none, and nothing is ever older
        on = (way >= 0) & (begin > 0)
        way, begin = way[on], begin[on]
        rows = self._changed.rows
        rows["oldest"][way[rows["oldest"][way] == 0]] = np.iinfo(np.int64).max
        np.minimum.at(rows["oldest"], way, begin)
        np.maximum.at(rows["newest"], way, begin)
        self._changed.touch(way)

    def look(self, counts: Rows, speeds: Rows, looked_us: int, now_us: int) -> list[Congestion]:
        """Judge what has become due since the watermark stood at `looked_us`.

        Returns congestions that have begun, become worse or ended.
        """
        found: list[Congestion] = []
        now = _look_at(now_us)
        for before in range(max(_look_at(looked_us), now - _LOOKED_BACK_US), now, LOOK_US):
            found += self._look(counts, speeds, before + LOOK_US)
        return found

    def flow(self, watermark_us: int) -> tuple[FlowState, ...]:
        """Every way that was heard."""
        return flow.flow_states(self._flow.rows, self._plan.flow, _closed(watermark_us))

    def segments(self) -> tuple[Segment, ...]:
        """Every segment."""
        return congestion.segments(self._segments.rows, self._plan.places)

    def _look(self, counts: Rows, speeds: Rows, time: int) -> list[Congestion]:
        if time % QUARTER_US in self._plan.moments:
            self._judge(counts, speeds, time)
        self._glance(counts, speeds, time)
        rows = self._segments.rows
        before = rows[: len(self._plan.places.ids)].copy()
        found = congestion.step(rows, self._plan.places, self._flow.rows, time)
        self._segments.touch(np.flatnonzero(before != rows[: len(before)]))
        return found

    def _judge(self, counts: Rows, speeds: Rows, time: int) -> None:
        """Quarters that are due."""
        plan = self._plan
        due = np.flatnonzero((time - plan.settle) % QUARTER_US == 0)
        due = due[self._changed.rows["oldest"][due] > 0]
        changed = self._changes(due, time - plan.settle[due])
        if len(changed[0]):
            self._flow.touch(changed[0])
            batch = quarters.quarters(plan.cells, counts, speeds, *changed)
            self._weeks.touch(flow.step(self._flow.rows, self._weeks.rows, plan.flow, batch))

    def _glance(self, counts: Rows, speeds: Rows, time: int) -> None:
        """Ways with speeds of which something new was heard."""
        way = self._plan.quick
        position, slot = self._heard
        newest = np.zeros(len(way), np.int64)
        np.maximum.at(newest, position, counts["head"]["time"][slot])
        end = np.minimum(-(-newest // MARK_US) * MARK_US, time)
        new = end > self._flow.rows["judged"][way]
        way, end = way[new], end[new]
        if len(way):
            self._flow.touch(way)
            batch = quarters.quarters(self._plan.cells, counts, speeds, way, end - QUARTER_US)
            flow.glance(self._flow.rows, self._weeks.rows, self._plan.flow, batch)

    def _changes(self, due: Slots, end_us: Ints) -> tuple[Slots, Ints]:
        """Way and begin of each quarter of these ways that changed and is over, oldest first."""
        rows = self._changed.rows[due]
        oldest = np.maximum(rows["oldest"], end_us - _LOOKED_BACK_US) // QUARTER_US
        newest = np.minimum(rows["newest"], end_us - QUARTER_US) // QUARTER_US
        position, begin = spread(oldest, newest)
        ahead = rows["newest"] >= end_us
        rows["oldest"] = np.where(ahead, np.maximum(rows["oldest"], end_us), 0)
        rows["newest"] = np.where(ahead, rows["newest"], 0)
        self._changed.rows[due] = rows
        self._changed.touch(due)
        counted = self._plan.cells.series.count[due[position]] > 0
        return due[position][counted], begin[counted] * QUARTER_US


def _closed(watermark_us: int) -> int:
    """End of the newest quarter that every way has been judged by."""
    return (_look_at(watermark_us) - _LONGEST_SETTLE_US) // QUARTER_US * QUARTER_US


def _look_at(watermark_us: int) -> int:
    """The full five minutes of the newest look."""
    return (watermark_us - LOOK_AFTER_US) // LOOK_US * LOOK_US
