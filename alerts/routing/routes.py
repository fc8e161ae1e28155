"""routes.toml: people, rotas, and the tree that says who hears of what and whom after how long.

The tree is read as in Prometheus Alertmanager: from the top, the first route that matches wins, unless it
says `continue`; where one of its own routes matches, that one counts in its place.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.event import Severity
from alerts.routing.matter import Kind, Matter
from alerts.routing.rota import Rota
from alerts.scale import rank

_MIN_US = 60_000_000
Target = Annotated[str, Field(pattern=r"^(person|rota|channel):\S.*$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Person(_Table):
    """Somebody of the staff; `channels` by name, the quietest first."""

    name: str = Field(min_length=1)
    channels: tuple[str, ...] = Field(min_length=1)


class Escalation(_Table):
    """Who else is called when nobody has acknowledged `after_min` after the event.

    `louder`: everybody called before, each on the next of their channels.
    """

    after_min: Annotated[float, Field(gt=0, le=1440, allow_inf_nan=False)]
    to: tuple[Target, ...] = ()
    louder: bool = False

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.to and not self.louder:
            raise ValueError("name somebody in to, or say louder = true")
        return self


class Route(_Table):
    """One route; a condition that is left out holds always. `least`: the least severity.

    `to` and `escalate` that are left out are those of the route above.
    """

    least: Severity | None = None
    areas: tuple[str, ...] = ()
    catchments: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    to: tuple[Target, ...] = ()
    escalate: tuple[Escalation, ...] | None = None
    go_on: bool = Field(default=False, alias="continue")
    route: tuple["Route", ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        minutes = [each.after_min for each in self.escalate or ()]
        if minutes != sorted(set(minutes)):
            raise ValueError("escalate: after_min must rise from step to step")
        return self

    def takes_all_of(self, other: "Route") -> bool:
        """Whether it matches whatever the other one does."""
        named = (
            (self.areas, other.areas),
            (self.catchments, other.catchments),
            (self.kinds, other.kinds),
        )
        return (self.least is None or rank(self.least) <= rank(other.least or "Minor")) and all(
            not mine or bool(theirs and set(theirs) <= set(mine)) for mine, theirs in named
        )

    def matches(self, matter: Matter) -> bool:
        """Whether its own conditions hold."""
        return (
            (self.least is None or rank(matter.severity) >= rank(self.least))
            and (not self.areas or matter.areas is None or not matter.areas.isdisjoint(self.areas))
            and (not self.catchments or matter.catchment is None or matter.catchment in self.catchments)
            and (not self.kinds or matter.kind in self.kinds)
        )


class Inhibit(_Table):
    """While something of severity `least` is in force at the same station or in the same catchment, updates
    about what is at most `mutes` are left out."""  # noqa: D205, D209 - one thought

    least: Severity = "Severe"
    mutes: Severity = "Moderate"
    same: Literal["station", "catchment"] = "catchment"

    @model_validator(mode="after")
    def _lower(self) -> Self:
        if rank(self.mutes) >= rank(self.least):
            raise ValueError("mutes must be lower than least")
        return self


@dataclass(frozen=True, slots=True)
class Call:
    """One channel that is told; `whom`: in words, by which target; `person`: whose it is, "" of nobody."""

    channel: str
    whom: str
    person: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """Who is called so many minutes after the event, when nobody has acknowledged it by then; 0: at once."""

    after_min: float
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class _Leads:
    """A route that counts, with what it has from those above it."""

    to: tuple[str, ...]
    escalate: tuple[Escalation, ...]


@dataclass(frozen=True, slots=True)
class Routes:
    """One file; `zone`: the city's, by which shifts change."""

    file: str
    zone: ZoneInfo
    people: Mapping[str, Person]
    rotas: Mapping[str, Rota]
    routes: tuple[Route, ...]
    inhibit: tuple[Inhibit, ...] = ()

    def turns(self, matter: Matter, time_us: int) -> tuple[Turn, ...]:
        """Who is called when, each channel once, at the earliest turn that names it; none: no route matches.

        Who is on duty is asked for the time of each turn, and for the time itself by what is louder.
        """
        calls: dict[str, tuple[float, Call]] = {}
        for leads in _matching(self.routes, matter, (), ()):
            for after_min, call in self._called(leads, time_us):
                if call.channel not in calls or after_min < calls[call.channel][0]:
                    calls[call.channel] = after_min, call
        return tuple(
            Turn(minutes, tuple(call for after, call in calls.values() if after == minutes))
            for minutes in sorted({after for after, _ in calls.values()})
        )

    def _called(self, leads: _Leads, time_us: int) -> Iterator[tuple[float, Call]]:
        called: dict[str, tuple[str, int]] = {}  # person -> in which words, index of the channel
        for each in leads.to:
            yield from self._call(each, 0.0, time_us, called)
        for step in leads.escalate:
            then_us = time_us + round(step.after_min * _MIN_US)
            if step.louder:
                for name, (words, index) in list(called.items()):
                    channels = self.people[name].channels
                    louder = min(index + 1, len(channels) - 1)
                    called[name] = words, louder
                    yield step.after_min, Call(channels[louder], words, name)
            for each in step.to:
                yield from self._call(each, step.after_min, then_us, called)

    def _call(
        self, target: str, after_min: float, time_us: int, called: dict[str, tuple[str, int]]
    ) -> Iterator[tuple[float, Call]]:
        kind, _, name = target.partition(":")
        if kind == "channel":
            owner = next((each.name for each in self.people.values() if name in each.channels), "")
            yield after_min, Call(name, target, owner)
            return
        words = target
        if kind == "rota":
            name = self.rotas[name].on_duty(time_us, self.zone)
            words = f"{name} ({target})"
        if name not in called:
            called[name] = words, 0
        yield after_min, Call(self.people[name].channels[called[name][1]], words, name)


def alone(turns: Sequence[Turn], deaf: Collection[str] = ()) -> str:
    """Who is the only one that is ever called; "" when several are, or nobody at all.

    A channel of nobody's, such as the fire brigade's, counts as somebody else. `deaf`: who does not hear.
    """
    parties = {
        call.person or f"channel:{call.channel}"
        for turn in turns
        for call in turn.calls
        if call.channel not in deaf
    }
    return parties.pop() if len(parties) == 1 else ""


def _matching(
    routes: Sequence[Route], matter: Matter, to: tuple[str, ...], escalate: tuple[Escalation, ...]
) -> Iterator[_Leads]:
    for route in routes:
        if not route.matches(matter):
            continue
        own_to = route.to or to
        own_escalate = escalate if route.escalate is None else route.escalate
        below = list(_matching(route.route, matter, own_to, own_escalate))
        yield from below or [_Leads(own_to, own_escalate)]
        if not route.go_on:
            return
