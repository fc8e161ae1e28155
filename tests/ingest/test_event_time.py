import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.instant import rfc3339_us
from ingest.event_time import EARLIEST_US, choose, gps_duration_us, payload_time_fits
from ingest.uplink import TimeSource

NOW = 1_780_000_000_000_000
S = 1_000_000
MINUTE = 60 * S


@given(st.text())
def test_any_text_is_a_duration_or_none(text):
    assert isinstance(gps_duration_us(text), int | None)


def test_gps_time_of_the_capture_is_its_utc_time():
    # both stand in the capture chirpstack_v4_up_real_gps_gateway.json
    assert gps_duration_us("1462878464.981566256s") == rfc3339_us("2026-05-15T11:07:26.981566256+00:00")
    assert gps_duration_us("0s") == rfc3339_us("1980-01-05T23:59:42Z")
    assert gps_duration_us("1.5s") - gps_duration_us("0s") == 1_500_000
    assert gps_duration_us("1462878464") is None
    assert gps_duration_us("-5s") is None


@pytest.mark.parametrize(
    ("gps", "server", "gateway", "time", "source"),
    [
        ([NOW - S], NOW, NOW - 2 * S, NOW - S, TimeSource.GPS),
        ([NOW + 620_000], NOW, None, NOW + 620_000, TimeSource.GPS),  # 0.62 s after: as in the capture
        ([NOW + 30 * MINUTE], NOW, None, NOW, TimeSource.SERVER),
        ([NOW + 30 * MINUTE, NOW - S], NOW, None, NOW - S, TimeSource.GPS),
        ([315_964_800 * S], NOW, None, NOW, TimeSource.SERVER),  # 1980: a GPS without satellites
        ([], NOW - 90 * MINUTE, NOW, NOW - 90 * MINUTE, TimeSource.SERVER),  # delivered late
        ([], NOW + 9 * MINUTE, None, NOW + 9 * MINUTE, TimeSource.SERVER),
        ([], NOW + 11 * MINUTE, None, NOW, TimeSource.ARRIVAL),
        ([], NOW + 11 * MINUTE, NOW - S, NOW, TimeSource.ARRIVAL),
        ([], 0, None, NOW, TimeSource.ARRIVAL),
        ([], EARLIEST_US - 1, None, NOW, TimeSource.ARRIVAL),
        ([], EARLIEST_US, None, EARLIEST_US, TimeSource.SERVER),
        ([], None, NOW - 29 * S, NOW - 29 * S, TimeSource.GATEWAY),
        ([], None, NOW - 31 * S, NOW, TimeSource.ARRIVAL),
        ([], None, NOW + 2 * S, NOW, TimeSource.ARRIVAL),
        ([], None, None, NOW, TimeSource.ARRIVAL),
    ],
)
def test_which_clock_is_believed(gps, server, gateway, time, source):
    when = choose(gps, server, gateway, NOW)
    assert (when.time_us, when.source) == (time, source)


_times = st.integers(-(2**53), 2**53) | st.integers(NOW - 3600 * S, NOW + 3600 * S)


@given(st.lists(_times), st.none() | _times, st.none() | _times)
def test_a_time_is_never_absurd(gps, server, gateway):
    when = choose(gps, server, gateway, NOW)
    assert EARLIEST_US <= when.time_us <= when.received_us + S
    assert when.received_us <= NOW + 10 * MINUTE
    assert when.received_us in {server, NOW}


def test_time_in_a_payload():
    assert payload_time_fits(NOW - 86_400 * S, NOW)
    assert payload_time_fits(NOW + S, NOW)
    assert not payload_time_fits(NOW + S + 1, NOW)
    assert not payload_time_fits(0, NOW)
