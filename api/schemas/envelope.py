"""Around every answer: pages of items, open data or not, and errors."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")
Text = dict[Literal["de", "en"], str]


class Items(BaseModel, Generic[Item]):
    """One page; the next one is in the Link header."""

    items: list[Item]


class Internal(Items[Item], Generic[Item]):
    """One page of what operators see: no open data, so under no licence."""

    license: None
    attribution: None


class TermsOfPart(BaseModel):
    """Licence and attribution of some of the properties in an answer."""

    license: str = Field(examples=["http://dcat-ap.de/def/licenses/dl-by-de/2.0"])
    attribution: str = Field(examples=["Stadtwerke"])
    properties: list[str] = Field(examples=[["vehicle_count"]])


class Collection(Items[Item], Generic[Item]):
    """One page of open data; the next one is in the Link header."""

    license: str | None = Field(
        examples=["http://dcat-ap.de/def/licenses/dl-zero-de/2.0"], description="null: see `terms`"
    )
    attribution: str = Field(examples=["Stadt Bergisch Gladbach"])
    terms: list[TermsOfPart] = Field(default=[], description="Only where not all stands under the same")


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no public station 'x'"])
    hint: str = Field(default="", examples=["the list of what there is: /api/v1/stations"])
