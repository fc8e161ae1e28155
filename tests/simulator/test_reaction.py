"""The truth of the simulated creeks, and the stopwatch from it to the alert."""

import pytest

from alerts.event import Event
from devices.catalogue import load_catalogue
from devices.registry import load_registry
from devices.simulator.simulator import Simulator
from devices.simulator.truth import PhysicalCrossing
from stadtfunk.demo import CITY
from stadtfunk.reaction import Stopwatch

START = 1_784_053_800_000_000
MIN = 60_000_000


@pytest.fixture(scope="module")
def simulator():
    return Simulator(load_catalogue(), load_registry(CITY / "devices.csv"))


def test_the_wave_reaches_the_same_mark_later_the_farther_down(simulator):
    found = simulator.crossings(START)
    first = {each.station: each.time_us for each in found if each.mark == 1}
    creek = ["herrenstrunden", "dombach", "buchmuehle", "kippemuehle", "gierath"]
    times = [first[f"pegel-{name}"] for name in creek]
    assert times == sorted(times)
    assert {each.mark for each in found if each.station == "pegel-gierath"} == {1, 2, 3}


def test_a_crossing_is_where_the_true_level_passes_the_mark(simulator):
    places = {each.device.station: each for each in simulator.places(START)}
    for each in simulator.crossings(START):
        place = places[each.station]
        after = place.reach.level(place.weather.since_onset(each.time_us)[1])
        before = place.reach.level(place.weather.since_onset(each.time_us - 10_000_000)[1])
        assert before < each.cm <= after


def test_a_second_storm_crosses_again(simulator):
    assert len(simulator.crossings(START, storms=2)) == 2 * len(simulator.crossings(START))


def event(measure, level, time_us, audience="staff", station="g"):
    return Event("i", "e", time_us, station, "raise", measure, level, None, 1.0, "r", "", audience)


def test_the_time_from_the_crossing_to_the_alert_on_both_clocks():
    now = {"clock": 0, "wall": 100.0}
    watch = Stopwatch(lambda: now["clock"], lambda: now["wall"])

    def at(minute, wall):
        now.update(clock=minute * MIN, wall=wall)

    at(0, 100.0)
    watch.tick()
    at(10, 110.0)
    watch.hear([event("water_level_expected", 1, 9 * MIN)])
    at(24, 124.0)
    watch.hear([event("water_level", 1, 23 * MIN, audience=None)])
    at(26, 126.5)
    watch.hear([event("water_level", 1, 25 * MIN), event("water_level", 1, 25 * MIN, station="other")])
    found = watch.reaction(
        [PhysicalCrossing("g", 1, 50.0, 20 * MIN), PhysicalCrossing("g", 2, 80.0, 22 * MIN)]
    )
    assert (found.crossings, found.alerted) == (2, 1)
    assert found.simulated == (360.0, 360.0)
    assert found.wall == (pytest.approx(6.5, abs=0.1), pytest.approx(6.5, abs=0.1))
    assert (found.expected_before, found.lead_min) == (1, 10.0)
    assert "2 marks reached" in found.line()


def test_without_an_alert_nothing_is_measured():
    watch = Stopwatch(lambda: 0, lambda: 0.0)
    found = watch.reaction([PhysicalCrossing("g", 1, 50.0, 20 * MIN)])
    assert (found.alerted, found.simulated, found.lead_min) == (0, None, None)
    assert "none of them told" in found.line()
