"""Whether a rule can warn in time, in plain words, and never where nothing is known."""

from types import SimpleNamespace

import pytest

from alerts.catchments import parse_catchments
from alerts.rules import load_rules, parse_rules
from devices.registry import InstalledDevice, Registry, Station
from stadtfunk.lead_time import lead_time_advice

MARKS = (50.0, 80.0)
TYPES = {"level": SimpleNamespace(interval_s=300, properties=("water_distance",))}


def registry(intervals, type_="level", marks=MARKS):
    devices = {
        f"{n:016x}": InstalledDevice(f"{n:016x}", type_, name, interval_s=interval, sensor_height_cm=300)
        for n, (name, interval) in enumerate(intervals.items(), 1)
    }
    stations = {
        each.station: Station(each.station, each.station, None, None, True, (eui,), stages_cm=marks)
        for eui, each in devices.items()
    }
    return Registry(devices, stations)


def reach(source, target, fastest, slowest):
    return {"from": source, "to": target, "travel_min": [fastest, slowest]}


def advice(intervals, *reaches, basin=None, rules=None, **how):
    document = {"reach": list(reaches), "basin": [basin] if basin else []}
    chosen = load_rules() if rules is None else parse_rules({"rule": rules}, "rules.toml")
    catchments = parse_catchments(document, "catchments.toml")
    return list(lead_time_advice(chosen, registry(intervals, **how), TYPES, catchments))


def test_a_wave_that_is_there_before_the_second_uplink_is_too_late_by_the_difference():
    (line,) = advice({"a": 600, "b": 300}, reach("a", "b", 7, 12))
    # 2 x 600 s + 15 s = 1215 s against 420 s
    assert line.startswith("b: a wave seen at a arrives after 7 min, but can be told up to 21 min after")
    assert "14 min too late" in line
    assert "raising has no hold" in line
    assert "an interval of 180 s or less at a" in line
    assert "threshold" in line
    assert "second sensor" in line


def test_a_gauge_that_is_fast_enough_needs_no_advice():
    assert advice({"a": 180, "b": 300}, reach("a", "b", 7, 12)) == []
    assert len(advice({"a": 210, "b": 300}, reach("a", "b", 7, 12))) == 1


def test_a_gauge_farther_upstream_is_as_good():
    assert advice({"a": 300, "b": 300, "c": 300}, reach("a", "b", 15, 20), reach("b", "c", 3, 5)) == []


def test_no_interval_is_short_enough_for_a_wave_of_a_minute():
    (line,) = advice({"a": 300, "b": 300}, reach("a", "b", 1, 2))
    assert "No interval is short enough" in line


def test_nothing_is_claimed_where_nothing_is_known_and_it_is_said_once():
    (line,) = advice({"a": 300, "b": 300, "c": 300})
    assert line.startswith("a, b, c: how much time a wave leaves is not known")
    (line, _) = advice({"a": None, "b": None}, type_="other")
    assert line.startswith(
        "a, b: whether the marks are told in time is not known without the reporting interval"
    )


def test_the_type_s_usual_interval_counts():
    assert advice({"a": None, "b": None}, reach("a", "b", 11, 12)) == []


def test_a_gauge_without_marks_is_not_asked_for_anything():
    assert advice({"a": 300}, marks=()) == []


def test_a_gauge_too_slow_for_a_rate_or_for_its_lead():
    reaches = [reach("a", "b", 200, 300)]
    (line,) = advice({"a": 1200, "b": 300}, *reaches)
    assert "rests on two readings" in line
    (line,) = advice({"a": 3600, "b": 300}, *reaches)
    assert "lead_min is 60 min, but a reading can be 121 min old" in line
    assert "61 min too late" in line
    assert "interval of 1770 s or less" in line
    off = [{"id": "l", "kind": "water_level", "lead_min": 0}]
    assert advice({"a": 3600, "b": 300}, *reaches, rules=off) == []


BASIN = {
    "id": "k",
    "name": "Kippemühle",
    "station": "a",
    "volume": [[0, 0], [200, 12000]],
    "spillways": [{"name": "Notüberlauf", "level_cm": 200}],
}


@pytest.mark.parametrize(
    ("inflow", "late"),
    [(None, "is not known: give design_inflow_m3s"), (10.0, None), (40.0, "6 min too late")],
)
def test_a_basin_is_compared_with_its_design_inflow(inflow, late):
    # 12,000 m³ at 10 m³/s are 20 min, at 40 m³/s 5 min; the gauge can be 10 min 15 s late
    basin = BASIN if inflow is None else {**BASIN, "design_inflow_m3s": inflow}
    said = [line for line in advice({"a": 300}, basin=basin) if line.startswith("basin")]
    if late is None:
        assert said == []
    else:
        assert late in said[0]


def test_a_basin_that_no_rule_covers_is_named():
    rules = [{"id": "l", "kind": "water_level"}]
    said = advice({"a": 300}, basin={**BASIN, "design_inflow_m3s": 1.0}, rules=rules)
    assert any("no rule of kind basin covers its station" in line for line in said)
