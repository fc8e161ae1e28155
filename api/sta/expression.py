"""What a $filter or $orderby says, as a tree. `at` is where it stands in the option's text, from 0."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Null:
    """The literal null."""

    at: int = 0


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false."""

    value: bool
    at: int = 0


@dataclass(frozen=True, slots=True)
class Number:
    """An integer or decimal."""

    value: int | float
    at: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted text, its doubled quotes made single."""

    value: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Instant:
    """A point in time, µs since the epoch, UTC. Also what a date alone means: its midnight."""

    time_us: int
    at: int = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """An ISO 8601 interval of two times, begin <= end, both µs since the epoch."""

    begin_us: int
    end_us: int
    at: int = 0


@dataclass(frozen=True, slots=True)
class Duration:
    """An ISO 8601 duration, `duration'PT1H'`; years and months count as 365 and 30 days.

    Also what a time of day, `18:30:00`, means: what has passed since midnight.
    """

    length_us: int
    at: int = 0


@dataclass(frozen=True, slots=True)
class Geometry:
    """`geography'POINT (7.1 51.0)'`: a geometry as WKT that shapely can read, WGS 84, lon lat."""

    wkt: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    """A property, link or part of one: ("Datastreams", "properties", "serviceName").

    `id` and `@iot.id` are both the segment "@iot.id". Names are as the request gave them: whether they exist
    is for whoever knows the entity set.
    """

    segments: tuple[str, ...]
    at: int = 0


@dataclass(frozen=True, slots=True)
class Not:
    """Logical negation."""

    operand: "Expression"
    at: int = 0


@dataclass(frozen=True, slots=True)
class Negative:
    """Arithmetic negation."""

    operand: "Expression"
    at: int = 0


@dataclass(frozen=True, slots=True)
class Binary:
    """`operator`: or and eq ne gt ge lt le add sub mul div mod."""

    operator: str
    left: "Expression"
    right: "Expression"
    at: int = 0


@dataclass(frozen=True, slots=True)
class In:
    """`operand in (a, b, c)`."""

    operand: "Expression"
    options: tuple["Expression", ...]
    at: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the standard, in lower case; the parser has checked the number of its arguments."""

    function: str
    arguments: tuple["Expression", ...]
    at: int = 0


Expression: TypeAlias = (
    Null | Boolean | Number | Text | Instant | Interval | Duration | Geometry
    | Path | Not | Negative | Binary | In | Call
)  # fmt: skip
