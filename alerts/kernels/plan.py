"""Which series goes to which slot of which kernel, and by what rule.

A plan is a function of rules, registry, catalogue and the journal's list of series. That list only grows, and
every series of a kernel's properties has its slot whether a rule covers it or not: slots keep their meaning
when rules or registry change, and so does the state behind them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.event import Audience
from alerts.kernels import rain
from alerts.kernels.curve_row import CurvePlan
from alerts.kernels.level import MARKS, LevelPlan, LevelRule
from alerts.kernels.rain import RainPlan, RainRule
from alerts.kernels.rows import Ints, Slots
from alerts.kostra.kostra import DepthTable, Kostra
from alerts.lifecycle import Subject
from alerts.rule_kinds import DwdRain, Sri, WaterLevel
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.registry import InstalledDevice, Registry
from ingest.reading import Series

RAIN_COUNTER, RAIN_DEPTH = "precipitation_total", "precipitation"
LEVEL = "water_level"

_MINUTE_US = 60_000_000
_MAX_MM_PER_MIN = 20.0
_DRY_RULE = RainRule(calm=0, calm_time=0, step_time=0, rearm=0)


@dataclass(frozen=True, slots=True)
class Plan:
    """Every kernel's plan, and the page keys of its rows: series numbers."""

    series: int
    rain: RainPlan
    rain_keys: Sequence[str]
    level: LevelPlan
    level_keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class Place:
    """What a plan is made from."""

    rules: Rules
    registry: Registry
    catalogue: Mapping[str, DeviceType]
    series: Sequence[Series]
    kostra: Kostra

    def device(self, number: int) -> InstalledDevice | None:
        """The installed device of a series."""
        return self.registry.devices.get(self.series[number].dev_eui)

    def stands(self, number: int) -> bool:
        """Whether its device is installed at its station now."""
        device = self.device(number)
        return device is not None and device.station == self.series[number].station

    def watched(self, number: int) -> bool:
        """Whether its device stands there and its silence says something about it."""
        device = self.device(number)
        return device is not None and device.watched and self.stands(number)

    def type(self, number: int) -> DeviceType | None:
        """Its device type."""
        device = self.device(number)
        return self.catalogue.get(device.type) if device else None

    def interval_us(self, number: int) -> int:
        """Between its readings: as installed, else the type's usual, else 0."""
        device, type_ = self.device(number), self.type(number)
        seconds = (device.interval_s if device else None) or (type_.interval_s if type_ else 0)
        return round(seconds * 1_000_000)

    def depths(self, number: int) -> DepthTable | None:
        """The KOSTRA table of its station's place."""
        station = self.registry.stations.get(self.series[number].station)
        return self.kostra.of(station.lat, station.lon) if station else None

    def modulus(self, number: int, scale: int) -> int:
        """Where its counter wraps, 0 unknown."""
        type_ = self.type(number)
        return round(type_.wraps.get(self.series[number].property, 0) * scale) if type_ else 0


def make_plan(
    rules: Rules,
    registry: Registry,
    series: Sequence[Series],
    catalogue: Mapping[str, DeviceType],
    kostra: Kostra,
) -> Plan:
    """The plan for the series the journal knows."""
    place = Place(rules, registry, catalogue, series, kostra)
    of_rain = [n for n, each in enumerate(series) if each.property in {RAIN_COUNTER, RAIN_DEPTH}]
    of_level = [n for n, each in enumerate(series) if each.property == LEVEL]
    return Plan(
        series=len(series),
        rain=_rain(place, of_rain),
        rain_keys=[str(n) for n in of_rain],
        level=_level(place, of_level),
        level_keys=[str(n) for n in of_level],
    )


def _rain(place: Place, numbers: Sequence[int]) -> RainPlan:
    series = place.series
    counters = {(series[n].station, series[n].dev_eui) for n in numbers if series[n].property == RAIN_COUNTER}
    rules = [place.rules.of(DwdRain, series[n].station) for n in numbers]
    sri_rules = [place.rules.of(Sri, series[n].station) for n in numbers]
    # a device that counts the running total repeats itself with the depth of an interval
    used = [
        (rule is not None or sri is not None)
        and (series[n].property == RAIN_COUNTER or (series[n].station, series[n].dev_eui) not in counters)
        for n, rule, sri in zip(numbers, rules, sri_rules, strict=True)
    ]
    interval = np.array([place.interval_us(n) for n in numbers], np.int64)
    gauges = gauge_names(series, numbers)
    kinds = [
        (int(us) / _MINUTE_US, rule is not None, place.depths(n) if sri else None)
        for n, us, rule, sri in zip(numbers, interval, rules, sri_rules, strict=True)
    ]
    variants = list(dict.fromkeys(kinds)) or [(0.0, False, None)]
    number = {kind: index for index, kind in enumerate(variants)}
    limits = [rain.limits(minutes) if dwd else rain.no_limits() for minutes, dwd, _ in variants]
    bounds = [rain.bounds(minutes, table) for minutes, _, table in variants]
    lowest = [rain.lowest(dwd, sri) for dwd, sri in zip(limits, bounds, strict=True)]
    endings, sri_endings = _endings(rules), _endings(sri_rules)
    return RainPlan(
        slot_of=slots_of(len(series), numbers, used),
        curves=CurvePlan(
            counter=np.array([series[n].property == RAIN_COUNTER for n in numbers], np.bool_),
            interval_us=interval,
            cap=ints((rule.max_mm_per_min if rule else _MAX_MM_PER_MIN) * rain.UM_PER_MM for rule in rules),
            modulus=ints(place.modulus(n, rain.UM_PER_MM) for n in numbers),
            own_phase=True,
        ),
        variant=ints(number[kind] for kind in kinds),
        limits=np.ascontiguousarray(np.stack(limits).transpose(3, 0, 1, 2)),
        bounds=np.ascontiguousarray(np.stack(bounds).transpose(2, 0, 1)),
        lowest=np.stack(lowest),
        gates=np.stack([rain.gates(each) for each in lowest]),
        tables=[table for _, _, table in variants],
        known=np.array([table is not None for _, _, table in variants], np.bool_),
        rules=endings,
        sri_rules=sri_endings,
        endings=np.array(
            [
                [(each.calm, each.calm_time, each.step_time, each.rearm) for each in both]
                for both in zip(endings, sri_endings, strict=True)
            ],
            np.int64,
        ).reshape(-1, 2, 4),
        subjects=[
            [
                *(
                    Subject(series[n].station, gauges[n], measure, *_of_rule(place, rule, measure))
                    for measure in rain.MEASURES
                ),
                Subject(
                    series[n].station,
                    gauges[n],
                    rain.SRI_MEASURE,
                    *_of_rule(place, sri, rain.SRI_MEASURE),
                ),
            ]
            for n, rule, sri in zip(numbers, rules, sri_rules, strict=True)
        ],
    )


def _level(place: Place, numbers: Sequence[int]) -> LevelPlan:
    series = place.series
    rules = [place.rules.of(WaterLevel, series[n].station) for n in numbers]
    marks = np.full((len(numbers), MARKS), np.nan)
    for slot, (n, rule) in enumerate(zip(numbers, rules, strict=True)):
        station = place.registry.stations.get(series[n].station)
        stages = rule.marks_of(station) if rule else ()
        if rule:
            marks[slot, : len(stages[:MARKS])] = stages[:MARKS]
    gauges = gauge_names(series, numbers)
    return LevelPlan(
        slot_of=slots_of(len(series), numbers, (~np.isnan(marks[:, 0])).tolist()),
        marks=marks,
        rules=[
            LevelRule(rule.hysteresis_cm, rule.hysteresis_percent, round(rule.hold_min * _MINUTE_US))
            if rule
            else LevelRule(0, 0, 0)
            for rule in rules
        ],
        subjects=[
            Subject(series[n].station, gauges[n], LEVEL, *_of_rule(place, rule, LEVEL))
            for n, rule in zip(numbers, rules, strict=True)
        ],
    )


def _endings(rules: Sequence[DwdRain | Sri | None]) -> list[RainRule]:
    made: dict[str, RainRule] = {}
    for rule in rules:
        name = rule.id if rule else ""
        if name not in made:
            made[name] = _rain_rule(rule)
    return [made[rule.id if rule else ""] for rule in rules]


def _rain_rule(rule: DwdRain | Sri | None) -> RainRule:
    if rule is None:
        return _DRY_RULE
    return RainRule(
        calm=round(rule.calm_mm * rain.UM_PER_MM),
        calm_time=round(rule.calm_min * _MINUTE_US),
        step_time=round(rule.step_min * _MINUTE_US),
        rearm=round(rule.rearm_mm * rain.UM_PER_MM),
    )


def _of_rule(
    place: Place, rule: DwdRain | Sri | WaterLevel | None, measure: str
) -> tuple[str, Mapping[int, Audience]]:
    return (rule.id, place.rules.audience(rule, measure)) if rule else ("", {})


def gauge_names(series: Sequence[Series], numbers: Sequence[int]) -> Mapping[int, str]:
    """Name of each series' gauge: its station, from the second device there on with its number.

    It follows the journal's numbers alone: an episode keeps its id whatever becomes of the other devices.
    """
    devices: dict[str, list[str]] = {}
    names: dict[int, str] = {}
    for n in numbers:
        each = series[n]
        here = devices.get(each.station)
        if here is None:
            devices[each.station] = [each.dev_eui]
            names[n] = each.station
            continue
        if each.dev_eui not in here:
            here.append(each.dev_eui)
        rank = here.index(each.dev_eui) + 1
        names[n] = each.station if rank == 1 else f"{each.station}.{rank}"
    return names


def slots_of(count: int, numbers: Sequence[int], used: Sequence[bool]) -> Slots:
    """Slot of every series, -1 for those the kernel does not take."""
    slots = np.full(count, -1, np.int64)
    slots[np.array(numbers, np.int64)] = np.where(np.array(used, np.bool_), np.arange(len(numbers)), -1)
    return slots


def ints(values: Iterable[float]) -> Ints:
    """Rounded, as an array."""
    return np.array([round(value) for value in values], np.int64)
