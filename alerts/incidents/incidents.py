"""Which incident an event belongs to, and what follows from the incident as a whole.

An incident begins with the first raise in a catchment, stays open while an episode of it is in force, and for
LINGER_US after that, so that the next burst joins it. From it follow, as events of its own: `falling`, when
everything that was Severe or above has fallen below; `reminder`, before the notices expire and while a sensor
of a standing one is lost; `decision`, a person's, or the rule's where it says `all_clear = "auto"`.

The result depends on the events, the ticks and the decisions in their order alone.
"""

import zlib
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import structlog

from alerts.catchments import Catchments
from alerts.event import Audience, Event, Kind
from alerts.incidents.decision import Decision, DecisionRefusedError
from alerts.incidents.incident import SEVERE, Incident, LostSensor, Member, begun, catchment_of, severity
from alerts.lifecycle import stamp
from alerts.rule_kinds import DwdRain, Sri, Watchdog, WaterLevel
from alerts.rules import Rules
from alerts.scale import rank
from alerts.warning import VALID_US

_MIN_US = 60_000_000
_HOUR_US = 60 * _MIN_US
LINGER_US = 60 * _MIN_US
"""So long after its last episode an incident takes up the next."""
REISSUE_US = VALID_US - 30 * _MIN_US
FIRST_NAG_US = 15 * _MIN_US
"""So long after a sensor was found lost staff are reminded first."""
_PATIENT_AFTER_US = 24 * _HOUR_US
_PATIENT_US = 6 * _HOUR_US
_KEPT_US = 24 * _HOUR_US
_MOST_KEPT = 32
_PAGES = "incidents/"
_RISES = frozenset({"raise", "escalate"})
_STEPS = _RISES | {"step_down", "clear"}
_log = structlog.get_logger(__name__)


class _Kept(msgspec.Struct):
    """An incident in the engine's memory. `needs_person`: some rule wants a person's all-clear. `decided_us`:
    of the last decision; `nagged_us`: of the last reminder about lost sensors. `closed`: by an all-clear."""  # noqa: D205, D209 - one thought

    incident: Incident
    needs_person: bool = False
    decided_us: int = 0
    nagged_us: int = 0
    closed: bool = False

    def until_us(self) -> int | None:
        """Until when the next episode joins; None: without end."""
        ended = self.incident.ended_us
        return None if self.incident.live else (ended or self.incident.changed_us) + LINGER_US

    def joins(self, time_us: int) -> bool:
        """Whether an episode that begins at a time belongs to it."""
        until = self.until_us()
        early = time_us < self.incident.began_us - LINGER_US
        return not self.closed and not early and (until is None or time_us <= until)

    def over(self, now_us: int) -> bool:
        """Whether nothing can be decided about it any more."""
        until = self.until_us()
        return self.closed or (until is not None and now_us > until and not self.incident.awaits)


_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(list[_Kept])


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision that was taken: its event; episodes that it ends (their sensors are lost) or confirms."""

    event: Event
    ends: tuple[str, ...]
    confirms: tuple[str, ...] = ()


class Incidents:
    """The open incidents of every catchment."""

    def __init__(self, catchments: Catchments, rules: Rules) -> None:
        self._catchments = catchments
        self._rules = rules
        self._all_clear = {
            rule.id: rule.all_clear for rule in rules.rules if isinstance(rule, DwdRain | Sri | WaterLevel)
        }
        self._place: dict[str, str] = {}
        self._kept: dict[str, list[_Kept]] = {}
        self._of: dict[str, _Kept] = {}
        self._changed: set[str] = set()

    def take(self, events: Sequence[Event], since_us: int) -> list[Event]:
        """The events with their incidents, in their order, and what follows right behind its cause.

        Events before `since_us` are history: what follows from them has no audience.
        """
        out: list[Event] = []
        for event in events:
            kept = self._incident_of(event)
            if kept is None:
                out.append(event)
                continue
            if event.kind in _RISES:
                _claim_crossings(out, event, kept.incident.id)
            event = replace(event, incident=kept.incident.id)  # noqa: PLW2901 - the same event, placed
            out.append(event)
            if event.kind != "crossing":
                out += self._follow(kept, event, since_us)
        return out

    def tick(self, now_us: int, since_us: int) -> list[Event]:
        """Reminders that are due at a time: one for an incident, however much there is to remind of."""
        found: list[Event] = []
        for incidents in self._kept.values():
            for kept in incidents:
                if kept.incident.live and (event := self._reminder(kept, now_us, since_us)) is not None:
                    self._apply(kept, event)
                    found.append(event)
        return sorted(found, key=lambda event: (event.time_us, event.id))

    def decide(self, decision: Decision) -> Decided:
        """Take a person's decision. Raises DecisionRefusedError."""
        id_ = decision.incident
        kept = next((each for each in self._kept.get(catchment_of(id_), []) if each.incident.id == id_), None)
        if kept is None:
            raise DecisionRefusedError("unknown", f"there is no open incident {id_[:100]!r}")
        if kept.over(decision.time_us):
            raise DecisionRefusedError("closed", f"incident {id_} is over")
        frozen = {each.station for each in kept.incident.lost.values()}
        ends: tuple[str, ...] = ()
        if decision.action == "all_clear":
            _refuse_while_severe(kept.incident, frozen)
            ends = tuple(m.episode for m in kept.incident.in_force if m.station in frozen)
        event = self._decision(kept, decision.action, decision.by, decision.reason, decision.time_us)
        kept.decided_us = decision.time_us
        self._apply(kept, event)
        kept.closed = decision.action == "all_clear" and kept.incident.live == len(ends)
        seen = decision.action == "confirm"
        return Decided(event, ends, tuple(m.episode for m in kept.incident.in_force) if seen else ())

    def pages(self) -> dict[str, bytes]:
        """Catchments whose incidents changed since durable(), a page each."""
        return {f"{_PAGES}{key}": zlib.compress(_encode(self._kept[key]), 1) for key in sorted(self._changed)}

    def durable(self) -> None:
        """What pages() gave is in the journal."""
        self._changed.clear()

    def restore(self, state: MutableMapping[str, bytes]) -> None:
        """Take the pages out of a reader's state."""
        for key in [key for key in state if key.startswith(_PAGES)]:
            page = state.pop(key)
            try:
                incidents = _decoder.decode(zlib.decompress(page))
            except (msgspec.DecodeError, zlib.error) as fault:
                # its warnings go on, and make a new incident with their next step
                _log.error("state_page_damaged", page=key, fault=repr(fault))
                continue
            self._kept[key.removeprefix(_PAGES)] = incidents
            self._of |= {episode: each for each in incidents for episode in each.incident.members}

    def snapshot(self) -> Mapping[str, bytes]:
        """Everything, to come back to with reset()."""
        return {f"{_PAGES}{key}": zlib.compress(_encode(kept), 1) for key, kept in self._kept.items()}

    def reset(self, snapshot: Mapping[str, bytes]) -> None:
        """Be as at the snapshot; what changed since then stays to be saved."""
        self._kept, self._of = {}, {}
        self.restore(dict(snapshot))
        self._changed &= self._kept.keys()

    def _incident_of(self, event: Event) -> _Kept | None:
        known = self._of.get(event.episode)
        if known is not None or event.kind == "clear":
            return known
        here = self._kept.get(catchment := self._catchment(event.station), [])
        if event.kind in _STEPS or (event.kind == "unverified" and event.audience is not None):
            kept = next((each for each in reversed(here) if each.joins(event.time_us)), None)
            kept = kept or self._begin(catchment, event.time_us)
            if event.kind in _STEPS:
                self._of[event.episode] = kept
            return kept
        if event.kind == "crossing":
            return next((each for each in reversed(here) if each.joins(event.time_us)), None)
        if event.kind == "sensor_lost":
            return next((each for each in reversed(here) if _stands(each.incident, event.station)), None)
        if event.kind == "sensor_back":
            return next((each for each in here if event.episode in each.incident.lost), None)
        return None

    def _begin(self, catchment: str, time_us: int) -> _Kept:
        here = self._kept.setdefault(catchment, [])
        newest = max([time_us, *(each.incident.changed_us for each in here)])
        here[:] = [each for each in here if not each.over(newest - _KEPT_US)]
        waiting = [each for each in here if not each.incident.live]
        for each in waiting[: max(0, len(waiting) - _MOST_KEPT)]:
            here.remove(each)
        id_ = f"{catchment}.{stamp(time_us)}"
        same = sum(each.incident.id.partition("-")[0] == id_.partition("-")[0] for each in here)
        kept = _Kept(begun(id_ + (f"-{same + 1}" if same else ""), time_us))
        here.append(kept)
        return kept

    def _follow(self, kept: _Kept, event: Event, since_us: int) -> list[Event]:
        incident = kept.incident
        before = incident.severe
        self._apply(kept, event)
        if event.kind in _RISES and rank(severity(event)) >= SEVERE:
            kept.closed = False
            kept.needs_person |= self._all_clear.get(event.rule, "person") == "person"
        if event.kind not in {"step_down", "clear"}:
            return []
        found: list[Event] = []
        told: Audience | None = "staff" if event.time_us >= since_us else None
        if before and not incident.severe and incident.falling_us is None and not incident.all_clear:
            found.append(_falling(incident, event, told))
            self._apply(kept, found[-1])
        if not incident.live and incident.awaits and not kept.needs_person:
            rule = f"rule {event.rule}"
            found.append(self._decision(kept, "all_clear", rule, 'all_clear = "auto"', event.time_us, told))
            self._apply(kept, found[-1])
        if event.kind == "clear":
            # what has ended says nothing any more; the board keeps it
            self._of.pop(event.episode, None)
            incident.members.pop(event.episode, None)
        return found

    def _reminder(self, kept: _Kept, now_us: int, since_us: int) -> Event | None:
        incident = kept.incident
        lost = [each for each in incident.lost.values() if each.found_us > kept.decided_us]
        nag_us = self._nag_due(kept, lost, now_us) if lost else None
        if nag_us is not None:
            kept.nagged_us = nag_us
            return _remind(incident, nag_us, _lost_reason(lost), since_us)
        oldest = min(each.told_us for each in incident.members.values())
        due = oldest + REISSUE_US
        if now_us < due:
            return None
        due += (now_us - due) // REISSUE_US * REISSUE_US
        first = min(each.since_us for each in incident.members.values())
        reason = f"{incident.live} warnings still in force, the first since {stamp(first)}"
        return _remind(incident, due, reason, since_us)

    def _nag_due(self, kept: _Kept, lost: Sequence[LostSensor], now_us: int) -> int | None:
        found = min(each.found_us for each in lost)
        rules = (self._rules.of(Watchdog, each.station) for each in lost)
        every = min((round(rule.nag_min * _MIN_US) for rule in rules if rule is not None), default=_HOUR_US)
        if now_us - found > _PATIENT_AFTER_US:
            every = max(every, _PATIENT_US)
        last = max(kept.nagged_us, kept.decided_us)
        due = found + FIRST_NAG_US if last < found else last + every
        return None if now_us < due else due + (now_us - due) // every * every

    def _decision(  # noqa: PLR0913, PLR0917 - what a decision is made of
        self,
        kept: _Kept,
        action: str,
        by: str,
        reason: str,
        time_us: int,
        audience: Audience | None = "staff",
    ) -> Event:
        number = len(kept.incident.decisions) + 1
        # that somebody takes care is for the page; it would only be one more message
        told = None if action == "acknowledge" else audience
        return _event(kept.incident, "decision", str(number), time_us, reason, told, measure=action, by=by)

    def _apply(self, kept: _Kept, event: Event) -> None:
        kept.incident.take(event)
        self._changed.add(kept.incident.catchment)

    def _catchment(self, station: str) -> str:
        place = self._place.get(station)
        if place is None:
            place = self._place[station] = self._catchments.of(station).id
        return place


def _claim_crossings(out: list[Event], event: Event, incident: str) -> None:
    """The crossings of the same reading, before the raise that opened the incident, are part of it."""
    for at in range(len(out) - 1, -1, -1):
        each = out[at]
        if (each.station, each.time_us) != (event.station, event.time_us):
            return
        if each.kind == "crossing" and not each.incident and each.episode == event.episode:
            out[at] = replace(each, incident=incident)


def _stands(incident: Incident, station: str) -> bool:
    return any(each.in_force and each.station == station for each in incident.members.values())


def _refuse_while_severe(incident: Incident, frozen: set[str]) -> None:
    high = [m for m in incident.in_force if rank(m.severity) >= SEVERE and m.station not in frozen]
    if high:
        names = ", ".join(f"{m.station} {m.measure} {m.level}" for m in high[:5])
        raise DecisionRefusedError("too_early", f"still {high[0].severity}: {names}; wait until values fall")


def _falling(incident: Incident, event: Event, told: Audience | None) -> Event:
    reason = (
        f"Werte fallen (values are falling): nothing is Severe or above any more, the highest was "
        f"{incident.peak}; {incident.live} warnings still in force; last {event.station}: {event.reason}"
    )
    return replace(
        event,
        id=f"{incident.id}.falling.{incident.proposals + 1}",
        episode=incident.id,
        kind="falling",
        measure="incident",
        level=0,
        window_min=None,
        value=None,
        severity="",
        reason=reason,
        audience=told,
    )


def _remind(incident: Incident, time_us: int, reason: str, since_us: int) -> Event:
    told = any(m.audience for m in incident.in_force) and time_us >= since_us
    highest = incident.in_force[0]
    return _event(
        incident, "reminder", stamp(time_us), time_us, reason, "staff" if told else None, highest=highest
    )


def _event(  # noqa: PLR0913, PLR0917 - an event has that many parts
    incident: Incident,
    kind: Kind,
    number: str,
    time_us: int,
    reason: str,
    audience: Audience | None,
    *,
    highest: Member | None = None,
    measure: str = "",
    by: str = "",
) -> Event:
    return Event(
        id=f"{incident.id}.{kind}.{number}",
        episode=incident.id,
        time_us=time_us,
        station=highest.station if highest else "",
        kind=kind,
        measure=highest.measure if highest else measure,
        level=highest.level if highest else 0,
        window_min=highest.window_min if highest else None,
        value=highest.value if highest else None,
        rule=highest.rule if highest else "",
        reason=reason,
        audience=audience,
        severity=highest.severity if highest else "",
        incident=incident.id,
        by=by,
    )


def _lost_reason(lost: Sequence[LostSensor]) -> str:
    names = ", ".join(f"{each.station} since {stamp(each.since_us)}" for each in lost[:5])
    more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""  # noqa: PLR2004 - as many as are named
    return f"sensor lost: {names}{more}; the warning stands until somebody decides"
