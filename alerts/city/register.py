"""What the city office knows, folded from the journal's events alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from alerts.city.city_warning import CityWarning, Decided, fold
from alerts.city.release import SHIPPED
from alerts.city.told import Told
from alerts.city.told import fold as fold_told
from alerts.event import Event
from alerts.incidents.incident import Incident, Taken
from alerts.incidents.incident import fold as fold_incidents

RULE = "rule "
"""How `by` of a step begins that no person took."""
RENEWAL = f"{RULE}renewal"
"""Who issues again what goes on as it was."""
DEFAULTS = frozenset({*(each.id for each in SHIPPED), "renewal", "proposal", "expiry", "drill"})
"""Rules that no city wrote: what happens when its rules file says nothing else."""
_TOLD = frozenset({"release", "update", "all_clear", "cancel", "expire"})
_FORGET_US = 48 * 3_600_000_000


def rule_of(by: str) -> str:
    """The id of the rule that took a step, "" where a person did."""
    return by.removeprefix(RULE) if by.startswith(RULE) else ""


def signed_by(steps: Sequence[Decided]) -> str:
    """Who stands for what the public was told last: of a renewal who decided what goes on, of an end who gave
    it; a rule where no person did."""  # noqa: D205, D209 - one thought
    told = [each.step for each in steps if each.step.action in _TOLD and each.step.by != RENEWAL]
    return told[-1].by if told else steps[-1].step.by


@dataclass(slots=True)
class Register:
    """Warnings by id, incidents and what people were told of them; `last`: the number of each warning's last
    event, `first` of its first. `cleared`: of each incident the last all-clear that a person gave, with its
    number. `drills`: why each drill that is over has ended, by the beginning of its ids."""  # noqa: D205, D209 - one thought

    warnings: dict[str, CityWarning] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    cleared: dict[str, tuple[int, Taken]] = field(default_factory=dict)
    drills: dict[str, str] = field(default_factory=dict)

    def take(self, number: int, event: Event) -> CityWarning | None:
        """Fold the event of a number; the warning that it changed."""
        if event.city is not None:
            return self._step(number, event)
        if event.exercise and not event.incident and event.kind == "clear":
            self.drills[f"{event.episode}."] = event.reason
        fold_told(self.told, event, number)
        for _ in fold_incidents(self.incidents, [event]):
            pass
        if event.kind == "decision" and event.measure == "all_clear" and not event.by.startswith(RULE):
            taken = Taken(event.measure, event.by, event.reason, event.time_us)
            self.cleared[event.incident] = number, taken
        return None

    def _step(self, number: int, event: Event) -> CityWarning | None:
        before = self.warnings.get(event.episode)
        after = fold(before, event)
        if after is None or after is before:
            return None
        self.warnings[after.id] = after
        self.first.setdefault(after.id, number)
        self.last[after.id] = number
        return after

    def open(self) -> list[CityWarning]:
        """Proposed and in force."""
        return [each for each in self.warnings.values() if each.open]

    def of_incident(self, incident: str) -> list[CityWarning]:
        """Its warnings, the oldest first."""
        found = [each for each in self.warnings.values() if each.incident == incident]
        return sorted(found, key=lambda each: self.first[each.id])

    def copy_of(self, incident: str) -> Incident | None:
        """One incident as it stands, to be handed out."""
        found = self.incidents.get(incident)
        return found and msgspec.convert(msgspec.to_builtins(found), Incident)

    def forget(self, now_us: int) -> None:
        """Leave out what was over two days ago."""
        old = now_us - _FORGET_US
        busy = {each.incident for each in self.warnings.values() if each.open or each.changed_us >= old}
        for id_ in [id_ for id_, each in self.incidents.items() if self._over(each, old) and id_ not in busy]:
            self.incidents.pop(id_)
            self.told.pop(id_, None)
            self.cleared.pop(id_, None)
        for each in list(self._gone(old)):
            del self.warnings[each.id], self.first[each.id], self.last[each.id]

    @staticmethod
    def _over(incident: Incident, old_us: int) -> bool:
        return incident.status == "closed" and incident.changed_us < old_us

    def _gone(self, old_us: int) -> Iterator[CityWarning]:
        for each in self.warnings.values():
            # an incident must know which warnings of it there were
            if not each.open and each.changed_us < old_us and each.incident not in self.incidents:
                yield each
