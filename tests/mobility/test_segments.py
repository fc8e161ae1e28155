"""Segments as a city writes them down: read, and every fault named."""

import json

import pytest

from alerts.mobility.counted import Site
from alerts.mobility.segments import Street, line_problems, read_line, segment_faults

LINE = ((7.13, 50.99), (7.14, 50.98))
COORDINATES = [[7.13, 50.99], [7.14, 50.98, 80.5]]
STRING = {"type": "LineString", "coordinates": COORDINATES}
COUNTED = {"north": frozenset({"in", "out"}), "south": frozenset({"in"}), "radar": None}


def street(id_="main", line=LINE, stations=("north",), channels=()):
    return Street(id_, "Main street", line, stations, channels)


def problems(*streets):
    return [(each.key, each.problem) for each in segment_faults("city.toml", streets, COUNTED)]


def feature(geometry=STRING, **more):
    return {"type": "Feature", "geometry": geometry, "properties": None, **more}


@pytest.mark.parametrize(
    "document",
    [
        STRING,
        feature(),
        {"type": "FeatureCollection", "features": [feature()]},
        {"type": "FeatureCollection", "features": [feature({"type": "Point"}), feature(id="main")]},
        {
            "type": "FeatureCollection",
            "features": [feature(properties={"id": "other"}), feature(properties={"id": "main"})],
        },
    ],
    ids=["geometry", "feature", "only feature", "by id", "by property"],
)
def test_a_line_from_a_geojson_file(tmp_path, document):
    file = tmp_path / "main.geojson"
    file.write_text(json.dumps(document))
    assert read_line(file, "main") == (LINE, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ("[]", "has no LineString for 'main'"),
        ('{"type": "Polygon", "coordinates": []}', "has no LineString"),
        ('{"type": "FeatureCollection", "features": 3}', "has no LineString"),
        ('{"type": "Feature", "geometry": null}', "has no LineString"),
        ('{"type": "LineString", "coordinates": [[7.1]]}', "no list of [longitude, latitude]"),
        ('{"type": "LineString", "coordinates": [[7.1, "x"]]}', "no list of [longitude, latitude]"),
        ('{"type": "LineString", "coordinates": [[7.1, NaN]]}', "no list of [longitude, latitude]"),
        (json.dumps({"type": "FeatureCollection", "features": [feature(), feature()]}), "has no LineString"),
    ],
    ids=["json", "list", "polygon", "no features", "no geometry", "short", "text", "nan", "two"],
)
def test_what_is_wrong_with_a_file(tmp_path, text, problem):
    file = tmp_path / "main.geojson"
    file.write_text(text)
    line, said = read_line(file, "main")
    assert line == ()
    assert problem in said


def test_a_file_that_is_not_there(tmp_path):
    assert "cannot be read" in read_line(tmp_path / "nowhere.geojson", "main")[1]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (((7.13, 50.99), (7.13, 50.99)), "fewer than two different positions"),
        ((), "fewer than two different positions"),
        (((50.99, 7.13), (50.98, 7.14)), "latitude and longitude swapped"),
        (((7.13, 50.99), (2.35, 48.85)), "not in Germany"),
    ],
    ids=["one place", "empty", "swapped", "Paris"],
)
def test_what_is_wrong_with_a_line(line, problem):
    ((said, remedy),) = line_problems(line)
    assert problem in said
    assert remedy


def test_every_fault_is_named_and_none_where_there_is_none():
    assert problems(street(), street("other", channels=("in",))) == []
    assert problems(street(), street()) == [("traffic.segment main", "2 segments of this id")]
    found = problems(street(line=LINE[:1], stations=("north", "west"), channels=("up",)), street("b", ()))
    assert [key for key, _ in found] == [
        "traffic.segment main.line",
        "traffic.segment main.stations",
        "traffic.segment b.line",
    ]
    assert problems(street(channels=("up", "in"))) == [
        ("traffic.segment main.channels", "no direction 'up' at its stations")
    ]


def test_directions_that_devices_tell_apart_themselves_are_not_known_beforehand():
    assert problems(street(stations=("radar",), channels=("ltr",))) == []
    assert problems(street(stations=("north", "radar"), channels=("ltr",))) == []


def test_which_sites_speak_for_a_segment():
    both = street(stations=("north", "south"))
    assert both.counts(Site("north", "vehicle_count", "out"))
    assert not both.counts(Site("west", "vehicle_count", "out"))
    inbound = street(stations=("north", "south"), channels=("in",))
    assert inbound.counts(Site("south", "vehicle_count", "in"))
    assert not inbound.counts(Site("north", "vehicle_count", "out"))
