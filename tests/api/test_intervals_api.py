import csv
import io
from datetime import datetime
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_town import COUNTER, LEVEL, MINUTE, RAIN, T0, TOKEN, Town
from starlette.testclient import TestClient

from api.aggregates import source
from api.public_rule import PublicRule
from api.rfc3339 import parse_us
from api.routes import aggregate_answer

READINGS = "/api/v1/readings"
HOUR = 60 * MINUTE


def follow(client, address):
    pages = []
    while address:
        answer = client.get(address)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        address = answer.links.get("next", {}).get("url")
    return pages


def items(client, **params):
    answer = client.get(READINGS, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def test_rain_is_summed_up_and_levels_are_averaged_by_default(client):
    first, *_ = items(client, station="regen-gierath", interval="PT1H", order="desc")
    # 17:30 UTC to 18:25, every 5 minutes, in hours that end at 18:00 and 19:00
    assert first == {
        "station": "regen-gierath",
        "property": "precipitation",
        "begin": "2026-07-14T18:00:00Z",
        "end": "2026-07-14T19:00:00Z",
        "sum": pytest.approx(1.9 + 2.0 + 2.1 + 2.2 + 2.3),
        "unit": "mm",
        "completeness": pytest.approx(5 / 12, abs=0.001),
    }
    levels = items(client, station="strunde-gierath", interval="PT1H", aggregate="mean,min,max,count,last")
    assert [each["count"] for each in levels] == [7, 12, 5]
    assert levels[1]["min"] == 37.7
    assert levels[1]["max"] == levels[1]["last"] == 49.8
    assert levels[1]["mean"] == pytest.approx((37.7 + 49.8) / 2)
    assert levels[1]["completeness"] == 1.0


def test_a_value_at_the_hour_belongs_to_the_hour_that_ends_with_it(city):
    city.measure(RAIN, parse_us("2026-07-14T12:00:00Z"), ("precipitation", 7.0))
    with TestClient(city.app()) as client:
        found = items(client, station="regen-gierath", interval="PT1H", to="2026-07-14T12:00:00Z")
        assert [(each["end"], each["sum"]) for each in found] == [("2026-07-14T12:00:00Z", 7.0)]


def test_days_follow_the_city_s_clock_unless_another_is_named(city):
    city.measure(RAIN, parse_us("2026-03-29T10:00:00Z"), ("precipitation", 7.0))
    span = {"from": "2026-03-29T00:00:00+01:00", "to": "2026-03-30T00:00:00+02:00"}
    with TestClient(city.app()) as client:
        [day] = items(client, station="regen-gierath", interval="P1D", **span)
        assert (day["begin"], day["end"]) == ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")
        # 23 hours: 276 readings of five minutes
        assert day["completeness"] == round(1 / 276, 3)
        [day] = items(client, station="regen-gierath", interval="P1D", timezone="UTC", **span)
        assert (day["begin"], day["end"]) == ("2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z")


def test_a_counter_tells_what_passed(city):
    for i in range(7):
        city.measure(COUNTER, T0 + i * 20 * MINUTE, ("vehicle_count", 100.0 + 10 * i, "in"))
    with TestClient(city.app()) as client:
        found = items(client, station="z-haupt", interval="PT30M", to="2026-07-14T22:00:00Z")
        ways = [(each["channel"], each["end"][11:16], each.get("sum")) for each in found]
        assert ways == [
            ("in", "18:30", None),
            ("out", "18:30", None),
            ("in", "19:00", 15.0),
            ("in", "19:30", 15.0),
            ("in", "20:00", 15.0),
            ("in", "20:30", 15.0),
        ]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_minutes_of_a_long_silence_are_not_looked_through(city, order):
    city.measure(COUNTER, T0, ("vehicle_count", 100.0, "in"))
    city.measure(COUNTER, T0 + MINUTE, ("vehicle_count", 107.0, "in"))
    asked = []
    query = city.store.query
    with TestClient(city.app()) as client:
        city.store.query = lambda wanted: asked.append(wanted) or query(wanted)
        found = items(
            client,
            station="z-haupt",
            interval="PT1M",
            order=order,
            **{"from": "1900-01-01T00:00:00Z", "to": "2199-12-31T00:00:00Z"},
        )
    assert [each["sum"] for each in found if each.get("sum")] == [7.0]
    assert len(asked) < 100


def test_short_intervals_of_what_does_not_count_come_in_pages(city, monkeypatch):
    monkeypatch.setattr(aggregate_answer, "_MOST_BLOCKS", 2)
    monkeypatch.setattr(source, "_MOST_CELLS", 3)
    city.measure(LEVEL, T0 + MINUTE, ("water_level", 500.0, "", 3))
    with TestClient(city.app()) as client:
        pages = follow(client, f"{READINGS}?quality=3&interval=PT1M&aggregate=max")
    assert [each["max"] for page in pages for each in page] == [500.0]
    assert len(pages) > 3


def test_only_good_readings_count_unless_others_are_asked_for(city):
    city.measure(LEVEL, T0 + MINUTE, ("water_level", 500.0, "", 3))
    city.measure(LEVEL, T0 + 2 * MINUTE, ("water_level", 400.0, "", 2))
    with TestClient(city.app()) as client:
        asked = {"station": "strunde-gierath", "interval": "P1D", "aggregate": "max"}
        found = {
            q: items(client, **asked, **({"quality": q} if q else {}))[0]["max"] for q in ("", "1,2", "3")
        }
        assert found == {"": 55.3, "1,2": 400.0, "3": 500.0}
        raw = items(client, station="strunde-gierath", quality="2,3")
        assert [each["value"] for each in raw] == [500.0, 400.0]
        assert [each["quality"] for each in items(client, station="strunde-gierath", quality="9")] == [9]


def test_pages_of_a_quality_go_on_where_the_search_ended(city, monkeypatch):
    monkeypatch.setattr("api.routes.readings._MOST_SEEN", 7)
    city.measure(LEVEL, T0 + MINUTE, ("water_level", 500.0, "", 3))
    with TestClient(city.app()) as client:
        pages = follow(client, f"{READINGS}?quality=3&limit=2")
        assert [each["value"] for page in pages for each in page] == [500.0]
        assert len(pages) > 3
        whole = client.get(READINGS, params={"quality": "1", "limit": "all"}).json()["items"]
        assert [each for page in follow(client, f"{READINGS}?quality=1&limit=5") for each in page] == whole


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"interval": "PT7M"}, "PT1H"),
        ({"interval": "PT1H", "timezone": "Mars/Olympus"}, "Europe/Berlin"),
        ({"interval": "PT1H", "timezone": "../../etc/passwd"}, "Europe/Berlin"),
        ({"interval": "PT1H", "timezone": "Europe"}, "Europe/Berlin"),
        ({"interval": "PT1H", "aggregate": "median"}, "mean"),
        ({"aggregate": "mean"}, "interval"),
        ({"timezone": "UTC"}, "interval"),
        ({"interval": "PT1H", "cursor": "WzFd"}, "Link"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_can(client, wrong, hint):
    answer = client.get(READINGS, params=wrong)
    assert answer.status_code == 400
    assert hint in answer.json()["hint"]


@pytest.mark.parametrize("quality", ["", "0", "1,", "good"])
def test_no_other_flag_can_be_asked_for(client, quality):
    assert client.get(READINGS, params={"quality": quality}).status_code == 422


def test_csv_has_a_column_for_every_function(client):
    asked = {"interval": "PT1H", "f": "csv", "aggregate": "mean,count"}
    rows = list(csv.DictReader(io.StringIO(client.get(READINGS, params=asked).text)))
    begin = ["station", "property", "channel", "begin", "end", "mean", "count", "unit", "completeness"]
    assert list(rows[0]) == begin
    found = items(client, **{**asked, "f": "json"})
    assert [row["mean"] for row in rows] == ["" if i["mean"] is None else str(i["mean"]) for i in found]
    columns = client.get(READINGS, params={"interval": "PT1H", "f": "csv"}).text.split("\r\n")[0]
    assert columns == "station,property,channel,begin,end,mean,sum,unit,completeness"


def test_geojson_places_each_interval_at_its_station(client):
    asked = {"interval": "P1D", "f": "geojson", "station": "regen-gierath"}
    [feature] = client.get(READINGS, params=asked).json()["features"]
    assert feature["geometry"] == {"type": "Point", "coordinates": [7.1, 50.98]}


def test_the_public_sees_no_interval_of_what_is_not_public(client, operator):
    public = {(each["station"], each["property"]) for each in items(client, interval="P1D")}
    known = {(each["station"], each["property"]) for each in items(operator, interval="P1D")}
    assert known - public >= {("geheim-pegel", "water_level"), ("regen-gierath", "battery_voltage")}
    assert not any("geheim" in station or "battery" in name for station, name in public)


def test_nothing_and_the_ends_of_time_are_answered(client):
    assert (
        items(client, interval="PT1M", **{"from": "0001-01-01T00:00:00Z", "to": "0001-01-02T00:00:00Z"}) == []
    )
    every = items(client, interval="P1Y", **{"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T00:00:00Z"})
    assert {each["begin"] for each in every} == {"2025-12-31T23:00:00Z"}
    assert items(client, interval="P1D", **{"from": "2040-01-01T00:00:00Z"}) == []


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """A town with gaps, resets and months of silence."""
    town = Town(tmp_path_factory.mktemp("busy"))
    uplinks, count = [], 0.0
    for i in range(120):
        count = 0.0 if i % 37 == 36 else count + i % 7
        at = T0 + i * 17 * MINUTE + (i // 50) * 32 * 24 * HOUR + (i // 25) * 9 * HOUR
        uplinks.append(town.uplink(COUNTER, at, ("vehicle_count", count, "in", 1 if i % 11 else 4)))
        uplinks.append(town.uplink(RAIN, at + MINUTE, ("precipitation", i / 10)))
    town.keep(*uplinks)
    with TestClient(town.app()) as client:
        yield client
    town.store.close()
    town.journal.close()
    town.audit.close()


SPAN = f"from=2026-07-01T00:00:00Z&aggregate={','.join(aggregate_answer.FUNCTIONS)}"


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    asked=st.tuples(
        st.sampled_from(["PT1H", "PT6H", "P1D", "P1W", "P1M", "P1Y"]),
        st.sampled_from(["asc", "desc"]),
        st.integers(60, 400),
    ),
    sizes=st.tuples(
        st.sampled_from([30, 37, 5000]), st.sampled_from([3000, 200_000]), st.sampled_from([50, 500_000])
    ),
)
def test_neither_pages_nor_blocks_change_an_interval(busy, asked, sizes):
    (interval, order, limit), (cells, readings, page) = asked, sizes
    address = f"{READINGS}?{SPAN}&interval={interval}&order="
    whole = follow(busy, f"{address}asc&limit=10000")
    whole = [item for each in whole for item in each]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "_MOST_CELLS", cells)
        patch.setattr(source, "_MOST_READINGS", readings)
        patch.setattr(aggregate_answer, "_MOST_READINGS", page)
        few = interval != "PT1H"
        pages = follow(busy, f"{address}{order}&limit={limit if not few else limit // 20}")
        streamed = busy.get(f"{address}{order}&limit=all").json()["items"]
    joined = [item for each in pages for item in each]
    assert joined == (whole if order == "asc" else whole[::-1])
    assert streamed == joined


def test_new_and_late_readings_between_two_pages_shift_nothing(city):
    with TestClient(city.app()) as client:
        address = f"{READINGS}?interval=PT5M&order=desc"
        before = client.get(f"{address}&limit=10000").json()["items"]
        first = client.get(f"{address}&limit=9")
        city.measure(RAIN, T0 + HOUR, ("precipitation", 88.0))
        city.measure(LEVEL, T0 + HOUR, ("water_level", 88.0))
        rest = [item for page in follow(client, first.links["next"]["url"]) for item in page]
        assert first.json()["items"] + rest == before


def test_an_offset_in_the_address_is_understood(client):
    start = quote("2026-07-14T20:00:00+02:00")
    [hour] = client.get(f"{READINGS}?station=regen-gierath&interval=PT1H&from={start}").json()["items"]
    assert datetime.fromisoformat(hour["begin"]).isoformat() == "2026-07-14T18:00:00+00:00"


def test_what_is_public_by_the_hour_is_complete_with_one_value_an_hour(city):
    city.changes["rules"] = {"precipitation": PublicRule(coarsen_us=HOUR)}
    asked = {"station": "regen-gierath", "property": "precipitation", "interval": "PT6H"}
    span = {"from": "2026-07-14T12:00:00Z", "to": "2026-07-14T18:00:00Z"}
    staff = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(city.app()) as client:
        [public] = items(client, **asked, **span, aggregate="count")
        # 16:00 to 22:00 UTC of the city's clock: the hours that end at 17:00 and 18:00 are over
        assert (public["count"], public["completeness"]) == (2, round(2 / 6, 3))
        [own] = client.get(READINGS, params={**asked, **span}, headers=staff).json()["items"]
        # two hours with a reading every five minutes
        assert own["completeness"] == round(24 / 72, 3)
