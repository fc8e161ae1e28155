"""ogc-sta-schema-validator over the whole demo city."""

import pytest
from outside import outside

SETS = (
    *("Things", "Locations", "HistoricalLocations", "Datastreams"),
    *("Sensors", "ObservedProperties", "Observations", "FeaturesOfInterest"),
)


@pytest.fixture(scope="module")
def told(demo):
    return outside("validate_entities.py", demo.sta)


def test_it_discovers_the_eight_entity_sets(told):
    assert told["connected"] is True
    assert sorted(told["sets"]) == sorted(SETS)


@pytest.mark.parametrize("name", SETS)
def test_every_entity_has_what_the_standard_asks(told, name):
    found = told["of"][name]
    assert found["faults"] == []
    assert found["checked"] == found["different"] == found["count"] > 0


@pytest.mark.parametrize("name", SETS)
def test_the_validator_would_notice_what_is_missing(told, name):
    assert told["of"][name]["unseen"] == []
