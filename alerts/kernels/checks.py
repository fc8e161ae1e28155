"""Plans of the quality tests and the watchdog: which series and devices have which limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from alerts.kernels import rain
from alerts.kernels.level import MARKS
from alerts.kernels.neighbour_plan import make_neighbour_plan, rain_series
from alerts.kernels.neighbour_test import NeighbourPlan
from alerts.kernels.plan import LEVEL, RAIN_COUNTER, RAIN_DEPTH, Place, gauge_names, slots_of
from alerts.kernels.quality import QualityPlan
from alerts.kernels.rows import Floats
from alerts.kostra.kostra import Kostra
from alerts.lifecycle import Subject
from alerts.rule_kinds import DwdRain, QualityRule, Watchdog, WaterLevel
from alerts.rules import Rules
from alerts.watch.watchdog import WatchPlan
from devices.catalogue import DeviceType
from devices.registry import Registry
from ingest.reading import Series

_MINUTE_US = 60_000_000
_HOUR_US = 60 * _MINUTE_US
_GAP_INTERVALS = 2.5
GAUGED = frozenset({LEVEL, RAIN_COUNTER, RAIN_DEPTH})
"""What gauges measure: without it the network is blind."""


@dataclass(frozen=True, slots=True)
class Checks:
    """The plans, and the page keys of their rows: series numbers; for a device its first."""

    quality: QualityPlan
    quality_keys: Sequence[str]
    neighbours: NeighbourPlan
    neighbour_keys: Sequence[str]
    watch: WatchPlan
    watch_keys: Sequence[str]


def make_checks(
    rules: Rules, registry: Registry, series: Sequence[Series], catalogue: Mapping[str, DeviceType]
) -> Checks:
    """The plans for the series the journal knows."""
    place = Place(rules, registry, catalogue, series, Kostra())
    judged = [n for n, each in enumerate(series) if rules.judges(each.property)]
    first: dict[tuple[str, str], int] = {}
    for n, each in enumerate(series):
        first.setdefault((each.dev_eui, each.station), n)
    return Checks(
        quality=quality_plan(place, judged),
        quality_keys=[str(n) for n in judged],
        neighbours=make_neighbour_plan(place),
        neighbour_keys=[str(n) for n in rain_series(place)],
        watch=_watch(place, first),
        watch_keys=[str(n) for n in first.values()],
    )


def quality_plan(place: Place, numbers: Sequence[int]) -> QualityPlan:
    """The plan of the quality tests for some series."""
    series = place.series
    rules = [place.rules.quality(series[n].station, series[n].property) for n in numbers]
    interval = [place.interval_us(n) for n in numbers]
    rise = _limits([rule.rise if rule else None for rule in rules])
    fall = _limits([rule.fall if rule else None for rule in rules])
    rate = _limits([rule.rate_per_min if rule else None for rule in rules])
    flat = _limits([rule.flat_h if rule else None for rule in rules])
    marks = np.full((len(numbers), MARKS), np.nan)
    for slot, n in enumerate(numbers):
        own = _marks(place, n)
        marks[slot, : len(own)] = own
    names = gauge_names(series, [n for n in numbers if series[n].property == LEVEL])
    rain_properties = {RAIN_COUNTER, RAIN_DEPTH}
    names = {**names, **gauge_names(series, [n for n in numbers if series[n].property in rain_properties])}
    level = np.array([series[n].property == LEVEL for n in numbers], np.bool_)
    return QualityPlan(
        slot_of=slots_of(len(series), numbers, [rule is not None for rule in rules]),
        lowest=-_limits([None if r is None or r.gross_min is None else -r.gross_min for r in rules]),
        highest=_limits([_highest(rule, us) for rule, us in zip(rules, interval, strict=True)]),
        rise=rise,
        fall=fall,
        rate=rate,
        flat=flat * _HOUR_US,
        gap=np.array([_GAP_INTERVALS * us or _HOUR_US for us in interval], np.float64),
        remembers=np.isfinite(rise) | np.isfinite(fall) | np.isfinite(rate) | np.isfinite(flat),
        marks=marks,
        first_level=np.where(level, 1, rain.LEVELS[0]),
        low=level & ~np.isnan(marks[:, 0]),
        heeds=level,
        hold=np.array([round(rule.hold_min * _MINUTE_US) if rule else 0 for rule in rules], np.int64),
        service=_service(place, numbers),
        subjects=[
            Subject(
                series[n].station, names.get(n, series[n].station), series[n].property, r.id if r else "", {}
            )
            for n, r in zip(numbers, rules, strict=True)
        ],
    )


def _marks(place: Place, number: int) -> Sequence[float]:
    """From which values on a rejected reading matters: the gauge's marks, or what alone is heavy rain."""
    each = place.series[number]
    if each.property == LEVEL:
        rule = place.rules.of(WaterLevel, each.station)
        station = place.registry.stations.get(each.station)
        stages = (rule.stages_cm if rule else None) or (station.stages_cm if station else ())
        return stages[:MARKS] if rule else ()
    if each.property == RAIN_DEPTH and place.rules.of(DwdRain, each.station):
        return rain.DWD_MM["dwd_starkregen"][60]
    return ()


def _highest(rule: QualityRule | None, interval_us: int) -> float | None:
    if rule is None:
        return None
    limits = [] if rule.gross_max is None else [rule.gross_max]
    if rule.depth_per_min is not None and interval_us:
        limits.append(rule.depth_per_min * interval_us / _MINUTE_US)
    return min(limits, default=None)


def _service(place: Place, numbers: Sequence[int]) -> np.ndarray[tuple[int, int, int], np.dtype[np.int64]]:
    windows = [
        [w for w in place.rules.maintenance if w.covers(place.series[n].station)]
        if place.rules.maintenance
        else []
        for n in numbers
    ]
    table = np.zeros((len(numbers), max(map(len, windows), default=0), 2), np.int64)
    for slot, own in enumerate(windows):
        for i, window in enumerate(own):
            table[slot, i] = _us(window.since), _us(window.until)
    return table


def _watch(place: Place, first: Mapping[tuple[str, str], int]) -> WatchPlan:
    series = place.series
    numbers = list(first.values())
    slot = {key: i for i, key in enumerate(first)}
    rules = [
        place.rules.of(Watchdog, series[n].station) or Watchdog(id="-", kind="watchdog") for n in numbers
    ]
    names = gauge_names(series, range(len(series)))
    gauges = {(each.dev_eui, each.station) for each in series if each.property in GAUGED}
    return WatchPlan(
        slot_of=np.array([slot[each.dev_eui, each.station] for each in series], np.int64),
        interval=np.array([place.interval_us(n) if place.watched(n) else 0 for n in numbers], np.int64),
        stale=np.array([rule.stale_intervals for rule in rules], np.float64),
        stale_in_rain=np.array([rule.stale_intervals_in_rain for rule in rules], np.float64),
        lost=np.array([rule.lost_intervals for rule in rules], np.float64),
        lost_least=np.array([round(rule.lost_min * _MINUTE_US) for rule in rules], np.int64),
        stations=[series[n].station for n in numbers],
        places=[names[n] for n in numbers],
        rules=[rule.id for rule in rules],
        devices=[series[n].dev_eui for n in numbers],
        gauge=np.array([(series[n].dev_eui, series[n].station) in gauges for n in numbers], np.bool_),
        of_gauge=np.array([each.property in GAUGED for each in series], np.bool_),
    )


def _limits(values: Sequence[float | None]) -> Floats:
    return np.array([np.inf if value is None else value for value in values], np.float64)


def _us(time: datetime) -> int:
    return round(time.timestamp()) * 1_000_000
