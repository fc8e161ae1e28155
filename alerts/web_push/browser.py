"""A browser that wants messages, as its PushSubscription names it, and which ones are believed.

The address is one that a stranger gives, and we send to it: only https, only hosts of known push services,
no port, no user, no IP address. Where the host's name leads is looked at when connecting (public_https.py).
"""

import base64
import binascii
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from alerts.errors import ContactError

AUTH_BYTES = 16  # RFC 8291, 3.2
_POINT_BYTES = 65
_MOST = 2048
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# one expression reads the whole address: what two parsers read differently is no match
_ENDPOINT = re.compile(rf"https://((?:{_LABEL}\.)+[a-z]{{2,63}})(/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)")
_HOST = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)+[a-z]{{2,63}}")
_FILE = Path(__file__).with_name("push_services.toml")


@dataclass(frozen=True, slots=True)
class Browser:
    """`endpoint`: where to post; `p256dh`: its public key, uncompressed point; `auth`: 16 secret bytes."""

    endpoint: str = field(repr=False)
    p256dh: bytes = field(repr=False)
    auth: bytes = field(repr=False)

    @property
    def host(self) -> str:
        """Of the push service."""
        return _split(self.endpoint)[0]

    @property
    def path(self) -> str:
        """Behind the host, with the query."""
        return _split(self.endpoint)[1]

    @property
    def text(self) -> str:
        """All of it as one line; `read_browser` reads it."""
        return f"{self.endpoint} {encoded(self.p256dh)} {encoded(self.auth)}"


class PushServices:
    """Hosts that may be sent to: the shipped ones and those a city adds."""

    def __init__(self, more: Sequence[str] = ()) -> None:
        shipped = tomllib.loads(_FILE.read_text(encoding="utf-8"))["service"]
        self._hosts = tuple(dict.fromkeys((*(each["host"] for each in shipped), *map(read_host, more))))

    def __contains__(self, host: str) -> bool:
        return any(host.endswith(each[1:]) if each.startswith("*.") else host == each for each in self._hosts)

    def browser(self, endpoint: str, p256dh: str, auth: str) -> Browser:
        """What a browser's PushSubscription says. Raises ContactError, which repeats nothing of it."""
        found = read_browser(f"{endpoint} {p256dh} {auth}")
        if found.host not in self:
            raise ContactError("this push service is not known here")
        return found


def read_host(text: str) -> str:
    """A host or `*.` and the end of one. Raises ValueError."""
    if not _HOST.fullmatch(text):
        raise ValueError("expected a host such as push.example.org or *.push.example.org")
    return text


def read_browser(text: str) -> Browser:
    """The opposite of `Browser.text`; says nothing about the host. Raises ContactError."""
    parts = text.split(" ")
    if len(parts) != 3 or len(parts[0]) > _MOST:  # noqa: PLR2004 - see Browser.text
        raise ContactError("this is no browser's push subscription")
    _split(parts[0])
    point, auth = decoded(parts[1]), decoded(parts[2])
    if len(auth) != AUTH_BYTES or len(point) != _POINT_BYTES:
        raise ContactError("these are no keys of a push subscription")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise ContactError("these are no keys of a push subscription") from error
    return Browser(parts[0], point, auth)


def encoded(data: bytes) -> str:
    """Base64 for addresses, without padding (RFC 4648, 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The opposite. Raises ContactError."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise ContactError("these are no keys of a push subscription") from error


def _split(endpoint: str) -> tuple[str, str]:
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None:
        raise ContactError("this is no address of a push service")
    return found[1], found[2]
