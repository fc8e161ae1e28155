"""The way of one delivery: stages with one method each, in the order that the outbox lists them."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from alerts.delivery.channels import Channel, Outcome, Sender
from alerts.delivery.deliveries import Deliveries, DeliveryStatus, Due
from alerts.delivery.grouping import Heard, News, after
from alerts.errors import DeliveriesError
from alerts.texts import Text, Texts, plain
from alerts.warning import Warning, as_public  # noqa: A004 - the field's word, see there

_RECORD_AGAIN_S = 1.0
_STATUS: dict[str, DeliveryStatus] = {
    "sent": "sent",
    "refused": "pending",
    "unknown": "pending",
    "misconfigured": "failed",
    "skipped": "skipped",
}
_WARNS = frozenset({"raise", "escalate", "unverified", "sensor_lost", "gateway_lost", "blind"})
_CALM = frozenset({"falling", "decision", "end"})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one channel. A stage that decides its end sets `outcome`.

    `news`: it tells of the incident as a whole, of which the channel has `heard` before.
    """

    due: Due
    channel: Channel
    warning: Warning
    news: News | None = None
    heard: Heard | None = None
    text: Text | None = None
    outcome: Outcome | None = None


class Stage(Protocol):
    """One thing done to a delivery."""

    def run(self, delivery: Delivery) -> Delivery:
        """The delivery after this stage; stages leave alone what has an outcome, up to the record."""


class Select:
    """Decides whether this channel is told of it."""

    def run(self, delivery: Delivery) -> Delivery:
        """Sets the outcome when it is not; what is told by incident was selected when it came."""
        if delivery.due.weight is not None:
            return delivery
        if "staff" not in delivery.channel.audience:
            # residents hear of what they are to know, and of that alone
            public = as_public(delivery.warning)
            if public is None or public.history[-1].event != delivery.warning.history[-1].event:
                return replace(delivery, outcome=Outcome("skipped", "for staff only"))
            delivery = replace(delivery, warning=public)
        reason = delivery.channel.deaf_to(delivery.warning)
        return replace(delivery, outcome=Outcome("skipped", reason)) if reason else delivery


@dataclass(frozen=True, slots=True)
class Render:
    """The words, in the channel's language; a second attempt says that it may be one."""

    texts: Texts

    def run(self, delivery: Delivery) -> Delivery:
        """Sets the text; when the templates fail it is a plain one, never none."""
        if delivery.outcome is not None:
            return delivery
        language, repeat = delivery.channel.language, delivery.due.attempts > 0
        try:
            if delivery.news is not None:
                text = self.texts.render_incident(delivery.news, language, repeat=repeat)
            else:
                text = self.texts.render(delivery.warning, language, repeat=repeat)
        except Exception:  # noqa: BLE001 - an alert without its words is better than none
            _complain("text_failed", delivery)
            text = plain(delivery.warning)
        return replace(delivery, text=text)


@dataclass(frozen=True, slots=True)
class Send:
    """The attempt: its start is durable before anything leaves."""

    deliveries: Deliveries
    sender: Sender
    clock: Callable[[], int]
    stopping: threading.Event

    def run(self, delivery: Delivery) -> Delivery:
        """Sets the outcome; none when the delivery was given up meanwhile."""
        if delivery.outcome is not None or delivery.text is None:
            return delivery
        try:
            if not self.deliveries.begin(delivery.due, delivery.channel.name, self.clock()):
                return delivery
        except DeliveriesError:
            # a full disk must not swallow an alert: a duplicate after a crash beats a loss
            _complain("attempt_not_recorded", delivery)
        news = delivery.news
        warns = news.step not in _CALM if news else delivery.warning.history[-1].kind in _WARNS
        try:
            outcome = self.sender.send(delivery.text, warns=warns, stopping=self.stopping)
        except Exception as fault:  # noqa: BLE001 - what is left in "sending" would wait for a restart
            _complain("sender_failed", delivery)
            outcome = Outcome("unknown", type(fault).__name__)
        return replace(delivery, outcome=outcome)


@dataclass(frozen=True, slots=True)
class Record:
    """The receipt. Insists, because what is not recorded is sent again."""

    deliveries: Deliveries
    clock: Callable[[], int]
    stopping: threading.Event

    def run(self, delivery: Delivery) -> Delivery:
        """Write the outcome down, again and again until it holds or the service stops."""
        outcome, weight = delivery.outcome, delivery.due.weight
        while outcome is not None:
            now = self.clock()
            try:
                self.deliveries.end(
                    delivery.due,
                    delivery.channel.name,
                    _STATUS[outcome.status],
                    outcome.detail,
                    now,
                    interrupted=outcome.status == "unknown",
                    heard=after(delivery.heard, weight, now) if weight else None,
                )
            except DeliveriesError:
                _complain("outcome_not_recorded", delivery)
                if self.stopping.wait(_RECORD_AGAIN_S):
                    break
            else:
                break
        return delivery


def _complain(message: str, delivery: Delivery) -> None:
    # the log may lie on the disk that is full
    with suppress(OSError, ValueError):
        _log.exception(message, event_id=delivery.due.event, channel=delivery.channel.name)
