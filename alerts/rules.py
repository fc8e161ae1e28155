"""rules.toml: which stations are judged by what, and for whom an alert is."""

import difflib
import fnmatch
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import pydantic
from pydantic import BaseModel

from alerts.city.release import Releases, parse_releases
from alerts.errors import AlertsConfigError
from alerts.event import Audience
from alerts.rule_kinds import (
    MODELS,
    AnyRule,
    BasinOverflow,
    DwdRain,
    Kind,
    Maintenance,
    QualityRule,
    Rule,
    Sri,
    StationRule,
    Watchdog,
    WaterLevel,
)
from alerts.scale import Scale, shipped_scale
from devices.errors import Fault
from devices.registry import Registry

_TABLES = ("rule", "maintenance", "release")
_GLOB = frozenset("*?[")
_rule = pydantic.TypeAdapter[Rule](Rule)
_R = TypeVar("_R", bound=StationRule)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one file in their order. Its quality and watchdog rules come before the shipped ones.

    `scale` says what their levels mean and who is told, where a rule does not.
    """

    file: str
    rules: tuple[AnyRule, ...]
    maintenance: tuple[Maintenance, ...] = ()
    scale: Scale = field(default_factory=shipped_scale)
    releases: Releases = field(default_factory=Releases)
    # a plan asks for every series of the city
    _of_kind: dict[type, tuple[Any, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _of_property: dict[str, tuple[QualityRule, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def audience(
        self, rule: DwdRain | Sri | WaterLevel | BasinOverflow, measure: str
    ) -> Mapping[int, Audience]:
        """Who is told of a measure's levels by a rule: its own word, else the scale's."""
        return self.scale.audiences(measure) if rule.audience is None else rule.audience

    def of(self, kind: type[_R], station: str) -> _R | None:
        """The rule of a kind for a station: the first that covers it."""
        if kind not in self._of_kind:
            rules = self.rules if kind is not Watchdog else (*self.rules, *shipped_checks())
            self._of_kind[kind] = tuple(rule for rule in rules if isinstance(rule, kind))
        return next((rule for rule in self._of_kind[kind] if rule.covers(station)), None)

    def quality(self, station: str, name: str) -> QualityRule | None:
        """The quality rule for an observed property at a station: the first that covers both."""
        return next((rule for rule in self._judging(name) if rule.covers(station)), None)

    def judges(self, name: str) -> bool:
        """Whether any quality rule is for an observed property."""
        return bool(self._judging(name))

    def _judging(self, name: str) -> tuple[QualityRule, ...]:
        if name not in self._of_property:
            self._of_property[name] = tuple(
                rule
                for rule in (*self.rules, *shipped_checks())
                if isinstance(rule, QualityRule) and rule.judges(name)
            )
        return self._of_property[name]

    def in_maintenance(self, stations: Sequence[str], now_us: int) -> npt.NDArray[np.bool_]:
        """At which of the stations somebody works at a time."""
        now = datetime.fromtimestamp(now_us / 1e6, UTC)
        active = [each for each in self.maintenance if each.since <= now < each.until]
        if not active:
            return np.zeros(len(stations), np.bool_)
        return np.array([any(each.covers(station) for each in active) for station in stations], np.bool_)

    def check(self, registry: Registry) -> list[Fault]:
        """What does not fit the installed devices: unknown stations, gauges without marks, dead rules."""
        faults: list[Fault] = []
        for number, rule in enumerate(self.rules, 1):
            key = f"rule {number} ({rule.id})"
            for station in rule.stations:
                faults += self._unknown(f"{key}.stations", station, registry)
            if isinstance(rule, WaterLevel) and rule.stages_m_nhn is not None:
                faults += _below_zero(self.file, f"{key}.stages_m_nhn", rule, registry)
            elif isinstance(rule, WaterLevel) and rule.stages_cm is None:
                faults += [
                    Fault(
                        self.file,
                        f"{key}.stations",
                        f"station {station} has no marks",
                        "give stages_cm in the rule or in the station's row of the device list",
                    )
                    for station in rule.stations
                    if station in registry.stations and not registry.stations[station].stages_cm
                ]
            earlier = [each for each in self.rules[: number - 1] if _same(each, rule)]
            mine = [station for station in registry.stations if rule.covers(station)]
            if mine and all(any(each.covers(station) for each in earlier) for station in mine):
                taken = ", ".join(each.id for each in earlier if any(each.covers(one) for one in mine))
                faults.append(
                    Fault(
                        self.file,
                        f"{key}.stations",
                        f"the rule never applies: {taken} above it covers all its stations",
                        "put the rule for few stations above the rule for many",
                    )
                )
        faults += self._check_maintenance(registry)
        return faults

    def _check_maintenance(self, registry: Registry) -> Iterable[Fault]:
        for number, window in enumerate(self.maintenance, 1):
            for station in window.stations:
                yield from self._unknown(f"maintenance {number}.stations", station, registry)

    def _unknown(self, key: str, station: str, registry: Registry) -> Iterable[Fault]:
        if station == "*" or any(fnmatch.fnmatchcase(each, station) for each in registry.stations):
            return
        what = "no station matches" if _GLOB & set(station) else "unknown station"
        remedy = _meant(station, registry.stations) or "use a station of the device list, or take it out"
        yield Fault(self.file, key, f"{what} {station!r}", remedy)


def _below_zero(file: str, key: str, rule: WaterLevel, registry: Registry) -> Iterable[Fault]:
    """Marks in m NHN at stations without a gauge zero, or with one above the mark."""
    for station in registry.stations.values():
        named = station.id in rule.stations
        if not rule.covers(station.id) or not (named or station.gauge_zero_m is not None):
            continue
        if station.gauge_zero_m is None:
            problem = f"marks in m NHN, but station {station.id} has no gauge zero"
            yield Fault(file, key, problem, "give gauge_zero_m in the device list, or marks as stages_cm")
        elif (mark := (rule.stages_m_nhn or (0.0,))[0]) < station.gauge_zero_m:
            problem = (
                f"mark {mark:g} m NHN is below the gauge zero of {station.id}, {station.gauge_zero_m:g} m NHN"
            )
            yield Fault(file, key, problem, "marks above the gauge zero are stages_cm, in cm")


@cache
def shipped_checks() -> tuple[AnyRule, ...]:
    """Quality and watchdog rules that every city has, after its own."""
    path = Path(__file__).with_name("quality.toml")
    return parse_rules(tomllib.loads(path.read_text(encoding="utf-8")), path.name).rules


def load_rules(file: Path | None = None, scale: Scale | None = None) -> Rules:
    """Rules of a file, the shipped ones without one; `scale` is the city's, else the shipped one.

    Raises AlertsConfigError with all faults in it.
    """
    path = file or Path(__file__).with_name("rules.toml")
    name = str(file) if file else "rules.toml (shipped)"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise AlertsConfigError(
            Fault(name, "file", f"cannot be read: {fault}", "give a readable TOML file in [alerts] rules")
        ) from fault
    except tomllib.TOMLDecodeError as fault:
        raise AlertsConfigError(Fault(name, "file", f"is not TOML: {fault}", "correct the line")) from fault
    return parse_rules(document, name, scale)


def parse_rules(document: Mapping[str, Any], file: str, scale: Scale | None = None) -> Rules:
    """Rules of a parsed document. Raises AlertsConfigError with all faults in it."""
    faults = [
        Fault(file, key, "unknown key", _meant(key, _TABLES) or "rules are [[rule]] tables")
        for key in document
        if key not in _TABLES
    ]
    maintenance = _windows(document.get("maintenance", []), file, faults)
    releases = parse_releases(document.get("release", []), file, faults)
    tables = document.get("rule", [])
    if not isinstance(tables, list):
        tables = []
        faults.append(Fault(file, "rule", "is no list of tables", "write [[rule]] above every rule"))
    rules: list[AnyRule] = []
    seen: dict[str, int] = {}
    for number, table in enumerate(tables, 1):
        key = f"rule {number}" + (f" ({table['id']})" if isinstance(table, dict) and "id" in table else "")
        try:
            rule = _rule.validate_python(table)
        except pydantic.ValidationError as fault:
            faults += [_fault(file, key, table, error) for error in fault.errors()]
            continue
        if rule.id in seen:
            problem = f"rule {seen[rule.id]} has the same id"
            faults.append(Fault(file, f"{key}.id", problem, "give every rule its own id"))
        seen.setdefault(rule.id, number)
        rules.append(rule)
    if not tables and not faults:
        faults.append(Fault(file, "rule", "there is no rule", "write at least one [[rule]]"))
    if faults:
        raise AlertsConfigError(*faults)
    return Rules(file, tuple(rules), maintenance, scale or shipped_scale(), releases)


def _same(one: AnyRule, other: AnyRule) -> bool:
    """Whether two rules compete for the same readings."""
    if isinstance(one, QualityRule) and isinstance(other, QualityRule):
        return set(one.properties) >= set(other.properties)
    return one.kind == other.kind


def _windows(tables: Any, file: str, faults: list[Fault]) -> tuple[Maintenance, ...]:
    if not isinstance(tables, list):
        faults.append(Fault(file, "maintenance", "is no list of tables", "write [[maintenance]] above each"))
        return ()
    windows: list[Maintenance] = []
    for number, table in enumerate(tables, 1):
        try:
            windows.append(Maintenance.model_validate(table))
        except pydantic.ValidationError as fault:
            for error in fault.errors():
                key = ".".join([f"maintenance {number}", *map(str, error["loc"])])
                problem = f"{error['msg'].removeprefix('Value error, ')} (it is {error['input']!r})"
                remedy = "give stations, from and to, times with their offset: 2026-03-21T11:00:00Z"
                faults.append(Fault(file, key, problem, remedy))
    return tuple(windows)


def _fault(file: str, key: str, table: Any, error: Any) -> Fault:
    kind = table.get("kind") if isinstance(table, dict) else None
    # the first part of the place is the kind that the rule was read as
    place = [str(part) for part in error["loc"] if part not in (kind, "[key]")]
    where = ".".join([key, *place])
    if error["type"] == "extra_forbidden":
        known = _keys(MODELS[str(kind)], place[:-1])
        return Fault(file, where, "unknown key", _meant(place[-1], known) or f"keys: {', '.join(known)}")
    if error["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        kinds = get_args(Kind)
        problem = f"unknown kind {kind!r}" if kind is not None else "kind is missing"
        return Fault(file, f"{key}.kind", problem, _meant(str(kind), kinds) or f"one of {', '.join(kinds)}")
    if error["type"] == "missing":
        return Fault(file, where, "is missing", "every rule needs it")
    problem = f"{error['msg'].removeprefix('Value error, ')} (it is {error['input']!r})"
    return Fault(file, where, problem, "see docs/rules.md for its meaning and range")


def _keys(model: type[BaseModel], place: Sequence[str]) -> list[str]:
    """Keys of the table that stands at a place inside a model's."""
    for name in place:
        inner = model.model_fields[name].annotation if name in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _meant(word: str, known: Iterable[str] | Sequence[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}?" if close else ""
