"""The city's configuration: one TOML file, secrets as ${ENV_NAME}."""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from devices.errors import Fault
from devices.properties import observed_properties
from ingest.network_servers import PARSERS
from stadtfunk.errors import ConfigError

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ARS_DIGITS = 12
_DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883}


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


def _mqtt_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        message = "expected mqtt://user:password@host:1883 or mqtts://user:password@host:8883"
        raise ValueError(message)
    _ = parts.port  # raises ValueError itself when it is no number
    return url


def _store_url(url: str) -> str:
    if not url.startswith(("sqlite:", "influxdb://", "influxdb1://")):
        message = (
            "expected sqlite:///path, influxdb://host:8086/bucket?org=... or influxdb1://host:8086/database"
        )
        raise ValueError(message)
    return url


def _journal_url(url: str) -> str:
    if not url.startswith("sqlite:"):
        message = "expected sqlite:///path/to/journal.db"
        raise ValueError(message)
    return url


def _token_hash(value: str) -> str:
    if not re.fullmatch(r"(sha256:)?[0-9a-f]{64}", value):
        message = "expected sha256:<64 hex digits>; `stadtfunk token` makes a token and its hash"
        raise ValueError(message)
    return value.removeprefix("sha256:")


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
    kind: str
    url: Annotated[str, AfterValidator(_mqtt_url)]
    topics: tuple[str, ...] = ()
    client_id: str = ""
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _known_kind(self) -> "NetworkServer":
        if self.kind not in PARSERS:
            message = f"kind {self.kind!r} is not known; one of {', '.join(sorted(PARSERS))}"
            raise ValueError(message)
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


class AlertsTable(_Table):
    """Thresholds and who hears of them."""

    rules: Path | None = None
    channel: tuple[Channel, ...] = ()


class StaTable(_Table):
    """SensorThings; writing is for scratch instances of conformance suites."""

    write: bool = False


class Token(_Table):
    """A bearer token by its SHA-256 hash; `stadtfunk token` makes one."""

    name: str = Field(min_length=1)
    hash: Annotated[str, AfterValidator(_token_hash)]


class ApiTable(_Table):
    """Where the API listens and who may see what operators see."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    token: tuple[Token, ...] = ()
    basemap_url: str | None = None
    basemap_attribution: str = ""


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
    journal: JournalTable = JournalTable()
    store: StoreTable = StoreTable()
    devices: DevicesTable = DevicesTable()
    device: tuple[dict[str, Any], ...] = ()
    property: dict[str, PropertyTable] = Field(default_factory=dict)
    alerts: AlertsTable = AlertsTable()
    sta: StaTable = StaTable()
    api: ApiTable = ApiTable()
    open_data: OpenData = OpenData()

    def path(self, path: Path) -> Path:
        """A path from the file, relative to the file's folder."""
        return self.source.parent / path


def load_settings(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate a city's configuration; raises ConfigError with every fault."""
    name = str(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(Fault(name, "-", error.strerror or str(error), "give a readable file")) from error
    except UnicodeDecodeError as error:
        raise ConfigError(Fault(name, "-", str(error), "save the file as UTF-8")) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(Fault(name, "-", f"not TOML: {error}", "correct the line named")) from error
    faults: list[Fault] = []

    def missing(key: str, variable: str) -> None:
        problem = f"environment variable {variable} is not set"
        faults.append(Fault(name, key, problem, f"set {variable} before the start"))

    data = _substitute(data, environ, missing)
    try:
        settings = Settings.model_validate({**data, "source": path.resolve()})
    except ValidationError as error:
        faults += _faults(name, error)
        raise ConfigError(*faults) from error
    faults += _crosswise(name, settings)
    if faults:
        raise ConfigError(*faults)
    return settings


def _substitute(
    value: Any, environ: Mapping[str, str], missing: Callable[[str, str], None], key: str = ""
) -> Any:
    if isinstance(value, dict):
        return {
            k: _substitute(v, environ, missing, f"{key}.{k}" if key else str(k)) for k, v in value.items()
        }
    if isinstance(value, list):
        return [_substitute(v, environ, missing, f"{key}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def variable(match: re.Match[str]) -> str:
        if match[1] not in environ:
            missing(key, match[1])
        return environ.get(match[1], match[0])

    return _ENV.sub(variable, value)


def _faults(file: str, error: ValidationError) -> Iterator[Fault]:
    for item in error.errors(include_url=False):
        where = item["loc"]
        key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in where).lstrip(".")
        if item["type"] == "extra_forbidden":
            close = difflib.get_close_matches(str(where[-1]), _known_keys(where[:-1]), n=1)
            remedy = f"did you mean {close[0]}?" if close else "remove it, or see the README for the keys"
            yield Fault(file, key, "unknown key", remedy)
        elif item["type"] == "missing":
            yield Fault(file, key, "missing", "add it")
        elif item["type"] == "value_error":
            yield Fault(file, key, "not usable", item["msg"].removeprefix("Value error, "))
        else:
            yield Fault(file, key, f"{item['msg']}, found {item['input']!r:.60}", "correct the value")


def _known_keys(where: tuple[int | str, ...]) -> list[str]:
    model: Any = Settings
    for part in where:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        arguments = getattr(field.annotation, "__args__", ()) if field else ()
        model = (
            arguments[-2 if arguments and arguments[-1] is ... else -1]
            if arguments
            else field and field.annotation
        )
    return [key for key in getattr(model, "model_fields", {}) if key != "source"]


def _crosswise(file: str, settings: Settings) -> Iterator[Fault]:
    if not (settings.devices.file or settings.device):
        yield Fault(file, "devices", "no devices", 'add [devices] file = "devices.csv" or [[device]] tables')
    yield from _repeated(file, "network_server", [s.name for s in settings.network_server])
    yield from _repeated(file, "alerts.channel", [c.name for c in settings.alerts.channel])
    known = observed_properties()
    for name in settings.property:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            yield Fault(
                file,
                f"property.{name}",
                "no such observed property",
                f"did you mean {close[0]}?" if close else "`stadtfunk devices` lists them",
            )
    if settings.sta.write:
        yield Fault(file, "sta.write", "writing through SensorThings is not built yet", "set it to false")


def _repeated(file: str, table: str, names: list[str]) -> Iterator[Fault]:
    for i, name in enumerate(names):
        if name in names[:i]:
            yield Fault(file, f"{table}[{i}].name", f"{name!r} is used twice", "give each a name of its own")
