"""A mailing to browsers: notices and warnings of the city."""

import threading
import time
from collections.abc import Callable, Sequence

from alerts.delivery.bulk import BulkLine, Bulletin, Report
from alerts.errors import MailError, SubscriptionsError
from alerts.subscriptions.audiences import Recipient
from alerts.subscriptions.contact import Contact
from alerts.web_push.push_message import PushMessage, urgent
from alerts.web_push.push_sender import PushSender

LINES = 16
BATCH = 4
_TTL_S = 6 * 3600
"""For what says no end: a notice of yesterday's rain is no use."""


class PushBulk:
    """Hands bulletins to the push services. `url`: what a click opens; `gone`: drops who wants no more.

    A message that comes twice is shown once: both have the same tag.
    """

    lines = LINES
    batch = BATCH

    def __init__(
        self,
        sender: PushSender,
        url: str,
        gone: Callable[[Contact], object],
        stopping: threading.Event,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender = sender
        self._url = url
        self._gone = gone
        self._stopping = stopping
        self._now_s = now_s
        self._lock = threading.Lock()
        self._not_before: dict[str, float] = {}

    def connect(self) -> BulkLine:
        """Connections are kept by host, whoever sends."""
        return _Line(self)

    def send(self, bulletin: Bulletin, to: Sequence[Recipient], report: Report) -> None:
        """To each, one after the other; a service that asked for a pause is asked again after it."""
        message = push_message(bulletin, self._url)
        for each in to:
            if self._stopping.is_set():
                return
            host = each.contact.masked
            if self._paused(host):
                report(each.id, "later")
                continue
            try:
                self._sender.send(each.contact.address, message)
            except MailError as fault:
                if fault.gone:
                    self._drop(each.contact)
                elif fault.retry_after_s:
                    self._pause(host, fault.retry_after_s)
                report(each.id, "refused" if fault.for_good else "later")
            else:
                report(each.id, "sent")

    def _paused(self, host: str) -> bool:
        with self._lock:
            return self._now_s() < self._not_before.get(host, float("-inf"))

    def _pause(self, host: str, wait_s: float) -> None:
        with self._lock:
            self._not_before[host] = self._now_s() + wait_s

    def _drop(self, contact: Contact) -> None:
        try:
            self._gone(contact)
        except SubscriptionsError:
            return  # the next message finds it gone as well


class _Line:
    def __init__(self, bulk: PushBulk) -> None:
        self._bulk = bulk

    def send(self, bulletin: Bulletin, to: Sequence[Recipient], report: Report) -> None:
        """As BulkLine."""
        self._bulk.send(bulletin, to, report)

    def close(self) -> None:
        """Nothing to hang up."""


def push_message(bulletin: Bulletin, url: str) -> PushMessage:
    """What a browser shows; later steps of an episode take the place of earlier ones, its end too."""
    left_us = bulletin.valid_until_us - bulletin.time_us
    ttl_s = left_us // 1_000_000 if bulletin.valid_until_us and not bulletin.end else _TTL_S
    return PushMessage(
        bulletin.text.title,
        bulletin.text.body,
        f"{bulletin.told}-{bulletin.episode}",
        url,
        bulletin.time_us,
        ttl_s,
        "en" if bulletin.language == "en" else "de",
        urgent=urgent(bulletin.severity) and not bulletin.end,
    )
