"""Which staff channels are told of an event, at once, later or not: routes, silences, quiet hours.

Without routes, silences and quiet hours every channel is told by its own audience and least level. What is
decided here is written down with the deliveries, in the same transaction as the outbox's position: whom to
call later, what is held back and why. A restart neither repeats nor forgets it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from zoneinfo import ZoneInfo

import structlog

from alerts.areas import Areas
from alerts.catchments import Catchments
from alerts.city.city_warning import CityWarning
from alerts.city.register import RENEWAL
from alerts.delivery.channels import Channel
from alerts.delivery.deliveries import Deliveries
from alerts.delivery.delivery import Entry
from alerts.delivery.grouping import EASES, REPEATS
from alerts.delivery.holds import ESCALATION, Answer, Hold
from alerts.event import Event, Severity
from alerts.incidents.incident import Incident, catchment_of
from alerts.routing.matter import Matter, kind_of
from alerts.routing.rota import from_us
from alerts.routing.routes import Inhibit, Routes
from alerts.routing.silences import Silences
from alerts.scale import rank
from alerts.warning import Warning  # noqa: A004 - the field's word, see there

NOT_ROUTED = "no route leads here"
LATER = "called when nobody has acknowledged"
UNTOLD = "it ends what was not told here"
_RULE = "rule "
_MIN_US = 60_000_000
_SEVERE = rank("Severe")
_CALLING = frozenset({"raise", "escalate", "unverified", "sensor_lost"})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stations are, to people."""

    areas: Areas = field(default_factory=Areas)
    catchments: Catchments = field(default_factory=Catchments)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Berlin"))


@dataclass(slots=True)
class _Known:
    """What the file and this page know of the groups: who was told, up to which rank others are called."""

    told: dict[str, set[str]]
    called: dict[str, int]


class Dispatch:
    """Decides about the entries of one page of events. `channels`: those of the outbox."""

    def __init__(
        self,
        channels: Sequence[Channel],
        clock: Callable[[], int],
        *,
        routes: Routes | None = None,
        silences: Silences | None = None,
        place: Place | None = None,
    ) -> None:
        self._staff = {each.name: each for each in channels if each.by_incident}
        self._quiet = any(each.quiet for each in self._staff.values())
        self._clock = clock
        self._routes = routes
        self._silences = silences
        self._place = place or Place()

    def decide(
        self, entries: Sequence[Entry], incidents: Mapping[str, Incident], deliveries: Deliveries
    ) -> list[Entry]:
        """The entries as they are to be kept; `incidents` as they are after the page."""
        if not (self._routes or self._silences or self._quiet):
            return list(entries)
        groups = {_group(entry) for entry in entries}
        known = _Known(deliveries.told(groups), deliveries.called(groups))
        found: list[Entry] = []
        # the entries of one event stand together
        for _, same in groupby(entries, key=lambda entry: entry.new.event):
            each = list(same)
            staff = [entry for entry in each if entry.channel in self._staff]
            found += [entry for entry in each if entry.channel not in self._staff]
            if not staff:
                continue
            decided = list(self._event(staff, incidents, known))
            told = {entry.channel for entry in decided if _told(entry)}
            known.told.setdefault(_group(staff[0]), set()).update(told)
            found += decided
        return found

    def _event(
        self, entries: Sequence[Entry], incidents: Mapping[str, Incident], known: _Known
    ) -> Iterator[Entry]:
        first = entries[0]
        incident = incidents.get(first.new.warning.incident)
        entries = [self._deafened(entry) for entry in entries]
        if self._routes is not None:
            entries = self._routed(self._routes, entries, incident, known)
        silenced = self._silenced(first, incident)
        heard, ends = known.told.get(_group(first), set()), _ends(first)
        for entry in entries:
            if entry.deaf:
                yield entry
            elif ends and entry.channel not in heard:
                yield replace(entry, deaf=UNTOLD)
            elif silenced is not None and not ends:
                yield self._hushed(entry, silenced)
            elif entry.hold is not None:
                yield entry
            else:
                yield self._quieted(entry, incident)

    def _deafened(self, entry: Entry) -> Entry:
        warning = entry.new.warning
        if entry.deaf or entry.weight is not None or isinstance(warning, CityWarning):
            return entry
        return replace(entry, deaf=self._staff[entry.channel].deaf_to(warning))

    def _routed(
        self, routes: Routes, entries: Sequence[Entry], incident: Incident | None, known: _Known
    ) -> list[Entry]:
        first, now = entries[0], self._clock()
        heard = known.told.get(_group(first), set())
        if _ends(first):
            return list(entries)
        if muted := _muted(routes.inhibit, first, incident):
            return [entry if entry.deaf else replace(entry, deaf=muted) for entry in entries]
        turns = routes.turns(self._matter(first, incident), now)
        after = {call.channel: (turn.after_min, call.whom) for turn in turns for call in turn.calls}
        hearing = [
            entry
            for entry in entries
            if not entry.deaf and (entry.channel in heard or after.get(entry.channel, (1, ""))[0] == 0)
        ]
        if not hearing:
            # nobody at all: better everybody than nobody
            with suppress(OSError, ValueError):
                _log.warning("no_route_to_anybody", event_id=first.new.event)
            return list(entries)
        calls = self._calls(first, known)
        names = {entry.channel for entry in hearing}
        found: list[Entry] = []
        for entry in entries:
            if entry.deaf or entry.channel in names:
                found.append(entry)
            elif entry.channel not in after:
                found.append(replace(entry, deaf=NOT_ROUTED))
            elif not calls:
                found.append(replace(entry, deaf=LATER))
            else:
                minutes, whom = after[entry.channel]
                detail = f"{whom} is called {minutes:g} min after the event unless somebody acknowledges"
                hold = Hold(ESCALATION, now + round(minutes * _MIN_US), detail)
                found.append(replace(entry, hold=hold))
                raised = first.weight.rank if first.weight else 0
                known.called[_group(first)] = max(known.called.get(_group(first), -1), raised)
        return found

    def _calls(self, entry: Entry, known: _Known) -> bool:
        """Whether somebody has to answer to it: a rise above what others are called for, a proposal."""
        warning, weight = entry.new.warning, entry.weight
        if isinstance(warning, CityWarning):
            step = warning.steps[-1].step
            # that it goes on as it was is nothing to answer to
            by_rule = step.action in {"release", "update"} and step.by.startswith(_RULE)
            return step.action == "propose" or (by_rule and step.by != RENEWAL)
        if weight is None:
            # nobody can acknowledge what belongs to no incident
            return False
        return entry.new.kind in _CALLING and weight.rank > known.called.get(weight.incident, -1)

    def _matter(self, entry: Entry, incident: Incident | None) -> Matter:
        warning = entry.new.warning
        if isinstance(warning, CityWarning):
            severity = max((each.step.severity for each in warning.steps), key=rank)
            catchment = catchment_of(warning.incident) if warning.incident else None
            return Matter("city", severity, frozenset(warning.areas) or None, catchment)
        station = warning.station
        catchment = incident.catchment if incident else self._place.catchments.of(station).id
        if any(each.id == station for each in self._place.catchments.catchments):
            catchment = station  # blind and sighted are about a catchment
        areas = frozenset(each.id for each in self._place.areas.of(station))
        return Matter(kind_of(entry.new.kind), _peak(warning, incident), areas, catchment)

    def _silenced(self, entry: Entry, incident: Incident | None) -> Hold | None:
        warning = entry.new.warning
        if self._silences is None or isinstance(warning, CityWarning):
            return None
        kind, now = entry.new.kind, self._clock()
        about: Iterable[tuple[str, str, Severity]]
        if kind in {"falling", "decision"}:
            return None
        if kind == "reminder":
            about = [(m.station, m.measure, m.severity) for m in (incident.in_force if incident else [])]
        else:
            at = [m.severity for m in (incident.in_force if incident else []) if m.station == warning.station]
            about = [(warning.station, warning.measure, max([_own(warning), *at], key=rank))]
        catchment = incident.catchment if incident else self._place.catchments.of(warning.station).id
        found = [
            self._silences.hiding(station, catchment, measure, severity, now)
            for station, measure, severity in about
        ]
        hiding = [each for each in found if each is not None]
        if not hiding or len(hiding) < len(found):
            return None
        silence = min(hiding, key=lambda each: each.until_us)
        until = from_us(silence.until_us, self._place.zone)
        detail = f"silenced by {silence.by} until {until:%Y-%m-%d %H:%M}: {silence.reason}"
        return Hold(f"silence:{silence.id}", silence.until_us, detail)

    def _hushed(self, entry: Entry, silence: Hold) -> Entry:
        if entry.hold is None:
            return replace(entry, deaf=silence.detail, hold=silence)
        # nobody can answer to what nobody hears: others are called so long after its end
        later_us = silence.until_us + entry.hold.until_us - self._clock()
        return replace(entry, hold=replace(entry.hold, until_us=later_us))

    def _quieted(self, entry: Entry, incident: Incident | None) -> Entry:
        warning = entry.new.warning
        if isinstance(warning, CityWarning) or rank(_peak(warning, incident)) >= _SEVERE:
            return entry
        until_us = self._staff[entry.channel].held_until_us(self._clock(), self._place.zone)
        if until_us is None:
            return entry
        until = from_us(until_us, self._place.zone)
        return replace(entry, hold=Hold("quiet", until_us, f"quiet hours until {until:%H:%M}"))


def answers(events: Iterable[Event]) -> Iterator[Answer]:
    """What a person's decisions and orders answer to."""
    for event in events:
        by, action = event.by, event.measure
        if event.city is not None:
            by, action = event.city.by, event.city.action
            if action in {"propose", "expire"}:
                continue
        elif event.kind != "decision":
            continue
        if by and not by.startswith(_RULE):
            yield Answer(event.incident, event.episode if event.city else "", f"{action} by {by}")


def _group(entry: Entry) -> str:
    return entry.weight.incident if entry.weight else entry.new.warning.id


def _ends(entry: Entry) -> bool:
    """Whether it says that something is over; whether the city's end is told is decided on its way."""
    if isinstance(entry.new.warning, CityWarning):
        return False
    return entry.weight.ends if entry.weight else entry.new.kind == "clear"


def _told(entry: Entry) -> bool:
    return not entry.deaf and (entry.hold is None or entry.hold.why != ESCALATION)


def _own(warning: Warning) -> Severity:
    """How serious it is by itself: what has no level, such as a gateway that is lost, is Minor."""
    return warning.peak_severity if warning.peak_level else "Minor"


def _peak(warning: Warning, incident: Incident | None) -> Severity:
    peaks = [_own(warning), *([incident.peak] if incident and incident.peak else [])]
    return max(peaks, key=rank)


def _muted(rules: Sequence[Inhibit], entry: Entry, incident: Incident | None) -> str:
    """Why an update is left out, "" when it is not; never what raises the incident or ends something."""
    warning, weight = entry.new.warning, entry.weight
    if isinstance(warning, CityWarning) or incident is None or weight is None or not warning.in_force:
        return ""
    if weight.urgency not in {EASES, REPEATS}:
        return ""
    own = rank(_own(warning))
    for rule in rules:
        above = [
            member
            for member in incident.in_force
            if rank(member.severity) >= rank(rule.least)
            and (rule.same == "catchment" or member.station == warning.station)
        ]
        if above and own <= rank(rule.mutes):
            highest = above[0]
            return f"muted: {highest.severity} is in force at {highest.station}"
    return ""
