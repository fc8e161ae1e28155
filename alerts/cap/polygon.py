"""A warning area as CAP 1.2 writes it: rings of "lat,lon" pairs, closed, without holes."""

from collections.abc import Iterator

import shapely
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

MOST_CORNERS = 200
"""Of all rings of an area together: a text for phones and cell broadcast, not for surveyors."""

_FIRST_DEG, _LAST_DEG = 5e-5, 0.05
_DECIMALS = 5  # about 1 m


def polygons(form: BaseGeometry) -> list[str]:
    """The outer rings of an area. CAP has no holes: who lives in one is warned with the others.

    What is too detailed is simplified outwards, so that nobody in the area drops out of it.
    """
    return [_ring(each) for each in _parts(_simple(_filled(form)))]


def _simple(plain: BaseGeometry) -> BaseGeometry:
    drawn, step = plain, _FIRST_DEG
    while shapely.get_num_coordinates(drawn) > MOST_CORNERS or not drawn.covers(plain):
        if step > _LAST_DEG:
            return plain.envelope
        # the outline moves by one step at most, and the area was made wider by more than that
        drawn = _filled(plain.buffer(1.5 * step).simplify(step))
        step *= 2
    return drawn


def _filled(form: BaseGeometry) -> BaseGeometry:
    return shapely.union_all([shapely.Polygon(each.exterior) for each in _parts(form)])


def _parts(form: BaseGeometry) -> Iterator[shapely.Polygon]:
    for part in shapely.get_parts(form):
        if isinstance(part, shapely.Polygon) and not part.is_empty:
            yield part


def _ring(polygon: shapely.Polygon) -> str:
    ring = orient(polygon).exterior  # anticlockwise, as GeoJSON made from it wants it
    corners = [f"{lat:.{_DECIMALS}f},{lon:.{_DECIMALS}f}" for lon, lat, *_ in ring.coords]
    return " ".join(corners)
