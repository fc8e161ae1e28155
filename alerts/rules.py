"""rules.toml: which stations are judged by what, and for whom an alert is."""

import difflib
import fnmatch
import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import pydantic
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alerts.city.release import Releases, parse_releases
from alerts.errors import AlertsConfigError
from alerts.event import Audience
from alerts.scale import Scale, shipped_scale
from alerts.witnesses.rule import LevelWitness, RainWitness
from devices.device_list import above_zero_cm
from devices.errors import Fault
from devices.registry import Registry, Station

Minutes = Annotated[float, Field(ge=0, le=1440)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Kind = Literal["dwd_rain", "sri", "water_level", "basin", "parking", "counts", "quality", "watchdog"]

AllClear = Literal["person", "auto"]
"""Who gives the all-clear after Severe or Extreme; below it is never needed."""
Intervals = Annotated[float, Field(ge=1, le=1000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]

_TABLES = ("rule", "maintenance", "release")
_GLOB = frozenset("*?[")


class _Rule(BaseModel):
    """What every rule has. `stations`: station ids or globs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    stations: tuple[str, ...] = Field(default=("*",), min_length=1)

    @field_validator("stations", mode="before")
    @classmethod
    def _one_or_many(cls, stations: Any) -> Any:
        return [stations] if isinstance(stations, str) else stations

    def covers(self, station: str) -> bool:
        """Whether the rule is for a station."""
        return "*" in self.stations or any(fnmatch.fnmatchcase(station, pattern) for pattern in self.stations)


class DwdRain(_Rule):
    """The DWD's Starkregen and Dauerregen. Depths mm, times minutes."""

    kind: Literal["dwd_rain"]
    audience: Mapping[Annotated[int, Field(ge=2, le=4)], Audience] | None = None
    calm_mm: Annotated[float, Field(gt=0, le=5)] = 0.5
    calm_min: Minutes = 60
    step_min: Minutes = 30
    rearm_mm: Positive = 5.0
    max_mm_per_min: Positive = 20.0
    all_clear: AllClear = "person"
    witness: RainWitness = RainWitness()


class Sri(_Rule):
    """The Starkregenindex 1-12, wherever a place has a KOSTRA table. Depths mm, times minutes."""

    kind: Literal["sri"]
    audience: Mapping[Annotated[int, Field(ge=1, le=12)], Audience] | None = None
    calm_mm: Annotated[float, Field(gt=0, le=5)] = 0.5
    calm_min: Minutes = 60
    step_min: Minutes = 10
    rearm_mm: Positive = 5.0
    all_clear: AllClear = "person"


class WaterLevel(_Rule):
    """Marks of a gauge, cm above its zero or m NHN; without either those of the station.

    A mark is expected when a rise of at least `rise_cm` would reach it within `lead_min` (0: never).
    """

    kind: Literal["water_level"]
    audience: Mapping[Annotated[int, Field(ge=1, le=4)], Audience] | None = None
    stages_cm: tuple[Annotated[float, Field(allow_inf_nan=False)], ...] | None = Field(
        default=None, min_length=1, max_length=4
    )
    stages_m_nhn: tuple[Finite, ...] | None = Field(default=None, min_length=1, max_length=4)
    hysteresis_cm: Annotated[float, Field(ge=0, le=100)] = 5.0
    hysteresis_percent: Annotated[float, Field(ge=0, le=50)] = 5.0
    hold_min: Minutes = 30
    lead_min: Annotated[float, Field(ge=0, le=720)] = 60
    rise_cm: Annotated[float, Field(ge=1, le=100)] = 10.0
    expected_audience: Audience | None = None
    all_clear: AllClear = "person"
    witness: LevelWitness = LevelWitness()

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name, stages in (("stages_cm", self.stages_cm), ("stages_m_nhn", self.stages_m_nhn)):
            if any(low >= high for low, high in itertools.pairwise(stages or ())):
                raise ValueError(f"{name} must rise from the first to the last")
        if self.stages_cm and self.stages_m_nhn:
            raise ValueError("give the marks as stages_cm or as stages_m_nhn, not both")
        return self

    def marks_of(self, station: Station | None) -> tuple[float, ...]:
        """The marks at a station, cm above its gauge zero: the rule's own, else the station's."""
        if self.stages_m_nhn and station is not None and station.gauge_zero_m is not None:
            return tuple(above_zero_cm(mark, station.gauge_zero_m) for mark in self.stages_m_nhn)
        return self.stages_cm or (station.stages_cm if station else ())


class BasinOverflow(_Rule):
    """When a retention basin of the catchments file overflows: minutes ahead for its levels 1, 2 and 3."""

    kind: Literal["basin"]
    audience: Mapping[Annotated[int, Field(ge=1, le=4)], Audience] | None = None
    lead_min: tuple[Minutes, Minutes, Minutes] = (120, 60, 30)
    rise_cm: Annotated[float, Field(ge=1, le=100)] = 3.0
    hysteresis_cm: Annotated[float, Field(ge=0, le=100)] = 5.0
    hold_min: Minutes = 30

    @model_validator(mode="after")
    def _descending(self) -> Self:
        if any(longer <= shorter for longer, shorter in itertools.pairwise(self.lead_min)):
            raise ValueError("lead_min goes from the longest to the shortest")
        return self


class Parking(_Rule):
    """Occupancy of car parks; `source` auto takes counters only where sensors do not cover the capacity."""

    kind: Literal["parking"]
    source: Literal["auto", "spaces", "counters"] = "auto"
    max_per_min: Positive = 60.0


class Counts(_Rule):
    """Counts of vehicles, people and bicycles."""

    kind: Literal["counts"]
    max_per_min: Positive = 600.0


class QualityRule(_Rule):
    """Limits of the quality tests for some properties, in the property's unit; None: no such test.

    `rise` and `fall`: between two readings; `depth_per_min`: of an amount that belongs to an interval.
    Of rain, by gauges within `neighbours_km`: stuck when it is dry though they had `dry_mm` in a day, running
    away when it rained in `lonely_h` hours of a day in which they had nothing.
    """

    kind: Literal["quality"]
    properties: tuple[str, ...] = Field(min_length=1)
    gross_min: Finite | None = None
    gross_max: Finite | None = None
    depth_per_min: Positive | None = None
    rise: Positive | None = None
    fall: Positive | None = None
    rate_per_min: Positive | None = None
    flat_h: Annotated[float, Field(gt=0, le=8760)] | None = None
    neighbours_km: Annotated[float, Field(gt=0, le=50)] | None = None
    dry_mm: Annotated[float, Field(ge=1, le=200)] | None = None
    lonely_h: Annotated[int, Field(ge=2, le=24)] | None = None
    hold_min: Minutes = 60

    @field_validator("properties", mode="before")
    @classmethod
    def _list(cls, properties: Any) -> Any:
        return [properties] if isinstance(properties, str) else properties

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.gross_min is not None and self.gross_max is not None and self.gross_min >= self.gross_max:
            raise ValueError("gross_min must be below gross_max")
        compared = [self.neighbours_km, self.dry_mm, self.lonely_h]
        if any(each is None for each in compared) and compared != [None] * 3:
            raise ValueError("neighbours_km, dry_mm and lonely_h belong together")
        return self

    def judges(self, name: str) -> bool:
        """Whether the rule is for an observed property."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.properties)


class Watchdog(_Rule):
    """When a device is stale or lost: in its own expected intervals, lost no sooner than `lost_min`.

    `nag_min`: staff are reminded so often of a sensor lost during a warning, until somebody decides.
    """

    kind: Literal["watchdog"]
    stale_intervals: Intervals = 2.5
    stale_intervals_in_rain: Intervals = 1.5
    lost_intervals: Intervals = 5.0
    lost_min: Minutes = 60
    nag_min: Annotated[float, Field(ge=5, le=1440)] = 30


class Maintenance(BaseModel):
    """Somebody works at stations (ids or globs): their readings are suspect and alarm nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    stations: tuple[str, ...] = Field(min_length=1)
    since: pydantic.AwareDatetime = Field(alias="from")
    until: pydantic.AwareDatetime = Field(alias="to")

    @field_validator("stations", mode="before")
    @classmethod
    def _list(cls, stations: Any) -> Any:
        return [stations] if isinstance(stations, str) else stations

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.since >= self.until:
            raise ValueError("from must be before to")
        return self

    def covers(self, station: str) -> bool:
        """Whether the work is at a station."""
        return any(fnmatch.fnmatchcase(station, pattern) for pattern in self.stations)


AnyRule = DwdRain | Sri | WaterLevel | BasinOverflow | Parking | Counts | QualityRule | Watchdog
Rule = Annotated[AnyRule, Field(discriminator="kind")]
_MODELS: Mapping[str, type[_Rule]] = {
    "dwd_rain": DwdRain,
    "sri": Sri,
    "water_level": WaterLevel,
    "basin": BasinOverflow,
    "parking": Parking,
    "counts": Counts,
    "quality": QualityRule,
    "watchdog": Watchdog,
}
_rule = pydantic.TypeAdapter[Rule](Rule)
_R = TypeVar("_R", bound=_Rule)


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
        known = _keys(_MODELS[str(kind)], place[:-1])
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
