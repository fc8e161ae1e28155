"""A warning: one episode as a person sees it, folded from the engine's events."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import msgspec

from alerts.event import BY_PERSON, Audience, Confirmation, Event, Severity
from alerts.incidents.incident import Clearance
from alerts.scale import SEVERITIES, shipped_scale

Step = Literal["raise", "escalate", "step_down", "clear"]
STEPS: tuple[Step, ...] = ("raise", "escalate", "step_down", "clear")
Told = Literal[
    "raise",
    "escalate",
    "step_down",
    "clear",
    "unverified",
    "sensor_lost",
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
]
TOLD: tuple[Told, ...] = get_args(Told)
"""What people are told of: an episode's steps, notices that stand alone, and OF_INCIDENTS."""
OF_INCIDENTS: tuple[Told, ...] = ("falling", "reminder", "decision")
"""What is about an incident as a whole."""
ABOUT_THE_FIRST: tuple[Told, ...] = ("partner_silent", "partner_back")
"""What a stand-by says of the first instance, in any case."""
Status = Literal["in_force", "ended"]
VALID_US = 6 * 3_600_000_000
"""A notice expires so long after its last step or reminder; the engine reminds of it before."""
TOLD_LATER = (".public", ".confirmed")
"""Ends of the ids of events that tell of an earlier rise."""


@dataclass(frozen=True, slots=True)
class Update:
    """One step of a warning. Times µs since the epoch, UTC; `value` in the measure's unit (mm, cm).

    `audience`, `confirmation` and `witness` as in Event.
    """

    event: str
    kind: Told
    time_us: int
    level: int
    severity: Severity
    window_min: int | None
    value: float | None
    rule: str
    reason: str
    reference: str = ""
    expected_min: tuple[float, float] | None = None
    cause: str = ""
    audience: Audience | None = None
    confirmation: Confirmation = ""
    witness: str = ""

    @property
    def rises(self) -> bool:
        """Whether it is a raise or an escalation."""
        return self.kind in {"raise", "escalate"}

    @property
    def by_person(self) -> bool:
        """Whether a person ended it: the sensor is lost, no measurement says so."""
        return self.kind == "clear" and self.reason.startswith(BY_PERSON)

    @property
    def later(self) -> bool:
        """Whether it tells of an earlier rise, with its value, once witnesses were asked."""
        return self.event.endswith(TOLD_LATER)


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 - the field's word; Python's own is not used in this package
    """One episode. `level` is the criterion's number and stays the last one in force after the end.

    `window_min` (minutes, None for levels) and `value` (mm, cm) belong to the latest step, the `peak_*` to
    the highest level so far. `audience` is the widest that any step had; None: nobody is to be told.
    `exercise`: of a drill, never to be taken for real.
    `reminded_us`: when it was last issued again, 0 never. `all_clear`: what its incident says (incident.py).
    """

    id: str
    station: str
    measure: str
    level: int
    severity: Severity
    status: Status
    audience: Audience | None
    raised_us: int
    changed_us: int
    ended_us: int | None
    window_min: int | None
    value: float | None
    peak_level: int
    peak_severity: Severity
    peak_value: float | None
    peak_window_min: int | None
    history: tuple[Update, ...]
    exercise: bool = False
    incident: str = ""
    reminded_us: int = 0
    all_clear: Clearance = ""

    @property
    def confirmation(self) -> Confirmation:
        """Whether the level in force is confirmed, by the latest update that says so."""
        return next((each.confirmation for each in reversed(self.history) if each.confirmation), "")

    @property
    def witness(self) -> str:
        """By whom, or why not, as in Event."""
        return next((each.witness for each in reversed(self.history) if each.confirmation), "")

    @property
    def in_force(self) -> bool:
        """Not ended."""
        return self.status == "in_force"

    @property
    def expires_us(self) -> int | None:
        """Who has not heard of it again by then takes it for outdated; None once it has ended."""
        return max(self.changed_us, self.reminded_us) + VALID_US if self.in_force else None


def fold(warning: Warning | None, event: Event) -> Warning | None:
    """The warning after one event; the same object when the event changes nothing.

    None stays None for an event that opens nothing (a clear of something never raised, a sensor event).
    What ended stays ended: whatever comes later for the same episode is not an episode's step any more.
    """
    if event.kind not in STEPS:
        return warning
    if warning is None:
        return None if event.kind == "clear" else opened(event)
    if not warning.in_force or any(update.event == event.id for update in warning.history):
        return warning
    return _stepped(warning, event)


def as_public(warning: Warning) -> Warning | None:
    """The warning as the public knows it, None when it knows nothing of it.

    Staff hear of every rise at once, the public of what witnesses or the rule left for it: its level may be
    the lower one, and its steps down and end are those from what it knows.
    """
    if warning.audience != "public":
        return None
    if all(update.audience is None for update in warning.history):
        # written before updates said whom they were for
        return warning
    seen: Warning | None = None
    told = {f"{update.event}.history" for update in warning.history if update.audience == "public"}
    for update in warning.history:
        falls = seen is not None and not update.rises and update.audience is None
        if update.audience == "public" or update.event in told or falls:
            event = _event(warning, update)
            seen = opened(event) if seen is None else _stepped(seen, event)
    if seen is None:
        return None
    folded = {name: getattr(seen, name) for name in _FOLDED}
    return replace(warning, **folded)


_FOLDED = (
    *("level", "severity", "status", "raised_us", "changed_us", "ended_us", "window_min", "value"),
    *("peak_level", "peak_severity", "peak_value", "peak_window_min", "history"),
)


def _event(warning: Warning, update: Update) -> Event:
    return Event(
        id=update.event,
        episode=warning.id,
        time_us=update.time_us,
        station=warning.station,
        kind=update.kind,
        measure=warning.measure,
        level=0 if update.kind == "clear" else update.level,
        window_min=update.window_min,
        value=update.value,
        rule=update.rule,
        reason=update.reason,
        audience=update.audience,
        reference=update.reference,
        severity=update.severity,
        confirmation=update.confirmation,
        witness=update.witness,
        exercise=warning.exercise,
        expected_min=update.expected_min,
        cause=update.cause,
    )


def opened(event: Event) -> Warning:
    """The warning that an event makes when nothing is known of its episode."""
    update = _update(event, event.level, _severity(event))
    return Warning(
        id=event.episode,
        station=event.station,
        measure=event.measure,
        level=event.level,
        severity=update.severity,
        status="in_force",
        audience=event.audience,
        raised_us=event.time_us,
        changed_us=event.time_us,
        ended_us=None,
        window_min=event.window_min,
        value=event.value,
        peak_level=event.level,
        peak_severity=update.severity,
        peak_value=event.value,
        peak_window_min=event.window_min,
        history=(update,),
        exercise=event.exercise,
        incident=event.incident,
    )


def _stepped(warning: Warning, event: Event) -> Warning:
    cleared = event.kind == "clear"
    if event.kind == "escalate" and event.level < warning.level:
        # the public hears of a lower level than staff
        return replace(
            warning,
            audience=_widest(warning.audience, event.audience),
            changed_us=event.time_us,
            history=(*warning.history, _update(event, event.level, _severity(event))),
        )
    level = warning.level if cleared else event.level
    update = _update(event, level, warning.severity if cleared else _severity(event))
    stepped = replace(
        warning,
        level=level,
        severity=update.severity,
        status="ended" if cleared else "in_force",
        audience=_widest(warning.audience, event.audience),
        changed_us=event.time_us,
        ended_us=event.time_us if cleared else None,
        window_min=event.window_min,
        value=event.value,
        history=(*warning.history, update),
        incident=event.incident or warning.incident,
    )
    if cleared or not _higher(event, warning):
        return stepped
    return replace(
        stepped,
        peak_level=level,
        peak_severity=update.severity,
        peak_value=event.value,
        peak_window_min=event.window_min,
    )


def _higher(event: Event, warning: Warning) -> bool:
    if event.level != warning.peak_level:
        return event.level > warning.peak_level
    # values of different windows do not compare
    return (
        event.window_min == warning.peak_window_min
        and event.value is not None
        and (warning.peak_value is None or event.value > warning.peak_value)
    )


def _widest(one: Audience | None, other: Audience | None) -> Audience | None:
    return "public" if "public" in (one, other) else one or other


def _severity(event: Event) -> Severity:
    """As stamped by the city's scale; by the shipped one for events from before there were stamps."""
    stamped = next((each for each in SEVERITIES if each == event.severity), None)
    return stamped or shipped_scale().severity(event.measure, event.level)


def _update(event: Event, level: int, severity: Severity) -> Update:
    return Update(
        event=event.id,
        kind=msgspec.convert(event.kind, Told),
        time_us=event.time_us,
        level=level,
        severity=severity,
        window_min=event.window_min,
        value=event.value,
        rule=event.rule,
        reason=event.reason,
        reference=event.reference,
        expected_min=event.expected_min,
        cause=event.cause,
        audience=event.audience,
        confirmation=event.confirmation,
        witness=event.witness,
    )
