"""Forecasts as the machine makes them of readings: looked at in time, put right, told with the car park."""

from itertools import pairwise

import numpy as np
import pytest
from mobility_city import MIN, machine_of, readings

from alerts.mobility.calendar import QUARTER_US
from alerts.mobility.car_park import HandCount
from alerts.mobility.forecast_days import DAY
from ingest.reading import Series

CITY = [
    Series("loewe", "parking_occupancy", "", "00000000000000b1"),
    Series("strasse", "vehicle_count_interval", "in", "00000000000000c1"),
]
NO_ROADS = [CITY[0], Series("markt", "parking_occupancy", "", "00000000000000c1")]
HOW = {"capacity": 100, "interval_s": 900}
MONDAY_US = 20_605 * 96 * QUARTER_US
DAYS = 11
ENOUGH = 10 * 96


def taken(quarter):
    return float(np.rint(50 + 40 * np.sin(quarter / 96 * 2 * np.pi)))


def reported(first, last):
    """The barrier tells its number two minutes before each quarter of an hour, the street just after it."""
    rows = []
    for quarter in range(first, last):
        time = MONDAY_US + (quarter + 1) * QUARTER_US
        rows += [(0, time - 2 * MIN, taken(quarter)), (1, time + 1_000_000, 5.0)]
    return readings(*rows)


@pytest.fixture(scope="module")
def ten_days():
    machine = machine_of(CITY, **HOW)
    machine.step(reported(0, ENOUGH))
    return machine.pages()


def again(pages, city=CITY):
    return machine_of(city, state=pages, **HOW)


def only(machine):
    (found,) = machine.parking()
    return found


def test_a_car_park_tells_what_is_expected_of_it(ten_days):
    found = only(again(ten_days))
    assert [each.minutes for each in found.expected] == [15, 30, 60]
    newest = MONDAY_US + ENOUGH * QUARTER_US
    assert {each.from_us for each in found.expected} == {newest}
    for each, ahead in zip(found.expected, (1, 2, 4), strict=True):
        assert abs(each.free - (100 - taken(ENOUGH - 1 + ahead))) <= 1


def test_in_the_first_week_nothing_is_expected():
    machine = machine_of(CITY, **HOW)
    machine.step(reported(0, 6 * 96))
    assert only(machine).expected == ()
    assert {each.published for each in machine.forecast_scores()} == {"none"}
    assert {each.mae for each in machine.forecast_scores()} == {None}


def test_what_is_expected_goes_when_the_car_park_falls_silent(ten_days):
    machine = again(ten_days)
    newest = MONDAY_US + ENOUGH * QUARTER_US
    machine.step(readings((1, newest + 25 * MIN, 5.0)))
    assert only(machine).expected
    machine.step(readings((1, newest + 50 * MIN, 5.0)))
    machine.step(readings((1, newest + 120 * MIN, 5.0)))
    assert only(machine).expected == ()
    (found,) = machine.parking(newest + 200 * MIN)
    assert found.expected == ()


def test_scores_are_told_by_car_park_and_horizon(ten_days):
    found = again(ten_days).forecast_scores()
    assert [(each.station, each.minutes) for each in found] == [("loewe", n) for n in (15, 30, 60)]
    for each in found:
        assert each.forecasts > 96
        assert each.mae <= min(each.mae_as_now, each.mae_as_last_week)
        assert each.published == "learned"
        assert each.errors == {
            "learned": each.mae,
            "as_now": each.mae_as_now,
            "as_last_week": each.mae_as_last_week,
        }


@pytest.mark.parametrize("city", [CITY, NO_ROADS], ids=["roads", "no roads"])
@pytest.mark.parametrize("size", [1, 7, 50])
def test_any_split_and_a_restart_give_the_same(ten_days, size, city):
    batch = reported(ENOUGH, ENOUGH + 60)
    one, other = again(ten_days, city), again(ten_days, city)
    one.step(batch)
    kept = dict(ten_days)
    for number, (begin, end) in enumerate(pairwise([*range(0, len(batch), size), len(batch)])):
        other.step(batch[begin:end])
        if number % 5 == 4:
            kept |= other.pages()
            other = again(kept, city)
    assert one.parking() == other.parking()
    assert {**ten_days, **one.pages()} == {**kept, **other.pages()}


def test_a_number_that_comes_late_replaces_what_was_seen(ten_days):
    batch = reported(ENOUGH, ENOUGH + 8)
    late = batch.copy()
    # the street has passed the quarter before the barrier is heard
    late[[6, 7]] = late[[7, 6]]
    right, put_right = again(ten_days), again(ten_days)
    right.step(batch)
    put_right.step(late[:8])
    assert _seen(put_right, 3) != _seen(right, 3)
    put_right.step(late[8:])
    assert _seen(put_right, 3) == _seen(right, 3)


def test_what_is_expected_goes_on_from_a_count_by_hand_at_once():
    gates = [
        Series("loewe", "vehicle_count", way, f"00000000000000b{n}") for n, way in enumerate(("in", "out"))
    ]
    machine = machine_of(gates, **HOW)
    rows, passed = [], [1000.0, 1000.0]
    for quarter in range(ENOUGH):
        came = taken(quarter) - (taken(quarter - 1) if quarter else 0.0)
        passed[came < 0] += abs(came)
        rows += [(n, MONDAY_US + (quarter + 1) * QUARTER_US - MIN, passed[n]) for n in (0, 1)]
    newest = MONDAY_US + ENOUGH * QUARTER_US
    machine.step(readings(*rows, *((n, newest + n, passed[n]) for n in (0, 1))))
    before = only(machine)
    assert [each.minutes for each in before.expected] == [15, 30, 60]
    machine.count(HandCount(1, "loewe", newest, before.occupied + 20, "Erika Muster"))
    after = only(machine)
    assert after.free == before.free - 20
    for then, now in zip(before.expected, after.expected, strict=True):
        assert now.from_us == then.from_us
        assert 10 <= then.free - now.free <= 25  # a step is also a bit of a trend
        assert 0 <= now.low <= now.free <= now.high <= 100
    # the same machine started again says the same
    assert only(machine_of(gates, state=dict(machine.pages()), **HOW)).expected == after.expected


def _seen(machine, quarter):
    rows = machine._forecasts.tables[0].rows
    assert rows.dtype == DAY
    day, at = divmod(ENOUGH + quarter + 1, 96)
    return rows["occupied"][(20_605 + day) % 42, at + 8]
