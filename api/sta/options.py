"""What a request asks for: the path it names, and its query options."""

from dataclasses import dataclass, field
from enum import StrEnum

from api.sta.expression import Expression


class ResultFormat(StrEnum):
    """Value of $resultFormat."""

    JSON = "JSON"
    DATA_ARRAY = "dataArray"
    CSV = "CSV"
    GEOJSON = "GeoJSON"


@dataclass(frozen=True, slots=True)
class Order:
    """One key of $orderby."""

    key: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Expansion:
    """One link of $expand; `A/B` is B among the expansions of A's options."""

    link: str
    options: "Options" = field(default_factory=lambda: Options())  # noqa: PLW0108 - Options is defined below
    at: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """Query options of a request or of an expansion.

    `top` None: the server's default. `select` holds paths, empty: everything. `skip_token` is ours alone:
    where the page before ended.
    """

    filter: Expression | None = None
    expand: tuple[Expansion, ...] = ()
    select: tuple[tuple[str, ...], ...] = ()
    orderby: tuple[Order, ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool | None = None
    result_format: ResultFormat = ResultFormat.JSON
    skip_token: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """`Things` or `Things(5)` of a path, or a link of the step before (`Datastreams(3)`, `Thing`)."""

    name: str
    id: int | None = None


class Tail(StrEnum):
    """What a path ends with behind its entities."""

    NOTHING = ""
    REF = "$ref"
    VALUE = "$value"


@dataclass(frozen=True, slots=True)
class ResourcePath:
    """A path below /sta/v1.1: entities, then perhaps a property and parts of it, then perhaps $ref or $value.

    No steps: the service root.
    """

    steps: tuple[Step, ...] = ()
    property: tuple[str, ...] = ()
    tail: Tail = Tail.NOTHING
