"""When the public hears of a crossing, and in which wording: by the outcome table of the rule.

Staff hear at once, always. A crossing of a level that is for the public becomes a claim. It is weighed at
once, at every reading that makes a new witness, and when a row of the outcome table falls due; all by the
times of the readings (or of tick(), when none come), so that the result does not depend on how they were
split into batches. What is decided after the crossing's own reading comes as an `escalate` of the same
episode and level, its id the last step's with `.public` or `.confirmed` at the end.

Once decided against, a claim comes back only by another window's crossing or by a person (confirm()).
"""

from collections import deque
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec
import numpy as np

from alerts.event import Audience, Event
from alerts.kernels.rain import MEASURES
from alerts.kernels.rows import Ints, Rows
from alerts.witnesses.docket import Docket
from alerts.witnesses.plan import Party, WitnessPlan
from alerts.witnesses.rule import Wording
from alerts.witnesses.sightings import Sightings
from alerts.witnesses.testimony import Claim, Testimony, last_us
from alerts.witnesses.words import joined

_PREFIX = "claim/"
_CLOCK = ".clock"
_CHUNK = 4096


class Held(msgspec.Struct, frozen=True):
    """An episode in force with a level for the public. `step`: its last step; `level`: of it; `public`: the
    level that the public knows, 0 none; `confirmed`: the highest of those that a witness agreed with."""  # noqa: D205, D209 - one thought

    step: Event
    level: int
    public: int = 0
    confirmed: int = 0
    claims: tuple[Claim, ...] = ()


class Snapshot(NamedTuple):
    """The state of the claims at one moment."""

    held: dict[str, Held]
    clock: int
    changed: set[str]
    heard: Ints


class Witnesses:
    """Takes the kernels' events and what neighbours showed; gives the events with audience decided."""

    def __init__(self, state: MutableMapping[str, bytes]) -> None:
        self.sightings = Sightings()
        self._plan: WitnessPlan
        self._testimony: Testimony
        self._held: dict[str, Held] = {}
        self._clock = 0
        self._changed: set[str] = set()
        for key in [key for key in state if key.startswith(_PREFIX)]:
            page, name = state.pop(key), key.removeprefix(_PREFIX)
            if name == _CLOCK:
                self._clock = int(page)
            elif page:
                self._held[name] = _decoder.decode(page)
        self._docket: Docket

    def arrange(self, plan: WitnessPlan, rain_rows: Rows) -> None:
        """Follow a new plan."""
        self._plan = plan
        self.sightings.arrange(plan, rain_rows)
        self._testimony = Testimony(plan, self.sightings)
        self._list()

    def pages(self) -> Iterator[tuple[str, bytes]]:
        """State of the claims that changed since durable(); an empty page is an episode that has ended."""
        for key in sorted(self._changed):
            held = self._held.get(key)
            yield _PREFIX + key, msgspec.json.encode(held) if held else b""
        if self._changed or self._docket:
            yield _PREFIX + _CLOCK, str(self._clock).encode()

    def durable(self) -> None:
        """What pages() gave is in the journal."""
        self._changed.clear()

    def snapshot(self) -> "Snapshot":
        """Everything that restore() needs; the table's rows are its owner's to keep."""
        return Snapshot(dict(self._held), self._clock, set(self._changed), self.sightings.heard.copy())

    def restore(self, kept: "Snapshot") -> None:
        """Back to a snapshot."""
        self._held, self._clock = dict(kept.held), kept.clock
        self._changed, self.sightings.heard = set(kept.changed), kept.heard.copy()
        self._list()

    def step(self, times: Ints, found: Sequence[tuple[int, Event]], since_us: int) -> list[tuple[int, Event]]:
        """The events of a batch, sorted by position, decided. `times` of its readings, by position.

        The sightings of the batch are in. Crossings before `since_us` are history and no claims.
        """
        self.sightings.ready()
        out: list[tuple[int, Event]] = []
        at = 0
        for begin in range(0, len(times), _CHUNK):
            end = min(begin + _CHUNK, len(times))
            first = at
            while at < len(found) and found[at][0] < end:
                at += 1
            out += self._part(times, begin, end, found[first:at], since_us)
        return [*out, *found[at:]]

    def _part(
        self, times: Ints, begin: int, end: int, found: Sequence[tuple[int, Event]], since_us: int
    ) -> list[tuple[int, Event]]:
        waiting = deque(found)
        out: list[tuple[int, Event]] = []
        position = begin
        while position < end:
            stop = waiting[0][0] if waiting else end
            pending = bool(self._docket)
            clock = self._clock
            if pending:
                due = self._due(since_us)
                ahead = np.maximum(np.maximum.accumulate(times[position:stop]), clock)
                stop = position + int(np.searchsorted(ahead, due))
                stop = self.sightings.first_seen(self._docket.watched, stop)
                clock = max(clock, int(times[position : min(stop + 1, end)].max()))
            learned = self.sightings.learn(min(stop + 1, end))
            if pending:
                self._docket.changed(*learned)
            if stop == end:
                self._clock = clock
                break
            self._clock = clock if pending else int(times[stop])
            # what a rejected reading before this one made stands here as well, and came before it
            while waiting and waiting[0][0] == stop and not self._concerns(waiting[0][1]):
                out.append(waiting.popleft())
            out += [(stop, event) for event in self._weigh(int(times[stop]), since_us)]
            here: list[Event] = []
            while waiting and waiting[0][0] == stop:
                here.append(waiting.popleft()[1])
            out += [(stop, event) for event in self._take(here, since_us)]
            self._rest()
            position = stop + 1
        return out

    def tick(self, now_us: int) -> list[Event]:
        """What has fallen due by a time at which nothing came."""
        if not self._docket or self._due(self._clock) > now_us:
            return []
        self._clock = max(self._clock, now_us)
        made = self._weigh(now_us, now_us)
        self._rest()
        return made

    def _rest(self) -> None:
        """Without a claim no clock runs: it begins with the reading that makes one."""
        if not self._docket:
            self._clock = 0

    def confirm(self, episodes: Iterable[str], time_us: int, by: str) -> list[Event]:
        """A person confirms episodes: the public hears of each level in force that is for it, confirmed.

        Nothing comes of one that is not in force, was confirmed before, or has no level for the public.
        """
        made: list[Event] = []
        # of one gauge Starkregen comes before Dauerregen, which it covers
        for episode in sorted(episodes, reverse=True):
            key = episode.rpartition(".")[0]
            held, party = self._held.get(key), self._plan.parties.get(key)
            if held is None or party is None or held.step.episode != episode:
                continue
            for_public = [each for each, audience in party.audience.items() if audience == "public"]
            level = max((each for each in for_public if each <= held.level), default=0)
            if level > held.confirmed and level > (0 if level <= held.public else self._covered(party)):
                step, time = held.step, max(time_us, held.step.time_us)
                claim = Claim(level, step.window_min, time, step.value, step.reason)
                who = joined([("person", by.replace(",", " "))])
                made.append(self._tell(key, claim, "confirmed", who, time))
        return made

    def take(self, events: Sequence[Event]) -> list[Event]:
        """Events that no reading made: an episode ended by a person."""
        return self._take(events, 0)

    def _take(self, events: Sequence[Event], since_us: int) -> list[Event]:
        """Events of one reading."""
        out: list[Event] = []
        claims: dict[str, list[Claim]] = {}
        for event in events:
            key = event.episode.rpartition(".")[0]
            party = self._plan.parties.get(key)
            if party is None:
                out.append(event)
            elif event.kind in {"raise", "escalate"}:
                out.append(self._rose(key, party, event, claims.setdefault(key, [])))
            elif event.kind in {"step_down", "clear"}:
                out.append(self._fell(key, event))
            else:
                out.append(event)
                if event.kind == "crossing" and event.time_us >= since_us:
                    claims.setdefault(key, []).extend(_claims(party, event, event.level))
        for key, fresh in claims.items():
            self._claim(key, fresh)
        self._clock = max([self._clock, *(each.time_us for fresh in claims.values() for each in fresh)])
        for key in [key for key in claims if claims[key]]:
            for told in self._weigh_one(key, max(each.time_us for each in claims[key])):
                rise = next((i for i, each in enumerate(out) if _same_step(each, told)), None)
                if rise is None:
                    out.append(told)
                else:
                    out[rise] = replace(
                        out[rise], audience="public", confirmation=told.confirmation, witness=told.witness
                    )
        return [self._asked(event) for event in out]

    def _concerns(self, event: Event) -> bool:
        return event.episode.rpartition(".")[0] in self._plan.parties

    def _asked(self, event: Event) -> Event:
        """A rise that is for staff so far, with what the witnesses make of it."""
        if event.confirmation != "unconfirmed" or event.witness:
            return event
        verdict = self._testimony.verdict(self._plan.parties[event.episode.rpartition(".")[0]], _claim(event))
        return replace(event, confirmation=verdict.outcome.wording, witness=verdict.words)

    def _rose(self, key: str, party: Party, event: Event, claims: list[Claim]) -> Event:
        """A rise, for staff until a claim of it is decided."""
        held = self._held.get(key)
        if held is not None and held.step.episode != event.episode:
            held = None
        if event.audience != "public":
            if held is not None:
                self._hold(key, msgspec.structs.replace(held, step=event, level=event.level))
            return event
        known = {(each.level, each.window_min) for each in claims}
        # whoever crosses a level has crossed those below
        for level in sorted(party.audience):
            if level <= event.level and (level, event.window_min) not in known:
                claims += _claims(party, event, level)
        held = held or Held(event, event.level)
        self._hold(key, msgspec.structs.replace(held, step=event, level=event.level))
        return replace(event, audience="staff", confirmation="unconfirmed")

    def _fell(self, key: str, event: Event) -> Event:
        held = self._held.get(key)
        if held is None or held.step.episode != event.episode:
            return event
        audience: Audience = "public" if held.public > event.level else "staff"
        if event.kind == "clear":
            del self._held[key]
            self._docket.strike(key)
            self._changed.add(key)
            self._sibling(key)
        else:
            self._hold(
                key,
                Held(
                    event,
                    event.level,
                    min(held.public, event.level),
                    min(held.confirmed, event.level),
                    tuple(each for each in held.claims if each.level <= event.level),
                ),
            )
        return replace(event, audience=audience)

    def _claim(self, key: str, fresh: Iterable[Claim]) -> None:
        held = self._held.get(key)
        if held is None:
            return
        open_ = {(each.level, each.window_min): each for each in held.claims}
        open_ |= {
            (each.level, each.window_min): each for each in fresh if held.confirmed < each.level <= held.level
        }
        self._hold(
            key, msgspec.structs.replace(held, claims=tuple(open_[each] for each in sorted(open_, key=_rank)))
        )

    def _weigh(self, now_us: int, since_us: int) -> list[Event]:
        """Weigh every open claim; while readings are history they wait, for nobody is told of that."""
        if self._clock < since_us:
            return []
        self._docket.next_due(self._clock)
        return [event for key in self._docket.take() for event in self._weigh_one(key, now_us)]

    def _weigh_one(self, key: str, now_us: int) -> list[Event]:
        """What an episode's claims come to: the highest level that can be told, and the highest confirmed."""
        party = self._plan.parties.get(key)
        held = self._held.get(key)
        if party is None or held is None:
            return []
        left: list[Claim] = []
        best: dict[Wording, tuple[Claim, str]] = {}
        for claim in held.claims:
            verdict = self._testimony.verdict(party, claim)
            outcome = verdict.outcome
            due = outcome.audience == "public" and self._clock >= claim.time_us + outcome.after_us
            if due and (outcome.wording not in best or claim.level > best[outcome.wording][0].level):
                best[outcome.wording] = claim, verdict.words
            if self._clock < claim.time_us + last_us(party.rule):
                left.append(claim)
        covered = self._covered(party)
        made: list[Event] = []
        for wording, (claim, words) in sorted(best.items(), key=lambda each: each[1][0].level, reverse=True):
            new = claim.level > max(held.public, covered)
            agreed = wording == "confirmed" and held.confirmed < claim.level == held.public
            if new or agreed:
                made.append(self._tell(key, claim, wording, words, max(claim.time_us, now_us)))
                held = self._held[key]
            elif claim.level <= covered:
                left = [each for each in left if each.level > claim.level]
        left = [each for each in left if each.level > held.confirmed]
        if tuple(left) == held.claims:
            self._enter(key)
        else:
            self._hold(key, msgspec.structs.replace(held, claims=tuple(left)))
        return made

    def _tell(self, key: str, claim: Claim, wording: Wording, words: str, time_us: int) -> Event:
        held = self._held[key]
        again = claim.level <= held.public
        self._hold(
            key,
            msgspec.structs.replace(
                held,
                public=max(held.public, claim.level),
                confirmed=max(held.confirmed, claim.level) if wording == "confirmed" else held.confirmed,
            ),
        )
        episode = held.step.episode
        number = held.step.id.removeprefix(f"{episode}.").partition(".")[0]
        return replace(
            held.step,
            id=f"{episode}.{number}.escalate.{claim.level}.{'confirmed' if again else 'public'}",
            kind="escalate",
            time_us=time_us,
            level=claim.level,
            window_min=claim.window_min,
            value=claim.value,
            reason=f"{claim.reason}; {wording}: {words}",
            audience="public",
            confirmation=wording,
            witness=words,
        )

    def _covered(self, party: Party) -> int:
        """The level that the public knows at this gauge by the other measure: it is one rain."""
        others = (self._held.get(f"{party.place}.{each}") for each in MEASURES if each != party.measure)
        return max((each.public for each in others if each is not None), default=0) if party.rains else 0

    def _hold(self, key: str, held: Held) -> None:
        before = self._held.get(key)
        if before == held:
            return
        self._held[key] = held
        self._changed.add(key)
        if before is None or before.public != held.public:
            self._sibling(key)
        if before is None or (before.claims, before.public) != (held.claims, held.public):
            self._enter(key)

    def _enter(self, key: str) -> None:
        """Its claims, and what they wait for now, to the docket."""
        held, party = self._held.get(key), self._plan.parties.get(key)
        if held is not None and party is not None and held.claims:
            self._docket.enter(key, party, held.claims)
        else:
            self._docket.strike(key)

    def _sibling(self, key: str) -> None:
        """What the public knows by one measure of a gauge changed: weigh the other's claims."""
        party = self._plan.parties.get(key)
        if party is not None and party.rains:
            others = {f"{party.place}.{each}" for each in MEASURES if each != party.measure}
            self._docket.stale |= {each for each in others if each in self._docket}

    def _list(self) -> None:
        """A new docket of all that is open, to be weighed."""
        self._docket = Docket(self._plan, self._testimony)
        for key, held in self._held.items():
            if held.claims:
                self._enter(key)

    def _due(self, since_us: int) -> int:
        """When the next row of the outcome table falls due, or an open claim is given up.

        One that should have been while readings were history is due at `since_us`.
        """
        due = self._docket.next_due(self._clock)
        return since_us if due is None else due


_decoder = msgspec.json.Decoder(Held)


def _claim(event: Event) -> Claim:
    return Claim(event.level, event.window_min, event.time_us, event.value, event.reason)


def _claims(party: Party, event: Event, level: int) -> list[Claim]:
    """The claim of a crossing, where its level is for the public."""
    claim = msgspec.structs.replace(_claim(event), level=level)
    return [claim] if party.audience.get(level) == "public" else []


def _rank(key: tuple[int, int | None]) -> tuple[int, int]:
    return key[0], key[1] or 0


def _same_step(rise: Event, told: Event) -> bool:
    """Whether what the public is told is the rise that this reading made."""
    return (
        rise.kind in {"raise", "escalate"}
        and rise.episode == told.episode
        and rise.level == told.level
        and rise.audience == "staff"
        and told.id.endswith(".public")
    )
