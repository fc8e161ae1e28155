import contextlib
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.device_list import normalise_dev_eui
from devices.errors import RegistryError
from devices.measurement import Measurement, Quality
from devices.registry import InstalledDevice, RegistryFile, load_registry

CSV = """\
dev_eui,type,station,name,lat,lon,public,interval_s,gauge_zero_m,sensor_height_cm,stages_cm,capacity,water
70B3D57ED0000001,decentlab-dl-mbx,kippemuehle,Kippemühle,50.9921,7.1247,true,300,92.5,250,52;65;79,,Strunde
70-b3-d5-7e-d0-00-00-02,decentlab-dl-tbrg,kippemuehle,,,,,,,,,,
70b3d57ed0000003,bosch-tps110,parkhaus,Parkhaus Buchmühle,50.9906,7.1352,false,,,,,120,
"""
TYPES = {"decentlab-dl-mbx", "decentlab-dl-tbrg", "bosch-tps110"}


@pytest.fixture
def write(tmp_path):
    def write(text, name="devices.csv", encoding="utf-8"):
        file = tmp_path / name
        file.write_bytes(text.encode(encoding))
        return file

    return write


def faults(file, tables=(), **options):
    with pytest.raises(RegistryError) as caught:
        load_registry(file, tables, **options)
    assert all(each.remedy and each.problem for each in caught.value.faults)
    return [(each.key, each.problem) for each in caught.value.faults]


def table(**changes):
    row = {
        "dev_eui": "70b3d57ed0000009",
        "type": "bosch-tps110",
        "station": "p",
        "lat": 51,
        "lon": 7,
        **changes,
    }
    return {key: value for key, value in row.items() if value is not None}


def test_csv(write):
    registry = load_registry(write(CSV), catalogue=TYPES)
    level = registry.devices["70b3d57ed0000001"]
    assert (level.type, level.station, level.interval_s, level.sensor_height_cm) == (
        "decentlab-dl-mbx",
        "kippemuehle",
        300,
        250,
    )
    assert (level.stages_cm, level.gauge_zero_m, level.water, level.public) == (
        (52, 65, 79),
        92.5,
        "Strunde",
        True,
    )
    rain = registry.devices["70b3d57ed0000002"]
    assert (rain.name, rain.lat, rain.public, rain.interval_s) == ("Kippemühle", 50.9921, True, None)
    assert registry.stations["kippemuehle"].devices == ("70b3d57ed0000001", "70b3d57ed0000002")
    assert registry.stations["parkhaus"].capacity == 120
    assert registry.stations["parkhaus"].public is False


def test_as_excel_writes_it(write):
    text = (
        "dev_eui;Type;station;name;lat;lon;public;stages_cm;capacity;\r\n"
        '70B3D57ED0000001;decentlab-dl-mbx;k;Kippemühle;50,9921;7,1247;WAHR;"52,5;65";;\r\n'
        ";;;;;;;;;\r\n"
        "70B3D57ED0000002;bosch-tps110;p;Straße;50,99;7,13;falsch;;120;\r\n"
    )
    expected = load_registry(write(text, encoding="utf-8-sig"))
    assert expected.devices["70b3d57ed0000001"].stages_cm == (52.5, 65)
    assert expected.stations["k"].lat == 50.9921
    assert expected.stations["p"].capacity == 120
    assert load_registry(write(text, encoding="cp1252")) == expected


def test_toml_and_tables_are_the_same_as_csv(write):
    toml = """
        [[device]]
        dev_eui = "70:B3:D5:7E:D0:00:00:01"
        type = "decentlab-dl-mbx"
        station = "kippemuehle"
        name = "Kippemühle"
        lat = 50.9921
        lon = 7.1247
        public = true
        interval_s = 300
        gauge_zero_m = 92.5
        sensor_height_cm = 250
        stages_cm = [52, 65, 79]
        water = "Strunde"
        [[device]]
        dev_eui = "70b3d57ed0000002"
        type = "decentlab-dl-tbrg"
        station = "kippemuehle"
    """
    third = {
        "dev_eui": "70b3d57ed0000003",
        "type": "bosch-tps110",
        "station": "parkhaus",
        "name": "Parkhaus Buchmühle",
        "lat": 50.9906,
        "lon": 7.1352,
        "capacity": 120,
    }
    from_toml = load_registry(write(toml, "devices.toml"), [third])
    from_csv = load_registry(write(CSV))
    assert dict(from_toml.devices) == dict(from_csv.devices)
    assert dict(from_toml.stations) == dict(from_csv.stations)


def test_marks_in_m_nhn_become_cm_above_the_gauge_zero():
    registry = load_registry(None, [table(stages_m_nhn="78,92;79,05", gauge_zero_m="78.4")])
    (station,) = registry.stations.values()
    assert station.stages_cm == (52.0, 65.0)


def test_nothing_installed_is_a_registry():
    assert not load_registry(None).devices


@pytest.mark.parametrize(
    ("changes", "key", "problem"),
    [
        ({"dev_eui": "70b3"}, "[[device]] 1, dev_eui", "16 hex digits"),
        ({"dev_eui": "7,0E+15"}, "[[device]] 1, dev_eui", "spreadsheet"),
        ({"dev_eui": None}, "[[device]] 1, dev_eui", "is missing"),
        ({"type": None}, "[[device]] 1, type", "is missing"),
        ({"type": "bosch-tps11"}, "[[device]] 1, type", "unknown type bosch-tps11"),
        ({"station": None}, "[[device]] 1, station", "is missing"),
        ({"station": "a/b"}, "[[device]] 1, station", "cannot stand there"),
        ({"lat": 91}, "[[device]] 1, lat", "less than or equal to 90"),
        ({"lon": -181}, "[[device]] 1, lon", "greater than or equal to -180"),
        ({"lat": float("nan")}, "[[device]] 1, lat", "finite"),
        ({"lat": None}, "[[device]] 1", "lat and lon come together"),
        ({"lat": None, "lon": None}, "[[device]] 1, lat", "has no coordinates"),
        ({"stages_cm": [52, 52]}, "[[device]] 1, stages_cm", "do not ascend"),
        ({"stages_cm": [79, 65]}, "[[device]] 1, stages_cm", "do not ascend"),
        ({"stages_cm": [1, 2, 3, 4, 5]}, "[[device]] 1, stages_cm", "at most 4"),
        ({"stages_m_nhn": [80, 79], "gauge_zero_m": 70}, "[[device]] 1, stages_m_nhn", "do not ascend"),
        ({"stages_m_nhn": [80]}, "[[device]] 1, stages_m_nhn", "need the gauge zero"),
        ({"stages_m_nhn": [69], "gauge_zero_m": 70}, "[[device]] 1, stages_m_nhn", "below the gauge zero"),
        (
            {"stages_m_nhn": [80], "stages_cm": [5], "gauge_zero_m": 70},
            "[[device]] 1, stages_m_nhn",
            "stages_cm as well",
        ),
        ({"capacity": -1}, "[[device]] 1, capacity", "greater than or equal to 0"),
        ({"capacity": "many"}, "[[device]] 1, capacity", "integer"),
        ({"reserved": "women"}, "[[device]] 1, reserved", "'disabled' or 'charging'"),
        ({"interval_s": 0}, "[[device]] 1, interval_s", "greater than 0"),
        ({"public": "maybe"}, "[[device]] 1, public", "boolean"),
        ({"statoin": "p"}, "[[device]] 1, statoin", "unknown key"),
    ],
)
def test_a_fault_names_row_column_and_remedy(changes, key, problem):
    found = faults(None, [table(**changes)], catalogue=TYPES)
    assert any(at == key and problem in what for at, what in found), found


def test_did_you_mean():
    with pytest.raises(RegistryError, match=r"did you mean station\?"):
        load_registry(None, [table(statoin="p")])
    with pytest.raises(RegistryError, match=r"did you mean bosch-tps110\?"):
        load_registry(None, [table(type="bosch-tps11")], catalogue=TYPES)


def test_all_faults_in_one_pass(write):
    text = CSV + (
        "70b3d57ed0000001,bosch-tps110,neu,Neu,50,7,,,,,,,\n"
        "70b3d57ed0000004,bosch-tps999,neu,Anders,50,7,,,,,79;52,,\n"
        "70b3d57ed0000005,bosch-tps110,neu,Anders,50,8,,,,,,-3,\n"
        "70b3d57ed0000006,bosch-tps110,kippemuehle,Mühle,50.5,7.1247,,,,,60;70,,\n"
    )
    found = faults(write(text), catalogue=TYPES)
    keys = [key for key, _ in found]
    assert {
        "line 5, dev_eui",
        "line 6, stages_cm",
        "line 6, type",
        "line 6, name",
        "line 7, capacity",
        "line 8, name",
        "line 8, lat",
        "line 8, stages_cm",
    } <= set(keys)
    assert any("line 2" in problem for key, problem in found if key == "line 8, name")


def test_unknown_or_doubled_column_and_no_station(write):
    assert faults(write("dev_eui,type,staton\n")) == [
        ("line 1, staton", "unknown column"),
        ("line 1", "no column station"),
    ]
    assert faults(write("station,station\n")) == [("line 1, station", "column stands twice")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("d.toml", "[[device]\n"),
        ("d.toml", "[city]\nname = 1\n"),
        ("d.toml", "device = 3\n"),
        ("d.csv", "station\nx,y,z\n"),
    ],
)
def test_a_file_that_is_none(write, name, text):
    assert faults(write(text, name))


def test_a_missing_file(tmp_path):
    assert faults(tmp_path / "none.csv")[0][0] == "file"


def test_a_backtest_needs_stations_only():
    tables = [{"station": "a"}, {"station": "b", "interval_s": 300, "stages_cm": [1, 2]}]
    registry = load_registry(None, tables, types_optional=True)
    assert list(registry.stations) == ["a", "b"]
    assert len(registry.devices) == 2
    assert registry.stations["a"].lat is None


@given(st.text(alphabet="0123456789abcdefABCDEF:-. ", max_size=30))
def test_dev_eui(text):
    digits = [c for c in text.lower() if c in "0123456789abcdef"]
    if len(digits) == 16:
        assert normalise_dev_eui(text) == "".join(digits)
    else:
        with pytest.raises(ValueError, match="DevEUI"):
            normalise_dev_eui(text)


@given(st.binary(max_size=200), st.sampled_from(["x.csv", "x.toml"]))
@settings(max_examples=200)
def test_any_file_is_a_registry_or_faults(tmp_path_factory, content, name):
    file = tmp_path_factory.getbasetemp() / name
    file.write_bytes(b"dev_eui,type,station\n" + content if content[:1] > b"\x60" else content)
    with contextlib.suppress(RegistryError):  # anything else fails the test
        load_registry(file)


def device(**changes):
    return InstalledDevice(dev_eui="70b3d57ed0000001", type="t", station="s", **changes)


def test_level_from_distance_and_depth():
    distance = Measurement("water_distance", 1234.0)
    assert device(sensor_height_cm=250).derive([distance]) == (distance, Measurement("water_level", 126.6))
    depth = Measurement("water_depth", 12.3)
    assert device(sensor_height_cm=-5).derive([depth])[1] == Measurement("water_level", 7.3)
    assert device().derive([distance]) == (distance,)
    own = Measurement("water_level", 3.0)
    assert device(sensor_height_cm=250).derive([distance, own]) == (distance, own)


def test_every_time_that_a_payload_gives_has_a_level():
    now, early, late = (Measurement("water_distance", 1000.0, time_us=at) for at in (None, 10, 20))
    second = Measurement("water_distance", 900.0, channel="b", time_us=20)
    derived = device(sensor_height_cm=250).derive([now, early, late, second])[4:]
    assert derived == tuple(Measurement("water_level", 150.0, time_us=at) for at in (None, 10, 20))


@pytest.mark.parametrize("quality", [Quality.FAIL, Quality.SUSPECT])
def test_a_level_is_as_good_as_what_it_comes_from(quality):
    derived = device(sensor_height_cm=250).derive([Measurement("water_distance", 65535.0, quality)])
    assert derived[1] == Measurement("water_level", -6303.5, quality)
    missing = Measurement("water_distance", None, Quality.MISSING)
    assert device(sensor_height_cm=250).derive([missing])[1] == Measurement(
        "water_level", None, Quality.MISSING
    )


def test_a_counter_s_only_direction():
    count, volts = Measurement("vehicle_count", 5.0), Measurement("battery_voltage", 3.0)
    inward = device(direction="in").derive([count, volts])
    assert inward == (Measurement("vehicle_count", 5.0, channel="in"), volts)
    both = Measurement("people_count", 1.0, channel="ltr")
    assert device(direction="in").derive([both]) == (both,)


def touch(file, text, second):
    file.write_text(text, encoding="utf-8")
    os.utime(file, (second, second))


def test_the_file_is_loaded_again_when_it_changes(write):
    file = write(CSV)
    registry_file = RegistryFile(file, catalogue=TYPES)
    first = registry_file.current
    assert registry_file.refresh() is False
    assert registry_file.current is first
    touch(file, CSV + "70b3d57ed0000004,bosch-tps110,parkhaus,,,,,,,,,,\n", 1)
    assert registry_file.refresh() is True
    assert len(registry_file.current.devices) == 4
    assert len(first.devices) == 3, "a snapshot never changes"


def test_a_bad_new_file_keeps_the_old_registry_and_shows_its_fault(write):
    file = write(CSV)
    registry_file = RegistryFile(file, catalogue=TYPES)
    first = registry_file.current
    touch(file, CSV.replace("bosch-tps110", "bosch-tps111"), 1)
    assert registry_file.refresh() is False
    assert registry_file.current is first
    assert "unknown type" in str(registry_file.fault)
    assert registry_file.refresh() is False, "a bad file is read once"
    touch(file, "", 3)
    assert registry_file.refresh() is False, "an editor that is saving leaves an empty file for a moment"
    assert registry_file.current is first
    file.unlink()
    assert registry_file.refresh() is False
    assert registry_file.fault.faults[0].key == "file"
    touch(file, CSV, 2)
    assert registry_file.refresh() is True
    assert registry_file.fault is None


def test_a_bad_first_file_raises(write):
    with pytest.raises(RegistryError):
        RegistryFile(write("station\n/\n"))


def test_readers_see_whole_snapshots_while_it_changes(write):
    file = write(CSV)
    registry_file = RegistryFile(file)
    stop = threading.Event()
    torn = []

    def read():
        while not stop.is_set():
            now = registry_file.current
            if {each.station for each in now.devices.values()} != set(now.stations):
                torn.append(now)

    reader = threading.Thread(target=read)
    reader.start()
    for second in range(1, 15):
        touch(file, CSV.replace("parkhaus", f"parkhaus{second % 3}"), second)
        registry_file.refresh()
    stop.set()
    reader.join()
    assert not torn


def test_a_reserved_space_is_the_device_s_own(write):
    text = (
        "dev_eui,type,station,lat,lon,reserved\n"
        "70b3d57ed0000001,bosch-tps110,p,50,7,Disabled\n"
        "70b3d57ed0000002,bosch-tps110,p,,,charging\n"
        "70b3d57ed0000003,bosch-tps110,p,,, \n"
    )
    devices = load_registry(write(text)).devices
    assert [each.reserved for each in devices.values()] == ["disabled", "charging", ""]


def test_a_renewed_registry_is_another_snapshot_and_of_a_bad_file_the_old_devices(tmp_path):
    file = tmp_path / "devices.csv"
    types = {"one"}
    good = "dev_eui,type,station,lat,lon\na84041ffff000001,{},bach,51,7\n"
    file.write_text(good.format("one"))
    registry_file = RegistryFile(file, catalogue=types)
    first = registry_file.current
    assert not registry_file.refresh()
    assert registry_file.renew()
    assert (registry_file.current, registry_file.current is first) == (first, False)
    second = registry_file.current
    file.write_text(good.format("other"))
    assert not registry_file.renew()
    assert (registry_file.current, registry_file.current is second) == (first, False)
    assert "unknown type other" in str(registry_file.fault)
    # the file is the same, and the type is there now
    types.add("other")
    assert not registry_file.refresh()
    assert registry_file.renew()
    assert registry_file.fault is None
    assert registry_file.current.devices["a84041ffff000001"].type == "other"
