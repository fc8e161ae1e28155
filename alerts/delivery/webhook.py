"""Alerts for machines: signed JSON by HTTP POST, as Standard Webhooks 1.0.0 has it.

`webhook-signature` is `v1,` and the base64 of the HMAC-SHA256 over `id.timestamp.body`, by the secret that
both sides know. The id is the same in every attempt: the receiver drops what it has seen.
"""

import base64
import binascii
import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util import Retry as Urllib3Retry
from urllib3.util import Timeout

from alerts.delivery.calls import MOST_HANGING, Calls
from alerts.delivery.channels import Channel, Outcome
from alerts.errors import AlertsConfigError
from alerts.texts.text import Text
from devices.errors import Fault

_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)
_CONNECT_S = 5.0
_READ_S = 10.0
_WHOLE_S = 20.0
_MOST_RETRY_AFTER_S = 3600.0
_GONE = 410
_WAIT = (429, 503)
_ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Webhook(Channel):
    """A channel whose receiver is a program: it hears of each event by itself. Raises AlertsConfigError."""

    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        # super() does not know the class that slots=True has made anew
        Channel.__post_init__(self)
        faults = []
        if not _is_address(self.url):
            faults.append(_fault(self.name, "url", "is no address", "write https://host/path, without user"))
        try:
            read_secret(self.secret)
        except ValueError as error:
            faults.append(
                _fault(self.name, "secret", str(error), 'make one: echo "whsec_$(openssl rand -base64 32)"')
            )
        if faults:
            raise AlertsConfigError(*faults)

    @property
    def by_incident(self) -> bool:
        """Never: a program gathers for itself."""
        return False


def read_secret(text: str) -> bytes:
    """The key in `whsec_` and base64. Raises ValueError, without the secret."""
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_PREFIX) or len(key) not in _SECRET_BYTES:
        raise ValueError(f"is not {_PREFIX} and the base64 of 24 to 64 random bytes")
    return key


def signature(key: bytes, id_: str, timestamp_s: int, body: bytes) -> str:
    """What stands in webhook-signature."""
    signed = f"{id_}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class WebhookSender:
    """Posts what payload() wrote. `now`: the world's time (s), by which receivers refuse what is old."""

    def __init__(
        self, webhook: Webhook, timeout_s: float = _WHOLE_S, now: Callable[[], float] = time.time
    ) -> None:
        self._webhook = webhook
        self._key = read_secret(webhook.secret)
        self._now = now
        self._timeout_s = timeout_s
        self._calls = Calls(webhook.name, timeout_s)
        self._pool = urllib3.PoolManager(maxsize=2)

    def send(self, text: Text, *, warns: bool, stopping: threading.Event) -> Outcome:  # noqa: ARG002 - Sender's
        """Post it and say what became of it; returns soon once `stopping` is set. Never raises."""
        if self._calls.hanging >= MOST_HANGING:
            return Outcome("refused", f"{MOST_HANGING} earlier calls still hang")
        body = text.body.encode()
        outcome = self._calls.run(lambda: self._post(body), stopping)
        if outcome is not None:
            return outcome
        if stopping.is_set():
            return Outcome("unknown", "stopped in the middle of the call")
        return Outcome("unknown", f"no answer within {self._timeout_s:g} s")

    def _post(self, body: bytes) -> Outcome:
        id_ = "msg_" + hashlib.sha256(body).hexdigest()[:_ID_DIGITS]
        timestamp_s = int(self._now())
        headers = {
            "content-type": "application/json",
            "user-agent": "Stadtfunk",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": signature(self._key, id_, timestamp_s, body),
        }
        try:
            answer = self._pool.request(
                "POST",
                self._webhook.url,
                body=body,
                headers=headers,
                timeout=Timeout(connect=_CONNECT_S, read=min(_READ_S, self._timeout_s)),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (NewConnectionError, ConnectTimeoutError):
            return Outcome("refused", "cannot connect")
        except SSLError:
            return Outcome("refused", "TLS failed: look at the receiver's certificate")
        except ReadTimeoutError:
            return Outcome("unknown", "no answer in time")
        except (HTTPError, OSError, ValueError) as fault:
            # what it says may repeat the address
            return Outcome("unknown", type(fault).__name__)
        # what it says is of no interest, and may be endless
        answer.close()
        return _outcome(answer)


def _outcome(answer: Any) -> Outcome:
    status: int = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - RFC 9110, 15.3
        return Outcome("sent")
    if status == _GONE:
        return Outcome(
            "misconfigured", "answered 410: the receiver wants no more; remove it or renew the url"
        )
    if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, 15.4
        return Outcome("refused", f"answered {status}: redirects are not followed")
    after_s = _retry_after_s(answer.headers.get("retry-after")) if status in _WAIT else 0.0
    return Outcome("refused", f"answered {status}", after_s)


def _retry_after_s(text: str | None) -> float:
    """Seconds, at most an hour: no receiver may keep itself from being warned for longer."""
    try:
        return min(Urllib3Retry().parse_retry_after(text or "0"), _MOST_RETRY_AFTER_S)
    except (InvalidHeader, OverflowError, ValueError):
        return 0.0


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return (
        fine
        and not parts.username
        and not parts.fragment
        and url.isascii()
        and url.isprintable()
        and " " not in url
    )


def _fault(name: str, key: str, problem: str, remedy: str) -> Fault:
    return Fault("[[alerts.webhook]]", f"{name or '?'}.{key}", problem, remedy)
