"""One scale for every measure: the only place where levels of different criteria meet.

A table (scale.toml, or the city's own) gives each level of a measure a severity, an audience and words, and
each severity a colour. Nothing else compares numbers of different scales.
"""

import difflib
import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_args

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from alerts.errors import AlertsConfigError
from alerts.event import Audience, Event, Severity
from devices.errors import Fault

SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Lowest first, in the words of CAP 1.2."""

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
ReadIn = Literal["de", "en", "einfach"]
READ_IN: tuple[ReadIn, ...] = get_args(ReadIn)
"""What people may choose to read: the languages, and German in Einfache Sprache."""

LEVELS: Mapping[str, Sequence[int]] = {
    "dwd_starkregen": range(2, 5),
    "dwd_dauerregen": range(2, 5),
    "sri": range(1, 13),
    "water_level": range(1, 5),
    "water_level_expected": range(1, 5),
    "basin": range(1, 5),
    "precipitation": range(2, 5),
    "other": range(1, 2),
}
"""Levels of each measure, lowest first. `other` stands for a measure that has no table."""
OTHER = "other"

LEAST_CONTRAST = 4.5
"""Between a severity's colour and the text on it (WCAG 2.2, 1.4.3 Contrast, level AA)."""

_T = TypeVar("_T", bound="_Table")
_HEARD_BY = ("nobody", "staff", "public")
_Words = Annotated[str, Field(min_length=1, pattern=r"\S")]
_Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Grade(_Table):
    """What one level of one measure means."""

    severity: Severity
    audience: Literal["nobody", "staff", "public"]
    de: _Words
    en: _Words


class Look(_Table):
    """A severity's colour, the colour of text on it (both #rrggbb), and its name."""

    colour: _Colour
    ink: _Colour
    de: _Words
    en: _Words


@dataclass(frozen=True, slots=True)
class Scale:
    """The whole table. A level beyond a measure's counts as its nearest; a measure without a table as
    `other`."""  # noqa: D205, D209 - one thought

    file: str
    looks: Mapping[Severity, Look]
    measures: Mapping[str, Mapping[int, Grade]]
    # a plan asks for every series of the city
    _audiences: dict[str, Mapping[int, Audience]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def grade(self, measure: str, level: int) -> Grade:
        """The table's row for a level."""
        grades = self.measures.get(measure) or self.measures[OTHER]
        return grades[min(max(level, min(grades)), max(grades))]

    def severity(self, measure: str, level: int) -> Severity:
        """How serious a measure's level is."""
        return self.grade(measure, level).severity

    def audience(self, measure: str, level: int) -> Audience | None:
        """Who is told of it, None nobody."""
        told = self.grade(measure, level).audience
        return None if told == "nobody" else told

    def audiences(self, measure: str) -> Mapping[int, Audience]:
        """Who is told, by level; without the levels that nobody is told of."""
        if measure not in self._audiences:
            told = {level: self.audience(measure, level) for level in LEVELS[measure]}
            self._audiences[measure] = {level: each for level, each in told.items() if each is not None}
        return self._audiences[measure]

    def text(self, measure: str, level: int, language: Language) -> str:
        """What a measure's level is, in words."""
        grade = self.grade(measure, level)
        return grade.de if language == "de" else grade.en

    def colour(self, severity: Severity) -> str:
        """#rrggbb."""
        return self.looks[severity].colour

    def ink(self, severity: Severity) -> str:
        """Colour of text on colour(), #rrggbb."""
        return self.looks[severity].ink

    def word(self, severity: Severity, language: Language) -> str:
        """A severity's name."""
        look = self.looks[severity]
        return look.de if language == "de" else look.en

    def stamp(self, events: list[Event]) -> list[Event]:
        """The events with their severity, where a level of a criterion stands behind them."""
        return [
            replace(event, severity=self.severity(event.measure, event.level))
            if event.level and not event.severity and event.measure in self.measures
            else event
            for event in events
        ]


def tongue(read_in: ReadIn) -> Language:
    """The language that names and words of a scale are in, for somebody who reads `read_in`."""
    return "en" if read_in == "en" else "de"


def rank(severity: Severity) -> int:
    """1 Minor to 4 Extreme, to compare by."""
    return SEVERITIES.index(severity) + 1


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours #rrggbb, 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def load_scale(file: Path | None = None) -> Scale:
    """A city's scale, completed by the shipped one; without a file that. Raises AlertsConfigError with all
    faults in it."""  # noqa: D205, D209 - one thought
    return shipped_scale() if file is None else _parse(_read(file), str(file), shipped_scale())


@cache
def shipped_scale() -> Scale:
    """The scale of a city that has no own."""
    return _parse(_read(Path(__file__).with_name("scale.toml")), "scale.toml (shipped)", None)


def _luminance(colour: str) -> float:
    def linear(share: float) -> float:
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - the standard's

    red, green, blue = (linear(int(colour[i : i + 2], 16) / 255) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _read(file: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        remedy = "give a readable TOML file in [alerts] scale"
        raise AlertsConfigError(Fault(str(file), "file", f"cannot be read: {fault}", remedy)) from fault
    except tomllib.TOMLDecodeError as fault:
        raise AlertsConfigError(
            Fault(str(file), "file", f"is not TOML: {fault}", "correct the line")
        ) from fault


def _parse(document: Mapping[str, Any], file: str, base: Scale | None) -> Scale:
    faults = [
        Fault(file, key, "unknown key", "write [severity.NAME] and [measure.NAME]")
        for key in document
        if key not in {"severity", "measure"}
    ]
    looks = dict(base.looks) if base else {}
    for name, table in _tables(document, "severity", SEVERITIES, file, faults):
        look = _valid(Look, table, file, f"severity.{name}", faults)
        if look is not None:
            looks[name] = look  # type: ignore[index]  # _tables lets only names of SEVERITIES through
    measures = dict(base.measures) if base else {}
    for name, table in _tables(document, "measure", LEVELS, file, faults):
        measures[name] = _grades(name, table, file, faults)
    faults += [
        Fault(file, f"severity.{each}", "is missing", _COPY) for each in SEVERITIES if each not in looks
    ]
    faults += [Fault(file, f"measure.{each}", "is missing", _COPY) for each in LEVELS if each not in measures]
    faults += _unreadable(file, looks)
    if faults:
        raise AlertsConfigError(*faults)
    return Scale(file, MappingProxyType(looks), MappingProxyType(measures))


_COPY = "copy it from the shipped scale.toml"


def _tables(
    document: Mapping[str, Any],
    key: str,
    known: Sequence[str] | Mapping[str, Any],
    file: str,
    faults: list[Fault],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    tables = document.get(key, {})
    if not isinstance(tables, dict):
        faults.append(Fault(file, key, "is no table", f"write [{key}.NAME] above its lines"))
        return
    for name, table in tables.items():
        close = difflib.get_close_matches(name, list(known), n=1)
        if name not in known:
            remedy = f"did you mean {close[0]}?" if close else f"one of {', '.join(known)}"
            faults.append(Fault(file, f"{key}.{name}", f"unknown {key}", remedy))
        elif not isinstance(table, dict):
            faults.append(Fault(file, f"{key}.{name}", "is no table", _COPY))
        else:
            yield name, table


def _grades(measure: str, table: Mapping[str, Any], file: str, faults: list[Fault]) -> Mapping[int, Grade]:
    key = f"measure.{measure}"
    levels = {str(level): level for level in LEVELS[measure]}
    for name in table:
        if name not in levels:
            problem = f"{measure} has no level {name}"
            faults.append(Fault(file, f"{key}.{name}", problem, f"levels: {', '.join(levels)}"))
    faults += [
        Fault(file, f"{key}.{name}", "the level is missing", "a measure is written with all its levels")
        for name in levels
        if name not in table
    ]
    grades: dict[int, Grade] = {}
    for name, level in levels.items():
        grade = _valid(Grade, table[name], file, f"{key}.{name}", faults) if name in table else None
        if grade is not None:
            grades[level] = grade
    for low, high in itertools.pairwise(grades):
        for what, before, after, order in (
            ("severity", grades[low].severity, grades[high].severity, SEVERITIES),
            ("audience", grades[low].audience, grades[high].audience, _HEARD_BY),
        ):
            if order.index(after) < order.index(before):
                problem = f"{after} is less than {before} at level {low}"
                remedy = f"a higher level has no lower {what}: one of {', '.join(order)}, in this order"
                faults.append(Fault(file, f"{key}.{high}.{what}", problem, remedy))
    return MappingProxyType(grades)


def _valid(model: type[_T], table: Any, file: str, key: str, faults: list[Fault]) -> _T | None:
    try:
        return model.model_validate(table)
    except pydantic.ValidationError as fault:
        for error in fault.errors():
            where = ".".join([key, *map(str, error["loc"])])
            problem = (
                "is missing" if error["type"] == "missing" else f"{error['msg']} (it is {error['input']!r})"
            )
            faults.append(Fault(file, where, problem, "see docs/scale.md"))
    return None


def _unreadable(file: str, looks: Mapping[Severity, Look]) -> Iterator[Fault]:
    for name, look in looks.items():
        ratio = contrast(look.colour, look.ink)
        if ratio < LEAST_CONTRAST:
            problem = f"text in {look.ink} on {look.colour} has a contrast of {ratio:.1f}"
            remedy = f"choose colours with at least {LEAST_CONTRAST}: white or black is always one of them"
            yield Fault(file, f"severity.{name}.ink", problem, remedy)
    known = [each for each in SEVERITIES if each in looks]
    for low, high in itertools.pairwise(known):
        if looks[low].colour.lower() == looks[high].colour.lower():
            yield Fault(
                file, f"severity.{high}.colour", f"is the colour of {low} as well", "give each its own colour"
            )
