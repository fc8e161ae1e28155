"""How often one address may ask, told in every answer (draft-ietf-httpapi-ratelimit-headers)."""

import hashlib
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import network
from api.problems import Problem
from api.services import TokenHash
from api.tokens import operator

LONG = 20
"""A download of a whole span counts as so many requests."""
OPERATORS = 10
"""So many times as many for who has an operator's token."""
_WINDOW_S = 60.0
_MOST_KEPT = 100_000
NEVER_REFUSED = (
    *("/livez", "/readyz", "/metrics", "/api/v1/uplinks", "/api/v1/stream", "/assets/"),
    *("/api/v1/warnings", "/api/v1/city-warnings", "/api/v1/official-warnings", "/cap/", "/compat/nina/"),
)
_PLAIN = frozenset(
    {
        *("/", "/sw.js", "/app.webmanifest", "/favicon.ico"),
        *("/api/v1/stations", "/api/v1/readings/latest", "/api/v1/areas", "/api/v1/parking"),
    }
)
"""What the residents' page shows: without parameters it costs nothing that grows with who asks."""


class RequestLimit:
    """So many requests a minute from one IPv4 address or IPv6 /64, as a bucket that fills evenly.

    Warnings, CAP, network servers and whoever watches the service are never refused, nor what the residents'
    page begins with: behind one address of a mobile network are thousands, and in a flood all of them look.
    Kept is a hash under a key that nobody has, of at most 100,000 addresses; whoever is forgotten early may
    ask more.
    """

    def __init__(
        self,
        app: ASGIApp,
        per_minute: int,
        tokens: Sequence[TokenHash] = (),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._per_minute = per_minute
        self._tokens = tokens
        self._now_s = now_s
        self._key = os.urandom(32)
        self._full_s: OrderedDict[bytes, float] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or _is_free(scope):
            await self._app(scope, receive, send)
            return
        who, most = self._caller(scope)
        weight = LONG if ("limit", "all") in parse_qsl(scope["query_string"].decode("latin-1")) else 1
        left, wait_s, full_s = self._take(who, most, weight)
        headers = [
            (b"ratelimit-policy", f'"address";q={most};w={_WINDOW_S:.0f}'.encode()),
            (b"ratelimit", f'"address";r={left};t={math.ceil(full_s)}'.encode()),
        ]

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        if wait_s > 0:
            after = str(math.ceil(wait_s))
            refused = Problem(
                429,
                f"more than {most} requests a minute from one address",
                f"try again in {after} s; read what changes by /api/v1/stream, and history by limit=all",
                {"Retry-After": after},
            )
            await refused.response()(scope, receive, tell)
            return
        await self._app(scope, receive, tell)

    def _caller(self, scope: Scope) -> tuple[bytes, int]:
        """Who asks, hashed, and how often they may in a minute."""
        given = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        if given is not None:
            try:
                name = operator(given.decode("latin-1"), self._tokens)
            except Problem:  # the route says so; who guesses tokens is counted like everybody
                name = None
            if name is not None:
                return b"operator " + name.encode(), self._per_minute * OPERATORS
        host = scope["client"][0] if scope["client"] else ""
        return hashlib.blake2b(network(host), key=self._key, digest_size=16).digest(), self._per_minute

    def _take(self, who: bytes, most: int, weight: int) -> tuple[int, float, float]:
        """Requests left, seconds to wait (0: none), seconds until all are there again."""
        now = self._now_s()
        each_s = _WINDOW_S / most
        full_s = max(self._full_s.get(who, now), now)
        after = full_s + min(weight, most) * each_s
        wait_s = after - now - _WINDOW_S
        # a sum of many small times is not exact
        if wait_s > each_s / 1000:
            return max(0, int((_WINDOW_S - (full_s - now)) / each_s + 1e-6)), wait_s, full_s - now
        self._full_s[who] = after
        self._full_s.move_to_end(who)
        self._forget(now)
        return max(0, int((_WINDOW_S - (after - now)) / each_s + 1e-6)), 0.0, after - now

    def _forget(self, now: float) -> None:
        """Whose bucket is full again is as good as unknown; the one longest silent goes first."""
        for _ in range(2):
            oldest = next(iter(self._full_s))
            if self._full_s[oldest] > now and len(self._full_s) <= _MOST_KEPT:
                return
            del self._full_s[oldest]
            if not self._full_s:
                return


def _is_free(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.startswith(NEVER_REFUSED) or (path in _PLAIN and not scope["query_string"])
