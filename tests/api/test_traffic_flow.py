"""/api/v1/traffic/segments, /congestions and /flow, and congestions on the stream."""

import asyncio
import csv
import io

import pytest
from small_town import MINUTE, T0, TOKEN
from starlette.testclient import TestClient
from stream_listener import Listener
from told_roads import HOUR, Roads, flow_state, segment, street

from alerts.mobility.states import Congestion
from api.public_rule import PublicRule
from api.stream import Stream
from api.visibility import SeriesBook
from devices.registry import load_registry

OPERATOR = {"Authorization": f"Bearer {TOKEN}"}
RADAR = {
    "dev_eui": "70b3d57ed0000009",
    "type": "parametric-tcr",
    "station": "radar",
    "name": "Radar",
    "lat": 50.98,
    "lon": 7.13,
    "public": True,
}


@pytest.fixture
def roads(city):
    city.changes["roads"] = Roads()
    return city.changes["roads"]


@pytest.fixture
def asked(city, roads):
    def ask(path, headers=None, **query):
        with TestClient(city.app()) as client:
            return client.get(f"/api/v1/traffic/{path}", params=query, headers=headers)

    return ask


def test_segments_are_geojson_lines(asked):
    answer = asked("segments")
    assert answer.headers["content-type"] == "application/geo+json"
    (feature,) = answer.json()["features"]
    assert feature["id"] == "main"
    assert feature["geometry"] == {"type": "LineString", "coordinates": [[7.13, 50.99], [7.14, 50.98]]}
    assert feature["properties"] == {
        "id": "main",
        "name": "Main",
        "state": "slow",
        "since": "2026-07-14T17:30:00Z",
        "time": "2026-07-14T18:30:00Z",
        "speed_kmh": 17.3,
        "free_flow_kmh": 50.0,
        "stations": ["z-haupt"],
    }


def test_segments_as_json_and_csv_and_page_by_page(asked):
    assert [each["id"] for each in asked("segments", f="json").json()["items"]] == ["main"]
    rows = list(csv.DictReader(io.StringIO(asked("segments", f="csv").text)))
    assert [(row["id"], row["stations"]) for row in rows] == [("main", "z-haupt")]
    first = asked("segments", OPERATOR, f="json", limit=1)
    assert [each["id"] for each in first.json()["items"]] == ["main"]
    cursor = first.headers["link"].partition("cursor=")[2].partition(">")[0]
    second = asked("segments", OPERATOR, f="json", limit=1, cursor=cursor)
    assert [each["id"] for each in second.json()["items"]] == ["secret"]


def test_a_segment_with_a_station_that_is_not_public_is_for_operators(asked):
    assert "secret" not in asked("segments").text
    assert "secret" not in asked("congestions").text
    assert {each["id"] for each in asked("segments", OPERATOR, f="json").json()["items"]} == {
        "main",
        "secret",
    }
    assert "geheim-pegel" not in asked("flow").text
    assert "geheim-pegel" in asked("flow", OPERATOR).text


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        (PublicRule(), True),
        (PublicRule(coarsen_us=5 * MINUTE), True),
        (PublicRule(coarsen_us=15 * MINUTE), True),
        (PublicRule(coarsen_us=HOUR), False),
        (PublicRule(delay_us=MINUTE), False),
        (PublicRule(public=False), False),
    ],
    ids=["public", "5 min", "15 min", "hourly", "later", "closed"],
)
def test_states_are_as_public_as_quarters_of_the_counts(city, asked, rule, shown):
    city.changes["rules"] = {"vehicle_count": rule}
    assert bool(asked("segments", f="json").json()["items"]) == shown
    assert bool(asked("congestions").json()["items"]) == shown
    assert bool(asked("flow").json()["items"]) == shown
    assert len(asked("segments", OPERATOR, f="json").json()["items"]) == 2


def test_where_few_people_are_not_told_no_quarter_of_them_is(city, roads, asked):
    roads.states = (flow_state("z-haupt"), flow_state("z-haupt", property_="people_count", count=1))
    kinds = [each["property"] for each in asked("flow").json()["items"]]
    assert kinds == ["people_count", "vehicle_count"]
    city.changes["rules"] = {"people_count": PublicRule(suppress_below=5)}
    (item,) = asked("flow").json()["items"]
    assert item["property"] == "vehicle_count"
    assert len(asked("flow", OPERATOR).json()["items"]) == 2


@pytest.mark.parametrize("closed", [False, True])
def test_where_speeds_are_measured_they_have_to_be_public_too(city, roads, asked, closed):
    city.registry = load_registry(None, [RADAR])
    roads.streets, roads.now = (street("main", "radar"),), (segment("main"),)
    roads.states = (flow_state("radar", basis="speed", speed_kmh=17.0),)
    city.changes["rules"] = {"vehicle_speed": PublicRule(public=not closed)}
    assert bool(asked("segments", f="json").json()["items"]) != closed
    assert bool(asked("flow").json()["items"]) != closed


def test_speeds_that_are_closed_do_not_matter_where_none_are_measured(city, asked):
    city.changes["rules"] = {"vehicle_speed": PublicRule(public=False)}
    assert asked("segments", f="json").json()["items"]


@pytest.mark.parametrize("property_", ["people_count", "bicycle_count"])
@pytest.mark.parametrize("below", [0, 5])
def test_quarters_of_people_are_told_only_where_few_of_them_are(city, roads, asked, property_, below):
    roads.states = (flow_state("z-haupt", property_=property_, count=3, typical=(1.0, 2.0, 4.0)),)
    city.changes["rules"] = {"people_count": PublicRule(suppress_below=below)}
    told = asked("flow").json()["items"]
    assert bool(told) == (property_ != "people_count" or not below)
    assert [each["value"] for each in asked("flow", OPERATOR).json()["items"]] == [3]


def test_flow_has_state_and_what_is_usual(asked):
    items = asked("flow").json()["items"]
    assert [(each["station"], each["channel"]) for each in items] == [("z-haupt", "in"), ("z-haupt", "out")]
    assert items[0] == {
        "station": "z-haupt",
        "property": "vehicle_count",
        "channel": "in",
        "state": "jam",
        "basis": "count",
        "since": "2026-07-14T18:00:00Z",
        "time": "2026-07-14T18:30:00Z",
        "value": 31,
        "speed_kmh": None,
        "typical_low": 81,
        "typical": 100,
        "typical_high": 121,
    }
    assert (items[1]["since"], items[1]["value"], items[1]["typical"]) == (None, None, None)


def test_counts_are_rounded_as_the_city_wants(city, asked):
    city.changes["rules"] = {"vehicle_count": PublicRule(round_to=50)}
    item = asked("flow").json()["items"][0]
    assert [item[name] for name in ("value", "typical_low", "typical", "typical_high")] == [50, 100, 100, 100]


def test_flow_of_a_station_and_of_none(asked):
    assert {each["station"] for each in asked("flow", station="z-haupt").json()["items"]} == {"z-haupt"}
    assert asked("flow", station="geheim-pegel").status_code == 404
    assert asked("flow", station="p-markt").json()["items"] == []


def test_a_congestion_on_no_segment_is_where_its_station_is(roads, asked):
    roads.told = tuple(
        Congestion(f"site:{station}/in.1", f"site:{station}/in", T0 - HOUR, None, "jam")
        for station in ("geheim-pegel", "z-haupt", "gone")
    )
    (item,) = asked("congestions").json()["items"]
    assert (item["segment"], item["station"], item["channel"]) == (None, "z-haupt", "in")
    assert item["name"] == item["name"].strip() != ""
    (feature,) = asked("congestions", f="geojson").json()["features"]
    assert feature["geometry"]["type"] == "Point"
    assert len(asked("congestions", OPERATOR).json()["items"]) == 2


def test_congestions_in_force_and_of_the_last_day(roads, asked):
    items = asked("congestions").json()["items"]
    assert [(each["id"], each["in_force"]) for each in items] == [("main.1", False), ("main.2", True)]
    assert items[0] == {
        "id": "main.1",
        "segment": "main",
        "station": None,
        "channel": None,
        "name": "Main",
        "begin": "2026-07-14T15:30:00Z",
        "end": "2026-07-14T16:30:00Z",
        "in_force": False,
        "worst": "slow",
    }
    roads.told = (Congestion("main.0", "main", T0 - 40 * HOUR, T0 - 25 * HOUR, "slow"), *roads.told)
    assert len(asked("congestions").json()["items"]) == 2
    assert len(asked("congestions", **{"from": "2026-07-13T12:00:00Z"}).json()["items"]) == 3


def test_congestions_of_a_span(asked):
    def ids(**span):
        return [each["id"] for each in asked("congestions", **span).json()["items"]]

    assert ids(**{"from": "2026-07-14T16:30:00Z"}) == ["main.2"]
    assert ids(to="2026-07-14T17:30:00Z") == ["main.1"]
    answer = asked("congestions", **{"from": "2026-07-14T17:00:00Z", "to": "2026-07-14T16:00:00Z"})
    assert answer.status_code == 400
    assert asked("congestions", to="yesterday").status_code == 400


@pytest.mark.parametrize("headers", [None, OPERATOR], ids=["public", "staff"])
def test_congestions_come_page_by_page_and_no_more_of_them_are_read(roads, asked, headers):
    span = {"from": "2026-07-13T12:00:00Z"}
    every = [each["id"] for each in asked("congestions", headers, **span).json()["items"]]
    assert every == (["main.1", "secret.1", "main.2"] if headers else ["main.1", "main.2"])
    roads.asked.clear()
    found, cursor = [], {}
    while cursor is not None:
        answer = asked("congestions", headers, limit=1, **span, **cursor)
        found += [each["id"] for each in answer.json()["items"]]
        link = answer.headers.get("link", "")
        following = link.partition("cursor=")[2].partition(">")[0]
        cursor = {"cursor": following} if following else None
    assert found == every
    assert set(roads.asked) == {2}


def test_congestions_as_geojson(asked):
    features = asked("congestions", f="geojson").json()["features"]
    assert [each["geometry"]["type"] for each in features] == ["LineString", "LineString"]
    assert [each["properties"]["segment"] for each in features] == ["main", "main"]


def test_congestions_come_by_stream_to_whom_they_are_for(city, roads):
    async def scenario(hub):
        public, staff = Listener(hub), Listener(hub, "leitstelle")
        await public.until("hello")
        await staff.until("hello")
        for listener in roads.listeners:
            listener(roads.told[1:])
        _, seen, id_ = await public.until("congestions")
        assert [each["id"] for each in seen["items"]] == ["main.2"]
        assert id_
        _, seen, _ = await staff.until("congestions")
        assert [each["id"] for each in seen["items"]] == ["secret.1", "main.2"]
        await public.leave()
        await staff.leave()

    async def main():
        hub = Stream(city.services(), SeriesBook(city.journal))
        async with hub.running():
            await scenario(hub)

    asyncio.run(main())
    assert roads.listeners == []
