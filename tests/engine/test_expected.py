"""Expected marks: raised before the mark, ended with it; waves from upstream; no alarm from noise."""

import numpy as np
import pytest
from engine_city import MIN, T0, events, kernels, one_series, readings, table, us
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.catchments import Reach, parse_catchments
from alerts.kernels.kernels import Kernels
from alerts.kernels.rise_plan import travel_times
from alerts.rules import load_rules
from devices.registry import InstalledDevice, Registry, Station
from ingest.reading import Series

GAUGE = [one_series("water_level", station="gierath")]
MARKS = {"stages_cm": (50.0, 100.0, 200.0)}


def every_5(*levels, start=0):
    return readings(*((0, T0 + (start + i * 5) * MIN, level) for i, level in enumerate(levels)))


def expected(found):
    return [
        (round((e.time_us - T0) / MIN), e.kind, e.level)
        for e in found
        if e.measure == "water_level_expected" and e.kind != "crossing"
    ]


def test_a_mark_is_expected_before_it_is_reached_and_ends_with_it():
    found = events(GAUGE, [every_5(20, 20, 20, 26, 32, 38, 44, 50, 51, 50, 49)], stages_cm=(50.0,))
    assert expected(found) == [(20, "raise", 1), (35, "clear", 0)]
    first = next(e for e in found if e.measure == "water_level_expected")
    assert first.audience == "staff"
    assert first.value == 32
    early, late = first.expected_min
    assert early <= 15 <= late
    assert "mark 1 (50 cm)" in first.reason
    mark = next(e for e in found if e.kind == "raise" and e.measure == "water_level")
    assert mark.time_us - first.time_us == 15 * MIN


def test_the_next_mark_is_expected_while_this_one_is_reached():
    rules = [{"id": "w", "kind": "water_level", "lead_min": 10}]
    found = events(GAUGE, [every_5(*range(20, 120, 8))], rules=rules, **MARKS)
    assert {level for _, kind, level in expected(found) if kind != "clear"} == {1, 2}
    reached = {e.level: e.time_us for e in found if e.measure == "water_level" and e.kind == "crossing"}
    told = {e.level: e.time_us for e in found if e.measure == "water_level_expected" and e.kind != "clear"}
    assert all(told[level] <= reached[level] for level in (1, 2))


def test_a_rise_that_ends_below_the_mark_is_cleared_once_after_the_hold():
    found = events(GAUGE, [every_5(20, 20, 20, 30, 40, *[42.0] * 24)], **MARKS)
    assert [kind for _, kind, _ in expected(found)] == ["raise", "clear"]
    raised, cleared = (minute for minute, _, _ in expected(found))
    assert 30 <= cleared - raised <= 75


def test_a_creek_that_stutters_below_the_mark_does_not_flap():
    wave = [20, 20, 20, *([31, 29, 34, 30, 36, 31] * 20)]
    found = expected(events(GAUGE, [every_5(*wave)], **MARKS))
    assert [kind for _, kind, _ in found].count("raise") == 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=20, max_size=200), st.floats(0, 45))
def test_noise_of_a_centimetre_expects_nothing(noise, base):
    assert expected(events(GAUGE, [every_5(*(base + n for n in noise))], **MARKS)) == []


def test_gaussian_noise_of_a_centimetre_expects_nothing_for_a_month():
    rng = np.random.default_rng(1)
    level = 44 + rng.normal(0, 1, 30 * 288)
    assert expected(events(GAUGE, [every_5(*level)], **MARKS)) == []


def test_two_readings_count_only_when_it_rains():
    gauges = [GAUGE[0], Series("regen", "precipitation", "", "00000000000000fe")]
    dry = readings((0, T0, 20.0), (0, T0 + 5 * MIN, 45.0))
    wet = readings((0, T0, 20.0), (1, T0 + 2 * MIN, 3.0), (0, T0 + 5 * MIN, 45.0))
    after = readings((0, T0, 20.0), (0, T0 + 5 * MIN, 45.0), (1, T0 + 6 * MIN, 3.0))
    assert expected(events(gauges, [dry], **MARKS)) == []
    assert expected(events(gauges, [after], **MARKS)) == []
    found = events(gauges, [wet], **MARKS)
    assert expected(found) == [(5, "raise", 3)]
    assert "low confidence" in next(e for e in found if e.measure == "water_level_expected").reason


def test_a_late_reading_expects_nothing_by_itself():
    found = events(GAUGE, [every_5(20, 20, 20, 21), readings((0, T0 + 12 * MIN, 49.0))], **MARKS)
    assert expected(found) == []


def test_without_lead_nothing_is_expected():
    rules = [{"id": "w", "kind": "water_level", "lead_min": 0}]
    assert expected(events(GAUGE, [every_5(20, 20, 26, 32, 38, 44)], rules=rules, **MARKS)) == []


def test_the_real_high_water_expects_little_and_never_flaps():
    """A big river at 15 minutes: its marks come slowly, so nothing is expected in a hurry."""
    for name in ("2016-02_highwater", "2016-03_fault"):
        _, rows = table(f"level/ufz_level_15min_{name}.csv")
        wave = readings(*((0, us(time), float(value)) for time, value in rows if value))
        found = events(GAUGE, np.array_split(wave, 5), interval_s=900, stages_cm=(200.0, 240.0, 270.0))
        raised = [e for e in found if e.measure == "water_level_expected" and e.kind in {"raise", "escalate"}]
        assert raised == []


CREEK = [Series(name, "water_level", "", f"{n:016x}") for n, name in enumerate(["top", "mid", "low"], 1)]
REACHES = parse_catchments(
    {
        "reach": [
            {"from": "top", "to": "mid", "travel_min": [5, 10]},
            {"from": "mid", "to": "low", "travel_min": [10, 20]},
        ]
    },
    "catchments.toml",
)


def creek(stages=(50.0, 100.0, 200.0)):
    devices = {
        each.dev_eui: InstalledDevice(each.dev_eui, "", each.station, interval_s=300) for each in CREEK
    }
    stations = {
        each.station: Station(each.station, each.station, None, None, True, (each.dev_eui,), stages_cm=stages)
        for each in CREEK
    }
    return Kernels(load_rules(), Registry(devices, stations), {}, CREEK, catchments=REACHES)


def test_travel_times_add_up_along_the_creek():
    assert travel_times(REACHES.reaches) == {
        ("top", "mid"): (5, 10),
        ("top", "low"): (15, 30),
        ("mid", "low"): (10, 20),
    }


def test_a_circle_of_reaches_ends():
    circle = [
        Reach.model_validate({"from": "a", "to": "b", "travel_min": [1, 2]}),
        Reach.model_validate({"from": "b", "to": "a", "travel_min": [1, 2]}),
    ]
    assert travel_times(circle) == {("a", "b"): (1, 2), ("b", "a"): (1, 2)}


def test_a_mark_reached_upstream_warns_everyone_below_with_the_interval():
    machine = creek()
    found = machine.step(readings((2, T0, 20.0), (0, T0 + 5 * MIN, 101.0), (2, T0 + 6 * MIN, 20.0)))
    told = {e.station: e for e in found if e.measure == "water_level_expected"}
    assert {name: (e.kind, e.level, e.expected_min, e.cause) for name, e in told.items()} == {
        "mid": ("raise", 2, (5, 10), "top"),
        "low": ("raise", 2, (15, 30), "top"),
    }
    assert "reached upstream at top" in told["low"].reason
    assert told["low"].time_us == T0 + 5 * MIN


def test_a_wave_that_came_ends_the_expectation_and_one_that_did_not_ends_it_after_the_slowest():
    machine = creek()
    machine.step(readings((2, T0, 20.0), (0, T0 + MIN, 51.0)))
    came = machine.step(readings((2, T0 + 20 * MIN, 55.0)))
    assert ("clear", "water_level_expected") in [(e.kind, e.measure) for e in came]
    machine = creek()
    machine.step(readings((2, T0, 20.0), (0, T0 + MIN, 51.0)))
    quiet = machine.step(readings(*((2, T0 + minute * MIN, 20.0) for minute in range(5, 100, 5))))
    assert [(round((e.time_us - T0) / MIN), e.kind) for e in quiet] == [(65, "clear")]


def test_a_wave_is_not_announced_where_it_has_been():
    machine = creek()
    machine.step(readings((2, T0, 51.0)))
    found = machine.step(readings((0, T0 + MIN, 51.0)))
    assert [e.station for e in found if e.measure == "water_level_expected"] == ["mid"]


def test_a_station_below_with_fewer_marks_expects_its_highest():
    machine = creek(stages=(50.0,))
    found = machine.step(readings((0, T0 + MIN, 500.0)))
    assert {e.level for e in found if e.measure == "water_level_expected"} == {1}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 150), st.integers(0, 120)), min_size=1, max_size=60),
    st.data(),
)
def test_one_batch_equals_any_split_along_the_creek(rows, data):
    batch = readings(*((s, T0 + minute * MIN, float(level)) for s, minute, level in rows))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8).map(sorted))
    one, other = creek(), creek()
    together = one.step(batch)
    apart = [event for part in np.split(batch, cuts) for event in other.step(part)]
    assert together == apart
    assert one.pages() == other.pages()
    assert one.levels() == other.levels()
    assert len({e.id for e in together}) == len(together)


def test_the_outlook_of_a_gauge():
    machine = kernels(GAUGE, **MARKS)
    machine.step(every_5(20, 20, 20, 26, 32, 38))
    (it,) = machine.levels("gierath")
    assert machine.levels("elsewhere") == ()
    assert it.level == 38
    assert it.rate == pytest.approx(72)
    assert (it.confidence, it.rising) == ("good", True)
    first, second, third = it.marks
    assert first.minutes[1] == pytest.approx(10)
    assert not first.reached
    assert second.minutes < third.minutes
    assert it.basin is it.wave is None
