"""The device-type file: what each construct means, and what a wrong file is told."""

import math
import struct
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.catalogue import load_catalogue, load_type
from devices.errors import DeviceTypeError
from devices.measurement import Measurement, Quality, Rejected
from devices.yaml12 import read_yaml

HEAD = """\
name: acme_x1
version: 1
endian: ENDIAN
maker: Acme
model: X1
names: {de: Ding, en: Thing}
theme: climate
interval_s: 60
source: https://example.org
"""


@pytest.fixture
def make(tmp_path):
    def make(body, endian="big"):
        file = tmp_path / "acme-x1.yaml"
        file.write_text(HEAD.replace("ENDIAN", endian) + textwrap.dedent(body), encoding="utf-8")
        return load_type(file)

    return make


@pytest.fixture
def faults(make):
    def faults(body):
        with pytest.raises(DeviceTypeError) as caught:
            make(body)
        assert all(each.file.endswith("acme-x1.yaml") and each.remedy for each in caught.value.faults)
        return [(each.key, each.problem) for each in caught.value.faults]

    return faults


def values(decoded):
    assert isinstance(decoded, tuple), decoded
    return [(each.property, each.value, each.quality.name) for each in decoded]


@pytest.mark.parametrize(
    ("endian", "type_", "payload", "value"),
    [
        ("big", "u8", "ff", 255),
        ("big", "s8", "ff", -1),
        ("big", "u16", "0102", 258),
        ("little", "u16", "0102", 513),
        ("big", "u24", "010203", 66051),
        ("little", "u24", "010203", 197121),
        ("big", "s24", "ffffff", -1),
        ("little", "s24", "feffff", -2),
        ("big", "u32", "00000100", 256),
        ("big", "u32le16", "00010002", 131073),
        ("little", "be_u16", "0102", 258),
        ("big", "le_s16", "feff", -2),
        ("big", "s64", "ffffffffffffffff", -1),
        ("big", "f32", "41c80000", 25),
        ("little", "f32", "0000c841", 25),
        ("big", "f64", "4039000000000000", 25),
        ("big", "f16", "4e40", 25),
    ],
)
def test_numbers_on_the_wire(make, endian, type_, payload, value):
    made = make(f"fields: [{{name: t, type: {type_}, unit: Cel, property: device_temperature}}]", endian)
    assert made.decode(9, bytes.fromhex(payload)) == (Measurement("device_temperature", value),)
    assert made.encode(9, {"device_temperature": value}) == bytes.fromhex(payload)
    assert made.decode(9, bytes.fromhex(payload)[:-1] or b"").reason in {"payload_too_short", "empty_payload"}
    assert made.decode(9, bytes.fromhex(payload) + b"\0").reason == "trailing_bytes"


def test_arithmetic_runs_in_the_order_of_its_keys(make):
    body = "fields: [{{name: t, type: u8, {}, unit: Cel, property: device_temperature}}]"
    assert values(make(body.format("div: 10, add: -40")).decode(1, b"\x64"))[0][1] == -30
    assert values(make(body.format("add: -40, div: 10")).decode(1, b"\x64"))[0][1] == 6
    assert values(make(body.format("transform: [{div: 10}, {add: 1}]")).decode(1, b"\x64"))[0][1] == 11


@pytest.mark.parametrize(
    ("unit", "property_", "raw", "value"),
    [
        ("°C", "air_temperature", 21, 21),
        ("K", "air_temperature", 300, 26.85),
        ("[degF]", "air_temperature", 50, 10),
        ("kPa", "air_pressure", 96, 960),
        ("Pa", "air_pressure", 95960, 959.6),
        ("m", "water_distance", 2, 2000),
        ("cm", "water_distance", 123, 1230),
        ("mm", "water_depth", 1234, 123.4),
        ("km/h", "wind_speed", 36, 10),
        ("mV", "battery_voltage", 3156, 3.156),
        ("mS/cm", "water_conductivity", 3, 3000),
    ],
)
def test_units_become_those_of_the_property_exactly(make, unit, property_, raw, value):
    made = make(f"fields: [{{name: t, type: u32, unit: '{unit}', property: {property_}}}]")
    assert values(made.decode(1, raw.to_bytes(4, "big"))) == [(property_, value, "GOOD")]
    assert made.encode(1, {property_: value}) == raw.to_bytes(4, "big")


def test_sentinels_are_missing_and_out_of_range_is_a_failure_that_keeps_its_value(make):
    made = make(
        "fields: [{name: d, type: u16, unit: m, div: 100, sentinels: [0xffff, 0], valid_range: [0.3, 5],"
        " property: water_distance}]"
    )
    assert values(made.decode(1, b"\xff\xff")) == [("water_distance", None, "MISSING")]
    assert values(made.decode(1, b"\x00\x00")) == [("water_distance", None, "MISSING")]
    assert values(made.decode(1, b"\x00\x1e")) == [("water_distance", 300, "GOOD")]
    assert values(made.decode(1, b"\x01\xf4")) == [("water_distance", 5000, "GOOD")]
    assert values(made.decode(1, b"\x01\xf5")) == [("water_distance", 5010, "FAIL")]
    assert made.decode(1, made.encode(1, {"water_distance": None}))[0].quality == Quality.MISSING


@pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("scale", ["", "mult: 1000, "])
def test_what_is_no_number_is_missing(make, raw, scale):
    made = make(f"fields: [{{name: t, type: f32, {scale}unit: Cel, property: air_temperature}}]")
    assert values(made.decode(1, struct.pack(">f", raw))) == [("air_temperature", None, "MISSING")]


def test_a_float_that_overflows_in_scaling_is_missing(make):
    made = make("fields: [{name: t, type: f64, mult: 1000, unit: Cel, property: air_temperature}]")
    assert values(made.decode(1, struct.pack(">d", 1e307))) == [("air_temperature", None, "MISSING")]


def test_f32_comes_back_as_it_was_sent(make):
    made = make("fields: [{name: t, type: f32, unit: Cel, property: air_temperature}]")

    @given(st.floats(width=32, allow_nan=False, allow_infinity=False))
    def check(value):
        assert made.decode(1, made.encode(1, {"air_temperature": value}))[0].value == value

    check()
    with pytest.raises(DeviceTypeError):
        made.encode(1, {"air_temperature": 1e300})


def test_bits_stand_still_until_consumed(make):
    made = make("""
        fields:
          - {name: a, type: bool, bit: 7, property: water_leak}
          - {name: b, type: "u8[0:3]", property: device_health}
          - {name: c, type: "u16[4:11]", consume: 2, unit: "%", property: battery_level}
    """)
    assert values(made.decode(1, b"\x8a\x5c")) == [
        ("water_leak", 1, "GOOD"), ("device_health", 10, "GOOD"), ("battery_level", 0xA5, "GOOD"),
    ]  # fmt: skip
    sent = made.encode(1, {"water_leak": 0, "device_health": 0, "battery_level": 0x5A})
    assert sent == b"\x05\xa0"


def test_a_number_in_pieces_is_put_together_from_the_most_significant_on(make):
    made = make("""
        fields:
          - {name: a, type: "u24[16:23,4:7]", unit: Cel, property: air_temperature}
          - {name: b, type: "u24[8:15,0:3]", consume: 3, unit: Cel, property: device_temperature}
    """)
    assert values(made.decode(1, b"\x3d\x25\xaf")) == [
        ("air_temperature", 0x3DA, "GOOD"), ("device_temperature", 0x25F, "GOOD"),
    ]  # fmt: skip
    assert made.encode(1, {"air_temperature": 0x3DA, "device_temperature": 0x25F}) == b"\x3d\x25\xaf"
    assert made.decode(1, b"\x3d\x25").reason == "payload_too_short"
    with pytest.raises(DeviceTypeError, match="does not fit"):
        made.encode(1, {"air_temperature": 0x1000, "device_temperature": 0})


def test_a_kind_may_stand_in_pieces_and_behind_what_it_decides(make):
    made = make("""
        fields:
          - {name: kind, type: "u32[0:3,12:15]"}
          - match:
              field: kind
              cases:
                0x12: [{name: t, type: s16, unit: Cel, property: air_temperature}]
                0x21: [{name: t, type: s16, div: 10, unit: Cel, property: air_temperature}]
          - {name: rest, type: "u16[4:11]", consume: 2, unit: "%", property: battery_level}
    """)
    assert values(made.decode(1, bytes.fromhex("00d7 2641"))) == [
        ("air_temperature", 215, "GOOD"), ("battery_level", 0x64, "GOOD"),
    ]  # fmt: skip
    assert values(made.decode(1, bytes.fromhex("00d7 1642")))[0] == ("air_temperature", 21.5, "GOOD")
    assert made.decode(1, bytes.fromhex("00d7 1643")).reason == "unknown_frame"
    assert made.encode(1, {"air_temperature": 215, "battery_level": 0x64}) == bytes.fromhex("00d7 2641")


def test_what_follows_a_choice_does_not_decide_it(make):
    made = make("""
        fields:
          - {name: kind, type: u8}
          - match:
              field: kind
              cases:
                1: [{name: t, type: u8, unit: Cel, property: air_temperature}]
                2: [{name: h, type: u8, unit: "%", property: relative_humidity}]
          - {name: b, type: u8, unit: "%", property: battery_level}
    """)
    assert made.encode(1, {"relative_humidity": 40, "battery_level": 90}) == bytes([2, 40, 90])
    with pytest.raises(DeviceTypeError) as caught:
        made.encode(1, {"relative_humidity": 40})
    assert caught.value.faults[0].key == "battery_level"


def test_the_case_is_chosen_that_says_the_value_most_nearly(make):
    made = make("""
        fields:
          - {name: unit, type: u8}
          - match:
              field: unit
              cases:
                32: [{name: t, type: s16, div: 10, unit: Cel, property: air_temperature}]
                33: [{name: f, type: s16, div: 10, unit: "[degF]", property: air_temperature}]
    """)
    assert made.encode(1, {"air_temperature": 25}) == bytes([32, 0, 250])
    in_fahrenheit = bytes([33, 0, 123])
    (decoded,) = made.decode(1, in_fahrenheit)
    assert made.encode(1, {"air_temperature": decoded.value}) == in_fahrenheit


def test_the_first_of_two_readings_of_one_series_counts(make):
    made = make("""
        fields:
          - tlv:
              tag_size: 1
              cases:
                1: [{name: t, type: u8, unit: Cel, property: air_temperature}]
                2:
                  - {name: alarm, type: u8, unit: Cel, property: air_temperature}
                  - {name: on, type: skip, length: 1}
    """)
    assert values(made.decode(1, bytes([1, 20, 2, 30, 1]))) == [("air_temperature", 20, "GOOD")]
    assert values(made.decode(1, bytes([2, 30, 1, 1, 20]))) == [("air_temperature", 30, "GOOD")]
    assert values(made.decode(1, bytes([2, 30, 1]))) == [("air_temperature", 30, "GOOD")]
    assert made.encode(1, {"air_temperature": 30}) == bytes([1, 30])


def test_lookup_table_and_list(make):
    table = make("fields: [{name: s, type: u8, lookup: {1: 0, 2: 1}, property: parking_occupied}]")
    assert values(table.decode(1, b"\x02")) == [("parking_occupied", 1, "GOOD")]
    assert table.decode(1, b"\x07") == ()
    assert table.encode(1, {"parking_occupied": 0}) == b"\x01"
    one = make("fields: [{name: passed, type: u8, lookup: {default: 1}, property: bicycle_count_event}]")
    assert values(one.decode(1, b"\x07")) == [("bicycle_count_event", 1, "GOOD")]
    with_default = make(
        "fields: [{name: s, type: u8, lookup: {1: 0, default: 1}, property: parking_occupied}]"
    )
    assert values(with_default.decode(1, b"\x07")) == [("parking_occupied", 1, "GOOD")]
    listed = make("fields: [{name: s, type: u8, lookup: [1, 0], property: parking_occupied}]")
    assert values(listed.decode(1, b"\x01")) == [("parking_occupied", 0, "GOOD")]
    assert listed.decode(1, b"\x02").reason == "bad_payload"


def test_match_by_value_range_and_rest(make):
    made = make("""
        fields:
          - {name: kind, type: u8}
          - match:
              field: $kind
              cases:
                0x10: [{name: t, type: s8, unit: Cel, property: air_temperature}]
                2..5: [{name: h, type: u8, unit: "%", property: relative_humidity}]
                _: [{name: rest, type: skip, length: 1}]
    """)
    assert values(made.decode(1, b"\x10\xfe")) == [("air_temperature", -2, "GOOD")]
    assert values(made.decode(1, b"\x04\x32")) == [("relative_humidity", 50, "GOOD")]
    assert made.decode(1, b"\x07\x32") == ()
    assert made.encode(1, {"relative_humidity": 50}) == b"\x02\x32"
    assert made.encode(1, {"air_temperature": -2}) == b"\x10\xfe"


def test_optional_end(make):
    made = make("""
        fields:
          - {name: t, type: s8, unit: Cel, property: air_temperature}
          - {name: h, type: u8, unit: "%", property: relative_humidity, optional: true}
          - {name: v, type: u8, unit: V, div: 10, property: battery_voltage}
    """)
    assert len(made.decode(1, b"\x01")) == 1
    assert len(made.decode(1, b"\x01\x02\x03")) == 3
    assert made.decode(1, b"\x01\x02").reason == "payload_too_short"


TAGGED = """
fields:
  - tlv:
      tag_size: 2
      length_size: LENGTH
      unknown: UNKNOWN
      cases:
        0x0BA1: [{name: t, type: s16, div: 10, unit: Cel, property: air_temperature, required: true}]
        0x0BA2: [{name: h, type: u8, unit: "%", property: relative_humidity}]
        0x0BA3: [{name: serial, type: skip, length: 2}]
"""


def tagged(make, length, unknown):
    return make(TAGGED.replace("LENGTH", str(length)).replace("UNKNOWN", unknown))


def test_tlv_with_lengths_steps_over_unknown_tags(make):
    made = tagged(make, 1, "skip")
    payload = bytes.fromhex("ffff03aabbcc 0ba2 01 32 0ba1 02 00c8")
    assert values(made.decode(1, payload)) == [
        ("relative_humidity", 50, "GOOD"), ("air_temperature", 20, "GOOD"),
    ]  # fmt: skip
    assert made.decode(1, bytes.fromhex("0ba1 03 00c800")).reason == "bad_payload"
    assert made.decode(1, bytes.fromhex("0ba1 02 00")).reason == "payload_too_short"
    sent = made.encode(1, {"air_temperature": 20, "relative_humidity": 50})
    assert sent == bytes.fromhex("0ba1 02 00c8 0ba2 01 32")


def test_tlv_without_lengths_keeps_what_came_before_an_unknown_tag(make):
    made = tagged(make, 0, "skip")
    assert len(made.decode(1, bytes.fromhex("0ba100c8 0ba232 ffffaa"))) == 2
    assert tagged(make, 0, "error").decode(1, bytes.fromhex("0ba100c8 ffffaa")).reason == "unknown_tag"


def test_a_required_property_that_stays_away_rejects_or_is_reported(make):
    made = tagged(make, 0, "skip")
    assert made.decode(1, bytes.fromhex("0ba232")) == Rejected("missing_required", "air_temperature")
    assert made.decode(1, bytes.fromhex("0ba30000")) == (), "no reading at all misses nothing"
    assert made.required == {"air_temperature"}
    told = make(
        TAGGED.replace("LENGTH", "0").replace("UNKNOWN", "skip").replace("required: true", "required: report")
    )
    assert values(told.decode(1, bytes.fromhex("0ba232"))) == [
        ("relative_humidity", 50, "GOOD"), ("air_temperature", None, "MISSING"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "key", "problem"),
    [
        (
            "fields: [{name: t, type: u8, unit: Cel, property: air_temprature}]",
            "fields.0 (t).property",
            "unknown property",
        ),
        (
            "fields: [{name: t, type: u8, unit: mm, property: air_temperature}]",
            "fields.0 (t).unit",
            "cannot become Cel",
        ),
        ("fields: [{name: t, type: u8, property: air_temperature}]", "fields.0 (t).unit", "is missing"),
        ("fields: [{name: t, type: u8, property: vehicle_count}]", "fields.0 (t).wrap", "counter"),
        ("fields: [{name: t, typ: u8}]", "fields.0.typ", "unknown key"),
        ("fields: [{name: t, type: u9}]", "fields.0.type", "not in the subset"),
        ('fields: [{name: t, type: "u8[0:4,3:7]"}]', "fields.0.type", "not in the subset"),
        ('fields: [{name: t, type: "s8[0:4]"}]', "fields.0 (t).type", "needs an unsigned type"),
        ("fields: [{name: t, type: skip}]", "fields.0", "needs a length"),
        ("fields: [{name: t, type: u8, div: 0}]", "fields.0", "division by zero"),
        ("fields: [{name: t, type: u8, sentinels: [1]}]", "fields.0", "need a property"),
        (
            "fields: [{name: t, type: u8, lookup: {0: off}, property: water_leak}]",
            "fields.0 (t).lookup.0",
            "'off' is no number",
        ),
        ("fields: [{match: {field: x, cases: {1: []}}}]", "fields.0.match.field", "no field x before"),
        (
            "fields: [{name: f, type: u8}, {flagged: {field: f, groups: [{bit: 9, fields: []}]}}]",
            "fields.1.flagged.groups.0.bit",
            "only 8 bits",
        ),
        ("fields: [{tlv: {tag_size: 1, cases: {0x100: []}}}]", "fields.0.tlv.cases.256", "no tag"),
        ("fields: [{tlv: {cases: {1: []}}}]", "fields.0.tlv", "tag_size or tag_fields"),
        (
            "fields: [{tlv: {tag_size: 1, cases: {1: []}}}, {name: t, type: u8}]",
            "fields.0.tlv",
            "reads to the end",
        ),
        (
            "fields: [{name: s, type: skip, length: remaining}, {name: t, type: u8}]",
            "fields.0 (s).length",
            "reads to the end",
        ),
        (
            "fields: [{match: {field: $length, cases: {2: []}}}, {name: t, type: u8}]",
            "fields.0.match",
            "reads to the end",
        ),
        ("fields: [{name: t, type: number, compute: {op: add}}]", "fields.0.compute", "unknown key"),
        ("ports: {1: {description: x}}", "ports.1", "reading: false"),
        ("ports: {0: {reading: false}}", "ports.0.[key]", "greater than or equal to 1"),
        ("{}", "file", "not YAML"),
        ("description: x", "file", "either ports or fields"),
        ("fields: [{name: t, type: u8}]\nfields: []", "line", "stands twice"),
    ],
)
def test_faults_name_key_and_problem(faults, body, key, problem):
    found = faults(body)
    assert any(at.startswith(key.replace("file", "")) and problem in what for at, what in found), found


def test_all_faults_of_a_file_come_at_once(faults):
    found = faults("""
        fields:
          - {name: t, type: u8, unit: mm, property: air_temperature}
          - {name: u, type: u8, unit: mm, property: nothing_known}
    """)
    assert [key for key, _ in found] == ["fields.0 (t).unit", "fields.1 (u).property"]


def test_file_name_is_the_id(tmp_path):
    file = tmp_path / "other.yaml"
    file.write_text(HEAD.replace("ENDIAN", "big") + "fields: [{name: t, type: u8}]\n", encoding="utf-8")
    with pytest.raises(DeviceTypeError, match=r"rename the file to acme-x1\.yaml"):
        load_type(file)


def test_a_folder_adds_types_and_ours_win(tmp_path):
    file = tmp_path / "acme-x1.yaml"
    file.write_text(HEAD.replace("ENDIAN", "big") + "fields: [{name: t, type: u8}]\n", encoding="utf-8")
    assert "acme-x1" in load_catalogue(tmp_path)
    bad = tmp_path / "acme-x2.yaml"
    bad.write_text("name: [", encoding="utf-8")
    with pytest.raises(DeviceTypeError, match=r"acme-x2\.yaml: line"):
        load_catalogue(tmp_path)
    with pytest.raises(DeviceTypeError, match="is no folder"):
        load_catalogue(tmp_path / "nowhere")


def test_the_same_id_in_two_folders_is_a_fault(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "acme-x1.yaml").write_text(
            HEAD.replace("ENDIAN", "big") + "fields: [{name: t, type: u8}]\n", encoding="utf-8"
        )
    with pytest.raises(DeviceTypeError, match="stands already in"):
        load_catalogue(tmp_path / "a", tmp_path / "b")


def test_unquoted_digits_in_a_vector_are_told(make, tmp_path):
    (tmp_path / "acme-x1.vectors.yaml").write_text(
        "- {name: a, source: s, fPort: 1, payload: 0123, expected: {}}\n", encoding="utf-8"
    )
    with pytest.raises(DeviceTypeError, match="quotes"):
        make("fields: [{name: t, type: u8}]")


def test_yaml_1_2(tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text(
        "a: on\nb: 0x67\nc: {[1, 0x67]: x, '[1, 117]': y}\nd: 010\n"
        "e: 2020-01-01\nf: 12:30\ng: yes\nh: true\ni:\n"
        "j: 1e3\nk: 0o17\nl: ~\n",
        encoding="utf-8",
    )
    assert read_yaml(file) == {
        "a": "on", "b": 103, "c": {(1, 103): "x", "[1, 117]": "y"}, "d": 10, "e": "2020-01-01", "f": "12:30",
        "g": "yes", "h": True, "i": None, "j": 1000.0, "k": 15, "l": None,
    }  # fmt: skip


@given(st.text(alphabet=" abfe:{}[]-,0123456789.\n\"'&*!|>#%@`\t", max_size=60))
@settings(max_examples=200)
def test_any_text_that_is_no_type_is_a_fault(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DeviceTypeError) as caught:
        load_type(file)
    assert caught.value.faults
