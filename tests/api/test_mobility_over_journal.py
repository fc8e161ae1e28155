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
