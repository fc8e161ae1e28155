"""/api/v1/city-warnings: what the city tells its people; for operators the whole course, and the orders."""

from collections.abc import Mapping
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from alerts.city.city_warning import CityWarning
from alerts.city.office import CityOffice
from alerts.city.order import Order, OrderAction, OrderRefusedError
from alerts.event import CityText, Severity
from api.caller import AnyCaller, Operator
from api.formats import Layout, document
from api.paging import decode_cursor, link_next, page
from api.problems import Problem, not_found
from api.responses import PRIVATE, collection, common_headers, internal, respond
from api.routes.audit import note
from api.routes.city_warning_item import city_warning_item, course_item, texts_item, warnings_heard
from api.routes.openapi import collection_of, errors, one_of
from api.routes.query import CollectionQuery
from api.routes.stations import nowhere
from api.schemas.city_warnings import CityWarningCourse, CityWarningDraft, CityWarningItem
from api.visibility import View

router = APIRouter(prefix="/api/v1", tags=["warnings"])
staff_router = APIRouter(prefix="/api/v1/admin/city-warnings", tags=["operators"])
_CACHE = "no-cache"
_COLUMNS = ("id", "status", "severity", "exercise", "released", "changed", "valid_until", "ended", "end")
_LAYOUT = Layout((*_COLUMNS, "released_by"), nowhere)
_STAFF_LAYOUT = Layout((*_COLUMNS, "incident", "proposed", "staff_only"), nowhere)
_HINTS = {
    "unknown": "the list of what there is: /api/v1/admin/city-warnings",
    "not_now": "GET the warning to see where it stands",
    "faulty": "correct it and send it again",
}
WarningId = Annotated[str, Path(max_length=200)]


class CityTextBody(BaseModel):
    """Plain text in one language."""

    model_config = ConfigDict(extra="forbid")

    headline: str = Field(max_length=160)
    description: str = Field(max_length=2000)
    instruction: str = Field(default="", max_length=2000)


Languages = Annotated[
    dict[str, CityTextBody], Field(max_length=12, description="By language: de (needed), en, einfach, ...")
]


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    by: str = Field(max_length=100, description="The person's name")
    reason: str = Field(max_length=500)
    valid_min: float | None = Field(default=None, description="Minutes from now")


class NewCityWarning(_Content):
    """A warning by hand: proposed, or released at once."""

    severity: Severity
    areas: list[str] = Field(default=[], max_length=500, description="Ids; none: the whole city")
    texts: Languages | None = Field(default=None, description="Left out: written from the templates")
    release: bool = False
    incident: str = Field(default="", max_length=120)
    exercise: bool = False


class CityWarningStepBody(_Content):
    """An order about one warning; what is left out stays as it is."""

    action: OrderAction
    severity: Severity | None = None
    areas: list[str] | None = Field(default=None, max_length=500)
    texts: Languages | None = None
    seen: int | None = Field(
        default=None, ge=0, description="How many steps were read; refused when it has changed since"
    )


class CityWarningsQuery(CollectionQuery):
    """Warnings of one status."""

    status: Annotated[Literal["in_force", "ended"] | None, Field(description="both when left out")] = None


class DraftQuery(BaseModel):
    """What a warning would be about."""

    model_config = ConfigDict(extra="forbid")

    severity: Severity
    areas: Annotated[list[str], Field(max_length=500, description="Ids; none: the whole city")] = []
    incident: Annotated[str, Field(max_length=120)] = ""
    valid_min: float | None = None


@router.get(
    "/city-warnings", response_class=Response, responses=collection_of(CityWarningItem, geojson=False)
)
async def city_warnings(
    request: Request, view: AnyCaller, query: Annotated[CityWarningsQuery, Query()]
) -> Response:
    """Warnings that the city released: in force first, then those of the last 24 hours, each newest first."""
    seen = [
        each
        for each in warnings_heard(view.services.city_warnings())
        if query.status is None or each.status == query.status
    ]
    # a page goes on by what does not change: the time of the release
    keyed = {(int(not each.in_force), -(each.released_us or 0), each.id): each for each in seen}
    after = decode_cursor(query.cursor, int, int, str)
    chosen, last = page(sorted(keyed), lambda key: key, after, query.limit)
    items = [city_warning_item(view, keyed[key]) for key in chosen]
    return collection(
        request, view, query.f, items=items, layout=_LAYOUT, cache=_CACHE, link=link_next(request, last)
    )


@router.get(
    "/city-warnings/{city_warning_id}",
    response_class=Response,
    responses={**one_of(CityWarningItem), **errors(401, 404, 422)},
)
async def city_warning(request: Request, view: AnyCaller, city_warning_id: WarningId) -> Response:
    """One warning that the city released, while it is in force and for 24 hours after its end."""
    heard = warnings_heard(view.services.city_warnings())
    found = next((each for each in heard if each.id == city_warning_id), None)
    if found is None:
        raise not_found("warning of the city", city_warning_id)
    return respond(request, view, document(city_warning_item(view, found), view.terms), cache=_CACHE)


@staff_router.get(
    "",
    response_class=Response,
    responses={**collection_of(CityWarningCourse, geojson=False, open_data=False), **errors(403)},
)
def all_city_warnings(
    request: Request, view: Operator, query: Annotated[CollectionQuery, Query()]
) -> Response:
    """Proposed and in force, then what was declined or ended in the last 24 hours; with every step."""
    keyed = {(int(not each.open), -each.proposed_us, each.id): each for each in view.services.city_warnings()}
    after = decode_cursor(query.cursor, int, int, str)
    chosen, last = page(sorted(keyed), lambda key: key, after, query.limit)
    return internal(
        request, view, query.f, [course_item(view, keyed[key]) for key in chosen], _STAFF_LAYOUT, last
    )


@staff_router.get(
    "/draft",
    response_class=Response,
    responses={200: {"model": CityWarningDraft}, **errors(401, 403, 404, 409, 422)},
)
def draft(view: Operator, query: Annotated[DraftQuery, Query()]) -> Response:
    """The texts that a warning would be proposed with now."""
    try:
        written = _office(view).draft(query.severity, tuple(query.areas), query.incident, query.valid_min)
    except OrderRefusedError as refused:
        raise _problem(refused) from refused
    body = {"texts": texts_item(written.texts), "template": written.template}
    return _answer(view, orjson.dumps(body), 200)


@staff_router.get(
    "/{city_warning_id}",
    response_class=Response,
    responses={**one_of(CityWarningCourse, open_data=False), **errors(401, 403, 404, 422)},
)
def course(view: Operator, city_warning_id: WarningId) -> Response:
    """One warning with every step: what was said, who decided, why."""
    found = next((each for each in view.services.city_warnings() if each.id == city_warning_id), None)
    if found is None:
        raise Problem(404, f"there is no warning of the city {city_warning_id!r}", _HINTS["unknown"])
    return _course(view, found, 200)


@staff_router.post(
    "",
    status_code=201,
    response_class=Response,
    responses={**one_of(CityWarningCourse, 201, open_data=False), **errors(401, 403, 404, 409, 422, 503)},
)
def raise_by_hand(view: Operator, body: NewCityWarning) -> Response:
    """Propose or release a warning by hand; answers with it. It is durable then."""
    return _decide(
        view,
        Order(
            "release" if body.release else "propose",
            body.by,
            body.reason,
            view.services.clock(),
            incident=body.incident,
            severity=body.severity,
            areas=tuple(body.areas),
            texts=_texts(body.texts),
            valid_min=body.valid_min,
            exercise=body.exercise,
        ),
    )


@staff_router.post(
    "/{city_warning_id}/steps",
    status_code=201,
    response_class=Response,
    responses={**one_of(CityWarningCourse, 201, open_data=False), **errors(401, 403, 404, 409, 422, 503)},
)
def decide(view: Operator, city_warning_id: WarningId, body: CityWarningStepBody) -> Response:
    """Take a step; answers with the warning after it. A second click answers the same."""
    return _decide(
        view,
        Order(
            body.action,
            body.by,
            body.reason,
            view.services.clock(),
            city_warning_id,
            severity=body.severity,
            areas=None if body.areas is None else tuple(body.areas),
            texts=_texts(body.texts),
            valid_min=body.valid_min,
            seen=body.seen,
        ),
    )


def _decide(view: View, order: Order) -> Response:
    try:
        warning = _office(view).decide(order)
    except OrderRefusedError as refused:
        raise _problem(refused) from refused
    note(view, order.by, f"city warning {order.action}", warning.id, order.reason)
    return _course(view, warning, 201)


def _office(view: View) -> CityOffice:
    if view.services.office is None:
        raise Problem(404, "no city office here", "this application was made without one")
    return view.services.office


def _problem(refused: OrderRefusedError) -> Problem:
    return Problem(404 if refused.why == "unknown" else 409, str(refused), _HINTS[refused.why])


def _texts(texts: Mapping[str, CityTextBody] | None) -> Mapping[str, CityText] | None:
    if texts is None:
        return None
    return {
        language: CityText(each.headline.strip(), each.description.strip(), each.instruction.strip())
        for language, each in texts.items()
    }


def _course(view: View, warning: CityWarning, code: int) -> Response:
    return _answer(view, document(course_item(view, warning), None), code)


def _answer(view: View, body: bytes, code: int) -> Response:
    return Response(body, code, common_headers(view, PRIVATE, open_data=False), "application/json")
