"""When staff hear of an incident: what is told at once, and what is gathered into one update.

At once go out the first message, everything that makes the incident more serious than the channel knows, a
proposal "Werte fallen", a reminder, a decision and the end. A station that comes in for the first time is
told at once as well, as long as the incident has made fewer than AT_ONCE messages: a small event is not
slowed down, and a storm is no flood. Everything else is gathered into updates, so long after the last message
as INTERVAL_US says: a station that rises above what it had soon, falling values last. As in Prometheus
Alertmanager, with group_wait 0 and a group_interval of 5 min or more. Times by the service's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from alerts.event import Event
from alerts.incidents.incident import Incident, Member, severity
from alerts.scale import rank

AT_ONCE = 5
EASES, REPEATS, RISES, NEW_STATION, URGENT = range(5)
"""It falls · another measure or window of what is known · a station rises above what it had, or a sensor is
lost · a station that the incident did not have · at once."""
INTERVAL_US = (1_800_000_000, 900_000_000, 300_000_000, 300_000_000, 0)
NewsStep = Literal["first", "rise", "update", "falling", "reminder", "decision", "end"]
NEWS: tuple[NewsStep, ...] = ("first", "rise", "update", "falling", "reminder", "decision", "end")
_SPECIAL: tuple[NewsStep, ...] = ("decision", "falling", "reminder")


@dataclass(frozen=True, slots=True)
class Weight:
    """How much an event matters to its incident's channels. `rank`: of the highest warning in force that
    staff were told of, 0 none; `ends`: with it nothing is in force any more."""  # noqa: D205, D209 - one thought

    incident: str
    rank: int
    urgency: int
    ends: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What a channel has heard of an incident: when last, up to which rank, how many messages, its end."""

    sent_us: int
    rank: int
    count: int
    ended: bool


@dataclass(frozen=True, slots=True)
class News:
    """One message about an incident: why it is sent, the event it goes by, and the incident as it is."""

    step: NewsStep
    event: str
    incident: Incident


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a channel of one event of an incident."""

    kind: str
    weight: Weight


def told_members(incident: Incident) -> list[Member]:
    """The members in force that anybody was told of, the highest first."""
    return [each for each in incident.in_force if each.audience is not None]


def station_rank(incident: Incident | None, station: str) -> int | None:
    """The highest rank that a station has in force, 0 none any more; None: the incident does not know it."""
    members = [] if incident is None else [m for m in incident.members.values() if m.station == station]
    if not members:
        return None
    return max((rank(each.severity) for each in members if each.in_force), default=0)


def weigh(event: Event, incident: Incident, before: int | None) -> Weight:
    """The weight of an event, with the incident after it and the station_rank() from before it."""
    told = (each for each in incident.members.values() if each.in_force and each.audience is not None)
    highest = max((rank(each.severity) for each in told), default=0)
    ends = event.kind == "clear" and not highest
    return Weight(incident.id, highest, URGENT if ends else _urgency(event, before), ends)


def _urgency(event: Event, before: int | None) -> int:
    if event.kind in _SPECIAL:
        return URGENT
    if event.kind in {"step_down", "clear"}:
        return EASES
    if event.kind not in {"raise", "escalate"}:
        return RISES
    if before is None:
        return NEW_STATION
    return RISES if rank(severity(event)) > before else REPEATS


def due_us(waiting: Sequence[Waiting], heard: Heard | None) -> int:
    """When (µs) the channel is told of what waits of one incident; 0: at once."""
    if heard is None or any(_at_once(each.weight, heard) for each in waiting):
        return 0
    return heard.sent_us + min(INTERVAL_US[each.weight.urgency] for each in waiting)


def _at_once(weight: Weight, heard: Heard) -> bool:
    known = 0 if heard.ended else heard.rank
    few = heard.ended or heard.count < AT_ONCE
    return weight.rank > known or weight.urgency == URGENT or (weight.urgency == NEW_STATION and few)


def step_of(waiting: Sequence[Waiting], heard: Heard | None) -> NewsStep:
    """Why a message is sent; `waiting` in the order of the events."""
    last = waiting[-1].weight
    if last.ends:
        return "end"
    if heard is None or heard.ended:
        kinds = {each.kind for each in waiting}
        return next((each for each in _SPECIAL if kinds == {each}), "first")
    if last.rank > heard.rank:
        return "rise"
    return next((each for each in _SPECIAL if any(each == it.kind for it in waiting)), "update")


def after(heard: Heard | None, last: Weight, now_us: int) -> Heard:
    """What the channel has heard once a message is out."""
    count = 0 if heard is None or heard.ended else heard.count
    return Heard(now_us, last.rank, count + 1, last.ends)
