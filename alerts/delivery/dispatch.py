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
from alerts.delivery.channels import Channel
from alerts.delivery.deliveries import Deliveries, Entry, Hold
from alerts.delivery.grouping import EASES, REPEATS, URGENT
from alerts.event import Event, Severity
from alerts.incident import Incident, catchment_of
from alerts.routing.matter import Matter, kind_of
from alerts.routing.quiet import Quiet, read_quiet
from alerts.routing.rota import from_us
from alerts.routing.routes import Inhibit, Routes
from alerts.routing.silences import Silences
from alerts.scale import rank
from alerts.warning import Warning  # noqa: A004 - the field's word, see there

NOT_ROUTED = "no route leads here"
LATER = "called when nobody has acknowledged"
UNTOLD = "it ends what was not told here"
_MIN_US = 60_000_000
_SEVERE = rank("Severe")
_CALLING = frozenset({"raise", "escalate", "unverified", "sensor_lost"})
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stations are, to people."""

    areas: Areas = field(default_factory=Areas)
    catchments: Catchments = field(default_factory=Catchments)
    zone: ZoneInfo = ZoneInfo("Europe/Berlin")


@dataclass(slots=True)
class _Known:
    """What the file and this page know of the groups: who was told, up to which rank others are called."""

    told: dict[str, set[str]]
    called: dict[str, int]


class Dispatch:
    """Decides about the entries of one page of events. `channels`: those of the outbox."""

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        channels: Sequence[Channel],
        clock: Callable[[], int],
        *,
        routes: Routes | None = None,
        silences: Silences | None = None,
        place: Place | None = None,
    ) -> None:
        self._staff = {each.name: each for each in channels if each.by_incident}
        self._quiet: Mapping[str, Quiet] = {
            each.name: read_quiet(each.quiet) for each in self._staff.values() if each.quiet
        }
        self._clock = clock
        self._routes = routes
        self._silences = silences
        self._place = place or Place()

    def decide(
        self, entries: Sequence[Entry], incidents: Mapping[str, Incident], deliveries: Deliveries
    ) -> list[Entry]:
        """The entries as they are to be kept; `incidents` as they are after the page."""
        groups = {entry.group for entry in entries}
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
            told = {entry.channel for entry in decided if entry.told}
            known.told.setdefault(staff[0].group, set()).update(told)
            found += decided
        return found

    def _event(
        self, entries: Sequence[Entry], incidents: Mapping[str, Incident], known: _Known
    ) -> Iterator[Entry]:
        first = entries[0]
        incident = incidents.get(first.new.incident)
        entries = [self._deafened(entry) for entry in entries]
        if self._routes is not None:
            entries = self._routed(self._routes, entries, incident, known)
        held = self._silenced(first, incident, known)
        for entry in entries:
            if entry.deaf or entry.hold is not None:
                yield entry
            elif held is not None and not (first.ends and entry.channel in known.told.get(first.group, ())):
                yield replace(entry, deaf=held.detail, hold=held)
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
        heard = known.told.get(first.group, set())
        if first.ends:
            return [
                entry if entry.deaf or entry.channel in heard else replace(entry, deaf=UNTOLD)
                for entry in entries
            ]
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
                hold = Hold("escalation", now + round(minutes * _MIN_US), detail)
                found.append(replace(entry, hold=hold))
                known.called[first.group] = max(known.called.get(first.group, -1), first.rank)
        return found

    def _calls(self, entry: Entry, known: _Known) -> bool:
        """Whether somebody has to answer to it: a rise above what others are called for, a proposal."""
        kind = entry.new.kind
        if isinstance(entry.new.warning, CityWarning):
            released_by_rule = kind in {"city_release", "city_update"} and not entry.new.person
            return kind == "city_propose" or released_by_rule
        return bool(entry.new.incident) and kind in _CALLING and entry.rank > known.called.get(entry.group, -1)

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

    def _silenced(self, entry: Entry, incident: Incident | None, known: _Known) -> Hold | None:
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
            about = [(warning.station, warning.measure, max([warning.peak_severity, *at], key=rank))]
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

    def _quieted(self, entry: Entry, incident: Incident | None) -> Entry:
        quiet, warning = self._quiet.get(entry.channel), entry.new.warning
        if quiet is None or isinstance(warning, CityWarning) or rank(_peak(warning, incident)) >= _SEVERE:
            return entry
        until_us = quiet.until_us(self._clock(), self._place.zone)
        if until_us is None:
            return entry
        until = from_us(until_us, self._place.zone)
        return replace(entry, hold=Hold("quiet", until_us, f"quiet hours until {until:%H:%M}"))


def acknowledging(events: Iterable[Event]) -> Iterator[tuple[str, str, str]]:
    """What a person's decisions and orders answer to: incident, episode (one may be ""), and in words."""
    for event in events:
        by, action = event.by, event.measure
        if event.city is not None:
            by, action = event.city.by, event.city.action
            if action in {"propose", "expire"}:
                continue
        elif event.kind != "decision":
            continue
        if by and not by.startswith("rule "):
            yield event.incident, event.episode if event.city else "", f"{action} by {by}"


def _peak(warning: Warning, incident: Incident | None) -> Severity:
    peaks = [warning.peak_severity, *([incident.peak] if incident and incident.peak else [])]
    return max(peaks, key=rank)


def _muted(rules: Sequence[Inhibit], entry: Entry, incident: Incident | None) -> str:
    """Why an update is left out, "" when it is not; never what raises the incident or ends something."""
    warning, weight = entry.new.warning, entry.weight
    if isinstance(warning, CityWarning) or incident is None or weight is None or not warning.in_force:
        return ""
    if weight.urgency not in {EASES, REPEATS} or weight.urgency == URGENT:
        return ""
    own = rank(warning.peak_severity)
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


