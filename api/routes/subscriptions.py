"""/api/v1/subscriptions: residents subscribe to warnings, without an account."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from alerts.subscriptions.subscriptions import Held
from api.caller import AnyCaller, Operator
from api.problems import Problem
from api.responses import PRIVATE
from api.rfc3339 import format_us
from api.routes.audit import note
from api.routes.openapi import errors
from api.services import SubscriptionDesk
from api.subscription_bodies import (
    AddressItems,
    AddressQuery,
    ChoicesBody,
    HeldItem,
    LinkBody,
    PaperBody,
    RemoveBody,
    Sent,
    SubscriptionBody,
    body_of,
    read_json,
    request_body,
    wrong,
)
from api.visibility import View
from devices.registry import Station

router = APIRouter(prefix="/api/v1/subscriptions", tags=["subscriptions"])
staff_router = APIRouter(prefix="/api/v1/admin/subscriptions", tags=["operators"])
_BODY = (404, 413, 415, 422)


@router.post(
    "",
    status_code=202,
    response_class=Response,
    responses={202: {"model": Sent}, **errors(*_BODY, 429)},
    openapi_extra=request_body(SubscriptionBody),
)
async def subscribe(request: Request, view: AnyCaller) -> Response:
    """Ask for messages. The owner of the address gets a link to confirm; the answer is always the same."""
    desk = desk_of(view)
    desk.callers.count(request)
    body = await read_json(request, SubscriptionBody)
    chosen = body.choices(areas_of(view), gauges_of(view))
    who = body.contact(desk.subscriptions.channels)
    await run_in_threadpool(desk.subscriptions.ask, who, chosen, desk.words.version)
    return answer(Sent(), 202)


@router.post(
    "/link",
    status_code=202,
    response_class=Response,
    responses={202: {"model": Sent}, **errors(*_BODY, 429)},
    openapi_extra=request_body(LinkBody),
)
async def send_link(request: Request, view: AnyCaller) -> Response:
    """Send the owner of an address the link to view, change and end it. The answer is always the same."""
    desk = desk_of(view)
    desk.callers.count(request)
    body = await read_json(request, LinkBody)
    who = body.contact(desk.subscriptions.channels)
    await run_in_threadpool(desk.subscriptions.ask_link, who, body.language)
    return answer(Sent(), 202)


@router.post(
    "/addresses",
    response_class=Response,
    responses={200: {"model": AddressItems}, **errors(*_BODY)},
    openapi_extra=request_body(AddressQuery),
)
async def addresses(request: Request, view: AnyCaller) -> Response:
    """Houses of the city's own address file. By POST, so that no log keeps what somebody looks for."""
    desk = desk_of(view)
    query = await read_json(request, AddressQuery)
    found = await run_in_threadpool(desk.addresses.find, query.q)
    items = [
        {"label": f"{each.street} {each.number}".strip(), "lat": each.lat, "lon": each.lon} for each in found
    ]
    return answer({"items": items})


@router.get("/{token}", response_class=Response, responses={200: {"model": HeldItem}, **errors(404, 422)})
def look(token: str, view: AnyCaller) -> Response:
    """What a link stands for. Looking changes nothing: programs that scan mail open links."""
    held = desk_of(view).subscriptions.find(token)
    if held is None:
        raise gone()
    return answer(_item(held))


@router.post(
    "/{token}/confirm",
    response_class=Response,
    responses={
        200: {
            "description": "Confirmed; `token` of the link to view, change and end it",
            "content": {
                "application/json": {
                    "schema": {"type": "object", "properties": {"token": {"type": "string"}}}
                }
            },
        },
        **errors(404, 422),
    },
)
def confirm(token: str, view: AnyCaller) -> Response:
    """Begin what was asked for; once."""
    manage = desk_of(view).subscriptions.confirm(token)
    if manage is None:
        raise gone()
    return answer({"token": manage})


@router.put(
    "/{token}",
    response_class=Response,
    responses={200: {"model": HeldItem}, **errors(*_BODY)},
    openapi_extra=request_body(ChoicesBody),
)
async def change(token: str, request: Request, view: AnyCaller) -> Response:
    """Choose anew; what is left out falls back to its default."""
    desk = desk_of(view)
    body = await read_json(request, ChoicesBody)
    chosen = body.choices(areas_of(view), gauges_of(view))
    if not await run_in_threadpool(desk.subscriptions.change, token, chosen):
        raise gone()
    held = await run_in_threadpool(desk.subscriptions.find, token)
    if held is None:
        raise gone()
    return answer(_item(held))


@router.get(
    "/{token}/export",
    response_class=Response,
    responses={
        200: {
            "description": "All that is kept, as JSON",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        **errors(404, 422),
    },
)
def export(token: str, view: AnyCaller) -> Response:
    """All that is kept of a person (GDPR, articles 15 and 20)."""
    body = exported(view, token)
    headers = {"Content-Disposition": 'attachment; filename="stadtfunk.json"', **_HEADERS}
    return Response(orjson.dumps(body, option=orjson.OPT_INDENT_2), 200, headers, "application/json")


@router.delete("/{token}", status_code=204, response_class=Response, responses=errors(404, 422))
def delete(token: str, view: AnyCaller) -> Response:
    """End all messages and delete everything but the keyed hash that proves the consent."""
    if not desk_of(view).subscriptions.leave(token):
        raise gone()
    return Response(status_code=204, headers=_HEADERS)


@router.post("/{token}/unsubscribe", status_code=204, response_class=Response, responses=errors(404, 422))
def unsubscribe(token: str, view: AnyCaller) -> Response:
    """The same, as programs for mail do it with one click (RFC 8058)."""
    return delete(token, view)


@staff_router.post(
    "",
    status_code=204,
    response_class=Response,
    responses=errors(401, 403, *_BODY),
    openapi_extra=request_body(PaperBody),
)
async def enter(request: Request, view: Operator) -> Response:
    """Enter a signed paper form; the consent is logged with the name of who enters it."""
    desk = desk_of(view)
    body = await read_json(request, PaperBody)
    now_us = view.services.clock()
    if format_us(now_us + 86_400_000_000)[:10] < body.form_date.isoformat():
        raise wrong({"form_date": "lies in the future"})
    chosen = body.choices(areas_of(view), gauges_of(view))
    who = body.contact(desk.subscriptions.channels, staff=True)
    await run_in_threadpool(
        desk.subscriptions.enter, who, chosen, desk.words.version, body.staff, body.form_date
    )
    what = f"signed form of {body.form_date.isoformat()}"
    await run_in_threadpool(note, view, body.staff, "subscription enter", who.channel, what)
    return Response(status_code=204, headers=_HEADERS)


@staff_router.post(
    "/remove",
    status_code=204,
    response_class=Response,
    responses=errors(401, 403, *_BODY),
    openapi_extra=request_body(RemoveBody),
)
async def remove(request: Request, view: Operator) -> Response:
    """End the subscription of somebody who asked for it by telephone or letter, if there is one."""
    desk = desk_of(view)
    body = await read_json(request, RemoveBody)
    who = body.contact(desk.subscriptions.channels, staff=True)
    await run_in_threadpool(desk.subscriptions.remove, who)
    await run_in_threadpool(note, view, body.staff, "subscription remove", who.channel, "on request")
    return Response(status_code=204, headers=_HEADERS)


_HEADERS = {"Cache-Control": PRIVATE, "X-Robots-Tag": "noindex"}


def desk_of(view: View) -> SubscriptionDesk:
    """Raises Problem 404 where the city offers no subscriptions."""
    if view.services.subscriptions is None:
        raise Problem(404, "this city offers no subscriptions", "the warnings in force: /api/v1/warnings")
    return view.services.subscriptions


def areas_of(view: View) -> dict[str, dict[str, str]]:
    """Names of the areas to choose from, by id."""
    return {each.id: dict(each.names()) for each in view.services.areas.areas}


def gauges_of(view: View) -> dict[str, Station]:
    """The public gauges to choose from, by id."""
    public = View(view.services, view.book).stations
    return {id_: each for id_, each in sorted(public.items()) if each.stages_cm or each.water}


def gone() -> Problem:
    """The same for every link that is not good, whatever it was once."""
    return Problem(404, "this link is not valid any more", "/subscribe sends a new one to your address")


def exported(view: View, token: str) -> dict[str, Any]:
    """All that is kept of a person. Raises Problem 404."""
    found = desk_of(view).subscriptions.export(token)
    if found is None:
        raise gone()
    known, consents = found
    times = ("asked_us", "given_us", "ended_us")
    return {
        "channel": known.secrets.contact.channel,
        "address": known.secrets.contact.address,
        "choices": body_of(known.choices).model_dump(mode="json"),
        "created": format_us(known.created_us),
        "changed": format_us(known.changed_us),
        "consents": [
            {
                **{key: value for key, value in each.items() if key not in times},
                **{key[:-3]: None if each[key] is None else format_us(each[key]) for key in times},
            }
            for each in consents
        ],
    }


def answer(body: BaseModel | dict[str, Any], status: int = 200) -> Response:
    """JSON that no cache keeps."""
    content = body.model_dump(mode="json") if isinstance(body, BaseModel) else body
    return Response(orjson.dumps(content), status, _HEADERS, "application/json")


def _item(held: Held) -> dict[str, Any]:
    choices = None if held.kind == "leave" else body_of(held.choices).model_dump(mode="json")
    return {
        "link": held.kind,
        "channel": held.contact.channel,
        "address": held.contact.masked,
        "choices": choices,
    }
