"""Car parks as a caller may see them."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from alerts.mobility.states import CarPark, Expected, Occupancy, ReservedSpaces
from api.formats import Item
from api.rfc3339 import format_us
from api.visibility import View

PARKING = "parking"
"""The theme of car parks, whatever tells what is taken there."""
OCCUPANCY = "parking_occupancy"
"""What a car park as a whole tells is public as this property is."""
FEWEST_SPACES = 2
"""Of fewer spaces the public does not hear what is taken: it would be the trace of a single one."""
Trend: TypeAlias = Literal["increasing", "decreasing", "stable"]
_MADE_FROM: Mapping[str, tuple[str, ...]] = {
    "spaces": ("parking_occupied",),
    "counters": ("vehicle_count", "vehicle_count_interval", "parking_occupied"),
    "barrier": ("parking_free", "parking_occupied"),
}
_STEADY_SHARE = 0.03
_MINUTE_US = 60_000_000


def is_shown(view: View, park: CarPark) -> bool:
    """Whether this caller sees a car park, which is what its sensors say this moment.

    It cannot be told later, only not at all.
    """
    return park.station in view.stations and view.live(OCCUPANCY, *_MADE_FROM[park.source])


def shown_parks(view: View) -> dict[str, CarPark]:
    """Those this caller sees, by station."""
    return {park.station: park for park in view.services.parking() if is_shown(view, park)}


def tells_one_space(park: CarPark) -> bool:
    """Whether what is taken follows from a single space, which then stands for all there are."""
    watched = min(park.sensors, park.sensors_heard) if park.source == "spaces" else park.capacity
    return min(park.capacity, watched) < FEWEST_SPACES


def park_item(view: View, park: CarPark) -> Item:
    """A car park as this caller may see it; None where nothing is known or only one space would be told.

    Of that one not even when it was heard: single spaces report when a car comes or leaves.
    """
    told = park.newest_us is not None and (view.operator is not None or not tells_one_space(park))
    taken = _rounded(view, park.occupied, park.capacity) if told else None
    trend = park.trend_per_h
    return {
        "station": park.station,
        "name": view.stations[park.station].name,
        "capacity": park.capacity,
        "occupied": taken,
        "free": None if taken is None else park.capacity - taken,
        "trend_per_h": None if taken is None or trend is None else round(trend, 1),
        "changed": None if taken is None or park.changed_us is None else format_us(park.changed_us),
        "confidence": round(park.confidence, 2) if told else 0.0,
        "time": None if not told or park.newest_us is None else format_us(park.newest_us),
        "sensors_known": park.sensors_heard,
        "sensors_total": park.sensors,
        "source": park.source,
        "reserved": {kind: _reserved(view, each) for kind, each in sorted(park.reserved.items())},
        "expected": [] if taken is None else [_expected(view, each, park) for each in park.expected],
    }


def occupancy_item(view: View, park: CarPark, interval: str, each: Occupancy) -> Item:
    """What was taken in one interval, as this caller may see it."""
    few = view.operator is None and (each.capacity < FEWEST_SPACES or tells_one_space(park))

    def rounded(value: float) -> float | None:
        return None if few else min(round(view.rounded(OCCUPANCY, value), 1), each.capacity)

    last = rounded(each.last)
    return {
        "station": park.station,
        "interval": interval,
        "begin": format_us(each.begin_us),
        "time": format_us(each.end_us),
        "occupied_mean": rounded(each.mean),
        "occupied_max": rounded(each.most),
        "occupied": last,
        "free": None if last is None else each.capacity - last,
        "capacity": each.capacity,
        "completeness": round(each.completeness, 3),
    }


def trend_of(item: Item) -> Trend | None:
    """Where the number of taken spaces is going; None unknown.

    Steady is what stays within 3 % of the spaces, or one of them, in an hour.
    """
    rate = item["trend_per_h"]
    if rate is None:
        return None
    if abs(rate) < max(1.0, _STEADY_SHARE * item["capacity"]):
        return "stable"
    return "increasing" if rate > 0 else "decreasing"


def _rounded(view: View, spaces: float, most: int) -> int:
    return max(0, min(round(view.rounded(OCCUPANCY, spaces)), most))


def _reserved(view: View, spaces: ReservedSpaces) -> Item:
    if view.operator is None and spaces.capacity < FEWEST_SPACES:
        return {"capacity": spaces.capacity, "occupied": None, "free": None}
    taken = _rounded(view, spaces.occupied, spaces.capacity)
    # a space of which nobody knows is neither taken nor free
    free = _rounded(view, spaces.free, spaces.capacity - taken)
    return {"capacity": spaces.capacity, "occupied": taken, "free": free}


def _expected(view: View, each: Expected, park: CarPark) -> Item:
    def free(value: int) -> int:
        return park.capacity - _rounded(view, park.capacity - value, park.capacity)

    return {
        "minutes": each.minutes,
        "time": format_us(each.from_us + each.minutes * _MINUTE_US),
        "free": free(each.free),
        "low": free(each.low),
        "high": free(each.high),
        "method": each.method,
    }
