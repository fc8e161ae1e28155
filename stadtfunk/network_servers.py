"""[[network_server]]: what each of them is, and what is wrong with it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from devices.errors import Fault
from ingest.broker import read_broker_url, tls_context
from ingest.consumer import ServerConfig
from ingest.errors import BrokerError, MappingError
from ingest.hand_over import HandOver
from ingest.journal import Journal
from ingest.network_servers import NetworkServerKind, network_server_kind
from ingest.sqlite_file import sqlite_path
from ingest.tts_storage import TtsStorage, newest_received_us, storage_config
from stadtfunk.errors import ConfigError
from stadtfunk.settings import NetworkServer, Settings
from stadtfunk.standby import session_of


def kinds_of(settings: Settings) -> Mapping[str, NetworkServerKind]:
    """The kind of each network server by its name. Raises ConfigError with every fault."""
    found, faults = _read(settings)
    if faults:
        raise ConfigError(*faults)
    return found


def faults(settings: Settings) -> Iterator[Fault]:
    """What is wrong with the network servers and the files that they name."""
    yield from _read(settings)[1]
    for i, server in enumerate(settings.network_server):
        try:
            tls_context(server.ca_file and settings.path(server.ca_file))
        except BrokerError as error:
            key = f"network_server[{i}].ca_file"
            yield Fault(str(settings.source), key, str(error), "give the CA's PEM file")


def advice(settings: Settings) -> Iterator[str]:
    """What does not work as hoped."""
    if not settings.network_server:
        yield "no [[network_server]]: nothing will be received"
    kinds = _read(settings)[0]
    for server in settings.network_server:
        if server.name in kinds and server.url and not server.storage:
            yield f"{server.name}: when it publishes at QoS 0, {kinds[server.name].qos0_remedy}"


def server_config(server: NetworkServer, kind: NetworkServerKind, settings: Settings) -> ServerConfig:
    """The MQTT side of a network server."""
    return ServerConfig(
        name=server.name,
        kind=kind,
        url=server.url,
        topics=server.topics,
        client_id=session_of(settings, server),
        ca_file=server.ca_file and settings.path(server.ca_file),
    )


def storage_of(
    server: NetworkServer, settings: Settings, journal: Journal, sink: HandOver, clock: Callable[[], int]
) -> TtsStorage:
    """What fetches the uplinks that a network server sent while we were away."""
    ca_file = server.ca_file and settings.path(server.ca_file)
    return TtsStorage(
        storage_config(server.name, read_broker_url(server.url), server.storage_url, ca_file),
        sink,
        clock,
        lambda: newest_received_us(journal, server.name),
        sqlite_path(settings.journal.url).with_name(f"storage-{server.name}.gap"),
    )


def _with_storage(kind: NetworkServerKind) -> NetworkServerKind:
    return replace(
        kind,
        qos0_remedy="its storage is asked for what was missed",
        loss_window=f"{kind.name} publishes at QoS 0 only: what it sends while we are away is fetched from "
        "its storage afterwards; what it drops beyond 128 messages when we fall behind, only after the next "
        "connection.",
    )


def _read(settings: Settings) -> tuple[dict[str, NetworkServerKind], list[Fault]]:
    kinds: dict[str, NetworkServerKind] = {}
    faults: list[Fault] = []
    for i, server in enumerate(settings.network_server):
        try:
            kind = network_server_kind(server.kind, server.mapping and settings.path(server.mapping))
        except MappingError as error:
            faults += error.faults
            continue
        kinds[server.name] = _with_storage(kind) if server.storage else kind
        if server.url and not (server.topics or kind.topics):
            problem = f"{kind.name} has no usual topics"
            key = f"network_server[{i}].topics"
            faults.append(Fault(str(settings.source), key, problem, "name those it publishes to"))
    return kinds, faults
