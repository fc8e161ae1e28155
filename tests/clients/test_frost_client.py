"""frost_sta_client, from FROST-Server's makers: what it reads is what the native API says."""

import pytest
from outside import outside

PEGEL = "GL_STA_Pegel"


@pytest.fixture(scope="module")
def told(demo):
    return outside("frost_reads.py", demo.sta, PEGEL)


@pytest.fixture(scope="module")
def stations(demo):
    return {each["id"]: each for each in demo.json("/api/v1/stations?limit=1000")["items"]}


def test_it_counts_and_walks_things_over_several_pages(told, stations):
    assert told["first_page"] == 7
    assert told["things_count"] == len(told["things"]) == len(stations) > 14
    assert {name for _, name, _ in told["things"]} == {each["name"] for each in stations.values()}
    assert {properties["assetID"] for *_, properties in told["things"]} == set(stations)


def test_every_set_has_an_entity_with_an_absolute_link(told, demo):
    for name, link in told["sets"].items():
        assert link.startswith(f"{demo.sta}/"), name
        assert demo.json(link)["@iot.selfLink"] == link


def test_a_thing_is_found_by_id_and_by_name(told):
    assert told["found"] == told["things"][0][1]
    assert told["named"] == [told["things"][3][0]]


def test_locations_are_points_in_the_city(told):
    for lon, lat in told["points"]:
        assert 7.0 < lon < 7.3
        assert 50.8 < lat < 51.1


def test_datastreams_of_a_theme_come_with_what_they_hang_on(told, stations):
    names = [each["name"] for each in told["streams"]]
    assert names == sorted(names)
    assert {each["thing"] for each in told["streams"]} <= {each["name"] for each in stations.values()}
    assert all(each["place"] and each["sensor"] and each["property"] for each in told["streams"])
    assert len(told["streams"]) >= 4


def test_observations_are_the_readings(told, demo, stations):
    stream = told["stream"]
    station = next(id_ for id_, each in stations.items() if each["name"] == stream["thing"])
    address = f"/api/v1/readings?station={station}&limit=10000"
    values = sorted(
        (each["time"], each["value"])
        for each in demo.json(address)["items"]
        if each["property"] == "water_level"
    )
    assert told["observed_count"] == len(told["observed"]) == len(values) > 20
    assert [result for *_, result in told["observed"]] == [value for _, value in reversed(values)]
    assert told["latest"] == values[-1][1]
    assert told["higher"] == sum(value is not None and value >= 1 for _, value in values)


@pytest.fixture(scope="module")
def wrote(scratch):
    return outside("frost_writes.py", scratch.sta)


def test_it_creates_a_thing_with_all_that_belongs_to_it(wrote):
    assert wrote["made"] == {
        "name": "Pegel",
        "properties": {"assetID": "p-1"},
        "places": ["Wehr"],
        "streams": ["Stand"],
    }


def test_it_patches(wrote):
    assert wrote["patched"]["name"] == "Pegel Wehr"
    assert wrote["patched"]["properties"] == {"assetID": "p-1", "richtung": "ab"}


def test_it_creates_observations_one_by_one_and_as_an_array(wrote):
    assert [result for _, result in wrote["observed"]] == [1.5, 2.5, 3.5]
    assert [result for _, result in wrote["observed_then"]] == [1.5, 2.5, 3.5, 10.0, 11.0]
    assert all("/Observations(" in link for link in wrote["array_links"])
    assert len(wrote["array_links"]) == 2
    assert wrote["features"] == ["Wehr"]


def test_it_updates_and_deletes(wrote):
    assert wrote["updated"] == 99.5
    assert (wrote["after_delete"], wrote["thing_gone"]) == (404, 404)
    assert wrote["left"] == {
        "things": 0,
        "datastreams": 0,
        "observations": 0,
        "historical_locations": 0,
        "locations": 1,
        "sensors": 1,
    }
