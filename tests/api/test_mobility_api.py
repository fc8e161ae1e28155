"""Traffic and parking: history in pages, what is marked, what is too few to be told."""

import csv
import io
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from kept_counts import DAY, GATE, HIDDEN, HOUR, LOEWE, ROAD, Kept, counts, occupancies
from small_town import MINUTE, T0, TOKEN, wait_for
from starlette.testclient import TestClient

from alerts.mobility.counted import Site
from alerts.mobility.counting import SiteCounts
from alerts.mobility.states import CarPark
from api.public_rule import PublicRule
from api.rfc3339 import format_us
from api.sta.city import Cities

STAFF = {"Authorization": f"Bearer {TOKEN}"}
PEOPLE = {name: PublicRule(suppress_below=5) for name in ("people_count", "people_count_interval")}


@pytest.fixture
def kept(city):
    """A city whose counters run in the newest hour, with a past behind it."""
    city.counts = tuple(SiteCounts(site, T0, tuple(counts("PT5M", [40] * 12))) for site in (ROAD, HIDDEN))
    history = Kept(
        {
            (ROAD, "PT5M"): counts("PT5M", range(100, 136), T0 - 30 * MINUTE),
            (ROAD, "PT1H"): counts("PT1H", range(1, 49), T0 - HOUR, speed_kmh=41.53, v85_kmh=49.04),
            (ROAD, "P1D"): counts("P1D", range(500, 530), T0 - HOUR, corrected_us=T0 - MINUTE),
            (HIDDEN, "PT1H"): counts("PT1H", range(700, 748)),
        }
    )
    city.changes["history"] = history
    city.history = history
    return city


def items(city, path, **headers):
    with TestClient(city.app(), headers=headers) as client:
        found, address = [], f"/api/v1/{path}"
        while address:
            answer = client.get(address)
            assert answer.status_code == 200, answer.text
            found += answer.json()["items"]
            address = answer.links.get("next", {}).get("url")
        return found


def span(from_us, to_us):
    return f"from={format_us(from_us)}&to={format_us(to_us)}"


def test_what_is_kept_goes_over_into_what_is_not_closed_yet(kept):
    told = items(kept, f"traffic?interval=PT5M&{span(T0 - HOUR, T0)}")
    assert [each["value"] for each in told] == [130, 131, 132, 133, 134, 135, *[40] * 6]
    assert [each["time"] for each in told] == [format_us(T0 - n * 5 * MINUTE) for n in range(11, -1, -1)]
    assert {(each["direction"], each["vehicle_class"]) for each in told} == {("in", "class1")}


@pytest.mark.parametrize("limit", [1, 2, 5, 7, 1000])
def test_pages_of_any_size_say_the_same(kept, limit):
    query = f"traffic?{span(T0 - 3 * HOUR, T0)}"
    told = items(kept, f"{query}&limit={limit}")
    assert told == items(kept, f"{query}&limit=10000")
    assert {each["interval"] for each in told} == {"PT5M", "PT15M", "PT1H"}
    assert {each["station"] for each in told} == {"z-haupt"}
    staff = items(kept, f"{query}&limit={limit}", **STAFF)
    assert {each["station"] for each in staff} == {"z-haupt", "geheim-pegel"}


def test_a_page_asks_for_no_more_than_it_holds(kept):
    with TestClient(kept.app()) as client:
        client.get(f"/api/v1/traffic?interval=PT1H&limit=3&{span(T0 - 2 * DAY, T0)}")
    assert [each[-1] for each in kept.history.asked] == [4]


def test_the_history_is_asked_once_for_a_page(kept):
    kept.history.rows |= {
        (Site("z-haupt", "vehicle_count", f"out/{n}"), "PT1H"): counts("PT1H", [n], T0 - HOUR)
        for n in range(30)
    }
    assert len(items(kept, f"traffic?interval=PT1H&limit=1000&{span(T0 - 2 * HOUR, T0 - HOUR)}")) == 31
    assert len(kept.history.asked) == 1
    items(kept, "traffic?interval=P1D&limit=1000")
    assert len(kept.history.asked) == 2


def test_days_say_that_they_were_corrected_and_only_what_is_over_is_told(kept):
    told = items(kept, "traffic?interval=P1D")
    assert [(each["value"], each["corrected"]) for each in told] == [(529, format_us(T0 - MINUTE))]
    kept.now_us = T0 - 2 * HOUR
    assert [each["value"] for each in items(kept, f"traffic?interval=P1D&{span(T0 - 3 * DAY, T0)}")] == [
        528,
        529,
    ]
    assert [
        each["value"] for each in items(kept, f"traffic?interval=P1D&{span(T0 - 3 * DAY, T0 - 2 * HOUR)}")
    ] == [528]


def test_nobody_learns_how_fast_one_vehicle_was(kept):
    told = {each["value"]: each for each in items(kept, f"traffic?interval=PT1H&{span(T0 - 3 * DAY, T0)}")}
    assert (told[2]["speed_mean_kmh"], told[2]["speed_v85_kmh"]) == (None, None)
    assert (told[3]["speed_mean_kmh"], told[3]["speed_v85_kmh"]) == (41.5, 49.0)
    staff = items(kept, f"traffic?interval=PT1H&station=z-haupt&{span(T0 - 3 * DAY, T0)}", **STAFF)
    assert staff[0]["speed_mean_kmh"] == 41.5
    kept.changes["rules"] = {"vehicle_speed": PublicRule(public=False)}
    told = items(kept, f"traffic?interval=PT1H&{span(T0 - 3 * DAY, T0)}")
    assert {each["speed_mean_kmh"] for each in told} == {None}


@pytest.mark.parametrize(
    ("rule", "intervals"),
    [
        (PublicRule(coarsen_us=HOUR), {"PT1H", "P1D"}),
        (PublicRule(coarsen_us=15 * MINUTE), {"PT15M", "PT1H", "P1D"}),
        # days of the city's clocks and of UTC would tell the two hours between them
        (PublicRule(coarsen_us=DAY), set()),
        (PublicRule(delay_us=HOUR), set()),
    ],
)
def test_what_is_public_coarser_or_later_is_so_in_the_past_too(kept, rule, intervals):
    kept.changes["rules"] = {"vehicle_count": rule}
    told = [*items(kept, f"traffic?{span(T0 - DAY, T0)}"), *items(kept, "traffic?interval=P1D")]
    assert {each["interval"] for each in told} == intervals


@pytest.fixture
def gate(kept):
    """A gate where few pass; a small hour in every day but the third."""
    hours = [[20, 3, *[0] * 22], [20, 3, 2, *[0] * 21], [30] * 24]
    days = [sum(day) for day in hours]
    kept.history.rows |= {
        (GATE, "PT5M"): counts("PT5M", [9] * 12),
        (GATE, "PT1H"): counts("PT1H", [count for day in hours for count in day]),
        (GATE, "P1D"): counts("P1D", days),
    }
    kept.counts += (SiteCounts(GATE, T0, tuple(counts("PT5M", [9] * 24))),)
    kept.changes["rules"] = PEOPLE
    return kept


@pytest.mark.parametrize("form", ["json", "csv", "parquet", "geojson"])
def test_small_counts_of_people_are_marked_and_not_told_in_any_form(gate, form):
    query = f"property=people_count&{span(T0 - 3 * DAY, T0)}&f={form}"
    with TestClient(gate.app()) as client:
        hours = table(client.get(f"/api/v1/traffic?interval=PT1H&limit=10000&{query}"), form)
        days = table(client.get(f"/api/v1/traffic?interval=P1D&{query}"), form)
    assert hours[:4] == [(20, False), (None, True), (0, False), (0, False)]
    assert {value for value, _ in hours} == {20, 30, 0, None}
    assert days == [(None, True), (25, False), (720, False)]


def table(answer, form):
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        return [(int(row["value"]) if row["value"] else None, row["suppressed"] == "true") for row in rows]
    if form == "parquet":
        rows = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    elif form == "geojson":
        rows = [each["properties"] for each in answer.json()["features"]]
    else:
        rows = answer.json()["items"]
    return [(row["value"], row["suppressed"]) for row in rows]


def test_staff_see_small_counts_and_short_intervals(gate):
    query = f"traffic?property=people_count&{span(T0 - 3 * DAY, T0)}"
    staff = items(gate, f"{query}&interval=PT1H", **STAFF)
    assert [each["value"] for each in staff[:3]] == [20, 3, 0]
    assert {each["interval"] for each in items(gate, query, **STAFF)} == {"PT5M", "PT15M", "PT1H"}
    assert {each["interval"] for each in items(gate, query)} == {"PT1H"}


def test_pages_of_days_suppress_what_all_of_them_do(gate):
    query = f"traffic?interval=P1D&property=people_count&{span(T0 - 3 * DAY, T0)}"
    assert items(gate, f"{query}&limit=1") == items(gate, query)


@pytest.mark.parametrize(
    "path",
    [
        "readings?property=people_count&property=people_count_interval",
        "readings?property=people_count_interval&interval=PT1H",
        "readings/latest?property=people_count",
        "archive",
    ],
)
def test_what_counts_people_is_in_no_reading(gate, path):
    for n in range(3):
        gate.measure("70b3d57ed0000004", T0 - n * 10 * MINUTE, ("people_count", 7.0 + n, "in"))
        gate.measure("70b3d57ed0000004", T0 - n * 10 * MINUTE, ("people_count_interval", 1.0, "in"))
    with TestClient(gate.app()) as client:
        assert "people_count" not in str(client.get(f"/api/v1/{path}").json()["items"])
        assert client.get("/api/v1/archive/people_count/2026-07-14.csv").status_code == 404
        assert client.get("/api/v1/traffic?property=people_count").json()["items"]
        known = {each["name"]: each for each in client.get("/api/v1/properties").json()["items"]}
        assert known["people_count"]["suppress_below"] == 5
        assert known["vehicle_count"]["suppress_below"] is None
    if "archive" not in path:
        assert items(gate, path, **STAFF)


def test_nor_in_sensorthings(gate):
    gate.changes["sta"] = Cities()
    for n in range(3):
        gate.measure("70b3d57ed0000004", T0 - n * 10 * MINUTE, ("people_count_interval", 1.0, "in"))
    wait_for(lambda: len(gate.latest.latest()) >= 10)
    address = "/sta/v1.1/Datastreams?$expand=Observations&$top=100"
    with TestClient(gate.app()) as client:
        assert "people_count" not in client.get(address).text
        assert "people_count_interval" in client.get(address, headers=STAFF).text


def test_a_gate_where_few_pass_says_so_in_citykey(gate):
    gate.counts = (SiteCounts(GATE, T0, tuple(counts("PT5M", [1, *[0] * 11], T0 - 30 * MINUTE))),)
    with TestClient(gate.app()) as client:
        told = client.get("/citykey/poi?categoryId=12").json()["content"]
    assert [each["subtitle"] for each in told] == ["weniger als 5 Personen je Stunde (in)"]


def test_a_car_park_says_where_it_is_going_and_what_is_expected(city):
    city.parks = (LOEWE,)
    (item,) = items(city, "parking")
    assert item["free"] == 87
    assert (item["trend_per_h"], item["confidence"]) == (6.0, 0.94)
    assert item["changed"] == format_us(T0 - MINUTE)
    assert item["expected"] == [
        {
            "minutes": 30,
            "time": format_us(T0 + 30 * MINUTE),
            "free": 84,
            "low": 77,
            "high": 91,
            "method": "as_now",
        }
    ]
    assert item["reserved"]["disabled"] == {"capacity": 4, "occupied": 1, "free": 3}


def test_the_public_never_hears_whether_one_space_is_taken(city):
    city.parks = (LOEWE, CarPark("z-haupt", "spaces", 1, 1, 0, T0, T0, 1, 1))
    city.changes["occupancy"] = Kept({("z-haupt", "PT15M"): occupancies("PT15M", [1, 0], 1)}).occupancy
    told = {each["station"]: each for each in items(city, "parking")}
    assert told["p-markt"]["reserved"]["charging"] == {"capacity": 1, "occupied": None, "free": None}
    assert (told["z-haupt"]["occupied"], told["z-haupt"]["free"], told["z-haupt"]["changed"]) == (None,) * 3
    past = items(city, "parking/history?station=z-haupt")
    assert [(each["occupied"], each["occupied_mean"], each["free"]) for each in past] == [(None,) * 3] * 2
    staff = items(city, "parking/history?station=z-haupt", **STAFF)
    assert [each["occupied"] for each in staff] == [1, 0]


@pytest.mark.parametrize(
    "path", ["/api/v1/parking", "/api/v1/parking?f=csv", "/parkapi/v3/parking-sites", "/datex2/parking.json"]
)
def test_the_public_never_hears_when_the_sensor_of_one_space_spoke(city, path):
    """It reports when a car comes or leaves."""
    told = []
    for time_us, confidence in ((T0 - 7 * MINUTE, 0.5), (T0, 1.0)):
        one = CarPark("z-haupt", "spaces", 1, 1, 0, time_us, time_us, 1, 1, confidence=confidence)
        city.parks = (replace(LOEWE, newest_us=T0 - 9 * MINUTE), one)
        with TestClient(city.app()) as client:
            answer = client.get(path)
        assert answer.status_code == 200
        told.append((answer.content, answer.headers["etag"]))
    assert told[0] == told[1]
    assert b"z-haupt" in told[0][0]


@pytest.mark.parametrize(("sensors", "heard"), [(1, 1), (8, 1)])
def test_one_space_that_stands_for_a_whole_car_park_is_not_told_either(city, sensors, heard):
    city.parks = (CarPark("z-haupt", "spaces", 8, 8, 0, T0, T0, sensors, heard),)
    city.changes["occupancy"] = Kept({("z-haupt", "PT15M"): occupancies("PT15M", [8, 0], 8)}).occupancy
    (now,) = items(city, "parking")
    assert (now["occupied"], now["free"], now["changed"], now["expected"]) == (None, None, None, [])
    past = items(city, "parking/history")
    assert [(each["occupied"], each["occupied_mean"], each["free"]) for each in past] == [(None,) * 3] * 2
    assert items(city, "parking", **STAFF)[0]["occupied"] == 8
    city.parks = (CarPark("z-haupt", "counters", 8, 8, 0, T0, T0, 2, 1),)
    assert items(city, "parking")[0]["occupied"] == 8


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_the_past_of_car_parks_comes_in_pages(city, limit):
    city.parks = (LOEWE, CarPark("z-haupt", "spaces", 8, 1, 7, T0, T0, 8, 8))
    kept = {
        ("p-markt", "PT15M"): occupancies("PT15M", range(30, 36), 120),
        ("z-haupt", "PT15M"): occupancies("PT15M", range(4), 8),
    }
    city.changes["occupancy"] = Kept(kept).occupancy
    told = items(city, f"parking/history?limit={limit}")
    assert [(each["station"], each["occupied"]) for each in told] == [
        *(("p-markt", n) for n in range(30, 36)),
        *(("z-haupt", n) for n in range(4)),
    ]
    assert told[0] == {
        "station": "p-markt",
        "interval": "PT15M",
        "begin": format_us(T0 - 90 * MINUTE),
        "time": format_us(T0 - 75 * MINUTE),
        "occupied_mean": 30.2,
        "occupied_max": 31,
        "occupied": 30,
        "free": 90,
        "capacity": 120,
        "completeness": 1.0,
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("traffic?from=2026-07-14T18:00:00Z&to=2026-07-14T17:00:00Z", 400),
        ("traffic?interval=P1M", 422),
        ("traffic?cursor=WzEsMV0", 400),
        ("parking/history?interval=P1W", 422),
        ("parking/history?cursor=WzEsMV0", 400),
        ("parking/history?from=gestern", 400),
        ("parking/history?station=geheim-pegel", 404),
    ],
)
def test_what_cannot_be_meant_so_is_refused(client, path, status):
    assert client.get(f"/api/v1/{path}").status_code == status


def test_a_counter_that_was_taken_away_keeps_its_past(kept):
    gone = Site("z-haupt", "bicycle_count", "")
    kept.history.rows[gone, "P1D"] = counts("P1D", [77], T0 - 2 * DAY)
    told = items(kept, f"traffic?interval=P1D&property=bicycle_count&{span(T0 - 4 * DAY, T0)}")
    assert [(each["value"], each["direction"]) for each in told] == [(77, None)]
