"""Who is told, by the configuration: people by [[alerts.channel]], programs by [[alerts.webhook]]."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from alerts.delivery.channels import Channel
from alerts.delivery.outbox import sender_of
from alerts.delivery.webhook import Webhook
from alerts.errors import AlertsConfigError
from devices.errors import Fault
from stadtfunk.settings import Settings


def channels_of(settings: Settings) -> list[Channel]:
    """All of them. Raises AlertsConfigError."""
    return [
        *(Channel(**each.model_dump()) for each in settings.alerts.channel),
        *(Webhook(**each.model_dump()) for each in settings.alerts.webhook),
    ]


def channel_faults(settings: Settings) -> Iterator[Fault]:
    """What is wrong with any of them."""
    kinds = ((Channel, settings.alerts.channel), (Webhook, settings.alerts.webhook))
    for kind, tables in kinds:
        for table in tables:
            try:
                sender_of(kind(**table.model_dump()))
            except AlertsConfigError as error:
                yield from error.faults


def channel_advice(settings: Settings) -> Iterator[str]:
    """What will not work as hoped."""
    if not settings.alerts.channel:
        yield "no [[alerts.channel]]: alerts show on the page only"
    for webhook in settings.alerts.webhook:
        if urlsplit(webhook.url).scheme == "http":
            yield f"webhook {webhook.name}: http:// sends in the clear, anybody on the way can read it"
