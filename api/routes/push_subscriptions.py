"""/api/v1/subscriptions/push: messages to this browser, without any address to write down."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.caller import AnyCaller
from api.problems import Problem
from api.routes.openapi import errors
from api.routes.subscriptions import answer, areas_of, desk_of, gauges_of
from api.services import PushDesk
from api.subscription_bodies import PushBody, read_json, request_body
from api.visibility import View

router = APIRouter(prefix="/api/v1/subscriptions/push", tags=["subscriptions"])
_TOKEN = {"type": "object", "properties": {"token": {"type": "string"}}}
_KEY = {"type": "object", "properties": {"public_key": {"type": "string"}}}


def _said(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


@router.get(
    "",
    response_class=Response,
    responses={200: _said("For `applicationServerKey`", _KEY), **errors(404)},
)
def public_key(view: AnyCaller) -> Response:
    """The key that a browser needs to subscribe (VAPID)."""
    return answer({"public_key": push_of(view).public_key})


@router.post(
    "",
    status_code=201,
    response_class=Response,
    responses={
        201: _said("Begun; `token` of the link to view, change and end it", _TOKEN),
        **errors(404, 413, 415, 422, 429),
    },
    openapi_extra=request_body(PushBody),
)
async def subscribe(request: Request, view: AnyCaller) -> Response:
    """Begin messages to a browser. There is nothing to confirm: its user has just allowed them."""
    desk = desk_of(view)
    services = push_of(view).services
    desk.callers.count(request)
    body = await read_json(request, PushBody)
    chosen = body.choices(areas_of(view), gauges_of(view))
    who = body.subscription.contact(services)
    token = await run_in_threadpool(desk.subscriptions.begin, who, chosen, desk.words.version)
    return answer({"token": token}, 201)


def push_of(view: View) -> PushDesk:
    """Raises Problem 404 where the city does not send to browsers."""
    push = desk_of(view).push
    if push is None:
        raise Problem(404, "this city sends no messages to browsers", "/subscribe has other ways")
    return push
