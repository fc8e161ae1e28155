"""A device repository as somebody else filled it: what is found, what is refused, what is equal."""

import contextlib
import itertools
import math
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import DeviceTypeError, RepositoryError
from devices.repository.codec import RECEIVED_US, Example
from devices.repository.comparison import MISSING, differences, plain
from devices.repository.folder import MOST_BYTES
from devices.repository.repository import Repository
from devices.yaml12 import parse_yaml

OURS = Path(__file__).parent.parent / "makers_repository"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(OURS, tmp_path / "repository")


def refused(find, name):
    with pytest.raises(RepositoryError) as caught:
        find(name)
    return str(caught.value)


# found by name


def test_a_device_is_found_with_vendor_codec_ports_examples_and_profile(folder):
    device = Repository(folder).find("pegelbau/tiefe-1")
    assert (device.id, device.vendor_name, device.name) == (
        "pegelbau/tiefe-1",
        "Pegelbau Müller GmbH",
        "Tiefe 1",
    )
    assert (device.firmware, device.codec) == ("2.0", "tiefe-1-codec")
    assert device.source.text == (folder / "vendor/pegelbau/scripts/tiefe.js").read_text()
    assert device.f_ports == (7,)  # on 8 the example expects an error
    assert [each.frame.payload.hex() for each in device.examples] == ["012c01", "00ff00", "01", "012c00"]
    profile = device.profile
    assert (profile.id, profile.region, profile.mac_version) == ("ueberall", "EU863-870", "1.0.3")
    assert (profile.join, profile.class_b, profile.class_c) == (True, False, True)
    assert (profile.max_eirp_dbm, profile.certified) == (14, True)
    assert device.faults == ()


def test_firmware_and_region_choose_the_codec(folder):
    repository = Repository(folder)
    old = repository.find("pegelbau/tiefe-1@1.5")
    assert (old.codec, old.firmware) == ("tiefe-1-alt-codec", "1.5")
    assert dict(old.firmwares) == {"2.0": "tiefe-1-codec", "1.5": "tiefe-1-alt-codec"}
    assert repository.find("pegelbau/tiefe-1", region="US902-928").codec == "tiefe-1-us-codec"


def test_a_region_that_is_not_served_gives_the_first_one_that_is(folder):
    device = Repository(folder).find("wetterwerk/wind-2")
    assert (device.codec, device.profile.region) == ("wind-2-codec", "AS923")
    assert device.profile.mac_version == "1.0.3"  # the profile stands in another vendor's folder


def test_case_does_not_matter(folder):
    assert Repository(folder).find("Pegelbau/TIEFE-1").id == "pegelbau/tiefe-1"


def test_what_is_not_there_is_named_with_what_is(folder):
    find = Repository(folder).find
    assert "did you mean pegelbau?" in refused(find, "pegelbua/tiefe-1")
    assert "did you mean tiefe-1?" in refused(find, "pegelbau/tiefe-2")
    assert "has no codec" in refused(find, "wetterwerk/stumm")
    assert "with a codec there are: 1.5, 2.0" in refused(find, "pegelbau/tiefe-1@3")
    for odd in (
        "",
        "/",
        "pegelbau",
        "pegelbau/",
        "pegelbau/index",
        "../x",
        "pegelbau/../tiefe-1",
        "a/b/c",
        "\0/x",
    ):
        refused(find, odd)


def test_devices_are_listed_with_those_that_have_no_codec(folder):
    devices, faults = Repository(folder).devices()
    assert faults == ()
    assert {each.id: each.codecs for each in devices} == {
        "pegelbau/tiefe-1": ("tiefe-1-us-codec", "tiefe-1-codec", "tiefe-1-alt-codec"),
        "wetterwerk/stumm": (),
        "wetterwerk/wind-2": ("wind-2-codec",),
    }


def test_an_update_of_a_device_is_seen_without_a_restart(folder):
    repository = Repository(folder)
    before = repository.find("wetterwerk/wind-2").source.sha256
    with (folder / "vendor/wetterwerk/wind.js").open("a") as script:
        script.write("// 1.1\n")
    assert repository.find("wetterwerk/wind-2").source.sha256 != before


# what YAML 1.2 says


def test_dates_switches_and_hexadecimal_are_read_as_written(folder):
    first, second, *_ = Repository(folder).find("pegelbau/tiefe-1").examples
    assert first.expected.data == {
        "level": 300.0000001,
        "pump": "on",
        "day": "2024-05-29",
        "12": "months",
        "alarm": None,
    }
    assert second.expected.data["level"] == 255
    assert second.expected.warnings == ("low water",)
    assert (first.frame.f_port, first.frame.received_us) == (7, 1_716_998_400_000_000)


def test_an_example_without_a_time_gets_the_same_one_every_day(folder):
    (example,) = Repository(folder).find("wetterwerk/wind-2").examples
    assert example.frame.received_us == RECEIVED_US


@pytest.mark.parametrize("text", ["[" * 200_000, "{a: " * 200_000, "- " * 200_000, "? " * 200_000])
def test_nesting_that_would_end_the_process_is_a_fault(text):
    with pytest.raises(DeviceTypeError, match="nested too deep"):
        parse_yaml(text, "deep.yaml")


def test_a_key_that_is_a_list_of_lists_is_a_fault():
    with pytest.raises(DeviceTypeError, match="no scalar"):
        parse_yaml("? [[1]]\n: 2", "key.yaml")


@pytest.mark.parametrize("number", ["9" * 5_000, "0x" + "f" * 5_000, "0o" + "7" * 5_000])
def test_a_number_too_long_to_write_out_is_a_fault(number):
    with pytest.raises(DeviceTypeError, match="digits"):
        parse_yaml(f"a: {number}", "long.yaml")


@given(st.text(alphabet="[]{}:-?&*!|>'\"#%~ \nab01.,", max_size=60))
def test_any_text_is_a_document_or_a_fault(text):
    with contextlib.suppress(DeviceTypeError):
        parse_yaml(text, "any.yaml")


# a broken file costs what it describes

BROKEN = {
    "not YAML": b"a: [1,\nb: 2",
    "stands twice": b"name: A\nname: B\n",
    "empty or no mapping": b"",
    "no UTF-8": b"name: \xff\xfe\n",
    "MiB": b"#" * (MOST_BYTES + 1),
    "nested": b"firmwareVersions: " + b"[" * 100_000,
    "firmwareVersions": b"name: A\nfirmwareVersions: 3\n",
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_device_costs_that_device_only(folder, problem):
    (folder / "vendor/pegelbau/tiefe-1.yaml").write_bytes(BROKEN[problem])
    repository = Repository(folder)
    devices, faults = repository.devices()
    assert [each.id for each in devices] == ["wetterwerk/stumm", "wetterwerk/wind-2"]
    assert [fault.file for fault in faults] == [str(folder / "vendor/pegelbau/tiefe-1.yaml")]
    assert problem in str(faults[0])
    refused(repository.find, "pegelbau/tiefe-1")
    assert repository.find("wetterwerk/wind-2").faults == ()


def test_without_a_readable_index_the_vendors_lose_their_names_only(folder):
    (folder / "vendor/index.yaml").write_text("vendors: [{id: wetterwerk, name: Wetterwerk}, 7, {name: x}]")
    repository = Repository(folder)
    assert repository.find("wetterwerk/wind-2").vendor_name == "Wetterwerk"
    device = repository.find("pegelbau/tiefe-1")
    assert device.vendor_name == "pegelbau"
    assert [fault.key for fault in device.faults] == ["vendors.1", "vendors.2.id"]
    (folder / "vendor/index.yaml").unlink()
    assert Repository(folder).find("wetterwerk/wind-2").vendor_name == "wetterwerk"


def test_without_a_readable_profile_the_device_keeps_its_codec(folder):
    (folder / "vendor/pegelbau/ueberall.yaml").write_text("macVersion: []")
    device = Repository(folder).find("pegelbau/tiefe-1")
    assert device.profile is None
    assert [fault.key for fault in device.faults] == ["macVersion"]
    assert device.source.text


def test_a_broken_example_costs_that_example_only(folder):
    file = folder / "vendor/wetterwerk/wind-2-codec.yaml"
    file.write_text(
        """
        uplinkDecoder:
          fileName: wind.js
          examples:
            - {description: good, input: {fPort: 1, bytes: [1]}, output: {data: {}}}
            - {description: port, input: {fPort: 256, bytes: [1]}, output: {data: {}}}
            - {description: byte, input: {fPort: 1, bytes: [1, 999]}, output: {data: {}}}
            - {description: time, input: {fPort: 1, bytes: [1], recvTime: yesterday}, output: {data: {}}}
            - {description: no output, input: {fPort: 1, bytes: [1]}}
            - {description: binary, input: {fPort: 1, bytes: [1]}, output: {data: {a: !!binary aGk=}}}
            - just text
        """
    )
    codecs, faults = Repository(folder).codecs()
    wind = next(each for each in codecs if each.id == "wind-2-codec")
    assert faults == ()
    assert [each.description for each in wind.examples if isinstance(each, Example)] == ["good"]
    assert {each.description: each.problem for each in wind.examples if not isinstance(each, Example)} == {
        "port": "input.fPort: Input should be less than or equal to 255",
        "byte": "input.bytes.1: Input should be less than or equal to 255",
        "time": "input.recvTime: Value error, Invalid isoformat string: 'yesterday'",
        "no output": "output: Field required",
        "binary": "output: bytes is no value of JSON",
        "example 7": "file: Input should be a valid dictionary or instance of ExampleRow",
    }


def test_a_list_that_holds_itself_many_times_is_no_example(folder):
    doubled = "\n".join(
        f"          {b}: &{b} [*{a}, *{a}]" for a, b in itertools.pairwise("abcdefghijklmnopqrst")
    )
    (folder / "vendor/wetterwerk/wind-2-codec.yaml").write_text(
        f"""
uplinkDecoder:
  fileName: wind.js
  examples:
    - input: {{fPort: 1, bytes: [1]}}
      output:
        data:
          a: &a [1, 1]
{doubled}
"""
    )
    wind = next(each for each in Repository(folder).codecs()[0] if each.id == "wind-2-codec")
    assert [each.problem for each in wind.examples] == ["output: holds too many values"]


# nothing outside the folder is read


@pytest.mark.parametrize(
    "name", ["../wetterwerk/wind.js", "/etc/hostname", "scripts/../../x.js", "..\\\\wind.js", "", "a\\0.js"]
)
def test_a_script_outside_the_vendors_folder_is_refused(folder, name):
    (folder / "vendor/pegelbau/tiefe-1-codec.yaml").write_text(f'uplinkDecoder: {{fileName: "{name}"}}')
    problem = refused(Repository(folder).find, "pegelbau/tiefe-1")
    assert "leaves the vendor's folder" in problem


@pytest.mark.parametrize(
    "link", ["vendor/pegelbau/scripts/tiefe.js", "vendor/pegelbau/tiefe-1-codec.yaml", "vendor/pegelbau"]
)
def test_a_link_out_of_the_repository_is_refused(folder, tmp_path, link):
    place = folder / link
    outside = shutil.move(place, tmp_path / "outside")
    place.symlink_to(outside)
    repository = Repository(folder)
    assert "leaves the repository" in refused(repository.find, "pegelbau/tiefe-1")
    assert repository.find("wetterwerk/wind-2").source.text


def test_a_link_inside_the_repository_is_followed(folder):
    script = folder / "vendor/wetterwerk/wind.js"
    script.unlink()
    script.symlink_to(folder / "vendor/pegelbau/scripts/tiefe.js")
    repository = Repository(folder)
    assert repository.find("wetterwerk/wind-2").source == repository.find("pegelbau/tiefe-1").source


@pytest.mark.parametrize("key", ["codec", "id"])
def test_an_id_that_is_a_path_is_refused(folder, key):
    (folder / "vendor/secret.yaml").write_text("macVersion: 1.0.3\nuplinkDecoder: {fileName: wind.js}")
    file = folder / "vendor/wetterwerk/wind-2.yaml"
    own = {"codec": "codec: wind-2-codec", "id": "id: ueberall, vendorID: pegelbau"}[key]
    file.write_text(file.read_text().replace(own, f"{key}: ../secret"))
    try:
        faults = Repository(folder).find("wetterwerk/wind-2").faults
    except RepositoryError as error:
        faults = error.faults
    assert [fault.problem for fault in faults] == ["'../secret' is no name of a file"]


@pytest.mark.parametrize("kind", ["pipe", "circle", "folder", "large"])
def test_what_is_no_ordinary_file_is_a_fault_and_never_waited_for(folder, kind):
    script = folder / "vendor/wetterwerk/wind.js"
    script.unlink()
    if kind == "pipe":
        os.mkfifo(script)
    elif kind == "circle":
        script.symlink_to(script)
    elif kind == "folder":
        script.mkdir()
    else:
        with script.open("wb") as stream:
            stream.truncate(50 << 30)  # sparse
    repository = Repository(folder)
    assert "wind.js" in refused(repository.find, "wetterwerk/wind-2")
    assert repository.find("pegelbau/tiefe-1").source.text


def test_a_folder_without_vendors_is_no_repository(tmp_path):
    with pytest.raises(RepositoryError, match="no device repository"):
        Repository(tmp_path)


# what is equal


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ({"a": 1.0000004}, {"a": 1}),
        ({"a": None}, {}),
        ({}, {"a": None}),
        ({"a": [None]}, {"a": [None]}),
        ({"a": 3}, {"a": 3.0}),
        ({"a": -0.0}, {"a": 0}),
        ({"a": 1e300}, {"a": 1.0000001e300}),
        (None, None),
    ],
)
def test_equal(expected, got):
    assert differences(expected, got, "data") == []


@pytest.mark.parametrize(
    ("expected", "got", "where"),
    [
        ({"a": 1.00001}, {"a": 1}, [("data.a", 1.00001, 1)]),
        ({"a": 1e-9}, {"a": 0}, [("data.a", 1e-9, 0)]),
        ({"a": True}, {"a": 1}, [("data.a", True, 1)]),
        ({"a": "1"}, {"a": 1}, [("data.a", "1", 1)]),
        ({"a": 0}, {}, [("data.a", 0, MISSING)]),
        ({"a": []}, {"a": None}, [("data.a", [], None)]),
        ({"a": [1, None]}, {"a": [1]}, [("data.a", [1, None], [1])]),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, [("data.a[1].b", 2, 3)]),
        ({"x y": 1}, {"z": 2}, [("data['x y']", 1, MISSING), ("data.z", MISSING, 2)]),
    ],
)
def test_different(expected, got, where):
    assert [(each.path, each.expected, each.got) for each in differences(expected, got, "data")] == where


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_everything_equals_itself(value):
    assert differences(plain(value), plain(value), "data") == []


@given(JSON, JSON)
def test_differing_has_no_direction(one, other):
    there = differences(plain(one), plain(other), "data")
    back = differences(plain(other), plain(one), "data")
    assert sorted(each.path for each in there) == sorted(each.path for each in back)


def test_what_json_cannot_say():
    assert plain({2: math.nan, 1.5: math.inf, True: (1, 2), None: 10**400, 10**30: "y", (1, 2): "x"}) == {
        "2": None,
        "1.5": None,
        "true": [1, 2],
        "null": None,
        "1" + "0" * 30: "y",
        "1,2": "x",
    }
    circle = []
    circle.append(circle)
    with pytest.raises(ValueError, match="too many"):
        plain(circle)
