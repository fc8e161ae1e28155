"""Which series counts for which site and which car park, and by what rule.

As in alerts/kernels/plan.py: every series of the properties taken here has its slot whether a rule covers it
or not, so that slots keep their meaning, and so does the state behind them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from alerts.kernels.checks import quality_plan
from alerts.kernels.curve import CurvePlan
from alerts.kernels.plan import Place, ints, slots_of
from alerts.kernels.quality import QualityPlan
from alerts.kostra.kostra import Kostra
from alerts.mobility.counted import Site
from alerts.mobility.counting import CountsPlan
from alerts.mobility.parking import ENTRANCE, EXIT, SPACE, ParkingPlan
from alerts.rule_kinds import Counts, Parking
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.properties import observed_properties
from devices.registry import Registry
from ingest.reading import Series

SPACES = "parking_occupied"
VEHICLES = "vehicle_count"

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
    rules: Rules, registry: Registry, series: Sequence[Series], catalogue: Mapping[str, DeviceType]
) -> Plan:
    """The plan for the series the journal knows."""
    place = Place(rules, registry, catalogue, series, Kostra())
    counted = counted_properties()
    of_parking = [n for n, each in enumerate(series) if _role(each) is not None]
    of_counts = [n for n, each in enumerate(series) if each.property in counted]
    judged = [n for n in sorted({*of_parking, *of_counts}) if rules.judges(series[n].property)]
    return Plan(
        series=len(series),
        quality=quality_plan(place, judged),
        quality_keys=[str(n) for n in judged],
        parking=_parking(place, of_parking),
        parking_keys=[str(n) for n in of_parking],
        counts=_counts(place, of_counts),
        counts_keys=[str(n) for n in of_counts],
    )


def _parking(place: Place, numbers: Sequence[int]) -> ParkingPlan:
    series = place.series
    stations = list(dict.fromkeys(series[n].station for n in numbers))
    rules = {station: place.rules.of(Parking, station) for station in stations}
    known = {station: place.registry.stations.get(station) for station in stations}
    capacity = ints(
        -1 if (it := known[station]) is None or it.capacity is None else it.capacity for station in stations
    )
    expected = dict.fromkeys(stations, 0)
    for device in place.registry.devices.values():
        type_ = place.catalogue.get(device.type)
        if device.station in expected and type_ is not None and SPACES in type_.properties:
            expected[device.station] += 1
    role = ints(_role(series[n]) or SPACE for n in numbers)
    index = {station: park for park, station in enumerate(stations)}
    park = ints(index[series[n].station] for n in numbers)
    by_counters = np.zeros(len(stations), np.bool_)
    for number, station in enumerate(stations):
        roles = role[park == number]
        rule = rules[station]
        both = bool((roles == ENTRANCE).any() and (roles == EXIT).any() and capacity[number] >= 0)
        spaces = int((roles == SPACE).sum())
        source = rule.source if rule else "auto"
        by_counters[number] = both and (
            source == "counters" or (source == "auto" and (spaces == 0 or spaces < capacity[number]))
        )
    # a counter on a road is no car park
    covered = np.array([rules[series[n].station] is not None and place.stands(n) for n in numbers], np.bool_)
    used = covered & np.where(role == SPACE, ~by_counters[park], by_counters[park])
    return ParkingPlan(
        slot_of=slots_of(len(series), numbers, used.tolist()),
        role=role,
        park=park,
        modulus=ints(place.modulus(n, 1) for n in numbers),
        used=used,
        stations=stations,
        capacity=capacity,
        expected=ints(expected.values()),
        by_counters=by_counters,
        cap=ints(rule.max_per_min if rule else 0 for rule in rules.values()),
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


def _role(series: Series) -> int | None:
    if series.property == SPACES:
        return SPACE
    if series.property == VEHICLES:
        return {"in": ENTRANCE, "out": EXIT}.get(series.channel)
    return None


@cache
def counted_properties() -> frozenset[str]:
    """Observed properties that are counted."""
    return frozenset(
        name
        for name, each in observed_properties().items()
        if each.theme == "traffic" and each.kind in {"counter", "count"}
    )
