"""RFC 3339, as network servers, gateways and codecs write it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.field_map import compile_map, parse_map
from devices.instant import rfc3339_us

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-05-15T11:07:26.981566256+00:00", 1_778_843_246_981_566),  # ChirpStack: nanoseconds, offset
        ("2025-07-24T11:51:27.778023975Z", 1_753_357_887_778_023),  # The Things Stack
        ("2026-05-15T13:07:26.5+02:00", 1_778_843_246_500_000),
        ("2026-05-15 13:07:26+02:00", 1_778_843_246_000_000),
        ("2026-05-15t11:07:26z", 1_778_843_246_000_000),
        ("2026-05-15T11:07:26-00:00", 1_778_843_246_000_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        # the leap second of 2016: POSIX has no number of its own for it
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ("2017-01-01T00:59:60.25+01:00", 1_483_228_800_250_000),
        ("1990-12-31t15:59:60-08:00", 662_688_000_000_000),
        ("2026-05-15T11:07:60Z", None),  # none there
        ("2026-05-15T11:07:61Z", None),
        ("9999-12-31T23:59:60Z", 253_402_300_800_000_000),
        ("2026-05-15T11:07:26", None),  # no offset: whose time is it?
        ("2026-05-15t11:07:26", None),
        ("2026-02-30T00:00:00Z", None),
        ("2026-05-15T24:00:00Z", None),
        ("2026-05-15T11:07:26+25:00", None),
        (" 2026-05-15T11:07:26Z", None),
        ("2026-05-15T11:07:26Z\n", None),
        ("२०२६-05-15T11:07:26Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_rfc3339(text, us):
    assert rfc3339_us(text) == us


@given(
    when=st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001 - UTC is added
    offset_min=st.none() | st.integers(-(23 * 60 + 59), 23 * 60 + 59),
    fraction=st.text(alphabet="0123456789", max_size=9),
    small=st.booleans(),
)
def test_what_is_written_is_read_in_every_offset(when, offset_min, fraction, small):
    when = when.replace(microsecond=0)
    local = when + timedelta(minutes=offset_min or 0)
    sign, (hours, minutes) = "-" if (offset_min or 0) < 0 else "+", divmod(abs(offset_min or 0), 60)
    text = f"{local.isoformat()}{'.' if fraction else ''}{fraction}"
    text += "Z" if offset_min is None else f"{sign}{hours:02}:{minutes:02}"
    expected = (when.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1) + int(f"{fraction[:6]:0<6}")
    assert rfc3339_us(text.lower() if small else text) == expected


@given(
    day=st.dates(),
    offset_min=st.integers(-12 * 60, 12 * 60),
    fraction=st.integers(0, 999_999),
)
def test_a_leap_second_is_the_first_second_of_the_next_day(day, offset_min, fraction):
    next_day = datetime(day.year, day.month, day.day, tzinfo=UTC)
    try:
        last = next_day - timedelta(seconds=1) + timedelta(minutes=offset_min)
    except OverflowError:
        return
    sign, (hours, minutes) = "-" if offset_min < 0 else "+", divmod(abs(offset_min), 60)
    text = f"{last.year:04}-{last:%m-%dT%H:%M}:60.{fraction:06}{sign}{hours:02}:{minutes:02}"
    assert rfc3339_us(text) == (next_day - EPOCH) // timedelta(microseconds=1) + fraction


@given(st.text() | st.text(alphabet="0123456789-:+.TtZz W\udc80", max_size=40))
def test_any_text_is_a_time_or_none(text):
    assert isinstance(rfc3339_us(text), int | None)


@pytest.mark.parametrize(
    "text", ["2016-12-31t23:59:60z", "2026-05-15t11:07:26.5+02:00", "2026-02-30T00:00:00Z"]
)
def test_a_field_map_reads_the_same(text):
    field_map = compile_map(
        "map.toml",
        parse_map(
            "map.toml",
            'codec = "acme/l1"\ntime = "at"\n'
            '[[field]]\npath = "battery"\nproperty = "battery_voltage"\nunit = "V"\n',
        ),
    )
    [each] = field_map.read({"battery": 3.1, "at": text}).measurements
    assert each.time_us == rfc3339_us(text)
