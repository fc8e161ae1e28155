"""Which series counts for which site and which car park, and by what rule.

As in alerts/kernels/plan.py: every series of the properties taken here has its slot whether a rule covers it
or not, so that slots keep their meaning, and so does the state behind them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

import numpy as np

from alerts.kernels.checks import quality_plan
from alerts.kernels.curve_row import WRAP_SHARE, CurvePlan
from alerts.kernels.plan import Place, ints, slots_of
from alerts.kernels.quality import QualityPlan
from alerts.kostra.kostra import Kostra
from alerts.mobility.car_park import ParkingPlan
from alerts.mobility.counted import Site, counted_properties
from alerts.mobility.counting import CountsPlan
from alerts.mobility.parking_plan import VEHICLES, parking_plan, parking_series
from alerts.mobility.roads import RoadsPlan, Streets, roads_plan
from alerts.mobility.speeds import SpeedsPlan
from alerts.mobility.standing import awaited, same_counters, stands
from alerts.rule_kinds import Counts
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.registry import Registry
from ingest.reading import Series

SPEED, SPEED_V85 = "vehicle_speed", "vehicle_speed_v85"

_EVENT = "_event"
_WAYS = ("", "_interval", _EVENT)
_COUNT_INTERVAL_US = 900_000_000
_HOUR_US = 3_600_000_000
SETTLE_US = 900_000_000
"""A count is settled when a quarter of an hour more than its device's interval has passed."""


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
    speeds: SpeedsPlan
    speeds_keys: Sequence[str]
    roads: RoadsPlan


def make_plan(  # noqa: PLR0913, PLR0917 - what the kernels are made from
    rules: Rules,
    registry: Registry,
    series: Sequence[Series],
    catalogue: Mapping[str, DeviceType],
    zone: tzinfo,
    streets: Streets,
) -> Plan:
    """The plan for the series the journal knows; `zone`: whose nights those of the car parks are."""
    place = Place(rules, registry, catalogue, series, Kostra())
    counted = counted_properties()
    of_parking = parking_series(series)
    of_counts = [n for n, each in enumerate(series) if each.property in counted]
    of_speeds = [n for n, each in enumerate(series) if each.property in {SPEED, SPEED_V85}]
    parks = parking_plan(place, of_parking, zone)
    counts = _counts(place, of_counts)
    speeds = _speeds(place, of_speeds, frozenset(counts.sites))
    judged = [n for n in sorted({*of_parking, *of_counts, *of_speeds}) if rules.judges(series[n].property)]
    return Plan(
        series=len(series),
        quality=quality_plan(place, judged),
        quality_keys=[str(n) for n in judged],
        parking=parks,
        parking_keys=[str(n) for n in of_parking],
        counts=counts,
        counts_keys=[str(n) for n in of_counts],
        speeds=speeds,
        speeds_keys=[str(n) for n in of_speeds],
        roads=roads_plan(
            streets, [_site(series[n]) for n in of_counts], counts, speeds, frozenset(parks.stations)
        ),
    )


def _counts(place: Place, numbers: Sequence[int]) -> CountsPlan:
    series = place.series
    best: dict[tuple[Site, str], int] = {}
    for n in numbers:
        key = _site(series[n]), series[n].dev_eui
        best[key] = min(best.get(key, len(_WAYS)), _way(series[n].property))
    rules = [place.rules.of(Counts, series[n].station) for n in numbers]
    # a device may repeat what its counter says as the count of an interval
    sites = [
        None
        if rule is None or _way(series[n].property) > best[_site(series[n]), series[n].dev_eui]
        else _site(series[n])
        for n, rule in zip(numbers, rules, strict=True)
    ]
    interval = [place.interval_us(n) for n in numbers]
    standing = [stands(place, n) for n in numbers]
    same = {
        slot: others
        for slot, others in same_counters(place, numbers).items()
        if _way(series[numbers[slot]].property) == 0
    }
    here = {site for site, there in zip(sites, standing, strict=True) if there}
    expected = awaited(place, counted_properties())
    return CountsPlan(
        slot_of=slots_of(len(series), numbers, [site is not None for site in sites]),
        curves=CurvePlan(
            counter=np.array([_way(series[n].property) == 0 for n in numbers], np.bool_),
            interval_us=ints(us or _COUNT_INTERVAL_US for us in interval),
            cap=ints(
                rule.most_per_min(series[n].property) if rule else 0
                for n, rule in zip(numbers, rules, strict=True)
            ),
            modulus=ints(place.modulus(n, 1) for n in numbers),
            own_phase=False,
            joins=True,
            wrap_share=WRAP_SHARE,
            at_once=np.array([_way(series[n].property) == _WAYS.index(_EVENT) for n in numbers], np.bool_),
        ),
        sites=sites,
        devices=[series[n].dev_eui for n in numbers],
        standing=np.array(standing, np.bool_),
        present=np.array(
            [
                site is not None
                and (
                    site in here
                    or any(expected.has(site.station, site.property + way, site.channel) for way in _WAYS)
                )
                for site in sites
            ],
            np.bool_,
        ),
        settle=ints(SETTLE_US + (us or _HOUR_US) for us in interval),
        same=same,
        turns=np.array([slot in same for slot in range(len(numbers))], np.bool_),
        line=ints(min(slot, *same.get(slot, [slot])) for slot in range(len(numbers))),
    )


def _speeds(place: Place, numbers: Sequence[int], counted: frozenset[Site | None]) -> SpeedsPlan:
    """A speed is that of the vehicles that are counted on the same channel."""
    series = place.series
    sites = [Site(series[n].station, VEHICLES, series[n].channel) for n in numbers]
    mine = [site if site in counted else None for site in sites]
    return SpeedsPlan(
        slot_of=slots_of(len(series), numbers, [site is not None for site in mine]),
        sites=mine,
        devices=[series[n].dev_eui for n in numbers],
        v85=np.array([series[n].property == SPEED_V85 for n in numbers], np.bool_),
        interval_us=np.minimum(ints(place.interval_us(n) or _COUNT_INTERVAL_US for n in numbers), _HOUR_US),
    )


def _way(name: str) -> int:
    """How an observed property counts: by a running total, by intervals, one by one."""
    return next((way for way, end in enumerate(_WAYS) if end and name.endswith(end)), 0)


def _site(series: Series) -> Site:
    return Site(series.station, series.property.removesuffix(_WAYS[_way(series.property)]), series.channel)
