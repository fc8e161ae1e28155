"""What staff decide about: incidents; and drills."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Drill(BaseModel):
    """A recorded event played as an exercise."""

    id: str = Field(examples=["20261122T100000Z-000000"])
    running: bool
    started_by: str
    released_by: str = Field(description="Who released it to the public; empty: staff only")
    speed: float
    started: AwareDatetime
    until: AwareDatetime = Field(description="Expected end")
    ended: AwareDatetime | None
    reason: str = Field(description="Why it ended")
    readings: int
    played: int
    events: int
    skipped: int = Field(description="Lines that cannot be played")
    complaints: list[str] = Field(description="The first of them")


class IncidentMember(BaseModel):
    """One warning of an incident."""

    warning: str
    in_force: bool
    station: str
    station_name: str
    measure: str
    level: int
    severity: Literal["Minor", "Moderate", "Severe", "Extreme"]
    value: float | None
    unit: str
    window_min: int | None
    since: AwareDatetime
    changed: AwareDatetime
    confirmation: Literal["confirmed", "unconfirmed"] | None
    audience: Literal["public", "staff"] | None
    rule: str


class LostSensor(BaseModel):
    """A sensor that fell silent while a warning is in force at its station."""

    station: str
    since: AwareDatetime
    found: AwareDatetime


class Unverified(BaseModel):
    """A value that quality control did not believe and that would have warned."""

    station: str
    measure: str
    value: float | None
    time: AwareDatetime


class DecisionItem(BaseModel):
    """What a person decided, or the rule that may."""

    action: Literal["acknowledge", "confirm", "decline", "all_clear"]
    by: str
    reason: str
    time: AwareDatetime


class IncidentItem(BaseModel):
    """What staff hear of as one: everything in one catchment at one time."""

    model_config = ConfigDict(title="Incident")

    id: str = Field(examples=["strunde.20260714T181000Z"])
    catchment: str
    status: Literal["open", "falling", "awaiting_all_clear", "closed"]
    exercise: bool = Field(description="Of a drill, never to be taken for real; nothing is decided about it")
    severity: Literal["Minor", "Moderate", "Severe", "Extreme"] | None = Field(description="Highest in force")
    peak_severity: Literal["Minor", "Moderate", "Severe", "Extreme"] | None
    all_clear: Literal["pending", "given"] | None
    began: AwareDatetime
    changed: AwareDatetime
    ended: AwareDatetime | None = Field(description="Since when no warning of it is in force")
    falling: AwareDatetime | None = Field(description="Since when nothing is Severe any more")
    members: list[IncidentMember]
    lost: list[LostSensor]
    unverified: list[Unverified]
    decisions: list[DecisionItem]
