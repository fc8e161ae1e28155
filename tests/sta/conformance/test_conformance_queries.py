"""Query options over everything there is, each with what must come of it."""

import itertools
from datetime import datetime

import pytest
from sta_bodies import MEASUREMENT, SETS

from api.sta.model import ENTITY_SETS, ToOne

COUNTS = dict(zip(SETS, (2, 2, 4, 4, 4, 3, 12, 2), strict=True))
WRITTEN = {
    "Things": ["name", "description"],
    "Locations": ["name", "description", "encodingType", "location"],
    "HistoricalLocations": ["time"],
    "Datastreams": ["name", "description", "observationType", "unitOfMeasurement"],
    "Sensors": ["name", "description", "encodingType", "metadata"],
    "ObservedProperties": ["name", "definition", "description"],
    "Observations": ["phenomenonTime", "result", "resultTime"],
    "FeaturesOfInterest": ["name", "description", "encodingType", "feature"],
}
VALUES = {
    ("Things", "name"): "Mast",
    ("Things", "description"): "Pegel am Wehr",
    ("Locations", "name"): "Dach",
    ("Locations", "encodingType"): "application/geo+json",
    ("HistoricalLocations", "time"): "2015-10-14T21:30:00.104Z",
    ("Datastreams", "name"): "Regen",
    ("Datastreams", "observationType"): MEASUREMENT,
    ("Sensors", "name"): "Sonde Stand",
    ("Sensors", "metadata"): "https://example.org/Sonde Stand.pdf",
    ("ObservedProperties", "name"): "Art Regen",
    ("ObservedProperties", "definition"): "https://example.org/Art Regen",
    ("Observations", "phenomenonTime"): "2026-03-04T06:00:00Z",
    ("Observations", "result"): "2",
    ("Observations", "resultTime"): "2026-03-04T07:00:00Z",
    ("FeaturesOfInterest", "name"): "Wehr",
    ("FeaturesOfInterest", "encodingType"): "application/geo+json",
}
OPERATORS = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ge": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
}


def collections(towns):
    """Every set, and every link to many from the first entity of one: set and address."""
    for name in SETS:
        yield name, name
        id_ = towns.ids(name)[0]
        for link in ENTITY_SETS[name].links.values():
            if not isinstance(link, ToOne):
                yield link.target, f"{name}({id_})/{link.name}"


@pytest.mark.parametrize("name", SETS)
def test_selected_is_shown_and_nothing_else(towns, name):
    names = WRITTEN[name]
    for wanted in ([names[0]], names, names[1:], [*names, *ENTITY_SETS[name].links]):
        for each in towns.json(f"{name}?$select={','.join(wanted)}")["value"] if wanted else ():
            assert {member.removesuffix("@iot.navigationLink") for member in each} == set(wanted)


@pytest.mark.parametrize("name", SETS)
def test_what_is_expanded_is_shown_whole_to_the_second_level(towns, name):
    entity_set = ENTITY_SETS[name]
    for link in entity_set.links.values():
        target = ENTITY_SETS[link.target]
        for inner in target.links.values():
            for each in towns.json(f"{name}?$expand={link.name}/{inner.name}")["value"]:
                assert f"{link.name}@iot.navigationLink" not in each
                linked = each[link.name] if isinstance(each[link.name], list) else [each[link.name]]
                assert linked
                assert {member["@iot.id"] for member in linked} <= set(towns.ids(link.target))
                for member in linked:
                    assert set(WRITTEN[link.target]) <= set(member)
                    second = member[inner.name]
                    assert set(WRITTEN[inner.target]) <= set(
                        (second if isinstance(second, list) else [second])[0]
                    )
    every = ",".join(entity_set.links)
    for each in towns.json(f"{name}?$expand={every}")["value"]:
        assert set(entity_set.links) <= set(each)


def test_pages_are_as_long_as_asked(towns):
    for name, path in collections(towns):
        ids = towns.ids(f"{path}?$orderby=id")
        assert path != name or len(ids) == COUNTS[name]
        for top in (1, 2, 3, 4, 11, 12, 13):
            page = towns.json(f"{path}?$top={top}")
            assert [each["@iot.id"] for each in page["value"]] == ids[:top]
            assert ("@iot.nextLink" in page) == (len(ids) > top)
            assert towns.ids(f"{path}?$top={top}") == ids
        for skip in (0, 1, 2, 3, 4, 12):
            page = towns.json(f"{path}?$skip={skip}")
            assert [each["@iot.id"] for each in page["value"]] == ids[skip:]
            assert "@iot.nextLink" not in page
        counted = towns.json(f"{path}?$count=true&$top=1&$skip=1")
        assert counted["@iot.count"] == len(ids)
        assert "@iot.count" not in towns.json(f"{path}?$count=false")


def in_order(value):
    return str(value) if isinstance(value, dict) else value


def test_collections_are_in_the_order_asked_for(towns):
    for name, path in collections(towns):
        names = [each for each in WRITTEN[name] if each != "unitOfMeasurement"]
        for length in range(1, len(names) + 1):
            for suffix in ("", " asc", " desc"):
                keys = ",".join(f"{each}{suffix}" for each in names[:length])
                found = [
                    [in_order(each[key]) for key in names[:length]]
                    for each in towns.json(f"{path}?$orderby={keys}")["value"]
                ]
                assert found == sorted(found, reverse=suffix == " desc")
                assert found


@pytest.mark.parametrize(("name", "property_"), VALUES)
def test_a_filter_compares(towns, name, property_):
    value = VALUES[name, property_]
    entities = towns.walk(name)
    literal = value if property_.endswith(("time", "Time")) else f"'{value}'".replace("+", "%2B")
    told = {each["@iot.id"]: each[property_] for each in entities}
    if property_.endswith(("time", "Time")):
        value, told = instant(value), {id_: instant(each) for id_, each in told.items()}
    for operator, compare in OPERATORS.items():
        # results are numbers, but a text in a filter sets the order of texts
        expected = [id_ for id_, each in told.items() if compare(str(each) if value == "2" else each, value)]
        assert towns.ids(f"{name}?$filter={property_} {operator} {literal}") == expected
        both = f"{property_} {operator} {literal} and not ({property_} {operator} {literal})"
        assert towns.ids(f"{name}?$filter={both}") == []


def instant(text):
    return datetime.fromisoformat(text)


def test_options_have_their_order_of_effect(towns):
    page = towns.json(
        "Observations?$count=true&$top=1&$skip=2&$orderby=phenomenonTime asc&$filter=result gt '3'"
    )
    assert page["@iot.count"] == 6
    assert [each["result"] for each in page["value"]] == [6]
    page = towns.json("Observations?$count=true&$top=1&$skip=2&$orderby=result desc&$filter=result gt 3")
    assert page["@iot.count"] == 9
    assert [each["result"] for each in page["value"]] == [10]


@pytest.mark.parametrize(
    ("condition", "results"),
    [
        ("result gt 2 and result lt 5 or result eq 12", [3, 4, 12]),
        ("not result lt 11", [11, 12]),
        ("result add 2 mul 3 eq 10", [4]),
        ("(result sub 1) div 2 eq 5", [11]),
        ("result mod 5 eq 0", [5, 10]),
        ("day(phenomenonTime) eq 7", [7]),
        ("Datastream/name eq 'Wind'", [7, 8, 9]),
        ("Datastream/Thing/name eq 'Pegel' and Datastream/name eq 'Regen'", [4, 5, 6]),
        ("Datastream/ObservedProperty/name eq 'Art Regen' and result in (5, 6, 10)", [5, 6, 10]),
        ("st_within(FeatureOfInterest/feature, geography'POLYGON((7.1 51, 8 51, 8 52, 7.1 52, 7.1 51))')",
         [1, 2, 3, 4, 5, 6]),
        ("phenomenonTime ge 2026-03-10T00:00:00+02:00 and startswith(Datastream/Sensor/name, 'Sonde')",
         [10, 11, 12]),
        ("resultTime lt 2026-03-02T00:00:00Z or round(floor(result)) eq 2", [1, 2]),
    ],
)  # fmt: skip
def test_conditions_choose_observations(towns, condition, results):
    found = towns.walk(f"Observations?$filter={condition}&$orderby=result")
    assert [each["result"] for each in found] == results


def test_what_is_asked_within_an_expansion(towns):
    inner = "$filter=result mod 2 eq 0;$orderby=result desc;$top=1;$select=result;$count=true"
    streams = towns.walk(f"Datastreams?$select=name&$expand=Observations({inner})")
    assert [each["Observations"] for each in streams] == [[{"result": result}] for result in (2, 6, 8, 12)]
    assert [each["Observations@iot.count"] for each in streams] == [1, 2, 1, 2]
    assert ["Observations@iot.nextLink" in each for each in streams] == [False, True, False, True]
    following = towns.json(streams[1]["Observations@iot.nextLink"])
    assert [each["result"] for each in following["value"]] == [4]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("$top=-1", 400), ("$skip=a", 400), ("$orderby=nothing", 400), ("$select=nothing", 400),
        ("$expand=nothing", 400), ("$filter=result gt", 400), ("$count=maybe", 400), ("$filter=", 400),
        ("$search=a", 501), ("$nothing=a", 400),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused(towns, query, status):
    answer = towns.get(f"Observations?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_every_collection_is_stable(towns):
    for _, path in collections(towns):
        ids = towns.ids(path)
        assert all(a < b for a, b in itertools.pairwise(ids))
