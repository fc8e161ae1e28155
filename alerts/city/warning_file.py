"""What a file of warning texts holds (alerts/city/texts/warning_de.toml and the city's own over it)."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.event import CityAction, Severity
from alerts.scale import SEVERITIES

TextKind = Literal["rain", "level", "expected", "basin", "several", "hand", "blind"]
TEXT_KINDS: tuple[TextKind, ...] = get_args(TextKind)
"""heavy rain · a water level · one that is expected · a retention basin · rain and water at once · raised by
hand · too few gauges to see."""
Form = Literal["warn", "update", "all_clear", "cancel", "expire"]
FORMS: tuple[Form, ...] = get_args(Form)
ENDS: tuple[Form, ...] = ("all_clear", "cancel", "expire")
AFTER = "after"
"""The advice of FORMS that end a warning."""

_Sentences = Annotated[list[str], Field(min_length=1)]


def form_of(action: CityAction) -> Form:
    """What a step is told with: until its end a warning warns, whoever has decided what."""
    return next((each for each in FORMS if each == action), "warn")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Special(_Table):
    """What differs at one severity."""

    thing: str | None = None
    what: str | None = None
    advice: str | None = None


class KindTexts(_Table):
    """One kind of event: what happens, what it is called once over, which advice holds."""

    thing: str
    name: str
    what: str
    advice: str
    Minor: Special = Special()
    Moderate: Special = Special()
    Severe: Special = Special()
    Extreme: Special = Special()

    def at(self, severity: Severity) -> "KindTexts":
        """The same with what differs at a severity."""
        special: Special = getattr(self, severity)
        return self.model_copy(update=special.model_dump(exclude_none=True))


class Alarm(_Table):
    """How dangerous, in the headline."""

    Minor: str
    Moderate: str
    Severe: str
    Extreme: str


class Headlines(_Table):
    """Of each form."""

    warn: str
    update: str
    all_clear: str
    cancel: str
    expire: str


class Descriptions(_Table):
    """Of each form, sentence by sentence."""

    warn: _Sentences
    update: _Sentences
    all_clear: _Sentences
    cancel: _Sentences
    expire: _Sentences


class Changed(_Table):
    """What has changed, of an update."""

    same: str
    higher: str
    lower: str
    more_areas: str
    fewer_areas: str
    longer: str
    shorter: str


class Kinds(_Table):
    """Every kind."""

    rain: KindTexts
    level: KindTexts
    expected: KindTexts
    basin: KindTexts
    several: KindTexts
    hand: KindTexts
    blind: KindTexts


class WarningFile(_Table):
    """One language's file, complete."""

    decimal: Literal[",", "."]
    when: str
    clock: str
    months: Annotated[list[str], Field(min_length=12, max_length=12)]
    minutes: str
    hours: str
    hour: str
    millimetres: str
    centimetres: str
    between: str
    whole_city: str
    more: str
    count: str
    city: str
    nameless: str
    exercise_headline: str
    exercise: str
    alarm: Alarm
    headline: Headlines
    kind: Kinds
    description: Descriptions
    changed: Changed
    advice: dict[str, dict[str, _Sentences]]

    @model_validator(mode="after")
    def _advised(self) -> "WarningFile":
        for group, table in self.advice.items():
            wanted = ENDS if group == AFTER else SEVERITIES
            if set(table) != set(wanted):
                raise ValueError(f"advice.{group}: needs {', '.join(wanted)}, and nothing else")
        kinds = [self.kind_of(kind).at(severity) for kind in TEXT_KINDS for severity in SEVERITIES]
        unknown = sorted({each.advice for each in kinds} - (self.advice.keys() - {AFTER}))
        if unknown or AFTER not in self.advice:
            raise ValueError(f"advice: there is no table [advice.{(unknown or [AFTER])[0]}]")
        return self

    def words(self) -> Iterator[tuple[str, str, Sequence[str]]]:
        """What values are made of, by its key, with the names that it may hold; none: one value without."""
        for key in ("minutes", "hours", "millimetres", "centimetres", "count", "city"):
            yield key, getattr(self, key), ()
        for key in ("more_areas", "fewer_areas"):
            yield f"changed.{key}", getattr(self.changed, key), ()
        for key in ("higher", "lower"):
            yield f"changed.{key}", getattr(self.changed, key), ("now", "before")
        yield "more", self.more, ("names", "count")
        yield "between", self.between, ("first", "last")
        for key in ("when", "clock"):
            yield key, getattr(self, key), ("day", "month", "month_name", "year", "hour", "minute")

    def kind_of(self, kind: TextKind) -> KindTexts:
        """The texts of a kind."""
        found: KindTexts = getattr(self.kind, kind)
        return found
