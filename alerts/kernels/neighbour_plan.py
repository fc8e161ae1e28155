"""Which rain gauges are compared with which, and by what limits."""

from functools import lru_cache

import numpy as np

from alerts.kernels import rain
from alerts.kernels.neighbour_test import CANDIDATES, FEWEST, NeighbourPlan
from alerts.kernels.plan import RAIN_COUNTER, RAIN_DEPTH, Place, gauge_names, slots_of
from alerts.kernels.rows import Bools, Floats, Slots
from alerts.lifecycle import Subject

SHARE = 0.1
"""Of its neighbours' median: a gauge with less is stuck."""

_EARTH_KM = 6371.0
_MAX_UM_PER_MIN = 20_000
_ROWS = 256
_BAND_KM = 10.0


def rain_series(place: Place) -> list[int]:
    """Numbers of the series that have a slot."""
    return [n for n, each in enumerate(place.series) if each.property in {RAIN_COUNTER, RAIN_DEPTH}]


def make_neighbour_plan(place: Place) -> NeighbourPlan:
    """The plan for the rain series that the journal knows; without coordinates a gauge has no neighbours."""
    series, numbers = place.series, rain_series(place)
    rules = [place.rules.quality(series[n].station, series[n].property) for n in numbers]
    stations = [place.registry.stations.get(series[n].station) for n in numbers]
    counters = {(series[n].station, series[n].dev_eui) for n in numbers if series[n].property == RAIN_COUNTER}
    # a device that counts the running total repeats itself with the depth of an interval
    used = [
        series[n].property == RAIN_COUNTER or (series[n].station, series[n].dev_eui) not in counters
        for n in numbers
    ]
    names = gauge_names(series, numbers)
    lat = np.array([np.nan if s is None or s.lat is None else s.lat for s in stations], np.float64)
    lon = np.array([np.nan if s is None or s.lon is None else s.lon for s in stations], np.float64)
    within = np.array([(r.neighbours_km if r else None) or np.nan for r in rules], np.float64)
    whose = {
        station: number for number, station in enumerate(dict.fromkeys(series[n].station for n in numbers))
    }
    place_of = np.array([whose[series[n].station] for n in numbers], np.int64)
    near = _near(*(each.tobytes() for each in (lat, lon, within, place_of, np.array(used, np.bool_))))
    enough = (near >= 0).sum(axis=1) >= FEWEST
    return NeighbourPlan(
        slot_of=slots_of(len(series), numbers, (enough & np.array(used, np.bool_)).tolist()),
        counter=np.array([series[n].property == RAIN_COUNTER for n in numbers], np.bool_),
        near=near,
        dry=np.array([round((r.dry_mm or 0) * rain.UM_PER_MM) if r else 0 for r in rules], np.int64),
        share=np.full(len(numbers), SHARE),
        lonely=np.array([(r.lonely_h if r else None) or 99 for r in rules], np.int64),
        cap=np.full(len(numbers), _MAX_UM_PER_MIN, np.int64),
        hour=tuple(round(mm * rain.UM_PER_MM) for mm in rain.DWD_MM["dwd_starkregen"][60]),
        subjects=[
            Subject(series[n].station, names[n], series[n].property, r.id if r else "", {})
            for n, r in zip(numbers, rules, strict=True)
        ],
    )


@lru_cache(maxsize=4)
def _near(lat_: bytes, lon_: bytes, within_: bytes, place_: bytes, used_: bytes) -> Slots:
    """Nearest gauges of other stations, (slot, CANDIDATES), -1 none; kept for the same coordinates."""
    lat, lon = (np.radians(np.frombuffer(each)) for each in (lat_, lon_))
    within = np.frombuffer(within_)
    place, used = np.frombuffer(place_, np.int64), np.frombuffer(used_, np.bool_)
    near = np.full((len(lat), CANDIDATES), -1, np.int64)
    known = (used & ~np.isnan(lat + lon)).nonzero()[0]
    # those of one block lie together, so that few others are within reach
    by_place = known[np.lexsort((lon[known], np.floor(lat[known] * _EARTH_KM / _BAND_KM)))]
    for begin in range(0, len(by_place), _ROWS):
        mine = by_place[begin : begin + _ROWS]
        others = known[
            _in_reach(lat, lon, mine, known, np.max(within[mine], initial=0, where=within[mine] > 0))
        ]
        away = _away(lat, lon, mine, others)
        away[(place[mine][:, None] == place[others]) | ~(away <= within[mine][:, None])] = np.inf
        order = np.argsort(away, axis=1, kind="stable")[:, :CANDIDATES]
        found = np.where(np.isfinite(np.take_along_axis(away, order, axis=1)), others[order], -1)
        near[mine, : found.shape[1]] = found
    near.flags.writeable = False
    return near


def _in_reach(lat: Floats, lon: Floats, mine: Slots, others: Slots, km: float) -> Bools:
    """Which others can lie within a distance of any of mine: those in the box around them."""
    angle = km / _EARTH_KM * (1 + 1e-9)
    wide = angle / np.cos(lat[mine]).min()
    inside: Bools = (lat[others] >= lat[mine].min() - angle) & (lat[others] <= lat[mine].max() + angle)
    inside &= (lon[others] >= lon[mine].min() - wide) & (lon[others] <= lon[mine].max() + wide)
    return inside


def _away(lat: Floats, lon: Floats, mine: Slots, others: Slots) -> Floats:
    """Distances in km on a plane."""
    north = lat[mine][:, None] - lat[others]
    east = (lon[mine][:, None] - lon[others]) * np.cos(lat[mine])[:, None]
    away: Floats = _EARTH_KM * np.hypot(north, east)
    return away
