"""An incident: everything that happens in one catchment at one time, folded from the engine's events.

The engine, the board and the outbox fold the same events with the same code. An incident is what staff hear
of as one thing; its members are episodes, one for each gauge and measure.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from alerts.event import Audience, Confirmation, Event, Severity
from alerts.lifecycle import stamped
from alerts.scale import SEVERITIES, rank, shipped_scale

Status = Literal["open", "falling", "awaiting_all_clear", "closed"]
Clearance = Literal["", "pending", "given"]
SEVERE = rank("Severe")
"""From this rank on an incident ends with an all-clear."""

_STEPS = frozenset({"raise", "escalate", "step_down", "clear"})
_MOST_NOTICES = 20


class Member(msgspec.Struct):
    """One episode. Times µs since the epoch, UTC; `value` in the measure's unit; `told_us`: its last step or
    reminder. `audience`: the last that was told, None while nobody was."""  # noqa: D205, D209 - one thought

    episode: str
    station: str
    measure: str
    level: int
    severity: Severity
    window_min: int | None
    value: float | None
    since_us: int
    changed_us: int
    told_us: int
    rule: str
    reference: str = ""
    confirmation: Confirmation = ""
    audience: Audience | None = None
    in_force: bool = True


class Notice(msgspec.Struct):
    """A value that quality control did not believe and that would have warned."""

    station: str
    measure: str
    value: float | None
    time_us: int


class LostSensor(msgspec.Struct):
    """A sensor silent since `since_us` at a station with a warning in force, found at `found_us`."""

    station: str
    since_us: int
    found_us: int
    rule: str = ""


class Taken(msgspec.Struct):
    """A decision that was taken."""

    action: str
    by: str
    reason: str
    time_us: int


class Incident(msgspec.Struct):
    """One incident after the events folded so far; take() changes it in place.

    `live` and `severe`: how many members are in force, and how many of them Severe or above. `falling_us`:
    when "Werte fallen" was proposed and nothing has risen to Severe since. `all_clear`: given and nothing has
    risen to Severe since. `ended_us`: no member is in force since. `exercise`: of a drill, which needs no
    all-clear.
    """

    id: str
    catchment: str
    began_us: int
    changed_us: int
    peak: Severity | None = None
    live: int = 0
    severe: int = 0
    members: dict[str, Member] = msgspec.field(default_factory=dict)
    notices: list[Notice] = msgspec.field(default_factory=list)
    lost: dict[str, LostSensor] = msgspec.field(default_factory=dict)
    decisions: list[Taken] = msgspec.field(default_factory=list)
    exercise: bool = False
    falling_us: int | None = None
    proposals: int = 0
    all_clear: bool = False
    ended_us: int | None = None

    @property
    def status(self) -> Status:
        """Where it stands."""
        if self.live:
            return "open" if self.falling_us is None else "falling"
        return "awaiting_all_clear" if self.awaits else "closed"

    @property
    def awaits(self) -> bool:
        """Whether nothing is Severe any more, and the all-clear that it needs has not been given."""
        return (
            not self.exercise
            and self.peak is not None
            and rank(self.peak) >= SEVERE
            and not self.severe
            and not self.all_clear
        )

    @property
    def clearance(self) -> Clearance:
        """Whether the all-clear that it needs is still to be given; "" while it is too early, or none is."""
        if self.peak is None or rank(self.peak) < SEVERE:
            return ""
        return "given" if self.all_clear else "pending" if self.awaits else ""

    @property
    def in_force(self) -> list[Member]:
        """The members in force, the highest first, then the latest."""
        found = [each for each in self.members.values() if each.in_force]
        return sorted(found, key=lambda m: (-rank(m.severity), -m.changed_us, m.episode))

    @property
    def severity(self) -> Severity | None:
        """The highest in force."""
        return max((each.severity for each in self.members.values() if each.in_force), key=rank, default=None)

    def take(self, event: Event) -> None:  # noqa: C901 - one branch for each kind of event
        """Fold one event of this incident."""
        self.changed_us = max(self.changed_us, event.time_us)
        self.exercise |= event.exercise
        if event.kind in _STEPS:
            self._step(event)
        elif event.kind == "unverified":
            notice = Notice(event.station, event.measure, event.value, event.time_us)
            self.notices = [*self.notices[1 - _MOST_NOTICES :], notice]
            if not self.live:
                self.ended_us = max(self.ended_us or event.time_us, event.time_us)
        elif event.kind == "sensor_lost":
            since = silent_since(event)
            self.lost[event.episode] = LostSensor(event.station, since, event.time_us, event.rule)
        elif event.kind == "sensor_back":
            self.lost.pop(event.episode, None)
        elif event.kind == "falling":
            self.falling_us = event.time_us
            self.proposals += 1
        elif event.kind == "reminder":
            for member in self.members.values():
                if member.in_force:
                    member.told_us = max(member.told_us, event.time_us)
        elif event.kind == "decision":
            self.decisions.append(Taken(event.measure, event.by, event.reason, event.time_us))
            if event.measure == "all_clear":
                self.all_clear = True

    def _step(self, event: Event) -> None:
        known = self.members.get(event.episode)
        was = known is not None and known.in_force
        if known is not None and was and event.kind == "escalate" and event.level < known.level:
            # the public hears of a lower level than staff: nothing has changed
            known.confirmation, known.audience = event.confirmation, event.audience
            known.told_us = event.time_us
            return
        if known is not None and was:
            self.live -= 1
            self.severe -= rank(known.severity) >= SEVERE
        ends = event.kind == "clear"
        if known is None:
            if ends:
                return
            known = self.members[event.episode] = _member(event)
        known.confirmation = event.confirmation or known.confirmation
        known.audience = event.audience or known.audience
        # what the public is told of later, of a rise that staff know already, is no rise
        rises = event.kind in {"raise", "escalate"} and (not was or event.level > known.level)
        if was and event.kind == "escalate" and event.level < known.level:
            self.live += 1
            self.severe += rank(known.severity) >= SEVERE
            return
        known.in_force = not ends
        known.value, known.window_min = event.value, event.window_min
        known.changed_us = known.told_us = event.time_us
        if not ends:
            known.level, known.severity = event.level, severity(event)
            known.reference = event.reference
            self.live += 1
            self.severe += rank(known.severity) >= SEVERE
            if self.peak is None or rank(known.severity) > rank(self.peak):
                self.peak = known.severity
            if rises and rank(known.severity) >= SEVERE:
                self.falling_us, self.all_clear = None, False
        elif self.lost and not any(
            each.in_force for each in self.members.values() if each.station == event.station
        ):
            self.lost = {key: each for key, each in self.lost.items() if each.station != event.station}
        self.ended_us = None if self.live else event.time_us


def severity(event: Event) -> Severity:
    """Severity of an event, by the city's scale where it was judged by one."""
    return next((each for each in SEVERITIES if each == event.severity), None) or (
        shipped_scale().severity(event.measure, event.level)
    )


def silent_since(event: Event) -> int:
    """Since when (µs) a lost sensor is silent: its episode carries the stamp of its last reading."""
    return stamped(event.episode.rpartition(".")[2]) or event.time_us


def fold(incidents: dict[str, Incident], events: Iterable[Event]) -> Iterator[Incident]:
    """Fold events into incidents by id; yields the incident each event belongs to, as it is after it."""
    for event in events:
        if not event.incident or event.kind == "city":
            # what the city says of an incident is no part of what happens
            continue
        incident = incidents.get(event.incident)
        if incident is None:
            if event.kind == "crossing":
                continue
            incident = incidents[event.incident] = begun(event.incident, event.time_us)
        incident.take(event)
        yield incident


def begun(id_: str, time_us: int) -> Incident:
    """An incident before its first event."""
    return Incident(id_, catchment_of(id_), time_us, time_us)


def catchment_of(id_: str) -> str:
    """The catchment in an incident's id; before it a drill's id may stand."""
    return id_.rpartition(".")[0].rpartition(".")[2]


def _member(event: Event) -> Member:
    return Member(
        episode=event.episode,
        station=event.station,
        measure=event.measure,
        level=event.level,
        severity=severity(event),
        window_min=event.window_min,
        value=event.value,
        since_us=event.time_us,
        changed_us=event.time_us,
        told_us=event.time_us,
        rule=event.rule,
    )
