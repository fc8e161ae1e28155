"""Changed and deleted entities."""

import pytest
from sta_bodies import (
    SETS,
    datastream,
    feature,
    link,
    location,
    observation,
    observed_property,
    point,
    sensor,
    thing,
)


@pytest.fixture
def tree(empty):
    """One of everything; name to address."""
    body = thing(Locations=[location()], Datastreams=[datastream(Observations=[observation()])])
    empty.create("Things", body)
    return empty, {name: f"{name}({empty.ids(name)[0]})" for name in SETS}


CHANGES = [
    ("Things", {"description": "neu"}),
    ("Things", {"properties": {"a": [1, {"b": None}]}}),
    ("Locations", {"location": point(114.05, -50)}),
    ("HistoricalLocations", {"time": "2015-07-01T00:00:00Z"}),
    ("Sensors", {"metadata": {"any": ["value"]}}),
    ("ObservedProperties", {"definition": "https://example.org/neu"}),
    ("FeaturesOfInterest", {"feature": point(114.05, -51.05)}),
    ("Datastreams", {"unitOfMeasurement": {"name": "Meter", "symbol": "m", "definition": "ucum:m"}}),
    ("Observations", {"phenomenonTime": "2015-07-01T00:40:00Z"}),
    ("Observations", {"result": "voll", "validTime": "2015-01-01T00:00:00Z/2016-01-01T00:00:00Z"}),
]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_what_is_named_changes_and_the_rest_stays(tree, name, change):
    client, at = tree
    before = client.json(at[name])
    after = client.change("PATCH", at[name], change)
    assert after == {**before, **change}
    assert client.json(at[name]) == after


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Things", {"Locations": [location("anders")]}),
        ("Things", {"Datastreams": [datastream("anders")]}),
        ("Sensors", {"Datastreams": [datastream("anders")]}),
        ("ObservedProperties", {"Datastreams": [datastream("anders")]}),
        ("Datastreams", {"ObservedProperty": observed_property("anders")}),
        ("Datastreams", {"Sensor": sensor("anders")}),
        ("Datastreams", {"Thing": thing("anders")}),
        ("Datastreams", {"Observations": [observation()]}),
        ("Observations", {"FeatureOfInterest": feature("anders")}),
        ("Locations", {"Things": [thing("anders")]}),
        ("HistoricalLocations", {"Locations": [location("anders")]}),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_change_brings_no_new_entities(tree, method, name, change):
    client, at = tree
    before = client.json(at[name])
    whole = {each: value for each, value in before.items() if "@iot" not in each}
    answer = client.send(method, at[name], {**(whole if method == "PUT" else {}), **change})
    assert answer.status_code == 400
    assert "inline" in answer.json()["detail"]
    assert client.json(at[name]) == before
    assert {each: len(client.ids(each)) for each in SETS} == dict.fromkeys(SETS, 1)


@pytest.mark.parametrize("name", SETS)
def test_a_put_replaces_everything_but_links(tree, name):
    client, at = tree
    bodies = {
        "Things": thing("anders"),
        "Locations": location("anders", 8, 52),
        "HistoricalLocations": {"time": "2020-01-01T00:00:00Z"},
        "Datastreams": {
            k: v for k, v in datastream("anders").items() if k not in {"Sensor", "ObservedProperty"}
        },
        "Sensors": sensor("anders"),
        "ObservedProperties": observed_property("anders"),
        "Observations": observation(7, 9),
        "FeaturesOfInterest": feature("anders", 8, 52),
    }
    if name not in {"Observations", "HistoricalLocations"}:
        client.change("PATCH", at[name], {"properties": {"goes": True}})
    before = client.json(at[name])
    after = client.change("PUT", at[name], bodies[name])
    assert {each: after[each] for each in bodies[name]} == bodies[name]
    assert "properties" not in after
    links = [each for each in before if "@iot" in each]
    assert {each: after[each] for each in links} == {each: before[each] for each in links}
    incomplete = client.send("PUT", at[name], {})
    assert incomplete.status_code == 400
    assert "needs" in incomplete.json()["detail"]


def test_links_are_changed_by_ids(tree):
    client, at = tree
    other = client.create("Things", thing("anders", Locations=[location("dort", 8, 52)]))["@iot.id"]
    client.change("PATCH", at["Datastreams"], {"Thing": link(other)})
    assert client.json(f"{at['Datastreams']}/Thing")["@iot.id"] == other
    assert client.json(f"{at['Things']}/Datastreams")["value"] == []
    stream = client.ids("Datastreams")
    client.change("PATCH", at["Things"], {"Datastreams": [link(stream[0])]})
    assert client.ids(f"{at['Things']}/Datastreams") == stream
    for wrong in (link(999_999), link("a"), link(True), {}, [link(other)]):
        answer = client.send("PATCH", at["Datastreams"], {"Sensor": wrong})
        assert answer.status_code == 400, wrong


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("Things", {"Things", "HistoricalLocations", "Datastreams", "Observations"}),
        ("Locations", {"Locations", "HistoricalLocations"}),
        ("HistoricalLocations", {"HistoricalLocations"}),
        ("Datastreams", {"Datastreams", "Observations"}),
        ("Sensors", {"Sensors", "Datastreams", "Observations"}),
        ("ObservedProperties", {"ObservedProperties", "Datastreams", "Observations"}),
        ("FeaturesOfInterest", {"FeaturesOfInterest", "Observations"}),
        ("Observations", {"Observations"}),
    ],
)
def test_what_cannot_be_without_an_entity_goes_with_it(tree, name, gone):
    client, at = tree
    answer = client.send("DELETE", at[name])
    assert (answer.status_code, answer.content) == (200, b"")
    for each in SETS:
        assert client.get(at[each]).status_code == (404 if each in gone else 200)
        assert len(client.ids(each)) == (0 if each in gone else 1)
    assert client.send("DELETE", at[name]).status_code == 404


def test_an_entity_is_changed_and_deleted_by_any_path_that_leads_to_it(tree):
    client, at = tree
    inner = f"{at['Things']}/{at['Datastreams']}/{at['Observations']}"
    stranger = (
        f"Things({client.create('Things', thing())['@iot.id']})/{at['Datastreams']}/{at['Observations']}"
    )
    assert client.create(f"{at['Things']}/{at['Datastreams']}/Observations", observation(300))
    assert client.change("PUT", inner, observation(301))["result"] == 301
    assert client.change("PATCH", inner, {"result": 303})["result"] == 303
    for method, body in (("PUT", observation()), ("PATCH", {"result": 1}), ("DELETE", None)):
        assert client.send(method, stranger, body).status_code == 404
    assert client.send("POST", stranger.rpartition("(")[0], observation()).status_code == 404
    assert client.json(inner)["result"] == 303
    assert client.send("DELETE", inner).status_code == 200
    assert client.get(at["Observations"]).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "Things", "GET, HEAD, OPTIONS, POST"),
        ("PATCH", "Things", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "Datastreams", "GET, HEAD, OPTIONS, POST"),
        ("POST", "Things(1)", "GET, HEAD, OPTIONS, PATCH, PUT, DELETE"),
        ("POST", "Datastreams(1)/Thing", "GET, HEAD, OPTIONS, PATCH, PUT, DELETE"),
        ("DELETE", "Things(1)/Datastreams", "GET, HEAD, OPTIONS, POST"),
        ("PUT", "Things(1)/name", "GET, HEAD, OPTIONS"),
        ("DELETE", "Things(1)/name/$value", "GET, HEAD, OPTIONS"),
        ("DELETE", "Things(1)/Locations/$ref", "GET, HEAD, OPTIONS"),
        ("POST", "", "GET, HEAD, OPTIONS"),
        ("PUT", "CreateObservations", "GET, HEAD, OPTIONS, POST"),
    ],
)
def test_a_method_that_a_resource_has_not_is_refused(scratch, method, path, allowed):
    answer = scratch.send(method, path, {})
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert scratch.send("OPTIONS", path).headers["allow"] == allowed
