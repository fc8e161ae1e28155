import pytest

from alerts.catchments import Catchments
from alerts.city.release import Releases
from alerts.errors import AlertsConfigError
from alerts.explain import City, explain
from alerts.rules import load_rules, parse_rules
from devices.registry import Registry

RULE = {"id": "rain", "kind": "dwd_rain"}


def rules_with(*releases):
    return parse_rules({"rule": [RULE], "release": list(releases)}, "rules.toml")


def faults_of(*releases):
    with pytest.raises(AlertsConfigError) as found:
        rules_with(*releases)
    return list(found.value.faults)


def test_without_any_a_person_releases_from_severe_up_and_nothing_is_proposed_below():
    releases = load_rules().releases
    assert releases == Releases()
    for severity in ("Severe", "Extreme"):
        assert (releases.of(severity).release, releases.of(severity).all_clear) == ("manual", "manual")
    assert not releases.of("Moderate").proposes
    assert not releases.of("Minor").proposes


def test_a_city_writes_its_own():
    rules = rules_with(
        {"id": "early", "severity": "Moderate", "auto_after": "2 h", "all_clear": "auto", "valid_min": 60},
        {"id": "high", "severity": ["Extreme"], "auto_after": "10 min"},
    )
    early, high = rules.releases.of("Moderate"), rules.releases.of("Extreme")
    assert (early.auto_us, early.valid_us) == (120 * 60_000_000, 60 * 60_000_000)
    assert (high.auto_us, high.proposes) == (10 * 60_000_000, True)
    assert rules.releases.of("Severe").id == "release-severe"


@pytest.mark.parametrize(
    ("table", "key", "words"),
    [
        ({"severity": "Severe"}, "release 1.id", "is missing"),
        ({"id": "a"}, "release 1 (a).severity", "is missing"),
        ({"id": "a", "severity": "Sever"}, "release 1 (a).severity.0", "'Sever'"),
        ({"id": "a", "severity": []}, "release 1 (a).severity", "at least one"),
        ({"id": "a", "severity": "Severe", "auto_after": 10}, "release 1 (a).auto_after", '"10 min"'),
        (
            {"id": "a", "severity": "Severe", "auto_after": "13 h"},
            "release 1 (a).auto_after",
            "1 min to 12 h",
        ),
        (
            {"id": "a", "severity": "Severe", "auto_after": "0 min"},
            "release 1 (a).auto_after",
            "1 min to 12 h",
        ),
        (
            {"id": "a", "severity": "Severe", "release": "manual", "auto_after": "1 h"},
            "release 1 (a)",
            "exclude each other",
        ),
        ({"id": "a", "severity": "Extreme", "all_clear": "auto"}, "release 1 (a)", "not for Extreme"),
        ({"id": "a", "severity": "Severe", "valid_min": 5}, "release 1 (a).valid_min", "15"),
        ({"id": "a", "severity": "Severe", "audience": "staff"}, "release 1 (a).audience", "public"),
        ({"id": "a", "severity": "Severe", "realease": "none"}, "release 1 (a).realease", "unknown key"),
        ({"id": "release-none", "severity": "Severe"}, "release 1 (release-none).id", "another"),
        ("a", "release 1", "dictionary"),
    ],
)
def test_every_fault_names_its_key_and_a_remedy(table, key, words):
    [fault] = faults_of(table)
    assert (fault.file, fault.key) == ("rules.toml", key)
    assert words in fault.problem
    assert fault.remedy


def test_a_severity_has_one_rule():
    [fault] = faults_of(
        {"id": "a", "severity": ["Severe", "Extreme"]}, {"id": "b", "severity": ["Extreme", "Minor"]}
    )
    assert "Extreme has a rule above" in fault.problem


def test_check_says_who_releases():
    rules = rules_with({"id": "early", "severity": "Moderate", "auto_after": "90 min", "all_clear": "auto"})
    said = {each.id: each for each in explain(City(rules, Registry(), {}, Catchments()))}
    assert "90 min lang niemand entschieden" in said["early"].de
    assert "all-clear when the event has ended" in said["early"].en
    assert "released by a person" in said["release-severe"].en
    assert "keine Warnung der Stadt" in said["release-none"].de
