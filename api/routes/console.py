"""/console: the pages where staff decide, register devices and tell what they counted; they hold no data."""

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from api.caller import AnyCaller
from api.problems import Problem
from api.responses import PRIVATE
from api.subscription_bodies import read_form
from api.tokens import demand_operator

router = APIRouter(prefix="/console", include_in_schema=False)
START, INBOX, PARKING = "/console/incidents", "/console/inbox", "/console/parking"
_HEADERS = {"Cache-Control": PRIVATE, "X-Robots-Tag": "noindex"}
_OWN = re.compile(rf"({START}|{INBOX}|{PARKING})(/[\w.:%~-]+)?")
_TOKEN = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]{1,500}")
"""What a cookie can carry as it is."""


@router.get("")
def console() -> Response:
    """Where staff begin."""
    return RedirectResponse(START, 307)


@router.get("/incidents")
@router.get("/incidents/{id_}")
@router.get("/inbox")
@router.get("/inbox/{dev_eui}")
@router.get("/parking")
def page(request: Request) -> Response:
    """A page; its scripts ask for the data, or for a token where there is no session.

    A link in a message opens it: a cookie that no other site can make a browser send is not sent then either.
    """
    return _page(request, 200)


@router.post("/login")
async def login(request: Request, view: AnyCaller) -> Response:
    """Begin a session. The token comes in the body, so that no address and no log holds it."""
    fields = dict(await read_form(request))
    token, asked = fields.get("token", "").strip(), fields.get("next", "")
    target = asked if _OWN.fullmatch(asked) else START
    try:
        demand_operator(f"Bearer {token}", view.services.tokens)
    except Problem as problem:
        return _page(request, problem.status, next=target)
    if not _TOKEN.fullmatch(token):
        raise Problem(422, "a cookie cannot carry this token", "`stadtfunk token` makes one that it can")
    response = RedirectResponse(target, 303, _HEADERS)
    # a proxy may have ended the TLS: the page says what the browser used
    secure = "https" in {request.url.scheme, fields.get("scheme", "").rstrip(":")}
    session.begin(response, token, secure=secure)
    return response


@router.post("/logout")
def logout() -> Response:
    """End the session of this browser."""
    response = RedirectResponse(START, 303, _HEADERS)
    session.end(response)
    return response


def _page(request: Request, status: int, **values: object) -> Response:
    known = {"refused": {401: "refused", 403: "closed"}.get(status, ""), "next": request.url.path}
    shown = {**known, **values}
    own = {INBOX: "inbox.html", PARKING: "parking.html"}
    template = next((own[path] for path in own if str(shown["next"]).startswith(path)), "console.html")
    content = request.app.state.pages.render(template, **shown)
    return Response(content, status, _HEADERS, "text/html")
