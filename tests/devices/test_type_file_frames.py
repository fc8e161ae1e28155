"""Frames told apart by their length, ends nobody reads, tags that come again, absence."""

import textwrap

import pytest

from devices.catalogue import load_type
from devices.errors import DeviceTypeError

HEAD = """\
name: acme_x1
version: 1
maker: Acme
model: X1
names: {de: Ding, en: Thing}
theme: waste
interval_s: 60
source: https://example.org
"""


@pytest.fixture
def make(tmp_path):
    def make(body):
        file = tmp_path / "acme-x1.yaml"
        file.write_text(HEAD + textwrap.dedent(body), encoding="utf-8")
        return load_type(file)

    return make


def values(decoded):
    assert isinstance(decoded, tuple), decoded
    return [(each.property, each.value, each.quality.name) for each in decoded]


def test_the_rest_of_a_frame_may_be_stepped_over(make):
    made = make("""
        fields:
          - {name: kind, type: u8}
          - match:
              field: $kind
              cases:
                1:
                  - {name: t, type: s8, unit: Cel, property: air_temperature}
                  - {name: rest, type: bytes, length: remaining}
                2: [{name: configuration, type: skip, length: remaining}]
    """)
    assert values(made.decode(1, b"\x01\xfe")) == [("air_temperature", -2, "GOOD")]
    assert values(made.decode(1, b"\x01\xfe" + bytes(200))) == [("air_temperature", -2, "GOOD")]
    assert made.decode(1, b"\x01").reason == "payload_too_short"
    assert made.decode(1, b"\x02") == made.decode(1, b"\x02abc") == ()
    assert made.encode(1, {"air_temperature": -2}) == b"\x01\xfe"


BY_LENGTH = """
fields:
  - {name: v, type: u8, unit: V, div: 10, property: battery_voltage}
  - match:
      field: $length
      cases:
        2: [{name: t, type: s8, unit: Cel, property: air_temperature}]
        3: [{name: p, type: u16, unit: hPa, property: air_pressure}]
        5..20: [{name: rest, type: skip, length: remaining}]
"""


def test_match_by_the_length_of_the_frame(make):
    made = make(BY_LENGTH)
    assert values(made.decode(1, b"\x21\xfe"))[1:] == [("air_temperature", -2, "GOOD")]
    assert values(made.decode(1, b"\x21\x03\xf5"))[1:] == [("air_pressure", 1013, "GOOD")]
    assert values(made.decode(1, b"\x21" + bytes(9))) == [("battery_voltage", 3.3, "GOOD")]
    assert made.decode(1, b"\x21" + bytes(3)).reason == "unknown_frame"
    assert made.encode(1, {"battery_voltage": 3.3, "air_temperature": -2}) == b"\x21\xfe"
    assert made.encode(1, {"battery_voltage": 3.3, "air_pressure": 1013}) == b"\x21\x03\xf5"
    with pytest.raises(DeviceTypeError, match="no value given"):
        made.encode(1, {"battery_voltage": 3.3})


def test_absence_is_said_by_the_case_that_lacks_the_value(make):
    made = make("""
        fields:
          - {name: error, type: u8}
          - match:
              field: $error
              cases:
                0: [{name: d, type: u16, unit: mm, property: fill_distance, required: report}]
                _: [{name: nothing, type: skip, length: 2}]
          - {name: v, type: u8, unit: V, div: 10, property: battery_voltage}
    """)
    assert values(made.decode(1, b"\x07\x01\x02\x21")) == [
        ("battery_voltage", 3.3, "GOOD"), ("fill_distance", None, "MISSING"),
    ]  # fmt: skip
    assert made.encode(1, {"battery_voltage": 3.3, "fill_distance": None}) == b"\x01\x00\x00\x21"


def test_a_tag_comes_once_unless_it_is_only_stepped_over(make):
    made = make("""
        fields:
          - tlv:
              tag_size: 2
              unknown: error
              cases:
                0x0BA1: [{name: t, type: s16, div: 10, unit: Cel, property: air_temperature}]
                0x0BA3: [{name: serial, type: skip, length: 2}]
    """)
    serials = bytes.fromhex("0ba3ffff 0ba3ffff")
    assert values(made.decode(1, serials + bytes.fromhex("0ba100c8"))) == [("air_temperature", 20, "GOOD")]
    assert made.decode(1, bytes.fromhex("0ba100c8 0ba100c8")).reason == "repeated_tag"
