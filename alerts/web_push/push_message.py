"""What a browser is told: the JSON that the service worker (sw.js) reads, and how urgent it is."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from alerts.event import Severity
from alerts.scale import Language, rank
from alerts.web_push.browser import encoded
from alerts.web_push.encryption import MOST_BYTES

MOST_TTL_S = 28 * 86_400
"""Push services keep nothing for longer."""
_TITLE = 200
_TOPIC_BYTES = 24  # 32 characters, the most there may be (RFC 8030, 5.4)
_MORE = "…"
_SEVERE = rank("Severe")


@dataclass(frozen=True, slots=True)
class PushMessage:
    """One notification. `tag`: what it is about; a later one of the same tag takes its place.

    `url`: below our own address, opened by a click. `time_us`: when it was said; `ttl_s`: how long it is
    worth delivering. `urgent`: wakes the telephone and stays until somebody has seen it.
    """

    title: str
    body: str
    tag: str
    url: str
    time_us: int
    ttl_s: int
    language: Language = "de"
    urgent: bool = False

    @property
    def payload(self) -> bytes:
        """The JSON; a body that is too long is cut at its end, the first words being the ones that count."""
        title = _cut(self.title, _TITLE)
        body, most = self.body, len(self.body)
        while len(data := orjson.dumps(self._content(title, body))) > MOST_BYTES:
            # a character has up to 6 bytes of JSON: not more than too much is cut at once
            most -= max((len(data) - MOST_BYTES) // 6, 1)
            body = _cut(self.body, most)
        return data

    @property
    def headers(self) -> Mapping[str, str]:
        """TTL, Urgency and Topic (RFC 8030, 5.2 to 5.4)."""
        return {
            "TTL": str(min(max(self.ttl_s, 0), MOST_TTL_S)),
            "Urgency": "high" if self.urgent else "normal",
            "Topic": encoded(hashlib.sha256(self.tag.encode()).digest()[:_TOPIC_BYTES]),
        }

    def _content(self, title: str, body: str) -> dict[str, Any]:
        return {
            "title": title,
            "body": body,
            "tag": self.tag,
            "url": self.url,
            "time": self.time_us // 1000,
            "lang": self.language,
            "urgent": self.urgent,
        }


def urgent(severity: Severity) -> bool:
    """Whether a push service should wake a sleeping telephone: from Severe."""
    return rank(severity) >= _SEVERE


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + _MORE
