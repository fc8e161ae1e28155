"""Values that the payload dates: beside a time, in a tag, in records to the end."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.catalogue import load_type
from devices.errors import DeviceTypeError
from devices.instant import EARLIEST_US
from devices.measurement import Measurement, Quality

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
S = 1_000_000
T = 1_700_000_000
AT = bytes.fromhex("6553f100")
TEMPERATURE = "{name: t, type: s8, unit: Cel, property: air_temperature}"
TIME = "{name: at, type: u32, time: unix_s}"
REQUIRED = "{name: at, type: u32, time: unix_s, required: true}"


@pytest.fixture
def make(tmp_path):
    return lambda body: written(tmp_path, body)


def written(folder, body):
    file = folder / "acme-x1.yaml"
    file.write_text(HEAD + textwrap.dedent(body), encoding="utf-8")
    return load_type(file)


def values(decoded):
    assert isinstance(decoded, tuple), decoded
    return [(each.property, each.value, each.time_us) for each in decoded]


def test_a_time_dates_what_stands_before_and_after_it(make):
    made = make(f"""
        fields:
          - {TEMPERATURE}
          - {TIME}
          - {{name: v, type: u8, unit: V, property: battery_voltage}}
    """)
    dated = [("air_temperature", -2, T * S), ("battery_voltage", 3, T * S)]
    assert values(made.decode(1, b"\xfe" + AT + b"\x03")) == dated
    assert made.encode(1, {(name, "", at): value for name, value, at in dated}) == b"\xfe" + AT + b"\x03"
    assert made.dates


@pytest.mark.parametrize("raw", [bytes(4), b"\xff" * 4, b"\x00\x00\x0e\x10"])
def test_none_a_sentinel_and_a_clock_that_was_never_set_are_no_time(make, raw):
    body = "fields: [" + TIME.replace("}", ", sentinels: [0xffffffff]}") + f", {TEMPERATURE}]\n"
    assert values(make(body).decode(1, raw + b"\x05")) == [("air_temperature", 5, None)]
    required = make(body.replace("unix_s", "unix_s, required: true"))
    assert required.decode(1, raw + b"\x05") == ()
    assert values(required.decode(1, AT + b"\x05")) == [("air_temperature", 5, T * S)]


def test_times_can_count_otherwise(make):
    made = make("""
        fields:
          - {name: at, type: u16, time: unix_s, mult: 86400, add: 1356998400}
          - {name: t, type: s8, unit: Cel, property: air_temperature}
    """)
    at_us = (1356998400 + 4000 * 86400) * S
    assert values(made.decode(1, b"\x0f\xa0\x01")) == [("air_temperature", 1, at_us)]
    assert made.encode(1, {("air_temperature", "", at_us): 1}) == b"\x0f\xa0\x01"
    with pytest.raises(DeviceTypeError, match="cannot be sent"):
        made.encode(1, {("air_temperature", "", at_us + S): 1})


def test_a_time_that_older_firmware_leaves_out(make):
    optional = TIME.replace("}", ", optional: true}")
    made = make(f"fields: [{TEMPERATURE}, {optional}]\n")
    assert values(made.decode(1, b"\x05")) == [("air_temperature", 5, None)]
    assert values(made.decode(1, b"\x05" + AT)) == [("air_temperature", 5, T * S)]


RECORDS = f"fields: [{{records: [{TEMPERATURE}, {REQUIRED}]}}]\n"


def test_records_to_the_end_of_the_payload(make):
    made = make(RECORDS)
    later = (T + 60).to_bytes(4, "big")
    payload = b"\x01" + AT + b"\x02" + bytes(4) + b"\x03" + later + b"\x04" + AT
    assert values(made.decode(1, payload)) == [
        ("air_temperature", 1, T * S),
        ("air_temperature", 3, (T + 60) * S),
    ], "one without time is left out, and of two at one time the first counts"
    assert made.decode(1, payload[:-1]).reason == "payload_too_short"


TAGS = f"""
fields:
  - tlv:
      tag_size: 1
      unknown: error
      cases:
        1: [{{name: now, type: s8, unit: Cel, property: air_temperature, required: report}}]
        2: [{REQUIRED}, {TEMPERATURE}]
        3: [{{name: v, type: u8, unit: V, property: battery_voltage}}]
"""


def test_what_is_required_is_asked_of_now_alone(make):
    made = make(TAGS)
    logged = b"\x02" + AT + b"\x05"
    assert values(made.decode(1, logged)) == [("air_temperature", 5, T * S)]
    assert values(made.decode(1, logged + b"\x03\x03")) == [
        ("air_temperature", 5, T * S),
        ("battery_voltage", 3, None),
        ("air_temperature", None, None),
    ]
    assert made.decode(1, b"\x01\x05\x01\x06").reason == "repeated_tag"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (f"fields: [{{records: [{TEMPERATURE}]}}]", "nothing dates"),
        (f"fields: [{{records: [{TEMPERATURE}, {TIME}]}}]", "nothing dates"),
        (f"fields: [{{records: [{TEMPERATURE}, {REQUIRED}]}}, {TEMPERATURE}]", "put it last"),
        (f"fields: [{TIME}, {TEMPERATURE}, {TIME}]", "a second time"),
        ("fields: [{name: at, type: f32, time: unix_s}]", "whole number"),
        ("fields: [{name: at, type: skip, length: 4, time: unix_s}]", "whole number"),
        ("fields: [{name: at, type: u32, time: unix_s, property: battery_level}]", "whole number"),
        ("fields: [{name: at, type: u32, time: unix_ms}]", "unix_s"),
        ("fields: [{name: at, type: u32, time: unix_s, required: report}]", "required"),
        ("fields: [{name: at, type: u32, time: unix_s, mult: -1}]", "grows"),
        ("fields: [{name: at, type: u32, sentinels: [1]}]", "a time"),
    ],
)
def test_faults_are_named(make, body, says):
    with pytest.raises(DeviceTypeError) as caught:
        make(body)
    assert any(says in f"{each.problem} {each.remedy}" for each in caught.value.faults), caught.value


NESTED = f"""
fields:
  - {{name: flags, type: u8}}
  - flagged:
      field: flags
      groups:
        - bit: 0
          fields: [{TIME}, {{name: a, type: s8, unit: Cel, property: air_temperature, channel: a}}]
        - bit: 1
          fields: [{{name: b, type: s8, unit: Cel, property: air_temperature, channel: b}}]
  - {{name: kind, type: u8}}
  - match:
      field: kind
      cases:
        1:
          - {REQUIRED}
          - {{name: c, type: s8, unit: Cel, property: air_temperature, channel: c}}
        2:
          - tlv:
              tag_size: 1
              length_size: 1
              cases:
                7:
                  - {REQUIRED}
                  - {{name: d, type: s8, unit: Cel, property: air_temperature, channel: d}}
                8:
                  - records:
                      - {{name: e, type: s8, unit: Cel, property: air_temperature, channel: e}}
                      - {REQUIRED}
                9: [{{name: f, type: s8, unit: Cel, property: air_temperature, channel: f}}]
"""


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    return written(tmp_path_factory.mktemp("types"), NESTED)


_some = st.integers(EARLIEST_US // S, 2**32 - 1).map(S.__mul__)
_one, _many = st.lists(_some, max_size=1), st.lists(_some, unique=True, max_size=4)


@given(data=st.data(), kind=st.sampled_from([1, 2]))
def test_what_is_encoded_is_decoded_wherever_the_time_stands(nested, data, kind):
    times = {
        "a": data.draw(_one) or [None],
        "b": [None],
        **(
            {"c": data.draw(st.lists(_some, min_size=1, max_size=1))}
            if kind == 1
            else {"d": data.draw(_many), "e": data.draw(_many), "f": [None]}
        ),
    }
    expected = {
        Measurement("air_temperature", data.draw(st.integers(-128, 127)), Quality.GOOD, channel, at)
        for channel, ats in times.items()
        for at in ats
    }
    payload = nested.encode(1, {(each.property, each.channel, each.time_us): each.value for each in expected})
    decoded = nested.decode(1, payload)
    assert set(decoded) == expected
    assert len(decoded) == len(expected)


@given(payload=st.binary(max_size=80))
def test_any_bytes_are_read_or_rejected(nested, payload):
    decoded = nested.decode(1, payload)
    for each in decoded if isinstance(decoded, tuple) else ():
        assert each.time_us is None or each.time_us >= EARLIEST_US
