"""Query parameters that collections share; an unknown one is refused, not ignored."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.encoders import AnyFormat
from api.formats import Format
from api.problems import Problem
from api.rfc3339 import parse_us

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 1_000
Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Ids = Annotated[list[Id], Field(max_length=100, description="repeat it to name several")]
PropertyNames = Annotated[
    list[Id], Field(max_length=100, description="names of /api/v1/properties; repeat it")
]
Cursor = Annotated[str | None, Field(max_length=500, description="from the Link header, as it is")]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT, description="items on a page")]


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")

    f: Annotated[Format, Field(description="format of the answer")] = Format.JSON
    cursor: Cursor = None


class CollectionQuery(_Query):
    """What every collection understands."""

    limit: Limit = DEFAULT_LIMIT


class StationQuery(CollectionQuery):
    """Collections of things at stations."""

    station: Ids = []


class LatestQuery(StationQuery):
    """The newest readings."""

    property: PropertyNames = []


Time = Annotated[
    str | None,
    Field(max_length=40, description="RFC 3339 with its offset", examples=["2026-07-14T18:30:00Z"]),
]


class ReadingsQuery(_Query):
    """Readings of a span of time."""

    station: Ids = []
    property: PropertyNames = []
    from_: Time = Field(default=None, alias="from")
    to: Time = None
    f: Annotated[AnyFormat, Field(description="format of the answer")] = Format.JSON  # type: ignore[assignment]  # a wider choice
    order: Annotated[Literal["asc", "desc"], Field(description="oldest or newest first")] = "asc"
    limit: Annotated[
        Limit | Literal["all"], Field(description="items on a page; `all` streams the whole span on one page")
    ] = DEFAULT_LIMIT
    quality: Annotated[
        str | None,
        Field(
            pattern=r"^[12349](,[12349])*$",
            max_length=20,
            description="only readings with these flags; without it all, and in intervals the good ones",
            examples=["1,2"],
        ),
    ] = None
    interval: Annotated[
        str | None,
        Field(max_length=10, description="one item for each interval (ISO 8601)", examples=["PT1H"]),
    ] = None
    aggregate: Annotated[
        str | None,
        Field(
            max_length=60,
            description="what to say of an interval: mean, min, max, sum, count, last; default by the kind",
            examples=["mean,min,max"],
        ),
    ] = None
    timezone: Annotated[
        str | None,
        Field(max_length=60, description="whose days intervals follow; default the city's"),
    ] = None


def flags(query: ReadingsQuery) -> frozenset[int] | None:
    """The quality flags asked for, None: no word of it."""
    return None if query.quality is None else frozenset(map(int, query.quality.split(",")))


def moment(parameter: str, text: str | None) -> int | None:
    """A time parameter in microseconds since the epoch; raises Problem 400 with a hint."""
    if text is None:
        return None
    try:
        return parse_us(text)
    except ValueError as error:
        raise Problem(400, f"{parameter}={text!r} is no time", str(error)) from error
