import pytest

from alerts.catchments import parse_catchments
from alerts.errors import AlertsConfigError


def reaches(*pairs):
    return {"reach": [{"from": a, "to": b, "travel_min": [10, 20]} for a, b in pairs]}


def test_a_creek_that_flows_into_itself_is_a_fault():
    with pytest.raises(AlertsConfigError) as error:
        parse_catchments(reaches(("a", "b"), ("b", "c"), ("c", "a"), ("x", "a")), "catchments.toml")
    assert [fault.problem.split()[3] for fault in error.value.faults] == ["a", "b", "c"]


def test_creeks_may_join_and_part():
    found = parse_catchments(reaches(("a", "c"), ("b", "c"), ("c", "d"), ("a", "d")), "catchments.toml")
    assert len(found.reaches) == 4


def test_a_station_of_no_catchment_belongs_to_the_city():
    found = parse_catchments({"catchment": [{"id": "strunde", "stations": ["strunde-*"]}]}, "catchments.toml")
    assert (found.of("strunde-1").id, found.of("rhein").id) == ("strunde", "city")
