"""Which series counts for which site and which car park, and by what rule.

As in alerts/kernels/plan.py: every series of the properties taken here has its slot whether a rule covers it
or not, so that slots keep their meaning, and so does the state behind them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import cache

import numpy as np

from alerts.kernels.checks import quality_plan
from alerts.kernels.curve import CurvePlan
from alerts.kernels.plan import Place, ints, slots_of
from alerts.kernels.quality import QualityPlan
from alerts.kostra.kostra import Kostra
from alerts.mobility.car_park import ParkingPlan
from alerts.mobility.counted import Site
from alerts.mobility.counting import CountsPlan
from alerts.mobility.parking_plan import parking_plan, parking_series
from alerts.rule_kinds import Counts
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.properties import observed_properties
from devices.registry import Registry
from ingest.reading import Series

_INTERVAL = "_interval"
_COUNT_INTERVAL_US = 900_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Every kernel's plan, and the page keys of its rows: series numbers, stations for car parks."""

    series: int
    quality: QualityPlan
    quality_keys: Sequence[str]
    parking: ParkingPlan
    parking_keys: Sequence[str]
    counts: CountsPlan
    counts_keys: Sequence[str]


def make_plan(
    rules: Rules,
    registry: Registry,
    series: Sequence[Series],
    catalogue: Mapping[str, DeviceType],
    zone: tzinfo = UTC,
) -> Plan:
    """The plan for the series the journal knows; `zone`: whose nights those of the car parks are."""
    place = Place(rules, registry, catalogue, series, Kostra())
    counted = counted_properties()
    of_parking = parking_series(series)
    of_counts = [n for n, each in enumerate(series) if each.property in counted]
    judged = [n for n in sorted({*of_parking, *of_counts}) if rules.judges(series[n].property)]
    return Plan(
        series=len(series),
        quality=quality_plan(place, judged),
        quality_keys=[str(n) for n in judged],
        parking=parking_plan(place, of_parking, zone),
        parking_keys=[str(n) for n in of_parking],
        counts=_counts(place, of_counts),
        counts_keys=[str(n) for n in of_counts],
    )


def _counts(place: Place, numbers: Sequence[int]) -> CountsPlan:
    series = place.series
    cumulative = {
        (series[n].station, series[n].dev_eui, series[n].property, series[n].channel) for n in numbers
    }
    rules = [place.rules.of(Counts, series[n].station) for n in numbers]
    sites: list[Site | None] = []
    for n, rule in zip(numbers, rules, strict=True):
        each = series[n]
        name = each.property.removesuffix(_INTERVAL)
        twice = name != each.property and (each.station, each.dev_eui, name, each.channel) in cumulative
        gone = rule is None or twice or not place.stands(n)
        sites.append(None if gone else Site(each.station, name, each.channel))
    return CountsPlan(
        slot_of=slots_of(len(series), numbers, [site is not None for site in sites]),
        curves=CurvePlan(
            counter=np.array([not series[n].property.endswith(_INTERVAL) for n in numbers], np.bool_),
            interval_us=ints(place.interval_us(n) or _COUNT_INTERVAL_US for n in numbers),
            cap=ints(rule.max_per_min if rule else 0 for rule in rules),
            modulus=ints(place.modulus(n, 1) for n in numbers),
            own_phase=False,
        ),
        sites=sites,
    )


@cache
def counted_properties() -> frozenset[str]:
    """Observed properties that are counted."""
    return frozenset(
        name
        for name, each in observed_properties().items()
        if each.theme == "traffic" and each.kind in {"counter", "count"}
    )
