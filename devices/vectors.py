"""Test vectors: payloads with what they must decode to, in a file beside each device type."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from devices.errors import DeviceTypeError
from devices.format import Name, Strict, faults_of
from devices.instant import rfc3339_us
from devices.yaml12 import read_yaml

Expected = dict[str, float | dict[Literal["value", "quality"], float | str | None] | None]


class Vector(Strict):
    """One payload and what it must decode to.

    `expected`: property or property/channel -> value, None (missing), {value, quality}; {} means no reading
    of now. `logged`: the same of values that the payload dates, by RFC 3339 time.
    `outside`: the expectation comes from somebody else than us, `source` says from whom.
    """

    name: Name
    source: str = Field(min_length=1)
    outside: bool = False
    fPort: int = Field(ge=0, le=255)  # noqa: N815 - Payload Schema's key
    payload: bytes
    expected: Expected | None = None
    logged: dict[str, Expected] = Field(default_factory=dict)
    rejected: str | None = None

    @field_validator("payload", mode="before")
    @classmethod
    def _hex(cls, value: Any) -> bytes:
        if not isinstance(value, str):
            raise ValueError("hex of digits alone reads as a number: put it in quotes")  # noqa: TRY004 - a fault
        return bytes.fromhex(value)

    @model_validator(mode="after")
    def _either(self) -> "Vector":
        if (self.expected is None) == (self.rejected is None):
            raise ValueError("a vector has either expected or rejected")
        if wrong := [each for each in self.logged if rfc3339_us(each) is None]:
            raise ValueError(f"logged: {wrong[0]!r} is no RFC 3339 time")
        return self


class _VectorFile(Strict):
    vectors: tuple[Vector, ...]


def read_vectors(file: Path) -> tuple[Vector, ...]:
    """The vectors of a file beside a type file; none where there is no file."""
    if not file.exists():
        return ()
    try:
        return _VectorFile.model_validate({"vectors": read_yaml(file) or ()}).vectors
    except ValidationError as error:
        raise DeviceTypeError(*faults_of(str(file), error)) from error
