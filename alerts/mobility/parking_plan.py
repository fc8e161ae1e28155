"""Which series tell what of which car park: one truth for each, by a fixed order of precedence."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

import numpy as np

from alerts.kernels.plan import Place, ints, slots_of
from alerts.kernels.rows import Ints, Slots
from alerts.mobility.car_park import (
    ENTRANCE,
    EXIT,
    FREE,
    LEARNED,
    MINUTE_US,
    RESERVED,
    SPACE,
    TAKEN,
    UNKNOWN,
    ParkingPlan,
)
from alerts.mobility.standing import awaited, same_counters, stands
from alerts.mobility.states import Reserved, Truth
from alerts.rule_kinds import Parking
from devices.registry import InstalledDevice
from ingest.reading import Series

SPACES = "parking_occupied"
OCCUPANCY = "parking_occupancy"
FREE_SPACES = "parking_free"
VEHICLES = "vehicle_count"

_SILENT_INTERVALS = 3
_SPACE_SILENT_US = 25 * 3_600_000_000
"""Of a space whose interval nobody knows: they report changes and, most of them, once a day."""
_OTHER_SILENT_US = 45 * MINUTE_US
_WINDOW_MIN = (15, 75)


@dataclass(frozen=True, slots=True)
class _Site:
    """One car park's series and what is known of it."""

    station: str
    slots: Sequence[int]
    rule: Parking | None
    capacity: int | None
    spaces: int
    reserved: dict[Reserved, int]


def parking_series(series: Sequence[Series]) -> list[int]:
    """Numbers of the series that car parks are told by."""
    return [n for n, each in enumerate(series) if _role(each, None) is not None]


def parking_plan(place: Place, numbers: Sequence[int], zone: tzinfo = UTC) -> ParkingPlan:
    """The plan for these series; nights are those of the zone.

    Of a car park the first that there is tells what is taken, unless the rule names another: single-space
    sensors where they are at least as many as the capacity, or where none is given; a barrier system;
    counters at entrance and exit, where there is a capacity; single-space sensors of some of the spaces.
    """
    series = place.series
    stations = list(dict.fromkeys(series[n].station for n in numbers))
    index = {station: park for park, station in enumerate(stations)}
    park = ints(index[series[n].station] for n in numbers)
    role = ints(_of(_role(series[n], place.device(n))) for n in numbers)
    slots: list[list[int]] = [[] for _ in stations]
    for slot in _telling(place, numbers, role):
        slots[park[slot]].append(slot)
    installed = _spaces(place)
    sites = [_site(place, station, mine, installed) for station, mine in zip(stations, slots, strict=True)]
    sources = [_source(site, role) for site in sites]
    effect = np.zeros(len(numbers), np.int64)
    members: list[list[int]] = []
    for site, source in zip(sites, sources, strict=True):
        mine = _members(site, source, role)
        for slot in mine:
            effect[slot] = _EFFECT[source].get(int(role[slot]), 0)
        members.append(mine)
    used = {slot for mine in members for slot in mine}
    tell = [[slot for slot in mine if effect[slot] and role[slot] != RESERVED] for mine in members]
    intervals = [place.interval_us(n) for n in numbers]
    whose = [_reserved(place.device(n)) for n in numbers]
    return ParkingPlan(
        slot_of=slots_of(len(series), numbers, [slot in used for slot in range(len(numbers))]),
        role=role,
        park=park,
        effect=effect,
        modulus=ints(place.modulus(n, 1) for n in numbers),
        silent_us=ints(_silent_us(us, int(role[slot])) for slot, us in enumerate(intervals)),
        stations=stations,
        source=sources,
        # a counter on a road is no car park
        shown=[site.rule is not None and bool(own) for site, own in zip(sites, tell, strict=True)],
        capacity=ints(
            max(site.spaces, len(own)) if site.capacity is None else site.capacity
            for site, own in zip(sites, tell, strict=True)
        ),
        sensors=ints(
            max(site.spaces, len(own)) if source == "spaces" else len(own)
            for site, source, own in zip(sites, sources, tell, strict=True)
        ),
        cap=ints(site.rule.max_per_min if site.rule else 0 for site in sites),
        window=ints(_window([intervals[slot] for slot in own]) for own in tell),
        night=ints(_night(site.rule) for site in sites),
        share=np.array([site.rule is not None and site.rule.samples == "share" for site in sites], np.bool_),
        tellers=[_slots(own) for own in tell],
        watched=[_slots(slot for slot in mine if role[slot] == SPACE) for mine in members],
        apart=[
            {
                kind: _slots(slot for slot in mine if role[slot] == RESERVED and whose[slot] == kind)
                for kind in _KINDS
            }
            for mine in members
        ],
        spaces_for=[site.reserved for site in sites],
        same=same_counters(place, numbers),
        zone=zone,
    )


def _telling(place: Place, numbers: Sequence[int], role: Ints) -> list[int]:
    """Slots whose devices are where they were; and of a gate or barrier that was exchanged the old one.

    As long as nobody there tells the same, and the new one was not heard: to the car park it is a sensor that
    has fallen silent.
    """
    told: dict[tuple[str, int], list[int]] = {}
    gone: dict[tuple[str, int], int] = {}
    expected = awaited(place, {VEHICLES, OCCUPANCY, FREE_SPACES})
    for slot, number in enumerate(numbers):
        series = place.series[number]
        key = series.station, int(role[slot])
        if stands(place, number):
            told.setdefault(key, []).append(slot)
        elif expected.has(series.station, series.property, series.channel):
            gone[key] = slot
    return sorted(
        [slot for slots in told.values() for slot in slots]
        + [slot for key, slot in gone.items() if key not in told]
    )


_EFFECT: dict[Truth, dict[int, int]] = {
    "spaces": {SPACE: 1},
    "barrier": {TAKEN: 1, FREE: 1},
    # counters count every car, and one that stands on a reserved space takes none of the others
    "counters": {ENTRANCE: 1, EXIT: -1, RESERVED: -1},
}


def _site(
    place: Place, station: str, slots: Sequence[int], installed: Counter[tuple[str, Reserved | None]]
) -> _Site:
    known = place.registry.stations.get(station)
    reserved: dict[Reserved, int] = {
        kind: installed[station, kind] for kind in _KINDS if installed[station, kind]
    }
    return _Site(
        station=station,
        slots=slots,
        rule=place.rules.of(Parking, station),
        capacity=known.capacity if known else None,
        spaces=installed[station, None],
        reserved=reserved,
    )


_KINDS: tuple[Reserved, ...] = ("disabled", "charging")


def _spaces(place: Place) -> Counter[tuple[str, Reserved | None]]:
    """How many spaces are watched, by station and for whom they are, whether or not they were ever heard."""
    found: Counter[tuple[str, Reserved | None]] = Counter()
    for device in place.registry.devices.values():
        type_ = place.catalogue.get(device.type)
        if device.reserved or (type_ is not None and SPACES in type_.properties):
            found[device.station, _reserved(device)] += 1
    return found


def _source(site: _Site, role: Ints) -> Truth:
    roles = {int(role[slot]) for slot in site.slots}
    spaces = max(sum(int(role[slot]) == SPACE for slot in site.slots), site.spaces)
    able: dict[Truth, bool] = {
        "spaces": SPACE in roles,
        "barrier": TAKEN in roles or (FREE in roles and site.capacity is not None),
        "counters": {ENTRANCE, EXIT} <= roles and site.capacity is not None,
    }
    wanted = site.rule.source if site.rule else "auto"
    if wanted != "auto" and able[wanted]:
        return wanted
    every = able["spaces"] and (site.capacity is None or spaces >= site.capacity)
    if not every:
        for source in _BEFORE_SOME_SPACES:
            if able[source]:
                return source
    return "spaces"


_BEFORE_SOME_SPACES: tuple[Truth, ...] = ("barrier", "counters")


def _members(site: _Site, source: Truth, role: Ints) -> list[int]:
    """The series that say something: those of the truth, reserved spaces, and with counters all spaces."""
    if site.rule is None:
        return []
    wanted = {"spaces": {SPACE}, "counters": {ENTRANCE, EXIT, SPACE}, "barrier": {TAKEN}}[source] | {RESERVED}
    mine = [slot for slot in site.slots if int(role[slot]) in wanted]
    if source == "barrier" and not any(int(role[slot]) == TAKEN for slot in mine):
        mine += [slot for slot in site.slots if int(role[slot]) == FREE][:1]
    return mine


def _silent_us(interval_us: int, role: int) -> int:
    if interval_us:
        return _SILENT_INTERVALS * interval_us
    return _SPACE_SILENT_US if role in {SPACE, RESERVED} else _OTHER_SILENT_US


def _window(intervals_us: Sequence[int]) -> int:
    """Minutes in which every counter has its say."""
    least, most = _WINDOW_MIN
    return min(max(3 * max(intervals_us, default=0) // (2 * MINUTE_US), least), most)


def _night(rule: Parking | None) -> int:
    if rule is None or rule.night_occupied == "unknown":
        return UNKNOWN
    return LEARNED if rule.night_occupied == "learned" else rule.night_occupied


def _reserved(device: InstalledDevice | None) -> Reserved | None:
    return (device.reserved or None) if device else None


def _role(series: Series, device: InstalledDevice | None) -> int | None:
    if series.property == SPACES:
        return SPACE if _reserved(device) is None else RESERVED
    if series.property == VEHICLES:
        return {"in": ENTRANCE, "out": EXIT}.get(series.channel)
    return {OCCUPANCY: TAKEN, FREE_SPACES: FREE}.get(series.property)


def _of(role: int | None) -> int:
    return SPACE if role is None else role


def _slots(slots: Iterable[int]) -> Slots:
    return np.array(list(slots), np.int64)
