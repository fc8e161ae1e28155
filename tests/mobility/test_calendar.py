"""Local days, kinds of day and quarters of the clock."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from alerts.mobility.calendar import HOLIDAY, LANDS, QUARTER_US, Calendar

BERGISCH_GLADBACH = "053780004004"


def us(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 7, 13), 0),
        (date(2026, 7, 18), 5),
        (date(2026, 7, 19), 6),
        (date(2026, 5, 14), HOLIDAY),  # Ascension, a Thursday
        (date(2026, 6, 4), HOLIDAY),  # Corpus Christi: of North Rhine-Westphalia
        (date(2026, 11, 1), HOLIDAY),  # All Saints', a Sunday
        (date(2026, 10, 31), 5),  # Reformation Day is none here
        (date(2026, 12, 24), 3),
    ],
)
def test_kinds_of_day_in_north_rhine_westphalia(day, kind):
    assert Calendar("Europe/Berlin", BERGISCH_GLADBACH).type_of(day) == kind


def test_a_city_elsewhere_has_the_holidays_of_its_land():
    hamburg, berlin = Calendar(ars="020000000000"), Calendar(ars="110000000000")
    assert hamburg.type_of(date(2025, 10, 31)) == HOLIDAY
    assert berlin.type_of(date(2025, 10, 31)) == 4
    assert berlin.type_of(date(2025, 3, 8)) == HOLIDAY


def test_without_a_land_only_the_holidays_of_all_germany():
    everywhere = Calendar()
    assert everywhere.type_of(date(2026, 10, 3)) == HOLIDAY
    assert everywhere.type_of(date(2026, 6, 4)) == 3


def test_every_land_has_a_calendar():
    assert len(set(LANDS.values())) == 16
    assert all(Calendar(ars=f"{digits}0000000000").type_of(date(2026, 5, 1)) == HOLIDAY for digits in LANDS)


def test_a_quarter_belongs_to_the_local_day():
    found = Calendar().slots(
        np.array([us(2026, 7, 13, 22, 0), us(2026, 7, 13, 21, 45), us(2026, 1, 5, 8, 15)])
    )
    assert found.quarter.tolist() == [0, 95, 37]
    assert found.type.tolist() == [1, 0, 0]
    assert (found.day[0] - found.day[1]) == 1


@pytest.mark.parametrize(
    ("first", "quarters", "twice"), [((2026, 3, 28, 23), 92, 0), ((2026, 10, 24, 22), 100, 4)]
)
def test_days_of_23_and_25_hours(first, quarters, twice):
    begin = us(*first)
    found = Calendar().slots(begin + QUARTER_US * np.arange(quarters + 1))
    assert (found.day[:-1] == found.day[0]).all()
    assert found.day[-1] == found.day[0] + 1
    assert found.again.sum() == twice
    assert set(found.quarter[:-1].tolist()) == set(range(96)) - (set() if twice else {8, 9, 10, 11})
    # the hour that comes again has its first pass's quarters
    assert found.quarter[found.again].tolist() == [8, 9, 10, 11][:twice]
