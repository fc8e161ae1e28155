"""Quiet hours by the clock on the wall, over midnight and over the change of clocks."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.routing.quiet import read_quiet
from alerts.routing.rota import from_us, to_us

BERLIN = ZoneInfo("Europe/Berlin")

WALLS = st.datetimes(datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2030-01-01"))


def at(text):
    return to_us(datetime.fromisoformat(text).replace(tzinfo=BERLIN))


@pytest.mark.parametrize(
    ("quiet", "time", "until"),
    [
        ("22:00-06:00", "2026-07-14T21:59:59", None),
        ("22:00-06:00", "2026-07-14T22:00:00", "2026-07-15T06:00:00"),
        ("22:00-06:00", "2026-07-15T00:30:00", "2026-07-15T06:00:00"),
        ("22:00-06:00", "2026-07-15T05:59:59", "2026-07-15T06:00:00"),
        ("22:00-06:00", "2026-07-15T06:00:00", None),
        ("12:00-13:30", "2026-07-15T13:29:00", "2026-07-15T13:30:00"),
        ("12:00-13:30", "2026-07-15T11:59:00", None),
        ("22:00-06:00", "2026-03-29T01:30:00", "2026-03-29T06:00:00"),
        ("22:00-06:00", "2026-10-25T01:30:00", "2026-10-25T06:00:00"),
    ],
)
def test_until_when_it_is_quiet(quiet, time, until):
    assert read_quiet(quiet).until_us(at(time), BERLIN) == (until and at(until))


@given(st.times(), st.times(), WALLS)
def test_quiet_is_what_the_clock_on_the_wall_says(begin, end, wall):
    begin, end = (each.replace(second=0, microsecond=0) for each in (begin, end))
    text = f"{begin:%H:%M}-{end:%H:%M}"
    if begin == end:
        with pytest.raises(ValueError, match="all day"):
            read_quiet(text)
        return
    time_us = to_us(wall.replace(tzinfo=BERLIN))
    now = from_us(time_us, BERLIN).time()
    inside = begin <= now < end if begin < end else now >= begin or now < end
    until = read_quiet(text).until_us(time_us, BERLIN)
    near = {(wall + timedelta(hours=h)).replace(tzinfo=BERLIN).utcoffset() for h in range(-26, 27, 2)}
    if len(near) == 1:
        assert (until is not None) == inside
    if until is not None:
        assert time_us < until <= time_us + 25 * 3_600_000_000


@pytest.mark.parametrize("text", ["22-6", "24:00-06:00", "22:00", "22:00-22:00", ""])
def test_what_is_no_quiet_hours_is_refused(text):
    with pytest.raises(ValueError, match="quiet hours"):
        read_quiet(text)
