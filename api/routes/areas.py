"""/api/v1/areas: the parts of the city that are warned, their rain, and what is in force for them."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from alerts.areal_rain import HOURS, NOTHING, AreaRain
from alerts.areas import Area
from alerts.kernels.plan import RAIN_COUNTER, RAIN_DEPTH
from alerts.scale import rank
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from api.caller import AnyCaller
from api.formats import Format, Layout
from api.paging import decode_cursor, link_next, page
from api.problems import Problem
from api.responses import collection
from api.routes.openapi import collection_of
from api.routes.query import CollectionQuery
from api.routes.stations import nowhere
from api.routes.warning_item import warnings_seen
from api.schemas.warnings import Area as AreaItem
from api.visibility import View

router = APIRouter(prefix="/api/v1", tags=["warnings"])
_CACHE = "no-cache"
_COLUMNS = ("id", "name_de", "name_en", "in_force", "severity", "warnings", "stations", "catchment")


class AreasQuery(CollectionQuery):
    """All areas, or those of a place."""

    f: Annotated[Format, Field(description="format of the answer; geojson has the shapes")] = Format.GEOJSON
    lat: Annotated[float | None, Field(ge=-90, le=90, description="of a place, WGS 84; with `lon`")] = None
    lon: Annotated[float | None, Field(ge=-180, le=180, description="of a place, WGS 84; with `lat`")] = None


@router.get("/areas", response_class=Response, responses=collection_of(AreaItem))
def areas(request: Request, view: AnyCaller, query: Annotated[AreasQuery, Query()]) -> Response:
    """Warning areas, with `lat` and `lon` those of a place: what is in force, and how much it rained."""
    if (query.lat is None) != (query.lon is None):
        raise Problem(400, "a place needs both lat and lon", "add the other one, in degrees (WGS 84)")
    known = view.services.areas
    found = known.areas if query.lat is None or query.lon is None else known.at(query.lat, query.lon)
    after = decode_cursor(query.cursor, str)
    real = [each for each in view.services.board.snapshot().in_force if not each.exercise]
    in_force = warnings_seen(view, real)
    rain = view.services.areal_rain(view.stations if view.live(RAIN_DEPTH, RAIN_COUNTER) else {})
    items = [_item(view, area, in_force, rain.get(area.id, ())) for area in sorted(found, key=lambda a: a.id)]
    if query.f is Format.CSV:
        items = [{**item, "name_de": item["name"]["de"], "name_en": item["name"]["en"]} for item in items]
    chosen, last = page(items, lambda item: (item["id"],), after, query.limit)
    forms = {area.id: area.geometry for area in found}
    layout = Layout(_COLUMNS, nowhere, lambda item: forms[item["id"]])
    return collection(
        request,
        view,
        query.f,
        items=chosen,
        layout=layout,
        cache=_CACHE,
        link=link_next(request, last),
        terms=view.terms_of([RAIN_DEPTH]),
    )


def _item(view: View, area: Area, in_force: Sequence[Warning], rain: Sequence[AreaRain]) -> dict[str, Any]:
    here = [warning for warning in in_force if area.warned_by(warning.station)]
    worst = max((warning.severity for warning in here), key=rank, default=None)
    return {
        "id": area.id,
        "name": area.names(),
        "stations": [station for station in view.stations if area.warned_by(station)],
        "catchment": area.catchment,
        "fictitious": area.fictitious,
        "in_force": bool(here),
        "severity": worst,
        "warnings": [warning.id for warning in here],
        **{
            f"rain_{hours}h_mm": _rain(view, found)
            for hours, found in zip(HOURS, rain or (NOTHING,) * len(HOURS), strict=True)
        },
    }


def _rain(view: View, found: AreaRain) -> dict[str, Any]:
    return {
        "mean": None if found.mean is None else round(view.rounded(RAIN_DEPTH, found.mean), 2),
        "max": None if found.max is None else round(view.rounded(RAIN_DEPTH, found.max), 2),
        "gauges": found.gauges,
        "completeness": round(found.completeness, 3),
    }
