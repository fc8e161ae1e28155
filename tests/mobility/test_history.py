"""The history of counts: five resolutions that sum to each other, local days, corrections, retention."""

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobility_city import MIN, machine_of, readings, registry

from alerts.errors import MobilityError
from alerts.mobility.counted import Count, Site
from alerts.mobility.counts_db import CountsDb, Keep
from alerts.mobility.database import open_database
from alerts.mobility.local_time import LocalTime
from alerts.mobility.machine import together
from ingest.reading import Series

BERLIN = ZoneInfo("Europe/Berlin")
ROAD = [
    Series("road", "vehicle_count_interval", "ltr/class1", "00000000000000b1"),
    Series("road", "vehicle_speed", "ltr/class1", "00000000000000b1"),
    Series("road", "vehicle_speed_v85", "ltr/class1", "00000000000000b1"),
    Series("road", "vehicle_count_interval", "ltr/class1", "00000000000000b2"),
]
SITE = Site("road", "vehicle_count", "ltr/class1")
HOUR, DAY = 60 * MIN, 24 * 60 * MIN
FOR_EVER = 1 << 62
LEVELS = ("PT5M", "PT15M", "PT1H", "P1D", "P1W")
# a Monday, 00:00 in Berlin
MONDAY = round(datetime(2026, 3, 16, tzinfo=BERLIN).timestamp()) * 1_000_000


class Town:
    """A machine and its history."""

    def __init__(self, path, series=None, keep=None, **how):
        self.file = open_database(path)
        self.machine = machine_of(series or ROAD[:3], **how)
        self.history = CountsDb(self.file, LocalTime(BERLIN), keep or Keep())
        self.history.arrange(self.machine.plan_now.counts, self.machine.plan_now.speeds)

    def take(self, *rows, base=MONDAY):
        """Rows (series, minute, value) as one step, written at once."""
        self.step(readings(*((s, base + round(minute * MIN), float(value)) for s, minute, value in rows)))

    def step(self, *batches):
        found = together([self.machine.step(batch) for batch in batches])
        self.write(found)

    def write(self, found):
        with self.file.write() as connection:
            self.history.write(connection, found.cells, found.speeds)

    def counts(self, resolution, from_us=0, to_us=FOR_EVER, limit=100_000):
        return self.history.counts(SITE, resolution, from_us, to_us, limit)

    def everything(self):
        return {level: self.counts(level) for level in LEVELS}


@pytest.fixture
def town(tmp_path):
    it = Town(tmp_path / "mobility.db")
    yield it
    it.file.close()


def short(counts):
    """Begin in minutes from that Monday, count, completeness."""
    return [((each.begin_us - MONDAY) // MIN, each.count, each.completeness) for each in counts]


def test_five_resolutions_of_the_same_counts(town):
    town.take(*((0, 5 * (i + 1), i % 4) for i in range(24)))
    assert short(town.counts("PT5M"))[:4] == [(0, 0, 1.0), (5, 1, 1.0), (10, 2, 1.0), (15, 3, 1.0)]
    assert short(town.counts("PT15M"))[:2] == [(0, 3, 1.0), (15, 4, 1.0)]
    assert short(town.counts("PT1H")) == [(0, 18, 1.0), (60, 18, 1.0)]
    assert short(town.counts("P1D")) == [(0, 36, pytest.approx(2 / 24, abs=1e-4))]
    assert short(town.counts("P1W")) == [(0, 36, pytest.approx(2 / 168, abs=1e-4))]
    assert town.history.sites() == (SITE,)


def test_a_page_of_counts_begins_and_ends_where_it_is_asked_to(town):
    town.take(*((0, 5 * (i + 1), 1) for i in range(12)))
    asked = town.counts("PT15M", MONDAY + 15 * MIN, MONDAY + 45 * MIN)
    assert [minute for minute, *_ in short(asked)] == [15, 30]
    assert [minute for minute, *_ in short(town.counts("PT5M", limit=2))] == [0, 5]
    assert town.history.counts(Site("other", "vehicle_count", ""), "PT5M", 0, FOR_EVER, 9) == ()


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 80)), min_size=1, max_size=40),
    st.dictionaries(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(LEVELS)),
        st.tuples(st.integers(-20, 250), st.integers(0, 250)),
    ),
    st.integers(1, 30),
)
def test_counts_of_several_sites_are_those_of_each_one_after_the_other(tmp_path_factory, rows, spans, limit):
    series = [
        Series(station, "vehicle_count_interval", "in", f"{n:016x}") for n, station in enumerate("bca", 1)
    ]
    it = Town(tmp_path_factory.mktemp("sites") / "m.db", series)
    it.take(*((number, 3 * time, 2) for number, time in rows))
    asked = {
        (Site(station, "vehicle_count", "in"), level): (MONDAY + begin * MIN, MONDAY + (begin + length) * MIN)
        for (station, level), (begin, length) in spans.items()
    }
    each = [
        (key, count)
        for key in sorted(asked, key=lambda key: (key[0], LEVELS.index(key[1])))
        for count in it.history.counts(*key, *asked[key], 1000)
        if count.end_us <= asked[key][1]
    ]
    found = it.history.counts_of(asked, limit)
    assert [(key, count) for key, some in found.items() for count in some] == each[:limit]
    it.file.close()


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-21", 24)])
def test_days_are_local_and_have_23_24_or_25_hours(town, day, hours):
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=BERLIN)
    begin = round(noon.replace(hour=0).timestamp()) * 1_000_000
    town.take(*((0, 5 * (i + 1), 1) for i in range(12 * hours + 12)), base=begin)
    first, second = town.counts("P1D", begin)
    assert (first.begin_us, first.end_us) == (begin, begin + hours * HOUR)
    assert (first.count, first.completeness) == (12 * hours, 1.0)
    assert (second.begin_us, second.count) == (first.end_us, 12)


def test_a_week_is_from_monday_to_monday_and_an_hour_longer_in_autumn(town):
    begin = round(datetime(2026, 10, 19, tzinfo=BERLIN).timestamp()) * 1_000_000
    town.take((0, 5, 1), (0, 7 * 24 * 60 + 60, 1), (0, 7 * 24 * 60 + 65, 1), base=begin)
    first, second = town.counts("P1W")
    assert (first.begin_us, first.end_us - first.begin_us) == (begin, 7 * DAY + HOUR)
    assert (first.count, second.count) == (2, 1)


def test_the_running_interval_is_there_and_ends_in_the_future(town):
    town.take(*((0, 5 * (i + 1), 1) for i in range(14)))
    last = town.counts("PT1H")[-1]
    assert (last.count, last.end_us) == (2, MONDAY + 2 * HOUR)
    assert last.completeness == pytest.approx(10 / 60, abs=1e-4)


def test_a_late_reading_corrects_what_was_closed_and_says_when(town):
    rows = [(0, 5 * (i + 1), 2) for i in range(24)]
    town.take(*(row for row in rows if row[1] != 30))
    assert [each.count for each in town.counts("PT1H")] == [22, 24]
    assert [each.corrected_us for each in town.counts("PT1H")] == [None, None]
    town.take((0, 30, 2))
    hour, other = town.counts("PT1H")
    assert (hour.count, hour.completeness, hour.corrected_us) == (24, 1.0, MONDAY + 120 * MIN)
    assert other.corrected_us is None
    changed = [each for each in town.counts("PT5M") if each.corrected_us]
    assert [minute for minute, *_ in short(changed)] == [25]
    # the day is not over
    assert [each.corrected_us for each in town.counts("P1D")] == [None]


def test_what_comes_within_the_time_to_settle_is_no_correction(town):
    town.take((0, 5, 1), (0, 10, 1), (0, 25, 1), (0, 15, 1))
    assert [each.corrected_us for each in town.counts("PT5M")] == [None] * 4


def test_speeds_are_weighted_by_the_vehicles(town):
    town.take((0, 5, 10), (1, 5, 30), (2, 5, 40), (0, 10, 30), (1, 10, 50), (2, 10, 60), (0, 15, 7))
    (quarter,) = town.counts("PT15M")
    assert (quarter.count, quarter.speed_kmh, quarter.v85_kmh) == (47, 45.0, 55.0)
    assert [each.speed_kmh for each in town.counts("PT5M")] == [30.0, 50.0, None]
    assert town.counts("P1D")[0].speed_kmh == 45.0


def test_a_speed_of_nobody_is_none(town):
    town.take((0, 5, 0), (1, 5, 30))
    assert [each.speed_kmh for each in town.counts("PT15M")] == [None]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40), st.integers(0, 90)), min_size=1, max_size=40)
)
def test_the_newest_counts_have_the_speeds_of_the_history(tmp_path_factory, rows):
    it = Town(tmp_path_factory.mktemp("speeds") / "m.db")
    it.take((0, 5, 4), (0, 120, 4), *((series, 3 * time, value) for series, time, value in rows))
    (newest,) = it.machine.traffic()
    for minutes, level in ((5, "PT5M"), (15, "PT15M"), (60, "PT1H")):
        kept = {each.begin_us: each for each in it.counts(level)}
        for each in newest.counts(minutes):
            # the history has no rows of silence
            same = kept.get(each.begin_us, Count(each.begin_us, each.end_us, 0, 0.0))
            assert (each.count, each.speed_kmh, each.v85_kmh) == (same.count, same.speed_kmh, same.v85_kmh)
    it.file.close()


def test_what_is_told_of_the_newest_counts_is_all_of_them_cut_where_it_is_asked_for(town):
    town.take((0, 20, 3), *((0, minute, minute % 7) for minute in range(40, 300, 5)), (1, 290, 33))
    (newest,) = town.machine.traffic()
    cells = tuple(newest.five_minutes)
    assert (newest.five_minutes[-1], newest.five_minutes[3:40:2]) == (cells[-1], cells[3:40:2])
    assert newest.five_minutes[::-1] == cells[::-1]
    assert (newest.five_minutes, hash(newest.five_minutes)) == (cells, hash(cells))
    with pytest.raises(IndexError):
        newest.five_minutes[len(cells)]
    for minutes in (5, 15, 60):
        every = newest.counts(minutes)
        over = tuple(each for each in every if each.end_us <= newest.newest_us)
        assert newest.last_closed(minutes) == over[-1]
        assert newest.closed(minutes, 0, FOR_EVER) == over
        from_us, to_us = MONDAY + 61 * MIN, MONDAY + 241 * MIN
        assert newest.closed(minutes, from_us, to_us) == tuple(
            each for each in over if each.begin_us >= from_us and each.end_us <= to_us
        )
    # the first reading speaks for five minutes of the hour before
    assert newest.counts(60)[0].begin_us == MONDAY + HOUR


def test_the_newest_speed_of_two_devices_is_of_the_vehicles_of_the_one_that_measures_it(tmp_path):
    it = Town(tmp_path / "m.db", ROAD)
    it.take((0, 5, 3), (1, 5, 30), (3, 5, 40))
    (newest,) = it.machine.traffic()
    assert [(each.count, each.speed_kmh) for each in newest.counts(5)] == [(43, 30.0)]
    assert newest.speeds
    # taken away, it has counted all the same
    it.machine.plan_now.counts.standing[0] = False
    it.take((3, 10, 41))
    (newest,) = it.machine.traffic()
    assert [(each.count, each.speed_kmh) for each in newest.counts(5)] == [(43, 30.0), (41, None)]
    assert [each.completeness for each in newest.counts(5)] == [1.0, 1.0]
    it.take((3, 26 * 60, 40))
    assert not it.machine.traffic()[0].speeds
    it.file.close()


def test_devices_of_one_site_are_added_and_both_are_asked_for(tmp_path):
    it = Town(tmp_path / "m.db", ROAD)
    it.take((0, 5, 3), (3, 5, 4), (0, 10, 3))
    assert short(it.counts("PT5M")) == [(0, 7, 1.0), (5, 3, 0.5)]
    it.file.close()


def test_a_device_that_was_taken_away_is_missed_no_more(tmp_path):
    it = Town(tmp_path / "m.db", ROAD)
    it.take((0, 5, 3), (3, 5, 4))
    plan = it.machine.plan_now
    # the list of series stays, the device is not in the registry any more
    plan.counts.standing[1] = False
    it.history.arrange(plan.counts, plan.speeds)
    it.take((0, 10, 3))
    assert short(it.counts("PT5M")) == [(0, 7, 1.0), (5, 3, 1.0)]
    it.file.close()


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.one_of(st.integers(0, 600).map(lambda n: 5 * n), st.integers(0, 12_000)),
        st.integers(0, 60),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.data())
def test_the_history_does_not_depend_on_when_it_was_written(tmp_path_factory, rows, data):
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=6).map(sorted))
    batch = readings(*((s, MONDAY + minute * MIN, float(value)) for s, minute, value in rows))
    folder = tmp_path_factory.mktemp("m")
    one, other = Town(folder / "1.db", ROAD), Town(folder / "2.db", ROAD)
    one.step(batch)
    for part in np.split(batch, cuts):
        other.step(part)
    try:
        assert one.everything() == other.everything()
        assert one.history.sites() == other.history.sites()
    finally:
        one.file.close()
        other.file.close()


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_the_sum_of_the_finer_ones_is_the_coarser_one(tmp_path_factory, rows):
    it = Town(tmp_path_factory.mktemp("m") / "m.db", ROAD)
    for row in rows:
        it.take(row)
    found = it.everything()
    it.file.close()
    totals = {sum(each.count for each in counts) for counts in found.values()}
    assert len(totals) == 1
    assert totals == {int(it.machine._counts.rows["head"]["total"][:2].sum())}
    for finer, coarser in pairwise(LEVELS):
        for each in found[coarser]:
            within = [c for c in found[finer] if each.begin_us <= c.begin_us < each.end_us]
            assert sum(c.count for c in within) == each.count
            assert all(c.end_us <= each.end_us for c in within)
            assert each.count >= 0
            assert 0 <= each.completeness <= 1


def test_writing_again_what_was_written_changes_nothing(town):
    batch = readings(*((0, MONDAY + 5 * MIN * (i + 1), 2.0) for i in range(30)))
    found = town.machine.step(batch)
    town.write(found)
    before = town.everything()
    town.write(found)
    assert town.everything() == before


def test_what_is_old_goes_by_resolution_and_the_coarser_stays(tmp_path):
    it = Town(tmp_path / "m.db", keep=Keep(cells=40, quarters=60, hours=None, days=None, weeks=None))
    it.take((0, 5, 1), (0, 10, 1), base=MONDAY)
    it.take((0, 5, 1), base=MONDAY + 50 * DAY)
    now = MONDAY + 50 * DAY + HOUR
    while it.history.purge(now, sites=1):
        pass
    assert [each.begin_us for each in it.counts("PT5M")] == [MONDAY + 50 * DAY]
    assert [len(it.counts(level)) for level in LEVELS[1:]] == [2, 2, 2, 2]
    # not again within the hour
    assert not it.history.purge(now + MIN)
    while it.history.purge(now + 11 * DAY, sites=1):
        pass
    assert [len(it.counts(level)) for level in LEVELS] == [1, 1, 2, 2, 2]
    assert it.counts("P1D")[0].count == 2
    it.file.close()


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / "m.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    with pytest.raises(MobilityError, match="damaged or no database"):
        open_database(tmp_path / "m.db")


COUNTER = [Series("road", "vehicle_count", "ltr/class1", "00000000000000b1")]


def test_a_gap_is_a_guess_and_the_hour_around_it_is_not(tmp_path):
    it = Town(tmp_path / "m.db", COUNTER)
    it.take(*((0, 5 * i, 6 * i) for i in range(37) if i not in {3, 4}))
    assert short(it.counts("PT5M"))[1:6] == [
        (5, 6, 1.0),
        (10, 6, 0.0),
        (15, 6, 0.0),
        (20, 6, 0.0),
        (25, 6, 1.0),
    ]
    # over the bound of two quarters, within an hour
    assert short(it.counts("PT15M"))[:3] == [
        (0, 18, pytest.approx(2 / 3, abs=1e-3)),
        (15, 18, pytest.approx(1 / 3, abs=1e-3)),
        (30, 18, 1.0),
    ]
    assert [each.completeness for each in it.counts("PT1H")] == [1.0, 1.0, 1.0]
    # of a page, too
    assert [each.completeness for each in it.counts("PT15M", MONDAY + 15 * MIN, limit=1)] == [
        pytest.approx(1 / 3, abs=1e-3)
    ]
    it.file.close()


def test_a_gap_over_the_full_hour_leaves_both_hours_in_doubt_and_not_the_day(tmp_path):
    it = Town(tmp_path / "m.db", COUNTER)
    it.take(*((0, 5 * i, 6 * i) for i in range(12 * 24 + 1) if i != 12))
    first, second, third, *_ = it.counts("PT1H")
    assert [first.count, second.count] == [72, 72]
    assert (first.completeness, second.completeness, third.completeness) == (
        pytest.approx(11 / 12, abs=1e-3),
        pytest.approx(11 / 12, abs=1e-3),
        1.0,
    )
    assert [(each.count, each.completeness) for each in it.counts("P1D")] == [(12 * 24 * 6, 1.0)]
    it.file.close()


def test_a_reset_is_no_bridge(tmp_path):
    it = Town(tmp_path / "m.db", COUNTER)
    it.take(
        *((0, 5 * i, 100_000 + 6 * i) for i in range(6)), *((0, 5 * i, 6 * (i - 6)) for i in range(6, 13))
    )
    (hour,) = it.counts("PT1H", to_us=MONDAY + HOUR)
    assert (hour.count, hour.completeness) == (66, pytest.approx(11 / 12, abs=1e-3))
    it.file.close()


def test_intervals_that_come_a_second_late_leave_no_holes(town):
    town.take(*((0, 5 * (i + 1) + i % 3 / 60, 2) for i in range(13)))
    assert [each.completeness for each in town.counts("PT1H", to_us=MONDAY + HOUR)] == [1.0]


def test_a_second_device_that_begins_before_what_is_kept_spoils_no_sum(tmp_path):
    town = Town(tmp_path / "old.db", ROAD)
    # three days, of two of which the cells go
    town.take(*((0, 5 * (i + 1), 1) for i in range(12 * 24 * 3)))
    later = MONDAY + 42 * DAY
    town.step(readings((0, later, 4.0)))
    while town.history.purge(later):
        pass
    before = {level: town.counts(level, to_us=later - DAY) for level in LEVELS}
    assert [each.count for each in before["P1D"]] == [12 * 24] * 3
    assert len(before["PT5M"]) == 12 * 24
    for minute in (10, 15, 24 * 60):
        town.step(readings((3, MONDAY + minute * MIN, 1.0), (1, MONDAY + minute * MIN, 50.0)))
    after = {level: town.counts(level, to_us=later - DAY) for level in LEVELS}
    assert {level: [each.count for each in after[level]] for level in LEVELS} == {
        level: [each.count for each in before[level]] for level in LEVELS
    }
    town.file.close()


def test_a_site_that_is_new_brings_its_past_along(tmp_path):
    town = Town(tmp_path / "new.db", ROAD, Keep(cells=40))
    town.step(readings((1, MONDAY + 60 * DAY, 50.0)))
    for hour in range(48):
        town.take(*((3, 60 * hour + 5 * (i + 1), 1) for i in range(12)))
    assert [each.count for each in town.counts("P1D", to_us=MONDAY + 2 * DAY)] == [12 * 24] * 2
    assert [each.count for each in town.counts("P1W", to_us=MONDAY + DAY)] == [12 * 48]
    town.file.close()


def test_a_device_that_was_silent_for_long_before_it_was_exchanged_is_missing_nowhere(tmp_path):
    town = Town(tmp_path / "silent.db", ROAD)
    town.take(*((0, 5 * (i + 1), 1) for i in range(24)))
    later = MONDAY + 60 * DAY
    while town.history.purge(later):
        pass
    plan = town.machine.plan(registry(ROAD[3:]), ROAD)
    town.machine.adopt(plan)
    town.history.arrange(plan.counts, plan.speeds)
    town.take(*((3, 5 * (i + 1), 1) for i in range(25)), base=later)
    hours = town.counts("PT1H")
    assert [(each.count, each.completeness) for each in hours if each.count][:4] == [(12, 1.0)] * 4
    town.file.close()
