"""Quarters of an hour from the five-minute cells of counts and speeds, a direction's classes added."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerts.kernels.curve import MARK_US
from alerts.kernels.rows import Floats, Ints, Rows, Slots
from alerts.mobility.calendar import QUARTER_US
from alerts.mobility.channels import lane_of
from alerts.mobility.counted import Site
from alerts.mobility.flow import Quarters

_CELLS = QUARTER_US // MARK_US
_QUARTER_S = QUARTER_US // 1_000_000
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class QuartersPlan:
    """Which series count for which way, a direction at a station.

    `ways[slot]`: of a series of counts, -1 where it counts for none. `series[way]`: those that count for it.
    `speeds[slot]`: series of speeds of a series of counts, empty where there are none.
    """

    ways: Slots
    series: Sequence[Slots]
    speeds: Sequence[Slots]


def way_of(site: Site) -> Site:
    """The direction that a site belongs to: its channel without the vehicle class."""
    parts = (part for part in site.channel.split("/") if lane_of(part).vehicle_class is None)
    return Site(site.station, site.property, "/".join(parts))


def quarters(plan: QuartersPlan, counts: Rows, speeds: Rows, way: int, begin_us: Ints) -> Quarters:
    """What a way counted in quarters (begin µs), as the cells have it now."""
    series = plan.series[way]
    passed, seconds = _counted(counts, series, begin_us)
    count = passed.sum(axis=0)
    completeness = np.clip(seconds.sum(axis=0) / max(_QUARTER_S * len(series), 1), 0, 1)
    weight = np.zeros(len(begin_us))
    product = np.zeros(len(begin_us))
    for number, slot in enumerate(series.tolist()):
        kmh = _speed(speeds, plan.speeds[slot], begin_us)
        # a class of which nobody passed has no speed, whatever was reported
        share = np.where(np.isnan(kmh), 0, passed[number])
        weight += share
        product += share * np.nan_to_num(kmh)
    with np.errstate(invalid="ignore", divide="ignore"):
        speed = product / weight
    return Quarters(np.full(len(begin_us), way), begin_us, count, completeness, speed)


def _counted(rows: Rows, slot: Slots, begin_us: Ints) -> tuple[Ints, Ints]:
    """Counts and the seconds that readings speak for: (series, quarters)."""
    begin = begin_us // MARK_US
    return (
        _at(rows, slot, "ring", "total", begin + _CELLS) - _at(rows, slot, "ring", "total", begin),
        _at(rows, slot, "cover", "covered", begin + _CELLS) - _at(rows, slot, "cover", "covered", begin),
    )


def _at(rows: Rows, slot: Slots, ring: str, total: str, marks: Ints) -> Ints:
    """Running totals at marks: after the newest reading the total, before what is kept the oldest."""
    kept = rows[ring].shape[1]
    head = rows["head"]["time"][slot] // MARK_US
    k = np.maximum(marks[None, :], (head - kept + 1)[:, None])
    found: Ints = rows[ring][slot[:, None], k % kept].astype(np.int64)
    return np.where(k > head[:, None], rows["head"][total][slot][:, None], found)


def _speed(rows: Rows, slot: Slots, begin_us: Ints) -> Floats:
    """Mean speed (km/h) in each quarter over series of speeds, NaN where none was reported."""
    if not len(slot):
        return np.full(len(begin_us), np.nan)
    kept = rows["sum"].shape[1]
    mark = begin_us[None, :, None] // MARK_US + np.arange(_CELLS)
    newest = rows["mark"][slot][:, None, None]
    known = (mark <= newest) & (mark > newest - kept)
    place = slot[:, None, None], mark % kept
    weight = np.where(known, rows["weight"][place], 0).sum(axis=(0, 2))
    tenths = np.where(known, rows["sum"][place], 0).sum(axis=(0, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        kmh: Floats = tenths / weight / _TENTHS
    return kmh
