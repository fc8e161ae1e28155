"""New entities: one by one, whole trees of them, and nothing at all of a tree that has a fault."""

import pytest
from sta_bodies import (
    SETS,
    datastream,
    feature,
    link,
    location,
    observation,
    observed_property,
    plain_datastream,
    point,
    sensor,
    thing,
)


def parts(client):
    """Ids of a Thing, a Sensor, an ObservedProperty, and a Datastream of them, without a Location."""
    ids = {
        "Thing": client.create("Things", thing())["@iot.id"],
        "Sensor": client.create("Sensors", sensor())["@iot.id"],
        "ObservedProperty": client.create("ObservedProperties", observed_property())["@iot.id"],
    }
    body = plain_datastream(**{name: link(id_) for name, id_ in ids.items()})
    return {**ids, "Datastream": client.create("Datastreams", body)["@iot.id"]}


def refused(client, path, body, *, names):
    answer = client.send("POST", path, body)
    assert answer.status_code == 400, answer.text
    assert names in answer.json()["detail"]
    assert answer.json()["hint"]


def counts(client):
    return {name: len(client.ids(f"{name}?$select=id")) for name in SETS}


def test_entities_are_made_one_by_one(empty):
    made = parts(empty)
    where = empty.create("Locations", location())["@iot.id"]
    of = empty.create("FeaturesOfInterest", feature())["@iot.id"]
    first = empty.create(
        "Observations", observation(8, Datastream=link(made["Datastream"]), FeatureOfInterest=link(of))
    )
    assert first["resultTime"] is None
    assert empty.json(f"Observations({first['@iot.id']})/FeatureOfInterest")["@iot.id"] == of
    empty.change("PATCH", f"Things({made['Thing']})", {"Locations": [link(where)]})
    second = empty.create(
        "Observations",
        observation(100, 2, resultTime="2026-03-02T09:00:00+01:00", Datastream=link(made["Datastream"])),
    )
    assert second["resultTime"] == "2026-03-02T08:00:00Z"
    automatic = empty.json(f"Observations({second['@iot.id']})/FeatureOfInterest")
    assert automatic["feature"] == empty.json(f"Locations({where})")["location"]
    third = empty.create("Observations", observation(105, 3, Datastream=link(made["Datastream"])))
    assert empty.json(f"Observations({third['@iot.id']})/FeatureOfInterest") == automatic
    past = {"time": "2015-03-01T00:40:00Z", "Thing": link(made["Thing"]), "Locations": [link(where)]}
    historical = empty.create("HistoricalLocations", past)
    assert historical["time"] == "2015-03-01T00:40:00Z"
    assert counts(empty) == dict(zip(SETS, (1, 1, 2, 1, 1, 1, 3, 2), strict=True))


def test_a_thing_brings_its_places_and_datastreams(empty):
    body = thing(
        properties={"stock": 3}, Locations=[location()], Datastreams=[datastream(), datastream("Regen")]
    )
    made = empty.create("Things", body)
    assert made["properties"] == {"stock": 3}
    (where,) = empty.json(f"Things({made['@iot.id']})/Locations")["value"]
    assert where["location"] == point(7.13, 50.99)
    streams = empty.json(f"Things({made['@iot.id']})/Datastreams?$expand=Sensor,ObservedProperty")["value"]
    assert [each["name"] for each in streams] == ["Stand", "Regen"]
    assert streams[0]["Sensor"]["metadata"] == "https://example.org/Sonde Stand.pdf"
    assert streams[1]["ObservedProperty"]["definition"] == "https://example.org/Art Regen"
    assert streams[0]["unitOfMeasurement"] == body["Datastreams"][0]["unitOfMeasurement"]
    (historical,) = empty.json(f"Things({made['@iot.id']})/HistoricalLocations?$expand=Locations")["value"]
    assert [each["@iot.id"] for each in historical["Locations"]] == [where["@iot.id"]]


def test_a_datastream_brings_its_observations(empty):
    made = parts(empty)
    body = datastream(Thing=link(made["Thing"]), Observations=[observation(FeatureOfInterest=feature())])
    stream = empty.create("Datastreams", body)["@iot.id"]
    (each,) = empty.json(f"Datastreams({stream})/Observations?$expand=FeatureOfInterest")["value"]
    assert (each["result"], each["phenomenonTime"]) == (1, "2026-03-01T06:00:00Z")
    assert each["FeatureOfInterest"]["feature"] == point(7.2, 51.0)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("Sensors", sensor(Datastreams=[
            plain_datastream(Thing=thing(Locations=[location()]), ObservedProperty=observed_property(),
                             Observations=[observation()])
        ])),
        ("ObservedProperties", observed_property(Datastreams=[
            plain_datastream(Thing=thing(Locations=[location()]), Sensor=sensor(),
                             Observations=[observation()])
        ])),
        ("Observations", observation(Datastream=datastream(Thing=thing(Locations=[location()])))),
        ("Locations", location(Things=[thing(Datastreams=[datastream(Observations=[observation()])])])),
        ("Things", thing(Datastreams=[datastream(Observations=[observation()])], Locations=[location()])),
        ("Datastreams", datastream(Thing=thing(Locations=[location()]), Observations=[observation()])),
        ("FeaturesOfInterest", feature(Observations=[
            observation(Datastream=datastream(Thing=thing(Locations=[location()])))
        ])),
        ("HistoricalLocations", {"time": "2026-01-01T00:00:00Z", "Locations": [location()],
                                 "Thing": thing(Datastreams=[datastream(
                                     Observations=[observation(FeatureOfInterest=feature())])])}),
    ],
)  # fmt: skip
def test_from_wherever_the_tree_is_told_it_is_the_same_tree(empty, path, body):
    made = empty.create(path, body)
    assert counts(empty) == dict.fromkeys(SETS, 1)
    assert made["@iot.id"] in empty.ids(path)
    inner = "Datastreams($expand=Sensor,ObservedProperty,Observations/FeatureOfInterest)"
    (found,) = empty.walk(f"Things?$expand=Locations,HistoricalLocations/Locations,{inner}")
    (stream,) = found["Datastreams"]
    assert stream["Sensor"]["name"].startswith("Sonde")
    assert stream["ObservedProperty"]["name"]
    assert stream["Observations"][0]["FeatureOfInterest"]["name"]
    assert found["Locations"] == found["HistoricalLocations"][0]["Locations"]


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        ("Things", thing(Locations=[location()], Datastreams=[plain_datastream(
            ObservedProperty=observed_property())]), "Datastreams[0], needs a Sensor"),
        ("Things", thing(Locations=[location()], Datastreams=[datastream(), datastream(name=None)]),
         "Datastreams[1].name"),
        ("Things", thing(Locations=[location(encodingType=7)]), "Locations[0].encodingType"),
        ("Datastreams", datastream(), "a Datastream needs a Thing"),
        ("Datastreams", datastream(Thing=thing(), Observations=[observation()]), "no Location"),
        ("Datastreams", datastream(Thing=thing(Locations=[location()]),
                                   Observations=[observation(), {"phenomenonTime": "2026-01-01T00:00:00Z"}]),
         "needs 'result', at Observations[1]"),
        ("Observations", observation(Datastream=datastream(Thing=thing())), "FeatureOfInterest"),
        ("Observations", observation(Datastream=datastream(Thing=thing()), FeatureOfInterest={
            "name": "n", "description": "d", "feature": point(7, 51)}), "needs 'encodingType'"),
        ("Locations", location(Things=[thing(), {"name": "only"}]), "needs 'description', at Things[1]"),
        ("Locations", location(Things=[thing(), link(999)]), "Things(999)"),
        ("Sensors", sensor(Datastreams={}), "Datastreams is no list"),
        ("Sensors", sensor(Datastreams=[3]), "Datastreams[0] is no JSON object"),
    ],
)  # fmt: skip
def test_of_a_tree_with_a_fault_nothing_is_made(empty, path, body, names):
    refused(empty, path, body, names=names)
    assert counts(empty) == dict.fromkeys(SETS, 0)


def test_an_entity_without_what_it_needs_is_not_made(empty):
    made = parts(empty)
    of = empty.create("FeaturesOfInterest", feature())["@iot.id"]
    needed = {name: link(made[name]) for name in ("Thing", "Sensor", "ObservedProperty")}
    for name in needed:
        body = plain_datastream(**{other: value for other, value in needed.items() if other != name})
        refused(empty, "Datastreams", body, names=f"needs a {name}")
    refused(empty, "Observations", observation(FeatureOfInterest=link(of)), names="needs a Datastream")
    refused(empty, "Observations", observation(Datastream=link(made["Datastream"])), names="Location")
    refused(empty, f"Datastreams({made['Datastream']})/Observations", observation(), names="Location")
    before = counts(empty)
    for path, body, name in (
        ("Things", thing(), "description"),
        ("Locations", location(), "location"),
        ("Sensors", sensor(), "metadata"),
        ("ObservedProperties", observed_property(), "definition"),
        ("FeaturesOfInterest", feature(), "feature"),
    ):
        refused(empty, path, {k: v for k, v in body.items() if k != name}, names=f"needs {name!r}")
        refused(empty, path, {**body, name: None}, names=f"{name} of a")
    assert counts(empty) == before


def test_ids_are_given_by_the_service_and_never_twice(empty):
    one = empty.create(
        "Things", thing(**{"@iot.id": 77777, "id": 5, "@iot.selfLink": "https://example.org/"})
    )
    two = empty.create("Things", thing())
    assert two["@iot.id"] == one["@iot.id"] + 1 != 77778
    empty.send("DELETE", f"Things({two['@iot.id']})")
    assert empty.create("Things", thing())["@iot.id"] == two["@iot.id"] + 1
