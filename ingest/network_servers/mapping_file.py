"""The TOML file that says where a network server's JSON has what; docs/network-servers.md describes it."""

import difflib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic import model_validator as validates

from devices.errors import Fault
from ingest.errors import MappingError

TimeForm = Literal["rfc3339", "unix_s", "unix_ms", "unix_us"]
_REMEDY = "docs/network-servers.md describes the file"


def _path(text: str) -> str:
    if "" in text.split("."):
        raise ValueError("expected a path such as meta.device or gateways.0.rssi")
    return text


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Paths = Annotated[tuple[Annotated[str, AfterValidator(_path)], ...], BeforeValidator(_several)]
"""A path, or several: names and numbers of list items with dots between."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UplinkPaths(_Table):
    """Of several paths the first counts at which something stands; `session` and `transport_id` take all."""

    dev_eui: Paths = Field(min_length=1)
    f_port: Paths = Field(min_length=1)
    f_cnt: Paths = ()
    payload: Paths = Field(min_length=1)
    payload_encoding: Literal["hex", "base64"]
    encrypted: Paths = ()
    time: Paths = ()
    time_form: TimeForm = "rfc3339"
    time_of: Literal["server", "gateway", "gps"] = "server"
    session: Paths = ()
    transport_id: Paths = ()
    device_name: Paths = ()
    codec_hint: Paths = ()
    confirmed: Paths = ()
    data_rate: Paths = ()
    spreading_factor: Paths = ()
    bandwidth_hz: Paths = ()
    data_rate_text: Paths = ()
    frequency: Paths = ()
    frequency_unit: Literal["Hz", "MHz"] = "Hz"
    decoded: Paths = ()


class GatewayPaths(_Table):
    """`list`: where the receptions stand, each with the other paths inside; none: the message is the one."""

    list: Paths = ()
    id: Paths = ()
    rssi: Paths = ()
    snr: Paths = ()
    time: Paths = ()
    time_form: TimeForm = "rfc3339"
    lat: Paths = ()
    lon: Paths = ()
    altitude: Paths = ()

    @validates(mode="after")
    def _something(self) -> Self:
        if not (self.id or self.rssi or self.snr):
            raise ValueError("name at least one of id, rssi, snr")
        return self


class MappingFile(_Table):
    """The whole file. `when`: what must stand at a path for a message to be an uplink, one of several."""

    name: str = Field(min_length=1)
    source: str = ""
    topics: tuple[str, ...] = ()
    qos0_remedy: str = "let the network server publish at QoS 1"
    when: dict[Annotated[str, AfterValidator(_path)], tuple[str | int | bool, ...]] = Field(
        default_factory=dict
    )
    uplink: UplinkPaths
    gateways: GatewayPaths | None = None


def read_mapping(file: Path) -> MappingFile:
    """A mapping from its file. Raises MappingError with every fault."""
    name = str(file)
    try:
        return MappingFile.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        problem = error.strerror or str(error)
        raise MappingError(Fault(name, "-", problem, "give a readable file")) from error
    except UnicodeDecodeError as error:
        raise MappingError(Fault(name, "-", str(error), "save the file as UTF-8")) from error
    except tomllib.TOMLDecodeError as error:
        raise MappingError(Fault(name, "-", f"not TOML: {error}", "correct the line named")) from error
    except ValidationError as error:
        raise MappingError(*_faults(name, error)) from error


def _faults(file: str, error: ValidationError) -> Iterator[Fault]:
    for each in error.errors(include_url=False):
        where = [str(part) for part in each["loc"] if part != "[key]"]
        remedy = _REMEDY
        problem = each["msg"].removeprefix("Value error, ")
        if each["type"] == "extra_forbidden":
            problem = "unknown key"
            close = difflib.get_close_matches(where[-1], _keys(), n=1)
            remedy = f"did you mean {close[0]}?" if close else _REMEDY
        elif each["type"] == "missing":
            problem, remedy = "is missing", "add it"
        yield Fault(file, ".".join(where) or "file", problem, remedy)


def _keys() -> list[str]:
    return [key for model in (MappingFile, UplinkPaths, GatewayPaths) for key in model.model_fields]
