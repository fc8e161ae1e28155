"""What a codec dates itself, and what it normalises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.decoded import Frame
from devices.field_map import compile_map, parse_map
from devices.javascript.codec import JavascriptCodec
from devices.javascript.sandbox import Limits, Sandbox, Source
from devices.measurement import Rejected

T = 1_700_000_000_000_000
HEAD = 'codec = "acme/l1"\n'
LOG = """
time = "at"
[[field]]
path = "log.0.mm"
property = "precipitation"
unit = "mm"
kind = "count"
time = "log.0.at"
[[field]]
path = "battery"
property = "battery_voltage"
unit = "V"
"""
NORMALIZED = """
[[field]]
path = "normalized.air.temperature"
property = "air_temperature"
unit = "Cel"
"""


def read(text, data):
    return compile_map("map.toml", parse_map("map.toml", HEAD + text)).read(data)


@pytest.mark.parametrize(
    "at", [T // 1_000_000, T / 1e6, T // 1000, "2023-11-14T22:13:20Z", "2023-11-14T23:13:20.000+01:00"]
)
def test_a_field_has_its_own_time_else_that_of_the_frame(at):
    decoded = read(LOG, {"log": [{"mm": 0.4, "at": at}], "battery": 3.1, "at": T / 1e6 + 60})
    assert [(each.value, each.time_us) for each in decoded.measurements] == [(0.4, T), (3.1, T + 60_000_000)]
    assert dict(decoded.unmapped) == {}


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.text(),
        st.just("2023-11-14T22:13:20"),
        st.floats(max_value=0),
        st.just([]),
    )
)
def test_what_is_no_time_is_none(at):
    decoded = read(LOG, {"battery": 3.1, "at": at})
    assert [each.time_us for each in decoded.measurements] == [None]


@given(st.integers(min_value=1, max_value=99_999_999_999_999))
def test_every_number_is_a_time_or_none_and_never_raises(at):
    [each] = read(LOG, {"battery": 3.1, "at": at}).measurements
    assert each.time_us in {at * 1_000_000, at * 1_000}


def test_normalised_data_is_read_where_the_map_wants_it():
    text = (
        "function decodeUplink(i) { return { data: { t: 215 } }; }"
        "function normalizeUplink(i) { return { data: { air: { temperature: i.data.t / 10 } } }; }"
    )
    with Sandbox(Limits(call_s=10.0)) as sandbox:
        field_map = compile_map("map.toml", parse_map("map.toml", HEAD + NORMALIZED))
        [decoded] = JavascriptCodec("acme", sandbox, Source.of(text), field_map).decode_many(
            [Frame(1, b"\x01")]
        )
        [plain] = JavascriptCodec(
            "acme", sandbox, Source.of(text), compile_map("map.toml", parse_map("map.toml", HEAD))
        ).decode_many([Frame(1, b"\x01")])
    assert [(each.property, each.value) for each in decoded.measurements] == [("air_temperature", 21.5)]
    assert dict(decoded.unmapped) == {"t": 215}
    assert dict(plain.unmapped) == {"t": 215}


@pytest.mark.parametrize(
    "data",
    [
        {"k" * 40_000: [0] * 20_000},
        {"battery": 3.1, **{f"k{i}": i for i in range(5_000)}},
        {"battery": 3.1, "deep": [[[[[]] * 100] * 100] * 100]},
    ],
)
def test_an_answer_with_more_fields_than_can_be_told_apart_is_refused(data):
    assert read(LOG, data) == Rejected("codec_error", "the codec's answer has too many fields")


def test_paths_that_meet_are_told_apart():
    decoded = read(LOG, {"a": {"b": 1}, "a.b": 2})
    assert dict(decoded.unmapped) == {"a.b": 1, "a.b'2": 2}


def test_a_number_too_large_to_convert_is_missing_and_costs_nothing_else():
    text = LOG + '[[field]]\npath = "d"\nproperty = "water_distance"\nunit = "m"\n'
    decoded = read(text, {"battery": 3.1, "d": 1e308})
    assert [(each.property, each.value) for each in decoded.measurements] == [
        ("battery_voltage", 3.1),
        ("water_distance", None),
    ]


def test_a_time_that_cannot_be_read_is_kept_and_said():
    decoded = read(LOG, {"battery": 3.1, "at": "yesterday"})
    assert dict(decoded.unmapped) == {"at": "yesterday"}
    assert decoded.warnings == ("at: 'yesterday' is no time",)
