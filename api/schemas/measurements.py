"""What is measured: stations, readings."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.schemas.envelope import Text


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
    time: AwareDatetime = Field(
        description="RFC 3339, UTC; of a count, a depth or what is coarsened: the END of its interval"
    )
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


class ArchivedDay(BaseModel):
    """Files of one property on one day of the city's calendar."""

    property: str = Field(examples=["water_level"])
    date: str = Field(examples=["2026-07-14"])
    closed: bool = Field(description="The files never change any more")
    csv: str = Field(examples=["/api/v1/archive/water_level/2026-07-14.csv"])
    parquet: str = Field(examples=["/api/v1/archive/water_level/2026-07-14.parquet"])


class Property(BaseModel):
    """What can be observed."""

    name: str = Field(examples=["water_level"])
    unit: str = Field(description="UCUM", examples=["cm"])
    kind: Literal["gauge", "counter", "state", "count"]
    theme: str = Field(examples=["level"])
    label: Text = Field(examples=[{"de": "Wasserstand", "en": "Water level"}])
    decimals: int = Field(description="How many decimals a person gets to see")
    license: str = Field(description="Of its readings")
    attribution: str = Field(
        description="Whom to name with its readings", examples=["Stadt Bergisch Gladbach"]
    )
    delay_s: float = Field(description="Readings are public only so many seconds after their time")
    coarsen_s: float = Field(
        description="Not 0: public is one value for every interval of this length, at its end"
    )
    round: float | None = Field(description="Public values are multiples of this")
    suppress_below: int | None = Field(
        description="No readings, only counts of hours, days and weeks, and none of 1 up to this less 1 "
        "/ keine Messwerte, nur Zählungen je Stunde, Tag und Woche, und davon keine kleineren außer 0"
    )
