"""The mailings to residents who subscribed, as the configuration wants them."""

import threading
from collections.abc import Callable, Mapping
from email.headerregistry import Address

from alerts.delivery.bulk import BulkWay, Bulletin
from alerts.delivery.mail_form import MailForm
from alerts.delivery.mailing_texts import MailingTexts
from alerts.delivery.mass_mail import MassMail
from alerts.delivery.sms_way import SmsWay
from alerts.delivery.smtp import read_smtp_url
from alerts.delivery.smtp_pool import SmtpPool
from alerts.delivery.voice_way import VoiceWay
from alerts.one_line import header
from alerts.scale import ReadIn
from alerts.subscriptions.contact import ContactChannel
from alerts.texts.text import Text
from alerts.texts.texts import Texts
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from alerts.web_push.push_bulk import PushBulk
from ingest.journal import Journal
from ingest.sqlite_file import sqlite_path
from stadtfunk.parts import Group
from stadtfunk.settings import Settings, SubscriptionsTable
from stadtfunk.subscriptions import OpenSubscriptions, voice_service

FILE = "mailings.db"
"""Beside the journal."""


def mass_mail_of(
    settings: Settings,
    journal: Journal,
    subscriptions: OpenSubscriptions | None,
    texts: Texts,
    clock: Callable[[], int],
) -> MassMail | None:
    """None where there are no subscriptions. Raises DeliveriesError."""
    table = settings.subscriptions
    if table is None or subscriptions is None:
        return None
    city, desk = settings.city.name, subscriptions.desk

    def notice(warning: Warning, language: ReadIn) -> Text:
        return texts.render(warning, "en" if language == "en" else "de")

    return MassMail(
        journal,
        sqlite_path(settings.journal.url).with_name(FILE),
        desk.subscriptions,
        MailingTexts(notice, city, settings.city.timezone, desk.words.areas),
        lambda stopping: _ways(table, city, subscriptions, clock, stopping),
        clock,
        receipts_days=table.receipts_days,
    )


def mass_mail_group(mass_mail: MassMail) -> Group:
    """What the service starts and stops."""
    return Group((mass_mail,), lambda: mass_mail.health)


def _ways(
    table: SubscriptionsTable,
    city: str,
    subscriptions: OpenSubscriptions,
    clock: Callable[[], int],
    stopping: threading.Event,
) -> Mapping[ContactChannel, BulkWay]:
    words = subscriptions.desk.words
    sender = Address(header(city), addr_spec=table.sender)

    def form(bulletin: Bulletin) -> MailForm:
        return MailForm(bulletin, sender, words.links, words.foot(bulletin.language), clock())

    ways: dict[ContactChannel, BulkWay] = {
        "email": SmtpPool(read_smtp_url(table.smtp), table.sender, form, stopping, table.connections)
    }
    if "sms" in table.channels:
        ways["sms"] = SmsWay(table.sms, words.links, stopping)
    if "voice" in table.channels:
        ways["voice"] = VoiceWay(voice_service(table), stopping)
    if subscriptions.push:
        page = f"{words.links.base}/"
        ways["push"] = PushBulk(subscriptions.push, page, subscriptions.desk.subscriptions.remove, stopping)
    return ways
