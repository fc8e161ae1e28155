"""The way of one delivery: stages with one method each, in the order that the outbox lists them."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from alerts.city.city_warning import CityWarning
from alerts.delivery.channels import Channel, Outcome, Sender
from alerts.delivery.city_messages import WARNS, plain_city, told_as
from alerts.delivery.deliveries import Deliveries
from alerts.delivery.delivery import DeliveryStatus, Due
from alerts.delivery.grouping import Heard, News, after
from alerts.delivery.webhook_payload import payload
from alerts.errors import DeliveriesError
from alerts.texts.text import Text, plain
from alerts.texts.texts import Texts
from alerts.warning import Warning, as_public  # noqa: A004 - the field's word, see there

_RECORD_AGAIN_S = 1.0
_STATUS: dict[str, DeliveryStatus] = {
    "sent": "sent",
    "refused": "pending",
    "unknown": "pending",
    "misconfigured": "failed",
    "skipped": "skipped",
}
_WARNS = frozenset(
    {
        "raise",
        "escalate",
        "unverified",
        "sensor_lost",
        "gateway_lost",
        "blind",
        "property_missing",
        "partner_silent",
    }
)
_CALM = frozenset({"falling", "decision", "end"})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one channel. A stage that decides its end sets `outcome`.

    `warning`: the notice or the warning of the city that it is about. `news`: it tells of the incident as a
    whole, of which the channel has `heard` before.
    """

    due: Due
    channel: Channel
    warning: Warning | CityWarning
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
        """Sets the outcome when it is not; an incident's and the city's were selected when they came."""
        warning = delivery.warning
        if delivery.due.weight is not None or isinstance(warning, CityWarning):
            return delivery
        if "staff" not in delivery.channel.audience:
            # residents hear of what they are to know, and of that alone
            public = as_public(warning)
            if public is None or public.history[-1].event != warning.history[-1].event:
                return replace(delivery, outcome=Outcome("skipped", "for staff only"))
            warning = public
            delivery = replace(delivery, warning=public)
        reason = delivery.channel.deaf_to(warning)
        return replace(delivery, outcome=Outcome("skipped", reason)) if reason else delivery


@dataclass(frozen=True, slots=True)
class CallOff:
    """Calls off with those alone who were warned: an all-clear of what never arrived would only confuse."""

    deliveries: Deliveries

    def run(self, delivery: Delivery) -> Delivery:
        """Sets the outcome of an end of which the channel was told nothing before."""
        due, name = delivery.due, delivery.channel.name
        if delivery.outcome is not None or not due.needs_a_former:
            return delivery
        try:
            told = self.deliveries.told_before(due, name)
        except DeliveriesError:
            # whoever was warned must hear that it is over
            _complain("former_steps_unknown", delivery)
            told = True
        return delivery if told else replace(delivery, outcome=Outcome("skipped", "was never told of it"))


@dataclass(frozen=True, slots=True)
class Render:
    """The words, in the channel's language; a second attempt says that it may be one."""

    texts: Texts

    def run(self, delivery: Delivery) -> Delivery:
        """Sets the text; when the templates fail it is a plain one, never none."""
        if delivery.outcome is not None:
            return delivery
        language, repeat = delivery.channel.language, delivery.due.attempts > 0
        warning = delivery.warning
        try:
            if isinstance(warning, CityWarning):
                text = self.texts.render_city(
                    warning, language, staff="staff" in delivery.channel.audience, repeat=repeat
                )
            elif delivery.news is not None:
                text = self.texts.render_incident(delivery.news, language, repeat=repeat)
            else:
                text = self.texts.render(warning, language, repeat=repeat)
        except Exception:  # noqa: BLE001 - an alert without its words is better than none
            _complain("text_failed", delivery)
            text = Text(*plain_city(warning)) if isinstance(warning, CityWarning) else plain(warning)
        return replace(delivery, text=text)


class RenderPayload:
    """The words for a program."""

    def run(self, delivery: Delivery) -> Delivery:
        """Sets the text; its body is JSON."""
        if delivery.outcome is not None:
            return delivery
        staff = "staff" in delivery.channel.audience
        return replace(delivery, text=Text("", payload(delivery.warning, staff=staff)))


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
        try:
            outcome = self.sender.send(delivery.text, warns=_warns(delivery), stopping=self.stopping)
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


def _warns(delivery: Delivery) -> bool:
    if delivery.news is not None:
        return delivery.news.step not in _CALM
    if isinstance(delivery.warning, CityWarning):
        return told_as(delivery.warning) in WARNS
    return delivery.warning.history[-1].kind in _WARNS


def _complain(message: str, delivery: Delivery) -> None:
    # the log may lie on the disk that is full
    with suppress(OSError, ValueError):
        _log.exception(message, event_id=delivery.due.event, channel=delivery.channel.name)
