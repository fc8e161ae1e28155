"""What the engine concludes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from ingest.journal import EventRow

Kind = Literal[
    "crossing",
    "raise",
    "escalate",
    "step_down",
    "clear",
    "unverified",
    "sensor_stale",
    "sensor_lost",
    "sensor_back",
    "gateway_lost",
    "gateway_back",
    "blind",
    "sighted",
    "property_missing",
    "property_back",
    "partner_silent",
    "partner_back",
    "falling",
    "reminder",
    "decision",
    "city",
]
Audience = Literal["public", "staff"]
Severity = Literal["Minor", "Moderate", "Severe", "Extreme"]
"""Lowest first, in the words of CAP 1.2."""
Confirmation = Literal["", "confirmed", "unconfirmed"]

CityAction = Literal["propose", "release", "update", "decline", "all_clear", "cancel", "expire"]
"""What happens to a warning of the city: proposed by a rule or a person; released, changed, declined, called
off by a person, or by a rule that says so; cancelled because it was wrong; expired when nobody renewed it."""

BY_PERSON = "all-clear by "
"""How the reason of an end begins that a person decided while the sensor was lost."""
PREEMPTED = "exercise ended: real alarm"
"""Reason of the events that end an exercise at once; of those nobody is told, nor of what waits of it."""


RELEASED_DRILL = "exercise, released to the public by "
"""How the reason of an exercise's events begins when a person released it to the public."""


@dataclass(frozen=True, slots=True)
class CityText:
    """What a warning of the city says in one language; plain text."""

    headline: str
    description: str
    instruction: str


@dataclass(frozen=True, slots=True)
class CityStep:
    """One step of a warning of the city.

    `by`: the person's name, or "rule ID" where a rule released it; `areas`: ids of warning areas, empty for
    the whole city; `texts` by language (de, en, ...); `template`: name and version of the texts they come
    from. Times µs since the epoch, UTC.
    """

    action: CityAction
    severity: Severity
    areas: tuple[str, ...]
    texts: Mapping[str, CityText]
    valid_until_us: int
    by: str
    reason: str
    template: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One conclusion, at an event time (µs since the epoch, UTC), about one station and measure.

    `id` and `episode` are functions of what happened, so a replay makes the same ones. `level` is the
    criterion's number (DWD level 2-4, SRI 1-12, gauge stage 1-4; 0 on clear), `window_min` the rain window in
    minutes (None for levels), `value` in the measure's unit (mm, cm). `reason` says why in English words an
    operator reads; texts for people are rendered later. `reference`: the data that the criterion rests on,
    such as KOSTRA-DWD-2020, where a number means nothing without it.

    `severity` by the city's scale, "" where none applies. `incident`: the id of what staff hear of as one, ""
    for what belongs to none. `confirmation`: what the witnesses make of it, in words in `witness`; "" where
    nobody was asked. `exercise`: of a drill, never to be taken for real. `by`: who decided, of a decision;
    its `measure` is the action.

    Of what is still to come: `expected_min`, within which minutes from `time_us` (earlier, later estimate),
    and `cause`, the name of what it comes from: a station upstream, a spillway.

    `city`: the step of a warning of the city (kind "city"; `episode` is the warning's id).
    """

    id: str
    episode: str
    time_us: int
    station: str
    kind: Kind
    measure: str
    level: int
    window_min: int | None
    value: float | None
    rule: str
    reason: str
    audience: Audience | None = None
    reference: str = ""
    severity: str = ""
    incident: str = ""
    confirmation: Confirmation = ""
    witness: str = ""
    exercise: bool = False
    expected_min: tuple[float, float] | None = None
    cause: str = ""
    by: str = ""
    city: CityStep | None = None


def to_row(event: Event) -> EventRow:
    """The event as the journal keeps it."""
    return EventRow(event.id, event.time_us, msgspec.json.encode(event))


def from_row(row: EventRow) -> Event:
    """The event that to_row() was given. Raises msgspec.DecodeError."""
    return _decoder.decode(row.body)


_decoder = msgspec.json.Decoder(Event)
