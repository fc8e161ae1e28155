"""What the witnesses make of one crossing, at one moment: they agree, contradict, or are absent."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import numpy as np

from alerts.kernels.rain import LEVELS
from alerts.kernels.rows import Slots
from alerts.witnesses.plan import COLUMNS, LEVEL, OFFICER, RAIN, SEEN, Party, WitnessPlan
from alerts.witnesses.rule import Case, LevelWitness, Outcome, RainWitness
from alerts.witnesses.sightings import Sightings
from alerts.witnesses.words import Kind, joined

GRACE_US = 600_000_000
"""So long after its last row fell due a crossing can still be confirmed by a late uplink."""

_MOST_NAMED = 5
_MOST_OTHERS = 3
_KINDS: Mapping[int, Kind] = {RAIN: "gauge", LEVEL: "level", OFFICER: "official"}
_NONE = np.zeros(0, np.int64)
_WET = [column for column, (_, level) in enumerate(COLUMNS) if level == LEVELS[0]]


class Claim(msgspec.Struct, frozen=True):
    """A crossing that the public may have to hear of. `window_min` None: a level."""

    level: int
    window_min: int | None
    time_us: int
    value: float | None
    reason: str


class Verdict(NamedTuple):
    """What the witnesses say, the row of the outcome table that follows, and they in words."""

    case: Case
    outcome: Outcome
    words: str


class Testimony:
    """Weighs claims by what has been seen so far."""

    def __init__(self, plan: WitnessPlan, sightings: Sightings) -> None:
        self._plan = plan
        self._sightings = sightings
        self._kin_of: dict[tuple[int, float], tuple[Slots, Slots, Slots]] = {}

    def verdict(self, party: Party, claim: Claim) -> Verdict:
        """By what is known now; it may still change until last_us() after the crossing."""
        rule = party.rule
        begin, end = _span(rule, claim)
        others = [self._who(slot) for slot in self._others(party, claim).tolist()[:_MOST_OTHERS]]
        if isinstance(rule, LevelWitness):
            if others:
                return Verdict("agrees", rule.outcomes.agrees, joined(others))
            return Verdict("absent", rule.outcomes.absent, "no rain and no other level of the catchment")
        near = self._plan.neighbours(party.slot, rule.distance_km)
        asked = near[self._sightings.reports(near, begin)][: rule.neighbours]
        seen = asked[self._sightings.within(asked, _column(claim), begin, end)]
        if len(seen) >= rule.agree or others:
            gauges = [self._who(slot) for slot in seen.tolist()[:_MOST_NAMED]]
            return Verdict("agrees", rule.outcomes.agrees, joined([*gauges, *others]))
        if len(near) < rule.agree:
            words = f"fewer than {rule.agree} other gauges within {rule.distance_km:g} km"
            return Verdict("lone", rule.outcomes.lone, words)
        if len(asked) < rule.agree:
            return Verdict("absent", rule.outcomes.absent, f"{len(asked)} of {len(near)} neighbours report")
        words = f"{len(seen)} of {len(asked)} reporting neighbours"
        return Verdict("contradicts", rule.outcomes.contradicts, words)

    def missing(self, party: Party, claim: Claim) -> Iterator[tuple[int, int]]:
        """Cells (slot, column) that would be new to the verdict; the column after the last: it reports."""
        span = _span(party.rule, claim)
        wanted = list(self._kin(party, claim))
        if isinstance(party.rule, RainWitness):
            near = self._plan.neighbours(party.slot, party.rule.distance_km)
            reports = self._sightings.reports(near, span[0])
            asked = reports.nonzero()[0][: party.rule.neighbours]
            wanted.append((near[asked], _column(claim)))
            # who begins to report takes the place of one further away
            nearer = near if len(asked) < party.rule.neighbours else near[: asked[-1]]
            silent = nearer[~reports[: len(nearer)]]
            yield from ((slot, len(COLUMNS)) for slot in silent.tolist())
        for slots, column in wanted:
            unseen = slots[~self._sightings.within(slots, column, *span)]
            yield from ((slot, column) for slot in unseen.tolist())

    def _others(self, party: Party, claim: Claim) -> Slots:
        """Those of the catchment, of which one is enough."""
        span = _span(party.rule, claim)
        seen = [
            slots[self._sightings.within(slots, column, *span)]
            for slots, column in self._kin(party, claim)
            if len(slots)
        ]
        return np.unique(np.concatenate(seen)) if seen else _NONE

    def _kin(self, party: Party, claim: Claim) -> Iterator[tuple[Slots, int]]:
        """Levels; for rain an official warning of its level, for a level a gauge with rain as well."""
        levels, officers, gauges = self._kinds(party.slot, party.rule.distance_km)
        yield levels, SEEN
        if isinstance(party.rule, RainWitness):
            yield officers, LEVELS.index(claim.level)
        else:
            for column in _WET:
                yield gauges, column

    def _kinds(self, slot: int, distance_km: float) -> tuple[Slots, Slots, Slots]:
        """Its kin: levels, official warnings, rain gauges."""
        key = (slot, distance_km)
        if key not in self._kin_of:
            kin = self._plan.kin(slot, distance_km)
            kind = self._plan.kind[kin]
            self._kin_of[key] = kin[kind == LEVEL], kin[kind == OFFICER], kin[kind == RAIN]
        return self._kin_of[key]

    def _who(self, slot: int) -> tuple[Kind, str]:
        return _KINDS[int(self._plan.kind[slot])], self._plan.stations[slot]


def last_us(rule: RainWitness | LevelWitness) -> int:
    """How long after a crossing a witness can still come."""
    return max(rule.within_us, *(row.after_us for row in rule.outcomes.rows)) + GRACE_US


def due_us(rule: RainWitness | LevelWitness) -> list[int]:
    """When, after the crossing, it is to be weighed again: with each row that falls due, and at the end."""
    return [*(row.after_us for row in rule.outcomes.rows), last_us(rule)]


def _span(rule: RainWitness | LevelWitness, claim: Claim) -> tuple[int, int]:
    return claim.time_us - rule.within_us, claim.time_us + rule.within_us


def _column(claim: Claim) -> int:
    return COLUMNS.index((claim.window_min or 0, claim.level))
