"""What docs/sensorthings.md shows is true of the demo's city, its numbers too."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from small_town import MINUTE, T0, Town
from starlette.testclient import TestClient

import stadtfunk
from api.sta.city import Cities
from devices.registry import load_registry
from ingest.reading import Measured, Series

ROOT = Path(stadtfunk.__file__).parents[1]
PAGE = (ROOT / "docs/sensorthings.md").read_text(encoding="utf-8")
# an address may go on in the next line, and ends before what is said of it
EXAMPLES = [
    re.sub(r"\n +", "", address)
    for address in re.findall(r"^ {4}(/sta/v1\.1(?:\S| (?! ))*(?:\n {5,}&.*)*)", PAGE, re.MULTILINE)
]


@pytest.fixture(scope="module")
def demo_city(tmp_path_factory):
    town = Town(tmp_path_factory.mktemp("demo"))
    town.registry = load_registry(ROOT / "stadtfunk/demo_city/devices.csv")
    gauge = next(each for each in town.registry.devices.values() if each.station == "pegel-gierath")
    series = Series("pegel-gierath", "water_level", "", gauge.dev_eui)
    for minute in range(3):
        at = T0 - minute * MINUTE
        town.keep(replace(town.uplink(gauge.dev_eui, at), readings=(Measured(series, at, 52.4, 1),)))
    town.changes["sta"] = Cities()
    with TestClient(town.app()) as client:
        yield client
    for each in (town.store, town.journal, town.audit):
        each.close()


def test_the_examples_are_found():
    assert len(EXAMPLES) == 11
    assert any("phenomenonTime lt" in each for each in EXAMPLES)


@pytest.mark.parametrize("address", EXAMPLES)
def test_an_example_answers_with_something(demo_city, address):
    answer = demo_city.get(address)
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"].startswith("text/plain"):
        assert answer.text == "Strunde Gierath"
        return
    found = answer.json()
    assert found.get("value", found.get("features", found)), found
    if "assetID" in address:
        assert found == {"assetID": "pegel-gierath"}
