"""Every rule in one German and one English sentence, from its own values, for whoever signs for it.

The words stand in explain.toml.
"""

import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from alerts.catchments import Catchments
from alerts.city.release import ReleaseRule
from alerts.event import Severity
from alerts.kernels import rain
from alerts.kernels.plan import LEVEL, RAIN_COUNTER, RAIN_DEPTH
from alerts.mobility.counted import counted_properties
from alerts.mobility.parking_plan import FREE_SPACES, OCCUPANCY, SPACES, VEHICLES
from alerts.rule_kinds import (
    AnyRule,
    BasinOverflow,
    DwdRain,
    Maintenance,
    Parking,
    QualityRule,
    Sri,
    WaterLevel,
)
from alerts.rules import Rules, shipped_checks
from alerts.scale import LANGUAGES, LEVELS, Language
from devices.catalogue import DeviceType
from devices.registry import Registry, Station

_MOST_NAMED = 6
_RAIN = frozenset({RAIN_COUNTER, RAIN_DEPTH})
_MEASURED: Mapping[str, frozenset[str]] = {
    "dwd_rain": _RAIN,
    "sri": _RAIN,
    "water_level": frozenset({LEVEL}),
    "parking": frozenset({SPACES, VEHICLES, OCCUPANCY, FREE_SPACES}),
    "counts": counted_properties(),
}
"""What a station must measure for a rule of the kind to judge anything there; other kinds: anything."""
_EXPECTED, _BASIN = "water_level_expected", "basin"
_DISTANCES = frozenset({"water_distance", "water_depth"})
_MEASURES: Mapping[type[AnyRule], Sequence[str]] = {
    DwdRain: rain.MEASURES,
    Sri: (rain.SRI_MEASURE,),
    WaterLevel: (LEVEL, _EXPECTED),
    BasinOverflow: (_BASIN,),
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A rule's id, and what it does, in words."""

    id: str
    de: str
    en: str


@dataclass(frozen=True, slots=True)
class City:
    """What the sentences are about: the rules, and where they apply."""

    rules: Rules
    registry: Registry
    catalogue: Mapping[str, DeviceType]
    catchments: Catchments = field(default_factory=Catchments)

    def stations(self, rule: AnyRule) -> list[Station]:
        """Stations where a rule is the one in effect and has something to judge."""
        return [each for each in self.registry.stations.values() if self._judges(rule, each)]

    def _judges(self, rule: AnyRule, station: Station) -> bool:
        measured = self._measured(station)
        if isinstance(rule, QualityRule):
            return any(self.rules.quality(station.id, each) is rule for each in measured)
        if isinstance(rule, WaterLevel) and not _marks(rule, station):
            return False
        if isinstance(rule, BasinOverflow) and all(
            each.station != station.id for each in self.catchments.basins
        ):
            return False
        if isinstance(rule, Parking) and SPACES not in measured and station.capacity is None:
            return False
        needed = _MEASURED.get(rule.kind)
        return self.rules.of(type(rule), station.id) is rule and (needed is None or bool(needed & measured))

    def _measured(self, station: Station) -> set[str]:
        devices = (self.registry.devices[each] for each in station.devices if each in self.registry.devices)
        types = [self.catalogue[each.type] for each in devices if each.type in self.catalogue]
        names = {name for each in types for name in each.properties}
        return names | ({LEVEL} if names & _DISTANCES else set())


def explain(city: City) -> Iterator[Explained]:
    """The city's rules in their order, those that always apply, maintenance, who releases warnings."""
    for rule in (*city.rules.rules, *shipped_checks()):
        yield explain_rule(rule, city)
    for number, window in enumerate(city.rules.maintenance, 1):
        values = {
            "stations": ", ".join(window.stations),
            "from": f"{window.since:%Y-%m-%d %H:%M %Z}",
            "to": f"{window.until:%Y-%m-%d %H:%M %Z}",
        }
        said = {each: _words()[Maintenance.__name__.lower()][each].format_map(values) for each in LANGUAGES}
        yield Explained(f"maintenance {number}", said["de"], said["en"])
    for release, severities in city.rules.releases.in_effect():
        said = {each: _release(release, severities, city, each) for each in LANGUAGES}
        yield Explained(release.id, said["de"], said["en"])


def explain_rule(rule: AnyRule, city: City) -> Explained:
    """One rule. A key that its sentence has no words for is named at the end, unless it has its default."""
    said = {each: _sentence(rule, city, each) for each in LANGUAGES}
    return Explained(rule.id, said["de"], said["en"])


def _sentence(rule: AnyRule, city: City, language: Language) -> str:
    known = rule.kind in _words()
    template: str = _words()[rule.kind if known else "other"][language]
    values = {name: _value(getattr(rule, name), language) for name in type(rule).model_fields}
    named = {name for _, name, _, _ in string.Formatter().parse(template) if name}
    named |= {"id", "kind", "stations"}
    for measure in _MEASURES.get(type(rule), ()):
        values[f"told_{measure}"] = _told(rule, city, measure, language)
        named.add("audience")
    if isinstance(rule, DwdRain | WaterLevel):
        values["witness"] = _witness(rule, language)
    if isinstance(rule, DwdRain):
        values["starkregen"], values["dauerregen"] = (_depths(each, language) for each in rain.MEASURES)
    elif isinstance(rule, Sri):
        values["hours"] = str(rain.SRI_ALERT_MIN // 60)
    elif isinstance(rule, WaterLevel):
        named |= {"stages_cm", "expected_audience"}  # the places have the marks
    elif isinstance(rule, QualityRule):
        values["tests"] = _tests(rule, language)
        named |= _words()["tests"].keys()
    elif rule.kind == "parking":
        values["occupancy"] = _words()["occupancy"][rule.source][language]
        named.add("source")
    if "all_clear" in values:
        template += _all_clear(rule, language)
        named.add("all_clear")
    rest = [
        f"; {name} = {values[name]}"
        for name, field in type(rule).model_fields.items()
        if name not in named
        and not (known and getattr(rule, name) == field.get_default(call_default_factory=True))
    ]
    return f"{_places(rule, city, language)}: {template.format_map(values)}{''.join(rest)}."


def _release(rule: ReleaseRule, severities: Sequence[Severity], city: City, language: Language) -> str:
    words = _words()["release"]
    names = ", ".join(city.rules.scale.word(each, language) for each in severities)
    if not rule.proposes:
        return str(words["none"][language].format(names))
    how = "manual" if rule.auto_after is None else "auto"
    values = {
        "names": names,
        "after": _value(rule.auto_after, language),
        "valid": _value(rule.valid_min, language),
        "end": words[f"all_clear_{rule.all_clear}"][language],
    }
    return str(words[how][language].format_map(values))


def _all_clear(rule: Any, language: Language) -> str:
    return f"; {_words()['all_clear'][rule.all_clear][language]}"


def _told(rule: Any, city: City, measure: str, language: Language) -> str:
    """Who hears from which level on."""
    words = _words()
    if measure == _EXPECTED:
        own = rule.expected_audience
        audiences = dict.fromkeys(LEVELS[measure], own) if own else city.rules.scale.audiences(measure)
    else:
        audiences = city.rules.audience(rule, measure)
    parts: list[str] = []
    before = "nobody"
    for level in LEVELS[measure]:
        now = audiences.get(level, "nobody")
        if now != before:
            stage = words["level"][measure][language].format(level)
            parts.append(words["told"][now][language].format(stage))
        before = now
    return ", ".join(parts) or str(words["told"]["never"][language])


def _witness(rule: DwdRain | WaterLevel, language: Language) -> str:
    """When the public hears, by what the witnesses say."""
    words = _words()["witness"]
    rows: dict[str, str] = {}
    for case in type(rule.witness.outcomes).model_fields:
        row = getattr(rule.witness.outcomes, case)
        after, wording = _value(row.after_min, language), words[row.wording][language]
        rows[case] = words[row.audience][language].format(after, wording)
    keys = type(rule.witness).model_fields.keys() - {"outcomes"}
    values = {key: _value(getattr(rule.witness, key), language) for key in keys}
    return str(words[rule.kind][language].format_map(values | rows))


def _depths(measure: str, language: Language) -> str:
    """Levels and windows of a DWD criterion, in figures."""
    windows = (
        f"{'/'.join(_value(mm, language) for mm in depths)} mm in {window // 60} h"
        for window, depths in rain.DWD_MM[measure].items()
    )
    level = _words()["level"][measure][language].format("/".join(map(str, rain.LEVELS)))
    return f"{level}: " + ", ".join(windows)


def _tests(rule: QualityRule, language: Language) -> str:
    words = _words()["tests"]
    limits = {name: getattr(rule, name, None) for name in words}
    said = [
        words[name][language].format(_value(each, language))
        for name, each in limits.items()
        if each is not None
    ]
    return ", ".join(said) or str(words["none"][language])


def _places(rule: AnyRule, city: City, language: Language) -> str:
    """Where a rule applies; gauges with their marks."""

    def place(station: Station) -> str:
        return f"{station.name}{_cm(_marks(rule, station), language)}"

    stations = city.stations(rule)
    words = _words()["places"]
    if not stations:
        own = getattr(rule, "stages_cm", None) or ()
        return f"{words['none'][language]}{_cm(own, language)}"
    names = ", ".join(map(place, stations[:_MOST_NAMED]))
    rest = len(stations) - _MOST_NAMED
    return words["more"][language].format(names, rest) if rest > 0 else names


def _marks(rule: AnyRule, station: Station) -> Sequence[float]:
    return rule.marks_of(station) if isinstance(rule, WaterLevel) else ()


def _cm(marks: Sequence[float], language: Language) -> str:
    return f" ({'/'.join(_value(mark, language) for mark in marks)} cm)" if marks else ""


def _value(value: Any, language: Language) -> str:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, tuple):
        return ", ".join(_value(each, language) for each in value)
    if isinstance(value, float):
        text = f"{value:g}"
        return text.replace(".", ",") if language == "de" else text
    return str(value)


@cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
