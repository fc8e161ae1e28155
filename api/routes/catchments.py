"""/api/v1/catchments: where too few gauges give values."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from alerts.watch.outages import Sight
from api.caller import AnyCaller
from api.formats import Layout
from api.paging import decode_cursor, link_next, page
from api.responses import collection
from api.rfc3339 import format_us
from api.routes.openapi import collection_of
from api.routes.query import CollectionQuery
from api.routes.stations import nowhere
from api.schemas.measurements import Catchment
from api.visibility import View

router = APIRouter(prefix="/api/v1", tags=["catchments"])
_LAYOUT = Layout(("id", "name", "blind", "since"), nowhere)


@router.get("/catchments", response_class=Response, responses=collection_of(Catchment, geojson=False))
async def catchments(
    request: Request, view: AnyCaller, query: Annotated[CollectionQuery, Query()]
) -> Response:
    """Catchments with gauges, and whether too few of them give values to warn by."""
    items = catchments_seen(view)
    after = decode_cursor(query.cursor, str)
    chosen, last = page(items, lambda item: (_id(item),), after, query.limit)
    return collection(
        request, view, query.f, items=chosen, layout=_LAYOUT, cache="no-cache", link=link_next(request, last)
    )


def catchments_seen(view: View) -> list[dict[str, Any]]:
    """Items of the catchments in which this caller may see a gauge."""
    items = [item for sight in view.services.catchments() if (item := _item(view, sight))["stations"]]
    return sorted(items, key=_id)


def _item(view: View, sight: Sight) -> dict[str, Any]:
    return {
        "id": sight.id,
        "name": sight.name or (view.services.city.name if sight.rest else sight.id),
        "blind": sight.blind_since_us is not None,
        "since": None if sight.blind_since_us is None else format_us(sight.blind_since_us),
        "stations": [station for station in sight.stations if station in view.stations],
    }


def _id(item: dict[str, Any]) -> str:
    return str(item["id"])
