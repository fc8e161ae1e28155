"""Outgoing heartbeats: what a configuration makes of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from alerts.liveness.heartbeat import HeartbeatConfig, Pulse, heartbeat
from devices.errors import Fault
from ingest.broker import tls_context
from ingest.errors import BrokerError
from stadtfunk.parts import Group
from stadtfunk.settings import HeartbeatTable, Settings

if TYPE_CHECKING:
    from stadtfunk.service import Service


def heartbeats_of(service: "Service") -> Group:
    """The heartbeats as a group of the service; an empty one without [[heartbeat]]."""

    def pulse() -> Pulse:
        return Pulse(service.watch.progress(), service.outbox.channel_health, service.clock())

    settings = service.settings
    beats = tuple(heartbeat(_config(settings, table), pulse) for table in settings.heartbeat)
    return Group(beats, lambda: {f"heartbeat {each.name}": each.health for each in beats})


def faults(settings: Settings) -> Iterator[Fault]:
    """What is wrong with [[heartbeat]]."""
    for i, table in enumerate(settings.heartbeat):
        try:
            tls_context(table.ca_file and settings.path(table.ca_file))
        except BrokerError as error:
            key = f"heartbeat[{i}].ca_file"
            yield Fault(str(settings.source), key, str(error), "give the CA's PEM file")


def advice(settings: Settings) -> Iterator[str]:
    """What does not work as hoped."""
    if not settings.heartbeat:
        yield "no [[heartbeat]]: nobody notices when this service is dead (docs/who-watches.md)"


def _config(settings: Settings, table: HeartbeatTable) -> HeartbeatConfig:
    return HeartbeatConfig(
        name=table.name,
        kind=table.kind,
        url=table.url,
        every_s=table.every_s,
        topic=table.topic,
        client_id=table.client_id,
        ca_file=table.ca_file and settings.path(table.ca_file),
    )
