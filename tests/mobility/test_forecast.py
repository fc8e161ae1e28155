"""Expected free spaces: what is told when, what comes of it, and that no split, restart or order matters."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parked import DAY_US, MONDAY, Forecaster, samples, together, utc, visits

from alerts.kernels.rows import Table
from alerts.mobility.calendar import QUARTER_US, Calendar
from alerts.mobility.forecast import PARK, Samples, expected, scores
from alerts.mobility.forecast_days import AHEAD, AS_NOW, DAY, DAYS

TWO = (visits(5, 3, 60, 300), visits(6, 3, 15, 90, stay_h=0.7))
WEEK = 7 * 96


def series(taken, capacity=100, begin=MONDAY):
    return together([np.asarray(taken)], [capacity], begin)


def told(forecaster, slot=0):
    newest = int(forecaster.parks.rows["newest"][slot])
    return expected(forecaster.parks.rows, slot, newest)


def part(some, begin, end):
    return some.part(np.arange(begin, end))


def state(forecaster):
    return forecaster.days.rows[: len(forecaster.days)].tobytes(), forecaster.parks.rows.tobytes()


@dataclass(repr=False)
class Learned:
    pages: dict[str, bytes]
    week: Samples


@pytest.fixture(scope="module")
def learned():
    """Pages of two car parks after two weeks, and the samples of the third."""
    forecaster = Forecaster(("loewe", "markt"))
    every = together(TWO, [60, 15])
    forecaster.step(part(every, 0, 2 * WEEK * 2))
    pages = dict(forecaster.days.pages()) | dict(forecaster.parks.pages())
    return Learned(pages, part(every, 2 * WEEK * 2, len(every.time)))


def again(pages):
    forecaster = Forecaster(("loewe", "markt"))
    pages = dict(pages)
    for name, dtype, keys in (
        ("days", DAY, forecaster.plan.day_keys()),
        ("parks", PARK, list(forecaster.plan.stations)),
    ):
        table = Table("forecast_day" if name == "days" else "forecast", dtype)
        table.restore(pages)
        table.claim(keys)
        setattr(forecaster, name, table)
    return forecaster


def test_nothing_is_told_until_a_week_is_known_and_errors_make_an_interval():
    forecaster = Forecaster()
    every = series(visits(1, 2, 100, 400))
    first = None
    for quarter in range(2 * WEEK):
        forecaster.step(part(every, quarter, quarter + 1))
        if told(forecaster) and first is None:
            first = quarter
        if not told(forecaster):
            assert {each.published for each in scores(forecaster.parks.rows, forecaster.plan)} == {"none"}
    assert first is not None
    assert WEEK <= first < WEEK + 4 * 96
    assert [each.minutes for each in told(forecaster)] == [15, 30, 60]
    assert {each.published for each in scores(forecaster.parks.rows, forecaster.plan)} != {"none"}


def test_a_day_that_repeats_itself_is_expected_exactly():
    day = np.rint(50 + 45 * np.sin(np.arange(96) / 96 * 2 * np.pi)).astype(int)
    taken = np.tile(day, 21)
    forecaster = Forecaster()
    forecaster.step(series(taken[: 20 * 96 + 30]))
    for each, ahead in zip(told(forecaster), AHEAD, strict=True):
        came = 100 - taken[20 * 96 + 29 + ahead]
        assert (each.low, each.free, each.high) == (came, came, came)
        assert each.method == "learned"
        assert each.from_us == MONDAY + 20 * DAY_US + 30 * QUARTER_US
    for each in scores(forecaster.parks.rows, forecaster.plan):
        assert (each.mae, each.mae_as_last_week, each.coverage, each.width) == (0, 0, 1, 0)
        assert each.mae_as_now > 0


def test_what_is_unlike_the_week_now_is_expected_to_go_on():
    day = np.rint(30 + 20 * np.sin(np.arange(96) / 96 * 2 * np.pi)).astype(int)
    rng = np.random.default_rng(3)
    # every day has a level of its own that lasts
    taken = np.concatenate([day + rng.integers(-10, 11) for _ in range(21)])
    forecaster = Forecaster()
    forecaster.step(series(taken[: 20 * 96 + 60]))
    came = 100 - taken[20 * 96 + 59 + np.array(AHEAD)]
    for each, free in zip(told(forecaster), came, strict=True):
        assert abs(each.free - free) <= 1


def test_where_the_learned_was_worse_the_better_baseline_is_told_and_named():
    # the same chaos every week, and another level every day: the week helps, what is now misleads
    rng = np.random.default_rng(4)
    week = rng.integers(0, 100, WEEK)
    taken = np.concatenate([week, 99 - week, week, week, week])
    forecaster = Forecaster()
    forecaster.step(series(taken))
    for each, score in zip(told(forecaster), scores(forecaster.parks.rows, forecaster.plan), strict=True):
        maes = {
            "learned": score.mae,
            "as_now": score.mae_as_now,
            "as_last_week": score.mae_as_last_week,
        }
        assert score.published == each.method == min(maes, key=maes.get)
    assert score.mae_as_last_week == 0
    assert each.method == "as_last_week"


def test_what_is_old_is_no_forecast():
    forecaster = Forecaster()
    forecaster.step(series(visits(1, 2, 100, 400)))
    newest = int(forecaster.parks.rows["newest"][0])
    assert expected(forecaster.parks.rows, 0, newest + 2 * QUARTER_US)
    assert not expected(forecaster.parks.rows, 0, newest + 2 * QUARTER_US + 1)


def test_what_is_little_complete_teaches_nothing():
    forecaster = Forecaster()
    every = series(visits(1, 2, 100, 400))
    forecaster.step(every._replace(completeness=np.full(len(every.time), 0.4)))
    assert not forecaster.days.rows["day"].any()
    assert scores(forecaster.parks.rows, forecaster.plan) == ()


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 119), max_size=6, unique=True), st.integers(0, 400))
def test_any_split_and_a_restart_give_the_same(learned, cuts, begin):
    pages, week = learned.pages, learned.week
    week = part(week, begin, begin + 120)
    whole, split = again(pages), again(pages)
    whole.step(week)
    cuts = [0, *sorted(cuts), 120]
    for start, stop in pairwise(cuts):
        split.step(part(week, start, stop))
    assert state(whole) == state(split)
    kept = {**pages, **dict(split.days.pages()), **dict(split.parks.pages())}
    assert state(again(kept)) == state(split)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 90),
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 200)), min_size=1, max_size=12),
)
def test_forecasts_stay_within_the_car_park_and_in_order(learned, begin, rows):
    pages, week = learned.pages, learned.week
    forecaster = again(pages)
    for quarter, (park, taken) in enumerate(rows):
        time = week.time[2 * begin] + quarter * QUARTER_US
        capacity = (60, 15)[park]
        forecaster.step(samples([park], [time], [min(taken, capacity)], capacity))
        for each in told(forecaster, park):
            assert 0 <= each.low <= each.free <= each.high <= capacity


@settings(max_examples=8, deadline=None)
@given(st.integers(8, 110), st.integers(0, 60))
def test_a_corrected_sample_replaces_what_was_seen_and_what_it_says_of_forecasts(learned, at, other):
    pages, week = learned.pages, learned.week
    one = week.park == 0
    week = week.part(np.flatnonzero(one)[:120])
    wrong = week.occupied.copy()
    wrong[at] = other
    right, corrected = again(pages), again(pages)
    right.step(week)
    corrected.step(week._replace(occupied=wrong))
    corrected.step(part(week, at, at + 1))
    assert right.days.rows["occupied"].tobytes() == corrected.days.rows["occupied"].tobytes()
    # of the forecasts that meant it; those issued at it stand as they were told
    place = utc(week.time[at : at + 1])
    for horizon, ahead in enumerate(AHEAD):
        slot, quarter = place.day[0] % DAYS, place.quarter[0] - ahead
        if quarter >= 0:
            pair = [
                (rows["predicted"] + rows["error"])[slot, quarter, AS_NOW, horizon]
                for rows in (right.days.rows, corrected.days.rows)
            ]
            assert pair == [week.occupied[at]] * 2
    before = state(corrected)
    corrected.step(part(week, at, at + 1))
    assert state(corrected) == before


def test_the_newest_moment_corrected_is_forecast_anew(learned):
    pages, week = learned.pages, learned.week
    right, corrected = again(pages), again(pages)
    right.step(part(week, 0, 102))
    wrong = part(week, 0, 102)
    corrected.step(wrong._replace(occupied=np.append(wrong.occupied[:-2], [1.0, 2.0])))
    free = [each.free for each in told(right)]
    assert [each.free for each in told(corrected)] != free
    corrected.step(part(week, 100, 102))
    assert [each.free for each in told(corrected)] == free


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 100), st.integers(1, 8))
def test_a_late_sample_is_kept_and_issues_nothing(learned, at, late):
    pages, week = learned.pages, learned.week
    week = week.part(np.flatnonzero(week.park == 0)[:110])
    order = np.arange(110)
    moved = np.insert(np.delete(order, at), min(at + late, 109), at)
    in_order, out_of_order = again(pages), again(pages)
    in_order.step(week)
    out_of_order.step(week.part(moved))
    assert in_order.days.rows["occupied"].tobytes() == out_of_order.days.rows["occupied"].tobytes()
    assert in_order.parks.rows["newest"][0] == out_of_order.parks.rows["newest"][0]


def test_car_parks_do_not_learn_from_each_other():
    alone, both = Forecaster(), Forecaster(("loewe", "markt"))
    first = [each[: 9 * 96] for each in TWO]
    alone.step(together(first[:1], [60]))
    both.step(together(first, [60, 15]))
    assert alone.parks.rows[0].tobytes() == both.parks.rows[0].tobytes()


def test_days_follow_the_clock_of_the_city_over_the_change_of_the_hour():
    # full from 8 to 18 o'clock in Bergisch Gladbach, summer time ends on 25 October 2026
    calendar = Calendar("Europe/Berlin")
    monday = 20_752 * DAY_US
    time = monday - 14 * DAY_US + np.arange(3 * WEEK) * QUARTER_US
    quarter = calendar.slots(time).quarter
    taken = np.where((quarter >= 8 * 4) & (quarter < 18 * 4), 90, 10)
    forecaster = Forecaster(slots=calendar.slots)
    # Monday 26 October, 07:30 in winter
    stop = int(np.searchsorted(time, monday + 26 * QUARTER_US, side="right"))
    forecaster.step(samples(0, time[:stop], taken[:stop]))
    assert [each.free for each in told(forecaster)] == [90, 10, 10]


def test_a_holiday_is_expected_to_be_like_a_sunday():
    # Corpus Christi, Thursday 4 June 2026 in NRW
    calendar = Calendar("Europe/Berlin", "053780004004")
    time = MONDAY - 14 * DAY_US + np.arange(2 * WEEK + 4 * 96) * QUARTER_US
    found = calendar.slots(time)
    noon = (found.quarter >= 40) & (found.quarter < 64)
    taken = np.where(noon & (found.type < 6), 80, 5)
    forecaster = Forecaster(slots=calendar.slots)
    stop = int(np.flatnonzero((found.day == 20_605 + 3) & (found.quarter == 39))[0]) + 1
    forecaster.step(samples(0, time[:stop], taken[:stop]))
    assert [each.free for each in told(forecaster)] == [95, 95, 95]


@given(st.floats(allow_nan=True), st.integers(-10, 10))
def test_samples_without_sense_change_nothing(occupied, time):
    forecaster = Forecaster()
    forecaster.step(
        Samples(
            np.zeros(1, np.int64),
            np.array([time * QUARTER_US]),
            np.array([occupied if occupied < 0 or np.isnan(occupied) else -1.0]),
            np.array([10]),
            np.ones(1),
        )
    )
    assert not forecaster.days.rows["day"].any()


def test_about_a_tenth_lies_beyond_either_end_even_after_errors_have_grown():
    calm = visits(7, 3, 120, 700, stay_h=1.5, wildness=0.05)
    wild = visits(8, 2, 120, 700, stay_h=1.5, wildness=0.5)
    forecaster = Forecaster()
    forecaster.step(series(np.concatenate([calm, wild]), 120))
    rows = forecaster.days.rows
    rows = rows[rows["day"] >= 20_605 + 25]
    came = (rows["predicted"] + rows["error"])[:, 28:80, AS_NOW]
    known = np.isfinite(came)
    for beyond in (came < rows["low"][:, 28:80], came > rows["high"][:, 28:80]):
        assert (beyond & known).sum(axis=(0, 1)) / known.sum(axis=(0, 1)) == pytest.approx(0.1, abs=0.05)
