"""/api/v1/admin/silences: what staff need not hear of for a while, who says so, why, until when."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from alerts.errors import SilenceRefusedError
from alerts.event import Severity
from alerts.routing.rota import to_us
from alerts.routing.silences import Silence, Silences
from api.caller import Operator
from api.formats import Layout, document
from api.paging import decode_cursor, page
from api.problems import Problem
from api.responses import PRIVATE, common_headers, internal
from api.rfc3339 import format_us
from api.routes.audit import note
from api.routes.openapi import collection_of, errors, one_of
from api.routes.query import CollectionQuery
from api.routes.stations import nowhere
from api.schemas.silences import SilenceItem
from api.visibility import View

router = APIRouter(prefix="/api/v1/admin/silences", tags=["operators"])
_LAYOUT = Layout(tuple(field.alias or name for name, field in SilenceItem.model_fields.items()), nowhere)
_Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(max_length=200),
]
_Names = Annotated[tuple[_Line, ...], Field(max_length=50)]
SilenceId = Annotated[str, Path(max_length=40)]


class SilenceBody(BaseModel):
    """What is silenced: everything that is named must hold. `second`: who else says that Extreme may be."""

    model_config = ConfigDict(extra="forbid")

    stations: _Names = ()
    catchments: _Names = ()
    measures: _Names = ()
    max_severity: Severity = "Moderate"
    by: Annotated[_Line, Field(description="The person's name")]
    reason: _Line
    until: Annotated[AwareDatetime, Field(description="At most 7 days from now")]
    second: Annotated[str, StringConstraints(strip_whitespace=True), Field(max_length=200)] = ""


@router.get(
    "",
    response_class=Response,
    responses={**collection_of(SilenceItem, geojson=False, open_data=False), **errors(403)},
)
def silences(request: Request, view: Operator, query: Annotated[CollectionQuery, Query()]) -> Response:
    """Silences in force first, then those of the last 30 days."""
    now = view.services.clock()
    keyed = {(int(not each.holds(now)), -each.from_us, each.id): each for each in _book(view).all()}
    after = decode_cursor(query.cursor, int, int, str)
    chosen, last = page(sorted(keyed), lambda key: key, after, query.limit)
    return internal(request, view, query.f, [_item(keyed[key], now) for key in chosen], _LAYOUT, last)


@router.post(
    "",
    status_code=201,
    response_class=Response,
    responses={**one_of(SilenceItem, 201, open_data=False), **errors(401, 403, 422)},
)
def add(view: Operator, body: SilenceBody) -> Response:
    """Silence something for staff channels: Extreme with a second person only, the city's warnings never."""
    now = view.services.clock()
    given = body.model_dump(exclude={"until"})
    try:
        silence = _book(view).add(Silence(**given, from_us=now, until_us=to_us(body.until)))
    except SilenceRefusedError as refused:
        raise Problem(422, str(refused), "see docs/routing.md") from refused
    note(view, silence.by, "silence", silence.id, silence.reason)
    return _answer(view, silence, 201)


@router.delete(
    "/{silence_id}",
    response_class=Response,
    responses={**one_of(SilenceItem, open_data=False), **errors(401, 403, 404, 422)},
)
def end(
    view: Operator,
    silence_id: SilenceId,
    by: Annotated[_Line, Query(description="The name of who ends it")],
) -> Response:
    """End a silence before its time; what still stands of what it held back is told now."""
    silence = _book(view).end(silence_id, by)
    if silence is None:
        raise Problem(404, f"there is no silence {silence_id!r}", "the list: /api/v1/admin/silences")
    view.services.unsilence(silence.id)
    note(view, by, "end_silence", silence.id, "")
    return _answer(view, silence, 200)


def _book(view: View) -> Silences:
    if view.services.silences is None:
        raise Problem(404, "this service keeps no silences", "see docs/routing.md")
    return view.services.silences


def _answer(view: View, silence: Silence, status: int) -> Response:
    body = document(_item(silence, view.services.clock()), None)
    return Response(body, status, common_headers(view, PRIVATE, open_data=False), "application/json")


def _item(silence: Silence, now_us: int) -> dict[str, Any]:
    return {
        "id": silence.id,
        "in_force": silence.holds(now_us),
        "stations": silence.stations,
        "catchments": silence.catchments,
        "measures": silence.measures,
        "max_severity": silence.max_severity,
        "by": silence.by,
        "second": silence.second or None,
        "reason": silence.reason,
        "from": format_us(silence.from_us),
        "until": format_us(silence.until_us),
        "ended": None if silence.ended_us is None else format_us(silence.ended_us),
        "ended_by": silence.ended_by or None,
    }
