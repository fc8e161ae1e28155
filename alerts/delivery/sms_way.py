"""SMS or calls to many residents, one number after the other, through a service of apprise's."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from alerts.city.short_texts import told
from alerts.delivery.bulk import Bulletin, Report, Unanswered
from alerts.delivery.channels import AppriseSender, Channel
from alerts.errors import MailError
from alerts.subscriptions.audiences import Recipient
from alerts.subscriptions.mails import sms_url
from alerts.subscriptions.words import Links
from alerts.texts.text import Text

_MOST_HANGING = 8


@dataclass(slots=True)
class SmsWay:
    """`url` has {to} where the number stands. `timeout_s`: how long one number may take."""

    url: str
    links: Links
    stopping: threading.Event
    timeout_s: float = 20.0
    lines: int = 2
    batch: int = 1
    unanswered: Unanswered = field(default_factory=Unanswered)

    def connect(self) -> "SmsLine":
        """There is nothing to connect to before the first number."""
        return SmsLine(self)


class SmsLine:
    """One number at a time."""

    def __init__(self, way: SmsWay) -> None:
        self._way = way
        self._left: list[AppriseSender] = []

    def send(self, bulletin: Bulletin, to: Sequence[Recipient], report: Report) -> None:
        """As BulkLine."""
        for each in to:
            if self._way.stopping.is_set():
                return
            self._left = [sender for sender in self._left if sender.hanging]
            if len(self._left) >= _MOST_HANGING:
                raise MailError(f"the SMS service: {_MOST_HANGING} earlier calls still hang")
            number = each.contact.address
            sender = AppriseSender(
                Channel(each.contact.channel, sms_url(self._way.url, number)), self._way.timeout_s
            )
            link = self._way.links.subscription(each.manage)
            text = Text("", told(bulletin.sms, "sms", tail=link))
            outcome = sender.send(text, warns=not bulletin.end, stopping=self._way.stopping)
            if outcome.status == "sent":
                self._way.unanswered.over(bulletin.event, each.id)
                report(each.id, "sent")
            elif outcome.status == "unknown":
                self._left.append(sender)
                report(each.id, self._way.unanswered.again(bulletin.event, each.id))
                # what the service says may repeat the number
                raise MailError("the SMS service gave no answer in time")
            else:
                report(each.id, "later")

    def close(self) -> None:
        """As BulkLine."""
