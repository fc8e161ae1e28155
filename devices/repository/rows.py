"""What the repository's YAML files may say. Keys nobody here needs are ignored, whatever they hold."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from devices.errors import Fault, RepositoryError

_Row = TypeVar("_Row", bound=BaseModel)


def _listed(value: object) -> object:
    return [] if value is None else value


def _messages(value: object) -> object:
    return [value] if isinstance(value, str) else _listed(value)


def _microseconds(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("write the time as in 2024-05-29T16:00:00Z")  # noqa: TRY004 - pydantic reports it
    moment = datetime.fromisoformat(value)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1e6)


_Messages = Annotated[tuple[str, ...], BeforeValidator(_messages)]


class _Lenient(BaseModel):
    model_config = ConfigDict(
        extra="ignore", frozen=True, coerce_numbers_to_str=True, alias_generator=to_camel
    )


class VendorRow(_Lenient):
    """One vendor of `vendor/index.yaml`."""

    id: str
    name: str = ""


class RegionRow(_Lenient):
    """Profile and codec of a firmware version in one region; `vendorID`: whose profile, if another's."""

    id: str = ""
    vendor_id: Annotated[str | None, Field(alias="vendorID")] = None
    codec: str | None = None
    lorawan_certified: bool | None = None


class FirmwareRow(_Lenient):
    """One firmware version and its regions."""

    version: str = ""
    numeric: int | None = None
    profiles: Annotated[dict[str, RegionRow], BeforeValidator(lambda value: value or {})] = {}


class DeviceRow(_Lenient):
    """A device's file."""

    name: str = ""
    description: str | None = None
    firmware_versions: Annotated[list[FirmwareRow], Field(min_length=1)]


class ProfileRow(_Lenient):
    """A profile's file."""

    mac_version: str
    regional_parameters_version: str | None = None
    supports_join: bool | None = None
    supports_class_b: bool | None = None
    supports_class_c: bool | None = None
    max_eirp: Annotated[float | None, Field(alias="maxEIRP")] = None


class DecoderRow(_Lenient):
    """`uplinkDecoder` of a codec's file; each example is read by itself."""

    file_name: str
    examples: Annotated[list[Any], BeforeValidator(_listed)] = []


class InputRow(_Lenient):
    """What an example puts in; `recvTime` in µs since the epoch, UTC, written as RFC 3339."""

    bytes: list[Annotated[int, Field(ge=0, le=255, strict=True)]]
    f_port: Annotated[int, Field(ge=0, le=255, strict=True)]
    recv_time: Annotated[int | None, BeforeValidator(_microseconds)] = None


class OutputRow(_Lenient):
    """What an example expects."""

    data: Any = None
    errors: _Messages = ()
    warnings: _Messages = ()


class ExampleRow(_Lenient):
    """One example of `uplinkDecoder`."""

    description: str | None = None
    input: InputRow
    output: OutputRow
    normalized_output: OutputRow | None = None


def read_row(row: type[_Row], value: object, file: Path, key: str = "") -> _Row:
    """The value as that kind of row. Raises RepositoryError with every fault."""
    try:
        return row.model_validate(value)
    except ValidationError as error:
        faults = [
            Fault(str(file), _place(key, each["loc"]), each["msg"], "correct the value")
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise RepositoryError(*faults) from error


def _place(key: str, loc: Sequence[int | str]) -> str:
    return ".".join(map(str, ([key] if key else []) + list(loc))) or "file"
