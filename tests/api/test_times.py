"""Times of many readings at once are those of each."""

from hypothesis import given
from hypothesis import strategies as st

from api.rfc3339 import EARLIEST_US, format_all_us, format_us

LATEST_US = 253_402_300_799_999_999
TIMES = st.integers(EARLIEST_US, LATEST_US) | st.integers(0, 2_000_000_000).map(lambda each: each * 1_000_000)


@given(st.lists(TIMES, max_size=40))
def test_many_times_are_written_as_one_is(times_us):
    assert format_all_us(times_us) == [format_us(each) for each in times_us]


@given(st.lists(TIMES, min_size=10), st.sampled_from([EARLIEST_US - 1, LATEST_US + 1, 2**62, -(2**62)]))
def test_what_has_no_text_among_many_is_refused_as_alone(times_us, bad):
    for write in (lambda: format_us(bad), lambda: format_all_us([*times_us, bad])):
        try:
            write()
        except OverflowError:
            continue
        raise AssertionError(bad)
