"""Shapes of warnings of the city, for the OpenAPI document."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.schemas.envelope import Text

Severity = Literal["Minor", "Moderate", "Severe", "Extreme"]
Said = dict[str, str]


class NamedArea(BaseModel):
    """A warning area."""

    id: str
    name: Text


class CityWarningItem(BaseModel):
    """What the city tells its people: released by a named person, or by a rule that says so.

    It is never an automatic measurement notice: those are at /api/v1/warnings.
    """

    model_config = ConfigDict(title="CityWarning")

    id: str = Field(examples=["warning.strunde.20260714T181000Z"])
    kind: Text = Field(examples=[{"de": "Warnung der Stadt", "en": "Warning of the city"}])
    status: Literal["in_force", "ended"]
    exercise: bool = Field(description="Never to be taken for real")
    severity: Severity
    areas: list[NamedArea] = Field(description="Empty: the whole city")
    headline: Said = Field(description="By language: de, en, and what else the city writes")
    description: Said
    instruction: Said
    released_by: str
    released_by_rule: bool = Field(
        description="Nobody had decided in time, and a rule of the city released it"
    )
    released: AwareDatetime
    changed: AwareDatetime
    valid_until: AwareDatetime = Field(description="It is issued again before, while what it warns of lasts")
    ended: AwareDatetime | None
    end: Literal["all_clear", "cancel", "expire"] | None = Field(
        description="Called off; it was wrong; its time was over, which is no all-clear"
    )
    ended_by: str | None


class CityTextItem(BaseModel):
    """Plain text in one language."""

    headline: str
    description: str
    instruction: str


class CityWarningDraft(BaseModel):
    """Texts that a warning would be proposed with."""

    texts: dict[str, CityTextItem]
    template: str = Field(description="Name and version of what they are written from")


class CityWarningContent(BaseModel):
    """What one step says."""

    by: str = Field(description='The person\'s name, or "rule ID"')
    reason: str
    severity: Severity
    areas: list[NamedArea]
    texts: dict[str, CityTextItem]
    template: str | None
    valid_until: AwareDatetime


class CityWarningStep(CityWarningContent):
    """One step."""

    action: Literal["propose", "release", "update", "decline", "all_clear", "cancel", "expire"]
    time: AwareDatetime


class CityWarningCourse(BaseModel):
    """A warning of the city as operators see it, with every step."""

    id: str
    incident: str | None
    status: Literal["proposed", "in_force", "declined", "ended"]
    exercise: bool
    staff_only: bool = Field(description="An exercise that the public does not hear of")
    public: bool = Field(description="The public has been told")
    severity: Severity
    areas: list[NamedArea]
    texts: dict[str, CityTextItem]
    proposed: AwareDatetime
    released: AwareDatetime | None
    changed: AwareDatetime
    valid_until: AwareDatetime
    ended: AwareDatetime | None
    end: Literal["all_clear", "cancel", "expire"] | None
    pending: CityWarningContent | None = Field(description="An update that waits for a decision")
    steps: list[CityWarningStep]
