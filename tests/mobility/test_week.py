"""The typical week: what is kept, what is typical, and that corrections replace."""

from datetime import datetime, timedelta
from itertools import permutations

import numpy as np
import pytest
from flow_town import BERLIN, CALENDAR, MONDAY, at, us
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.mobility import week
from alerts.mobility.calendar import DAY_TYPES
from alerts.mobility.week import Lessons


def rows(sites=1):
    return np.zeros(sites * DAY_TYPES, week.ROW)


def teach(weeks, *lessons):
    """(begin, count[, teaches]) at site 0."""
    full = [(*each, True)[:3] for each in lessons]
    begin, count, teaches = (np.array(column) for column in zip(*full, strict=True))
    slot = CALENDAR.slots(begin.astype(np.int64))
    speed = np.full(len(full), np.nan)
    week.teach(weeks, Lessons(np.zeros(len(full), np.int64), slot, count, speed, teaches.astype(bool)))
    return weeks


def typical(weeks, begin):
    return week.typical(weeks, np.array([0]), CALENDAR.slots(np.array([begin])))[0].tolist()


def weeks_before(count, text="08:00", day=MONDAY):
    return [at(text, day - timedelta(weeks=n)) for n in range(1, count + 1)]


def test_median_and_quantiles_of_the_same_quarter_on_such_days():
    counts = (10, 20, 30, 40, 50)
    found = typical(teach(rows(), *zip(weeks_before(5), counts, strict=True)), at("08:00"))
    assert found == pytest.approx(np.quantile(counts, [0.1, 0.5, 0.9]).tolist())


def test_the_newest_eight_days_are_kept():
    counts = range(1, 13)
    found = typical(teach(rows(), *zip(weeks_before(12), counts, strict=True)), at("08:00"))
    assert found[1] == 4.5


def test_nothing_is_typical_before_three_days_are_known():
    assert np.isnan(typical(teach(rows(), *((t, 7) for t in weeks_before(2))), at("08:00"))).all()
    assert typical(teach(rows(), *((t, 7) for t in weeks_before(3))), at("08:00")) == [7, 7, 7]


def test_a_quarter_is_not_typical_of_itself_nor_of_the_days_before():
    weeks = teach(rows(), *((t, 7) for t in weeks_before(3)), (at("08:00"), 100))
    assert typical(weeks, at("08:00")) == [7, 7, 7]
    assert np.isnan(typical(weeks, weeks_before(3)[0])).all()


def test_other_quarters_say_nothing():
    weeks = teach(rows(), *((t, 7) for t in weeks_before(3, "08:15")))
    assert np.isnan(typical(weeks, at("08:00"))).all()


def test_working_days_answer_for_each_other_while_too_few_are_known():
    days = [at("08:00", MONDAY - timedelta(days=n)) for n in (4, 5, 6)]
    weeks = teach(rows(), *zip(days, (10, 20, 30), strict=True))
    assert typical(weeks, at("08:00"))[1] == 20
    saturday = at("08:00", MONDAY + timedelta(days=5))
    assert np.isnan(typical(weeks, saturday)).all()
    # three Mondays of its own, then the others are not asked any more
    assert typical(teach(weeks, *((t, 7) for t in weeks_before(3))), at("08:00")) == [7, 7, 7]


def test_a_holiday_is_apart_and_like_a_sunday_at_first():
    sundays = [at("08:00", MONDAY - timedelta(days=1 + 7 * n)) for n in range(3)]
    thursdays = [at("08:00", datetime(2026, 5, day, tzinfo=BERLIN)) for day in (7, 21, 28)]
    weeks = teach(rows(), *((t, 5) for t in sundays), *((t, 90) for t in thursdays))
    unity = at("08:00", datetime(2027, 5, 6, tzinfo=BERLIN))  # Ascension, a Thursday
    assert typical(weeks, unity) == [5, 5, 5]
    holidays = [(2026, 4, 3), (2026, 5, 1), (2026, 5, 14)]
    teach(weeks, *((at("08:00", datetime(*day, tzinfo=BERLIN)), 9) for day in holidays))
    assert typical(weeks, unity) == [9, 9, 9]
    assert typical(weeks, at("08:00", datetime(2026, 6, 11, tzinfo=BERLIN))) == [90, 90, 90]


def test_an_incomplete_quarter_teaches_nothing_and_a_corrected_one_replaces():
    first, second, third = weeks_before(3)
    weeks = teach(rows(), (third, 7), (second, 7), (first, 1, False))
    assert np.isnan(typical(weeks, at("08:00"))).all()
    teach(weeks, (first, 10))
    assert typical(weeks, at("08:00"))[2] > 7
    teach(weeks, (first, 7))
    assert typical(weeks, at("08:00")) == [7, 7, 7]
    teach(weeks, (first, 7, False))
    assert np.isnan(typical(weeks, at("08:00"))).all()


def test_the_hour_that_comes_twice_teaches_once():
    begin = us(datetime(2026, 10, 25, 2, 0, tzinfo=BERLIN))
    weeks = teach(rows(), (begin, 5), (begin + 3_600_000_000, 50))
    kept = weeks["count"][6, 8]
    assert kept[kept > 0].tolist() == [5]


def test_high_is_a_share_of_all_that_is_known():
    weeks = rows(2)
    begins = [at("00:00") + n * 900_000_000 for n in range(96)]
    teach(weeks, *((t, n) for n, t in enumerate(begins)))
    assert week.high(weeks, "count", np.array([0, 1]), 0.9, 50).tolist()[0] == pytest.approx(86, abs=1)
    assert np.isnan(week.high(weeks, "count", np.array([0, 1]), 0.9, 96)).all()


DAYS = st.integers(0, 20).map(lambda n: MONDAY + timedelta(weeks=n))
LESSONS = st.lists(st.tuples(DAYS.map(lambda day: at("08:00", day)), st.integers(0, 70_000)), max_size=30)


@settings(deadline=None)
@given(LESSONS, st.randoms(use_true_random=False))
def test_the_order_in_which_days_arrive_is_nowhere_in_the_state(lessons, chance):
    once = list(dict(lessons).items())
    other = [*once, *once]
    chance.shuffle(other)
    assert (teach(rows(), *once) if once else rows()).tobytes() == (
        teach(rows(), *other) if other else rows()
    ).tobytes()


@settings(deadline=None)
@given(LESSONS.filter(bool), st.lists(st.integers(0, 30), max_size=4).map(sorted))
def test_one_batch_of_lessons_equals_any_split(lessons, cuts):
    apart = rows()
    for part in np.split(np.arange(len(lessons)), cuts):
        if len(part):
            teach(apart, *(lessons[i] for i in part))
    assert teach(rows(), *lessons).tobytes() == apart.tobytes()


@settings(deadline=None)
@given(LESSONS.filter(bool), st.data())
def test_a_corrected_count_leaves_no_trace_of_the_wrong_one(lessons, data):
    right = dict(lessons)
    wrong = dict.fromkeys(right, 0) | {t: data.draw(st.integers(0, 70_000)) for t in right}
    assert teach(teach(rows(), *wrong.items()), *right.items()).tobytes() == (
        teach(rows(), *right.items()).tobytes()
    )


def test_any_order_of_three_days_and_a_correction():
    lessons = [*((t, n) for n, t in enumerate(weeks_before(3)))]
    states = {teach(rows(), *order).tobytes() for order in permutations(lessons)}
    assert len(states) == 1
