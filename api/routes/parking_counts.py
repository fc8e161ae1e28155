"""/api/v1/admin/parking: what people count in car parks, and what was put right there."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from alerts.errors import CountRefusedError, MobilityError
from alerts.mobility.states import Correction
from alerts.routing.rota import to_us
from api.caller import Operator
from api.formats import Layout, document
from api.paging import cut, decode_cursor
from api.problems import Problem
from api.responses import PRIVATE, common_headers, internal
from api.rfc3339 import format_us
from api.routes.audit import note
from api.routes.openapi import collection_of, errors, one_of
from api.routes.query import CollectionQuery, Id, Time, moment
from api.routes.stations import nowhere
from api.schemas.parking_counts import CorrectionItem

router = APIRouter(prefix="/api/v1/admin/parking", tags=["operators"])
_LAYOUT = Layout(tuple(CorrectionItem.model_fields), nowhere)
_REMEDIES: Mapping[str, str] = {
    "source": "look after its sensors; what each car park's number comes from is `source` in /api/v1/parking",
    "capacity": "leave reserved spaces out; if there are more, mend `capacity` in the device list",
    "future": "leave `time` out for now, or mend its offset from UTC",
    "age": "count again and send the number within the hour",
    "late": "look at /readyz",
    "unknown": "the list: /api/v1/parking",
}
_AWAY = "car parks cannot be read or written at the moment"
StationId = Annotated[str, Path(max_length=200)]


class CountBody(BaseModel):
    """What a person has counted: spaces taken that everybody may take, without reserved ones."""

    model_config = ConfigDict(extra="forbid")

    occupied: Annotated[int, Field(ge=0, le=1_000_000, description="Spaces taken")]
    by: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$"),
        Field(max_length=100, description="The person's name"),
    ]
    time: Annotated[
        AwareDatetime | None, Field(description="When it was counted, at most an hour ago; left out: now")
    ] = None


class CorrectionsQuery(CollectionQuery):
    """Corrections of one car park or of all."""

    station: Annotated[Id | None, Field(description="all when left out")] = None
    from_: Time = Field(default=None, alias="from", description="corrections of then or later")


@router.post(
    "/{station_id}/count",
    status_code=201,
    response_class=Response,
    responses={**one_of(CorrectionItem, 201, open_data=False), **errors(401, 403, 404, 409, 422, 503)},
)
def count(view: Operator, station_id: StationId, body: CountBody) -> Response:
    """Put the number of a car park right by what a person counted there; it counts on from that."""
    if view.services.count_by_hand is None or station_id not in view.stations:
        raise Problem(404, f"there is no car park {station_id!r}", "the list: /api/v1/parking")
    time_us = view.services.clock() if body.time is None else to_us(body.time)
    try:
        made = view.services.count_by_hand(station_id, time_us, body.occupied, body.by)
    except CountRefusedError as refused:
        status = {"unknown": 404, "late": 409}.get(refused.reason, 422)
        hint = _REMEDIES.get(refused.reason, "")
        raise Problem(status, str(refused), hint, reason=refused.reason) from refused
    except MobilityError as fault:
        raise Problem(503, _AWAY, "see /readyz") from fault
    note(view, body.by, "count_car_park", station_id, made.detail)
    answer = document(_item(made), None)
    return Response(answer, 201, common_headers(view, PRIVATE, open_data=False), "application/json")


@router.get(
    "/corrections",
    response_class=Response,
    responses={
        **collection_of(CorrectionItem, geojson=False, open_data=False),
        **errors(403, 404, 503),
    },
)
def corrections(request: Request, view: Operator, query: Annotated[CorrectionsQuery, Query()]) -> Response:
    """What was put right in car parks by counters, newest first."""
    station = None if query.station is None else view.station(query.station).id
    cursor = decode_cursor(query.cursor, int, str, str)
    before = None if cursor is None else (int(cursor[0]), str(cursor[1]), str(cursor[2]))
    try:
        rows = view.services.corrections(station, moment("from", query.from_) or 0, query.limit + 1, before)
    except MobilityError as fault:
        raise Problem(503, _AWAY, "see /readyz") from fault
    chosen, last = cut(rows, lambda row: (row.time_us, row.station, row.reason), query.limit)
    return internal(request, view, query.f, [_item(each) for each in chosen], _LAYOUT, last)


def _item(each: Correction) -> dict[str, Any]:
    return {
        "station": each.station,
        "time": format_us(each.time_us),
        "before": each.before,
        "after": each.after,
        "reason": each.reason,
        "detail": each.detail,
    }
