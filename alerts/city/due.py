"""What the rules do about warnings of the city by now: propose, release, issue again, end.

Everything follows from what the journal holds and the time, so a restart goes on where it was and a replay
finds nothing to do.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from alerts.areas import Areas
from alerts.city.city_warning import CityWarning, Decided
from alerts.city.register import RENEWAL, RULE, Register
from alerts.city.release import Releases
from alerts.city.told import Told
from alerts.event import PREEMPTED, CityAction, CityStep, CityText, Severity
from alerts.scale import SEVERITIES, rank

EXERCISE_ENDED = "exercise ended"
"""How the reason begins with which a drill's warnings end."""

_MINUTE_US = 60_000_000
_RENEW_US = 30 * _MINUTE_US
_AWAITS_US = 24 * 60 * _MINUTE_US
"""So long a warning is issued again for an incident that only waits for its all-clear."""


@dataclass(frozen=True, slots=True)
class Due:
    """A step to take; `texts` None: to be written. `by`: the rule, or who decided about the incident."""

    warning: str
    incident: str
    action: CityAction
    severity: Severity
    areas: tuple[str, ...]
    valid_until_us: int
    by: str
    reason: str
    exercise: bool
    staff_only: bool
    texts: Mapping[str, CityText] | None = None
    template: str = ""


@dataclass(frozen=True, slots=True)
class Deskwork:
    """What the rules go by."""

    register: Register
    releases: Releases
    areas: Areas

    def due(self, now_us: int) -> list[Due]:
        """At most one step for each warning; ask again once they are taken."""
        steps = [step for each in self.register.open() if (step := self._of_warning(each, now_us))]
        for id_, told in self.register.told.items():
            if told.members and (step := self._of_incident(id_, told, now_us)):
                steps.append(step)
        return steps

    def stations(self, incident: str) -> tuple[str, ...]:
        """Stations that a warning of the incident rests on, the highest severity first."""
        told = self.register.told.get(incident)
        return told.stations(self._proposes) if told else ()

    def new_id(self, incident: str) -> str:
        """The id of the next warning of an incident."""
        many = len(self.register.of_incident(incident))
        return f"warning.{incident}" + (f"-{many + 1}" if many else "")

    def _of_warning(self, warning: CityWarning, now_us: int) -> Due | None:
        return (
            self._cleared(warning, now_us)
            or self._exercise_over(warning, now_us)
            or (self._undecided(warning, now_us) if not warning.in_force else None)
            or self._auto_all_clear(warning, now_us)
            or self._released(warning, now_us)
            or (self._renewed(warning, now_us) if warning.in_force else None)
            or self._wider(warning, now_us)
        )

    def _cleared(self, warning: CityWarning, now_us: int) -> Due | None:
        """A person has given the incident's all-clear since it was proposed."""
        incident = self.register.incidents.get(warning.incident)
        number, taken = self.register.cleared.get(warning.incident, (0, None))
        if incident is None or taken is None or not incident.all_clear:
            return None
        if number < self.register.first[warning.id]:
            return None
        action: CityAction = "all_clear" if warning.in_force else "decline"
        return _ended(warning, action, taken.by, taken.reason, now_us)

    def _exercise_over(self, warning: CityWarning, now_us: int) -> Due | None:
        if not warning.exercise:
            return None
        drill = next(
            (why for id_, why in self.register.drills.items() if warning.incident.startswith(id_)), ""
        )
        told = self.register.told.get(warning.incident)
        if told is not None and not told.members and told.ended.startswith(EXERCISE_ENDED):
            # a drill that a restart ended has no end of its own
            drill = drill or told.ended
        if drill:
            reason = PREEMPTED if drill == PREEMPTED else EXERCISE_ENDED
            return _ended(warning, "expire", f"{RULE}drill", reason, now_us)
        real = any(not each.exercise for each in self.register.open())
        if real and not warning.incident:
            return _ended(warning, "expire", f"{RULE}drill", PREEMPTED, now_us)
        return None

    def _undecided(self, warning: CityWarning, now_us: int) -> Due | None:
        if self._members(warning):
            return None
        by_rule = warning.steps[0].step.by.startswith(RULE)
        if not by_rule and now_us < warning.valid_until_us:
            return None
        reason = "nobody decided, and what it rested on has ended"
        return _ended(warning, "expire", f"{RULE}proposal", reason, now_us)

    def _auto_all_clear(self, warning: CityWarning, now_us: int) -> Due | None:
        incident = self.register.incidents.get(warning.incident)
        if not warning.in_force or incident is None or incident.live or self._members(warning):
            return None
        highest = max((each.severity for each in _said(warning)), key=rank)
        rule = self.releases.of(highest)
        if rule.all_clear != "auto":
            return None
        return _ended(warning, "all_clear", f"{RULE}{rule.id}", 'all_clear = "auto"', now_us)

    def _released(self, warning: CityWarning, now_us: int) -> Due | None:
        """What nobody has decided in time and a rule releases then."""
        run = _undecided_proposals(warning)
        auto = [each for each in run if self.releases.of(each.step.severity).auto_us is not None]
        if not any(self._overdue(each, now_us) for each in auto if each.step.by.startswith(RULE)):
            return None
        # a higher severity that a person must release does not hold back what a rule may
        chosen = auto[-1].step
        told = self.register.told.get(warning.incident)
        if told is None or told.severity is None or rank(told.severity) < rank(chosen.severity):
            return None
        rule = self.releases.of(chosen.severity)
        return Due(
            warning.id,
            warning.incident,
            "update" if warning.in_force else "release",
            chosen.severity,
            chosen.areas,
            max(chosen.valid_until_us, now_us + rule.valid_us),
            f"{RULE}{rule.id}",
            f"nobody decided within {rule.auto_after:g} min",
            warning.exercise,
            warning.staff_only,
            chosen.texts,
            chosen.template,
        )

    def _overdue(self, proposal: Decided, now_us: int) -> bool:
        after_us = self.releases.of(proposal.step.severity).auto_us
        return after_us is not None and now_us >= proposal.time_us + after_us

    def _renewed(self, warning: CityWarning, now_us: int) -> Due | None:
        """Issued again before it expires while its incident lives; else it expires."""
        rule = self.releases.of(warning.severity)
        left_us = warning.valid_until_us - now_us
        if self._lives(warning, now_us):
            if left_us > min(_RENEW_US, rule.valid_us // 3):
                return None
            said = _said(warning)[-1]
            return Due(
                warning.id,
                warning.incident,
                "update",
                warning.severity,
                warning.areas,
                now_us + rule.valid_us,
                RENEWAL,
                "issued again: what it warns of goes on",
                warning.exercise,
                warning.staff_only,
                said.texts,
                said.template,
            )
        if left_us > 0:
            return None
        return _ended(warning, "expire", f"{RULE}expiry", "its time is over, nobody renewed it", now_us)

    def _lives(self, warning: CityWarning, now_us: int) -> bool:
        incident = self.register.incidents.get(warning.incident)
        if incident is None:
            return False
        waits = incident.awaits and now_us - (incident.ended_us or incident.changed_us) < _AWAITS_US
        return bool(incident.live) or waits

    def _wider(self, warning: CityWarning, now_us: int) -> Due | None:
        """More serious or in more areas than anybody has seen or is asked about."""
        told = self.register.told.get(warning.incident)
        found = self._measured(told)
        if told is None or found is None:
            return None
        asked = warning.pending or _said_or_asked(warning)
        severity, areas = max(found[0], asked.severity, key=rank), self._joined(asked.areas, found[1])
        shown = [asked, *(each.step for each in _until_a_person(warning))]
        if warning.in_force:
            shown.append(_said(warning)[-1])
        again = rank(severity) > rank(asked.severity) and told.rose[severity] > self.register.last[warning.id]
        if not again and not self._beyond(found, shown):
            return None
        return self._proposal(warning.id, warning.incident, severity, areas, told, now_us)

    def _of_incident(self, incident: str, told: Told, now_us: int) -> Due | None:
        """A new warning, where none is open and none that a person decided about says as much."""
        found = self._measured(told)
        if found is None:
            return None
        before = self.register.of_incident(incident)
        if any(each.open for each in before):
            return None
        if before:
            last = before[-1]
            over = last.steps[-1].step.action in {"all_clear", "expire"}
            again = over and any(
                told.rose.get(each, 0) > self.register.last[last.id]
                for each in SEVERITIES
                if rank(each) <= rank(found[0]) and self._proposes(each)
            )
            if not again and not self._beyond(found, [each.step for each in last.steps]):
                return None
        return self._proposal(self.new_id(incident), incident, found[0], found[1], told, now_us)

    def _proposal(  # noqa: PLR0913, PLR0917 - what a proposal is made of
        self,
        id_: str,
        incident: str,
        severity: Severity,
        areas: tuple[str, ...],
        told: Told,
        now_us: int,
    ) -> Due:
        rule = self.releases.of(severity)
        names = ", ".join(told.stations(self._proposes)[:5])
        return Due(
            id_,
            incident,
            "propose",
            severity,
            areas,
            now_us + rule.valid_us,
            f"{RULE}{rule.id}",
            f"measured {severity}: {names}",
            told.exercise,
            told.exercise and not told.public,
        )

    def _measured(self, told: Told | None) -> tuple[Severity, tuple[str, ...]] | None:
        """Severity and areas of what the public was told of, as far as warnings are proposed of it."""
        severities = [each for _, each in told.members.values() if self._proposes(each)] if told else []
        if told is None or not severities:
            return None
        found = {area.id for station in told.stations(self._proposes) for area in self.areas.of(station)}
        return max(severities, key=rank), self._in_order(found)

    def _proposes(self, severity: Severity) -> bool:
        return self.releases.of(severity).proposes

    def _members(self, warning: CityWarning) -> bool:
        told = self.register.told.get(warning.incident)
        return told is not None and bool(told.members)

    def _joined(self, ones: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
        """Areas of both; no area is the whole city."""
        return self._in_order({*ones, *others}) if ones and others else ()

    def _in_order(self, ids: Iterable[str]) -> tuple[str, ...]:
        place = {area.id: number for number, area in enumerate(self.areas.areas)}
        return tuple(sorted(ids, key=lambda id_: (place.get(id_, len(place)), id_)))

    @staticmethod
    def _beyond(found: tuple[Severity, tuple[str, ...]], shown: Sequence[CityStep]) -> bool:
        severity, areas = found
        if rank(severity) > max(rank(each.severity) for each in shown):
            return True
        if not all(each.areas for each in shown):
            return False
        return not areas or not set(areas) <= {area for each in shown for area in each.areas}


def _said(warning: CityWarning) -> list[CityStep]:
    """What was in force, the latest last."""
    return [each.step for each in warning.steps if each.step.action in {"release", "update"}]


def _said_or_asked(warning: CityWarning) -> CityStep:
    return _said(warning)[-1] if warning.in_force else warning.steps[-1].step


def _undecided_proposals(warning: CityWarning) -> list[Decided]:
    """The proposals since the last decision, a person's changes of them too."""
    found: list[Decided] = []
    for each in reversed(warning.steps):
        if each.step.action != "propose":
            break
        found.append(each)
    return found[::-1]


def _until_a_person(warning: CityWarning) -> Iterator[Decided]:
    """The steps up to the last that a person took: they have seen what these say."""
    last = max((i for i, each in enumerate(warning.steps) if not each.step.by.startswith(RULE)), default=-1)
    yield from warning.steps[: last + 1]


def _ended(warning: CityWarning, action: CityAction, by: str, reason: str, now_us: int) -> Due:
    return Due(
        warning.id,
        warning.incident,
        action,
        warning.severity,
        warning.areas,
        now_us,
        by,
        reason,
        warning.exercise,
        warning.staff_only,
    )
