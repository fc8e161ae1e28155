"""What the public has been told about each incident: what a warning of the city is proposed from."""

from collections.abc import Callable
from dataclasses import dataclass, field

from alerts.event import RELEASED_DRILL, Event, Severity
from alerts.incidents.incident import severity
from alerts.scale import SEVERITIES, rank

_RISES = frozenset({"raise", "escalate"})


@dataclass(slots=True)
class Told:
    """Of one incident, station and severity of each notice in force that people were told of.

    `rose`: the number of the event with which the highest of them last rose to a severity or above. A drill
    that nobody released to the public is counted by what staff hear: `public` is False then.
    """

    exercise: bool
    public: bool
    members: dict[str, tuple[str, Severity]] = field(default_factory=dict)
    rose: dict[Severity, int] = field(default_factory=dict)
    ended: str = ""

    @property
    def severity(self) -> Severity | None:
        """The highest in force."""
        return max((each for _, each in self.members.values()), key=rank, default=None)

    def stations(self, counts: Callable[[Severity], bool]) -> tuple[str, ...]:
        """Stations with a notice of a severity that counts, the highest first."""
        found: dict[str, Severity] = {}
        for station, each in self.members.values():
            if counts(each) and (station not in found or rank(each) > rank(found[station])):
                found[station] = each
        return tuple(sorted(found, key=lambda station: (-rank(found[station]), station)))

    def take(self, event: Event, number: int) -> None:
        """Fold one event of the incident."""
        before = self.severity
        if event.kind in _RISES and self._heard(event):
            self.members[event.episode] = event.station, severity(event)
        elif event.kind == "step_down" and event.episode in self.members:
            station, was = self.members[event.episode]
            self.members[event.episode] = station, min(was, severity(event), key=rank)
        elif event.kind == "clear" and self.members.pop(event.episode, None) is not None:
            self.ended = event.reason
        after = self.severity
        low = -1 if before is None else rank(before)
        high = -1 if after is None else rank(after)
        self.rose |= {each: number for each in SEVERITIES if low < rank(each) <= high}

    def _heard(self, event: Event) -> bool:
        return event.audience == "public" or (not self.public and event.audience is not None)


def fold(told: dict[str, Told], event: Event, number: int) -> None:
    """Fold the event of a number into what has been told, by incident."""
    if not event.incident or event.city is not None:
        return
    known = told.get(event.incident)
    if known is None:
        public = not event.exercise or event.reason.startswith(RELEASED_DRILL)
        known = told[event.incident] = Told(event.exercise, public)
    known.take(event, number)
