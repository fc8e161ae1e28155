"""A warning area as CAP 1.2 writes it: rings of "lat,lon" pairs, closed, without holes."""

from collections.abc import Iterator

import shapely
from shapely.geometry.base import BaseGeometry

MOST_CORNERS = 200
"""Of all rings of an area together: a text for phones and cell broadcast, not for surveyors."""

_FIRST_DEG = 5e-5
_DECIMALS = 5  # about 1 m


def polygons(form: BaseGeometry) -> list[str]:
    """The outer rings of an area. CAP has no holes: who lives in one is warned with the others.

    What is too detailed is simplified outwards, so that nobody in the area drops out of it.
    """
    step = _FIRST_DEG
    plain = shapely.MultiPolygon([shapely.Polygon(each.exterior) for each in _parts(form)])
    drawn: BaseGeometry = plain
    while shapely.get_num_coordinates(drawn) > MOST_CORNERS:
        # the outline moves by one step at most, and the area was made wider by more than that
        drawn = plain.buffer(1.5 * step).simplify(step)
        drawn = shapely.MultiPolygon([shapely.Polygon(each.exterior) for each in _parts(drawn)])
        step *= 2
    return [_ring(each) for each in _parts(drawn)]


def _parts(form: BaseGeometry) -> Iterator[shapely.Polygon]:
    for part in shapely.get_parts(form):
        if isinstance(part, shapely.Polygon) and not part.is_empty:
            yield part


def _ring(polygon: shapely.Polygon) -> str:
    corners = [f"{lat:.{_DECIMALS}f},{lon:.{_DECIMALS}f}" for lon, lat, *_ in polygon.exterior.coords]
    return " ".join(corners)
