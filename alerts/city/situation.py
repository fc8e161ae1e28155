"""What the text of a warning of the city is written from, and what comes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from alerts.event import CityAction, CityStep, CityText, Severity
from alerts.incidents.incident import Incident


@dataclass(frozen=True, slots=True)
class Situation:
    """What a warning is about. Times µs since the epoch, UTC.

    `incident`: a copy of it as it stands, None where somebody warns by hand; `areas`: ids of warning areas,
    empty for the whole city; `stations`: ids of what measured it, the highest severity first. `reason`: what
    a person said, of an update or an end. `by`: who releases it, "" while nobody has; `before`: the step that
    stood until now, of an update; `kind`: which of the kinds of texts.py, "" what the incident says.
    """

    time_us: int
    severity: Severity
    areas: tuple[str, ...]
    valid_until_us: int
    incident: Incident | None = None
    stations: tuple[str, ...] = ()
    exercise: bool = False
    reason: str = ""
    by: str = ""
    before: CityStep | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """Texts by language (de, en, einfach); `template`: name and version of what they were made from."""

    texts: Mapping[str, CityText]
    template: str


Writer = Callable[[Situation, CityAction], Written]
"""Writes a warning's texts: of a release or an update what to do, of an all-clear that it is over. It is
asked with locks held: no I/O, no calls back."""
