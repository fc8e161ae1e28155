"""What a route looks at: the part of an event that says who is to hear of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from alerts.event import Severity

Kind = Literal["notice", "city", "fault", "incident"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""notice: a step of a measurement notice · city: a step of a warning of the city · fault: of a sensor, of a
gateway, or a value that was not believed · incident: falling values, reminders, decisions."""

_KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("raise", "escalate", "step_down", "clear"), "notice"),
    **dict.fromkeys(("falling", "reminder", "decision"), "incident"),
    "city": "city",
}


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing to hear of. `severity`: the highest that it has reached.

    `areas`: ids of its warning areas, None for the whole city. `catchment` "" for what belongs to none, None
    for the whole city.
    """

    kind: Kind
    severity: Severity
    areas: frozenset[str] | None = None
    catchment: str | None = None


def kind_of(event_kind: str) -> Kind:
    """The kind that a route names it by; what nobody knows is a fault, which staff hear of."""
    return _KINDS.get(event_kind, "fault")
