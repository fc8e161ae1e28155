"""Sends what the subscriptions have to say to their owners: links to confirm, welcome, changes."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from typing import Protocol

import structlog

from alerts.delivery.channels import AppriseSender, Channel
from alerts.delivery.smtp import Mailer
from alerts.errors import AlertsError, MailError, SubscriptionsError
from alerts.one_line import header
from alerts.subscriptions.contact import ContactChannel
from alerts.subscriptions.mail_queue import Due
from alerts.subscriptions.records import Subscription
from alerts.subscriptions.subscriptions import Subscriptions
from alerts.subscriptions.words import Links, Words
from alerts.texts.text import Text
from ingest.health import Health

_PAUSE_S = 5.0
_PRUNE_S = 3600.0
_MOST_ATTEMPTS = 12
# a link is one long word: folded at 78 characters it would be encoded, and no program would find it
_POLICY = SMTP.clone(max_line_length=900)
_log = structlog.get_logger(__name__)


class Way(Protocol):
    """Hands a text to one address."""

    def send(self, address: str, text: Text, leave: str) -> None:
        """`leave`: the link that ends all messages, "" where there is nothing to end. Raises MailError."""


@dataclass(slots=True)
class MailStats:
    """Since the start."""

    sent: int = 0
    failed: int = 0
    given_up: int = 0


class EmailWay:
    """Plain-text mail from the city's address."""

    def __init__(self, mailer: Mailer, sender: str, city: str) -> None:
        self._mailer = mailer
        self._from = Address(header(city), addr_spec=sender)

    def send(self, address: str, text: Text, leave: str) -> None:
        """Raises MailError."""
        self._mailer.send(message(self._from, address, text, leave))


class SmsWay:
    """SMS through a service of apprise's; `url` has {to} where the number stands."""

    def __init__(self, url: str, stopping: threading.Event) -> None:
        self._url = url
        self._stopping = stopping

    def send(self, address: str, text: Text, leave: str) -> None:  # noqa: ARG002 - the text names it
        """Raises MailError."""
        sender = AppriseSender(Channel("sms", sms_url(self._url, address)))
        outcome = sender.send(Text("", text.body), warns=False, stopping=self._stopping)
        if outcome.status != "sent":
            # what the service says may repeat the number
            raise MailError(f"the SMS service: {outcome.status}")


def sms_url(url: str, number: str) -> str:
    """The service's address for one number: digits only, so that nothing else in it can change."""
    return url.replace("{to}", "".join(c for c in number if c in "0123456789"))


def message(sender: Address, to: str, text: Text, leave: str) -> EmailMessage:
    """A mail with the headers that end all messages by one click (RFC 2369, RFC 8058)."""
    mail = EmailMessage(_POLICY)
    mail["From"] = sender
    mail["To"] = Address(addr_spec=to)
    mail["Subject"] = header(text.title)
    mail["Message-ID"] = make_msgid(domain=sender.domain)
    mail["Auto-Submitted"] = "auto-generated"
    if leave:
        mail["List-Unsubscribe"] = f"<{leave}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(text.body, cte="quoted-printable")
    return mail


class SubscriptionMails:
    """A thread that hands over what is due, tries again with back-off, and forgets what is old."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        words: Words,
        ways: Callable[[threading.Event], Mapping[ContactChannel, Way]],
    ) -> None:
        self.stats = MailStats()
        self._subscriptions = subscriptions
        self._words = words
        self._stopping = threading.Event()
        self._ways = ways(self._stopping)
        self._woken = threading.Event()
        self._fault = ""
        self._pruned_s = float("-inf")
        self._thread = threading.Thread(target=self._run, name="subscription-mails", daemon=True)
        subscriptions.listen(self._woken.set)

    @property
    def health(self) -> Health:
        """Not well while messages cannot be handed over."""
        return Health(not self._fault, self._fault)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what waits is sent after the next start."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                if time.monotonic() - self._pruned_s >= _PRUNE_S:
                    self._subscriptions.prune()
                    self._pruned_s = time.monotonic()
                while (due := self._subscriptions.mails.due()) and not self._stopping.is_set():
                    for each in due:
                        if self._stopping.is_set():
                            return
                        self._send(each)
            except SubscriptionsError as fault:
                self._fault = str(fault)
                _log.error("subscription_mails", error=str(fault))
            except Exception as fault:  # noqa: BLE001 - the next message must not wait for a restart
                self._fault = type(fault).__name__
                _log.exception("subscription_mails_failed")
            self._woken.wait(_PAUSE_S)

    def _send(self, due: Due) -> None:
        mail = due.mail
        known = self._subscriptions.known(mail.contact)
        if known is None and mail.kind in {"welcome", "changed"}:  # left in the meantime
            self._subscriptions.mails.done(due)
            return
        try:
            self._hand_over(due, known)
        except AlertsError as fault:
            self._failed(due, fault)
            return
        except Exception as fault:  # noqa: BLE001 - what cannot be sent must not hold up what comes after it
            # neither its text nor its traceback: they may repeat the address
            self._failed(due, MailError(f"cannot be sent: {type(fault).__name__}"))
            return
        self.stats.sent += 1
        self._fault = ""
        self._subscriptions.mails.done(due)

    def _hand_over(self, due: Due, known: Subscription | None) -> None:
        contact = due.mail.contact
        way = self._ways.get(contact.channel)
        if way is None:
            raise MailError(f"no {contact.channel} any more", for_good=True)
        way.send(contact.address, self._words.mail(due.mail, known), self._leave(due, known))

    def _failed(self, due: Due, fault: AlertsError) -> None:
        over = isinstance(fault, MailError) and fault.for_good
        _log.warning("subscription_mail", kind=due.mail.kind, error=str(fault), attempts=due.attempts + 1)
        if isinstance(fault, MailError) and fault.gone:
            self._subscriptions.remove(due.mail.contact)
        if over or due.attempts + 1 >= _MOST_ATTEMPTS:
            self.stats.given_up += 1
            self._subscriptions.mails.done(due)
        else:
            self.stats.failed += 1
            self._subscriptions.mails.again(due, fault.retry_after_s if isinstance(fault, MailError) else 0.0)
        if not over:
            self._fault = f"{fault}: see [subscriptions] and [web_push]; tried again"

    def _leave(self, due: Due, known: Subscription | None) -> str:
        links: Links = self._words.links
        if due.mail.kind == "confirm" or known is None:
            return ""
        return links.subscription(known.secrets.leave)
