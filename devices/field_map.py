"""What a JavaScript codec's fields mean: a field map, pinned to the hash of one codec text.

docs/field-maps.md describes the file. `MapFile` is its shape, `FieldMap` its meaning; a map is compiled once.
"""

import difflib
import math
import re
import tomllib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from devices.decoded import Decoded
from devices.errors import DeviceTypeError, Fault
from devices.flat import TooManyFieldsError, flat, plain_text
from devices.format import Name, Strict, Text
from devices.instant import rfc3339_us
from devices.measurement import Measurement, Quality, Rejected
from devices.properties import Kind, ObservedProperty, Theme, observed_properties
from devices.units import conversion, ucum

DOCS = "docs/field-maps.md names every key"
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*", re.ASCII | re.DOTALL)
_MOST_DIGITS = 64


class MapField(Strict):
    """One field of the codec and what it means."""

    path: str = Field(min_length=1)
    property: str
    unit: str | None = None
    codec_unit: str = ""
    scale: float = Field(1, allow_inf_nan=False)
    sentinels: tuple[str | float, ...] = ()
    range: tuple[float, float] | None = None
    kind: Kind = "gauge"
    wrap: float | Literal[False] | None = None
    channel: str = ""
    required: bool = False
    states: dict[str, float] = Field(default_factory=dict)
    time: str = ""

    @field_validator("wrap", mode="before")
    @classmethod
    def _counts(cls, wrap: Any) -> Any:
        if wrap is True or (isinstance(wrap, int | float) and wrap is not False and not 0 < wrap < math.inf):
            raise ValueError("a wrap is a number above 0, or false")
        return wrap

    @model_validator(mode="after")
    def _whole(self) -> "MapField":
        if self.range and self.range[0] > self.range[1]:
            raise ValueError("range runs downwards")
        if self.scale == 0:
            raise ValueError("scale 0 makes every value the same")
        if self.states and self.kind != "state":
            raise ValueError('states need kind = "state"')
        return self


class MapFile(Strict):
    """A field map, with what people need to know of the model; a repository knows some of it already."""

    maker: Name = ""
    model: Name = ""
    names: Text | None = None
    theme: Theme | None = None
    interval_s: float = Field(0, ge=0, allow_inf_nan=False)
    source: str = ""
    caveats: tuple[Text, ...] = ()
    codec: Annotated[str, StringConstraints(pattern=r"^([a-z0-9._-]+/[a-z0-9._-]+(@[^/@]+)?)?$")] = ""
    # of any form: whoever has the codec's text says which hash it should have been
    codec_sha256: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)] = ""
    f_ports: tuple[Annotated[int, Field(ge=1, le=223)], ...] = ()
    required_missing: int | None = Field(None, ge=1, le=1000)
    time: str = ""
    field: tuple[MapField, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> "MapFile":
        if not self.codec and not (self.maker and self.model):
            raise ValueError('give maker and model, or codec = "vendor/model" of the repository')
        return self

    @property
    def id(self) -> str:
        """maker-model in lower case; of the repository's names where it is the repository's codec."""
        name = self.codec.partition("@")[0] or f"{self.maker}-{self.model}"
        return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def parse_map(file: str, text: str) -> MapFile:
    """The map in a TOML text. Raises DeviceTypeError with every fault of its shape."""
    try:
        return MapFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DeviceTypeError(Fault(file, "file", f"not TOML: {error}", "correct the line named")) from error
    except ValidationError as error:
        raise DeviceTypeError(*_faults(file, error)) from error


def _faults(file: str, error: ValidationError) -> Iterator[Fault]:
    for each in error.errors():
        where = [part for part in each["loc"] if part not in _BRANCHES]
        key = ".".join(map(str, where)) or "file"
        problem, remedy = each["msg"].removeprefix("Value error, "), DOCS
        if each["type"] == "extra_forbidden":
            problem = "unknown key"
            known = MapField.model_fields if where[0] == "field" else MapFile.model_fields
            if close := difflib.get_close_matches(str(where[-1]), known, n=1):
                remedy = f"did you mean {close[0]}?"
        elif each["type"] == "missing":
            problem, remedy = "is missing", "add it"
        yield Fault(file, key, problem, remedy)


# what pydantic calls the alternatives of a union
_BRANCHES = {"str", "float", "literal[False]"}


@dataclass(frozen=True, slots=True)
class Reader:
    """A field, ready to read: value in the property's unit = slope * number + offset, exactly.

    `unit`: UCUM, of the codec's number times `scale`; `low`, `high`: the sensor's range in the property's
    unit, infinite where the map gives none; `time`: the path that says when it was measured, or nothing.
    """

    path: str
    property: str
    channel: str
    unit: str
    codec_unit: str
    scale: float
    slope: Fraction
    offset: Fraction
    low: float
    high: float
    sentinels: tuple[float | str, ...]
    states: Mapping[str, float]
    state: bool
    time: str

    def found_in(self, fields: Container[str]) -> str | None:
        """Where its value stands, alone or as one of {value, unit}; None where it is not there."""
        return next((each for each in (self.path, f"{self.path}.value") if each in fields), None)

    def value(self, number: float) -> float:
        """The codec's number in the property's unit; infinite where that is too large."""
        if self.slope == 1 and self.offset == 0:
            return float(number)
        try:
            # the decimal number that was meant: 0.29 m are 290 mm and not 289.99999999999994
            return float(Fraction(repr(number)) * self.slope + self.offset)
        except OverflowError:
            return math.inf

    def measured(self, value: float | None, time_us: int | None) -> Measurement:
        """A value in the property's unit, judged by the range; None and what is not finite are missing."""
        if value is None or not math.isfinite(value):
            return Measurement(self.property, None, Quality.MISSING, self.channel, time_us)
        quality = Quality.GOOD if self.low <= value <= self.high else Quality.FAIL
        return Measurement(self.property, value, quality, self.channel, time_us)

    def same_unit(self, text: str) -> bool:
        """Whether a unit that the codec wrote is the one the map was made for."""
        if self.codec_unit:
            return text == self.codec_unit
        return conversion(ucum(text), self.unit) == (Fraction(1), Fraction(0))


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Reads what a codec gave. `wraps`, `required`, `properties`: as DeviceType has them."""

    readers: tuple[Reader, ...] = ()
    wraps: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    required: frozenset[str] = frozenset()
    times: frozenset[str] = frozenset()

    @property
    def normalizes(self) -> bool:
        """Whether it reads what `normalizeUplink` makes of the data: paths that begin with `normalized.`."""
        return any(each.path.startswith("normalized.") for each in self.readers)

    @property
    def properties(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(dict.fromkeys(each.property for each in self.readers))

    def read(self, data: Mapping[str, Any], warnings: tuple[str, ...] = ()) -> Decoded | Rejected:
        """The measurements in what a codec gave; what nobody mapped, and what could not be read, is kept.

        `Rejected("unit_changed")` where the codec says a unit that is not the map's. Never raises.
        """
        try:
            fields = flat(data)
        except TooManyFieldsError:
            return Rejected("codec_error", "the codec's answer has too many fields")
        found: list[Measurement] = []
        said = [plain_text(each) for each in warnings]
        times: dict[str, int | None] = {}
        for when in self.times & fields.keys():
            times[when] = _time_us(fields[when])
            if times[when] is None:
                said.append(f"{when}: {fields[when]!r} is no time"[:200])
            else:
                del fields[when]
        for reader in self.readers:
            if (path := reader.found_in(fields)) is None:
                continue
            raw = fields[path]
            number, unit = _number(raw, reader)
            if isinstance(told := fields.get(beside := _unit_path(path)), str):
                unit = told
                del fields[beside]
            if unit and not reader.same_unit(unit):
                detail = f"{reader.path}: the codec says {unit!r}, the map {reader.unit}"
                return Rejected("unit_changed", detail[:500])
            if number is _UNREADABLE:
                said.append(f"{reader.path}: {raw!r} is no value for {reader.property}"[:200])
                continue
            del fields[path]
            value = None if number is None else reader.value(number)
            found.append(reader.measured(value, times.get(reader.time)))
        if found and (away := self.required - {each.property for each in found}):
            said += [f"required {each} is missing" for each in sorted(away)]
        return Decoded(tuple(found), MappingProxyType(fields), tuple(said))


def _unit_path(path: str) -> str:
    """Where the unit stands of a value that is one of {value, unit}."""
    parent, _, last = path.rpartition(".")
    return (f"{parent}.unit" if parent else "unit") if last == "value" else ""


_MILLISECONDS = 100_000_000_000
"""From here on a number is no count of seconds (that would be the year 5138)."""


def _time_us(raw: Any) -> int | None:
    """µs since the epoch of seconds or milliseconds since then or an RFC 3339 text; None of anything else."""
    if isinstance(raw, str):
        return rfc3339_us(raw)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 < raw < _MILLISECONDS * 1000:
        return None
    return round(raw * (1_000 if raw >= _MILLISECONDS else 1_000_000))


_UNREADABLE = math.nan


def _number(raw: Any, reader: Reader) -> tuple[float | None, str]:
    """The number meant, None for none, _UNREADABLE for what is no number; and a unit written behind it."""
    if raw is None or (isinstance(raw, str) and raw in reader.sentinels):
        return None, ""
    if reader.states:
        word = str(raw).lower() if isinstance(raw, bool) else str(raw)
        return reader.states.get(word, _UNREADABLE), ""
    number, unit = _UNREADABLE, ""
    if isinstance(raw, bool):
        number = float(raw) if reader.state else _UNREADABLE
    elif isinstance(raw, int | float):
        number = raw
    elif isinstance(raw, str) and len(raw) <= _MOST_DIGITS and (match := _NUMBER.fullmatch(raw)):
        number, unit = float(match[1]), match[2]
    if number is not _UNREADABLE and (number in reader.sentinels or not math.isfinite(number)):
        return None, ""
    return number, unit


def compile_map(file: str, map_file: MapFile) -> FieldMap:
    """What a map means. Raises DeviceTypeError with every fault found."""
    faults: list[Fault] = []
    readers: list[Reader] = []
    wraps: dict[str, float] = {}
    paths: dict[str, int] = {}
    series: dict[tuple[str, str], int] = {}
    for i, each in enumerate(map_file.field):
        key = f"field.{i} ({each.path})"
        if each.path in paths:
            faults.append(Fault(file, f"{key}.path", f"is field.{paths[each.path]} already", "remove one"))
        paths.setdefault(each.path, i)
        first = series.setdefault((each.property, each.channel), i)
        if first != i:
            problem = f"{each.property} is field.{first} already"
            faults.append(Fault(file, f"{key}.channel", problem, "give each a channel of its own"))
        observed = observed_properties().get(each.property)
        if observed is None:
            close = difflib.get_close_matches(each.property, observed_properties(), n=1)
            remedy = f"did you mean {close[0]}?" if close else "see devices/properties.toml"
            faults.append(Fault(file, f"{key}.property", f"unknown property {each.property}", remedy))
            continue
        found = list(_field_faults(file, key, each, observed))
        faults += found
        if not found:
            reader, wrap = _reader(each, observed, each.time or map_file.time)
            readers.append(reader)
            if wrap is not None and wraps.setdefault(each.property, wrap) != wrap:
                faults.append(Fault(file, f"{key}.wrap", "differs from the other", "give both the same wrap"))
    if faults:
        raise DeviceTypeError(*faults)
    required = frozenset(each.property for each in map_file.field if each.required)
    times = frozenset(each.time for each in readers if each.time)
    return FieldMap(tuple(readers), MappingProxyType(wraps), required, times)


def _field_faults(file: str, key: str, spec: MapField, observed: ObservedProperty) -> Iterator[Fault]:
    if spec.kind != observed.kind:
        problem = f"{spec.kind}, but {observed.name} is a {observed.kind}"
        yield Fault(file, f"{key}.kind", problem, f'write kind = "{observed.kind}" or correct the property')
    elif spec.kind == "counter" and spec.wrap is None:
        remedy = "write the count at which it starts again at 0, in the field's unit, or wrap = false"
        yield Fault(file, f"{key}.wrap", "a counter needs it", remedy)
    elif spec.kind != "counter" and spec.wrap is not None:
        yield Fault(file, f"{key}.wrap", "is of counters alone", "remove it")
    if spec.unit is None and observed.unit != "1":
        remedy = f"write the unit in which the codec gives it, such as {observed.unit}"
        yield Fault(file, f"{key}.unit", "is missing", remedy)
    elif conversion(ucum(spec.unit or "1"), observed.unit) is None:
        problem = f"{spec.unit} cannot become {observed.unit}, the unit of {observed.name}"
        yield Fault(file, f"{key}.unit", problem, "correct the unit or the property")


def _reader(spec: MapField, observed: ObservedProperty, time: str) -> tuple[Reader, float | None]:
    unit = ucum(spec.unit or "1")
    into, shift = conversion(unit, observed.unit) or (Fraction(1), Fraction(0))
    low, high = sorted(float(Fraction(repr(each)) * into + shift) for each in spec.range or ()) or (
        -math.inf,
        math.inf,
    )
    reader = Reader(
        path=spec.path,
        property=observed.name,
        channel=spec.channel,
        unit=unit,
        codec_unit=spec.codec_unit,
        scale=spec.scale,
        slope=Fraction(repr(spec.scale)) * into,
        offset=shift,
        low=low,
        high=high,
        sentinels=tuple(dict.fromkeys(spec.sentinels)),
        states=MappingProxyType(dict(spec.states)),
        state=observed.kind == "state",
        time=time,
    )
    return reader, float(Fraction(repr(spec.wrap)) * into) if spec.wrap else None
