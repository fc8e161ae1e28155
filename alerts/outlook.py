"""What a level gauge is heading for, as people and the API see it: immutable, made on demand."""

from dataclasses import dataclass

import numpy as np

from alerts.kernels import rise
from alerts.kernels.basin import filling
from alerts.kernels.rise import Confidence
from alerts.kernels.rise_plan import RisePlan
from alerts.kernels.rows import Rows

_WINDOWS_AN_HOUR = 2


@dataclass(frozen=True, slots=True)
class MarkOutlook:
    """A mark (cm), whether it is in force, minutes to it (earlier, later), None: no rise to speak of."""

    number: int
    cm: float
    reached: bool
    minutes: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Wave:
    """A mark that a wave from upstream brings, with its first and last arrival, µs since the epoch."""

    mark: int
    first_us: int
    last_us: int


@dataclass(frozen=True, slots=True)
class SpillwayOutlook:
    """A spillway (cm) and the minutes to its overflow; (0, 0): it overflows, None: not ahead."""

    name: str
    cm: float
    minutes: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class BasinOutlook:
    """A retention basin: m³ in it, share of what it holds up to its lowest spillway, inflow m³/s."""

    id: str
    name: str
    fictitious: bool
    volume: float
    share: float
    inflow: float | None
    spillways: tuple[SpillwayOutlook, ...]


@dataclass(frozen=True, slots=True)
class LevelOutlook:
    """One level gauge at its newest reading (cm above gauge zero).

    `rate` cm per hour, None with fewer than two readings that count; `rising`: more than noise. `place` tells
    several gauges of a station apart. `least_rate`: slower than this, cm per hour, is about steady.
    """

    station: str
    place: str
    time_us: int
    level: float
    rate: float | None
    confidence: Confidence | None
    rising: bool
    least_rate: float
    marks: tuple[MarkOutlook, ...]
    wave: Wave | None
    basin: BasinOutlook | None


def outlooks(rows: Rows, plan: RisePlan, station: str | None) -> tuple[LevelOutlook, ...]:
    """The outlook of every gauge that has been heard, or of those of one station."""
    slots = [
        slot
        for slot, subject in enumerate(plan.expected.subjects)
        if station in {None, subject.station} and rows["time"][slot, -1]
    ]
    return tuple(_outlook(rows[slot], plan, slot) for slot in slots)


def _outlook(row: np.void, plan: RisePlan, slot: int) -> LevelOutlook:
    ahead, subject = plan.expected, plan.expected.subjects[slot]
    times, values = rise.samples(row["time"], row["value"])
    least = float(ahead.least[slot])
    now = rise.estimate(times, values, least)
    rising = now is not None and now.real(least)
    announced, last = int(row["announced"]), int(row["arrival"][1])
    waits = announced > row["reached"] and times[-1] <= last
    return LevelOutlook(
        station=subject.station,
        place=subject.place,
        time_us=times[-1],
        level=values[-1],
        rate=now.rate * 60 if now else None,
        confidence=now.confidence if now else None,
        rising=rising,
        least_rate=least * _WINDOWS_AN_HOUR,
        marks=tuple(
            MarkOutlook(
                number,
                float(mark),
                number <= int(row["reached"]),
                now.minutes_to(float(mark)) if now is not None and rising else None,
            )
            for number, mark in enumerate(ahead.marks[slot], 1)
            if not np.isnan(mark)
        ),
        wave=Wave(announced, int(row["arrival"][0]), last) if waits else None,
        basin=_basin(plan, slot, times, values),
    )


def _basin(plan: RisePlan, slot: int, times: list[int], values: list[float]) -> BasinOutlook | None:
    curves = plan.basin.curves[slot]
    if curves is None:
        return None
    now = filling(curves, times, values, plan.basin.rules[slot].rise_cm)
    if now is None:
        return None
    each = curves.basin
    return BasinOutlook(
        id=each.id,
        name=each.name,
        fictitious=each.fictitious,
        volume=now.volume,
        share=now.share,
        inflow=now.inflow,
        spillways=tuple(
            SpillwayOutlook(spillway.name, spillway.level_cm, minutes)
            for spillway, minutes in zip(each.spillways, now.overflow, strict=True)
        ),
    )
