"""Areal rain: mean and maximum of the gauges' rain over an area.

The mean is Shepard's inverse distance weighting (D. Shepard, "A two-dimensional interpolation function for
irregularly-spaced data", Proc. 23rd ACM National Conference, 1968) with the usual power 2, evaluated on a
grid over the area and averaged; the WMO's Guide to Hydrological Practices (WMO-No. 168) names it among the
ways to areal rain. The maximum is the largest sum of a gauge near enough to count: a shower between gauges is
seen by none of them, so neither is an upper bound.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from alerts.areas import Areas
from alerts.kernels.curve import unheard_us, windows
from alerts.kernels.curve_row import MARK_US
from alerts.kernels.rain import UM_PER_MM, RainPlan
from alerts.kernels.rows import Bools, Floats, Rows
from devices.registry import Station

HOURS = (1, 6, 24)
REACH_KM = 5.0
"""A gauge counts for an area when it stands in it or at most so far from its border."""

_POWER = 2
_NEAREST_KM = 0.05
_GRID = 20
_KM_PER_DEGREE = 111.2
_HOUR_US = 3_600_000_000
_SILENT_INTERVALS = 2.5
_SILENT_US = 900_000_000
_AHEAD_US = 600_000_000
_USUAL_US = 300_000_000
_ENOUGH = 0.75


@dataclass(frozen=True, slots=True)
class GaugeRain:
    """A gauge's sums (mm) over HOURS up to its newest reading; None where too little of a window was heard,
    or where it is silent. Readings that quality control rejected are in no sum."""  # noqa: D205, D209 - one thought

    station: str
    mm: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class AreaRain:
    """Rain of an area (mm) from so many gauges; None without one. `completeness`: share of the weight that
    the gauges with a value have, 0-1."""  # noqa: D205, D209 - one thought

    mean: float | None
    max: float | None
    gauges: int
    completeness: float


NOTHING = AreaRain(None, None, 0, 0.0)


def gauge_rain(rows: Rows, plan: RainPlan, now_us: int) -> tuple[GaugeRain, ...]:
    """Every rain gauge's sums at a time; `rows` as the rain kernel keeps them."""
    slots = np.unique(plan.slot_of[plan.slot_of >= 0])
    slots = slots[rows["head"]["pushes"][slots] > 0]
    if not len(slots):
        return ()
    head = rows["head"][slots]
    interval = np.where(plan.curves.interval_us[slots] > 0, plan.curves.interval_us[slots], _USUAL_US)
    age = now_us - head["time"]
    live: Bools = (age <= np.maximum(_SILENT_INTERVALS * interval, _SILENT_US)) & (age >= -_AHEAD_US)
    lengths = np.array(HOURS, np.int64) * _HOUR_US
    sums = windows(rows, slots, lengths // MARK_US) / UM_PER_MM
    # a gauge that came yesterday knows nothing of the day before
    known = live[:, None] & ((head["pushes"] * interval)[:, None] >= _ENOUGH * lengths)
    for i in np.flatnonzero(known.any(axis=1)).tolist():
        known[i] &= [
            unheard_us(rows[slots[i]], plan.curves, int(slots[i]), int(length)) <= (1 - _ENOUGH) * length
            for length in lengths
        ]
    return tuple(
        GaugeRain(
            plan.subjects[slot][0].station,
            tuple(float(mm) if ok else None for mm, ok in zip(row, good, strict=True)),
        )
        for slot, row, good in zip(slots.tolist(), sums, known, strict=True)
    )


def inverse_squares(form: BaseGeometry, lat: Floats, lon: Floats) -> Floats:
    """Shepard's raw weights, (grid points, gauges); 0 for a gauge beyond REACH_KM. WGS 84 degrees."""
    centre = form.centroid
    scale = np.array([np.cos(np.radians(centre.y)), 1.0]) * _KM_PER_DEGREE

    def local(places: Floats) -> Floats:
        moved: Floats = (places - (centre.x, centre.y)) * scale
        return moved

    area = shapely.transform(form, local)
    gauges = local(np.column_stack((lon, lat)).reshape(-1, 2))
    points = _grid(area)
    apart = np.linalg.norm(points[:, None, :] - gauges[None, :, :], axis=2)
    near = shapely.distance(area, shapely.points(gauges)) <= REACH_KM
    raw: Floats = np.maximum(apart, _NEAREST_KM) ** -_POWER * near
    return raw


def weights(raw: Floats, live: Bools) -> Floats:
    """Share of each gauge in the mean over the area: the live ones add up to 1, the others have 0."""
    masked = raw * live
    total = masked.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        return np.zeros(raw.shape[1])
    share: Floats = (masked / total).mean(axis=0)
    return share


def area_rain(raw: Floats, mm: Floats) -> AreaRain:
    """Mean and maximum for one area from the sums of its gauges, NaN where one has none."""
    live = ~np.isnan(mm)
    share = weights(raw, live)
    used = share > 0
    if not used.any():
        return NOTHING
    values = mm[used]
    # rounding must not lift the mean above the largest gauge
    mean = float(np.clip(values @ share[used], values.min(), values.max()))
    whole = weights(raw, np.ones(len(mm), np.bool_))
    return AreaRain(mean, float(values.max()), int(used.sum()), float(min(whole[live].sum(), 1.0)))


class ArealRain:
    """Rain of every area from the gauges of given stations; the grids are kept while the places stay."""

    def __init__(self, areas: Areas, gauges: Callable[[], Sequence[GaugeRain]]) -> None:
        self._areas = areas
        self._gauges = gauges
        self._lock = threading.Lock()
        self._raw: dict[tuple[object, ...], dict[str, Floats]] = {}

    def of(self, stations: Mapping[str, Station]) -> Mapping[str, tuple[AreaRain, ...]]:
        """Area id -> its rain over HOURS, from the gauges at these stations alone."""
        found: list[tuple[GaugeRain, float, float]] = []
        for gauge in self._gauges() if self._areas.areas else ():
            station = stations.get(gauge.station)
            if station is not None and station.lat is not None and station.lon is not None:
                found.append((gauge, station.lat, station.lon))
        if not found:
            return {area.id: (NOTHING,) * len(HOURS) for area in self._areas.areas}
        raw = self._weights(tuple((gauge.station, lat, lon) for gauge, lat, lon in found))
        mm = np.array([gauge.mm for gauge, _, _ in found], np.float64)
        return {
            area.id: tuple(area_rain(raw[area.id], mm[:, i]) for i in range(len(HOURS)))
            for area in self._areas.areas
        }

    def _weights(self, places: tuple[tuple[str, float, float], ...]) -> Mapping[str, Floats]:
        with self._lock:
            kept = self._raw.get(places)
            if kept is None:
                lat = np.array([lat for _, lat, _ in places])
                lon = np.array([lon for _, _, lon in places])
                kept = {area.id: inverse_squares(area.form, lat, lon) for area in self._areas.areas}
                if len(self._raw) >= 2:  # noqa: PLR2004 - what the public sees, and what operators see
                    self._raw.clear()
                self._raw[places] = kept
            return kept


def _grid(area: BaseGeometry) -> Floats:
    """Points inside the area, about _GRID along its longer side; at least one."""
    west, south, east, north = area.bounds
    step = max(east - west, north - south) / _GRID
    x, y = _centres(west, east, step), _centres(south, north, step)
    points = np.array(np.meshgrid(x, y)).reshape(2, -1).T
    inside: Floats = points[shapely.intersects_xy(area, points[:, 0], points[:, 1])]
    if len(inside):
        return inside
    some = area.representative_point()
    return np.array([[some.x, some.y]])


def _centres(begin: float, end: float, step: float) -> Floats:
    """Middles of equal parts about a step long."""
    edges = np.linspace(begin, end, max(round((end - begin) / step), 1) + 1)
    middles: Floats = (edges[:-1] + edges[1:]) / 2
    return middles
