"""Plans of what looks ahead: expected marks, waves from upstream, retention basins."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.catchments import Catchments, Reach
from alerts.event import Audience
from alerts.kernels import basin, expected
from alerts.kernels.basin import BasinPlan, BasinRule, Curves
from alerts.kernels.expected import Below, ExpectedPlan
from alerts.kernels.level import MARKS
from alerts.kernels.plan import LEVEL, Plan, gauge_names, slots_of
from alerts.kernels.rain_seen import RainSeenPlan
from alerts.lifecycle import Subject
from alerts.rule_kinds import BasinOverflow, WaterLevel
from alerts.rules import Rules
from devices.registry import Registry
from ingest.reading import Series

_MINUTE_US = 60_000_000
_LEAST_CM = 10.0


@dataclass(frozen=True, slots=True)
class RisePlan:
    """The plans, and the page keys of the rows of levels: the numbers of all water-level series."""

    expected: ExpectedPlan
    basin: BasinPlan
    rain: RainSeenPlan
    keys: Sequence[str]


def make_rise_plan(
    rules: Rules,
    registry: Registry,
    series: Sequence[Series],
    catchments: Catchments,
    plan: Plan,
) -> RisePlan:
    """The plans for the series the journal knows; `plan` has the marks and rain series of the same slots."""
    numbers = [n for n, each in enumerate(series) if each.property == LEVEL]
    gauges = gauge_names(series, numbers)
    own = [rules.of(WaterLevel, series[n].station) for n in numbers]
    stands = [
        (device := registry.devices.get(series[n].dev_eui)) is not None
        and device.station == series[n].station
        for n in numbers
    ]
    slots: dict[str, list[int]] = {}
    for slot, n in enumerate(numbers):
        if stands[slot]:
            slots.setdefault(series[n].station, []).append(slot)
    names = [catchments.of(each.station).id for each in series]
    number = {name: index for index, name in enumerate(dict.fromkeys(names))}
    below: dict[int, list[Below]] = {}
    for (upstream, downstream), (fastest, slowest) in travel_times(catchments.reaches).items():
        for slot, other in itertools.product(slots.get(upstream, ()), slots.get(downstream, ())):
            times = round(fastest * _MINUTE_US), round(slowest * _MINUTE_US)
            below.setdefault(slot, []).append(Below(other, *times))
    return RisePlan(
        expected=ExpectedPlan(
            slot_of=slots_of(len(series), numbers, [True] * len(numbers)),
            marks=plan.level.marks,
            lead_min=np.array([rule.lead_min if rule else 0.0 for rule in own]),
            least=np.array([rule.rise_cm if rule else _LEAST_CM for rule in own]),
            hold=np.array([round(rule.hold_min * _MINUTE_US) if rule else 0 for rule in own], np.int64),
            catchment=np.array([number[names[n]] for n in numbers], np.int64),
            below=below,
            subjects=[
                Subject(
                    series[n].station,
                    gauges[n],
                    expected.MEASURE,
                    rule.id if rule else "",
                    _told(rules, rule) if rule else {},
                )
                for n, rule in zip(numbers, own, strict=True)
            ],
        ),
        basin=_basins(rules, series, numbers, gauges, catchments),
        rain=RainSeenPlan(
            counter=plan.rain.curves.counter,
            catchment=np.array([number[names[int(key)]] for key in plan.rain_keys], np.int64),
            catchments=len(number),
        ),
        keys=[str(n) for n in numbers],
    )


def _told(rules: Rules, rule: WaterLevel) -> Mapping[int, Audience]:
    own = rule.expected_audience
    return rules.scale.audiences(expected.MEASURE) if own is None else dict.fromkeys(range(1, MARKS + 1), own)


def travel_times(reaches: Sequence[Reach]) -> Mapping[tuple[str, str], tuple[float, float]]:
    """Minutes (fastest, slowest) from every station to each one below it, over as many reaches as it takes.

    Of several ways the fastest of the fast and the slowest of the slow counts; a circle is followed once.
    """
    found: dict[tuple[str, str], tuple[float, float]] = {}

    def follow(source: str, station: str, passed: tuple[float, float], seen: frozenset[str]) -> None:
        for reach in reaches:
            if reach.upstream != station or reach.downstream in seen:
                continue
            times = (passed[0] + reach.travel_min[0], passed[1] + reach.travel_min[1])
            known = found.get((source, reach.downstream), times)
            found[source, reach.downstream] = (min(known[0], times[0]), max(known[1], times[1]))
            follow(source, reach.downstream, times, seen | {reach.downstream})

    for source in dict.fromkeys(reach.upstream for reach in reaches):
        follow(source, source, (0.0, 0.0), frozenset({source}))
    return found


def _basins(
    rules: Rules,
    series: Sequence[Series],
    numbers: Sequence[int],
    gauges: Mapping[int, str],
    catchments: Catchments,
) -> BasinPlan:
    at = {each.station: each for each in catchments.basins}
    own = [rules.of(BasinOverflow, series[n].station) for n in numbers]
    here = [at.get(series[n].station) if rule else None for n, rule in zip(numbers, own, strict=True)]
    return BasinPlan(
        here=np.array([each is not None for each in here], np.bool_),
        curves=[Curves(each) if each else None for each in here],
        rules=[
            BasinRule(rule.hysteresis_cm, rule.rise_cm, rule.lead_min, round(rule.hold_min * _MINUTE_US))
            if rule
            else BasinRule(0, 0, (0, 0, 0), 0)
            for rule in own
        ],
        subjects=[
            Subject(
                series[n].station,
                gauges[n],
                basin.MEASURE,
                rule.id if rule else "",
                rules.audience(rule, basin.MEASURE) if rule else {},
            )
            for n, rule in zip(numbers, own, strict=True)
        ],
    )
