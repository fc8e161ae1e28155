"""What rules of one's own leave out is said by `stadtfunk check`."""

import pytest

from alerts.catchments import Catchments
from alerts.rules import load_rules
from devices.catalogue import load_catalogue
from devices.registry import load_registry
from stadtfunk.unjudged import unjudged_advice

INSTALLED = (
    "dev_eui,type,station,lat,lon,capacity,direction,stages_cm,sensor_height_cm\n"
    "70b3d57ba0000001,decentlab-dl-tbrg,rain-1,51,7,,,,\n"
    "70b3d57ba0000002,decentlab-dl-mbx,level-1,51,7,,,60;100,300\n"
    "70b3d57ba0000003,nwave-ncc405,park-1,51,7,80,in,,\n"
    "70b3d57ba0000004,nwave-ncc405,park-1,,,,out,,\n"
)
RAIN = '[[rule]]\nid = "rain"\nkind = "dwd_rain"\n'
SRI = '[[rule]]\nid = "sri"\nkind = "sri"\n'
LEVEL = '[[rule]]\nid = "level"\nkind = "water_level"\n'
PARKING = '[[rule]]\nid = "park-1"\nkind = "parking"\nstations = "park-1"\n'
COUNTS = '[[rule]]\nid = "counts"\nkind = "counts"\n'


@pytest.fixture
def advice(tmp_path):
    """The advice about a file of rules; None: the shipped ones."""
    list_ = tmp_path / "devices.csv"
    list_.write_text(INSTALLED)
    catalogue = load_catalogue()
    registry = load_registry(list_, catalogue=catalogue)

    def of(text, registry=registry):
        file = tmp_path / "rules.toml"
        file.write_text(text or "")
        rules = load_rules(file if text else None)
        return list(unjudged_advice(rules, registry, catalogue, Catchments()))

    return of


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (PARKING, ["rain at rain-1:", "water levels at level-1:", "counts at park-1:"]),
        (COUNTS + SRI, ["water levels at level-1:", "car parks at park-1:"]),
        (PARKING + COUNTS + LEVEL + SRI, []),
        (PARKING + COUNTS + LEVEL + RAIN, []),
        (None, []),
    ],
)
def test_what_no_rule_judges_is_named(advice, rules, left):
    found = advice(rules)
    assert len(found) == len(left)
    for line, what in zip(found, left, strict=True):
        assert f"no rule judges {what} a file of your own replaces the shipped rules" in line


def test_many_stations_are_not_all_named(advice, tmp_path):
    rows = "".join(f"70b3d57ba000001{n},decentlab-dl-tbrg,r-{n},51,7\n" for n in range(5))
    (tmp_path / "many.csv").write_text(f"dev_eui,type,station,lat,lon\n{rows}")
    [line] = advice(LEVEL, load_registry(tmp_path / "many.csv", catalogue=load_catalogue()))
    assert "no rule judges rain at r-0, r-1, r-2 and 2 more:" in line
