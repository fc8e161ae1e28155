"""Residents' subscriptions as the configuration wants them, and what is wrong with it."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from alerts.areas import Areas
from alerts.delivery.channels import AppriseSender, Channel
from alerts.delivery.smtp import Mailer, read_smtp_url
from alerts.delivery.webhook import Webhook
from alerts.errors import AlertsConfigError
from alerts.scale import Scale
from alerts.subscriptions.address_book import load_addresses
from alerts.subscriptions.contact import ContactChannel
from alerts.subscriptions.mails import EmailWay, SmsWay, SubscriptionMails, Way, sms_url
from alerts.subscriptions.push_way import PushWay
from alerts.subscriptions.subscriptions import Subscriptions
from alerts.subscriptions.vault import Vault
from alerts.subscriptions.words import Links, Words
from alerts.web_push.push_sender import PushSender
from api.limits import CallerLimit
from api.services import SubscriptionDesk
from devices.errors import Fault
from devices.registry import Registry
from ingest.sqlite_file import sqlite_path
from stadtfunk.parts import Group
from stadtfunk.settings import Settings, SubscriptionsTable
from stadtfunk.web_push import open_push, web_push_faults

FILE = "subscriptions.db"
"""Beside the journal."""
_NUMBER = "+491711234567"
_NEEDED = {
    "key": 'the key that encrypts addresses: key = "${STADTFUNK_KEY}", made by `openssl rand -base64 32`',
    "smtp": 'the mail server: smtp = "smtps://user:${SMTP_PASSWORD}@host"',
    "sender": 'the address that messages come from: sender = "warnungen@stadt.example"',
    "url": 'where residents open these pages: url = "https://warnungen.stadt.example"',
}


@dataclass(frozen=True, slots=True)
class OpenSubscriptions:
    """The parts of a city that offers subscriptions."""

    desk: SubscriptionDesk
    mails: SubscriptionMails
    push: PushSender | None = None

    @property
    def group(self) -> Group:
        """What the service starts and stops."""
        return Group((self.mails,), lambda: {"subscriptions": self.mails.health})


def open_subscriptions(  # noqa: PLR0913 - what they are made from
    settings: Settings,
    clock: Callable[[], int],
    *,
    areas: Areas,
    registry: Callable[[], Registry],
    scale: Scale,
    opened: ExitStack,
) -> OpenSubscriptions | None:
    """None where none are offered; `opened` closes them. Raises AlertsConfigError, SubscriptionsError."""
    table = settings.subscriptions
    if table is None:
        return None
    if faults := list(subscription_faults(settings)):
        raise AlertsConfigError(*faults)
    addresses = load_addresses(table.addresses and settings.path(table.addresses))

    def station_name(id_: str) -> str:
        known = registry().stations.get(id_)
        return known.name or known.id if known else ""

    words = Words(settings.city.name, areas, scale, station_name, Links(table.url))
    subscriptions = Subscriptions(
        sqlite_path(settings.journal.url).with_name(FILE),
        Vault(table.key, table.old_keys),
        clock,
        areas=areas,
        registry=registry,
        timezone=settings.city.timezone,
        channels=table.channels,
        mails_an_hour=table.mails_per_hour,
        proof_days=table.proof_days,
    )
    opened.callback(subscriptions.close)
    push = open_push(settings)
    ways = _ways(settings, table)
    if push:
        opened.callback(push.sender.close)
        ways["push"] = PushWay(push.sender, words.links.subscribe, clock)
    mails = SubscriptionMails(subscriptions, words, lambda stopping: _with_sms(ways, table, stopping))
    desk = SubscriptionDesk(
        subscriptions,
        words,
        addresses,
        table.privacy,
        push.desk if push else None,
        CallerLimit(table.asks_per_hour),
    )
    return OpenSubscriptions(desk, mails, push.sender if push else None)


def subscription_faults(settings: Settings) -> Iterator[Fault]:
    """What keeps the subscriptions from working."""
    table, file = settings.subscriptions, str(settings.source)
    if table is None:
        if settings.web_push is not None:
            remedy = "browsers subscribe like anybody else: add [subscriptions], or remove this table"
            yield Fault(file, "web_push", "there are no [subscriptions]", remedy)
        return
    for key, remedy in _NEEDED.items():
        if not getattr(table, key):
            yield Fault(file, f"subscriptions.{key}", "missing", remedy)
    if "sms" in table.channels:
        yield from _sms(table, file)
    elif table.sms:
        yield Fault(file, "subscriptions.sms", "no channel uses it", 'add "sms" to channels, or remove it')
    if "voice" in table.channels:
        yield from _voice(table, file)
    elif table.voice or table.voice_secret:
        yield Fault(
            file, "subscriptions.voice", "no channel uses it", 'add "voice" to channels, or remove it'
        )
    yield from web_push_faults(settings)
    try:
        load_addresses(table.addresses and settings.path(table.addresses))
    except AlertsConfigError as error:
        yield from error.faults


def _sms(table: SubscriptionsTable, file: str) -> Iterator[Fault]:
    if "{to}" not in table.sms:
        remedy = "an Apprise address of an SMS service with {to} where the number stands"
        yield Fault(file, "subscriptions.sms", "missing, or without {to}", remedy)
        return
    try:
        AppriseSender(Channel("sms", sms_url(table.sms, _NUMBER)))
    except AlertsConfigError as error:
        for fault in error.faults:
            yield Fault(file, "subscriptions.sms", fault.problem, fault.remedy)


def _voice(table: SubscriptionsTable, file: str) -> Iterator[Fault]:
    if not table.voice:
        remedy = "the address of your telephone service, https://...; without it nobody is called"
        yield Fault(file, "subscriptions.voice", "missing", remedy)
        return
    try:
        voice_service(table)
    except AlertsConfigError as error:
        for fault in error.faults:
            key = "voice_secret" if fault.key.endswith(".secret") else "voice"
            yield Fault(file, f"subscriptions.{key}", fault.problem, fault.remedy)


def voice_service(table: SubscriptionsTable) -> Webhook:
    """What calls people. Raises AlertsConfigError."""
    return Webhook("voice", table.voice, secret=table.voice_secret)


def _ways(settings: Settings, table: SubscriptionsTable) -> dict[ContactChannel, Way]:
    return {"email": EmailWay(Mailer(read_smtp_url(table.smtp)), table.sender, settings.city.name)}


def _with_sms(
    ways: Mapping[ContactChannel, Way], table: SubscriptionsTable, stopping: threading.Event
) -> Mapping[ContactChannel, Way]:
    return {**ways, "sms": SmsWay(table.sms, stopping)} if "sms" in table.channels else ways
