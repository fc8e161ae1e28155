"""Calls to residents without a smartphone: a telephone service is told whom to call and what to say.

Services of apprise's that call read TwiML or one language, so this is a signed request of our own, as
`webhook.py` makes them; a city's provider or its own telephone system takes it.
"""

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from alerts.delivery.bulk import Bulletin, Report, Unanswered
from alerts.delivery.webhook import Webhook, WebhookSender
from alerts.errors import MailError
from alerts.subscriptions.audiences import Recipient
from alerts.texts.text import Text

_ID_DIGITS = 32


@dataclass(slots=True)
class VoiceWay:
    """`service` takes the requests; `timeout_s`: how long it may take over one of them."""

    service: Webhook
    stopping: threading.Event
    timeout_s: float = 20.0
    lines: int = 2
    batch: int = 1
    unanswered: Unanswered = field(default_factory=Unanswered)

    def connect(self) -> "VoiceLine":
        """There is nothing to connect to before the first number."""
        return VoiceLine(self)


class VoiceLine:
    """One number at a time."""

    def __init__(self, way: VoiceWay) -> None:
        self._way = way
        self._sender = WebhookSender(way.service, way.timeout_s)

    def send(self, bulletin: Bulletin, to: Sequence[Recipient], report: Report) -> None:
        """As BulkLine."""
        for each in to:
            if self._way.stopping.is_set():
                return
            body = orjson.dumps(request(bulletin, each)).decode()
            outcome = self._sender.send(Text("", body), warns=not bulletin.end, stopping=self._way.stopping)
            if outcome.status in {"sent", "misconfigured"}:
                self._way.unanswered.over(bulletin.event, each.id)
                report(each.id, "sent" if outcome.status == "sent" else "refused")
            elif outcome.status == "refused":
                report(each.id, "later")
            else:
                if self._way.stopping.is_set():
                    report(each.id, "unknown")
                    return
                report(each.id, self._way.unanswered.again(bulletin.event, each.id))
                raise MailError("the telephone service gave no answer in time")

    def close(self) -> None:
        """As BulkLine."""


def request(bulletin: Bulletin, to: Recipient) -> dict[str, Any]:
    """What the service is asked: the same in every attempt, so that it calls nobody twice."""
    whole = f"{bulletin.event}\n{to.id}".encode()
    until_us = bulletin.valid_until_us
    until = datetime.fromtimestamp(until_us // 1_000_000, UTC).isoformat() if until_us else None
    return {
        "type": "call",
        "id": hashlib.sha256(whole).hexdigest()[:_ID_DIGITS],
        "to": to.contact.address,
        "language": "en" if bulletin.language == "en" else "de",
        "text": bulletin.spoken,
        "severity": bulletin.severity,
        "valid_until": until and until.replace("+00:00", "Z"),
    }
