"""Shapes of what people count in car parks, and of what was put right."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class CorrectionItem(BaseModel):
    """The number of taken spaces of a car park was put right."""

    model_config = ConfigDict(title="ParkingCorrection")

    station: str
    time: AwareDatetime
    before: int = Field(description="By the counters; may be below 0 or above the capacity")
    after: int
    reason: Literal["over_capacity", "below_zero", "night_minimum", "spaces", "manual"]
    detail: str = Field(description="What was found and what it was put right by, for a person")
