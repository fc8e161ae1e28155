"""What QGIS, Masterportal, Grafana's FROST data source and the Smart Village App ask, request by request."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import requests

PEGEL = "GL_STA_Pegel"
QGIS_TOP = 2147483647


def options(**given):
    """`top=1` becomes $top=1, percent-encoded as a browser's URLSearchParams would."""
    return "&".join(f"%24{name}={quote(str(value), safe='')}" for name, value in given.items())


def all_of(demo, address):
    found = []
    while address:
        page = demo.json(address)
        found += page["value"]
        address = page.get("@iot.nextLink")
    return found


@pytest.fixture(scope="module")
def stations(demo):
    return demo.json("/api/v1/stations?limit=1000")["items"]


def test_qgis_adds_a_layer_of_locations(demo, stations):
    root = demo.json("/sta/v1.1")
    address = next(each["url"] for each in root["value"] if each["name"] == "Locations")
    counted = demo.json(f"{address}?$top=0&$count=true&$filter=location/type eq 'Point'")
    assert (counted["@iot.count"], counted["value"]) == (len(stations), [])
    box = "geography'POLYGON((7.05 50.98, 7.12 50.98, 7.12 51.01, 7.05 51.01, 7.05 50.98))'"
    page = demo.json(
        f"{address}?$top={QGIS_TOP}&$count=false&$filter=(location/type eq 'Point') and "
        f"st_intersects(location, {box})"
    )
    inside = {each["name"] for each in stations if 7.05 < each["lon"] < 7.12 and 50.98 < each["lat"] < 51.01}
    assert {each["name"] for each in page["value"]} == inside


def test_qgis_expands_to_the_newest_observation_whatever_top_it_sends(demo, stations):
    expand = (
        f"Things($top={QGIS_TOP};$expand=Datastreams($top={QGIS_TOP};"
        "$expand=Observations($orderby=phenomenonTime desc;$top=1)))"
    )
    found = all_of(demo, f"/sta/v1.1/Locations?$top={QGIS_TOP}&$expand={expand}")
    assert len(found) == len(stations)
    for place in found:
        for stream in place["Things"][0]["Datastreams"]:
            assert len(stream["Observations"]) == 1


def test_qgis_clamps_nothing_away(demo):
    count = demo.json("/sta/v1.1/Observations?$top=0&$count=true")["@iot.count"]
    ids = [each["@iot.id"] for each in all_of(demo, f"/sta/v1.1/Observations?$top={QGIS_TOP}&$select=id")]
    assert len(ids) == len(set(ids)) == count


def test_masterportal_shows_a_layer(demo):
    """It asks for Things with the Datastreams of a layer, then for what is newer."""
    asked = options(
        filter=f"startswith(Datastreams/properties/serviceName, '{PEGEL}')",
        expand=(
            f"Locations,Datastreams($filter=properties/serviceName eq '{PEGEL}' and "
            "properties/layerName eq 'Wasserstand';"
            "$expand=Observations($top=1;$orderby=phenomenonTime desc),ObservedProperty)"
        ),
    )
    things = all_of(demo, f"/sta/v1.1/Things?{asked}")
    assert len(things) >= 4
    streams = [stream for thing in things for stream in thing["Datastreams"]]
    assert streams
    for thing in things:
        assert thing["Locations"][0]["location"]["type"] == "Point"
    for stream in streams:
        assert stream["properties"]["layerName"] == "Wasserstand"
        assert stream["Observations"][0]["result"] is not None
        assert stream["ObservedProperty"]["name"] == "Wasserstand"
    stream = streams[0]["@iot.id"]
    assert re.fullmatch(r"\d+", str(stream))
    since = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    history = all_of(
        demo,
        f"/sta/v1.1/Datastreams({stream})/Observations?"
        + options(
            select="phenomenonTime,result",
            orderby="phenomenonTime asc",
            filter=f"phenomenonTime gt {since}",
        ),
    )
    assert [set(each) - {"@iot.id", "@iot.selfLink"} for each in history] == [
        {"phenomenonTime", "result"}
    ] * len(history)
    times = [each["phenomenonTime"] for each in history]
    assert times == sorted(times)
    assert times[0] > since


def test_masterportal_is_allowed_by_the_browser(demo):
    page = demo.get("/sta/v1.1/Things?$top=1", headers={"Origin": "https://geoportal.example"})
    assert page.headers["access-control-allow-origin"] == "*"
    asked = demo.get("/sta/v1.1/Things?$top=1", headers={"Accept": "application/json, text/plain, */*"})
    assert asked.headers["content-type"].startswith("application/json")


def test_grafana_lists_things_and_draws_a_datastream(demo, stations):
    """FROST's data source: connection, pickers, then the panel's time range."""
    assert demo.get("/sta/v1.1").ok
    things = all_of(demo, "/sta/v1.1/Things?$select=name,id&$orderby=name asc&$top=100")
    assert sorted(each["name"] for each in things) == sorted(each["name"] for each in stations)
    gauge = next(each["name"] for each in stations if "water_level" in each["properties"])
    thing = next(each for each in things if each["name"] == gauge)["@iot.id"]
    streams = all_of(demo, f"/sta/v1.1/Things({thing})/Datastreams?$expand=ObservedProperty,Sensor")
    stream = next(each for each in streams if each["ObservedProperty"]["name"] == "Wasserstand")
    assert stream["unitOfMeasurement"]["symbol"] == "cm"
    now = datetime.now(UTC)
    begin, end = (
        (now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z" for hours in (3, 1)
    )
    drawn = all_of(
        demo,
        f"/sta/v1.1/Datastreams({stream['@iot.id']})/Observations?"
        f"$filter=phenomenonTime gt {begin} and phenomenonTime lt {end}"
        "&$select=phenomenonTime,result&$orderby=phenomenonTime desc&$top=10000",
    )
    assert len(drawn) > 5
    assert all(begin < each["phenomenonTime"] < end for each in drawn)
    array = demo.json(
        f"/sta/v1.1/Datastreams({stream['@iot.id']})/Observations?$resultFormat=dataArray"
        f"&$filter=phenomenonTime gt {begin} and phenomenonTime lt {end}"
        "&$select=phenomenonTime,result&$orderby=phenomenonTime desc"
    )["value"][0]
    assert array["components"] == ["phenomenonTime", "result"]
    assert array["dataArray"] == [[each["phenomenonTime"], each["result"]] for each in drawn]


def test_grafana_reads_a_location_history(demo):
    first = demo.json("/sta/v1.1/Things?$top=1")["value"][0]["@iot.id"]
    history = demo.json(
        f"/sta/v1.1/Things({first})/HistoricalLocations?$expand=Locations&$orderby=time desc&$top=1"
    )
    assert history["value"][0]["Locations"][0]["location"]["type"] == "Point"


def test_smart_village_app_reads_geojson(demo):
    asked = options(
        resultFormat="GeoJSON",
        filter=f"Datastreams/properties/serviceName eq '{PEGEL}'",
        expand="Locations,Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))",
    )
    answer = demo.get(f"/sta/v1.1/Things?{asked}")
    assert answer.headers["content-type"].startswith("application/geo+json")
    features = answer.json()["features"]
    assert len(features) >= 4
    for each in features:
        assert each["geometry"]["type"] == "Point"
        assert isinstance(each["properties"]["Datastreams/0/Observations/0/result"], int | float)
        assert each["properties"]["Datastreams/0/Observations/0/phenomenonTime"].endswith("Z")


def test_a_write_and_a_query_nobody_has_are_refused_in_words(demo):
    post = requests.post(f"{demo.sta}/Things", json={"name": "x", "description": "x"}, timeout=60)
    assert post.status_code == 405
    assert post.headers["content-type"] == "application/problem+json"
    assert "reading" in post.json()["detail"]
    assert demo.get("/sta/v1.1/Things?$apply=aggregate(id)").status_code == 501
    assert demo.get("/sta/v1.1/Things?$top=viele").status_code == 400
    assert demo.get("/sta/v1.1/Nichts").status_code == 404
