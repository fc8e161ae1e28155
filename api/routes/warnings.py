"""/api/v1/warnings: what is in force, and what ended in the last 24 hours."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from api.caller import AnyCaller
from api.formats import document
from api.paging import decode_cursor, link_next, page
from api.problems import not_found
from api.responses import collection, respond
from api.routes.openapi import collection_of, errors, one_of
from api.routes.query import StationQuery
from api.routes.warning_item import LAYOUT, warning_item, warnings_seen
from api.schemas.warnings import Notice

router = APIRouter(prefix="/api/v1", tags=["warnings"])
_CACHE = "no-cache"


class WarningsQuery(StationQuery):
    """Warnings of some stations or one status."""

    status: Annotated[Literal["in_force", "ended"] | None, Field(description="both when left out")] = None


@router.get("/warnings", response_class=Response, responses=collection_of(Notice))
async def warnings(request: Request, view: AnyCaller, query: Annotated[WarningsQuery, Query()]) -> Response:
    """Warnings in force first, each newest first."""
    stations = {view.station(id_).id for id_ in query.station}
    seen = [
        warning
        for warning in warnings_seen(view, view.services.board.snapshot().warnings)
        if (query.status is None or warning.status == query.status)
        and (not stations or warning.station in stations)
    ]
    # a page goes on by what does not change: the time a warning was raised
    keyed = {(int(not each.in_force), -each.raised_us, each.id): each for each in seen}
    after = decode_cursor(query.cursor, int, int, str)
    chosen, last = page(sorted(keyed), lambda key: key, after, query.limit)
    items = [warning_item(view, keyed[key]) for key in chosen]
    return collection(
        request, view, query.f, items=items, layout=LAYOUT, cache=_CACHE, link=link_next(request, last)
    )


@router.get(
    "/warnings/{warning_id:path}",
    response_class=Response,
    responses={**one_of(Notice), **errors(401, 404, 422)},
)
async def warning(
    request: Request, view: AnyCaller, warning_id: Annotated[str, Path(max_length=300)]
) -> Response:
    """One warning, while it is in force and for 24 hours after its end."""
    found = view.services.board.get(warning_id)
    if found is None or not warnings_seen(view, [found]):
        raise not_found("warning", warning_id)
    return respond(request, view, document(warning_item(view, found), view.terms), cache=_CACHE)
