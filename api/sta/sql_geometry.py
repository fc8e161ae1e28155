"""Geometry functions for SQLite: GeoJSON of a property, WKT of a request, WGS 84, in degrees.

Distance and length are planar and in degrees, as the standard's reference system is and FROST answers.
"""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import shapely

FARTHEST = 1e15
"""Coordinates further away are refused: what is computed with them would be too large for a number."""
_CACHED = 2048


def _parse(text: str) -> Any:
    """The geometry of GeoJSON (a Feature's too) or WKT; None where it is none."""
    try:
        if not text.lstrip().startswith("{"):
            geometry = shapely.from_wkt(text)
        else:
            document = json.loads(text)
            feature = isinstance(document, dict) and document.get("type") == "Feature"
            geometry = shapely.from_geojson(json.dumps(document["geometry"]) if feature else text)
        if geometry is None or geometry.is_empty:
            return None
        shapely.prepare(geometry)
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return geometry


def geometry_functions() -> Mapping[str, tuple[int, Callable[..., Any]]]:
    """Name in SQL to number of arguments and function, over a cache of their own of what was parsed."""
    parsed = functools.lru_cache(maxsize=_CACHED)(_parse)

    def over_two(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(left: str, right: str, *more: str) -> Any:
            a, b = parsed(left), parsed(right)
            if a is None or b is None:
                return None
            try:
                return function(a, b, *more)
            except shapely.errors.ShapelyError:
                return None

        return run

    def length(text: str) -> float | None:
        geometry = parsed(text)
        return None if geometry is None else float(shapely.length(geometry))

    def pair(function: Callable[..., Any]) -> tuple[int, Callable[..., Any]]:
        return 2, over_two(lambda a, b: bool(function(a, b)))

    return {
        "sta_geo_distance": (2, over_two(lambda a, b: float(shapely.distance(a, b)))),
        "sta_geo_length": (1, length),
        "sta_st_relate": (3, over_two(lambda a, b, pattern: bool(shapely.relate_pattern(a, b, pattern)))),
        "sta_st_equals": pair(shapely.equals),
        "sta_st_disjoint": pair(shapely.disjoint),
        "sta_st_touches": pair(shapely.touches),
        "sta_st_within": pair(shapely.within),
        "sta_st_overlaps": pair(shapely.overlaps),
        "sta_st_crosses": pair(shapely.crosses),
        "sta_st_intersects": pair(shapely.intersects),
        "sta_st_contains": pair(shapely.contains),
    }
