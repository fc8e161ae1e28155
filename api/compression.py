"""Answers packed on the way out, and 304 for those that are known: ETags tell one coding from another."""

import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, Protocol, TypeAlias

import brotli  # type: ignore[import-untyped]  # it has no types
from fastapi.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.responses import matches

Coding: TypeAlias = Literal["br", "gzip", ""]
_LEAST_BYTES = 1024
_LONG = 1 << 16
_PART = 206
_BR_QUALITY = 4
_GZIP_LEVEL = 6
_GZIP_WINDOW = 31
_PACKED_WELL = (
    *("text/", "application/json", "application/geo+json", "application/ld+json", "application/problem+json"),
    *(
        "application/xml",
        "application/rdf+xml",
        "application/atom+xml",
        "application/cap+xml",
        "image/svg+xml",
    ),
    *("application/javascript", "application/manifest+json"),
)
_NEVER = "text/event-stream"
_SECRETS = ("/console", "/subscriptions", "/subscribe", "/api/v1/subscriptions", "/api/v1/admin")
"""A secret beside what somebody else chose, packed together, can be guessed by its length."""


class Packer(Protocol):
    """Packs a body piece by piece."""

    def process(self, data: bytes) -> bytes:
        """The next piece; all of it comes out."""

    def finish(self) -> bytes:
        """What is still to come."""


class _Gzip:
    def __init__(self) -> None:
        self._packer = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def process(self, data: bytes) -> bytes:
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._packer.flush()


class _Brotli:
    def __init__(self) -> None:
        self._packer = brotli.Compressor(quality=_BR_QUALITY)

    def process(self, data: bytes) -> bytes:
        return bytes(self._packer.process(data) + self._packer.flush())

    def finish(self) -> bytes:
        return bytes(self._packer.finish())


_PACKERS: dict[Coding, Callable[[], Packer]] = {"br": _Brotli, "gzip": _Gzip}


class Compression:
    """Packs text over 1 kB as the caller takes it, streams piece by piece; no events, nothing with secrets.

    The ETag of a packed answer ends with its coding: they are other bytes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"].startswith(_SECRETS):
            await self._app(scope, receive, send)
            return
        accepted = next((value for name, value in scope["headers"] if name == b"accept-encoding"), b"")
        await self._app(scope, receive, _Answer(negotiate(accepted), send))


class _Answer:
    """One answer on its way out."""

    def __init__(self, coding: Coding, send: Send) -> None:
        self._coding = coding
        self._send = send
        self._start: Message | None = None
        self._packer: Packer | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if _packs_well(message):
                message = {**message, "headers": _varying(message["headers"])}
                if self._coding and not _short(message):
                    self._start = message
                    return
            await self._send(message)
        elif self._start is not None:
            await self._first(self._start, message)
            self._start = None
        elif self._packer is not None:
            await self._piece(message)
        else:
            await self._send(message)

    async def _first(self, start: Message, message: Message) -> None:
        self._packer = _PACKERS[self._coding]()
        whole = not message.get("more_body", False)
        body = await self._pack(self._packer, message)
        headers = []
        for name, value in start["headers"]:
            if name == b"content-length":
                continue
            if name == b"etag":
                headers.append((name, value.removesuffix(b'"') + f'-{self._coding}"'.encode()))
            else:
                headers.append((name, value))
        headers.append((b"content-encoding", self._coding.encode()))
        if whole:
            headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**start, "headers": headers})
        await self._send({**message, "body": body})

    async def _piece(self, message: Message) -> None:
        assert self._packer is not None  # noqa: S101 - the caller has looked
        await self._send({**message, "body": await self._pack(self._packer, message)})

    @staticmethod
    async def _pack(packer: Packer, message: Message) -> bytes:
        body: bytes = message.get("body", b"")
        last = not message.get("more_body", False)

        def work() -> bytes:
            return (packer.process(body) if body else b"") + (packer.finish() if last else b"")

        return await run_in_threadpool(work) if len(body) > _LONG else work()


class Conditional:
    """Answers 304 where If-None-Match names the ETag that an answer would have, packed as it would be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        asked = None
        if scope["type"] == "http" and scope["method"] == "GET":
            asked = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
        if asked is None:
            await self._app(scope, receive, send)
            return
        known = asked.decode("latin-1")
        same = False

        async def compare(message: Message) -> None:
            nonlocal same
            if message["type"] == "http.response.start" and message["status"] == 200:  # noqa: PLR2004 - OK
                etag = dict(message["headers"]).get(b"etag", b"").decode("latin-1")
                same = bool(etag) and matches(known, etag)
                if same:
                    kept = [each for each in message["headers"] if each[0] not in _OF_THE_BODY]
                    message = {**message, "status": 304, "headers": kept}
            elif same and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        headers = [each for each in scope["headers"] if each[0] != b"if-none-match"]
        await self._app({**scope, "headers": headers}, receive, compare)


_OF_THE_BODY = frozenset({b"content-length", b"content-type", b"content-encoding"})


def negotiate(accepted: bytes) -> Coding:
    """The coding for an Accept-Encoding header (RFC 9110, 12.5.3): br before gzip, "" for none."""
    return _negotiate(accepted[:200])


@lru_cache(maxsize=256)
def _negotiate(accepted: bytes) -> Coding:
    weights: dict[str, float] = {}
    for each in accepted.decode("latin-1").lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        weights[name] = weight
    best: Coding = ""
    most = 0.0
    for coding in _PACKERS:
        weight = weights.get(coding, weights.get("*", 0.0))
        if weight > most:
            best, most = coding, weight
    return best if most >= weights.get("identity", 0.0) else ""


def _packs_well(start: Message) -> bool:
    headers: dict[bytes, bytes] = dict(start["headers"])
    kind = headers.get(b"content-type", b"").decode("latin-1")
    return (
        start["status"] != _PART
        and kind.startswith(_PACKED_WELL)
        and not kind.startswith(_NEVER)
        and b"content-encoding" not in headers
        and b"no-transform" not in headers.get(b"cache-control", b"")
    )


def _short(start: Message) -> bool:
    length: bytes = dict(start["headers"]).get(b"content-length", b"")
    return length.isdigit() and int(length) < _LEAST_BYTES


def _varying(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    before = [value for name, value in headers if name == b"vary"]
    others = [each for each in headers if each[0] != b"vary"]
    return [*others, (b"vary", b", ".join([*before, b"Accept-Encoding"]))]
