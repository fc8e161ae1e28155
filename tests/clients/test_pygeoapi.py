"""pygeoapi's SensorThings provider, which turns entities into OGC API Features."""

from datetime import UTC, datetime, timedelta

import pytest
from outside import outside

BOX = (7.05, 50.98, 7.12, 51.01)
ENTITIES = ("Things", "Datastreams", "Observations", "ObservedProperties")
PLACED = ("Things", "Datastreams", "Observations")


def stamp(hours_ago):
    return (datetime.now(UTC) - timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def span():
    return stamp(3), stamp(2)


@pytest.fixture(scope="module")
def told(demo, span):
    return outside("pygeoapi_reads.py", demo.sta, ",".join(map(str, BOX)), *span)


def count(demo, entity):
    return demo.json(f"/sta/v1.1/{entity}?$count=true&$top=0")["@iot.count"]


@pytest.mark.parametrize("entity", ENTITIES)
def test_it_knows_the_fields_and_counts(told, demo, entity):
    fields = {"phenomenonTime", "result"} if entity == "Observations" else {"name", "description"}
    assert fields <= set(told[entity]["fields"])
    assert told[entity]["hits"] == count(demo, entity) > 0


@pytest.mark.parametrize("entity", ENTITIES)
def test_it_pages_and_finds_one(told, entity):
    found = told[entity]
    assert found["second_page"] == found["ids"][2:]
    assert found["same"] == found["ids"][0]


@pytest.mark.parametrize("entity", PLACED)
def test_features_lie_where_the_station_is_and_a_box_keeps_those_inside(told, entity):
    found = told[entity]
    assert found["first"]["geometry"]["type"] == "Point"
    assert found["without_geometry"] is None
    assert 0 < found["inside"] < found["hits"]
    assert len(found["places"]) == min(50, found["inside"])
    for lon, lat in found["places"]:
        assert BOX[0] <= lon <= BOX[2]
        assert BOX[1] <= lat <= BOX[3]


def test_things_in_the_box_are_the_stations_in_it(told, demo):
    stations = demo.json("/api/v1/stations?limit=1000")["items"]
    inside = [each for each in stations if BOX[0] < each["lon"] < BOX[2] and BOX[1] < each["lat"] < BOX[3]]
    assert told["Things"]["inside"] == len(inside)


def test_observations_come_in_any_order_and_of_any_time(told, span):
    times = told["times"]
    assert len(times) > 10
    assert times == sorted(times, reverse=True)
    begins = [time.partition("/")[0] for time in times]
    ends = [time.rpartition("/")[2] for time in times]
    between = [
        time
        for time, begin, end in zip(times, begins, ends, strict=True)
        if begin >= span[0] and end <= span[1]
    ]
    assert sorted(told["between"]) == sorted(between)
    assert told["between"]
    assert told["since"] == sum(begin >= span[0] for begin in begins)
    assert told["equal"] == sum(each == told["results"][0] for each in told["results"])


def test_all_observations_come_over_many_pages(told):
    assert told["all_at_once"] == told["Observations"]["hits"] > 1000


def test_a_filter_names_one(told):
    assert told["named"] == [told["Things"]["first"]["id"]]
