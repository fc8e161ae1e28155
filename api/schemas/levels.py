"""Shapes of what level gauges are heading for, for the OpenAPI document."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.schemas.envelope import Text
from api.schemas.measurements import Station


class Mark(BaseModel):
    """A mark of a gauge."""

    mark: int
    cm: float = Field(description="Above the gauge zero")
    reached: bool
    minutes: tuple[float, float] | None = Field(description="Until it is reached: earlier, later estimate")


class Wave(BaseModel):
    """A mark that a wave from upstream brings."""

    mark: int
    first: AwareDatetime
    last: AwareDatetime


class Spillway(BaseModel):
    """Where a basin overflows."""

    name: str
    cm: float
    minutes: tuple[float, float] | None = Field(description="Until it overflows; [0, 0]: it does")


class Basin(BaseModel):
    """A retention basin."""

    id: str
    name: str
    fictitious: bool = Field(description="Its curve is invented")
    volume_m3: float
    share: float = Field(description="Of the volume at the lowest spillway")
    inflow_m3_s: float | None
    spillways: list[Spillway]


class Level(BaseModel):
    """What a level gauge is heading for, extrapolated from its readings; no forecast of a service."""

    gauge: str
    time: AwareDatetime
    level_cm: float
    rate_cm_h: float | None
    rising: bool = Field(description="More than noise")
    confidence: Literal["good", "low"] | None = Field(description="low: two readings only")
    marks: list[Mark]
    wave: Wave | None
    basin: Basin | None
    outlook: Text = Field(
        examples=[
            {
                "de": "steigt 24 cm/h, Marke 2 in 14 bis 22 min (geringe Sicherheit)",
                "en": "rising 24 cm/h, mark 2 in 14 to 22 min (low confidence)",
            }
        ]
    )


class StationNow(Station):
    """A place of measurement, with the outlook of its level gauges."""

    levels: list[Level] = Field(default=[], description="At level stations only")
