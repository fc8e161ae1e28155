"""SensorThings: what a configuration makes of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from api.sta.city import Cities
from api.sta.city_updates import CityUpdates
from api.visibility import SeriesBook, View
from devices.errors import Fault
from ingest.broker import read_broker_url
from stadtfunk.errors import ConfigError
from stadtfunk.parts import Group
from stadtfunk.settings import Settings

if TYPE_CHECKING:
    from api.services import Services
    from stadtfunk.service import Service

ROOT = "/sta/v1.1"


def cities_of(settings: Settings) -> Cities:
    """The city as SensorThings entities."""
    return Cities(settings.api.url or settings.cap.url)


def updates_of(service: "Service") -> Group:
    """What publishes new Observations; an empty group without [sta] mqtt. Raises ConfigError."""
    settings = service.settings
    if found := list(faults(settings)):
        raise ConfigError(*found)
    if not settings.sta.mqtt:
        return Group((), dict)
    book = SeriesBook(service.journal)
    made: list[Services] = []

    def public() -> View:
        if not made:
            made.append(service.services())
        return View(made[0], book)

    updates = CityUpdates(
        read_broker_url(settings.sta.mqtt),
        settings.sta.mqtt_client_id,
        service.journal,
        service.cities,
        public,
        settings.api.url.rstrip("/") + ROOT,
        settings.sta.mqtt_ca_file and settings.path(settings.sta.mqtt_ca_file),
    )
    return Group((updates,), lambda: {"sensorthings updates": updates.health})


def endpoints(settings: Settings) -> list[str]:
    """Addresses of the broker that tells of new Observations, without who we are there."""
    if not settings.sta.mqtt:
        return []
    broker = read_broker_url(settings.sta.mqtt)
    return [f"{'mqtts' if broker.tls else 'mqtt'}://{broker}"]


def faults(settings: Settings) -> Iterator[Fault]:
    """What is wrong with [sta]."""
    if settings.sta.mqtt and settings.standby is not None:
        problem = "both instances would publish every Observation"
        yield Fault(str(settings.source), "sta.mqtt", problem, "leave it to the first instance")
    if settings.sta.mqtt and not settings.api.url:
        problem = "messages hold links, and nobody knows their beginning"
        yield Fault(
            str(settings.source), "sta.mqtt", problem, "give [api] url, where people open the service"
        )
