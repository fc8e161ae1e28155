"""Who can bear witness for whom: the gauges near each other, and the levels and warnings of a catchment."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alerts.catchments import CITY, Catchments
from alerts.event import Audience
from alerts.kernels import rain
from alerts.kernels.plan import Plan
from alerts.kernels.rain import DWD_MM, LEVELS, MEASURES, WINDOWS_MIN
from alerts.kernels.rows import Bools, Floats, Ints, Slots
from alerts.kostra.kostra import DURATIONS_MIN
from alerts.rule_kinds import DwdRain, WaterLevel
from alerts.rules import Rules
from alerts.witnesses.rule import LevelWitness, RainWitness
from devices.registry import Registry
from ingest.reading import Series

OFFICIAL = "official_rain_warning"
"""Property of a public neighbour: the DWD level (0-4) of the official warning in force there."""
RAIN, LEVEL, OFFICER = 0, 1, 2
COLUMNS = tuple((window, level) for window in WINDOWS_MIN for level in LEVELS)
"""What a rain gauge can have seen: the share of this level's depth in this window (min)."""
SEEN = 0
"""Column of a level that reached a mark or is clearly rising."""

_EARTH_KM = 6371.0
_KINDS = {"precipitation_total": RAIN, "precipitation": RAIN, "water_level": LEVEL, OFFICIAL: OFFICER}
_GATES_MIN = tuple(DURATIONS_MIN[index] for index in rain.GATES)
_CITY = 0
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Party:
    """What an episode is about, as far as witnesses go. `slot`: of the series, in the WitnessPlan."""

    slot: int
    place: str
    measure: str
    rule: RainWitness | LevelWitness
    audience: Mapping[int, Audience]

    @property
    def rains(self) -> bool:
        """Whether it is a rain gauge."""
        return self.measure in MEASURES


@dataclass(frozen=True, slots=True)
class WitnessPlan:
    """Slots are all series of rain, level and official warnings, by kind; `used`: a kernel judges them.

    `of_rain`, `of_level`: the witness slot of a kernel's slot. `official`: of a series, -1 for others. Of
    rain: `needs` (slot, column) µm that a window must hold, `gates` the least of them by rain.GATES.
    `rise_cm`: what counts as rising. `catchment`: its number, 0 for the city as one.
    `parties`: by place and measure.
    """

    keys: Sequence[str]
    kind: Ints
    used: Bools
    stations: Sequence[str]
    catchment: Ints
    lat: Floats
    lon: Floats
    of_rain: Slots
    of_level: Slots
    official: Slots
    needs: Ints
    gates: Ints
    rise_cm: Floats
    parties: Mapping[str, Party]
    _near: dict[tuple[int, float], Slots]
    _kin: dict[tuple[int, float], Slots]

    def neighbours(self, slot: int, distance_km: float) -> Slots:
        """Other rain gauges within a distance, the nearest first; none where coordinates are not known."""
        key = (slot, distance_km)
        if key not in self._near:
            away = self._away(slot)
            near = (self.kind == RAIN) & self.used & (away <= distance_km)
            near[slot] = False
            found = near.nonzero()[0]
            self._near[key] = found[np.argsort(away[found], kind="stable")]
        return self._near[key]

    def kin(self, slot: int, distance_km: float) -> Slots:
        """Every other series of the same catchment; where none is configured, those within a distance (of
        unknown distance as well). Official warnings of no catchment are for all."""  # noqa: D205, D209 - one thought
        key = (slot, distance_km)
        if key not in self._kin:
            same: Bools = self.catchment == self.catchment[slot]
            if self.catchment[slot] == _CITY:
                same &= ~(self._away(slot) > distance_km) | (self.kind == OFFICER)
            same |= (self.kind == OFFICER) & (self.catchment == _CITY)
            same[slot] = False
            self._kin[key] = (same & self.used).nonzero()[0]
        return self._kin[key]

    def _away(self, slot: int) -> Floats:
        """Distance in km, NaN where unknown."""
        north = np.radians(self.lat - self.lat[slot])
        middle = np.radians((self.lat + self.lat[slot]) / 2)
        east = np.radians(self.lon - self.lon[slot]) * np.cos(middle)
        away: Floats = _EARTH_KM * np.hypot(north, east)
        return away


def make_witness_plan(
    rules: Rules,
    registry: Registry,
    catchments: Catchments,
    series: Sequence[Series],
    plan: Plan,
) -> WitnessPlan:
    """The plan for the series the journal knows."""
    rain_plan, level_plan = plan.rain, plan.level
    numbers = [n for n, each in enumerate(series) if each.property in _KINDS]
    slot = {n: index for index, n in enumerate(numbers)}
    kind = np.array([_KINDS[series[n].property] for n in numbers], np.int64)
    used = np.array(
        [
            series[n].property == OFFICIAL or rain_plan.slot_of[n] >= 0 or level_plan.slot_of[n] >= 0
            for n in numbers
        ],
        np.bool_,
    )
    stations = [series[n].station for n in numbers]
    places = [registry.stations.get(station) for station in stations]
    number = {CITY: _CITY} | {each.id: n for n, each in enumerate(catchments.catchments, 1)}
    catchment = {station: number[catchments.of(station).id] for station in dict.fromkeys(stations)}
    official = np.full(len(series), -1, np.int64)
    official[[n for n in numbers if series[n].property == OFFICIAL]] = np.flatnonzero(kind == OFFICER)
    rain_rules = {station: rules.of(DwdRain, station) for station in catchment}
    level_rules = {station: rules.of(WaterLevel, station) for station in catchment}
    needs = {
        station: _needs(rule.witness.share if rule else RainWitness().share)
        for station, rule in rain_rules.items()
    }
    rise = {
        station: (rule.witness if rule else LevelWitness()).rise_cm for station, rule in level_rules.items()
    }
    parties: dict[str, Party] = {}
    for n in numbers:
        station = series[n].station
        rule, mark_rule = rain_rules[station], level_rules[station]
        if rain_plan.slot_of[n] >= 0 and rule is not None:
            for subject in rain_plan.subjects[rain_plan.slot_of[n]][: len(MEASURES)]:
                key = f"{subject.place}.{subject.measure}"
                parties[key] = Party(slot[n], subject.place, subject.measure, rule.witness, subject.audience)
        elif level_plan.slot_of[n] >= 0 and mark_rule is not None:
            subject = level_plan.subjects[level_plan.slot_of[n]]
            key = f"{subject.place}.{subject.measure}"
            parties[key] = Party(slot[n], subject.place, subject.measure, mark_rule.witness, subject.audience)
    table = np.array([needs[station] for station in stations], np.int64).reshape(-1, len(COLUMNS))
    return WitnessPlan(
        keys=[str(n) for n in numbers],
        kind=kind,
        used=used,
        stations=stations,
        catchment=np.array([catchment[station] for station in stations], np.int64),
        lat=np.array([math.nan if p is None or p.lat is None else p.lat for p in places], np.float64),
        lon=np.array([math.nan if p is None or p.lon is None else p.lon for p in places], np.float64),
        of_rain=np.array([slot[n] for n in numbers if _KINDS[series[n].property] == RAIN], np.int64),
        of_level=np.array([slot[n] for n in numbers if _KINDS[series[n].property] == LEVEL], np.int64),
        official=official,
        needs=table,
        gates=_gates(table),
        rise_cm=np.array([rise[station] for station in stations], np.float64),
        parties=parties,
        _near={},
        _kin={},
    )


def _needs(share: float) -> list[int]:
    depth = {window: mm for windows in DWD_MM.values() for window, mm in windows.items()}
    return [
        math.ceil(share * depth[window][LEVELS.index(level)] * rain.UM_PER_MM) for window, level in COLUMNS
    ]


def _gates(needs: Ints) -> Ints:
    """What the sum up to each gate must hold before any window between it and the one before can."""
    gates = np.full((len(needs), len(_GATES_MIN)), _NEVER, np.int64)
    for column, (window, _) in enumerate(COLUMNS):
        gate = next(g for g, longest in enumerate(_GATES_MIN) if window <= longest)
        gates[:, gate] = np.minimum(gates[:, gate], needs[:, column])
    return gates
