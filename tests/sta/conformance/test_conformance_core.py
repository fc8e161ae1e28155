"""What every service must let one read: sets, entities, properties, links, and nothing else."""

import itertools

import pytest
from sta_bodies import SETS

from api.sta.model import ENTITY_SETS, ToOne

PROPERTIES = {
    "Things": ["name", "description"],
    "Locations": ["name", "description", "encodingType", "location"],
    "HistoricalLocations": ["time"],
    "Datastreams": ["name", "description", "unitOfMeasurement", "observationType"],
    "Sensors": ["name", "description", "encodingType", "metadata"],
    "ObservedProperties": ["name", "definition", "description"],
    "Observations": ["phenomenonTime", "result", "resultTime"],
    "FeaturesOfInterest": ["name", "description", "encodingType", "feature"],
}
LINKS = {name: list(each.links) for name, each in ENTITY_SETS.items()}


def check(towns, name, entity):
    assert isinstance(entity["@iot.id"], int)
    assert entity["@iot.selfLink"] == f"{towns.base}/{name}({entity['@iot.id']})"
    assert not [each for each in PROPERTIES[name] if each not in entity]
    for link in LINKS[name]:
        assert entity[f"{link}@iot.navigationLink"] == f"{entity['@iot.selfLink']}/{link}"


def test_the_root_lists_the_sets_and_says_that_one_can_write(towns):
    root = towns.json()
    assert {each["name"]: each["url"] for each in root["value"]} == {
        each: f"{towns.base}/{each}" for each in SETS
    }
    assert [each for each in root["serverSettings"]["conformance"] if each.endswith("/create-update-delete")]


@pytest.mark.parametrize("name", SETS)
def test_entities_have_what_the_standard_gives_them(towns, name):
    entities = towns.json(name)["value"]
    assert entities
    for each in entities:
        check(towns, name, each)
        check(towns, name, towns.json(f"{name}({each['@iot.id']})"))


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "PUT"])
def test_an_entity_that_is_not_there_is_not_found(towns, name, method):
    body = None if method in {"GET", "DELETE"} else {}
    for id_ in (2**63 - 1, 0, 2**63, 10**30):
        answer = towns.send(method, f"{name}({id_})", body)
        assert answer.status_code == 404, answer.text


@pytest.mark.parametrize(("name", "property_"), [(n, p) for n, each in PROPERTIES.items() for p in each])
def test_a_property_is_read_alone_and_bare(towns, name, property_):
    entity = towns.json(f"{name}?$top=1")["value"][0]
    assert towns.json(f"{entity['@iot.selfLink']}/{property_}") == {property_: entity[property_]}
    bare = towns.get(f"{entity['@iot.selfLink']}/{property_}/$value")
    assert bare.status_code == 200
    assert bare.headers["content-type"].startswith("text/plain")
    assert bare.text.startswith("{") == isinstance(entity[property_], dict)


@pytest.mark.parametrize("name", SETS)
def test_links_lead_on_to_the_fourth_step(towns, name):
    """Every way of links, each by the first entity on it; with $ref there is an address and nothing else."""
    ways = [(ENTITY_SETS[name], name)]
    for depth in range(4):
        onwards = []
        for entity_set, written in ways:
            answer = towns.json(written)
            many = "value" in answer
            entity = answer["value"][0] if many else answer
            refs = towns.json(f"{written}/$ref")
            for each in refs["value"] if many else [refs]:
                assert list(each) == ["@iot.selfLink"]
            one = f"{written}({entity['@iot.id']})" if many else written
            links = entity_set.links.values() if depth < 3 else ()
            onwards += [(ENTITY_SETS[each.target], f"{one}/{each.name}") for each in links]
        ways = onwards
    assert not ways


def test_a_link_to_one_is_one_and_a_link_to_many_is_many(towns):
    for entity_set in ENTITY_SETS.values():
        id_ = towns.json(f"{entity_set.name}?$top=1")["value"][0]["@iot.id"]
        for link in entity_set.links.values():
            answer = towns.json(f"{entity_set.name}({id_})/{link.name}")
            assert ("value" in answer) is not isinstance(link, ToOne)


@pytest.mark.parametrize(
    "path",
    [
        "Nothings",
        "Things(1)/Sensors",
        "Things/name",
        "Things('a')",
        "CreateObservations",
        "Observations/Datastream",
    ],
)
def test_other_addresses_are_not_found(towns, path):
    assert towns.get(path).status_code == 404


def test_there_is_something_of_everything(towns):
    counts = {name: len(towns.ids(name)) for name in SETS}
    assert counts == dict(zip(SETS, (2, 2, 4, 4, 4, 3, 12, 2), strict=True))
    for first, second in itertools.pairwise(towns.ids("Observations")):
        assert first < second
