"""check's sentences: one German and one English for each rule, from its own values."""

from datetime import UTC, datetime
from types import MappingProxyType, SimpleNamespace

import pytest

from alerts.catchments import Basin, Catchments, Spillway
from alerts.errors import AlertsConfigError
from alerts.explain import City, explain, explain_rule
from alerts.rule_kinds import Kind, Maintenance
from alerts.rules import Rules, load_rules, parse_rules
from devices.registry import InstalledDevice, Registry, Station

TYPE = SimpleNamespace(
    properties=("precipitation", "water_distance", "parking_occupied", "vehicle_count", "battery_voltage")
)
COMPARED = {"neighbours_km": 5.0, "dry_mm": 10.0, "lonely_h": 6}
LEAST = {
    "dwd_rain": {},
    "sri": {},
    "water_level": {},
    "parking": {},
    "counts": {},
    "quality": {"properties": ["precipitation", "water_level"], "gross_max": 500.0, **COMPARED},
    "watchdog": {},
    "basin": {},
}
OTHERS = {
    "stations": ["gierath-pegel"],
    "audience": {2: "public"},
    "stages_cm": [33.0],
    "source": "spaces",
    "properties": ["precipitation"],
    "stages_m_nhn": [78.4],
    "expected_audience": "public",
    "lead_min": [90, 45, 20],
    "all_clear": "auto",
    "witness": {"within_min": 20},
    "night_occupied": "unknown",
    "samples": "share",
}


def city(rules):
    places = {"gierath-pegel": "Pegel Gierath", "bensberg": "Bensberg"}
    devices = {id_: InstalledDevice(id_, "sensor", id_, interval_s=300) for id_ in places}
    stations = {
        id_: Station(id_, name, None, None, True, (id_,), stages_cm=(52.0, 79.0, 110.0), gauge_zero_m=78.0)
        for id_, name in places.items()
    }
    basin = Basin(
        id="b",
        name="B",
        station="bensberg",
        volume=((0, 0), (300, 9)),
        spillways=(Spillway(name="s", level_cm=200),),
    )
    registry = Registry(MappingProxyType(devices), MappingProxyType(stations))
    return City(rules, registry, {"sensor": TYPE}, Catchments(basins=(basin,)))


def roads(rules):
    found = city(rules)
    return City(rules, found.registry, {"sensor": SimpleNamespace(properties=("vehicle_count",))})


def told(kind, **keys):
    rules = parse_rules({"rule": [{"id": "mine", "kind": kind, **LEAST[kind], **keys}]}, "rules.toml")
    return explain_rule(rules.rules[0], city(rules))


def changed(rule, name):
    """Another valid value of a key."""
    value = getattr(rule, name)
    if name in OTHERS and not isinstance(value, int | float):
        return OTHERS[name]
    if isinstance(value, bool):
        return not value
    if name in {"lonely_h", "nag_min"}:
        return 9
    if value is None or isinstance(value, int | float):
        return 2.25 if value != 2.25 else 3.5
    pytest.skip(f"{name}: its own test")


KEYS = [
    (kind, name)
    for kind in LEAST
    for name in type(
        parse_rules({"rule": [{"id": "mine", "kind": kind, **LEAST[kind]}]}, "f").rules[0]
    ).model_fields
    if name not in {"id", "kind"}
]


@pytest.mark.parametrize(("kind", "name"), KEYS)
def test_a_key_that_changes_what_a_rule_does_changes_both_sentences(kind, name):
    rule = parse_rules({"rule": [{"id": "mine", "kind": kind, **LEAST[kind]}]}, "f").rules[0]
    try:
        after = told(kind, **{name: changed(rule, name)})
    except AlertsConfigError as fault:  # a key of another shape than those known here
        pytest.skip(f"{name}: {fault}")
    before = told(kind)
    assert before.de != after.de
    assert before.en != after.en


def test_every_kind_of_rule_has_its_sentence():
    for kind in Kind.__args__:
        assert f"Rule of kind {kind}" not in told(kind).en


def test_a_basin_rule_is_in_effect_where_there_is_a_basin():
    assert told("basin").de.startswith("Bensberg: Von einem Rückhaltebecken")
    assert "in 120, 60, 30 min" in told("basin").de


def test_a_level_rule_in_the_words_of_whoever_signs_for_it():
    said = told(
        "water_level",
        stations=["gierath-pegel"],
        stages_cm=[52, 79, 110],
        audience={1: "staff", 2: "staff", 3: "public"},
    )
    assert said.de.startswith(
        "Pegel Gierath (52/79/110 cm): Davon hören ab Marke 1 die Mitarbeitenden, "
        "ab Marke 3 auch die Bevölkerung, ab Marke 4 niemand; eine Marke endet, wenn"
    )
    assert "from mark 1 on staff, from mark 3 on the public as well, from mark 4 on nobody" in said.en


def test_the_sentence_names_where_the_rule_is_the_one_in_effect():
    rules = parse_rules(
        {
            "rule": [
                {"id": "one", "kind": "dwd_rain", "stations": ["bensberg"]},
                {"id": "all", "kind": "dwd_rain", "calm_mm": 0.25},
                {"id": "none", "kind": "sri", "stations": ["nowhere-*"]},
            ]
        },
        "rules.toml",
    )
    found = {each.id: each for each in explain(city(rules))}
    assert found["one"].de.startswith("Bensberg: ")
    assert found["all"].de.startswith("Pegel Gierath: ")
    assert "weniger als 0,25 mm" in found["all"].de
    assert "less than 0.25 mm" in found["all"].en
    assert found["none"].de.startswith("An keiner Station: ")
    # neither is a car park, though vehicles are counted there
    mine = parse_rules({"rule": [{"id": "parks", "kind": "parking"}]}, "f")
    assert explain_rule(mine.rules[0], roads(mine)).en.startswith("At no station: ")
    # what always applies is explained as well
    assert {"quality-water-level", "quality-precipitation", "watchdog"} <= found.keys()


def test_who_is_told_comes_from_the_scale_when_the_rule_says_nothing():
    rules = load_rules()
    found = {each.id: each for each in explain(city(rules))}
    assert "ab Stufe 2 die Mitarbeitenden, ab Stufe 3 auch die Bevölkerung" in found["heavy-rain"].de
    assert "ab SRI 1 die Mitarbeitenden;" in found["rain-index"].de
    assert all(each.de.endswith(".") and each.en.endswith(".") for each in found.values())
    assert all(each.de != each.en for each in found.values())


def test_maintenance_is_explained():
    window = Maintenance.model_validate(
        {
            "stations": "bensberg",
            "from": datetime(2026, 3, 21, 11, tzinfo=UTC),
            "to": datetime(2026, 3, 21, 14, tzinfo=UTC),
        }
    )
    rules = Rules("rules.toml", (), (window,))
    last = next(each for each in explain(city(rules)) if "wird dort gearbeitet" in each.de)
    assert last.de.startswith(
        "bensberg: Von 2026-03-21 11:00 UTC bis 2026-03-21 14:00 UTC wird dort gearbeitet"
    )
    assert "alarm nobody" in last.en


@pytest.mark.parametrize("kind", ["dwd_rain", "water_level"])
def test_every_key_of_the_witnesses_changes_the_sentences(kind):
    before = told(kind)
    witness = parse_rules({"rule": [{"id": "mine", "kind": kind}]}, "f").rules[0].witness
    others = {"agree": 1, "neighbours": 7, "share": 0.5, "within_min": 20, "distance_km": 3, "rise_cm": 9}
    opposite = {"public": "staff", "staff": "public"}
    rows = {
        name: {name: {"audience": opposite[getattr(witness.outcomes, name).audience], "after_min": 7}}
        for name in type(witness.outcomes).model_fields
    }
    changes = [{name: others[name]} for name in type(witness).model_fields if name != "outcomes"]
    for change in [*changes, *({"outcomes": row} for row in rows.values())]:
        after = told(kind, witness=change)
        assert before.de != after.de, change
        assert before.en != after.en, change
