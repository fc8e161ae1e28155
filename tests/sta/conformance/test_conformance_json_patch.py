"""PATCH with JSON Patch."""

import pytest
from sta_bodies import datastream, link, location, thing

KIND = {"Content-Type": "application/json-patch+json"}


@pytest.fixture
def things(empty):
    body = thing(Locations=[location()], Datastreams=[datastream()])
    first = empty.create("Things", body)["@iot.selfLink"]
    return empty, first, empty.create("Things", thing("Mast"))


def patch(client, address, *operations):
    return client.send("PATCH", address, list(operations), headers=KIND)


def test_properties_are_put_in_copied_and_moved(things):
    client, first, _ = things
    before = client.json(first)
    assert patch(client, first, {"op": "add", "path": "/properties", "value": {"k": 1}}).status_code == 200
    answer = patch(
        client,
        first,
        {"op": "copy", "from": "/properties/k", "path": "/properties/copy"},
        {"op": "move", "from": "/properties/k", "path": "/properties/moved"},
        {"op": "replace", "path": "/name", "value": "neu"},
    )
    assert answer.status_code == 200
    assert client.json(first) == {**before, "name": "neu", "properties": {"copy": 1, "moved": 1}}
    assert patch(client, first, {"op": "remove", "path": "/properties"}).status_code == 200
    assert client.json(first) == {**before, "name": "neu"}


def test_a_link_to_one_is_replaced(things):
    client, _, second = things
    (stream,) = client.ids("Datastreams")
    operation = {"op": "replace", "path": "/Thing", "value": link(second["@iot.id"])}
    assert patch(client, f"Datastreams({stream})", operation).status_code == 200
    assert client.ids(f"{second['@iot.selfLink']}/Datastreams") == [stream]


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": "/name"}],
        [{"op": "replace", "path": "/name", "value": 5}],
        [{"op": "replace", "path": "/name", "value": "neu"}, {"op": "test", "path": "/name", "value": "alt"}],
        [{"op": "add", "path": "/nothing", "value": 1}],
        [{"op": "replace", "path": "", "value": 1}],
        [{"op": "add", "path": "/Locations", "value": [location()]}],
    ],
)
def test_a_patch_that_fails_changes_nothing(things, operations):
    client, first, _ = things
    before = client.json(first)
    answer = patch(client, first, *operations)
    assert answer.status_code == 400
    assert client.json(first) == before


def test_a_patch_without_effect_leaves_no_trace(things):
    client, first, _ = things
    before = client.json(f"{first}?$expand=HistoricalLocations")
    assert patch(client, first, {"op": "test", "path": "/name", "value": "Pegel"}).status_code == 200
    assert patch(client, first).status_code == 200
    assert client.json(f"{first}?$expand=HistoricalLocations") == before
