"""Rate of rise and time to a height: Theil-Sen, two samples, the earlier of linear and exponential."""

import math
import statistics

import numpy as np
import pytest
from engine_city import MIN, T0
from hypothesis import given
from hypothesis import strategies as st

from alerts.kernels import expected, rise


def ring(*points):
    """Row of one series after samples (minutes, cm) in this order."""
    rows = np.zeros(1, expected.ROW)
    for minutes, level in points:
        at = np.zeros(1, np.int64)
        rise.take(rows, at, at + T0 + round(minutes * MIN), np.array([float(level)]))
    return rows[0]


def estimate(*points, least=3.0):
    row = ring(*points)
    return rise.estimate(*rise.samples(row["time"], row["value"]), least)


def test_a_steady_rise_has_its_rate():
    it = estimate(*((5 * i, 40 + 2.0 * i) for i in range(8)))
    assert it.rate == pytest.approx(0.4)
    assert (it.samples, it.confidence, it.real(3.0)) == (4, "good", True)


def test_an_independent_theil_sen_agrees():
    points = [(0, 40.0), (4, 41.5), (9.5, 41.0), (15, 48.0)]
    pairs = [(b - a) / (t - s) for i, (s, a) in enumerate(points) for t, b in points[i + 1 :]]
    assert estimate(*points).rate == pytest.approx(statistics.median(pairs))


def test_one_outlier_among_seven_moves_the_slope_little():
    clean = [(5 * i, 40 + i) for i in range(7)]
    dirty = [*clean[:3], (15, 60.0), *clean[4:]]
    assert estimate(*dirty).rate == pytest.approx(0.2, abs=0.15)


def test_two_samples_say_so_and_one_says_nothing():
    assert estimate((0, 40)) is None
    it = estimate((0, 40), (5, 46))
    assert (it.confidence, it.rate) == ("low", pytest.approx(1.2))
    assert it.real(3.0)
    assert not it.real(3.1), "with two samples it takes twice as much"
    assert estimate((0, 40), (91, 60)) is None


def test_two_stamps_a_second_apart_are_one():
    # the morning of the clock change, flood.md: -2574 cm/h
    it = estimate((0, 100), (15, 100), (30, 100), (30 + 1 / 60, 93))
    assert it.rate == pytest.approx(0.0, abs=0.25)
    assert estimate((0, 40), (1 / 60, 50)) is None
    assert estimate((59.99 / 60, 40), (60.01 / 60, 50)) is None


def test_a_falling_level_has_a_negative_rate_and_reaches_nothing():
    it = estimate((0, 60), (5, 55), (10, 50))
    assert it.rate == pytest.approx(-1.0)
    assert it.minutes_to(70.0) is None
    assert it.minutes_to(50.0) == (0.0, 0.0)


def test_a_convex_rise_is_warned_of_by_the_exponential():
    """A wave that doubles every 15 minutes: the truth lies near the earlier estimate."""

    def level(minutes):
        return 20 + 4 * 2 ** (minutes / 15)

    it = estimate(*((5 * i, level(5 * i)) for i in range(9)))
    mark = level(75)
    early, late = it.minutes_to(mark)
    assert early < late
    assert early == pytest.approx(35, rel=0.35)
    assert late > 1.8 * 35


def test_the_numbers_of_the_formulas():
    it = rise.Rise(T0, 60.0, 1.0, 20.0, 5, 20.0, 5.0, 40.0)
    assert it.minutes_to(100.0) == pytest.approx((20 * math.log(3), 40.0))


@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 300)), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
)
def test_the_ring_is_the_same_whatever_the_order(points, random):
    """Also repeated; of two at the very same time the first one counts, so those are left out here."""
    unique = dict(points)
    mixed = [*unique.items(), *random.sample(sorted(unique.items()), len(unique) // 2)]
    random.shuffle(mixed)
    if len(unique) > rise.SAMPLES:
        return
    ordered, other = ring(*sorted(unique.items())), ring(*mixed)
    assert ordered["time"].tolist() == other["time"].tolist()
    assert ordered["value"].tolist() == other["value"].tolist()


@given(
    st.floats(-50, 500),
    st.floats(0.01, 20),
    st.floats(0.5, 200),
    st.floats(0.1, 500),
)
def test_the_exponential_is_never_later_than_the_linear(level, rate, above, ahead):
    it = rise.Rise(T0, level, rate, 20.0, 5, above, 1.0, level - above)
    early, late = it.minutes_to(level + ahead)
    assert 0 < early <= late * (1 + 1e-9)
    assert late == pytest.approx(ahead / rate, rel=1e-6)


def test_one_minute_samples_fill_the_ring_and_no_more():
    row = ring(*((i / 2, i) for i in range(200)))
    times = row["time"].tolist()
    assert len(set(times)) == rise.SAMPLES
    assert times == sorted(times)
    assert row["value"][-1] == 199.0
