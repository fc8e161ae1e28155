"""Who hears of a warning: places against areas, gauges and radii; quiet hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from alerts.areas import Areas
from alerts.city.city_warning import CityWarning
from alerts.event import Severity
from alerts.scale import rank
from alerts.subscriptions.subscription import DIGITS, Place, QuietHours, Told
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from devices.registry import Registry

RAIN = ("dwd_starkregen", "dwd_dauerregen", "sri", "precipitation")
_HALF = 0.5 * 10**-DIGITS + 1e-9
"""Degrees that a kept place may lie beside the true one."""
_KM = 111.195  # of a degree of latitude on a sphere of 6371 km
_ROUNDED_KM = _HALF * _KM * 2**0.5
_SLACK_KM = 0.1
_OWN = rank("Severe")
_ALWAYS = rank("Extreme")


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a message is for. `areas` None: the whole city; without `station` and `rain_at`: by areas only.

    `rain_at`: latitude and longitude of the gauge where it rained, for radii.
    """

    told: Told
    severity: Severity
    areas: frozenset[str] | None
    station: str = ""
    rain_at: tuple[float, float] | None = None


def reach(what: Warning | CityWarning, areas: Areas, registry: Registry) -> Reach | None:
    """Whom it is for; None for what is not for residents: staff's own, exercises, what nobody released.

    Whoever was told of a step is told of the later ones: the highest severity and every area so far count.
    """
    if what.exercise:
        return None
    if isinstance(what, CityWarning):
        return _of_city(what)
    if what.audience != "public":
        return None
    station = registry.stations.get(what.station)
    at = None
    if what.measure in RAIN and station is not None and station.lat is not None and station.lon is not None:
        at = (station.lat, station.lon)
    here = frozenset(each.id for each in areas.of(what.station))
    return Reach("notice", what.peak_severity, here, what.station, at)


def _of_city(warning: CityWarning) -> Reach | None:
    if not warning.public:
        return None
    first = next(i for i, each in enumerate(warning.steps) if each.step.action == "release")
    said = [each.step for each in warning.steps[first:] if each.step.action in {"release", "update"}]
    whole = any(not step.areas for step in said)
    named = frozenset(area for step in said for area in step.areas)
    return Reach("warning", max((step.severity for step in said), key=rank), None if whole else named)


def candidates(found: Reach, areas: Areas) -> tuple[str, Sequence[str | float]]:
    """SQL over the table of places `p` that keeps at least whatever matches() reaches, and its values.

    Most notices concern few people: to weigh every place for each would take all the time in a storm.
    """
    if found.areas is None:
        return "1", ()
    named = sorted(found.areas)
    conditions = [f"(p.kind = 'area' AND p.ref IN ({','.join('?' * len(named))}))"]
    values: list[str | float] = list(named)
    if found.told == "warning":
        conditions.append("p.kind = 'gauge'")
    else:
        conditions.append("(p.kind = 'gauge' AND p.ref = ?)")
        values.append(found.station)
    for west, south, east, north in (area.form.bounds for area in areas.areas if area.id in found.areas):
        conditions.append("(p.kind = 'point' AND p.lat BETWEEN ? AND ? AND p.lon BETWEEN ? AND ?)")
        values += [south - 2 * _HALF, north + 2 * _HALF, west - 2 * _HALF, east + 2 * _HALF]
    if found.rain_at is not None:
        lat, lon = found.rain_at
        more = "* ? <= p.radius_km + ?"
        conditions.append(
            f"(p.kind = 'point' AND p.radius_km > 0 AND abs(p.lat - ?) {more} AND abs(p.lon - ?) {more})"
        )
        # degrees of longitude are shortest at the end that is nearer to the pole
        east_km = _KM * float(np.cos(np.radians(abs(lat) + 0.1)))
        values += [lat, _KM, _ROUNDED_KM + _SLACK_KM, lon, east_km, _ROUNDED_KM + _SLACK_KM]
    return " OR ".join(conditions), values


def matches(found: Reach, places: Sequence[Place], areas: Areas) -> tuple[np.ndarray, np.ndarray]:
    """For each place whether it is reached, and whether as one's own area or watercourse (not by a radius).

    A point is kept rounded: it belongs to every area that it can have been in.
    """
    own = np.zeros(len(places), bool)
    if found.areas is None:
        own[:] = True
        return own, own
    of_station = {
        ref: not found.areas.isdisjoint(area.id for area in areas.of(ref))
        for ref in {place.ref for place in places if place.kind == "gauge"}
    }
    for i, place in enumerate(places):
        if place.kind == "area":
            own[i] = place.ref in found.areas
        elif place.kind == "gauge":
            own[i] = place.ref == found.station or (found.told == "warning" and of_station[place.ref])
    points = np.array([i for i, place in enumerate(places) if place.kind == "point"], int)
    lat = np.array([places[i].lat for i in points])
    lon = np.array([places[i].lon for i in points])
    cells = shapely.box(lon - _HALF, lat - _HALF, lon + _HALF, lat + _HALF)
    for area in areas.areas:
        if area.id in found.areas and len(points):
            own[points] |= shapely.intersects(area.form, cells)
    reached = own.copy()
    if found.rain_at is not None and len(points):
        radius = np.array([places[i].radius_km for i in points], float)
        near = _distance_km(lat, lon, *found.rain_at) <= radius + _ROUNDED_KM
        reached[points] |= near & (radius > 0)
    return reached, own


def silent(quiet: QuietHours | None, found: Reach, now_us: int, zone: ZoneInfo, *, own: bool) -> bool:
    """Whether quiet hours keep a message back: never Extreme, nor Severe and above for one's own place."""
    if quiet is None or rank(found.severity) >= _ALWAYS or (own and rank(found.severity) >= _OWN):
        return False
    return quiet.hold(now_us, zone)


def _distance_km(lat: np.ndarray, lon: np.ndarray, lat0: float, lon0: float) -> np.ndarray:
    """On a sphere of 6371 km (haversine)."""
    a, b, d = np.radians(lat), np.radians(lat0), np.radians(lon - lon0)
    half = np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(d / 2) ** 2
    found: np.ndarray = 2 * 6371.0 * np.arcsin(np.sqrt(half))
    return found
