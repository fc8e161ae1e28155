"""Devices added to the list that people edit: nothing of theirs is lost, nothing half is written."""

import errno
import re
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.device_list import located_rows
from devices.errors import ChangedListError, ClosedListError, Fault, RegistryError
from devices.registration import MOST_ROWS, Registration
from devices.registry import RegistryFile, load_registry

TYPES = {"decentlab-dl-mbx", "decentlab-dl-tbrg"}
LIST = """# gauges of the Strunde, as of 2026
dev_eui,type,station,name,lat,lon
70B3D57ED0000001,decentlab-dl-mbx,strunde,Strunde Gierath,50.98,7.1
"""
NEW = {
    "dev_eui": "70-B3-D5-7E-D0-00-00-02",
    "type": "decentlab-dl-tbrg",
    "station": "regen",
    "name": "Regen, Höhe",
    "lat": 50.99,
    "lon": 7.12,
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "devices.csv"
    path.write_text(LIST, encoding="utf-8")
    return path


def registration(file, **options):
    return Registration(file, catalogue=TYPES, **options)


def row(**changes):
    given = {**NEW, **changes}
    return [("request", "", {key: value for key, value in given.items() if value is not None})]


def keys(faults):
    return [each.key for each in faults]


def test_a_device_stands_at_the_end_and_the_service_knows_it(file):
    registry = RegistryFile(file, catalogue=TYPES)
    done = registration(file, added=registry.refresh).add(row())
    assert file.read_text(encoding="utf-8") == LIST + (
        '70b3d57ed0000002,decentlab-dl-tbrg,regen,"Regen, Höhe",50.99,7.12\n'
    )
    assert registry.current.devices["70b3d57ed0000002"].name == "Regen, Höhe"
    assert done.version == registration(file).check(row(dev_eui="70b3d57ed0000003")).version
    assert (file.parent / "devices.csv.bak").read_text(encoding="utf-8") == LIST
    assert sorted(each.name for each in file.parent.iterdir()) == ["devices.csv", "devices.csv.bak"]


def test_a_column_that_is_missing_joins_the_header(file):
    registration(file).add(row(note="am Mast", stages_cm=[40, 60.5], public=True))
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == [
        LIST.splitlines()[0],
        LIST.splitlines()[1] + ",public,stages_cm,note",
        LIST.splitlines()[2],
    ]
    device = load_registry(file).devices["70b3d57ed0000002"]
    assert (device.public, device.stages_cm, device.note) == (True, (40.0, 60.5), "am Mast")


def test_rights_and_a_link_stay(file):
    file.chmod(0o640)
    link = file.parent / "link.csv"
    link.symlink_to(file)
    registration(link).add(row())
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert "regen" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "key", "remedy"),
    [
        ({"dev_eui": "70b3"}, "dev_eui", "16 hex digits"),
        ({"dev_eui": None}, "dev_eui", "label"),
        ({"dev_eui": "70b3d57ed0000001"}, "dev_eui", "one row for each device"),
        ({"type": "decentlab-tbrg"}, "type", "did you mean decentlab-dl-tbrg"),
        ({"station": "Regen/3"}, "station", "short id"),
        ({"lat": None, "lon": None}, "lat", "coordinates|lat and lon"),
        ({"lon": None}, "", "both lat and lon"),
        ({"lat": 91}, "lat", "-90 to 90"),
        ({"station": "strunde", "name": "", "lat": 51.5, "lon": 7.1}, "lat", "the same or leave it empty"),
        ({"colour": "red"}, "colour", "known are|did you mean"),
        ({"name": "two\nlines"}, "name", "one line"),
        ({"name": 5}, "name", "."),
        ({"name": "=cmd|'/c calc'!A0"}, "name", "letter or a digit"),
        ({"note": "@SUM(1+1)"}, "note", "letter or a digit"),
        ({"water": "+1+cmd|x"}, "water", "letter or a digit"),
        ({"direction": "-x"}, "direction", "letter or a digit"),
        ({"name": "a\u202eb"}, "name", "leave it out"),
        ({"name": "\ud800"}, "name", "."),
        ({"reserved": "women"}, "reserved", "disabled or charging"),
        ({"stages_m_nhn": [78.5]}, "stages_m_nhn", "gauge_zero_m"),
    ],
)
def test_every_fault_is_named_with_its_remedy(file, changes, key, remedy):
    before = file.read_bytes()
    with pytest.raises(RegistryError) as caught:
        registration(file).add(row(**changes))
    assert keys(caught.value.faults) == [key]
    assert re.search(remedy, caught.value.faults[0].remedy)
    assert file.read_bytes() == before
    assert keys(registration(file).check(row(**changes)).faults) == [key]


@pytest.mark.parametrize(
    "column", ["lat", "lon", "interval_s", "gauge_zero_m", "sensor_height_cm", "capacity", "public"]
)
def test_null_is_as_good_as_missing(column):
    rows, faults = located_rows([("request", "", {"station": "a", column: None})])
    assert faults == []
    assert [getattr(each.row, column) for each in rows] == [None]


def test_an_import_is_all_or_nothing_and_names_each_bad_row(file):
    data = (
        b"dev_eui;type;station;lat;lon\r\n"
        b"70b3d57ed0000002;decentlab-dl-tbrg;a;50,99;7,12\r\n"
        b"70b3d57ed0000003;decentlab-dl-xyz;b;50,99;7,12\r\n"
        b"70b3d57ed0000002;decentlab-dl-tbrg;c;50,99;\r\n"
        b"70b3d57ed0000001;decentlab-dl-tbrg;d;50,99;7,12\r\n"
    )
    desk = registration(file)
    rows = desk.read("import.csv", data)
    checked = desk.check(rows)
    assert {each.key for each in checked.faults} >= {
        "line 3, type",
        "line 4",
        "line 4, dev_eui",
        "line 5, dev_eui",
    }
    assert all(each.file == "import.csv" and each.remedy for each in checked.faults)
    before = file.read_bytes()
    with pytest.raises(RegistryError):
        desk.add(rows)
    assert file.read_bytes() == before
    good = rows[:1]
    assert desk.check(good).faults == ()
    assert file.read_bytes() == before
    desk.add(good, checked.version)
    assert load_registry(file).devices["70b3d57ed0000002"].lat == 50.99


def test_hundreds_at_once(file):
    lines = [f"70b3d57ed1{n:06x},decentlab-dl-tbrg,s{n},{50 + n / 1000},{7 + n / 1000}" for n in range(600)]
    desk = registration(file)
    desk.add(desk.read("import", "\n".join(["dev_eui,type,station,lat,lon", *lines]).encode()))
    assert len(load_registry(file, catalogue=TYPES).devices) == 601


@pytest.mark.parametrize(
    "data",
    [b"", b"dev_eui,station\n", b"colour,station\nred,a\n", b"dev_eui,type\n1,2\n", b'station\n"a', b"\x00"],
)
def test_what_is_no_import_is_refused(file, data):
    desk = registration(file)
    with pytest.raises(RegistryError):
        desk.add(desk.read("import", data))


def test_a_row_stands_on_the_line_where_it_begins(file):
    data = (
        b"# from the office\n\ndev_eui,type,station,name,lat,lon\n"
        b'70b3d57ed0000002,decentlab-dl-tbrg,a,"two\n\nlines",50.9,7.1\n'
        b"zz,decentlab-dl-tbrg,b,B,50.9,7.1\n"
        b'yy,decentlab-dl-tbrg,c,"never closed,50.9,7.1\n70b3d57ed0000003,decentlab-dl-tbrg,d,D,50.9,7.1\n'
    )
    desk = registration(file)
    found = {each.key: each for each in desk.check(desk.read("import", data)).faults}
    assert found.keys() >= {"line 4, name", "line 7, dev_eui", "line 8, dev_eui", "line 8, name"}
    assert "close the quotation mark" in found["line 8, name"].remedy
    assert not any(key.startswith(("line 6", "line 9")) for key in found)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_what_excel_calls_unicode_text_is_named(file, encoding):
    text = "dev_eui\ttype\tstation\n"
    data = text.encode(encoding) if encoding == "utf-16" else b"\xfe\xff" + text.encode(encoding)
    with pytest.raises(RegistryError, match="CSV UTF-8") as caught:
        registration(file).read("import", data)
    assert len(caught.value.faults) == 1


def test_a_telephone_number_is_no_formula(file):
    registration(file).add(row(note="+49 (0)2202 14-0", direction="-"))
    assert "+49 (0)2202 14-0" in file.read_text(encoding="utf-8")


def test_too_many_rows_are_refused(file):
    data = "station\n" + "a\n" * (MOST_ROWS + 1)
    with pytest.raises(RegistryError, match="in parts"):
        registration(file).read("import", data.encode())


_ADDS = """
import sys
from pathlib import Path
from devices.registration import Registration
desk = Registration(Path(sys.argv[1]), catalogue=["decentlab-dl-tbrg"])
rows = desk.read("import", Path(sys.argv[2]).read_bytes())
print("now", flush=True)
desk.add(rows)
print("done", flush=True)
sys.stdin.read()
"""


def test_who_is_killed_while_it_writes_has_written_all_rows_or_none(file, tmp_path):
    count, kept = 400, 0
    for attempt in range(8):
        lines = [
            f"70b3d57e{attempt + 2:02x}{n:06x},decentlab-dl-tbrg,s{attempt}-{n},50,7" for n in range(count)
        ]
        given = tmp_path / "import.csv"
        given.write_text("\n".join(["dev_eui,type,station,lat,lon", *lines]), encoding="utf-8")
        before = file.read_bytes()
        with subprocess.Popen(
            [sys.executable, "-c", _ADDS, file, given], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout.readline() == b"now\n"
            time.sleep(attempt * 0.02)
            writer.kill()
        after = file.read_bytes()
        assert after.startswith(before)
        assert after[len(before) :].count(b"\n") in {0, count}
        kept += after != before
        assert len(load_registry(file, catalogue=TYPES).devices) == 1 + kept * count
    registration(file).add(row(dev_eui="70b3d57ed00000ff"))
    assert [each.name for each in file.parent.glob(".*")] == []


def test_what_a_killed_one_left_is_removed_and_nothing_else(file):
    left, editor = file.with_name(".devices.csv.new-1a2b"), file.with_name(".devices.csv.swp")
    for each in (left, editor):
        each.write_text("x", encoding="utf-8")
    registration(file).check(row())
    assert left.exists(), "a dry run touches nothing"
    registration(file).add(row())
    assert (left.exists(), editor.exists()) == (False, True)


def test_a_list_that_changed_meanwhile_is_not_written(file):
    desk = registration(file)
    version = desk.check(row()).version
    file.write_text(LIST + "# by hand\n", encoding="utf-8")
    with pytest.raises(ChangedListError):
        desk.add(row(), version)
    assert file.read_text(encoding="utf-8") == LIST + "# by hand\n"
    desk.add(row())
    assert "# by hand\n70b3d57ed0000002" in file.read_text(encoding="utf-8")


def test_two_at_once_both_stand_there_and_the_same_device_once(file):
    faults = []

    def add(n):
        try:
            registration(file).add(row(dev_eui=f"70b3d57ed00000{n % 10:02x}", station=f"r{n}"))
        except RegistryError as error:
            faults.extend(error.faults)

    threads = [threading.Thread(target=add, args=(n,)) for n in range(2, 22)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(load_registry(file).devices) == 10
    assert len(faults) == 11
    assert all("stands already" in each.problem for each in faults)


@pytest.mark.parametrize("name", [None, "devices.toml"])
def test_a_list_that_is_no_csv_is_left_alone(tmp_path, name):
    path = tmp_path / name if name else None
    if path:
        path.write_text("[[device]]\nstation='a'\n", encoding="utf-8")
    for call in (registration(path).check, registration(path).add):
        with pytest.raises(ClosedListError, match=r"devices\.csv"):
            call(row())


def test_a_list_with_faults_is_left_alone(file):
    file.write_text(LIST + "70b3d57ed0000009,no-such-type,x,,50,7\n", encoding="utf-8")
    with pytest.raises(ClosedListError, match="line 4"):
        registration(file).add(row())


def test_devices_of_the_configuration_count_too(file):
    table = {"dev_eui": "70b3d57ed0000002", "type": "decentlab-dl-mbx", "station": "t", "lat": 1, "lon": 1}
    with pytest.raises(RegistryError, match=r"stands already in city\.toml"):
        registration(file, tables=[table]).add(row())


def test_what_else_the_service_asks_of_a_registry_counts(file):
    def further(registry):
        if "regen" in registry.stations:
            yield Fault("city.toml", "neighbour[0]", "stands in the device list as well", "another id")

    assert keys(registration(file, further=further).check(row()).faults) == ["neighbour[0]"]
    with pytest.raises(RegistryError):
        registration(file, further=further).add(row())


def test_a_folder_that_cannot_be_written_to_says_so(file, monkeypatch):
    def refuse(*_, **__):  # what the operating system answers; root, whom CI runs as, it never refuses
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(ClosedListError, match="writable"):
        registration(file).add(row())
    assert file.read_text(encoding="utf-8") == LIST


def test_a_list_that_is_gone_says_so(file):
    file.unlink()
    with pytest.raises(ClosedListError, match="No such file"):
        registration(file).check(row())


def test_a_character_that_the_list_cannot_hold(file):
    file.write_bytes(LIST.replace("Gierath", "Höhe").encode("cp1252"))
    registration(file).add(row())
    assert load_registry(file).devices["70b3d57ed0000002"].name == "Regen, Höhe"
    before = file.read_bytes()
    with pytest.raises(ClosedListError, match="UTF-8"):
        registration(file).add(row(dev_eui="70b3d57ed0000003", station="x", name="Köprülü ğ"))
    assert file.read_bytes() == before


def test_a_row_that_would_read_back_as_a_comment_is_not_written(file):
    file.write_text("name,dev_eui,type,station,lat,lon\n", encoding="utf-8")
    with pytest.raises(ClosedListError, match="read back"):
        registration(file).add(row(name="# 5"))


_text = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=12
).filter(lambda text: not text.strip().startswith(("=", "@", "+", "-")))


@given(
    delimiter=st.sampled_from(",;\t"),
    newline=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
    ending=st.booleans(),
    columns=st.permutations(["dev_eui", "type", "station", "name", "lat", "lon", "note"]),
    names=st.lists(st.tuples(_text, _text), min_size=1, max_size=3),
)
@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    deadline=None,
)
def test_whatever_the_list_looks_like_it_keeps_every_byte(  # noqa: PLR0913, PLR0917 - a list has many looks
    tmp_path, delimiter, newline, bom, ending, columns, names
):
    known = {
        "dev_eui": "70b3d57ed0000001",
        "type": "decentlab-dl-mbx",
        "station": "a",
        "lat": "50",
        "lon": "7",
    }
    head = [each for each in columns if each in known or each == "note"]
    text = newline.join(
        ["# a comment", "", delimiter.join(head), delimiter.join(known.get(each, "") for each in head)]
    )
    old = ("\ufeff" if bom else "").encode() + (text + (newline if ending else "")).encode()
    path = tmp_path / "any.csv"
    path.write_bytes(old)
    rows = [
        (
            "r",
            "",
            {**NEW, "dev_eui": f"70b3d57ed00001{n:02x}", "station": f"s{n}", "name": name, "note": note},
        )
        for n, (name, note) in enumerate(names)
    ]
    try:
        registration(path).add(rows)
    except ClosedListError as error:
        assert "read back" in str(error)  # noqa: PT017 - both ways are right
        assert path.read_bytes() == old
        return
    new = path.read_bytes()
    if any(name.strip() for name, _ in names):
        header = delimiter.join(head).encode()
        assert new.startswith(old.replace(header, header + f"{delimiter}name".encode(), 1))
    else:
        assert new.startswith(old)
    devices = load_registry(path, catalogue=TYPES).devices
    assert len(devices) == 1 + len(names)
    for n, (name, note) in enumerate(names):
        device = devices[f"70b3d57ed00001{n:02x}"]
        assert (device.name, device.note) == (name.strip() or f"s{n}", note.strip())
