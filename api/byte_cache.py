"""Answers that many ask for at once, kept for a second in front of everything that makes them."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.compression import negotiate
from api.session import HEADER

KEPT_S = 1.0
_PATHS = ("/api/v1/readings", "/api/v1/stations", "/api/v1/properties", "/sta/")
_PRIVATE = frozenset({b"authorization", b"cookie", b"range", HEADER.lower().encode()})
_VARIES = frozenset({b"authorization", b"accept-encoding"})
_MOST_BYTES = 32 << 20
_MOST_OF_ONE = 1 << 20
_OVERHEAD = 2_000
Key: TypeAlias = tuple[str | bytes, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    until_s: float
    start: Message
    body: Message
    size: int


class ByteCache:
    """Keeps whole 200 answers to anonymous GETs that say `Cache-Control: public` and have an ETag.

    An address is its scheme, host, path as it came and query, and the coding the caller takes.
    Who asks for the same meanwhile waits for the first one's answer. At most 32 MB, 1 MB each; the least used
    goes first. What says no-cache, as every warning does, never comes from here.
    """

    def __init__(self, app: ASGIApp, kept_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._kept_s = kept_s
        self._now_s = now_s
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0
        self._asked: dict[Key, asyncio.Future[_Kept | None]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] != "GET" or not scope["path"].startswith(_PATHS):
            await self._app(scope, receive, send)
            return
        # of a header that comes twice the first is what answers are made from
        given: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        if not _PRIVATE.isdisjoint(given):
            await self._app(scope, receive, send)
            return
        key: Key = (
            scope["scheme"],
            given.get(b"host", b""),
            scope.get("root_path", ""),
            scope["path"],
            # SensorThings tells %2F from /
            scope.get("raw_path") or b"",
            scope["query_string"],
            negotiate(given.get(b"accept-encoding", b"")),
        )
        kept = self._fresh(key)
        running = self._asked.get(key)
        if kept is None and running is not None:
            kept = await asyncio.shield(running)
        elif kept is None:
            await self._ask(key, scope, receive, send)
            return
        if kept is None:
            await self._app(scope, receive, send)
            return
        await send({**kept.start})
        await send({**kept.body})

    async def _ask(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer, and keep that where it may be."""
        running = self._asked[key] = asyncio.get_running_loop().create_future()
        start: Message | None = None
        body: list[bytes] = []

        async def watch(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if _may_be_kept(message):
                    # layers above write their own headers into what they get
                    start = {**message, "headers": tuple(message["headers"])}
                else:
                    running.set_result(None)
            elif start is not None:
                body.append(message.get("body", b""))
                if not message.get("more_body", False):
                    running.set_result(self._keep(key, start, b"".join(body)))
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            del self._asked[key]
            if not running.done():
                running.set_result(None)

    def _fresh(self, key: Key) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until_s <= self._now_s():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept

    def _keep(self, key: Key, start: Message, body: bytes) -> _Kept:
        size = len(body) + _OVERHEAD
        message = {"type": "http.response.body", "body": body}
        kept = _Kept(self._now_s() + self._kept_s, start, message, size)
        self._drop(key)
        self._kept[key] = kept
        self._bytes += size
        while self._bytes > _MOST_BYTES:
            self._drop(next(iter(self._kept)))
        return kept

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.size


def _may_be_kept(start: Message) -> bool:
    headers: dict[bytes, bytes] = dict(start["headers"])
    varies = {each.strip().lower() for each in headers.get(b"vary", b"").split(b",") if each.strip()}
    length = headers.get(b"content-length", b"")
    return (
        start["status"] == 200  # noqa: PLR2004 - HTTP's OK
        and headers.get(b"cache-control", b"").startswith(b"public")
        and b"etag" in headers
        and b"set-cookie" not in headers
        and varies <= _VARIES
        and length.isdigit()
        and int(length) <= _MOST_OF_ONE
    )
