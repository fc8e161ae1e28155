"""Counts per 5, 15 and 60 minutes."""

import random

import pytest
from mobility_city import MIN, T0, catalogue, machine_of, readings

from ingest.reading import Series

ROAD = [Series("road", "vehicle_count", "ltr", "00000000000000b1")]
PEOPLE = [Series("road", "people_count", "ltr", "00000000000000b1")]
PER_INTERVAL = [Series("road", "vehicle_count_interval", "ltr", "00000000000000b1")]
HOUR = -(-T0 // (60 * MIN)) * 60 * MIN


def site(series, *rows, **how):
    machine = machine_of(series, **how)
    machine.step(readings(*((0, HOUR + minute * MIN, value) for minute, value in rows)))
    (found,) = machine.traffic()
    return found


def minutes(counts):
    """Minutes from the hour, count, completeness."""
    return [((c.begin_us - HOUR) // MIN, c.count, c.completeness) for c in counts]


def test_counters_become_counts_of_5_15_and_60_minutes():
    found = site(ROAD, *((5 * i, 1000 + 7 * i) for i in range(25)))
    assert minutes(found.counts(5))[:2] == [(0, 7, 1.0), (5, 7, 1.0)]
    assert minutes(found.counts(15))[:2] == [(0, 21, 1.0), (15, 21, 1.0)]
    assert minutes(found.counts(60)) == [(0, 84, 1.0), (60, 84, 1.0)]
    assert (found.site.station, found.site.property, found.site.channel) == ("road", "vehicle_count", "ltr")


def test_current_and_last_closed_intervals():
    found = site(ROAD, *((5 * i, 7 * i) for i in range(11)))
    assert minutes([found.last_closed(15)]) == [(30, 21, 1.0)]
    # 45-50 of 45-60
    assert minutes([found.current(15)]) == [(45, 7, pytest.approx(1 / 3, abs=0.001))]
    assert found.last_closed(60) is None


def test_interval_counts_end_at_their_time_and_share_the_counters_name():
    found = site(PER_INTERVAL, (5, 3), (10, 4), (15, 5))
    assert minutes(found.counts(5)) == [(0, 3, 1.0), (5, 4, 1.0), (10, 5, 1.0)]
    assert found.site.property == "vehicle_count"


def test_a_lost_uplink_keeps_the_total_and_marks_its_time():
    found = site(ROAD, (0, 100), (5, 110), (15, 140), (20, 150))
    assert minutes(found.counts(5)) == [(0, 10, 1.0), (5, 15, 0.0), (10, 15, 0.0), (15, 10, 1.0)]


def test_a_late_uplink_corrects_what_was_split_by_guess():
    found = site(ROAD, (0, 100), (5, 110), (15, 140), (10, 135))
    assert minutes(found.counts(5)) == [(0, 10, 1.0), (5, 25, 1.0), (10, 5, 1.0)]


def test_a_reset_is_no_spike_and_marked():
    found = site(ROAD, *((5 * i, 5000 + 10 * i) for i in range(4)), (20, 2), (25, 9), (30, 15))
    assert [c.count for c in found.counts(5)] == [10, 10, 10, 0, 7, 6]
    assert [c.completeness for c in found.counts(5)] == [1, 1, 1, 0, 1, 1]


def test_a_counter_wraps():
    how = {"types": catalogue("vehicle_count", 65536), "type_": "sensor"}
    assert [c.count for c in site(ROAD, (0, 65530), (5, 4), **how).counts(5)] == [10]


@pytest.mark.parametrize(
    ("before", "after", "minutes_between", "counted"),
    [
        (65000, 4, 10, 540),
        # more than passes in ten minutes; in fifteen it could
        (64000, 4, 10, 0),
        # in ten hours the limit is no limit
        (65000, 2000, 600, 2536),
        (40000, 4, 600, 0),
    ],
    ids=["wrap", "reset", "wrap in a silence", "reset in a silence"],
)
def test_a_fall_is_a_wrap_only_near_the_counters_end(before, after, minutes_between, counted):
    how = {"types": catalogue("vehicle_count", 65536), "type_": "sensor"}
    rows = (0, before), (minutes_between, after), (minutes_between + 5, after + 6)
    found = site(ROAD, *rows, **how).counts(5)
    assert sum(each.count for each in found) == counted + 6


@pytest.mark.parametrize(("series", "counted"), [(ROAD, 0), (PEOPLE, 2000)], ids=["vehicles", "people"])
def test_more_people_pass_than_vehicles(series, counted):
    assert sum(each.count for each in site(series, (0, 7), (5, 2007)).counts(5)) == counted


def test_devices_of_one_site_are_added():
    twins = [*ROAD, Series("road", "vehicle_count", "ltr", "00000000000000b2")]
    machine = machine_of(twins)
    machine.step(readings(*((s, HOUR + 5 * i * MIN, 3 * i) for i in range(3) for s in (0, 1))))
    (found,) = machine.traffic()
    assert minutes(found.counts(5)) == [(0, 6, 1.0), (5, 6, 1.0)]


def test_a_day_with_losses_repeats_late_uplinks_and_a_reset_adds_up():
    chance = random.Random(7)
    true = [chance.randrange(30) for _ in range(288)]
    counter, rows = 60000, [(0, 60000)]
    for i, passed in enumerate(true):
        counter = (counter + passed) % 65536
        rows.append((5 * (i + 1), counter))
    kept = [row for row in rows if row[0] in (0, 1440) or chance.random() > 0.05]
    kept += chance.sample(kept, 20)
    kept.sort(key=lambda row: row[0] + chance.choice((0, 0, 0, 20)))
    found = site(ROAD, *kept, types=catalogue("vehicle_count", 65536), type_="sensor")
    hours = [c for c in found.counts(60) if c.end_us <= HOUR + 1440 * MIN]
    for each in hours:
        first = (each.begin_us - HOUR) // (5 * MIN)
        if each.completeness == 1:
            assert each.count == sum(true[first : first + 12])
    assert sum(c.count for c in hours) == sum(true)
    assert any(c.completeness < 1 for c in hours)


def test_only_offered_lengths():
    with pytest.raises(ValueError, match="not for 7"):
        site(ROAD, (0, 1), (5, 2)).counts(7)
