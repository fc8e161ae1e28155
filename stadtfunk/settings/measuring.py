"""What is measured and where it is kept: network servers, neighbours, devices, journal, store."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from devices.device_list import STATION_ID
from ingest.broker import read_broker_url
from ingest.neighbours.sources import KINDS
from ingest.network_servers import JSON, PARSERS
from stadtfunk.settings.addresses import journal_url, mqtt_url, optional_url, store_url, topic_filter
from stadtfunk.settings.serving import token_hash
from stadtfunk.settings.table import Table


def _kind(value: str) -> str:
    if value not in {*PARSERS, JSON}:
        raise ValueError(f"kind {value!r} is not known; one of {', '.join(sorted({*PARSERS, JSON}))}")
    return value


def _user_and_key(url: str) -> bool:
    broker = read_broker_url(url)
    return bool(broker.user and broker.password)


class NetworkServer(Table):
    """One LoRaWAN network server: its MQTT broker, or the token with which it sends by HTTP.

    `mapping`: what describes its messages, kind "json" only. `storage`: The Things Stack keeps uplinks, and
    what was missed is fetched from there (`storage_url` where that is another host).
    """

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    kind: Annotated[str, AfterValidator(_kind)]
    url: Annotated[str, AfterValidator(mqtt_url)] = ""
    push_token: Annotated[str, AfterValidator(token_hash)] = ""
    topics: tuple[Annotated[str, AfterValidator(topic_filter)], ...] = ()
    client_id: str = ""
    ca_file: Path | None = None
    mapping: Path | None = None
    storage: bool = False
    storage_url: Annotated[str, AfterValidator(optional_url)] = ""

    @model_validator(mode="after")
    def _described(self) -> Self:
        if bool(self.url) == bool(self.push_token):
            raise ValueError("give the url of its MQTT broker, or a push_token if it sends by HTTP")
        if self.push_token and (self.topics or self.client_id or self.ca_file):
            raise ValueError("topics, client_id and ca_file belong to MQTT, not beside a push_token")
        if self.storage_url and not self.storage:
            raise ValueError("storage_url without storage = true")
        if self.storage and self.kind != "tts-v3":
            raise ValueError("storage is The Things Stack's, kind tts-v3")
        if self.storage and not (self.url and _user_and_key(self.url)):
            raise ValueError("storage needs a url with the application as user and its API key as password")
        if (self.kind == JSON) != (self.mapping is not None):
            raise ValueError('kind = "json" needs a mapping = "FILE.toml", and no other kind has one')
        return self


def _neighbour_kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"kind {value!r} is not known; one of {', '.join(sorted(KINDS))}")
    return value


class NeighbourTable(Table):
    """One official source that is polled: public gauges, or an authority's warnings."""

    kind: Annotated[str, AfterValidator(_neighbour_kind)]
    stations: dict[Annotated[str, Field(pattern=STATION_ID, max_length=64)], str] = Field(
        default_factory=dict
    )
    warncells: tuple[str, ...] = ()
    public: bool = False
    contact: str = Field(default="", pattern=r"^[\x21-\x7e]*$")
    url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    every_s: float = Field(default=0.0, ge=0, le=86_400, allow_inf_nan=False)

    @field_validator("stations")
    @classmethod
    def _lower(cls, stations: dict[str, str]) -> dict[str, str]:
        return {id_: foreign.lower() for id_, foreign in stations.items()}

    @model_validator(mode="after")
    def _usable(self) -> Self:
        kind = KINDS[self.kind]
        if self.every_s and self.every_s < kind.every_s:
            raise ValueError(f"every_s: the source refreshes every {kind.every_s:g} s, ask no faster")
        if kind.gauges:
            if self.warncells or not self.stations:
                raise ValueError('name gauges: stations = { our-id = "their id" }')
            if len(set(self.stations.values())) < len(self.stations):
                raise ValueError("stations: one gauge has two ids")
        elif self.stations:
            raise ValueError("name warn cells, no stations")
        problems = filter(None, map(kind.problem, self.stations.values() if kind.gauges else self.warncells))
        if problem := next(problems, ""):
            raise ValueError(problem)
        return self


class JournalTable(Table):
    """Where raw uplinks are kept; `retention_days` None keeps them for ever."""

    url: Annotated[str, AfterValidator(journal_url)] = "sqlite:///var/lib/stadtfunk/journal.db"
    retention_days: int | None = Field(default=None, ge=7)


class StoreTable(Table):
    """Where readings are kept."""

    url: Annotated[str, AfterValidator(store_url)] = "sqlite:///var/lib/stadtfunk/readings.db"


class DevicesTable(Table):
    """The list of installed devices, and folders with device types of one's own.

    `repository`: a checkout of a device repository; `maps`: folders with field maps for its codecs;
    `required_missing`: uplinks in a row without a required property that staff are told of.
    """

    file: Path | None = None
    types: tuple[Path, ...] = ()
    repository: Path | None = None
    maps: tuple[Path, ...] = ()
    required_missing: int = Field(default=3, ge=1, le=1000)
