"""Small counts of people: not told, and not to be computed from what is told."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.mobility.counted import Count, Site
from api.mobility.small_counts import hidden

SITE = Site("tor", "people_count", "in")
HOUR = 3_600_000_000
DAY = 24 * HOUR
BELOW = 5


class Kept:
    """Hours, and days and weeks that are their sums; days of 23 and 25 hours, too."""

    def __init__(self, days):
        self.rows = defaultdict(list)
        begin = week_begin = 0
        week = 0
        for number, hours in enumerate(days, 1):
            end = begin
            for count in hours:
                self.rows["PT1H"].append(Count(end, end + HOUR, count, 1.0))
                end += HOUR
            self.rows["P1D"].append(Count(begin, end, sum(hours), 1.0))
            week, begin = week + sum(hours), end
            if number % 7 == 0:
                self.rows["P1W"].append(Count(week_begin, end, week, 1.0))
                week, week_begin = 0, end

    def counts_of(self, spans, limit):
        (((site, resolution), (from_us, to_us)),) = spans.items()
        found = [e for e in self.rows[resolution] if from_us <= e.begin_us and e.end_us <= to_us]
        return {(site, resolution): found[:limit]}

    def untold(self, resolution, counts=None):
        counts = self.rows[resolution] if counts is None else counts
        return hidden(self, resolution, {SITE: counts}, BELOW).get(SITE, frozenset())


def inside(parts, whole):
    return [each for each in parts if whole.begin_us <= each.begin_us < whole.end_us]


def told(kept, resolution):
    untold = kept.untold(resolution)
    return [each for each in kept.rows[resolution] if each.begin_us not in untold]


HOURS = st.one_of(st.integers(0, 3), st.integers(0, 12), st.just(0))
DAYS = st.lists(st.integers(23, 25).flatmap(lambda n: st.lists(HOURS, min_size=n, max_size=n)), max_size=14)


@given(DAYS)
def test_no_difference_of_what_is_told_is_a_small_count(days):
    """Of any told interval, without the told ones inside it, nothing is left, or as many as may be told."""
    kept = Kept(days)
    hours, days_, weeks = (told(kept, each) for each in ("PT1H", "P1D", "P1W"))
    for day in days_:
        left = day.count - sum(each.count for each in inside(hours, day))
        assert not 0 < left < BELOW
    for week in weeks:
        finest = inside(days_, week)
        covered = {hour.begin_us for day in finest for hour in inside(hours, day)}
        rest = [hour.count for hour in inside(hours, week) if hour.begin_us not in covered]
        assert not 0 < week.count - sum(each.count for each in finest) - sum(rest) < BELOW
    assert not any(0 < each.count < BELOW for each in (*hours, *days_, *weeks))


@given(DAYS)
def test_what_is_large_enough_is_told_where_nothing_small_is_inside(days):
    kept = Kept([[0 if count < BELOW else count for count in hours] for hours in days])
    assert not any(kept.untold(each) for each in ("PT1H", "P1D", "P1W"))


@pytest.mark.parametrize(("hours", "day_is_told"), [([20, 3], False), ([20, 3, 2], True), ([20, 0, 0], True)])
def test_a_day_is_told_unless_one_small_hour_would_follow_from_it(hours, day_is_told):
    kept = Kept([hours + [0] * (24 - len(hours))])
    assert (kept.untold("P1D") == frozenset()) is day_is_told


def test_a_page_of_days_is_judged_like_all_of_them():
    kept = Kept([[20, 3, *[0] * 22], [20, 3, 2, *[0] * 21], [1, *[0] * 23], [0] * 24] * 5)
    days = kept.rows["P1D"]
    whole = kept.untold("P1D")
    assert whole == {each.begin_us for n, each in enumerate(days) if n % 4 in {0, 2}}
    for size in (1, 3, 7):
        parts = [kept.untold("P1D", days[at : at + size]) for at in range(0, len(days), size)]
        assert frozenset().union(*parts) == whole


@given(DAYS, st.integers(0, 14 * 25 * HOUR))
def test_what_was_told_before_hours_were_deleted_tells_no_more_with_what_is_told_then(days, horizon_us):
    """Somebody may have kept the hours: no day or week is told that was not, and with them it could not."""
    kept = Kept(days)
    before = {each: kept.untold(each) for each in ("P1D", "P1W")}
    kept.rows["PT1H"] = [hour for hour in kept.rows["PT1H"] if hour.begin_us >= horizon_us]
    assert all(before[each] <= kept.untold(each) for each in before)


def test_a_day_whose_hours_are_kept_no_longer_is_not_told():
    kept = Kept([[20, 3, *[0] * 22], [0] * 24])
    kept.rows["PT1H"] = []
    assert kept.untold("P1D") == {0}
