"""The kinds of rules of rules.toml and their keys, one model each."""

import fnmatch
import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from alerts.event import Audience
from alerts.witnesses.rule import LevelWitness, RainWitness
from devices.device_list import above_zero_cm
from devices.registry import Station

Minutes = Annotated[float, Field(ge=0, le=1440)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Kind = Literal["dwd_rain", "sri", "water_level", "basin", "parking", "counts", "quality", "watchdog"]
AllClear = Literal["person", "auto"]
"""Who gives the all-clear after Severe or Extreme; below it is never needed."""
Intervals = Annotated[float, Field(ge=1, le=1000)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class StationRule(BaseModel):
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


class DwdRain(StationRule):
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


class Sri(StationRule):
    """The Starkregenindex 1-12, wherever a place has a KOSTRA table. Depths mm, times minutes."""

    kind: Literal["sri"]
    audience: Mapping[Annotated[int, Field(ge=1, le=12)], Audience] | None = None
    calm_mm: Annotated[float, Field(gt=0, le=5)] = 0.5
    calm_min: Minutes = 60
    step_min: Minutes = 10
    rearm_mm: Positive = 5.0
    all_clear: AllClear = "person"


class WaterLevel(StationRule):
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


class BasinOverflow(StationRule):
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


class Parking(StationRule):
    """Occupancy of car parks; `source` auto: spaces where all are watched, a barrier, counters, some spaces.

    `night_occupied`: cars in the quietest hour of the night; "learned": where the nights are found to be
    empty; "unknown": the night puts nothing right. `samples`: watched spaces are only "bounds" of what
    counters say, or their "share" that is taken is that of all spaces.
    """

    kind: Literal["parking"]
    source: Literal["auto", "spaces", "counters", "barrier"] = "auto"
    max_per_min: Positive = 60.0
    night_occupied: Annotated[int, Field(ge=0)] | Literal["learned", "unknown"] = "learned"
    samples: Literal["bounds", "share"] = "bounds"


class Counts(StationRule):
    """Counts of vehicles, people and bicycles."""

    kind: Literal["counts"]
    max_per_min: Positive = 120.0
    max_people_per_min: Positive = 600.0

    def most_per_min(self, name: str) -> float:
        """Of an observed property, more than this in a minute is a broken counter."""
        return self.max_people_per_min if name.startswith("people_count") else self.max_per_min


class QualityRule(StationRule):
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


class Watchdog(StationRule):
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
MODELS: Mapping[str, type[StationRule]] = {
    "dwd_rain": DwdRain,
    "sri": Sri,
    "water_level": WaterLevel,
    "basin": BasinOverflow,
    "parking": Parking,
    "counts": Counts,
    "quality": QualityRule,
    "watchdog": Watchdog,
}
