"""Observations as arrays of values, in and out."""

import pytest
from sta_bodies import datastream, feature, link, location, thing

COMPONENTS = ["id", "phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters"]


@pytest.fixture
def streams(empty):
    body = thing(Locations=[location()], Datastreams=[datastream(), datastream("Regen")])
    empty.create("Things", body)
    return empty, empty.ids("Datastreams")


def post(client, body):
    return client.send("POST", "CreateObservations", body)


def group(stream, components, rows):
    return {
        "Datastream": link(stream),
        "components": components,
        "dataArray@iot.count": len(rows),
        "dataArray": rows,
    }


def test_each_row_is_answered_by_its_address_or_by_error(streams):
    client, (first, second) = streams
    of = client.create("FeaturesOfInterest", feature())["@iot.id"]
    answer = post(client, [
        group(first, ["phenomenonTime", "result", "FeatureOfInterest/id"], [
            ["2026-03-01T10:20:00-07:00", 20, of],
            ["2026-03-01T10:21:00-07:00", 30, "none"],
            ["2026-03-01T10:22:00-07:00", 40, 999_999],
            ["2026-03-01T10:23:00-07:00", 50],
            ["sometime", 60, of],
            "nothing",
        ]),
        group(second, ["phenomenonTime", "result", "resultQuality", "parameters"], [
            ["2026-03-01T00:00:00Z/2026-03-01T01:00:00Z", 65, "gut", {"art": "a"}],
            ["2026-03-01T02:00:00Z", {"any": 1}, None, None],
        ]),
        group(999_999, ["result"], [[1], [2]]),
    ])  # fmt: skip
    assert answer.status_code == 201, answer.text
    said = answer.json()
    made = client.walk("Observations?$expand=Datastream($select=id),FeatureOfInterest($select=id)")
    addresses = [each["@iot.selfLink"] for each in made]
    assert said == [addresses[0], *["error"] * 5, *addresses[1:], "error", "error"]
    assert [each["result"] for each in made] == [20, 65, {"any": 1}]
    assert made[0]["phenomenonTime"] == "2026-03-01T17:20:00Z"
    assert made[0]["FeatureOfInterest"] == link(of)
    assert [each["Datastream"] for each in made] == [link(first), link(second), link(second)]
    assert made[1]["FeatureOfInterest"] == made[2]["FeatureOfInterest"] != link(of)
    assert (made[1]["resultQuality"], made[1]["parameters"]) == ("gut", {"art": "a"})
    assert made[1]["phenomenonTime"] == "2026-03-01T00:00:00Z/2026-03-01T01:00:00Z"


def test_a_row_that_fails_late_leaves_nothing(streams):
    client, _ = streams
    lonely = client.create("Datastreams", datastream("Leer", Thing=thing("Ohne Ort")))["@iot.id"]
    before = client.ids("FeaturesOfInterest")
    assert post(client, [group(lonely, ["result"], [[1], [2]])]).json() == ["error", "error"]
    assert client.ids("Observations") == []
    assert client.ids("FeaturesOfInterest") == before


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({}, "no list"),
        ([1], "[0] is no JSON object"),
        ([{"components": [], "dataArray": []}], "[0] has no Datastream"),
        ([{"Datastream": {"@iot.id": 1}, "dataArray": []}], "[0] has no components"),
        ([{"Datastream": {"@iot.id": 1}, "components": ["result"]}], "[0] has no dataArray"),
        ([group(1, ["result", "nothing"], [])], "'nothing'"),
        ([group(1, ["result", "result"], [])], "'result'"),
        ([group(1, ["result", ["result"]], [])], "components"),
        ([group(1, ["result"], []), group(1, ["result"], {})], "[1].dataArray"),
    ],
)
def test_what_is_no_list_of_data_arrays_is_refused(scratch, body, names):
    answer = post(scratch, body)
    assert answer.status_code == 400
    assert names in answer.json()["detail"]


def test_what_was_written_is_read_as_arrays(streams):
    client, (first, second) = streams
    rows = [[f"2026-03-{day:02}T00:00:00Z", day] for day in range(1, 11)]
    post(client, [group(first, ["phenomenonTime", "result"], rows), group(second, ["result"], [[1]])])
    page = client.json("Observations?$count=true&$top=3&$resultFormat=dataArray")
    (arrays,) = page["value"]
    assert page["@iot.count"] == 11
    assert "@iot.nextLink" in page
    assert set(arrays["components"]) == set(COMPONENTS)
    assert arrays["dataArray@iot.count"] == len(arrays["dataArray"]) == 3
    assert arrays["Datastream@iot.navigationLink"].endswith(f"Datastreams({first})")
    query = "$select=result,phenomenonTime&$orderby=phenomenonTime desc&$resultFormat=dataArray"
    (arrays,) = client.json(f"Datastreams({first})/Observations?{query}&$top=4")["value"]
    at = [arrays["components"].index(name) for name in ("phenomenonTime", "result")]
    assert [[row[each] for each in at] for row in arrays["dataArray"]] == rows[:-5:-1]
