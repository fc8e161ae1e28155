"""Around every answer: pages of items, open data or not, and errors."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")
Text = dict[Literal["de", "en"], str]


class Items(BaseModel, Generic[Item]):
    """One page; the next one is in the Link header."""

    items: list[Item]


class TermsOfPart(BaseModel):
    """Licence and attribution of some of the properties in an answer."""

    license: str = Field(examples=["http://dcat-ap.de/def/licenses/dl-by-de/2.0"])
    attribution: str = Field(examples=["Stadtwerke"])
    properties: list[str] = Field(examples=[["vehicle_count"]])


class Licensed(BaseModel):
    """What stands beside open data."""

    license: str | None = Field(
        examples=["http://dcat-ap.de/def/licenses/dl-zero-de/2.0"], description="null: see `terms`"
    )
    attribution: str = Field(examples=["Stadt Bergisch Gladbach"])
    terms: list[TermsOfPart] = Field(default=[], description="Only where not all stands under the same")


class Unlicensed(BaseModel):
    """What stands beside what operators see."""

    license: None
    attribution: None


class Collection(Licensed, Items[Item], Generic[Item]):
    """One page of open data; the next one is in the Link header."""


class Internal(Unlicensed, Items[Item], Generic[Item]):
    """One page of what operators see: no open data, so under no licence."""


class ProblemDetails(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["there is no public station 'x'"])
    hint: str = Field(default="", examples=["the list of what there is: /api/v1/stations"])
    errors: list[dict[str, object]] = Field(
        default=[],
        description="Each parameter or row that is wrong, and how",
        examples=[[{"parameter": "limit", "problem": "Input should be a valid integer"}]],
    )
