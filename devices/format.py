"""The device-type file: a subset of the Payload Schema language with our additions, as pydantic models.

docs/device-types.md describes the format. Everything here is shape; devices.table_codec gives it meaning.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from devices.errors import DeviceTypeError, Fault
from devices.properties import Theme
from devices.yaml12 import read_yaml

Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]
_WIRE_TYPE = re.compile(
    r"(?P<endian>le_|be_)?(?:(?P<int>[us])(?P<bits>8|16|24|32|64)(?P<words>le16)?|f(?P<float>16|32|64))"
    r"(?:\[(?P<bits_read>\d+(?::\d+)?(?:,\d+(?::\d+)?)*)\])?"
)
_UNREPORTED = {"skip", "hex", "bytes", "ascii", "base64", "bitfield_string"}


class Strict(BaseModel):
    """No unknown keys, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WireType(Strict):
    """How a number lies on the wire.

    `ranges`: (low, high) bit ranges inside it that make the number, the most significant first; none: all of
    it. `words`: 16-bit words, low first.
    """

    code: Literal["u", "s", "f"]
    size: int
    endian: Literal["big", "little"] | None = None
    words: bool = False
    ranges: tuple[tuple[int, int], ...] = ()

    @property
    def bits(self) -> int:
        """How many bits make the number."""
        return sum(high - low + 1 for low, high in self.ranges) or 8 * self.size

    def place(self, raw: int) -> int:
        """The bits of `raw` where they lie in the whole field."""
        if not self.ranges:
            return raw
        placed = 0
        for low, high in reversed(self.ranges):
            placed |= (raw & (1 << (high - low + 1)) - 1) << low
            raw >>= high - low + 1
        return placed


def wire_type(text: str) -> WireType | None:
    """The wire type a field's `type` names, None where it names none."""
    if text == "bool":
        return WireType(code="u", size=1)
    match = _WIRE_TYPE.fullmatch(text)
    if not match:
        return None
    bits = int(match["bits"] or match["float"])
    ranges = tuple(
        (int(low), int(high or low))
        for low, _, high in (each.partition(":") for each in (match["bits_read"] or "").split(",") if each)
    )
    read = [bit for low, high in ranges for bit in range(low, high + 1)]
    if any(not low <= high < bits for low, high in ranges) or len(read) > len(set(read)):
        return None
    if match["words"] and bits != 32:  # noqa: PLR2004 - u32le16, s32le16
        return None
    return WireType.model_validate(
        {
            "code": match["int"] or "f",
            "size": bits // 8,
            "endian": {"le_": "little", "be_": "big"}.get(match["endian"] or ""),
            "words": bool(match["words"]),
            "ranges": ranges,
        }
    )


class FieldSpec(Strict):
    """One value on the wire and what it means."""

    name: Name
    type: str
    length: Annotated[int, Field(ge=1, le=255)] | Literal["remaining"] | None = None
    bit: int | None = Field(None, ge=0, le=7)
    consume: int | None = Field(None, ge=0, le=8)
    steps: tuple[tuple[Literal["add", "mult", "div"], Fraction], ...] = ()
    lookup: tuple[str | float, ...] | dict[int | Literal["default"], str | float] | None = None
    unit: str | None = None
    valid_range: tuple[float, float] | None = None
    property: str | None = None
    channel: str = ""
    sentinels: tuple[int, ...] = ()
    wrap: float | None = Field(None, gt=0)
    time: Literal["unix_s"] | None = None
    required: bool | Literal["report"] = False
    optional: bool = False

    @model_validator(mode="before")
    @classmethod
    def _ordered(cls, raw: Any) -> Any:
        """Keeps add, mult and div in the order they stand in, and drops keys that only inform."""
        if not isinstance(raw, Mapping):
            return raw
        rest: dict[Any, Any] = {}
        steps: list[tuple[str, Any]] = []
        for key, value in raw.items():
            if key in _ARITHMETIC:
                steps.append((key, _fraction(value)))
            elif key == "transform" and isinstance(value, list):
                steps += [(op, _fraction(by)) for each in value for op, by in dict(each).items()]
            elif key not in _INFORMS:
                rest[key] = value
        if steps:
            rest["steps"] = steps
        return rest

    @field_validator("type")
    @classmethod
    def _known(cls, text: str) -> str:
        if text not in _UNREPORTED and wire_type(text) is None:
            raise ValueError(f"type {text!r} is not in the subset we read")
        return text

    @model_validator(mode="after")
    def _whole(self) -> "FieldSpec":
        if self.type in _UNREPORTED and self.length is None:
            raise ValueError(f"type {self.type} needs a length")
        if self.type in _UNREPORTED and self.property:
            raise ValueError(f"type {self.type} is no number and cannot be a property")
        if self.type == "bool" and self.bit is None:
            raise ValueError("type bool needs a bit")
        if any(op == "div" and by == 0 for op, by in self.steps):
            raise ValueError("division by zero")
        if self.property is None and (self.valid_range or self.wrap):
            raise ValueError("valid_range and wrap need a property")
        if not (self.property or self.time) and (self.sentinels or self.required):
            raise ValueError("sentinels and required need a property or a time")
        if self.time and (self.property or self.lookup or self.type in _UNREPORTED or "f" in self.type):
            raise ValueError("a time is a whole number on the wire, and nothing else")
        if self.time and self.required == "report":
            raise ValueError("a time is required (true), or may be missing")
        if self.valid_range and self.valid_range[0] > self.valid_range[1]:
            raise ValueError("valid_range runs downwards")
        return self


_ARITHMETIC = {"add", "mult", "div"}
_INFORMS = {
    "description", "ipso", "senml", "senml_unit", "semantic", "sensor", "unece", "resolution", "comment",
}  # fmt: skip


def _fraction(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return Fraction(str(value))


class FlagGroup(Strict):
    """Fields that are there when a bit of the flag field is set."""

    bit: int = Field(ge=0, le=63)
    fields: "tuple[Node, ...]"


class Flagged(Strict):
    """Groups present by the bits of an earlier field."""

    field: Name
    groups: tuple[FlagGroup, ...] = Field(min_length=1)


class Match(Strict):
    """Fields chosen by the value of an earlier field: exact, `2..5`, or `_` for the rest."""

    field: Name
    cases: "dict[int | str, tuple[Node, ...]]" = Field(min_length=1)


class TagField(Strict):
    """One part of a composite tag."""

    name: Name
    type: Literal["u8", "u16", "u24", "u32"]


class Tlv(Strict):
    """Tag, (length,) value until the payload ends."""

    tag_size: int | None = Field(None, ge=1, le=4)
    tag_fields: tuple[TagField, ...] = ()
    tag_key: str | tuple[str, ...] | None = None
    length_size: int = Field(0, ge=0, le=2)
    merge: Literal[True] = True
    unknown: Literal["skip", "error"] = "skip"
    cases: "dict[int | str | tuple[int, ...], tuple[Node, ...]]" = Field(min_length=1)

    @model_validator(mode="after")
    def _tagged(self) -> "Tlv":
        if not self.tag_size and not self.tag_fields:
            raise ValueError("a tlv needs tag_size or tag_fields")
        keys = (self.tag_key,) if isinstance(self.tag_key, str) else self.tag_key
        if self.tag_fields and keys and tuple(each.name for each in self.tag_fields) != keys:
            raise ValueError("tag_key must name the tag_fields in their order")
        return self


class FlaggedNode(Strict):
    """`- flagged:`."""

    flagged: Flagged


class MatchNode(Strict):
    """`- match:`."""

    match: Match


class TlvNode(Strict):
    """`- tlv:`."""

    tlv: Tlv


class RecordsNode(Strict):
    """`- records:`, one after the other until the payload ends, each with a time."""

    records: "tuple[Node, ...]" = Field(min_length=1)


def _sort(raw: Any) -> str:
    keys = set(raw) if isinstance(raw, Mapping) else set(vars(raw))
    return next((each for each in ("flagged", "match", "tlv", "records") if each in keys), "field")


Node = Annotated[
    Annotated[FieldSpec, Tag("field")]
    | Annotated[FlaggedNode, Tag("flagged")]
    | Annotated[MatchNode, Tag("match")]
    | Annotated[TlvNode, Tag("tlv")]
    | Annotated[RecordsNode, Tag("records")],
    Discriminator(_sort),
]
_TAGS = {"field", "flagged", "match", "tlv", "records"}


class Frame(Strict):
    """What comes on one fPort. `reading: false`: a frame known to carry no measurement."""

    description: str = ""
    direction: Literal["uplink"] = "uplink"
    reading: bool = True
    fields: tuple[Node, ...] = ()

    @model_validator(mode="after")
    def _either(self) -> "Frame":
        if self.reading != bool(self.fields):
            raise ValueError("a frame has fields, or says reading: false")
        return self


class Text(Strict):
    """A text in both languages."""

    de: str = Field(min_length=1)
    en: str = Field(min_length=1)


class TypeFile(Strict):
    """One device type."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
    version: int = Field(ge=1)
    endian: Literal["big", "little"] = "big"
    description: str = ""
    direction: Literal["uplink"] = "uplink"
    maker: Name
    model: Name
    names: Text
    theme: Theme
    interval_s: float = Field(gt=0)
    source: str = Field(min_length=1)
    caveats: tuple[Text, ...] = ()
    fields: tuple[Node, ...] = ()
    ports: dict[Annotated[int, Field(ge=1, le=223)], Frame] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _either(self) -> "TypeFile":
        if bool(self.fields) == bool(self.ports):
            raise ValueError("a type has either ports or fields")
        return self

    @property
    def id(self) -> str:
        """maker-model in lower case."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.maker}-{self.model}".lower()).strip("-")


for _model in (FlagGroup, Match, Tlv, Flagged, FlaggedNode, MatchNode, TlvNode, RecordsNode, Frame, TypeFile):
    _model.model_rebuild()


def read_type_file(file: Path) -> TypeFile:
    """The device type in a YAML file. Raises DeviceTypeError with every fault found."""
    try:
        type_file = TypeFile.model_validate(_table(file, read_yaml(file)))
    except ValidationError as error:
        raise DeviceTypeError(*faults_of(str(file), error)) from error
    if file.stem != type_file.id:
        remedy = f"rename the file to {type_file.id}.yaml or correct maker and model"
        raise DeviceTypeError(Fault(str(file), "model", f"file name and id {type_file.id} differ", remedy))
    return type_file


def _table(file: Path, document: Any) -> Mapping[str, Any]:
    if isinstance(document, Mapping):
        return document
    raise DeviceTypeError(Fault(str(file), "file", "no mapping at the top", "start with name:, version: ..."))


def faults_of(file: str, error: ValidationError) -> Iterator[Fault]:
    """Each of pydantic's errors as a fault with the key a person finds in the file."""
    for each in error.errors():
        path = [
            part
            for before, part in zip(("", *each["loc"]), each["loc"], strict=False)
            if not (part in _TAGS and (isinstance(before, int)))
        ]
        key = ".".join(str(part) for part in path) or "file"
        problem = each["msg"].removeprefix("Value error, ")
        remedy = "see docs/device-types.md"
        if each["type"] == "extra_forbidden":
            problem = "unknown key"
            close = difflib.get_close_matches(str(path[-1]), _KEYS, n=1)
            remedy = f"did you mean {close[0]}?" if close else "docs/device-types.md names every key"
        elif each["type"] == "missing":
            problem, remedy = "is missing", "add it"
        yield Fault(file, key, problem, remedy)


_KEYS = sorted(
    {
        key
        for model in (FieldSpec, Flagged, FlagGroup, Match, Tlv, Frame, TypeFile)
        for key in model.model_fields
    }
    | _ARITHMETIC
)
