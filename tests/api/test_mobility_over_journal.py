"""Counts from uplinks in the journal to the answers, by the real reader."""

import pytest
from small_town import COUNTER, MINUTE, T0, catalogue
from starlette.testclient import TestClient

from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import Mobility
from alerts.rules import load_rules
from api.rfc3339 import format_us

HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOON = T0 - T0 % HOUR


def read_on(city, reader):
    while reader.cursor < city.journal.last_seq():
        reader.run_once()


@pytest.fixture
def counting(city):
    """Two days of a counter by which ten vehicles pass in ten minutes, then the reader of them."""
    for n in range(2 * 24 * 6 + 1):
        at = NOON - 2 * DAY + n * 10 * MINUTE
        city.measure(COUNTER, at, ("vehicle_count", 10.0 * n, "north"))
    file = open_database(city.folder / FILE)
    reader = Mobility(
        city.journal,
        load_rules(),
        lambda: city.registry,
        lambda: city.now_us,
        file,
        catalogue=catalogue(),
        checkpoint_s=0.0,
    )
    read_on(city, reader)
    city.changes |= {"traffic": reader.traffic, "parking": reader.parking, "history": reader}
    city.reader = reader
    yield city
    file.close()


def items(client, query):
    return client.get(f"/api/v1/traffic?station=z-haupt&property=vehicle_count&{query}").json()["items"]


def span(from_us, to_us):
    return f"from={format_us(from_us)}&to={format_us(to_us)}"


def north(found):
    return [(each["begin"], each["value"]) for each in found if each["channel"] == "north"]


def test_hours_of_yesterday_are_what_passed(counting):
    with TestClient(counting.app()) as client:
        told = items(client, f"interval=PT1H&{span(NOON - DAY, NOON)}")
    assert north(told) == [(format_us(NOON - DAY + n * HOUR), 60) for n in range(24)]
    assert {each["completeness"] for each in told if each["channel"] == "north"} == {1.0}


def test_finer_counts_add_up_to_coarser_ones_through_all_pages(counting):
    with TestClient(counting.app()) as client:
        hours = dict(north(items(client, f"interval=PT1H&{span(NOON - DAY, NOON)}")))
        for interval in ("PT5M", "PT15M"):
            found, address = [], f"/api/v1/traffic?interval={interval}&limit=7&{span(NOON - DAY, NOON)}"
            while address:
                answer = client.get(address)
                found += north(answer.json()["items"])
                address = answer.links.get("next", {}).get("url")
            assert sum(value for _, value in found) == sum(hours.values()) == 24 * 60


def test_the_running_day_is_not_told_and_the_last_whole_one_is(counting):
    with TestClient(counting.app()) as client:
        (day,) = north(items(client, "interval=P1D"))
    # midnight in Berlin
    assert day == ("2026-07-12T22:00:00Z", 24 * 60)


def test_what_comes_late_is_told_as_corrected(counting):
    counting.now_us = NOON + 6 * HOUR
    for n in (1, 12, 36):
        counting.measure(COUNTER, NOON + n * 10 * MINUTE, ("vehicle_count", 2880.0 + 20 * n, "north"))
    read_on(counting, counting.reader)
    query = f"interval=PT1H&{span(NOON, NOON + HOUR)}"
    with TestClient(counting.app()) as client:
        (before,) = [each for each in items(client, query) if each["channel"] == "north"]
        counting.measure(COUNTER, NOON + 60 * MINUTE, ("vehicle_count", 2880.0 + 100, "north"))
        read_on(counting, counting.reader)
        (after,) = [each for each in items(client, query) if each["channel"] == "north"]
    assert (before["value"], after["value"]) == (120, 100)
    assert after["corrected"] == format_us(NOON + 6 * HOUR)


def test_the_newest_interval_has_the_speeds_that_its_past_has(counting):
    counting.now_us = NOON + 6 * HOUR
    counting.measure(COUNTER, NOON, ("vehicle_count", 0.0, "south"))
    for n in range(1, 7):
        counting.measure(
            COUNTER,
            NOON + n * 10 * MINUTE,
            ("vehicle_count", 2880.0 + n * (n + 1), "north"),
            ("vehicle_speed", 30.0 + 4 * n, "north"),
            ("vehicle_speed_v85", 41.0 + 3 * n, "north"),
            ("vehicle_count", 1.0 * (n > 1) + (n > 3), "south"),
            ("vehicle_speed", 87.0, "south"),
        )
    read_on(counting, counting.reader)
    with TestClient(counting.app()) as client:
        newest = items(client, "limit=1000")
        for each in newest:
            same = items(client, f"interval={each['interval']}&from={each['begin']}&to={each['time']}")
            assert each in same
        datex = client.get("/datex2/traffic.json").json()["payload"]["roaMeasuredDataPublication"]
        sites = client.get("/datex2/traffic-sites.json").json()["payload"]
    told = {
        (each["channel"], each["interval"]): (each["value"], each["speed_mean_kmh"], each["speed_v85_kmh"])
        for each in newest
    }
    assert told["south", "PT1H"] == (2, None, None)
    count, mean, v85 = told["north", "PT1H"]
    assert count == 42
    # more vehicles passed when they were quicker
    assert 44 < mean < 54
    assert 51.5 < v85 < 59
    assert told["north", "PT5M"][1:] == (54.0, 59.0)
    (site,) = datex["siteMeasurements"]
    speeds = {
        each["index"]: each["physicalQuantity"]["roaSinglePhysicalQuantity"]["basicData"]["roaTrafficSpeed"]
        for each in site["physicalQuantity"]
        if each["index"] % 2 == 0
    }
    assert [each["averageVehicleSpeed"]["speed"] for each in speeds.values()] == [told["north", "PT15M"][1]]
    (table,) = sites["roaMeasurementSiteTablePublication"]["measurementSiteTable"]
    kinds = [
        each["measurementSpecificCharacteristics"]["specificMeasurementValueType"]["value"]
        for each in table["measurementSite"][0]["measurementSpecificCharacteristics"]
    ]
    # of in, north, out and south two have speeds
    assert sorted(kinds) == ["trafficFlow"] * 4 + ["trafficSpeed"] * 2
