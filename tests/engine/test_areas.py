import json

import pytest

from alerts.areas import load_areas, parse_areas
from alerts.errors import AlertsConfigError
from devices.registry import Registry, Station
from stadtfunk.demo import CITY

SQUARE = [[7.0, 50.9], [7.1, 50.9], [7.1, 51.0], [7.0, 51.0], [7.0, 50.9]]
BOW_TIE = [[7.0, 50.9], [7.1, 51.0], [7.1, 50.9], [7.0, 51.0], [7.0, 50.9]]


def feature(ring=SQUARE, kind="Polygon", **properties):
    known = {"id": "a", "name": "A", "stations": ["pegel"]} | properties
    coordinates = [ring] if kind == "Polygon" else [[each] for each in ring]
    return {
        "type": "Feature",
        "properties": {key: value for key, value in known.items() if value is not None},
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def parsed(*features):
    return parse_areas({"type": "FeatureCollection", "features": list(features)}, "areas.geojson")


def faults(*features):
    with pytest.raises(AlertsConfigError) as caught:
        parsed(*features)
    return caught.value.faults


def registry(*stations):
    return Registry(stations={id_: Station(id_, id_, None, None, True, ()) for id_ in stations})


def test_a_place_finds_its_areas_and_overlapping_ones_both():
    hole = [[7.04, 50.94], [7.06, 50.94], [7.06, 50.96], [7.04, 50.96], [7.04, 50.94]]
    with_hole = feature(id="hole")
    with_hole["geometry"]["coordinates"].append(hole)
    east = [[lon + 0.05, lat] for lon, lat in SQUARE]
    areas = parsed(
        with_hole, feature([SQUARE, [[lon + 3, lat] for lon, lat in SQUARE]], "MultiPolygon", id="m")
    )
    both = parsed(feature(id="west"), feature(east, id="east"))
    assert [area.id for area in areas.at(50.95, 7.05)] == ["m"]
    assert [area.id for area in areas.at(50.92, 7.02)] == ["hole", "m"]
    assert [area.id for area in areas.at(50.92, 10.02)] == ["m"]
    assert [area.id for area in both.at(50.95, 7.07)] == ["west", "east"]
    assert areas.at(7.05, 50.92) == ()
    # whoever lives on the border is warned
    assert [area.id for area in both.at(50.95, 7.0)] == ["west"]


def test_a_station_warns_areas_by_id_and_glob():
    areas = parsed(feature(id="a", stations=["pegel-*"]), feature(id="b", stations=["regen", "pegel-unten"]))
    assert [area.id for area in areas.of("pegel-unten")] == ["a", "b"]
    assert [area.id for area in areas.of("pegel-oben")] == ["a"]
    assert areas.of("parkplatz") == ()


def test_a_border_that_crosses_itself_says_where():
    (fault,) = faults(feature(BOW_TIE))
    assert "crosses itself at [7.05, 50.95]" in fault.problem
    assert fault.key == "features[0] (a).geometry"


def test_swapped_coordinates_are_recognised():
    (fault,) = faults(feature([[lat, lon] for lon, lat in SQUARE]))
    assert "swapped" in fault.problem
    assert "[7, 50.9]" in fault.remedy


def test_metres_are_recognised():
    (fault,) = faults(feature([[357_000 + 9 * x, 5_650_000 + 9 * y] for x, y in SQUARE]))
    assert "not in Germany" in fault.problem
    assert "EPSG:4326" in fault.remedy


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (feature(SQUARE[:-1]), "is not closed"),
        (feature([SQUARE[0], SQUARE[1], SQUARE[0]]), "encloses nothing"),
        (feature([[7.0, "50.9"], *SQUARE[1:]]), "no list of [longitude, latitude]"),
        (feature([[7.0, float("nan")], *SQUARE[1:]]), "no list of [longitude, latitude]"),
        (feature([]), "encloses nothing"),
        (feature(stations=[]), "at least 1"),
        (feature(id="Ä b"), "match pattern"),
        (feature(name=None), "missing"),
        (feature() | {"geometry": None}, "is None, no polygon"),
        (feature() | {"geometry": {"type": "Point", "coordinates": [7, 51]}}, "is Point, no polygon"),
        (feature() | {"geometry": {"type": "Polygon", "coordinates": 5}}, "are no rings"),
        (feature() | {"geometry": {"type": "Polygon", "coordinates": []}}, "are no rings"),
        (feature() | {"properties": None}, "missing"),
        ("nonsense", "is no GeoJSON Feature"),
    ],
)
def test_what_cannot_be_meant_is_a_fault_with_its_remedy(broken, said):
    found = faults(broken)
    assert any(said in fault.problem for fault in found), found
    assert all(fault.remedy and fault.file == "areas.geojson" for fault in found)


def test_every_fault_in_one_run():
    found = faults(feature(BOW_TIE), feature(SQUARE[:-1]), feature())
    assert len(found) == 3
    assert "3 areas of this id" in found[-1].problem


def test_stations_are_held_against_the_device_list():
    areas = parsed(feature(id="a", stations=["pegel", "pegle"]), feature(id="b", stations=["nix-*"]))
    found = areas.check(registry("pegel"))
    assert [(each.key, each.problem) for each in found] == [
        ("features[0] (a).properties.stations", "unknown station 'pegle'"),
        ("features[1] (b).properties.stations", "unknown station 'nix-*'"),
        ("features[1] (b).properties.stations", "no station that exists: nothing ever warns it"),
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"type": "Feature"}', '{"type":"FeatureCollection","features":[]}']
)
def test_another_file_is_a_fault(tmp_path, text):
    file = tmp_path / "areas.geojson"
    file.write_text(text)
    with pytest.raises(AlertsConfigError):
        load_areas(file)
    with pytest.raises(AlertsConfigError, match=r"cannot be read"):
        load_areas(tmp_path / "none.geojson")


def test_heights_are_left_out():
    areas = parsed(feature([[lon, lat, 71.5] if lon == 7.0 else [lon, lat] for lon, lat in SQUARE]))
    assert areas.areas[0].geometry["coordinates"] == [SQUARE]


def test_the_demos_areas_are_marked_as_fictitious():
    areas = load_areas(CITY / "areas.geojson")
    assert len(areas.areas) >= 4
    assert all(area.fictitious for area in areas.areas)
    assert "ictitious" in json.loads((CITY / "areas.geojson").read_text())["description"]
    assert [area.id for area in areas.at(50.9871, 7.099)] == ["gierath"]
