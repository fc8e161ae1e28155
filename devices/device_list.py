"""Reads the list of installed devices (CSV as Excel writes it, or TOML tables) into checked rows."""

import codecs
import contextlib
import csv
import difflib
import io
import itertools
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from devices.errors import Fault, RegistryError

_TRUE = {"true", "1", "yes", "y", "ja", "j", "wahr", "x"}
_FALSE = {"false", "0", "no", "n", "nein", "falsch"}
_MOST_STAGES = 4
STATION_ID = r"^\w[\w .:+-]*$"
_CSV_DIALECT_SAMPLE = ",;\t"


def _number(value: object) -> object:
    """A decimal comma is as good as a point; an empty cell is no value."""
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        return text.replace(",", ".") if "," in text and "." not in text else text
    return value


def _numbers(value: object) -> object:
    if isinstance(value, str):
        return [_number(part) for part in value.split(";") if part.strip()]
    if value is None:
        return []
    return value


def _flag(value: object) -> object:
    if isinstance(value, str):
        text = value.strip().lower()
        if not text:
            return None
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
    return value


def _text(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _word(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def normalise_dev_eui(text: str) -> str:
    """A DevEUI as 16 lower-case hex digits, whatever separators and case it was written in.

    Raises ValueError with what is wrong.
    """
    digits = re.sub(r"[\s:.\-_]", "", text.strip()).lower().removeprefix("0x")
    if re.fullmatch(r"[0-9a-f]{16}", digits):
        return digits
    if re.fullmatch(r"[\d.,]+e[+]?\d+", text.strip().lower()):
        raise ValueError(f"{text!r} is a DevEUI that a spreadsheet turned into a number")
    raise ValueError(f"{text!r} is not a DevEUI of 16 hex digits")


_Value = TypeVar("_Value")
_Cell = Annotated[_Value | None, BeforeValidator(_number)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Numbers = Annotated[tuple[_Finite, ...], BeforeValidator(_numbers)]
_Flag = Annotated[bool | None, BeforeValidator(_flag)]
_Text = Annotated[str, BeforeValidator(_text)]
Reserved = Literal["", "disabled", "charging"]
"""Whom a single parking space is for; "" everybody."""
_Reserved = Annotated[Reserved, BeforeValidator(_word)]


class DeviceRow(BaseModel):
    """One row of the device list. An empty cell is the same as a missing one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dev_eui: _Text = ""
    type: _Text = ""
    station: Annotated[
        str,
        StringConstraints(min_length=1, max_length=64, pattern=STATION_ID),
        BeforeValidator(_text),
    ]
    name: _Text = ""
    lat: _Cell[Annotated[_Finite, Field(ge=-90, le=90)]] = None
    lon: _Cell[Annotated[_Finite, Field(ge=-180, le=180)]] = None
    public: _Flag = None
    interval_s: _Cell[Annotated[_Finite, Field(gt=0, le=7 * 86_400)]] = None
    gauge_zero_m: _Cell[Annotated[_Finite, Field(ge=-500, le=9_000)]] = None
    sensor_height_cm: _Cell[Annotated[_Finite, Field(ge=-10_000, le=100_000)]] = None
    stages_cm: _Numbers = ()
    stages_m_nhn: _Numbers = ()
    capacity: _Cell[Annotated[int, Field(ge=0)]] = None
    reserved: _Reserved = ""
    water: _Text = ""
    direction: _Text = ""
    note: _Text = ""

    @field_validator("dev_eui")
    @classmethod
    def _dev_eui(cls, text: str) -> str:
        return normalise_dev_eui(text) if text else ""

    @field_validator("stages_cm", "stages_m_nhn")
    @classmethod
    def _stages(cls, stages: tuple[float, ...]) -> tuple[float, ...]:
        if len(stages) > _MOST_STAGES:
            raise ValueError(f"{len(stages)} stages, at most {_MOST_STAGES} are possible")
        if any(low >= high for low, high in itertools.pairwise(stages)):
            raise ValueError(f"stages {list(stages)} do not ascend")
        return stages

    @model_validator(mode="after")
    def _place(self) -> "DeviceRow":
        if (self.lat is None) != (self.lon is None):
            raise ValueError("lat and lon come together or not at all")
        return self


def above_zero_cm(height_m_nhn: float, gauge_zero_m: float) -> float:
    """A height in m NHN as cm above a gauge zero, to the millimetre."""
    return round((height_m_nhn - gauge_zero_m) * 100, 1)


@dataclass(frozen=True, slots=True)
class Located:
    """A row and where it stands: `place` reads "line 3" or "[[device]] 2".

    `bad` names the columns that were at fault and left out, so that the rest can still be checked.
    """

    file: str
    place: str
    row: DeviceRow
    bad: frozenset[str] = frozenset()

    def fault(self, column: str, problem: str, remedy: str) -> Fault:
        """A fault in one column of this row."""
        return Fault(self.file, _key(self.place, column), problem, remedy)


RawRow: TypeAlias = tuple[str, str, Mapping[str, Any]]
"""File, place and fields of a row."""


def read_device_list(
    file: Path | None, tables: Sequence[Mapping[str, Any]] = (), tables_file: str = "city.toml"
) -> tuple[list[Located], list[Fault]]:
    """Every row of the file and of the given tables, and every fault of a single row.

    Raises RegistryError when the file as a whole cannot be read.
    """
    raw: list[RawRow] = [(tables_file, f"[[device]] {i}", table) for i, table in enumerate(tables, 1)]
    if file is not None:
        raw += [(str(file), place, row) for place, row in _rows_of(file)]
    return located_rows(raw)


def located_rows(raw: Iterable[RawRow]) -> tuple[list[Located], list[Fault]]:
    """Checked rows, and every fault of a single row."""
    located: list[Located] = []
    faults: list[Fault] = []
    for name, place, fields in raw:
        try:
            located.append(Located(name, place, DeviceRow.model_validate(dict(fields))))
        except ValidationError as error:
            faults += _faults(name, place, error)
            located += _without_faults(name, place, fields, error)
    return located, faults


def _without_faults(
    file: str, place: str, fields: Mapping[str, Any], error: ValidationError
) -> Iterator[Located]:
    bad = {str(part) for each in error.errors() for part in (each["loc"][:1] or ("lat", "lon"))}
    if bad & {"lat", "lon"}:
        bad |= {"lat", "lon"}
    rest = {column: value for column, value in fields.items() if column not in bad}
    with contextlib.suppress(ValidationError):
        yield Located(file, place, DeviceRow.model_validate(rest), frozenset(bad))


def _rows_of(file: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise RegistryError(
            Fault(str(file), "file", error.strerror or str(error), "give a readable CSV or TOML file")
        ) from error
    text = decoded(raw)
    if file.suffix.lower() == ".toml":
        return _toml_rows(str(file), text)
    return _csv_rows(str(file), text)


def decoded(raw: bytes) -> str:
    """The text of a list: UTF-8, or what a German Excel saves as "CSV"."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def csv_rows(file: str, raw: bytes) -> list[RawRow]:
    """The rows of a CSV list. Raises RegistryError when it as a whole cannot be read."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        problem = 'is UTF-16, what Excel calls "Unicode text"'
        raise RegistryError(Fault(file, "file", problem, 'save it as "CSV UTF-8"'))
    return [(file, place, row) for place, row in _csv_rows(file, decoded(raw))]


def delimiter_of(text: str) -> str:
    """What separates the columns of a CSV list."""
    lines = (line.lstrip(' ,;\t"') for line in text.splitlines())
    header = next((line for line in lines if line and not line.startswith("#")), "")
    return max(_CSV_DIALECT_SAMPLE, key=header.count)


def _toml_rows(file: str, text: str) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RegistryError(Fault(file, "file", f"not TOML: {error}", "correct the line named")) from error
    tables = parsed.pop("device", [])
    if parsed or not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        key = next(iter(parsed), "device")
        raise RegistryError(Fault(file, key, "only [[device]] tables belong here", "write [[device]] tables"))
    return [(f"[[device]] {i}", table) for i, table in enumerate(tables, 1)]


def _csv_rows(file: str, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text))
    header: list[str] = []
    following = 1
    try:
        for cells in reader:
            # a quoted cell may go over several lines: the row stands where it begins
            line, following = following, reader.line_num + 1
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            if not header:
                header = [cell.strip().lower() for cell in cells]
                _check_header(file, line, header)
                continue
            place = f"line {line}"
            if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
                yield place, {"more cells than columns": len(cells)}
                continue
            yield (
                place,
                {name: cell for name, cell in zip(header, cells, strict=False) if name and cell.strip()},
            )
    except csv.Error as error:
        raise RegistryError(
            Fault(file, f"line {reader.line_num}", f"not CSV: {error}", "save it as CSV (UTF-8) again")
        ) from error
    if not header:  # what an editor leaves for a moment when it saves
        raise RegistryError(Fault(file, "file", "is empty", "the first line names the columns"))


def _check_header(file: str, line: int, header: Sequence[str]) -> None:
    faults = [
        Fault(file, f"line {line}, {name[:40]}", "unknown column", _did_you_mean(name))
        for name in header
        if name and name not in DeviceRow.model_fields
    ]
    faults += [
        Fault(file, f"line {line}, {name}", "column stands twice", "remove one of them")
        for name in sorted({each for each in header if each and header.count(each) > 1})
    ]
    if "station" not in header:
        faults.append(Fault(file, f"line {line}", "no column station", "the first line names the columns"))
    if faults:
        raise RegistryError(*faults)


def _did_you_mean(name: str) -> str:
    known = list(DeviceRow.model_fields)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


_REMEDIES = {
    "dev_eui": "write the 16 hex digits of the DevEUI; in a spreadsheet format the column as text",
    "station": "give a short id of letters, digits, '-', '_' and '.', such as kippemuehle",
    "lat": "WGS 84 degrees, -90 to 90, such as 50.9921",
    "lon": "WGS 84 degrees, -180 to 180, such as 7.1247",
    "public": "write true or false",
    "interval_s": "seconds between two uplinks, above 0",
    "stages_cm": "up to four ascending levels in cm; in CSV 52;65;79",
    "stages_m_nhn": "up to four ascending heights in m NHN; in CSV 78.92;79.05",
    "capacity": "the number of parking spaces, 0 or more",
    "reserved": "of a single-space sensor: disabled or charging; empty where everybody may park",
    "": "give both lat and lon",
}


def _faults(file: str, place: str, error: ValidationError) -> Iterator[Fault]:
    for each in error.errors():
        column = str(each["loc"][0]) if each["loc"] else ""
        if each["type"] == "extra_forbidden":
            problem, remedy = "unknown key", _did_you_mean(column)
        elif each["type"] == "missing":
            problem, remedy = "is missing", _REMEDIES.get(column, "give a value")
        elif each["type"] == "string_pattern_mismatch":
            problem = f"{str(each['input'])[:64]!r} has characters that cannot stand there"
            remedy = _REMEDIES.get(column, "correct the value")
        else:
            problem = each["msg"].removeprefix("Value error, ")
            remedy = _REMEDIES.get(column, "give a number" if "number" in problem else "correct the value")
        yield Fault(file, _key(place, column), problem, remedy)


def _key(place: str, column: str) -> str:
    return ", ".join(filter(None, (place, column)))
