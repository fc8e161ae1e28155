"""What the public sees of each property, from the configuration's text to the rule, and what `check` says."""

import pytest

from api.public_rule import PublicRule
from devices.catalogue import load_catalogue
from devices.registry import load_registry
from stadtfunk.open_data import advice, public_rules
from stadtfunk.settings_file import read_settings

GOOD = '[city]\nname = "Teststadt"\n[devices]\nfile = "devices.csv"\n'
MINUTE = 60_000_000


@pytest.fixture
def read(tmp_path):
    def read(more):
        (tmp_path / "city.toml").write_text(GOOD + more)
        return read_settings(tmp_path / "city.toml", {})

    return read


def rules(read, more):
    settings, faults = read(more)
    assert not faults
    return public_rules(settings)


def test_without_a_word_what_is_internal_is_closed_and_the_rest_open(read):
    found = rules(read, "")
    assert found["water_level"] == PublicRule(public=True)
    assert found["battery_voltage"] == PublicRule(public=False)


def test_a_property_says_more_than_its_theme(read):
    found = rules(
        read,
        '[theme.traffic]\ndelay = "PT15M"\ncoarsen = "PT1H"\nlicense = "https://l.example/by"\n'
        '[property.vehicle_count]\ndelay = "P1DT30M"\nround = 10\nattribution = "Stadtwerke"\n',
    )
    assert found["vehicle_count"] == PublicRule(
        True, 1470 * MINUTE, 60 * MINUTE, 10.0, "https://l.example/by", "Stadtwerke"
    )
    assert found["bicycle_count"] == PublicRule(True, 15 * MINUTE, 60 * MINUTE, 0.0, "https://l.example/by")
    assert found["water_level"] == PublicRule()


def test_a_theme_closes_and_one_of_it_is_opened(read):
    found = rules(read, "[theme.air]\npublic = false\n[property.no2]\npublic = true\n")
    assert [found[name].public for name in ("no2", "o3", "water_level")] == [True, False, True]


def test_terms_alone_do_not_open_what_is_internal(read):
    found = rules(read, '[property.battery_voltage]\ndelay = "PT1H"\n[theme.device]\nattribution = "x"\n')
    assert found["battery_voltage"].public is False


@pytest.mark.parametrize(
    ("more", "key", "remedy"),
    [
        ('[property.no2]\ndelay = "15min"', "property.no2.delay", "PT15M"),
        ('[property.no2]\ndelay = "PT0S"', "property.no2.delay", "PT15M"),
        ('[property.no2]\ndelay = "P"', "property.no2.delay", "PT15M"),
        ('[property.no2]\ndelay = "P1M"', "property.no2.delay", "PT15M"),
        ('[property.no2]\ndelay = "P367D"', "property.no2.delay", "a year"),
        ('[property.no2]\ncoarsen = "PT7M"', "property.no2.coarsen", "PT15M"),
        ('[property.no2]\ncoarsen = "PT30S"', "property.no2.coarsen", "PT15M"),
        ('[property.no2]\ncoarsen = "P2D"', "property.no2.coarsen", "PT15M"),
        ("[property.no2]\nround = 0", "property.no2.round", "correct"),
        ("[property.no2]\nround = inf", "property.no2.round", "correct"),
        ('[property.no2]\nlicense = ""', "property.no2.license", "correct"),
        ('[property.no2]\nlicense = "dl by"', "property.no2.license", "correct"),
        ('[property.no2]\nattribution = "a\\r\\nb"', "property.no2.attribution", "correct"),
        ('[property.no2]\ndelya = "PT15M"', "property.no2.delya", "did you mean delay?"),
        ('[property.no3]\ndelay = "PT15M"', "property.no3", "did you mean"),
        ("[theme.air]\npublic = true", "theme.air.public", "[property.NAME] public = true"),
        ('[theme.airs]\ndelay = "PT15M"', "theme.airs", "did you mean air?"),
        ('[theme.x]\ndelay = "PT15M"', "theme.x", "there are rain, level"),
    ],
)
def test_a_fault_names_key_and_remedy(read, more, key, remedy):
    _, faults = read(more)
    assert [fault.key for fault in faults] == [key]
    assert remedy in faults[0].remedy


def said(read, more, type_="parametric-pcr2", **device):
    settings, faults = read(more)
    assert not faults
    place = {"lat": 51, "lon": 7}
    row = {"dev_eui": "70b3d57ed0000001", "type": type_, "station": "a", "public": True} | place | device
    return list(advice(settings, load_registry(None, [row]), load_catalogue()))


def test_advice_where_a_rule_does_nothing_or_too_much(read):
    assert said(read, "") == []
    assert "set public = true" in said(read, '[property.battery_voltage]\ndelay = "PT1H"')[0]
    assert said(read, "[property.battery_voltage]\npublic = false") == []
    [line] = said(read, "[property.water_level]\npublic = false")
    assert line.startswith("water_level: warnings still name its values at once")


def test_advice_where_every_interval_would_be_empty(read):
    more = '[theme.traffic]\ncoarsen = "PT15M"'
    assert any("sees no people_count_interval" in line for line in said(read, more, interval_s=600))
    assert said(read, more, interval_s=450) == []
    assert said(read, more, interval_s=600, public=False) == []


def test_advice_where_the_same_is_public_under_another_name(read):
    found = said(read, '[property.water_level]\ndelay = "PT1H"', "decentlab-dl-mbx")
    assert any("also gives water_distance" in line and "[theme.level]" in line for line in found)
    found = said(read, '[theme.level]\ndelay = "PT1H"', "decentlab-dl-mbx")
    assert not any("also gives" in line for line in found)
