"""The tables and keys of a city's configuration; `settings_file` reads them."""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from alerts.delivery.mass_mail import DEFAULT_RECEIPTS_DAYS
from alerts.delivery.outbox import RECEIPTS_DAYS
from alerts.delivery.smtp import read_sender, read_smtp_url
from alerts.delivery.smtp_pool import DEFAULT_CONNECTIONS
from alerts.liveness.heartbeat import HeartbeatKind
from alerts.routing.quiet import read_quiet
from alerts.subscriptions.contact import WrittenChannel
from alerts.subscriptions.subscriptions import DEFAULT_MAILS_AN_HOUR, DEFAULT_PROOF_DAYS
from alerts.subscriptions.vault import read_key
from alerts.web_push.browser import read_host
from alerts.web_push.vapid import read_private_key
from api.limits import DEFAULT_ASKS_AN_HOUR
from devices.device_list import STATION_ID
from ingest.broker import read_broker_url
from ingest.errors import IngestError
from ingest.influx_http import parse_address
from ingest.neighbours.sources import KINDS
from ingest.network_servers import PARSERS
from ingest.sqlite_file import sqlite_path

_ARS_DIGITS = 12


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        message = f"no time zone {name!r}; use a name such as Europe/Berlin"
        raise ValueError(message) from error
    return name


def _ars(value: str) -> str:
    if not (value.isdigit() and len(value) == _ARS_DIGITS):
        message = "an ARS (Regionalschlüssel) has 12 digits, for example 053780004004"
        raise ValueError(message)
    return value


def _kind(value: str) -> str:
    if value not in PARSERS:
        raise ValueError(f"kind {value!r} is not known; one of {', '.join(sorted(PARSERS))}")
    return value


def _mqtt_url(url: str) -> str:
    try:
        read_broker_url(url)
    except IngestError as error:
        raise ValueError(str(error)) from None
    return url


def _topic(topic: str) -> str:
    *before, last = topic.split("/")
    lone = all(
        level == "+" or not {"+", "#"} & set(level) for level in (*before, "+" if last == "#" else last)
    )
    if not topic or "\0" in topic or not lone:
        raise ValueError(
            f"{topic!r} is no MQTT topic filter; + and # stand alone in a level, # in the last one"
        )
    return topic


def _topic_name(topic: str) -> str:
    if not topic or set("+#\0") & set(topic) or "" in topic.split("/") or topic.startswith("$"):
        raise ValueError(f"{topic!r} is no MQTT topic: no + and #, no empty level, no $ at its beginning")
    return topic


def _store_url(url: str) -> str:
    if url.startswith("influxdb"):
        try:
            parse_address(url)
        except IngestError as error:
            raise ValueError(str(error)) from None
    elif url.startswith("sqlite:"):
        sqlite_path(url)
    else:
        message = (
            "expected sqlite:///path, influxdb://host:8086/bucket?org=... or influxdb1://host:8086/database"
        )
        raise ValueError(message)
    return url


def _journal_url(url: str) -> str:
    if not url.startswith("sqlite:"):
        message = "expected sqlite:///path/to/journal.db"
        raise ValueError(message)
    sqlite_path(url)
    return url


def _token_hash(value: str) -> str:
    if not re.fullmatch(r"(sha256:)?[0-9a-f]{64}", value):
        message = "expected sha256:<64 hex digits>; `stadtfunk token` makes a token and its hash"
        raise ValueError(message)
    return value.removeprefix("sha256:")


def _key(text: str) -> str:
    read_key(text)
    return text


def _smtp(url: str) -> str:
    read_smtp_url(url)
    return url


def _network(text: str) -> str:
    try:
        return str(ip_network(text)) if "/" in text else str(ip_address(text))
    except ValueError as error:
        raise ValueError("expected an IP address, or a network such as 172.16.0.0/12") from error


def _port(url: str) -> str:
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0  # the error's own text can hold a piece of a password
    if port == 0:
        raise ValueError("host or port cannot be read: a port is 1 to 65535")
    return url


def _public_url(url: str) -> str:
    parts = urlsplit(_port(url))
    here = parts.hostname in {"127.0.0.1", "::1", "localhost"}
    if not (parts.scheme == "https" or (parts.scheme == "http" and here)) or not parts.hostname:
        raise ValueError("expected the address that residents open, https://...")
    if parts.query or parts.fragment or parts.username or not url.isascii() or not url.isprintable():
        raise ValueError("nothing behind the path, nobody before the host, no spaces")
    return url.rstrip("/")


def _quiet(text: str) -> str:
    if text:
        read_quiet(text)
    return text


def _optional_url(url: str) -> str:
    return _public_url(url) if url else ""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class City(_Table):
    """Who we are. `ars`: the twelve-digit Regionalschlüssel of the city."""

    name: str = Field(min_length=1)
    ars: Annotated[str, AfterValidator(_ars)] | None = None
    timezone: Annotated[str, AfterValidator(_timezone)] = "Europe/Berlin"


class NetworkServer(_Table):
    """One LoRaWAN network server's MQTT broker."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    kind: Annotated[str, AfterValidator(_kind)]
    url: Annotated[str, AfterValidator(_mqtt_url)]
    topics: tuple[Annotated[str, AfterValidator(_topic)], ...] = ()
    client_id: str = ""
    ca_file: Path | None = None


def _neighbour_kind(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f"kind {value!r} is not known; one of {', '.join(sorted(KINDS))}")
    return value


class NeighbourTable(_Table):
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


class JournalTable(_Table):
    """Where raw uplinks are kept; `retention_days` None keeps them for ever."""

    url: Annotated[str, AfterValidator(_journal_url)] = "sqlite:///var/lib/stadtfunk/journal.db"
    retention_days: int | None = Field(default=None, ge=7)


class StoreTable(_Table):
    """Where readings are kept."""

    url: Annotated[str, AfterValidator(_store_url)] = "sqlite:///var/lib/stadtfunk/readings.db"


class DevicesTable(_Table):
    """The list of installed devices and folders with device types of one's own."""

    file: Path | None = None
    types: tuple[Path, ...] = ()


class Channel(_Table):
    """One place that hears of alerts, as an Apprise URL."""

    name: str = Field(min_length=1)
    url: str = Field(min_length=1)
    language: Literal["de", "en"] = "de"
    audience: tuple[Literal["public", "staff"], ...] = ("staff",)
    min_level: int = Field(default=1, ge=1, le=4)
    exercises: bool = False
    quiet: Annotated[str, AfterValidator(_quiet)] = ""


class WebhookTable(_Table):
    """One program that hears of alerts, by signed POST."""

    name: str = Field(min_length=1)
    url: str = Field(min_length=1)
    secret: str = Field(min_length=1)
    audience: tuple[Literal["public", "staff"], ...] = ("staff",)
    min_level: int = Field(default=1, ge=1, le=4)
    exercises: bool = False


class AlertsTable(_Table):
    """Thresholds and who hears of them; `scale`: what levels mean; `kostra`: a table of KOSTRA-DWD;
    `catchments`: what flows where; `areas`: the parts of the city that are warned; `routes`: who of the staff
    hears of what; `texts`: a folder of texts of its own."""  # noqa: D205, D209 - one thought

    rules: Path | None = None
    scale: Path | None = None
    kostra: Path | None = None
    catchments: Path | None = None
    areas: Path | None = None
    routes: Path | None = None
    texts: Path | None = None
    channel: tuple[Channel, ...] = ()
    webhook: tuple[WebhookTable, ...] = ()
    receipts_days: int = Field(default=RECEIPTS_DAYS, ge=2)


class CapTable(_Table):
    """How warnings of the city are published as CAP 1.2; nothing is without `sender`."""

    sender: str = Field(default="", pattern=r"^[^\s,<&]*$", max_length=120)
    sender_name: str = ""
    contact: str = ""
    web: str = Field(default="", pattern=r"^(https?://\S+)?$")
    url: str = Field(default="", pattern=r"^(https?://[^\s/]\S*)?$")
    languages: tuple[Annotated[str, Field(pattern=r"^[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*$")], ...] = Field(
        default=("de", "en"), min_length=1
    )
    notices: Literal["off", "restricted", "public"] = "restricted"
    key: Path | None = None
    certificate: Path | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.key is None) != (self.certificate is None):
            raise ValueError("key and certificate belong together: give both or none")
        if len({each.lower() for each in self.languages}) < len(self.languages):
            raise ValueError("languages: one stands twice")
        if not self.sender and (self.key or self.contact or self.web or self.sender_name or self.url):
            raise ValueError("sender: name the city as sender, such as warnung@stadt.example")
        return self


class LeitstelleTable(_Table):
    """Where each step of a warning of the city is handed over: one or several of them."""

    folder: Path | None = None
    mail: str = ""
    url: Annotated[str, AfterValidator(_port)] = Field(default="", pattern=r"^(https?://\S+)?$")
    token: str = Field(default="", pattern=r"^[\x21-\x7e]*$")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.token and not self.url:
            raise ValueError("token: there is no url that it is for")
        return self


class DisplaysTable(_Table):
    """The local broker that display columns listen to."""

    url: Annotated[str, AfterValidator(_mqtt_url)]
    prefix: Annotated[str, AfterValidator(_topic_name)] = "stadtfunk"
    client_id: str = Field(default="stadtfunk-displays", min_length=1)
    ca_file: Path | None = None


class HeartbeatTable(_Table):
    """A second place that hears that we judge; `topic`, `client_id`, `ca_file` are of kind mqtt."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    kind: HeartbeatKind
    url: str
    every_s: float = Field(default=60.0, ge=5, le=3600, allow_inf_nan=False)
    topic: str = ""
    client_id: str = ""
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.kind == "mqtt":
            _mqtt_url(self.url)
            if self.topic:
                _topic_name(self.topic)
        elif not re.fullmatch(r"https?://[^\s/]+(/\S*)?", self.url):
            raise ValueError(f"url: a {self.kind} goes to https://host/path")
        elif _port(self.url) and (self.topic or self.client_id or self.ca_file):
            raise ValueError("topic, client_id and ca_file are of kind mqtt")
        return self


def _watched(url: str) -> str:
    if url.startswith("mqtt"):
        parts = urlsplit(url)
        _mqtt_url(parts._replace(path="", query="", fragment="").geturl())
        _topic_name(url.partition("://")[2].partition("/")[2])
    elif not re.fullmatch(r"https?://[^\s/]+/\S*", url):
        raise ValueError("expected mqtt://user:password@host/TOPIC of its heartbeat, or https://host/readyz")
    return _port(url)


class StandbyTable(_Table):
    """The first instance, of which this one is the stand-by; `watch`: where it can be heard."""

    of: str = Field(min_length=1, max_length=80, pattern=r"^\S.*$")
    watch: tuple[Annotated[str, AfterValidator(_watched)], ...] = Field(min_length=1)
    after_s: float = Field(default=180.0, ge=5, le=3600, allow_inf_nan=False)
    residents: bool = False
    client_id: str = Field(default="stadtfunk-standby", min_length=1)
    ca_file: Path | None = None


class StaTable(_Table):
    """SensorThings; writing is for scratch instances of conformance suites."""

    write: bool = False


class Token(_Table):
    """A bearer token by its SHA-256 hash; `stadtfunk token` makes one."""

    name: str = Field(min_length=1)
    hash: Annotated[str, AfterValidator(_token_hash)]


class ApiTable(_Table):
    """Where the API listens, `url` where people open it, and who may see what operators see."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    url: Annotated[str, AfterValidator(_optional_url)] = ""
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ("127.0.0.1", "::1")
    token: tuple[Token, ...] = ()
    basemap_url: str | None = None
    basemap_attribution: str = ""


class SubscriptionsTable(_Table):
    """Messages to residents who ask for them; `key` encrypts their addresses, `url` is where they open the
    pages."""  # noqa: D205, D209 - one thought

    key: Annotated[str, AfterValidator(_key)] = ""
    old_keys: tuple[Annotated[str, AfterValidator(_key)], ...] = ()
    smtp: Annotated[str, AfterValidator(_smtp)] = ""
    sender: Annotated[str, AfterValidator(read_sender)] = ""
    url: Annotated[str, AfterValidator(_public_url)] = ""
    channels: tuple[WrittenChannel, ...] = Field(default=("email",), min_length=1)
    sms: str = ""
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


class WebPushTable(_Table):
    """Messages to residents' browsers; `services`: push services besides the shipped ones."""

    private_key: Annotated[str, AfterValidator(_vapid_key)] = ""
    contact: str = Field(default="", pattern=r"^((mailto:[^\s@]+@[^\s@]+)|(https://\S+))?$")
    services: tuple[Annotated[str, AfterValidator(read_host)], ...] = ()


class OpenData(_Table):
    """Licence and attribution that every public payload carries."""

    license: str = "http://dcat-ap.de/def/licenses/dl-zero-de/2.0"
    attribution: str = ""


class PropertyTable(_Table):
    """What the city decides about one observed property."""

    public: bool


class Settings(_Table):
    """The whole file. `source` is where it was read."""

    source: Path
    city: City
    network_server: tuple[NetworkServer, ...] = ()
    neighbour: tuple[NeighbourTable, ...] = ()
    journal: JournalTable = JournalTable()
    store: StoreTable = StoreTable()
    devices: DevicesTable = DevicesTable()
    device: tuple[dict[str, Any], ...] = ()
    property: dict[str, PropertyTable] = Field(default_factory=dict)
    alerts: AlertsTable = AlertsTable()
    cap: CapTable = CapTable()
    leitstelle: LeitstelleTable = LeitstelleTable()
    displays: DisplaysTable | None = None
    heartbeat: tuple[HeartbeatTable, ...] = ()
    standby: StandbyTable | None = None
    sta: StaTable = StaTable()
    api: ApiTable = ApiTable()
    open_data: OpenData = OpenData()
    subscriptions: SubscriptionsTable | None = None
    web_push: WebPushTable | None = None

    def path(self, path: Path) -> Path:
        """A path from the file, relative to the file's folder."""
        return self.source.parent / path
