"""A warning of the city: what a person releases, edits, declines and calls off.

It is never a measurement notice (see warning.py): a notice says what a gauge measured, a warning says what
the city tells its people, in whose name and until when. Both are folded from the journal's events.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from alerts.event import CityAction, CityStep, CityText, Event, Severity

Status = Literal["proposed", "in_force", "declined", "ended"]


@dataclass(frozen=True, slots=True)
class Decided:
    """One step of a warning: its event in the journal, when it was taken (µs since the epoch, UTC)."""

    event: str
    time_us: int
    step: CityStep


@dataclass(frozen=True, slots=True)
class CityWarning:
    """One warning as it stands. `released_us`: when it was first released, None before. `ended_us`: of its
    all-clear, cancellation or expiry. `incident` "" where somebody raised it by hand. `pending`: an update
    that is proposed while it is in force; the rest is what is in force. `staff_only`: an exercise that only
    staff hear of."""  # noqa: D205, D209 - one thought

    id: str
    incident: str
    status: Status
    severity: Severity
    areas: tuple[str, ...]
    texts: Mapping[str, CityText]
    valid_until_us: int
    proposed_us: int
    released_us: int | None
    ended_us: int | None
    exercise: bool
    steps: tuple[Decided, ...]
    pending: CityStep | None = None
    staff_only: bool = False

    @property
    def public(self) -> bool:
        """Whether the public has been told of it, and so must be told of its end."""
        return self.released_us is not None and not self.staff_only

    @property
    def in_force(self) -> bool:
        """Released and not ended."""
        return self.status == "in_force"

    @property
    def open(self) -> bool:
        """Proposed or in force."""
        return self.status in {"proposed", "in_force"}

    @property
    def changed_us(self) -> int:
        """When its last step was taken."""
        return self.steps[-1].time_us


_MAY: Mapping[Status, frozenset[CityAction]] = {
    "proposed": frozenset({"propose", "release", "decline", "expire"}),
    "in_force": frozenset({"propose", "release", "update", "decline", "all_clear", "cancel", "expire"}),
    "declined": frozenset(),
    "ended": frozenset(),
}
_ENDS: Mapping[CityAction, Status] = {
    "decline": "declined",
    "all_clear": "ended",
    "cancel": "ended",
    "expire": "ended",
}


def fold(warning: CityWarning | None, event: Event) -> CityWarning | None:
    """The warning after one event; the same object when the event changes nothing.

    What ended or was declined stays so; an all-clear or a cancellation of what was never released is nothing.
    Of what is in force a `propose` proposes an update, which changes nothing in force until it is released,
    and a `decline` declines that update only. A proposal that nobody decided expires and was never public.
    """
    step = event.city
    if step is None:
        return warning
    if warning is None:
        return _opened(event, step) if step.action in {"propose", "release"} else None
    idle = warning.in_force and step.action == "decline" and warning.pending is None
    known = any(each.event == event.id for each in warning.steps)
    if idle or known or step.action not in _MAY[warning.status]:
        return warning
    stepped = replace(warning, steps=(*warning.steps, Decided(event.id, event.time_us, step)))
    if warning.in_force and step.action in {"propose", "decline"}:
        return replace(stepped, pending=step if step.action == "propose" else None)
    if step.action in _ENDS:
        return replace(
            stepped,
            status=_ENDS[step.action],
            ended_us=event.time_us,
            texts=step.texts or stepped.texts,
            pending=None,
        )
    released = warning.released_us
    if released is None and step.action == "release":
        released = event.time_us
    return replace(
        stepped,
        status="proposed" if released is None else "in_force",
        severity=step.severity,
        areas=step.areas,
        texts=step.texts,
        valid_until_us=step.valid_until_us,
        released_us=released,
        pending=None,
    )


def _opened(event: Event, step: CityStep) -> CityWarning:
    released = step.action == "release"
    return CityWarning(
        id=event.episode,
        incident=event.incident,
        status="in_force" if released else "proposed",
        severity=step.severity,
        areas=step.areas,
        texts=step.texts,
        valid_until_us=step.valid_until_us,
        proposed_us=event.time_us,
        released_us=event.time_us if released else None,
        ended_us=None,
        exercise=event.exercise,
        steps=(Decided(event.id, event.time_us, step),),
        staff_only=event.exercise and event.audience == "staff",
    )
