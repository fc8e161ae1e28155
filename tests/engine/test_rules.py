"""rules.toml: every fault in one pass, each with file, key and remedy."""

import pytest
from engine_city import MIN, T0, events, one_series, readings, registry, steps

from alerts.errors import AlertsConfigError
from alerts.kernels.kernels import Kernels
from alerts.rule_kinds import DwdRain, WaterLevel
from alerts.rules import load_rules
from alerts.scale import load_scale


def faults(tmp_path, text):
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(AlertsConfigError) as caught:
        load_rules(file)
    assert {fault.file for fault in caught.value.faults} == {str(file)}
    assert all(fault.remedy for fault in caught.value.faults)
    return [(fault.key, fault.problem, fault.remedy) for fault in caught.value.faults]


def loaded(tmp_path, text):
    file = tmp_path / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return load_rules(file)


def test_the_shipped_rules_cover_every_station():
    rules = load_rules()
    assert [rule.kind for rule in rules.rules] == [
        "dwd_rain",
        "sri",
        "water_level",
        "basin",
        "parking",
        "counts",
    ]
    rule = rules.of(DwdRain, "anything")
    # who is told stands in one table, the scale
    assert all(getattr(each, "audience", None) is None for each in rules.rules)
    assert rules.audience(rule, "dwd_starkregen") == {2: "staff", 3: "public", 4: "public"}
    assert rules.check(registry([one_series("precipitation")])) == []


def test_all_faults_in_one_pass(tmp_path):
    found = faults(
        tmp_path,
        """
        colour = "red"
        [[rule]]
        id = "one"
        kind = "dwd_rain"
        calm_mmm = 0.5
        calm_min = -3
        audience = { 5 = "public", 3 = "everybody" }
        [[rule]]
        id = "one"
        kind = "counts"
        [[rule]]
        id = "one"
        kind = "parking"
        [[rule]]
        id = "three"
        kind = "water_levels"
        [[rule]]
        kind = "water_level"
        stages_cm = [100, 50]
        """,
    )
    keys = [key for key, _, _ in found]
    assert keys == [
        "colour",
        "rule 1 (one).audience.5",
        "rule 1 (one).audience.3",
        "rule 1 (one).calm_min",
        "rule 1 (one).calm_mmm",
        "rule 3 (one).id",
        "rule 4 (three).kind",
        "rule 5.id",
    ]
    told = dict(zip(keys, found, strict=True))
    assert told["rule 1 (one).calm_mmm"][2] == "did you mean calm_mm?"
    assert told["rule 4 (three).kind"][1:] == ("unknown kind 'water_levels'", "did you mean water_level?")


def test_marks_must_rise(tmp_path):
    text = '[[rule]]\nid = "l"\nkind = "water_level"\nstages_cm = [100, 50]'
    ((key, problem, _),) = faults(tmp_path, text)
    assert key == "rule 1 (l)"
    assert "stages_cm must rise" in problem


def test_marks_in_m_nhn_are_cm_above_the_gauge_zero(tmp_path):
    rules = loaded(
        tmp_path, '[[rule]]\nid = "l"\nkind = "water_level"\nstations = "s"\nstages_m_nhn = [78.92, 79.2]'
    )
    known = registry([one_series("water_level")], gauge_zero_m=78.4)
    assert rules.check(known) == []
    assert rules.of(WaterLevel, "s").marks_of(known.stations["s"]) == (52.0, 80.0)
    (fault,) = rules.check(registry([one_series("water_level")]))
    assert (fault.key, fault.problem) == (
        "rule 1 (l).stages_m_nhn",
        "marks in m NHN, but station s has no gauge zero",
    )
    (fault,) = rules.check(registry([one_series("water_level")], gauge_zero_m=120.0))
    assert "below the gauge zero" in fault.problem
    assert fault.remedy


def test_hysteresis_of_marks_in_m_nhn_is_of_heights_above_gauge_zero():
    """5 % of 79.4 m NHN would be nearly 4 m: the mark would never be left."""
    rules = [{"id": "l", "kind": "water_level", "stages_m_nhn": [79.4]}]
    levels = [101.0, *[94.9] * 8]
    gauge = [one_series("water_level")]
    batch = readings(*((0, T0 + i * 5 * MIN, level) for i, level in enumerate(levels)))
    found = [e for e in events(gauge, [batch], rules=rules, gauge_zero_m=78.4) if e.measure == "water_level"]
    assert steps(found) == [("raise", 1), ("clear", 0)]


@pytest.mark.parametrize(
    "marks",
    [
        "stages_m_nhn = [79.0, 78.0]",
        "stages_m_nhn = [79.0]\nstages_cm = [60]",
        "stages_m_nhn = []",
        "lead_min = -1",
        "rise_cm = 0",
    ],
)
def test_marks_and_lead_that_make_no_sense(tmp_path, marks):
    assert faults(tmp_path, f'[[rule]]\nid = "l"\nkind = "water_level"\n{marks}')


def test_the_minutes_of_a_basin_go_down(tmp_path):
    ((_, problem, _),) = faults(tmp_path, '[[rule]]\nid = "b"\nkind = "basin"\nlead_min = [30, 60, 120]')
    assert "longest to the shortest" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[rule]\n", "is not TOML"),
        ("", "there is no rule"),
        ("rule = 3", "is no list of tables"),
        ("[[rule]]\nid = 'x'", "kind is missing"),
        ("rule = [7]", "valid dictionary"),
    ],
)
def test_what_is_no_list_of_rules(tmp_path, text, problem):
    assert any(problem in found for _, found, _ in faults(tmp_path, text))


def test_a_missing_file(tmp_path):
    with pytest.raises(AlertsConfigError, match="cannot be read"):
        load_rules(tmp_path / "none.toml")


def test_the_first_rule_that_covers_a_station_is_its_rule(tmp_path):
    rules = loaded(
        tmp_path,
        """
        [[rule]]
        id = "gierath"
        kind = "water_level"
        stations = "gierath-*"
        stages_cm = [52, 79]
        [[rule]]
        id = "others"
        kind = "water_level"
        """,
    )
    assert rules.of(WaterLevel, "gierath-pegel").id == "gierath"
    assert rules.of(WaterLevel, "strunde").id == "others"
    assert rules.of(DwdRain, "strunde") is None


def test_stations_that_do_not_exist_and_rules_that_never_apply(tmp_path):
    rules = loaded(
        tmp_path,
        """
        [[rule]]
        id = "all"
        kind = "dwd_rain"
        [[rule]]
        id = "dead"
        kind = "dwd_rain"
        stations = ["gierath-pegel"]
        [[rule]]
        id = "levels"
        kind = "water_level"
        stations = ["gierath-pegl", "x-*", "gierath-pegel"]
        """,
    )
    found = rules.check(registry([one_series("water_level", station="gierath-pegel")]))
    assert [(fault.key, fault.problem) for fault in found] == [
        ("rule 2 (dead).stations", "the rule never applies: all above it covers all its stations"),
        ("rule 3 (levels).stations", "unknown station 'gierath-pegl'"),
        ("rule 3 (levels).stations", "no station matches 'x-*'"),
        ("rule 3 (levels).stations", "station gierath-pegel has no marks"),
    ]
    assert found[1].remedy == "did you mean gierath-pegel?"


SCALE = """
[measure.water_level]
1 = { severity = "Moderate", audience = "nobody", de = "a", en = "a" }
2 = { severity = "Moderate", audience = "public", de = "b", en = "b" }
3 = { severity = "Severe", audience = "public", de = "c", en = "c" }
4 = { severity = "Severe", audience = "public", de = "d", en = "d" }
"""


@pytest.mark.parametrize(
    ("audience", "told"),
    [("", [None, "public", "public"]), ("audience = { 1 = 'staff', 2 = 'staff' }", ["staff", "staff", None])],
)
def test_the_city_s_scale_says_how_serious_and_who_is_told_unless_the_rule_does(tmp_path, audience, told):
    (tmp_path / "scale.toml").write_text(SCALE)
    (tmp_path / "rules.toml").write_text(
        f"[[rule]]\nid = 'levels'\nkind = 'water_level'\nstages_cm = [50, 80, 110]\n{audience}\n"
    )
    series = [one_series("water_level")]
    rules = load_rules(tmp_path / "rules.toml", load_scale(tmp_path / "scale.toml"))
    machine = Kernels(rules, registry(series), series=series)
    found = [
        event
        for number, cm in enumerate((10, 55, 85, 115))
        for event in machine.step(readings((0, T0 + number * 5 * MIN, cm)))
    ]
    rises = [e for e in found if e.kind in {"raise", "escalate"} and e.measure == "water_level"]
    assert [event.severity for event in rises] == ["Moderate", "Moderate", "Severe"]
    assert [event.audience for event in rises] == told
    assert {event.severity for event in found if event.kind == "crossing"} == {"Moderate", "Severe"}


def test_maintenance_and_quality_rules_name_stations_that_exist(tmp_path):
    rules = loaded(
        tmp_path,
        """
        [[rule]]
        id = "limits"
        kind = "quality"
        properties = "water_level"
        stations = ["gierath-pegl"]
        [[maintenance]]
        stations = ["gierath-pegel", "girath-pegel", "x-*"]
        from = 2026-03-21T11:00:00Z
        to = 2026-03-21T14:00:00Z
        """,
    )
    found = rules.check(registry([one_series("water_level", station="gierath-pegel")]))
    assert [(fault.key, fault.remedy) for fault in found] == [
        ("rule 1 (limits).stations", "did you mean gierath-pegel?"),
        ("maintenance 1.stations", "did you mean gierath-pegel?"),
        ("maintenance 1.stations", "use a station of the device list, or take it out"),
    ]
