"""Headers of every answer, and HEAD, as one thin ASGI layer."""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import NEVER_ENDS, Problem
from api.services import BaseMap
from api.session import HEADER

_EXPOSED = "ETag, Link, Stadtfunk-Now, Retry-After, RateLimit, RateLimit-Policy"
_PREFLIGHT = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"If-None-Match, Last-Event-ID, Cache-Control"),
    (b"access-control-max-age", b"86400"),
)
_READS = {"GET", "HEAD", "OPTIONS"}
_PRIVATE = {b"authorization", HEADER.lower().encode()}
_OPERATORS = ("/api/v1/admin", "/metrics", "/console")
MOST_BYTES = 1 << 20
_READS_ITS_OWN = "/api/v1/admin/drill"
"""Knows who sends it before it takes more, and stops at a limit of its own."""


def content_security_policy(basemap: BaseMap | None) -> str:
    """Nothing inline, nothing from elsewhere but the tiles of the configured base map."""
    images = "'self' data:"
    if basemap is not None:
        parts = urlsplit(basemap.url)
        images += f" {parts.scheme}://{parts.netloc.replace('{s}', '*')}"
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; connect-src 'self'; "
        "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    )


class Headers:
    """Adds security headers, CORS for public reading and the service's clock; answers HEAD and preflights."""

    def __init__(self, app: ASGIApp, basemap: BaseMap | None, now: Callable[[], str]) -> None:
        self._app = app
        self._now = now
        self._always = (
            (b"content-security-policy", content_security_policy(basemap).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=(self)"),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = {name for name, _ in scope["headers"]}
        public = not scope["path"].startswith(_OPERATORS) and given.isdisjoint(_PRIVATE)
        if scope["method"] == "OPTIONS" and public and b"access-control-request-method" in given:
            await send({"type": "http.response.start", "status": 204, "headers": list(_PREFLIGHT)})
            await send({"type": "http.response.body", "body": b""})
            return
        head = scope["method"] == "HEAD" and scope["path"] != NEVER_ENDS

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers(public=public)]
            elif head:
                message = {**message, "body": b""}
            await send(message)

        refused = scope["method"] not in _READS and _from_elsewhere(scope)
        app = _refuse if refused else self._app
        if scope["path"] != _READS_ITS_OWN:
            if _announced(scope) > MOST_BYTES:
                app = _too_much
            receive = _limited(receive)
        await app({**scope, "method": "GET"} if head else scope, receive, send_with_headers)

    def _headers(self, *, public: bool) -> Iterable[tuple[bytes, bytes]]:
        yield from self._always
        yield b"stadtfunk-now", self._now().encode()
        if public:
            yield b"access-control-allow-origin", b"*"
            yield b"access-control-expose-headers", _EXPOSED.encode()


def _from_elsewhere(scope: Scope) -> bool:
    """Whether a page of another site makes a visitor's browser send this.

    The one cookie there is counts only beside a header that such a request cannot have (session.py). It would
    still ask from the visitor's address, past the limit per caller. Programs send neither header. Pages with
    Referrer-Policy no-referrer, as ours, say `Origin: null`: in a browser that does not say Sec-Fetch-Site
    that proves nothing, and is let through.
    """
    given: dict[bytes, str] = {name: value.decode("latin-1") for name, value in scope["headers"]}
    site = given.get(b"sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = given.get(b"origin", "null")
    if origin == "null":
        return False
    return urlsplit(origin).netloc.lower() != given.get(b"host", "").lower()


def _announced(scope: Scope) -> int:
    length: bytes = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() else 0


def _limited(receive: Receive) -> Receive:
    """A body is in memory before anybody asks who sends it: what does not end in time breaks off."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return message if taken <= MOST_BYTES else {"type": "http.disconnect"}

    return limited


async def _too_much(scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(413, f"more than {MOST_BYTES >> 10} kB", "send less at a time")
    await problem.response()(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    problem = Problem(403, "a page of another site sent this", "open the page of this city and send it there")
    await problem.response()(scope, receive, send)
