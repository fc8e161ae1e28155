"""Car parks and traffic."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from alerts.mobility.counted import Resolution
from alerts.mobility.states import ForecastMethod

_BEGIN = Field(description="Begin of the interval, not part of it / Beginn, selbst nicht dabei")
_END = Field(description="END of the interval / ENDE des Intervalls")
_COMPLETE = Field(
    description="Share of the interval that was observed, 0-1; below 1 a count is a lower bound or partly "
    "estimated / beobachteter Anteil des Intervalls; unter 1 ist die Zählung Untergrenze oder geschätzt"
)


class Reserved(BaseModel):
    """Spaces that not everybody may take; null where it would tell of a single one."""

    capacity: int
    occupied: int | None
    free: int | None


class Expected(BaseModel):
    """Free spaces expected for a time, and between what 80 % of the outcomes should lie."""

    minutes: int = Field(
        description="So long after the quarter of an hour it was made at / so lange nach der Viertelstunde, "
        "zu der sie entstand",
        examples=[30],
    )
    time: AwareDatetime = Field(description="For when it is / für wann sie gilt")
    free: int = Field(description="Middle of what is expected / Mitte des Erwarteten")
    low: int = Field(description="One outcome in ten should be lower / in einem von zehn Fällen weniger")
    high: int = Field(description="One outcome in ten should be higher / in einem von zehn Fällen mehr")
    method: ForecastMethod = Field(
        description="Which forecast is told: learned from this car park's past, or, where that was closer in "
        "the last two weeks, as_now (as many as now) or as_last_week (as many as a week before) / welche "
        "Vorhersage: gelernt, so viele wie jetzt oder wie vor einer Woche, je nachdem, was zuletzt besser war"
    )


class Parking(BaseModel):
    """Free spaces of one car park; null where nothing is known."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "station": "p-loewe",
                    "name": "Parkhaus Bergischer Löwe",
                    "capacity": 120,
                    "occupied": 33,
                    "free": 87,
                    "trend_per_h": 6.0,
                    "changed": "2026-07-14T18:29:12Z",
                    "confidence": 0.94,
                    "time": "2026-07-14T18:30:00Z",
                    "sensors_known": 2,
                    "sensors_total": 2,
                    "source": "counters",
                    "reserved": {"disabled": {"capacity": 4, "occupied": 1, "free": 3}},
                    "expected": [
                        {
                            "minutes": 30,
                            "time": "2026-07-14T19:00:00Z",
                            "free": 84,
                            "low": 77,
                            "high": 91,
                            "method": "learned",
                        }
                    ],
                }
            ]
        }
    )

    station: str
    name: str
    capacity: int
    occupied: int | None
    free: int | None = Field(
        description="Of those that everybody may take / von denen, die jeder nutzen darf"
    )
    trend_per_h: float | None = Field(
        description="How many more become taken in an hour / um so viele werden es in einer Stunde mehr"
    )
    changed: AwareDatetime | None = Field(description="Last change / letzte Änderung")
    confidence: float = Field(description="How far it can be trusted, 0-1 / wie verlässlich es ist")
    time: AwareDatetime | None
    sensors_known: int = Field(description="Sensors that have reported / die sich gemeldet haben")
    sensors_total: int
    source: Literal["spaces", "counters", "barrier"] = Field(
        description="Where the number comes from / woher die Zahl kommt"
    )
    reserved: dict[Literal["disabled", "charging"], Reserved] = Field(
        description="For few, no part of the other numbers / für wenige, in den anderen Zahlen nicht dabei"
    )
    expected: list[Expected]


class Occupied(BaseModel):
    """Taken spaces of one car park in an interval; null where it would tell of a single space."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "station": "p-loewe",
                    "interval": "PT15M",
                    "begin": "2026-07-14T18:15:00Z",
                    "time": "2026-07-14T18:30:00Z",
                    "occupied_mean": 31.4,
                    "occupied_max": 34,
                    "occupied": 33,
                    "free": 87,
                    "capacity": 120,
                    "completeness": 1.0,
                }
            ]
        }
    )

    station: str
    interval: Literal["PT15M", "PT1H", "P1D"]
    begin: AwareDatetime = _BEGIN
    time: AwareDatetime = _END
    occupied_mean: float | None
    occupied_max: float | None
    occupied: float | None = Field(description="At its end / am Ende")
    free: float | None = Field(description="At its end / am Ende")
    capacity: int
    completeness: float = _COMPLETE


class Traffic(BaseModel):
    """What passed a counter in an interval."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "station": "z-haupt",
                    "property": "vehicle_count",
                    "channel": "in",
                    "direction": "in",
                    "vehicle_class": None,
                    "interval": "PT15M",
                    "begin": "2026-07-14T18:15:00Z",
                    "time": "2026-07-14T18:30:00Z",
                    "value": 33,
                    "suppressed": False,
                    "completeness": 1.0,
                    "corrected": None,
                    "speed_mean_kmh": 41.5,
                    "speed_v85_kmh": 49.0,
                }
            ]
        }
    )

    station: str
    property: str = Field(examples=["vehicle_count"])
    channel: str = Field(examples=["in"])
    direction: str | None = Field(description="As the sensor names it / wie der Sensor sie nennt")
    vehicle_class: str | None = Field(
        description="Where the sensor tells it, by its own name / wo der Sensor sie sagt, mit seinem Namen"
    )
    interval: Resolution
    begin: AwareDatetime = _BEGIN
    time: AwareDatetime = _END
    value: int | None
    suppressed: bool = Field(
        description="Too few people to be told, or a smaller count would follow from it / zu wenige Personen"
    )
    completeness: float = _COMPLETE
    corrected: AwareDatetime | None = Field(
        description="A late reading changed it after it was closed / danach durch späte Meldung berichtigt"
    )
    speed_mean_kmh: float | None = Field(description="Mean speed / mittlere Geschwindigkeit")
    speed_v85_kmh: float | None = Field(
        description="What 85 % keep to / halten 85 % ein; public of three vehicles or more"
    )
