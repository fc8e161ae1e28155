"""What really happens at the simulated creeks: when the water reaches which height, sensor or not."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from devices.simulator.behaviour import Place
from devices.simulator.storm import MINUTE_US

STEP_US = MINUTE_US // 6


@dataclass(frozen=True, slots=True)
class PhysicalCrossing:
    """The water at a gauge reaches a mark (its number, cm above the gauge zero) at this time (µs)."""

    station: str
    mark: int
    cm: float
    time_us: int


def crossings(places: Sequence[Place], from_us: int, to_us: int) -> Iterator[PhysicalCrossing]:
    """Every time the true level rises to a mark of its gauge, to ten seconds; by place, then by time."""
    for place in places:
        if place.reach is None:
            continue
        before = place.reach.level(place.weather.since_onset(from_us)[1])
        for time_us in range(from_us + STEP_US, to_us + 1, STEP_US):
            level = place.reach.level(place.weather.since_onset(time_us)[1])
            for number, mark in enumerate(place.device.stages_cm, 1):
                if before < mark <= level:
                    yield PhysicalCrossing(place.device.station, number, mark, time_us)
            before = level
