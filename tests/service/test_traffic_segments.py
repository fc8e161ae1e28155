"""[[traffic.segment]]: what a city writes, what `check` says of it, and what the service makes of it."""

import json

import pytest
import structlog

from stadtfunk.check import examine
from stadtfunk.roads import streets_of
from stadtfunk.service import Service
from stadtfunk.settings_file import read_settings

CITY = """
[city]
name = "Teststadt"
ars = "053780004004"
[journal]
url = "sqlite:journal.db"
[store]
url = "sqlite:readings.db"
[devices]
file = "devices.csv"
"""
DEVICES = """dev_eui,type,station,lat,lon,direction
70b3d57ba0000001,nwave-ncc405,north,51,7,in
70b3d57ba0000002,parametric-tcr,radar,51,7.1,
70b3d57ba0000003,decentlab-dl-tbrg,rain,51,7.2,
"""
MAIN = """
[[traffic.segment]]
id = "main"
name = "Main street"
line = [[7.13, 50.99], [7.14, 50.98]]
stations = ["north"]
channels = ["in"]
free_flow_kmh = 50
"""
LINE = ((7.13, 50.99), (7.14, 50.98))


@pytest.fixture
def city(tmp_path):
    """Settings of a city with these segments, and every fault of them."""
    (tmp_path / "devices.csv").write_text(DEVICES)

    def read(text):
        (tmp_path / "city.toml").write_text(CITY + text)
        settings, faults = read_settings(tmp_path / "city.toml", {})
        more, _ = examine(settings)
        return settings, [*faults, *more]

    yield read
    structlog.reset_defaults()


def said(faults):
    return [f"{fault.key}: {fault.problem}" for fault in faults]


def test_a_segment_with_its_line(city, tmp_path):
    settings, faults = city(MAIN)
    assert faults == []
    service = Service(settings)
    try:
        (street,) = service.mobility.streets
        assert (street.id, street.name, street.line) == ("main", "Main street", LINE)
        assert (street.stations, street.channels, street.free_flow_kmh) == (("north",), ("in",), 50)
        assert [(each.id, each.state) for each in service.mobility.segments()] == []
    finally:
        service._opened.close()


def test_a_line_in_a_file_beside_the_configuration(city, tmp_path):
    collection = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "id": "main", "geometry": {"type": "LineString", "coordinates": LINE}},
            {"type": "Feature", "id": "b", "geometry": {"type": "LineString", "coordinates": LINE[::-1]}},
        ],
    }
    (tmp_path / "streets.geojson").write_text(json.dumps(collection))
    text = MAIN.replace("[[7.13, 50.99], [7.14, 50.98]]", '"streets.geojson"')
    settings, faults = city(text + text.replace('"main"', '"b"'))
    assert faults == []
    service = Service(settings)
    try:
        streets = streets_of(settings, service.registry.current, service.catalogue)
        assert [street.line for street in streets.segments] == [LINE, LINE[::-1]]
    finally:
        service._opened.close()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"main"', '"Main!"', "traffic.segment[0].id"),
        (
            "[[7.13, 50.99], [7.14, 50.98]]",
            "[[50.99, 7.13], [50.98, 7.14]]",
            "main.line: [50.99, 7.13] has latitude",
        ),
        ("[[7.13, 50.99], [7.14, 50.98]]", "[[7.13, 50.99]]", "main.line: has fewer than two"),
        ("[[7.13, 50.99], [7.14, 50.98]]", '"nowhere.geojson"', "main.line: cannot be read"),
        ('["north"]', '["rain"]', "main.stations: no vehicles are counted at 'rain'"),
        ('["north"]', '["nrth"]', "main.stations: no vehicles are counted at 'nrth'"),
        ('["north"]', "[]", "traffic.segment[0].stations"),
        ('["in"]', '["out"]', "main.channels: no direction 'out'"),
        ("50\n", "500\n", "traffic.segment[0].free_flow_kmh"),
        ("free_flow_kmh", "free_flow", "traffic.segment[0].free_flow: unknown key"),
    ],
    ids=["id", "swapped", "short", "file", "rain", "unknown", "none", "direction", "too fast", "key"],
)
def test_every_fault_is_named(city, old, new, fault):
    assert old in MAIN
    _, faults = city(MAIN.replace(old, new))
    assert [each for each in said(faults) if fault in each], said(faults)


def test_two_of_one_id_and_a_radar_whose_directions_only_it_knows(city):
    radar = MAIN.replace('"main"', '"radar"').replace('["north"]', '["radar"]').replace('["in"]', '["ltr"]')
    assert city(MAIN + radar)[1] == []
    assert said(city(MAIN + MAIN)[1]) == ["traffic.segment main: 2 segments of this id"]
