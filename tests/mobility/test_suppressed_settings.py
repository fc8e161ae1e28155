"""What [traffic] suppress_below makes of the rules."""

import pytest

from stadtfunk.errors import ConfigError
from stadtfunk.open_data import public_rules
from stadtfunk.settings_file import load_settings

HEAD = '[city]\nname = "Stadt"\n[devices]\nfile = "devices.csv"\n'


def settings(folder, more):
    (folder / "city.toml").write_text(HEAD + more)
    return load_settings(folder / "city.toml")


def test_what_counts_people_is_suppressed_and_nothing_else(tmp_path):
    rules = public_rules(settings(tmp_path, "[traffic]\nsuppress_below = 5\n"))
    assert {name for name, rule in rules.items() if rule.suppress_below} == {
        *("people_count", "people_count_interval"),
    }
    assert not rules["people_count"].readable
    assert rules["bicycle_count"].readable
    assert not any(rule.suppress_below for rule in public_rules(settings(tmp_path, "")).values())


def test_a_number_that_is_none_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"traffic\.suppress_below"):
        settings(tmp_path, "[traffic]\nsuppress_below = -1\n")
