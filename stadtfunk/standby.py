"""A stand-by instance: what [standby] makes of this service."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from alerts.city.release import Releases
from alerts.delivery.city_messages import StandIn
from alerts.delivery.gate import Gate
from alerts.liveness.first import Ear, HttpEar, MqttEar
from alerts.liveness.heartbeat import topic_of
from alerts.liveness.standby import First, StandBy
from alerts.rules import Rules
from devices.errors import Fault
from ingest.broker import client_id, tls_context
from ingest.errors import BrokerError
from stadtfunk.parts import Group
from stadtfunk.settings import NetworkServer, Settings, StandbyTable

if TYPE_CHECKING:
    from stadtfunk.service import Service

_SIGNS = 6
"""So many answers of /readyz are asked for within after_s."""
_MOST_EVERY_S = 15.0
_ONLY_ONE = ("displays", "subscriptions", "web_push", "leitstelle")


def gate_of(settings: Settings) -> Gate | None:
    """What holds the channels back; None where this is no stand-by."""
    table = settings.standby
    return None if table is None else Gate(residents=table.residents)


def stand_in_of(settings: Settings) -> StandIn | None:
    """What its proposals say of it; None where this is no stand-by."""
    table = settings.standby
    return None if table is None else StandIn(table.of, table.residents)


def standby_of(service: "Service", tell: Callable[[], None]) -> Group:
    """The stand-by as a group of the service; an empty one without [standby]."""
    settings, table, gate = service.settings, service.settings.standby, service.outbox.gate
    if table is None or gate is None:
        return Group((), dict)
    standby = StandBy(
        First(table.of, table.after_s),
        gate,
        service.journal,
        lambda sign: _ears(settings, table, sign),
        tell,
        service.clock,
    )
    return Group((standby,), lambda: {"standby": standby.health})


def session_of(settings: Settings, server: NetworkServer) -> str:
    """Who we are at a network server's broker: never the first instance, which reads the same one."""
    own = client_id(server.name, server.client_id)
    return f"{own}-standby" if settings.standby and not server.client_id else own


def releases_of(settings: Settings, rules: Rules) -> Releases:
    """Who releases: here persons alone, for what they decided at the first instance is not known."""
    return rules.releases.by_persons() if settings.standby else rules.releases


def faults(settings: Settings) -> Iterator[Fault]:
    """What is wrong with [standby]."""
    if settings.standby is None:
        return
    file = str(settings.source)
    try:
        tls_context(settings.standby.ca_file and settings.path(settings.standby.ca_file))
    except BrokerError as error:
        yield Fault(file, "standby.ca_file", str(error), "give the CA's PEM file")
    own = [
        (urlsplit(each.url).hostname, topic_of(each.name, each.topic))
        for each in settings.heartbeat
        if each.kind == "mqtt"
    ]
    for i, url in enumerate(settings.standby.watch):
        parts = urlsplit(url)
        if url.startswith("mqtt") and (parts.hostname, parts.path.strip("/")) in own:
            problem = "this is the topic of our own [[heartbeat]]: we would hear ourselves"
            yield Fault(file, f"standby.watch[{i}]", problem, "name the first one's topic")
    for name in _ONLY_ONE:
        if name in settings.model_fields_set:
            problem = "a stand-by has none: two instances would speak to the same people and places"
            yield Fault(file, name, problem, "leave the table to the first instance")


def advice(settings: Settings) -> Iterator[str]:
    """What does not work as hoped."""
    if settings.standby is None:
        return
    for server in settings.network_server:
        if server.client_id:
            first = settings.standby.of
            yield f"{server.name}: client_id must not be that of {first}: they throw each other out"
    if not settings.api.url:
        yield "[standby] without [api] url: its proposals for warnings of the city have no link to decide by"
    if not any("staff" in each.audience for each in settings.alerts.channel):
        yield "[standby] without an [[alerts.channel]] for staff: nobody hears it"


def _ears(settings: Settings, table: StandbyTable, sign: Callable[[], None]) -> Sequence[Ear]:
    every_s = min(table.after_s / _SIGNS, _MOST_EVERY_S)
    ca_file = table.ca_file and settings.path(table.ca_file)
    return [
        MqttEar(url, f"{table.client_id}-{number}", ca_file, sign)
        if url.startswith("mqtt")
        else HttpEar(url, every_s, sign)
        for number, url in enumerate(table.watch, 1)
    ]
