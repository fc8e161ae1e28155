"""How often one caller may ask, counted in memory."""

import hashlib
import ipaddress
import os
import threading
import time
from collections.abc import Callable

from fastapi import Request

from alerts.errors import BusyError

DEFAULT_ASKS_AN_HOUR = 60
_HOUR_S = 3600.0
_MOST_KEPT = 100_000
_V6_BITS = 64  # what one connection to the internet is given


class CallerLimit:
    """So many requests an hour from one IPv4 address or IPv6 /64. Thread-safe.

    Kept is a hash under a key that nobody has, for an hour at most. Behind a reverse proxy everybody has its
    address, unless [api] trusted_proxies names it.
    """

    def __init__(self, most: int = DEFAULT_ASKS_AN_HOUR, now_s: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now_s = now_s
        self._lock = threading.Lock()
        self._began_s = now_s()
        self._key = os.urandom(32)
        self._counts: dict[bytes, int] = {}

    def count(self, request: Request) -> None:
        """Count a request. Raises BusyError for one too many."""
        caller = hashlib.blake2b(network(request.client.host if request.client else ""), key=self._key)
        who = caller.digest()
        with self._lock:
            passed_s = self._now_s() - self._began_s
            # forgetting early lets somebody ask more; refusing the next would let anybody shut out all
            if passed_s >= _HOUR_S or len(self._counts) >= _MOST_KEPT:
                self._began_s += passed_s
                passed_s = 0.0
                self._counts.clear()
            count = self._counts.get(who, 0)
            if count >= self._most:
                raise BusyError(max(1, round(_HOUR_S - passed_s)))
            self._counts[who] = count + 1


def network(host: str) -> bytes:
    """The IPv4 address or IPv6 /64 of a host, or its name."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host.encode()
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return ip.packed[: _V6_BITS // 8]
        return ip.ipv4_mapped.packed
    return ip.packed
