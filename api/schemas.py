"""Shapes of the answers, for the OpenAPI document; the routes write the bytes themselves."""

from typing import Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Item = TypeVar("Item")
Text = dict[Literal["de", "en"], str]


class Items(BaseModel, Generic[Item]):
    """One page; the next one is in the Link header."""

    items: list[Item]


class Internal(Items[Item], Generic[Item]):
    """One page of what operators see: no open data, so under no licence."""

    license: None
    attribution: None


class Collection(Items[Item], Generic[Item]):
    """One page of open data; the next one is in the Link header."""

    license: str = Field(examples=["http://dcat-ap.de/def/licenses/dl-zero-de/2.0"])
    attribution: str = Field(examples=["Stadt Bergisch Gladbach"])


class Reading(BaseModel):
    """One value of one observed property at one time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "station": "strunde-gierath",
                    "property": "water_level",
                    "time": "2026-07-14T18:30:00Z",
                    "value": 52.4,
                    "unit": "cm",
                    "quality": 1,
                }
            ]
        }
    )

    station: str
    property: str
    channel: str = Field(default="", description="Direction or depth; left out where there is only one")
    time: AwareDatetime = Field(description="RFC 3339, UTC; of a count or a depth: the END of its interval")
    value: float | None = Field(description="null where the sensor had none")
    unit: str = Field(description="UCUM")
    quality: Literal[1, 2, 3, 4, 9] = Field(
        description="QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing"
    )
    device: str = Field(default="", description="DevEUI; for operators only")


class Station(BaseModel):
    """A place of measurement."""

    id: str = Field(examples=["strunde-gierath"])
    name: str = Field(examples=["Strunde, Gierath"])
    lat: float | None = Field(description="WGS 84, degrees")
    lon: float | None = Field(description="WGS 84, degrees")
    themes: list[str] = Field(examples=[["level"]])
    properties: list[str] = Field(examples=[["water_level"]])
    interval_s: float | None = Field(description="Usual seconds between two readings")
    capacity: int | None = Field(description="Parking spaces")
    stages_cm: list[float] = Field(description="Levels of the warning stages above the gauge zero")
    gauge_zero_m: float | None = Field(description="Gauge zero, m NHN")
    water: str = Field(examples=["Strunde"])
    public: bool
    devices: list[str] = Field(default=[], description="DevEUIs; for operators only")


class Catchment(BaseModel):
    """What drains into one water, as far as it is measured."""

    id: str = Field(examples=["strunde"])
    name: str = Field(examples=["Strunde"])
    blind: bool = Field(description="Too few of its gauges give values: no warning here is no all-clear")
    since: AwareDatetime | None = Field(description="Since when it is blind")
    stations: list[str] = Field(description="Its gauges")


class Property(BaseModel):
    """What can be observed."""

    name: str = Field(examples=["water_level"])
    unit: str = Field(description="UCUM", examples=["cm"])
    kind: Literal["gauge", "counter", "state", "count"]
    theme: str = Field(examples=["level"])
    label: Text = Field(examples=[{"de": "Wasserstand", "en": "Water level"}])
    decimals: int = Field(description="How many decimals a person gets to see")


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


class Parking(BaseModel):
    """Free spaces of one car park; null where nothing is known."""

    station: str
    name: str
    capacity: int
    occupied: int | None
    free: int | None = Field(description="Spaces whose sensor has never reported count as free")
    time: AwareDatetime | None
    sensors_known: int = Field(description="Sensors that have reported")
    sensors_total: int


class Traffic(BaseModel):
    """What passed a counter in an interval."""

    station: str
    property: str = Field(examples=["vehicle_count"])
    channel: str = Field(examples=["in"])
    interval: Literal["PT5M", "PT15M", "PT1H"]
    time: AwareDatetime = Field(description="END of the interval")
    value: int
    completeness: float = Field(description="Share of the interval that was observed, 0-1")


class RejectedUplink(BaseModel):
    """A message that was not taken."""

    id: int
    time: AwareDatetime
    reason: str
    detail: str
    server: str
    topic: str
    device: str | None
    payload: str = Field(description="UTF-8 text, cut at 4,000 characters")


class AdminUplink(BaseModel):
    """A stored uplink and what was read from it."""

    seq: int
    device: str
    server: str
    time: AwareDatetime
    time_source: str
    arrived: AwareDatetime
    f_port: int
    f_cnt: int
    payload: str = Field(description="Hexadecimal")
    spreading_factor: int | None
    gateways: list[dict[str, object]]
    readings: list[Reading]


class AdminDevice(BaseModel):
    """An installed device."""

    device: str
    type: str
    station: str
    name: str
    public: bool
    interval_s: float | None
    last_time: AwareDatetime | None
    note: str


class Delivery(BaseModel):
    """What became of one alert on one channel. `interrupted` attempts may have arrived all the same."""

    event: str
    warning: str
    channel: str
    kind: str
    status: str
    attempts: int
    interrupted: int
    detail: str
    event_time: str
    created: str
    started: str | None
    ended: str | None


class MailingRun(BaseModel):
    """How far a mailing is by one way; a count of recipients each."""

    way: str = Field(examples=["email"])
    state: Literal["open", "done", "superseded", "expired"]
    wanted: int
    sent: int
    refused: int
    first: str | None
    last: str | None


class Mailing(BaseModel):
    """One step that residents who subscribed were told of."""

    id: int
    event: str
    warning: str
    told: Literal["notice", "warning"]
    kind: str
    severity: str
    event_time: str
    created: str
    ways: list[MailingRun]


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


class AuditEntry(BaseModel):
    """What somebody decided or entered. `detail` names the token it was done with; never contact data."""

    seq: int
    time: AwareDatetime
    by: str
    action: str = Field(examples=["incident all_clear"])
    subject: str = Field(examples=["strunde.20260714T181000Z"])
    reason: str
    detail: str
    previous: str = Field(description="Hash of the entry before: SHA-256, 64 hex digits")
    hash: str


class AuditChain(BaseModel):
    """Whether the audit log is as it was written."""

    entries: int
    head: str = Field(description="Hash of the last entry")
    broken_at: int | None = Field(description="`seq` of the first entry that does not fit")


class Part(BaseModel):
    """One part of the service; `detail` for operators only."""

    ok: bool
    detail: str = ""


class Readiness(BaseModel):
    """Whether uplinks can be taken and alerts can go out; `degraded`: yes, but the store is away."""

    state: Literal["ready", "degraded", "unready"]
    parts: dict[str, Part]
    loss_window: dict[str, str] = Field(
        description="Per network server: in which window an uplink can be lost before it reaches us"
    )


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no public station 'x'"])
    hint: str = Field(default="", examples=["the list of what there is: /api/v1/stations"])
