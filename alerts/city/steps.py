"""Steps of warnings as events of the journal: of what a person orders, and of what a rule does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from alerts.areas import Areas
from alerts.city import plain_words
from alerts.city.city_warning import CityWarning, Decided, fold
from alerts.city.due import Deskwork, Due
from alerts.city.order import Order, OrderRefusedError
from alerts.city.register import RENEWAL, RULE, Register
from alerts.city.release import SEVERE, Releases
from alerts.city.situation import Situation, Writer, Written
from alerts.event import CityAction, CityStep, CityText, Event, Severity
from alerts.lifecycle import stamp

TWICE_US = 60_000_000
"""The same order of the same person so soon again is a second click."""

_MINUTE_US = 60_000_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Steps:
    """Makes events; changes nothing. `write` makes texts; where it fails there are plain ones."""

    register: Register
    desk: Deskwork
    releases: Releases
    areas: Areas
    write: Writer

    def of_order(self, order: Order) -> Event:
        """The step that an order makes. Raises OrderRefusedError."""
        return self._stepped(order) if order.warning else self._opened(order)

    def draft(self, order: Order) -> Written:
        """The texts that a warning would be proposed with. Raises OrderRefusedError."""
        incident = self.register.incidents.get(order.incident)
        if order.incident and incident is None:
            raise _no_incident(order.incident)
        severity = order.severity or "Severe"
        situation = self._situation(
            severity,
            self._ordered(order.areas or ()),
            order.time_us + self._valid_us(order, severity),
            order.time_us,
            order.incident,
            exercise=incident is not None and incident.exercise,
        )
        return self._written(situation, "propose")

    def clicked_twice(self, order: Order) -> CityWarning | None:
        """The warning that the same order made a moment ago."""
        if order.warning:
            candidates = [self.register.warnings.get(order.warning)]
        else:
            candidates = [each for each in self.register.warnings.values() if len(each.steps) == 1]
        for warning in candidates:
            if warning is None:
                continue
            # a rule may have proposed an update since, which a second click must not release
            taken = [number for number, each in enumerate(warning.steps, 1) if not _by_rule(each)]
            if not taken or (order.seen is not None and order.seen >= taken[-1]):
                continue
            last = warning.steps[taken[-1] - 1]
            if abs(order.time_us - last.time_us) > TWICE_US:
                continue
            said = last.step
            until_us = order.time_us + self._valid_us(order, said.severity)
            if (
                (said.action, said.by, said.reason) == (order.action, order.by, order.reason)
                and order.severity in {None, said.severity}
                and (order.areas is None or set(order.areas) == set(said.areas))
                and (order.texts is None or dict(order.texts) == dict(said.texts))
                and (order.valid_min is None or abs(until_us - said.valid_until_us) <= TWICE_US)
                and (
                    order.warning or (order.incident, order.exercise) == (warning.incident, warning.exercise)
                )
            ):
                return warning
        return None

    def _opened(self, order: Order) -> Event:
        """A warning by hand."""
        if order.action not in {"propose", "release"}:
            raise OrderRefusedError("faulty", f"{order.action} needs the id of a warning")
        if order.severity is None:
            raise OrderRefusedError("faulty", "severity is missing")
        exercise = order.exercise
        staff_only = exercise
        if order.incident:
            incident = self.register.incidents.get(order.incident)
            if incident is None:
                raise _no_incident(order.incident)
            if exercise and not incident.exercise:
                raise OrderRefusedError("faulty", "a real incident has no exercise warnings: leave it out")
            exercise = incident.exercise
            told = self.register.told.get(order.incident)
            staff_only = exercise and (told is None or not told.public)
            open_ = next((each for each in self.register.of_incident(order.incident) if each.open), None)
            if open_ is not None:
                raise OrderRefusedError("not_now", f"{open_.id} of this incident is open: change that one")
        id_ = self.desk.new_id(order.incident) if order.incident else self._hand_id(order.time_us)
        areas = self._ordered(order.areas or ())
        until = order.time_us + self._valid_us(order, order.severity)
        texts, template = self._texts_of(order, order.severity, areas, until, order.incident, exercise)
        step = CityStep(order.action, order.severity, areas, texts, until, order.by, order.reason, template)
        return _event(id_, 1, order.incident, order.time_us, step, exercise=exercise, staff_only=staff_only)

    def _stepped(self, order: Order) -> Event:
        warning = self.register.warnings.get(order.warning)
        if warning is None:
            raise OrderRefusedError("unknown", f"there is no warning {order.warning[:100]!r}")
        _refuse_unread(warning, order)
        base = _base(warning, order.action)
        # an end is of what there was: what it says beside that nobody has been told
        ends = order.action in {"decline", "all_clear", "cancel"}
        severity = base.severity if ends else order.severity or base.severity
        areas = base.areas if ends or order.areas is None else self._ordered(order.areas)
        until = self._until(order, base, severity)
        same = (severity, areas) == (base.severity, base.areas)
        # what a template says holds until when; a person's own words are theirs
        same = same and (until == base.valid_until_us or not base.template)
        texts: Mapping[str, CityText] = {}
        template = ""
        if order.action == "decline":
            pass
        elif order.texts is None and same and order.action not in {"all_clear", "cancel"}:
            texts, template = base.texts, base.template
        else:
            texts, template = self._texts_of(
                order, severity, areas, until, warning.incident, warning.exercise, base
            )
        step = CityStep(order.action, severity, areas, texts, until, order.by, order.reason, template)
        number = len(warning.steps) + 1
        event = _event(
            warning.id,
            number,
            warning.incident,
            max(order.time_us, warning.changed_us),
            step,
            exercise=warning.exercise,
            staff_only=warning.staff_only,
        )
        again = order.action == "release" and warning.in_force and warning.pending is None
        if again or fold(warning, event) is warning:
            raise OrderRefusedError("not_now", _why_not(warning, order.action))
        if order.action == "all_clear":
            self._refuse_while_severe(warning)
        return event

    def _refuse_while_severe(self, warning: CityWarning) -> None:
        """As for the incident's all-clear: not while a gauge that reports says the opposite."""
        told = self.register.told.get(warning.incident)
        incident = self.register.incidents.get(warning.incident)
        if told is None or incident is None:
            return
        lost = {each.station for each in incident.lost.values()}
        high = [station for station, each in told.members.values() if each in SEVERE and station not in lost]
        if high:
            names = ", ".join(high[:5])
            text = f"still Severe or above at {names}: wait until values fall; cancel it if it is wrong"
            raise OrderRefusedError("not_now", text)

    def _until(self, order: Order, base: CityStep, severity: Severity) -> int:
        if order.action in {"decline", "all_clear", "cancel"}:
            return order.time_us
        if order.valid_min is None and severity == base.severity:
            left = base.valid_until_us - order.time_us
            if left >= self.releases.of(severity).valid_us // 2:
                return base.valid_until_us
        return order.time_us + self._valid_us(order, severity)

    def _valid_us(self, order: Order, severity: Severity) -> int:
        if order.valid_min is not None:
            return round(order.valid_min * _MINUTE_US)
        return self.releases.of(severity).valid_us

    def _texts_of(  # noqa: PLR0913, PLR0917 - what a text is made from
        self,
        order: Order,
        severity: Severity,
        areas: tuple[str, ...],
        until_us: int,
        incident: str,
        exercise: bool,
        base: CityStep | None = None,
    ) -> tuple[Mapping[str, CityText], str]:
        """The order's own texts, else the template's; with the template's name where they come from it."""
        if order.texts is not None:
            untouched = base is not None and dict(order.texts) == dict(base.texts)
            return dict(order.texts), base.template if base is not None and untouched else ""
        situation = self._situation(
            severity,
            areas,
            until_us,
            order.time_us,
            incident,
            exercise=exercise,
            reason=order.reason,
            by="" if order.action == "propose" else order.by,
            before=base if order.action == "update" else None,
        )
        written = self._written(situation, order.action)
        return written.texts, written.template

    def _ordered(self, areas: Sequence[str]) -> tuple[str, ...]:
        return tuple(area.id for area in self.areas.areas if area.id in set(areas))

    def _hand_id(self, time_us: int) -> str:
        id_ = f"warning.{stamp(time_us)}-{time_us % 1_000_000:06d}"
        same = sum(each == id_ or each.startswith(f"{id_}-") for each in self.register.warnings)
        return id_ + (f"-{same + 1}" if same else "")

    def of_due(self, due: Due, now_us: int) -> Event:
        """The step that a rule takes."""
        warning = self.register.warnings.get(due.warning)
        time_us = max(now_us, warning.changed_us) if warning is not None else now_us
        texts, template = due.texts, due.template
        if due.action == "decline":
            texts = {}
        elif texts is None or template:
            # what a template says is of now, until when it holds above all; a person's own words are theirs
            situation = self._situation(
                due.severity,
                due.areas,
                due.valid_until_us,
                time_us,
                due.incident,
                exercise=due.exercise,
                reason=due.reason,
                by=due.by,
                before=_base(warning, "update") if warning is not None and warning.in_force else None,
            )
            written = self._written(situation, due.action)
            texts, template = written.texts, written.template
        step = CityStep(
            due.action, due.severity, due.areas, texts, due.valid_until_us, due.by, due.reason, template
        )
        number = len(warning.steps) + 1 if warning is not None else 1
        return _event(
            due.warning,
            number,
            due.incident,
            time_us,
            step,
            exercise=due.exercise,
            staff_only=due.staff_only,
        )

    def _situation(  # noqa: PLR0913 - what a situation is
        self,
        severity: Severity,
        areas: tuple[str, ...],
        until_us: int,
        time_us: int,
        incident: str,
        *,
        exercise: bool,
        reason: str = "",
        by: str = "",
        before: CityStep | None = None,
    ) -> Situation:
        return Situation(
            time_us,
            severity,
            areas,
            until_us,
            self.register.copy_of(incident) if incident else None,
            self.desk.stations(incident),
            exercise,
            reason,
            "" if by.startswith(RULE) else by,
            before,
        )

    def _written(self, situation: Situation, action: CityAction) -> Written:
        try:
            return self.write(situation, action)
        except Exception:  # noqa: BLE001 - a template's fault must not keep a warning back
            _log.exception("city_text_failed", action=action)
            return plain_words.write(situation, action)


def _base(warning: CityWarning, action: CityAction) -> CityStep:
    """What an order changes: a pending update where it decides about that, else what stands."""
    if warning.pending is not None and action in {"release", "decline", "propose"}:
        return warning.pending
    said: Sequence[Decided] = [
        each for each in warning.steps if each.step.action in {"propose", "release", "update"}
    ]
    if warning.released_us is not None:
        said = [each for each in said if each.step.action != "propose"]
    return said[-1].step


def _refuse_unread(warning: CityWarning, order: Order) -> None:
    """Nobody decides about what he has not read; ending what is in force is never too late."""
    if order.seen is None or order.action in {"all_clear", "cancel"}:
        return
    for each in warning.steps[max(order.seen, 0) :]:
        if each.step.by != RENEWAL:
            text = (
                f"{each.step.action} by {each.step.by} came in between ({each.step.severity}): read it first"
            )
            raise OrderRefusedError("not_now", f"{order.action}: {text}")


def _by_rule(decided: Decided) -> bool:
    return decided.step.by.startswith(RULE)


def _why_not(warning: CityWarning, action: str) -> str:
    last = warning.steps[-1].step
    if warning.status == "proposed":
        return f"{action}: {warning.id} is only proposed: release or decline it"
    if warning.in_force and action == "release":
        by = next(each.step.by for each in warning.steps if each.step.action == "release")
        return f"{action}: {warning.id} was released by {by}: update or end it"
    if warning.in_force:
        return f"{action}: {warning.id} is in force and no update of it is proposed: update or end it"
    said = {"decline": "declined", "all_clear": "called off", "cancel": "cancelled", "expire": "expired"}
    return f"{action}: {warning.id} is over, {said[last.action]} by {last.by}: {last.reason}"


def _event(  # noqa: PLR0913 - what an event is made of
    warning: str,
    number: int,
    incident: str,
    time_us: int,
    step: CityStep,
    *,
    exercise: bool,
    staff_only: bool,
) -> Event:
    return Event(
        id=f"{warning}.{number}.{step.action}",
        episode=warning,
        time_us=time_us,
        station="",
        kind="city",
        measure="",
        level=0,
        window_min=None,
        value=None,
        rule="",
        reason=step.reason,
        audience="staff" if staff_only else None,
        severity=step.severity,
        incident=incident,
        exercise=exercise,
        by=step.by,
        city=step,
    )


def _no_incident(incident: str) -> OrderRefusedError:
    return OrderRefusedError("unknown", f"there is no incident {incident[:100]!r}")
