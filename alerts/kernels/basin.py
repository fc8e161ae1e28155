"""Retention basins: inflow from the rise, and the time to overflow; measure `basin`.

V(h) and the outlet's O(h) are the basin's curves, linear between their rows. With the net dV/dt from the last
readings (Theil-Sen over volumes, as in rise.py) the inflow is Q = dV/dt + O. From now on the basin is
integrated minute by minute, dV/dt = Q(t) - O(h(V)), twice: with the inflow as it is, and with one that goes
on growing exponentially as it grew from the first to the second half of the last 30 minutes (no faster than
to double in ten minutes, and no further than three doublings). The warning goes by the earlier time, people
are shown both.

Level 1: the lowest spillway overflows within the first of `lead` minutes and the basin rises; 2 and 3: within
the second and third; 4: a spillway overflows; told again when the second one does. Raised and escalated at
once. 4 ends below the spillway less hysteresis, the others when the estimate is a quarter above their
minutes; both when that has lasted for `hold`, by event time.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerts.catchments import Basin
from alerts.event import Event
from alerts.kernels import rise
from alerts.kernels.rows import Bools, Rows
from alerts.lifecycle import EPISODE, Episode, Finding, Subject

ROW = np.dtype([("judged", "<i8"), ("spilling", "u1"), ("over_since", "<i8"), ("episode", EPISODE.descr)])
"""Newest reading judged; spillways that overflow; since when less holds than is in force (0: it does not)."""

MEASURE = "basin"
OVERFLOWS = 4
HORIZON_MIN = 240
_KEPT = 1.25
_FASTEST = math.log(2) / 10
_MOST_GROWTH = 8.0
_HALF_MIN = 17.0
_SPAN_MIN = 32.0
_ENOUGH = 3
_MINUTE_US = 60_000_000
_Row = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curves:
    """A basin's curves. Below its first row a curve stays, above its last it goes on as between the last."""

    basin: Basin

    def volume(self, level: float) -> float:
        """m³ at a level (cm)."""
        return _along(self.basin.volume, level)

    def outlet(self, level: float) -> float:
        """m³/s that leave by the outlet at a level (cm); 0 without a rating."""
        return max(0.0, _along(self.basin.outlet, level)) if self.basin.outlet else 0.0

    @property
    def reference(self) -> str:
        """What the numbers rest on, in words that go with every warning."""
        return self.basin.name + (" (fiktive Kennlinie / fictitious curve)" if self.basin.fictitious else "")


@dataclass(frozen=True, slots=True)
class Filling:
    """A basin at its newest reading: cm, m³, m³/s.

    `share`: of the volume at the lowest spillway. `inflow`: None with fewer than two readings; `samples`:
    those it rests on. `rising`: more than noise, `climbs`: above the reading before. `overflow`: minutes to
    each spillway (earlier, later), (0, 0) when it overflows, None: not within four hours.
    """

    time_us: int
    level: float
    volume: float
    share: float
    inflow: float | None
    samples: int
    rising: bool
    climbs: bool
    overflow: tuple[tuple[float, float] | None, ...]


@dataclass(frozen=True, slots=True)
class BasinRule:
    """Hysteresis (cm), least rise (cm), minutes ahead for levels 1 to 3, hold (µs)."""

    hysteresis_cm: float
    rise_cm: float
    lead_min: tuple[float, float, float]
    hold: int


@dataclass(frozen=True, slots=True)
class BasinPlan:
    """Slots are all water-level series; those at a basin (`here`) have curves."""

    here: Bools
    curves: Sequence[Curves | None]
    rules: Sequence[BasinRule]
    subjects: Sequence[Subject]


def filling(curves: Curves, times: list[int], values: list[float], least_cm: float) -> Filling | None:
    """What the samples of a ring (see rise.samples) say about a basin; None without any."""
    if not times:
        return None
    basin, level = curves.basin, values[-1]
    volume = curves.volume(level)
    spills = [each.level_cm for each in basin.spillways]
    now = rise.estimate(times, values, least_cm)
    inflow, growth, rising = None, None, now is not None and now.real(least_cm)
    if now is not None:
        recent = sum(times[-1] - time <= _HALF_MIN * _MINUTE_US for time in times)
        first = len(times) - (recent if recent >= _ENOUGH else now.samples)
        volumes = [curves.volume(value) for value in values]
        outlet = sum(curves.outlet(value) for value in values[first:]) / (len(times) - first)
        inflow = max(0.0, rise.slope(times[first:], volumes[first:]) / 60 + outlet)
        growth = _growth(curves, times, values, volumes)
    overflow: list[tuple[float, float] | None] = []
    for spill in spills:
        if level >= spill:
            overflow.append((0.0, 0.0))
        elif not rising or inflow is None:
            overflow.append(None)
        else:
            steady = minutes_to(curves, volume, inflow, 0.0, spill)
            growing = minutes_to(curves, volume, *growth, spill) if growth else steady
            found = sorted(each for each in (steady, growing) if each is not None)
            # the later one is beyond the horizon: say at least that
            overflow.append(
                (found[0], found[-1] if len(found) > 1 else float(HORIZON_MIN)) if found else None
            )
    full = curves.volume(spills[0])
    return Filling(
        time_us=times[-1],
        level=level,
        volume=volume,
        share=volume / full if full > 0 else 0.0,
        inflow=inflow,
        samples=now.samples if now else 1,
        rising=rising,
        climbs=now is not None and now.last_step > 0,
        overflow=tuple(overflow),
    )


def minutes_to(curves: Curves, volume: float, inflow: float, growth: float, level: float) -> float | None:
    """Minutes until a basin with `volume` (m³) stands at `level` (cm), None beyond the horizon.

    `inflow` m³/s now, growing as e^(`growth` t) with t in minutes, to eight times at most. Integrated in
    steps of a minute.
    """
    target = curves.volume(level)
    backward = [(v, h) for h, v in curves.basin.volume]
    for minute in range(HORIZON_MIN):
        if volume >= target:
            return float(minute)
        net = inflow * min(math.exp(growth * (minute + 0.5)), _MOST_GROWTH) - curves.outlet(
            _along(backward, volume)
        )
        after = volume + 60 * net
        if after >= target:
            return minute + (target - volume) / (60 * net)
        volume = after
    return None


def step(  # noqa: PLR0911, PLR0913, PLR0917 - rows of two kinds and a reading; most of them end it early
    rows: Rows, plan: BasinPlan, ring: np.void, slot: int, time: int, value: float, since_us: int
) -> list[Event]:
    """Judge one reading (cm) that is in its `ring` (rise.RING); changes the row of its slot."""
    row, curves, rule = rows[slot], plan.curves[slot], plan.rules[slot]
    if curves is None or time <= row["judged"]:
        return []
    row["judged"] = time
    episode = Episode(row["episode"], plan.subjects[slot], since_us)
    spills = [each.level_cm for each in curves.basin.spillways]
    climbed = value - ring["value"][ring["time"] > 0].min()
    if not episode.level and value < spills[0] and climbed < rule.rise_cm:
        return []
    now = filling(curves, *rise.samples(ring["time"], ring["value"]), rule.rise_cm)
    if now is None:
        return []
    spilling = sum(value >= spill for spill in spills)
    wanted = _state(now, rule, 1.0)
    if spilling > row["spilling"] or (wanted > episode.level and now.climbs):
        row["spilling"], row["over_since"] = max(spilling, int(row["spilling"])), 0
        return [episode.rise(wanted, _finding(now, curves, spilling))]
    if not episode.level:
        return []
    high = row["spilling"] and value >= spills[0] - rule.hysteresis_cm
    kept = OVERFLOWS if high else _state(now, rule, _KEPT)
    if kept >= episode.level:
        row["over_since"] = 0
    elif not row["over_since"]:
        row["over_since"] = time
    elif time - row["over_since"] >= rule.hold:
        row["over_since"], row["spilling"] = 0, spilling
        minutes = rule.hold // _MINUTE_US
        return [episode.fall(wanted, _finding(now, curves, spilling, f"; so for {minutes} min"))]
    told = episode.tell(_finding(now, curves, spilling, "; still in force"))
    return [told] if told else []


def _state(now: Filling, rule: BasinRule, share: float) -> int:
    first = now.overflow[0]
    if first is None:
        return 0
    if first == (0.0, 0.0):
        return OVERFLOWS
    return sum(first[0] <= share * minutes for minutes in rule.lead_min)


def _finding(now: Filling, curves: Curves, spilling: int, more: str = "") -> Finding:
    words = [f"{now.level:g} cm, {now.share:.0%} of the volume at {curves.basin.spillways[0].name}"]
    if now.inflow is not None:
        words.append(f"inflow {now.inflow:.1f} m³/s")
    expected, cause = None, curves.basin.spillways[max(spilling, 1) - 1].name
    for spillway, to in zip(curves.basin.spillways, now.overflow, strict=True):
        if now.level >= spillway.level_cm:
            words.append(f"{spillway.name} overflows")
        elif to is not None:
            words.append(f"{spillway.name} in {to[0]:.0f} to {to[1]:.0f} min")
            if expected is None:
                expected, cause = to, spillway.name
    if curves.basin.fictitious:
        words.append("the basin's curve is fictitious")
    if now.samples < _ENOUGH:
        words.append("low confidence: two readings only")
    return Finding(
        now.time_us,
        None,
        now.level,
        ", ".join(words) + more,
        curves.reference,
        expected_min=expected,
        cause=cause,
    )


def _growth(
    curves: Curves, times: list[int], values: list[float], volumes: list[float]
) -> tuple[float, float] | None:
    """Inflow now (m³/s) and its growth per minute, by the halves of 30 minutes; None: unknown, or none."""
    age = [(times[-1] - time) / _MINUTE_US for time in times]
    late = [i for i, each in enumerate(age) if each <= _HALF_MIN]
    early = [i for i, each in enumerate(age) if _HALF_MIN - 4 <= each <= _SPAN_MIN]
    if len(late) < 2 or len(early) < 2:  # noqa: PLR2004 - a slope needs two
        return None

    def inflow(of: list[int]) -> tuple[float, float]:
        mean = sum(curves.outlet(values[i]) for i in of) / len(of)
        net = rise.slope([times[i] for i in of], [volumes[i] for i in of]) / 60
        return max(0.0, net + mean), (age[of[0]] + age[of[-1]]) / 2

    (before, at), (after, then) = inflow(early), inflow(late)
    if after <= before or at <= then:
        return None
    growth = min(math.log(after / before) / (at - then) if before > 0 else _FASTEST, _FASTEST)
    return after * math.exp(growth * then), growth


def _along(curve: _Row, x: float) -> float:
    """A curve's value, linear between its rows."""
    if x <= curve[0][0]:
        return curve[0][1]
    i = min(bisect_right(curve, (x, float("inf"))), len(curve) - 1)
    (x0, y0), (x1, y1) = curve[i - 1], curve[i]
    # two levels may have one volume
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0) if x1 > x0 else y1
