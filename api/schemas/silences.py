"""Shapes of the answers about silences."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class SilenceItem(BaseModel):
    """What staff channels are not told of for a while; all that is named must hold."""

    model_config = ConfigDict(title="Silence")

    id: str
    in_force: bool
    stations: list[str] = Field(description="Ids or globs; none: any")
    catchments: list[str]
    measures: list[str]
    max_severity: Literal["Minor", "Moderate", "Severe", "Extreme"]
    by: str
    second: str | None = Field(description="Who else has confirmed that Extreme may be silenced")
    reason: str
    from_: AwareDatetime = Field(alias="from")
    until: AwareDatetime
    ended: AwareDatetime | None = Field(description="When somebody ended it before its time")
    ended_by: str | None
