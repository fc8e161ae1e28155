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
    """One warning as it stands. `released_us`: when the public first heard, None before. `ended_us`: of its
    all-clear, cancellation or expiry. `incident` "" where somebody raised it by hand."""  # noqa: D205, D209 - one thought

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

    @property
    def public(self) -> bool:
        """Whether the public has been told of it, and so must be told of its end."""
        return self.released_us is not None

    @property
    def in_force(self) -> bool:
        """Released and not ended."""
        return self.status == "in_force"


_MAY: Mapping[Status, frozenset[CityAction]] = {
    "proposed": frozenset({"propose", "release", "decline"}),
    "in_force": frozenset({"release", "update", "all_clear", "cancel", "expire"}),
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
    """
    step = event.city
    if step is None:
        return warning
    if warning is None:
        return _opened(event, step) if step.action in {"propose", "release"} else None
    if step.action not in _MAY[warning.status] or any(each.event == event.id for each in warning.steps):
        return warning
    stepped = replace(warning, steps=(*warning.steps, Decided(event.id, event.time_us, step)))
    if step.action in _ENDS:
        return replace(
            stepped,
            status=_ENDS[step.action],
            ended_us=event.time_us,
            texts=step.texts or stepped.texts,
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
    )
