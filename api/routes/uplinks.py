"""/api/v1/uplinks: network servers that send their messages by HTTP."""

import asyncio
import hmac
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import ClientDisconnect

from api.problems import Problem
from api.routes.openapi import errors
from api.tokens import hash_token
from ingest.http_push import NoRoom
from ingest.pipeline import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from api.services import PushDoor, Services

router = APIRouter(prefix="/api/v1/uplinks", tags=["network servers"])
ANSWER_S = 10.0
"""So long a request waits for the journal; the message may still become durable after that."""
BODY_S = 10.0
"""So long a request's body may take."""
_CLOSE = {"Connection": "close"}
_AGAIN_S = "5"
_MOST_EVENT = 20
_REALM = 'Bearer realm="stadtfunk uplinks"'
_bearer = HTTPBearer(auto_error=False, scheme_name="NetworkServer", description="A network server's token")
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"One message as the network server writes it; at most {MAX_MESSAGE_BYTES >> 10} kB",
        "content": {"application/json": {}, "application/octet-stream": {}},
    }
}


@router.post(
    "/{server}",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Durable here"}, **errors(401, 403, 408, 413, 415, 422, 429, 503)},
    openapi_extra=_BODY,
)
async def push(
    request: Request,
    server: Annotated[str, Path(max_length=100, description="name of the [[network_server]]")],
    _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Response:
    """Take one message of a network server, answered with 2xx when it is durable here: send it until then.

    A message that had arrived before, or that cannot be read, is answered in the same way. `event` in the
    query names what it is where the message does not say it itself, as ChirpStack does.
    """
    services: Services = request.app.state.services
    door = _door(services.pushes, server, request.headers.get("authorization"))
    payload = await _body(request)
    if payload is None:
        return Response(status_code=400)  # for nobody: the connection is gone
    done = door.server.receive(f"push/{_event(request)}", payload)
    if isinstance(done, NoRoom):
        status = 429 if done is NoRoom.WAITING else 503
        raise Problem(status, done.value, "send it again later", {"Retry-After": _AGAIN_S})
    await _durable(done)
    return Response(status_code=204)


def _door(doors: "Mapping[str, PushDoor]", name: str, authorization: str | None) -> "PushDoor":
    """The network server that the path and the token agree about."""
    if not doors:
        raise Problem(
            403,
            "no network server may send here",
            "`stadtfunk token` makes a token; put its hash as push_token under the [[network_server]]",
        )
    scheme, _, token = (authorization or "").partition(" ")
    given = hash_token(token.strip()).encode() if scheme.lower() == "bearer" else b""
    known = [key for key, door in doors.items() if hmac.compare_digest(given, door.sha256.encode())]
    if not known:
        invalid = ', error="invalid_token"' if authorization else ""
        raise Problem(
            401,
            "this address is for network servers",
            "send `Authorization: Bearer TOKEN` with the token of this [[network_server]]",
            {"WWW-Authenticate": f"{_REALM}{invalid}"},
        )
    if name not in known:
        raise Problem(403, "this token is for another network server", "send to /api/v1/uplinks/ITS-NAME")
    return doors[name]


async def _body(request: Request) -> bytes | None:
    """None when it broke off."""
    coding = request.headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        # taken as it is, it would be kept as unreadable, answered with 2xx and never sent again
        raise Problem(
            415, f"a packed body: {coding[:50]!r}", "send it unpacked", {"Accept-Encoding": "identity"}
        )
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            # read on when it is too long: who has sent it all hears why. What has no end breaks off at 1 MB
            async for chunk in request.stream():
                body += chunk[: MAX_MESSAGE_BYTES + 1 - len(body)]
    except ClientDisconnect:
        if len(body) <= MAX_MESSAGE_BYTES:
            return None
    except TimeoutError:
        late = f"the body was not here after {BODY_S:g} s"
        raise Problem(408, late, "send it again", _CLOSE) from None
    if len(body) > MAX_MESSAGE_BYTES:
        most = f"more than {MAX_MESSAGE_BYTES >> 10} kB"
        raise Problem(413, most, "send one message a request", _CLOSE)
    return bytes(body)


def _event(request: Request) -> str:
    event = request.query_params.get("event", "up")
    return event if event.isascii() and event.isalpha() and len(event) <= _MOST_EVENT else "up"


async def _durable(done: "Future[None]") -> None:
    try:
        await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(done)), ANSWER_S)
    except TimeoutError:
        raise Problem(
            503, "not durable yet", "send it again: it counts once", {"Retry-After": _AGAIN_S}
        ) from None
