"""Automatic notices, the areas they are for, the scale, and official warnings."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.schemas.envelope import Text


class Trigger(BaseModel):
    """The measurement that last raised a warning."""

    time: AwareDatetime
    value: float | None = Field(description="In the warning's unit")
    window_min: int | None = Field(description="Rain window in minutes")


class AreaName(BaseModel):
    """An area that a warning is for."""

    id: str = Field(examples=["gierath"])
    name: Text


class Notice(BaseModel):
    """An automatic measurement notice; not an official warning."""

    model_config = ConfigDict(title="Warning")

    id: str
    exercise: bool = Field(description="Of a drill: nothing of it is real")
    status: Literal["in_force", "ended"]
    station: str
    station_name: str
    lat: float | None
    lon: float | None
    measure: str = Field(examples=["dwd_starkregen", "dwd_dauerregen", "water_level"])
    level: int = Field(
        description="DWD level 2-4 for rain, gauge stage 1-4 for water; once ended the last one in force"
    )
    severity: Literal["Minor", "Moderate", "Severe", "Extreme"]
    window_min: int | None = Field(description="Rain window of `value` in minutes")
    value: float | None = Field(description="Of the latest step, at `changed`; no present value")
    unit: str = Field(examples=["mm", "cm"])
    since: AwareDatetime
    changed: AwareDatetime
    ended: AwareDatetime | None
    peak_level: int
    peak_value: float | None
    trend: Literal["rising", "falling"] = Field(description="Whether the latest step went up or down")
    triggered: Trigger | None = Field(description="The latest step up: what the level in force comes from")
    headline: Text
    text: Text
    notice: Text
    areas: list[AreaName] = Field(default=[], description="Warning areas; their shapes: /api/v1/areas")
    audience: Literal["public", "staff"] | None
    incident: str | None = Field(
        description="What it is a part of: all that happens in a catchment at a time"
    )
    all_clear: Literal["pending", "given"] | None = Field(
        description="After Severe or Extreme: whether a person's all-clear is still to come"
    )
    expires: AwareDatetime | None = Field(
        description="While in force: outdated unless heard of again by then; it is issued again before"
    )
    confirmation: Literal["confirmed", "unconfirmed"] | None = Field(
        description="Whether neighbouring gauges, a level, an official warning or a person agree"
    )
    witness: str | None = Field(
        description="Who agrees, or why nobody does; without names for callers without a token",
        examples=["2 gauge, 1 level"],
    )


class AreaRain(BaseModel):
    """Rain of an area in mm, from its gauges."""

    mean: float | None = Field(description="Inverse distance weighted; null without a gauge that reports")
    max: float | None = Field(description="The largest of a gauge")
    gauges: int = Field(description="How many gauges it is from")
    completeness: float = Field(description="Share of the weight that these gauges have, 0-1")


class Area(BaseModel):
    """A part of the city that is warned. With f=geojson, the default, each is a Feature with its shape."""

    id: str = Field(examples=["gierath"])
    name: Text
    stations: list[str] = Field(description="Public stations that warn it")
    catchment: str
    fictitious: bool = Field(description="Drawn for a demo")
    in_force: bool
    severity: Literal["Minor", "Moderate", "Severe", "Extreme"] | None = Field(
        description="Of the most serious warning in force"
    )
    warnings: list[str] = Field(description="Ids of the warnings in force")
    rain_1h_mm: AreaRain
    rain_6h_mm: AreaRain
    rain_24h_mm: AreaRain


class Severity(BaseModel):
    """A severity, lowest first; `ink` is the colour of text on `colour`."""

    severity: Literal["Minor", "Moderate", "Severe", "Extreme"]
    colour: str = Field(examples=["#fb8c00"])
    ink: str = Field(examples=["#1b1b1b"])
    name: Text


class Grade(BaseModel):
    """What a level of a measure means."""

    level: int
    severity: Literal["Minor", "Moderate", "Severe", "Extreme"]
    audience: Literal["nobody", "staff", "public"] = Field(
        description="Who is told, where no rule differs for its stations"
    )
    text: Text


class ScaleTable(BaseModel):
    """The city's scale: numbers of different measures compare by severity alone."""

    severities: list[Severity]
    measures: dict[str, list[Grade]] = Field(description="`other`: any measure that is not listed")
    license: str
    attribution: str


class OfficialWarning(BaseModel):
    """A warning of the Deutscher Wetterdienst, in its own words."""

    id: str = Field(description="CAP identifier")
    kind: Literal["warning", "advance_notice"] = Field(description="advance_notice: Vorabinformation")
    status: Literal["in_force", "to_come"]
    sender: str = Field(examples=["Deutscher Wetterdienst"])
    event: str = Field(examples=["HEFTIGER STARKREGEN"])
    code: int = Field(description="Event code II of DWD's CAP profile; with `kind` it says what is meant")
    level: int = Field(description="1-4 by severity, 0 unknown")
    severity: str
    headline: str
    description: str
    instruction: str
    onset: AwareDatetime
    expires: AwareDatetime | None = Field(description="null: until it is taken back")
    sent: AwareDatetime
    areas: list[str]
    above_m: int | None = Field(description="Only above this height")
    below_m: int | None = Field(description="Only below this height")
    web: str
