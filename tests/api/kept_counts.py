"""A past for a small town: intervals that are kept, as the mobility reader gives them."""

from dataclasses import dataclass, field

from small_town import MINUTE, T0

from alerts.mobility.counted import Count, Site
from alerts.mobility.states import CarPark, Expected, Occupancy, ReservedSpaces

HOUR = 60 * MINUTE
DAY = 24 * HOUR
GATE = Site("z-haupt", "people_count", "in")
ROAD = Site("z-haupt", "vehicle_count", "in/class1")
HIDDEN = Site("geheim-pegel", "vehicle_count", "in")
LENGTHS = {"PT5M": 5 * MINUTE, "PT15M": 15 * MINUTE, "PT1H": HOUR, "P1D": DAY, "P1W": 7 * DAY}


@dataclass
class Kept:
    """Intervals by what they are of; `asked` is what was asked for."""

    rows: dict = field(default_factory=dict)
    asked: list = field(default_factory=list)

    def sites(self):
        return tuple({each for each, _ in self.rows if isinstance(each, Site)})

    def occupancy(self, station, resolution, from_us, to_us, limit):
        rows = self.rows.get((station, resolution), ())
        return [each for each in rows if from_us <= each.begin_us < to_us][:limit]

    def counts_of(self, spans, limit):
        self.asked.append((tuple(spans), limit))
        found, room = {}, limit
        for asked in sorted(spans, key=lambda each: (each[0], LENGTHS[each[1]])):
            from_us, to_us = spans[asked]
            rows = self.rows.get(asked, ())
            inside = [each for each in rows if from_us <= each.begin_us and each.end_us <= to_us][:room]
            if inside:
                found[asked] = inside
            room -= len(inside)
        return found


def counts(resolution, numbers, until_us=T0, **more):
    """Intervals that end at until_us, the last of these numbers in the last of them."""
    length = LENGTHS[resolution]
    begin = until_us - length * len(numbers)
    return [
        Count(begin + n * length, begin + (n + 1) * length, number, 1.0, **more)
        for n, number in enumerate(numbers)
    ]


def occupancies(resolution, taken, capacity, until_us=T0):
    length = LENGTHS[resolution]
    begin = until_us - length * len(taken)
    return [
        Occupancy(begin + n * length, begin + (n + 1) * length, each + 0.25, each + 1, each, capacity, 1.0)
        for n, each in enumerate(taken)
    ]


LOEWE = CarPark(
    "p-markt",
    "counters",
    120,
    33,
    87,
    T0 - MINUTE,
    T0,
    2,
    2,
    confidence=0.94,
    trend_per_h=6.04,
    reserved={"disabled": ReservedSpaces(4, 1, 3), "charging": ReservedSpaces(1, 1, 0)},
    expected=(Expected(30, T0, 84, 77, 91, "as_now"),),
)
