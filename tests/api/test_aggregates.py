from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.aggregates.counter import Counter
from api.aggregates.expected import commonest
from api.aggregates.interval import FIRST_US, LAST_US, day_bounds, read_interval
from api.aggregates.kernel import Cells

BERLIN = ZoneInfo("Europe/Berlin")
HOUR_US = 3_600_000_000
TEXTS = ["PT1M", "PT15M", "PT1H", "PT2H", "PT6H", "PT12H", "P1D", "P1W", "P1M", "P3M", "P1Y"]
ZONES = ["Europe/Berlin", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana", "Pacific/Apia"]
TIMES = st.integers(0, 4_000_000_000_000_000)


def us(text):
    return round(datetime.fromisoformat(text).timestamp()) * 1_000_000


def local(edge, zone=BERLIN):
    return datetime.fromtimestamp(edge / 1e6, UTC).astimezone(zone)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-14", 24)])
def test_a_day_is_as_long_as_the_clocks_make_it(day, hours):
    begin, end = read_interval("P1D").around(BERLIN, us(f"{day}T12:00:00+01:00"), 1).tolist()
    assert (begin, end) == day_bounds(BERLIN, date.fromisoformat(day))
    assert end - begin == hours * HOUR_US
    assert len(read_interval("PT1H").around(BERLIN, begin, hours)) == hours + 1
    quarters = read_interval("PT15M").around(BERLIN, begin, 4 * hours)
    assert (quarters[-1], set(np.diff(quarters).tolist())) == (end, {HOUR_US // 4})


def test_six_hours_follow_the_clock_on_the_wall():
    edges = read_interval("PT6H").around(BERLIN, us("2026-03-29T00:00:00+01:00"), 4)
    assert [local(each).hour for each in edges.tolist()] == [0, 6, 12, 18, 0]
    assert (np.diff(edges) // HOUR_US).tolist() == [5, 6, 6, 6]


def test_weeks_begin_on_monday_and_months_on_the_first():
    week, *_ = read_interval("P1W").around(BERLIN, us("2026-07-15T12:00:00+02:00"), 1).tolist()
    assert local(week).isoformat() == "2026-07-13T00:00:00+02:00"
    months = read_interval("P1M").around(BERLIN, us("2026-02-15T12:00:00+01:00"), 2).tolist()
    assert [local(each).isoformat()[:10] for each in months] == ["2026-02-01", "2026-03-01", "2026-04-01"]


@pytest.mark.parametrize(
    "text", ["", "P0D", "PT7M", "PT5H", "P2D", "P5M", "1H", "PT1S", "P1DT1H", "PT24H", "p1d"]
)
def test_what_does_not_divide_is_refused_with_what_does(text):
    with pytest.raises(ValueError, match="PT1H"):
        read_interval(text)


def test_sixty_minutes_are_an_hour():
    assert read_interval("PT60M") == read_interval("PT1H")


@settings(max_examples=200)
@given(TIMES, st.sampled_from(TEXTS), st.sampled_from(ZONES), st.integers(1, 60))
def test_edges_rise_hold_the_time_and_are_the_same_from_either_side(at, text, zone, count):
    interval, place = read_interval(text), ZoneInfo(zone)
    forward = interval.around(place, at, count)
    assert (np.diff(forward) > 0).all()
    assert forward[0] <= at < forward[1]
    last = int(forward[-1])
    assert (interval.around(place, last, count, back=True) == forward).all()
    back = interval.around(place, at, 1, back=True)
    assert back[0] < at <= back[1]
    assert np.diff(forward).max() <= interval.longest_min * 60_000_000


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("at", [FIRST_US, LAST_US])
def test_the_ends_of_time_have_edges_too(text, at):
    for back in (False, True):
        assert len(read_interval(text).around(BERLIN, at, 3, back=back)) == 4


POINTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 40), st.floats(-1e6, 1e6, allow_subnormal=False)), max_size=60
)
CUTS = st.lists(st.integers(0, 60), max_size=6).map(sorted)


def split(cuts, *columns):
    for first, last in zip([0, *cuts], [*cuts, None], strict=True):
        yield tuple(column[first:last] for column in columns)


def same(one, other):
    for name in ("count", "sum", "rise", "mean", "min", "max", "last", "touched"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


@given(POINTS, CUTS, st.sampled_from(["air_temperature", "wind_direction", "noise_level"]))
def test_any_split_of_the_points_gives_the_same_cells_to_the_last_bit(points, cuts, name):
    points.sort(key=lambda point: point[1])
    column, time, value = (
        np.array([point[i] for point in points], kind)
        for i, kind in enumerate((np.int64, np.int64, np.float64))
    )
    edges = np.array([5, 10, 11, 30], np.int64)
    whole, parts = Cells(edges, [name] * 3), Cells(edges, [name] * 3)
    whole.add(column, time, value)
    for part in split(cuts, column, time, value):
        parts.add(*part)
    for columns in ([0], [1, 2], [0, 1, 2]):
        same(whole.summary(columns), parts.summary(columns))


@given(POINTS)
def test_a_cell_is_what_its_readings_say(points):
    points.sort(key=lambda point: point[1])
    edges = np.array([5, 10, 11, 30], np.int64)
    cells = Cells(edges, ["air_temperature"] * 3)
    cells.add(*(np.array([p[i] for p in points], k) for i, k in enumerate((np.int64, np.int64, np.float64))))
    found = cells.summary([0, 2])
    for i, (begin, end) in enumerate(pairwise(edges)):
        own = [value for column, time, value in points if column != 1 and begin < time <= end]
        assert found.count[i] == len(own)
        if own:
            assert found.sum[i] == pytest.approx(sum(own), abs=1e-6)
            assert found.mean[i] == pytest.approx(sum(own) / len(own), abs=1e-6)
            assert (found.min[i], found.max[i]) == (min(own), max(own))
        else:
            assert np.isnan([found.sum[i], found.mean[i], found.min[i], found.max[i], found.last[i]]).all()


def mean_of(name, *values):
    cells = Cells(np.array([0, 10], np.int64), [name])
    cells.add(np.zeros(len(values), np.int64), np.arange(1, len(values) + 1), np.array(values, float))
    return cells.summary([0]).mean[0]


def test_north_is_between_350_and_10_degrees():
    assert mean_of("wind_direction", 350, 10) % 360 == pytest.approx(0, abs=1e-9)
    assert mean_of("wind_direction", 80, 100) == pytest.approx(90)
    assert np.isnan(mean_of("wind_direction", 90, 270))


def test_noise_is_averaged_by_its_energy():
    assert mean_of("noise_level", 60, 60) == pytest.approx(60)
    assert mean_of("noise_level", 60, 70) == pytest.approx(67.40, abs=0.005)


def rises(values, name="people_count", wraps=0, gap_us=60_000_000):
    counter = Counter(name, wraps)
    times = np.arange(1, len(values) + 1, dtype=np.int64) * gap_us
    return counter.take(times, np.array(values, float))[2].tolist()


def test_a_counter_that_was_reset_goes_on_from_where_it_is():
    assert rises([100, 105, 2, 4, 9]) == [5, 2, 5]


def test_a_single_value_that_cannot_be_is_no_reset():
    assert rises([100, 105, 3, 110, 112]) == [5, 5, 2]
    assert rises([100, 105, 90_000, 110]) == [5, 5]


def test_a_counter_that_wraps_goes_round():
    assert rises([65_530, 65_535, 4], wraps=65_536) == [5, 5]
    assert rises([3000, 1, 4], "contact_count", wraps=65_536) == [3]
    assert rises([64_000, 1, 4], "vehicle_count", wraps=65_536, gap_us=600_000_000) == [3]


def test_after_a_month_of_silence_nothing_is_known_of_it():
    assert rises([1, 500], gap_us=31 * 24 * HOUR_US) == []


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(1, 3_000_000_000), st.integers(0, 3000)), max_size=40),
    CUTS,
    st.sampled_from([0, 4096]),
)
def test_any_split_of_a_counter_gives_the_same_rises(steps, cuts, wraps):
    times = np.cumsum([step for step, _ in steps], dtype=np.int64)
    values = np.array([value for _, value in steps], float)
    whole, parts = Counter("people_count", wraps), Counter("people_count", wraps)
    expected = np.array(whole.take(times, values))
    found = np.concatenate([np.array(parts.take(*part)) for part in split(cuts, times, values)], axis=1)
    np.testing.assert_array_equal(found, expected)
    assert (expected[2] >= 0).all()


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20)), min_size=2, max_size=30), CUTS)
def test_what_a_counter_rose_by_is_spread_over_the_time_between(steps, cuts):
    times = np.cumsum([gap for gap, _ in steps], dtype=np.int64)
    values = np.cumsum([rise for _, rise in steps]).astype(float)
    edges = np.arange(0, int(times[-1]) + 8, 7, dtype=np.int64)
    cells, counter = Cells(edges, ["people_count"]), Counter("people_count", 0)
    for part in split(cuts, times, values):
        cells.rise(0, *counter.take(*part))
    found = cells.summary([0]).rise
    known = np.interp(edges, times, values)
    np.testing.assert_allclose(np.nan_to_num(found), np.diff(known), atol=1e-9)


def test_the_commonest_spacing_is_not_that_of_a_gap():
    minutes = [0, 10, 20, 30, 90, 100, 110]
    assert commonest([m * 60_000_000 + n for n, m in enumerate(minutes)]) == 600
    assert commonest([0, 60_000_000]) == 0


def test_a_day_bound_is_local_midnight():
    begin, end = day_bounds(BERLIN, date(2026, 7, 14))
    assert local(begin).isoformat() == "2026-07-14T00:00:00+02:00"
    assert local(end) - local(begin) == timedelta(days=1)
