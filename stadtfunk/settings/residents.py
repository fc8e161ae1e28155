"""Messages to residents who ask for them: subscriptions and web push."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from alerts.delivery.mass_mail import DEFAULT_RECEIPTS_DAYS
from alerts.delivery.smtp import read_sender, read_smtp_url
from alerts.delivery.smtp_pool import DEFAULT_CONNECTIONS
from alerts.subscriptions.contact import WrittenChannel
from alerts.subscriptions.mail_queue import DEFAULT_MAILS_AN_HOUR
from alerts.subscriptions.subscriptions import DEFAULT_PROOF_DAYS
from alerts.subscriptions.vault import read_key
from alerts.web_push.browser import read_host
from alerts.web_push.vapid import read_private_key
from api.limits import DEFAULT_ASKS_AN_HOUR
from stadtfunk.settings.addresses import public_url
from stadtfunk.settings.table import Table


def _key(text: str) -> str:
    read_key(text)
    return text


def _smtp(url: str) -> str:
    read_smtp_url(url)
    return url


class SubscriptionsTable(Table):
    """Messages to residents who ask for them; `key` encrypts their addresses, `url` is where they open the
    pages."""  # noqa: D205, D209 - one thought

    key: Annotated[str, AfterValidator(_key)] = ""
    old_keys: tuple[Annotated[str, AfterValidator(_key)], ...] = ()
    smtp: Annotated[str, AfterValidator(_smtp)] = ""
    sender: Annotated[str, AfterValidator(read_sender)] = ""
    url: Annotated[str, AfterValidator(public_url)] = ""
    channels: tuple[WrittenChannel, ...] = Field(default=("email",), min_length=1)
    sms: str = ""
    voice: str = ""
    voice_secret: str = ""
    addresses: Path | None = None
    privacy: str = Field(default="", pattern=r"^(https://\S+)?$")
    proof_days: int = Field(default=DEFAULT_PROOF_DAYS, ge=1)
    mails_per_hour: int = Field(default=DEFAULT_MAILS_AN_HOUR, ge=1)
    connections: int = Field(default=DEFAULT_CONNECTIONS, ge=1, le=32)
    receipts_days: int = Field(default=DEFAULT_RECEIPTS_DAYS, ge=1)
    asks_per_hour: int = Field(default=DEFAULT_ASKS_AN_HOUR, ge=1)


def _vapid_key(text: str) -> str:
    read_private_key(text)
    return text


class WebPushTable(Table):
    """Messages to residents' browsers; `services`: push services besides the shipped ones."""

    private_key: Annotated[str, AfterValidator(_vapid_key)] = ""
    contact: str = Field(default="", pattern=r"^((mailto:[^\s@]+@[^\s@]+)|(https://\S+))?$")
    services: tuple[Annotated[str, AfterValidator(read_host)], ...] = ()
