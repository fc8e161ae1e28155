"""What a history of events would have meant: warnings, incidents, hits, false alarms, misses, witnesses.

Scores (Wilks, Statistical Methods in the Atmospheric Sciences): POD = hits / (hits + misses), FAR = false
alarms / (incidents), CSI = hits / (hits + misses + false alarms). Hits and misses count what happened, false
alarms count incidents: warnings of several gauges about one storm are one alarm, not as many as gauges.
"""

import bisect
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alerts.event import Event

JOIN_US = 3600_000_000
"""Warnings that begin within so long of one another's end are one incident."""
WITNESS_US = 1800_000_000
WITNESS_KM = 5.0
_EARTH_KM = 6371.0


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a warning. `level` 0: cleared."""

    time_us: int
    kind: str
    level: int
    value: float | None
    window_min: int | None
    audience: str | None
    reason: str


@dataclass(slots=True)
class Warned:
    """One episode of one station and measure; `cleared_us` None: in force when the readings end."""

    station: str
    measure: str
    rule: str
    steps: list[Step] = field(default_factory=list)

    @property
    def raised_us(self) -> int:
        """When it began."""
        return self.steps[0].time_us

    @property
    def cleared_us(self) -> int | None:
        """When it ended."""
        return self.steps[-1].time_us if self.steps[-1].level == 0 else None

    @property
    def top(self) -> int:
        """Highest level."""
        return max(step.level for step in self.steps)

    @property
    def public_us(self) -> int | None:
        """Since when residents knew."""
        return next((step.time_us for step in self.steps if step.audience == "public"), None)

    def from_level(self, level: int) -> int | None:
        """Since when the warning was of this level or a higher one."""
        return next((step.time_us for step in self.steps if step.level >= level), None)

    def leads_us(self) -> dict[int, int]:
        """For every level the warning rose to later: how long before that it had been raised."""
        first: dict[int, int] = {}
        for step in self.steps:
            if step.kind in {"raise", "escalate"}:
                first.setdefault(step.level, step.time_us - self.raised_us)
        return {level: lead for level, lead in first.items() if lead}


@dataclass(frozen=True, slots=True)
class Span:
    """When a station was warned."""

    station: str
    begin_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that did happen, by an independent list. `station` "": somewhere in the city."""

    begin_us: int
    end_us: int
    station: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that happened and whether it was warned of; a negative lead is a warning too late."""

    happened: Happened
    hit: bool
    lead_us: int | None


@dataclass(frozen=True, slots=True)
class Score:
    """How warnings of one kind did against what happened."""

    incidents: int
    hits: int
    misses: int
    false_alarms: int
    outcomes: tuple[Outcome, ...]

    @property
    def pod(self) -> float | None:
        """Share of what happened that was warned of."""
        return _share(self.hits, self.hits + self.misses)

    @property
    def far(self) -> float | None:
        """Share of the incidents that were about nothing."""
        return _share(self.false_alarms, self.incidents)

    @property
    def csi(self) -> float | None:
        """Hits among everything that happened or was warned of."""
        return _share(self.hits, self.hits + self.misses + self.false_alarms)

    @property
    def median_lead_us(self) -> float | None:
        """From the warning to what happened."""
        leads = [each.lead_us for each in self.outcomes if each.lead_us is not None]
        return statistics.median(leads) if leads else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `raises` those a neighbour agreed with; `alone` had no neighbour in reach at all."""

    raises: int
    agreed: int
    alone: int

    @property
    def share(self) -> float | None:
        """Of those that have a neighbour."""
        return _share(self.agreed, self.raises - self.alone)


def warnings_of(events: Iterable[Event]) -> list[Warned]:
    """The warnings that events make up, in the order they were raised."""
    found: dict[str, Warned] = {}
    for event in events:
        if event.kind not in {"raise", "escalate", "step_down", "clear"}:
            continue
        warned = found.get(event.episode)
        if warned is None:
            if event.kind != "raise":
                continue
            warned = found[event.episode] = Warned(event.station, event.measure, event.rule)
        warned.steps.append(
            Step(
                event.time_us,
                event.kind,
                _level(event, warned),
                event.value,
                event.window_min,
                event.audience,
                event.reason,
            )
        )
    return sorted(found.values(), key=lambda each: (each.raised_us, each.station, each.measure))


def _level(event: Event, warned: Warned) -> int:
    """Level in force after an event; telling the public of a lower one changes nothing."""
    if event.kind == "escalate" and warned.steps:
        return max(event.level, warned.steps[-1].level)
    return 0 if event.kind == "clear" else event.level


def spans(
    warnings: Iterable[Warned],
    end_us: int,
    *,
    measure: str | None = None,
    level: int = 1,
    public: bool = False,
) -> list[Span]:
    """When stations were warned: by a measure, from a level on, or as far as residents knew."""
    found = []
    for each in warnings:
        if measure is not None and each.measure != measure:
            continue
        begin = each.public_us if public else each.from_level(level)
        if begin is not None:
            found.append(Span(each.station, begin, each.cleared_us or max(end_us, begin)))
    return found


def incidents(found: Iterable[Span]) -> list[list[Span]]:
    """Spans put together that overlap or nearly do, anywhere in the city."""
    groups: list[list[Span]] = []
    end = 0
    for span in sorted(found, key=lambda each: (each.begin_us, each.end_us, each.station)):
        if groups and span.begin_us <= end + JOIN_US:
            groups[-1].append(span)
        else:
            groups.append([span])
            end = span.end_us
        end = max(end, span.end_us)
    return groups


def score(found: Sequence[Span], happened: Sequence[Happened], tolerance_us: int) -> Score:
    """Hit: a span of its station (of any, where it names none) that was in force at some time from
    `tolerance_us` before it began to `tolerance_us` after it ended. False alarm: an incident without one."""  # noqa: D205, D209 - one thought
    used: set[int] = set()
    outcomes = []
    groups = incidents(found)
    for each in happened:
        lead: int | None = None
        for number, group in enumerate(groups):
            mine = [
                span
                for span in group
                if each.station in {"", span.station}
                and span.begin_us <= each.end_us + tolerance_us
                and span.end_us >= each.begin_us - tolerance_us
            ]
            if mine:
                used.add(number)
                first = each.begin_us - min(span.begin_us for span in mine)
                lead = first if lead is None else max(lead, first)
        outcomes.append(Outcome(each, lead is not None, lead))
    hits = sum(each.hit for each in outcomes)
    return Score(len(groups), hits, len(outcomes) - hits, len(groups) - len(used), tuple(outcomes))


def agreement(found: Sequence[Span], places: Mapping[str, tuple[float, float] | None]) -> Agreement:
    """Share of spans whose begin lies within 30 min of one of a neighbour's.

    Neighbours are the stations within 5 km, and every other one where a place (latitude, longitude) is not
    known. `places` names all stations that report: one that never warns disagrees.
    """
    near = {
        one: {other for other in places if other != one and _near(places[one], places[other])}
        for one in {span.station for span in found}
    }
    ordered = sorted(found, key=lambda each: each.begin_us)
    begins = [each.begin_us for each in ordered]
    agreed = 0
    for span in ordered:
        low = bisect.bisect_left(begins, span.begin_us - WITNESS_US)
        high = bisect.bisect_right(begins, span.begin_us + WITNESS_US)
        agreed += any(other.station in near[span.station] for other in ordered[low:high])
    return Agreement(len(found), agreed, sum(not near[span.station] for span in found))


def _near(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    if one is None or other is None:
        return True
    north = math.radians(other[0] - one[0])
    east = math.radians(other[1] - one[1]) * math.cos(math.radians((one[0] + other[0]) / 2))
    return _EARTH_KM * math.hypot(north, east) <= WITNESS_KM


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
