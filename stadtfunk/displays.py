"""Display columns: what a configuration makes of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from alerts.areas import Areas
from alerts.displays.content import CITY, Scene
from alerts.displays.displays import DisplayConfig, Displays
from alerts.displays.spaces import Sign, SignRules, Spaces
from alerts.mobility.states import CarPark
from api.mobility.parks import OCCUPANCY, tells_one_space
from devices.errors import Fault
from devices.registry import Registry
from ingest.broker import read_broker_url, tls_context
from ingest.errors import BrokerError
from stadtfunk.errors import ConfigError
from stadtfunk.open_data import public_rules
from stadtfunk.parts import Group
from stadtfunk.settings import Settings
from stadtfunk.settings.alerts import SignsTable

if TYPE_CHECKING:
    from stadtfunk.service import Service


def displays_of(service: "Service") -> Group:
    """The displays as a group of the service; an empty one without [displays]. Raises ConfigError."""
    settings, table = service.settings, service.settings.displays
    if table is None:
        return Group((), dict)
    if found := list(faults(settings, service.areas, service.registry.current)):
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
        spaces=_spaces(service, table.parking),
    )
    service.office.listen(lambda _: displays.wake())
    return Group((displays,), lambda: {"displays": displays.health})


def _spaces(service: "Service", table: SignsTable | None) -> Spaces | None:
    """What signs say of car parks; a station or a property that is not public is on none."""
    if table is None:
        return None
    rule = public_rules(service.settings)[OCCUPANCY]

    def shown(park: CarPark) -> bool:
        known = service.registry.current.stations.get(park.station)
        return known is not None and known.public and rule.live and not tells_one_space(park)

    def name(station: str) -> str:
        known = service.registry.current.stations.get(station)
        return known.name if known is not None else station

    return Spaces(
        SignRules(
            [Sign(each.station, each.name) for each in table.sign],
            table.width,
            table.guidance_width,
            table.unsure,
            table.sure,
            table.full_at,
            table.silent_min,
        ),
        service.mobility.parking,
        name,
        shown,
        lambda: service.mobility.health.ok,
        ZoneInfo(service.settings.city.timezone),
    )


def _unknown(settings: Settings, registry: Registry) -> Iterator[Fault]:
    """Signs and descriptions of car parks that nobody knows."""
    file, signs = str(settings.source), settings.displays and settings.displays.parking
    named = {"displays.parking.sign": [each.station for each in signs.sign] if signs else []}
    named["parking.site"] = [each.station for each in settings.parking.site]
    for key, stations in named.items():
        for number, station in enumerate(stations):
            if station not in registry.stations:
                problem = f"there is no station {station!r}"
                yield Fault(file, f"{key}[{number}].station", problem, "give the id of a car park's station")
            elif station in stations[:number]:
                problem = f"{station!r} stands there twice"
                yield Fault(file, f"{key}[{number}].station", problem, "leave one of them out")


def faults(settings: Settings, areas: Areas, registry: Registry) -> Iterator[Fault]:
    """What is wrong with [displays] and [[parking.site]]."""
    table, file = settings.displays, str(settings.source)
    if registry.devices:  # an unreadable list must not make every station unknown as well
        yield from _unknown(settings, registry)
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
