"""Display columns: what a configuration makes of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from alerts.areas import Areas
from alerts.displays.content import CITY, Scene
from alerts.displays.displays import DisplayConfig, Displays
from devices.errors import Fault
from ingest.broker import read_broker_url, tls_context
from ingest.errors import BrokerError
from stadtfunk.errors import ConfigError
from stadtfunk.parts import Group
from stadtfunk.settings import Settings

if TYPE_CHECKING:
    from stadtfunk.service import Service


def displays_of(service: "Service") -> Group:
    """The displays as a group of the service; an empty one without [displays]. Raises ConfigError."""
    settings, table = service.settings, service.settings.displays
    if table is None:
        return Group((), dict)
    if found := list(faults(settings, service.areas)):
        raise ConfigError(*found)

    def public(station: str) -> bool:
        known = service.registry.current.stations.get(station)
        return known is not None and known.public

    displays = Displays(
        DisplayConfig(
            read_broker_url(table.url),
            table.prefix,
            table.client_id,
            table.ca_file and settings.path(table.ca_file),
        ),
        Scene(
            service.areas,
            service.texts,
            service.scale,
            ZoneInfo(settings.city.timezone),
            settings.city.name,
            public,
        ),
        service.office.warnings,
        service.board,
        service.watch.progress,
        service.clock,
    )
    service.office.listen(lambda _: displays.wake())
    return Group((displays,), lambda: {"displays": displays.health})


def faults(settings: Settings, areas: Areas) -> Iterator[Fault]:
    """What is wrong with [displays]."""
    table, file = settings.displays, str(settings.source)
    if table is None:
        return
    try:
        tls_context(table.ca_file and settings.path(table.ca_file))
    except BrokerError as error:
        yield Fault(file, "displays.ca_file", str(error), "give the CA's PEM file")
    if any(area.id == CITY for area in areas.areas):
        problem = f"an area has the id {CITY!r}, which is the topic of the whole city"
        yield Fault(file, "displays", problem, "give the area another id")


def advice(settings: Settings, areas: Areas) -> Iterator[str]:
    """What does not work as hoped."""
    if settings.displays is not None and not areas.areas:
        yield "[displays] without [alerts] areas: every display shows what is in force in the whole city"
