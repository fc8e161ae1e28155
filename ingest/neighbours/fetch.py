"""A polite HTTP client: conditional requests, one deadline, a limit on bytes, and it says who is asking."""

import threading
import time
from dataclasses import dataclass, field

import urllib3

_CONNECT_S = 5.0
_READ_S = 10.0
_CHUNK = 64 << 10
_LONGEST_PAUSE_S = 6 * 3600.0
_OK, _NOT_MODIFIED, _REDIRECTS = 200, 304, range(300, 400)


@dataclass(frozen=True, slots=True)
class Body:
    """A new answer."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The source has nothing newer than what it gave last time."""


@dataclass(frozen=True, slots=True)
class Away:
    """No usable answer, in words. `pause_s`: how long the source asked us to wait."""

    detail: str
    pause_s: float = 0.0


@dataclass(slots=True)
class FetchStats:
    """Since the start."""

    requests: int = 0
    unchanged: int = 0
    failures: int = 0


@dataclass(slots=True)
class Fetcher:
    """Asks one source. `user_agent` says who we are; `whole_s` bounds a request; `give_up` ends it early."""

    user_agent: str
    whole_s: float = 30.0
    give_up: threading.Event = field(default_factory=threading.Event)
    stats: FetchStats = field(default_factory=FetchStats)
    _validators: dict[str, dict[str, str]] = field(default_factory=dict)
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(
            retries=False, timeout=urllib3.Timeout(connect=_CONNECT_S, read=_READ_S), maxsize=1
        )
    )

    def get(self, url: str, *, most_bytes: int) -> Body | Unchanged | Away:
        """The body behind an address, unless it is the one we had. Never raises for what a server does."""
        self.stats.requests += 1
        try:
            answer = self._get(url, most_bytes)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
            answer = Away(f"{url}: {fault or type(fault).__name__}"[:300])
        self.stats.unchanged += isinstance(answer, Unchanged)
        self.stats.failures += isinstance(answer, Away)
        return answer

    def forget(self, url: str) -> None:
        """What this address gave could not be used: ask for all of it next time."""
        self._validators.pop(url, None)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _get(self, url: str, most_bytes: int) -> Body | Unchanged | Away:
        end = time.monotonic() + self.whole_s
        headers = {"User-Agent": self.user_agent, **self._validators.get(url, {})}
        response = self._pool.request("GET", url, headers=headers, preload_content=False)
        done = False
        try:
            if response.status == _NOT_MODIFIED:
                return Unchanged()
            if response.status != _OK:
                return _refused(url, response)
            content = bytearray()
            while chunk := response.read1(_CHUNK):
                content += chunk
                if len(content) > most_bytes:
                    return Away(f"{url}: more than {most_bytes} bytes")
                if time.monotonic() > end or self.give_up.is_set():
                    return Away(f"{url}: not complete after {self.whole_s:g} s")
            done = True
        finally:
            # a connection with an answer left in it must not be used again
            response.release_conn() if done else response.close()
        given = {
            "If-None-Match": response.headers.get("ETag"),
            "If-Modified-Since": response.headers.get("Last-Modified"),
        }
        self._validators[url] = {name: value for name, value in given.items() if value}
        return Body(bytes(content))


def _refused(url: str, response: urllib3.BaseHTTPResponse) -> Away:
    if response.status in _REDIRECTS:
        target = response.headers.get("Location", "another address")
        return Away(f"{url}: moved to {target}: write the new address as url"[:300])
    try:
        pause_s = float(response.headers.get("Retry-After", 0))
    except ValueError:  # a date: our own back-off is as good
        pause_s = 0.0
    return Away(f"{url}: HTTP {response.status}", min(max(pause_s, 0.0), _LONGEST_PAUSE_S))
