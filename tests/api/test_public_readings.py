"""What the public sees of readings that are public later, coarser or rounded: over the real store."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.public_readings import PublicReadings
from api.public_rule import PublicRule
from devices.properties import observed_properties
from ingest.reading import READING, Series
from ingest.sqlite_store import SqliteStore
from ingest.store import Point, Query

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
T0 = 1_784_053_800_000_000  # 2026-07-14T18:30:00Z
LEVEL = Series("strunde", "water_level", "", "70b3d57ed0000001")
RAIN = Series("regen", "precipitation", "", "70b3d57ed0000002")
CARS = Series("z-haupt", "vehicle_count", "in", "70b3d57ed0000003")
HIDDEN = Series("strunde", "battery_voltage", "", "70b3d57ed0000001")
SERIES = (CARS, LEVEL, RAIN, HIDDEN)
KINDS = {series: observed_properties()[series.property].kind for series in SERIES}

delays = st.sampled_from([0, 1, 7 * MINUTE, 15 * MINUTE, HOUR])
intervals = st.sampled_from([0, 5 * MINUTE, 15 * MINUTE, HOUR])
rules = st.builds(
    PublicRule, delay_us=delays, coarsen_us=intervals, round_to=st.sampled_from([0.0, 0.5, 10.0])
)
city_rules = st.tuples(rules, rules, rules).map(lambda each: dict(zip(SERIES, each, strict=False)))
# round minutes, their neighbours, and anything
moments = st.one_of(
    st.builds(lambda m, by: m * 5 * MINUTE + by, st.integers(-24, 24), st.sampled_from([-1, 0, 1])),
    st.integers(-2 * HOUR, 2 * HOUR),
).map(lambda each: T0 + each)
values = st.one_of(st.just(math.nan), st.floats(-1e6, 1e6))
readings = st.dictionaries(
    st.tuples(st.integers(0, len(SERIES) - 1), moments),
    st.tuples(values, st.sampled_from([1, 2, 3, 4, 9])),
    max_size=40,
)
world = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def store_of(tmp_path):
    opened, numbers = [], itertools.count()

    def make(kept):
        store = SqliteStore(tmp_path / f"{next(numbers)}.db")
        opened.append(store)
        write(store, kept)
        return store

    yield make
    for store in opened:
        store.close()


def write(store, kept):
    table = np.zeros(len(kept), READING)
    for row, ((number, time_us), (value, quality)) in zip(table, kept.items(), strict=True):
        row["series"], row["time_us"], row["value"], row["quality"] = number, time_us, value, quality
    store.write(SERIES, table)


def seen(store, rule, now_us=T0):
    of = rule if isinstance(rule, dict) else dict.fromkeys((CARS, LEVEL, RAIN), rule)

    def shown(series):
        return (of[series], KINDS[series]) if series in of else None

    return PublicReadings(store, shown, lambda: now_us)


def expected(kept, city, now_us):
    """The definition, reading by reading."""
    points, held = [], {}
    for (number, time_us), (value, quality) in kept.items():
        series = SERIES[number]
        rule = city.get(series)
        if rule is None:
            continue
        newest = now_us - rule.delay_us
        if rule.coarsen_us:
            end = math.ceil(Fraction(time_us, rule.coarsen_us)) * rule.coarsen_us
            if end <= newest:
                held.setdefault((series, end), []).append((time_us, value, quality))
        elif not rule.delay_us or time_us <= newest:
            gone = math.isnan(value) or quality == 9
            points.append((series, time_us, None if gone else value, 9 if gone else quality))
    points += [(*key, *aggregate(key[0], sorted(group))) for key, group in held.items()]
    return sorted(
        (Point(s, t, None if v is None else city[s].rounded(v), q) for s, t, v, q in points),
        key=lambda point: (point.time_us, point.series),
    )


def aggregate(series, group):
    good = [(value, quality) for _, value, quality in group if not math.isnan(value) and quality < 4]
    if len(good) < 2:
        return None, 9
    exact = sum(Fraction(value) for value, _ in good)
    made = {
        "count": float(exact),
        "counter": good[-1][0],
        "gauge": float(exact / len(good)),
    }[KINDS[series]]
    return made, max(quality for _, quality in good)


@world
@given(readings, city_rules, moments)
def test_the_public_sees_what_the_definition_says(store_of, kept, rule, now_us):
    view = seen(store_of(kept), rule, now_us)
    whole = expected(kept, rule, now_us)
    assert list(view.query(Query(SERIES, limit=1000))) == whole
    assert list(view.query(Query(SERIES, limit=1000, descending=True))) == whole[::-1]


@world
@given(readings, city_rules, st.tuples(moments, moments).map(sorted), st.data())
def test_pages_and_parts_of_a_span_are_the_whole(store_of, kept, rule, span, data):
    descending, limit = data.draw(st.booleans()), data.draw(st.integers(1, 5))
    view = seen(store_of(kept), rule)
    from_us, to_us = span
    inside = [p for p in expected(kept, rule, T0) if from_us <= p.time_us < to_us]
    query = Query(SERIES, from_us, to_us, limit, descending=descending)
    pages, page = [], True
    while page:
        page = list(view.query(query))
        assert len(page) <= limit
        pages += page
        query = Query(
            SERIES,
            from_us,
            to_us,
            limit,
            (pages[-1].time_us, pages[-1].series) if pages else None,
            descending,
        )
    assert pages == (inside[::-1] if descending else inside)
    before, after = (list(view.query(Query(SERIES, *span, 1000))) for span in ((from_us, T0), (T0, to_us)))
    if from_us <= T0 <= to_us:
        assert before + after == inside
    alone = [p for series in SERIES for p in view.query(Query([series], from_us, to_us, 1000))]
    assert sorted(alone, key=lambda p: (p.time_us, p.series)) == inside


@world
@given(readings, city_rules, moments)
def test_the_newest_is_the_last_that_is_visible(store_of, kept, rule, now_us):
    view = seen(store_of(kept), rule, now_us)
    whole = expected(kept, rule, now_us)
    newest = {point.series: point for point in whole}
    assert {point.series: point for point in view.latest(SERIES)} == newest


@world
@given(readings, readings, rules.filter(lambda rule: rule.shifted), moments)
def test_nothing_visible_depends_on_what_is_newer_than_the_delay(store_of, kept, later, rule, now_us):
    newest = now_us - rule.delay_us
    past = {key: each for key, each in kept.items() if key[1] <= newest}
    future = {key: each for key, each in later.items() if key[1] > newest}
    without, with_it = seen(store_of(past), rule, now_us), seen(store_of(past | future), rule, now_us)
    for query in (
        Query(SERIES, limit=1000),
        Query(SERIES, limit=1000, descending=True),
        Query(SERIES, limit=1),
        Query(SERIES, newest, limit=1000),
    ):
        assert list(without.query(query)) == list(with_it.query(query))
    assert without.latest(SERIES) == with_it.latest(SERIES)
    assert list(with_it.live(Point(s, now_us, 1.0, 1) for s in SERIES)) == []


def test_a_late_reading_corrects_its_interval(store_of):
    rule = PublicRule(coarsen_us=HOUR)
    store = store_of({(2, T0 - 85 * MINUTE): (1.0, 1), (2, T0 - 80 * MINUTE): (2.0, 1)})
    end = T0 - 30 * MINUTE
    assert list(seen(store, rule).query(Query([RAIN]))) == [Point(RAIN, end, 3.0, 1)]
    write(store, {(2, T0 - 70 * MINUTE): (4.0, 3)})
    assert list(seen(store, rule).query(Query([RAIN]))) == [Point(RAIN, end, 7.0, 3)]


def test_an_interval_never_shows_a_single_reading(store_of):
    rule = PublicRule(coarsen_us=HOUR)
    store = store_of({(number, T0 - 80 * MINUTE): (5.0, 1) for number in range(3)})
    assert [point[2:] for point in seen(store, rule).query(Query(SERIES))] == [(None, 9)] * 3


def test_an_interval_of_more_than_a_float_holds_has_no_value(store_of):
    rule = PublicRule(coarsen_us=HOUR)
    store = store_of({(2, T0 - 85 * MINUTE): (1.7e308, 1), (2, T0 - 80 * MINUTE): (1.7e308, 1)})
    assert [point[2:] for point in seen(store, rule).query(Query(SERIES))] == [(None, 9)]


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.1, 0.25, 0.5, 1.0, 10.0, 50.0]))
def test_a_rounded_value_is_a_multiple_and_stays_near(value, step):
    rounded = PublicRule(round_to=step).rounded(value)
    assert PublicRule(round_to=step).rounded(rounded) == rounded
    if abs(value) < 1e9:
        assert abs(rounded - value) <= step / 2 + 1e-3 * step
        assert abs(rounded / step - round(rounded / step)) < 1e-3


def test_of_all_rules_only_the_live_one_lets_what_comes_through(store_of):
    points = [Point(s, T0, 3.3, 1) for s in SERIES]
    arrived = list(seen(store_of({}), PublicRule(round_to=0.5)).live(points))
    assert arrived == [Point(s, T0, 3.5, 1) for s in SERIES if s != HIDDEN]
    for rule in (PublicRule(public=False), PublicRule(delay_us=1), PublicRule(coarsen_us=MINUTE)):
        assert list(seen(store_of({}), rule).live(points)) == []
