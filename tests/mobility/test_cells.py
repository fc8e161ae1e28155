"""Cells of five minutes: sums are exact whatever comes late, twice, split or after a long silence."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mobility_city import MIN, T0, catalogue, machine_of, readings

from ingest.reading import Series

ROAD = Series("road", "vehicle_count", "ltr", "00000000000000b1")
BY_INTERVAL = Series("path", "bicycle_count_interval", "in", "00000000000000b2")
BY_EVENT = Series("gate", "people_count_event", "", "00000000000000b3")
SPEED = Series("road", "vehicle_speed", "ltr", "00000000000000b1")
CITY = [ROAD, BY_INTERVAL, BY_EVENT, SPEED]
DAY = 24 * 60


def machine():
    return machine_of(CITY, types=catalogue("vehicle_count", 65536), type_="sensor")


def batch_of(rows):
    """Rows (series, minute, value)."""
    return readings(*((series, T0 + round(minute * MIN), value) for series, minute, value in rows))


def told(machine, *batches):
    """What the machine says of counts and speeds, as it stands after the batches."""
    counts, speeds = {}, {}
    for batch in batches:
        found = machine.step(batch)
        for slot, mark, *rest in zip(*(each.tolist() for each in found.cells), strict=True):
            counts[slot, mark] = tuple(rest)
        for slot, mark, *rest in zip(*(each.tolist() for each in found.speeds), strict=True):
            speeds[slot, mark] = tuple(rest)
    return counts, speeds


def values(counts):
    """Without when they were touched, and without empty ones."""
    return {key: each[:3] for key, each in counts.items() if any(each[:3])}


def sums(counts):
    found = defaultdict(int)
    for (slot, _), each in counts.items():
        found[slot] += each[0]
    return found


def minutes(counts, slot=0):
    """By the minute a cell begins: count and covered seconds."""
    base = T0 // (5 * MIN)
    return {5 * (mark - base): each[:2] for (of, mark), each in sorted(counts.items()) if of == slot}


ROWS = st.lists(
    st.tuples(
        st.integers(0, len(CITY) - 1),
        st.one_of(
            st.integers(0, 400).map(lambda n: 5 * n),
            st.integers(0, 300 * 60).map(lambda s: s / 60),
            st.sampled_from([2 * DAY, 3 * DAY + 7, 5 * DAY, 29 * DAY]),
        ),
        st.integers(0, 120).map(float),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.data())
def test_one_batch_equals_any_split(rows, data):
    batch = batch_of(rows)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8).map(sorted))
    assert told(machine(), batch) == told(machine(), *np.split(batch, cuts))


@settings(max_examples=150, deadline=None)
@given(ROWS)
@example([(0, 0, 1.0), (0, 5, 0.0), (0, 2880, 0.0)])  # began anew as a cell began, then silent for two days
def test_no_cell_is_negative_and_none_has_more_seconds_than_it_lasts(rows):
    counts, speeds = told(machine(), batch_of(rows))
    assert all(count >= 0 and seconds >= 0 and bridged >= 0 for count, seconds, bridged, _ in counts.values())
    assert all(seconds + bridged <= 301 for _, seconds, bridged, _ in counts.values())
    assert all(0 <= kmh <= 120 for kmh, _ in speeds.values())


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_the_cells_sum_to_what_the_state_holds(rows):
    """Nothing is lost between the cells that were told and the totals that the kernel keeps."""
    it = machine()
    counts, _ = told(it, batch_of(rows))
    rows = it._counts.rows["head"][:3]
    assert [sums(counts)[slot] for slot in range(3)] == rows["total"].tolist()


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 30)), min_size=2, max_size=40),
    st.sampled_from([0, 1, 2]),
    st.randoms(use_true_random=False),
)
def test_late_and_repeated_readings_end_where_the_sorted_ones_end(steps, series, random):
    minute, total, rows = 0, 100, []
    for length, passed in steps:
        minute, total = minute + 5 * length, total + passed
        rows.append((series, minute, float(total if series == 0 else passed)))
    # a counter and an interval begin somewhere: what comes before the first is another matter
    shuffled = rows[1:] + random.sample(rows, len(rows) // 2)
    random.shuffle(shuffled)
    in_order, _ = told(machine(), batch_of(rows))
    late, _ = told(machine(), batch_of([rows[0], *shuffled]))
    assert values(in_order) == values(late)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 90)), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_speeds_do_not_depend_on_the_order(steps, random):
    minute, rows = 0, []
    for length, kmh in steps:
        minute += 5 * length
        rows.append((3, minute, float(kmh)))
    shuffled = rows + random.sample(rows, len(rows) // 2)
    random.shuffle(shuffled)
    _, one = told(machine(), batch_of(rows))
    _, other = told(machine(), batch_of(shuffled))
    assert {key: each[0] for key, each in one.items()} == {key: each[0] for key, each in other.items()}


def test_a_silence_of_days_is_spread_over_all_of_them():
    counts, _ = told(machine(), batch_of([(0, 0, 10.0), (0, 5, 20.0), (0, 5 + 5 * DAY, 20.0 + 1440)]))
    found = minutes(counts)
    assert found[0] == (10, 300)
    assert [found[each] for each in range(5, 5 + 5 * DAY, 5)] == [(1, 0)] * (5 * DAY // 5)


def test_a_silence_that_begins_within_a_cell_keeps_what_the_cell_had():
    counts, _ = told(machine(), batch_of([(0, 0, 10.0), (0, 2, 17.0), (0, 2 + 3 * DAY, 17.0 + 3 * DAY)]))
    found = minutes(counts)
    assert found[0][0] == 7 + 3
    assert sum(each[0] for each in found.values()) == 7 + 3 * DAY


def test_a_reading_a_day_late_still_corrects():
    rows = [(0, 15 * i, float(7 * i)) for i in range(97)]
    lost = rows[1]
    counts, _ = told(machine(), batch_of([*rows[:1], *rows[2:96], lost]))
    assert values(counts) == values(told(machine(), batch_of(rows[:96]))[0])


def test_what_is_too_late_is_counted_and_changes_nothing():
    rows = [(0, 15 * i, float(7 * i)) for i in range(120)]
    it = machine()
    before, _ = told(it, batch_of(rows[:1] + rows[2:]))
    assert it.tally.too_late == 0
    after, _ = told(it, batch_of([rows[1]]))
    assert (it.tally.too_late, after) == (1, {})
    assert sums(before)[0] == 7 * 119


def test_a_late_reading_between_readings_days_apart_is_too_late_where_a_cell_is_forgotten():
    it = machine()
    told(it, batch_of([(0, 0, 10.0), (0, 5, 20.0), (0, 3 * DAY, 500.0)]))
    after, _ = told(it, batch_of([(0, 3 * DAY - 30, 400.0)]))
    assert (after, it.tally.too_late) == ({}, 1)


def test_single_events_count_at_their_moment():
    rows = [(2, 1, 1.0), (2, 2.5, 1.0), (2, 4, 1.0), (2, 17, 1.0), (2, 18, 2.0), (2, 11, 1.0)]
    counts, _ = told(machine(), batch_of(rows))
    assert {key: count for key, (count, _) in minutes(counts, 2).items() if count} == {0: 3, 10: 1, 15: 3}


def test_events_on_a_mark_belong_to_the_cell_that_ends_there():
    counts, _ = told(machine(), batch_of([(2, 5, 1.0), (2, 10, 1.0), (2, 15, 1.0)]))
    assert {key: count for key, (count, _) in minutes(counts, 2).items() if count} == {0: 1, 5: 1, 10: 1}


def test_when_a_cell_was_touched_is_the_newest_time_known_then():
    counts, _ = told(machine(), batch_of([(0, 0, 5.0), (0, 5, 9.0), (1, 60, 2.0), (0, 10, 12.0)]))
    touched = {key: (each[3] - T0) // MIN for key, each in counts.items() if key[0] == 0}
    assert sorted(touched.values()) == [5, 60]


def test_a_late_reading_that_confirms_what_was_said_touches_nothing():
    it = machine()
    told(it, batch_of([(0, 0, 0.0), (0, 7, 14.0)]))
    late, _ = told(it, batch_of([(0, 5, 10.0)]))
    assert late == {}


def test_a_mean_speed_is_weighted_by_the_time_it_speaks_for():
    # reports of five minutes, the second began two minutes after the cell
    _, speeds = told(machine(), batch_of([(3, 5, 40.0), (3, 7, 60.0)]))
    base = T0 // (5 * MIN)
    assert {mark - base: kmh for (_, mark), (kmh, _) in speeds.items()} == {
        0: pytest.approx((300 * 40 + 180 * 60) / 480),
        1: 60.0,
    }


def test_absurd_speeds_are_left_out():
    it = machine()
    assert told(it, batch_of([(3, 5, 900.0), (3, 10, -3.0)])) == ({}, {})
    assert it.tally.implausible == 2
