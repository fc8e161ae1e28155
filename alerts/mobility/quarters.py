"""Quarters of an hour from the five-minute cells of counts and speeds, a direction's classes added."""

from dataclasses import dataclass

import numpy as np

from alerts.kernels.curve_row import MARK_US
from alerts.kernels.rows import Floats, Ints, Rows, Slots
from alerts.mobility.calendar import QUARTER_US
from alerts.mobility.cells import spread
from alerts.mobility.channels import lane_of
from alerts.mobility.counted import Site
from alerts.mobility.flow import Quarters

_CELLS = QUARTER_US // MARK_US
_QUARTER_S = QUARTER_US // 1_000_000
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class Members:
    """Which things belong to which owner: those of owner i are order[first[i] : first[i] + count[i]]."""

    order: Slots
    first: Ints
    count: Ints

    def of(self, owner: Slots) -> tuple[Ints, Slots]:
        """Members of each of some owners: the owner's position, and the member."""
        position, place = spread(self.first[owner], self.first[owner] + self.count[owner] - 1)
        return position, self.order[place]


def members(owner: Slots, owners: int) -> Members:
    """Of things that belong to one of so many owners each, -1 to none."""
    order = np.argsort(owner, kind="stable")
    order = order[owner[order] >= 0]
    count = np.bincount(owner[order], minlength=owners)
    return Members(order, np.cumsum(count) - count, count)


@dataclass(frozen=True, slots=True)
class QuartersPlan:
    """Which series count for which way, a direction at a station.

    `ways[slot]`: of a series of counts, -1 where it counts for none. `series`: those of each way. `speeds`:
    series of speeds of each series of counts.
    """

    ways: Slots
    series: Members
    speeds: Members


def way_of(site: Site) -> Site:
    """The direction that a site belongs to: its channel without the vehicle class."""
    parts = (part for part in site.channel.split("/") if lane_of(part).vehicle_class is None)
    return Site(site.station, site.property, "/".join(parts))


def quarters(plan: QuartersPlan, counts: Rows, speeds: Rows, way: Slots, begin_us: Ints) -> Quarters:
    """What ways counted in quarters (begin µs), as the cells have it now."""
    position, slot = plan.series.of(way)
    begin = begin_us[position] // MARK_US
    passed = _between(counts, slot, "ring", "total", begin)
    seconds = _between(counts, slot, "cover", "covered", begin)
    whole_s = _QUARTER_S * np.maximum(plan.series.count[way], 1)
    kmh = _speed(speeds, plan.speeds, slot, begin)
    # a class of which nobody passed has no speed, whatever was reported
    share = np.where(np.isnan(kmh), 0, passed)
    with np.errstate(invalid="ignore"):
        speed = _sum(position, share * np.nan_to_num(kmh), len(way)) / _sum(position, share, len(way))
    return Quarters(
        way,
        begin_us,
        _sum(position, passed, len(way)).astype(np.int64),
        np.clip(_sum(position, seconds, len(way)) / whole_s, 0, 1),
        speed,
    )


def _sum(position: Ints, values: Ints | Floats, count: int) -> Floats:
    found: Floats = np.zeros(count)
    np.add.at(found, position, values)
    return found


def _between(rows: Rows, slot: Slots, ring: str, total: str, begin: Ints) -> Ints:
    """What a running total has grown by in the quarter that begins at a mark."""
    kept = rows[ring].shape[1]
    head = rows["head"]["time"][slot] // MARK_US

    def at(mark: Ints) -> Ints:
        """After the newest reading the total, before what is kept the oldest."""
        k = np.maximum(mark, head - kept + 1)
        found: Ints = rows[ring][slot, k % kept].astype(np.int64)
        return np.where(k > head, rows["head"][total][slot], found)

    return at(begin + _CELLS) - at(begin)


def _speed(rows: Rows, plan: Members, slot: Slots, begin: Ints) -> Floats:
    """Mean speed (km/h) that was reported for series of counts, NaN where none was."""
    kept = rows["sum"].shape[1]
    position, series = plan.of(slot)
    mark = begin[position][:, None] + np.arange(_CELLS)
    newest = rows["mark"][series][:, None]
    known = (mark <= newest) & (mark > newest - kept)
    place = series[:, None], mark % kept
    weight = _sum(position, np.where(known, rows["weight"][place], 0).sum(axis=1), len(slot))
    tenths = _sum(position, np.where(known, rows["sum"][place], 0).sum(axis=1), len(slot))
    with np.errstate(invalid="ignore"):
        kmh: Floats = tenths / weight / _TENTHS
    return kmh
