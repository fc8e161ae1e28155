"""Who is told, by the configuration: people by [[alerts.channel]], programs by [[alerts.webhook]]."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from alerts.delivery.channels import Channel
from alerts.delivery.dispatch import Place
from alerts.delivery.outbox import Outbox, sender_of
from alerts.delivery.webhook import Webhook
from alerts.errors import AlertsConfigError
from alerts.routing.silences import Silences
from alerts.texts.texts import Texts
from devices.errors import Fault
from ingest.journal import Journal
from stadtfunk.routing import dispatch_of
from stadtfunk.settings import Settings
from stadtfunk.settings_file import UNSET
from stadtfunk.standby import gate_of


def outbox_of(  # noqa: PLR0913 - everything is injected
    settings: Settings,
    journal: Journal,
    path: Path,
    texts: Texts,
    clock: Callable[[], int],
    *,
    place: Place,
    silences: Silences,
) -> Outbox:
    """What tells them. Raises AlertsConfigError, DeliveriesError."""
    channels = [
        *(Channel(**each.model_dump()) for each in settings.alerts.channel),
        *(Webhook(**each.model_dump()) for each in settings.alerts.webhook),
    ]
    dispatch = dispatch_of(settings, channels, place, silences, clock)
    return Outbox(
        journal,
        path,
        channels,
        texts,
        clock,
        receipts_days=settings.alerts.receipts_days,
        dispatch=dispatch,
        gate=gate_of(settings),
    )


def channel_faults(settings: Settings) -> Iterator[Fault]:
    """What is wrong with any of them."""
    kinds = ((Channel, settings.alerts.channel), (Webhook, settings.alerts.webhook))
    for kind, tables in kinds:
        for table in tables:
            if UNSET.search(table.url):  # a fault already, by its key and the variable's name
                continue
            try:
                sender_of(kind(**table.model_dump()))
            except AlertsConfigError as error:
                yield from error.faults


def channel_advice(settings: Settings) -> Iterator[str]:
    """What will not work as hoped."""
    if not settings.alerts.channel:
        yield "no [[alerts.channel]]: alerts show on the page only"
    seen: dict[str, str] = {}
    named = [(each.name, each.url) for each in settings.alerts.channel]
    named += [(each.name, each.url) for each in settings.alerts.webhook]
    for name, url in named:
        if url in seen:
            yield f"{name}: has the url of {seen[url]}: who is there is told twice"
        seen.setdefault(url, name)
    for webhook in settings.alerts.webhook:
        if urlsplit(webhook.url).scheme == "http":
            yield f"webhook {webhook.name}: http:// sends in the clear, anybody on the way can read it"
