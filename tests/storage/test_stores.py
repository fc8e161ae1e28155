"""What every store does, shown on each of them."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_samples import CARS_IN, CARS_OUT, LEVEL, RAIN, SERIES, T0, points, readings

from api.public_readings import PublicReadings
from api.public_rule import PublicRule
from ingest.errors import StoreError
from ingest.reading import READING, Series
from ingest.store import Point, Query
from ingest.stores import open_store

# each example makes a store of its own through `new_store`
ONE_FIXTURE = {"suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
EXAMPLES = settings(max_examples=25, deadline=None, **ONE_FIXTURE)

# few times and series, so that rows meet
ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.integers(0, 6),
        st.floats(allow_subnormal=False) | st.integers(-5, 5).map(float),
        st.sampled_from([1, 2, 3, 4, 9]),
    ),
    max_size=40,
)
TAG = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.text(
    r"""ä ,="'\%#5C20n""" + "\n\r\t", min_size=1, max_size=8
)


def everything(store, series=SERIES):
    return list(store.query(Query(series, limit=10**6)))


def test_an_empty_store_answers_nothing(store):
    store.ping()
    assert everything(store) == []
    assert list(store.latest()) == []
    assert list(store.latest(SERIES)) == []
    store.write(SERIES, readings())
    assert everything(store) == []


def test_what_was_written_is_read_back_in_order_of_time_and_series(store):
    table = readings((1, 20, 3.5), (0, 20, 0.2), (3, 10, 7), (2, 10, 8), (0, 5, 0.1, 3))
    store.write(SERIES, table)
    assert everything(store) == [
        Point(RAIN, T0 + 5, 0.1, 3),
        Point(CARS_IN, T0 + 10, 8.0, 1),
        Point(CARS_OUT, T0 + 10, 7.0, 1),
        Point(RAIN, T0 + 20, 0.2, 1),
        Point(LEVEL, T0 + 20, 3.5, 1),
    ]
    assert list(store.query(Query(SERIES, descending=True))) == everything(store)[::-1]


def test_a_query_takes_from_and_leaves_to_and_asks_only_for_its_series(store):
    store.write(SERIES, readings(*((number, time, 1) for number in range(4) for time in range(5))))
    query = Query([RAIN, CARS_OUT], from_us=T0 + 1, to_us=T0 + 3)
    assert [(point.series, point.time_us - T0) for point in store.query(query)] == [
        (CARS_OUT, 1),
        (RAIN, 1),
        (CARS_OUT, 2),
        (RAIN, 2),
    ]
    assert list(store.query(Query([RAIN], limit=0))) == []
    assert list(store.query(Query([]))) == []
    assert list(store.query(Query([Series("elsewhere", "precipitation", "", "0")]))) == []


def test_a_value_that_is_none_is_kept_as_missing(store):
    nan, infinite = float("nan"), float("inf")
    store.write(SERIES, readings((0, 1, nan, 9), (0, 2, infinite), (0, 3, 4.0, 9), (0, 4, nan, 4)))
    assert everything(store) == [Point(RAIN, T0 + time, None, 9) for time in (1, 2, 3, 4)]
    assert list(store.latest()) == [Point(RAIN, T0 + 4, None, 9)]


def test_the_latest_is_the_newest_by_event_time(store):
    store.write(SERIES, readings((0, 50, 1), (1, 10, 2)))
    store.write(SERIES, readings((0, 40, 9), (1, 11, 3)))
    newest = {Point(RAIN, T0 + 50, 1.0, 1), Point(LEVEL, T0 + 11, 3.0, 1)}
    assert set(store.latest()) == newest
    assert set(store.latest(SERIES)) == newest
    assert list(store.latest([LEVEL])) == [Point(LEVEL, T0 + 11, 3.0, 1)]


def test_a_correction_overwrites_also_a_value_that_turns_out_missing(store):
    store.write(SERIES, readings((0, 1, 5.0)))
    store.write(SERIES, readings((0, 1, float("nan"), 9)))
    assert everything(store) == [Point(RAIN, T0 + 1, None, 9)]
    store.write(SERIES, readings((0, 1, 6.0, 3)))
    assert everything(store) == [Point(RAIN, T0 + 1, 6.0, 3)]


def test_more_than_a_batch_and_a_page(store):
    table = readings(*((number % 4, number // 4, number) for number in range(12_000)))
    store.write(SERIES, table)
    assert everything(store) == points(SERIES, table)
    query = Query(SERIES, from_us=T0 + 100, limit=11_000, descending=True)
    assert list(store.query(query)) == points(SERIES, table)[400:][::-1][:11_000]


def test_many_series_at_one_time(store):
    series = [Series(f"station-{number}", "air_temperature", "", f"{number:016x}") for number in range(250)]
    table = readings(*((number, time, number) for time in range(3) for number in range(250)))
    store.write(series, table)
    assert everything(store, series) == points(series, table)
    assert list(store.query(Query(series, limit=100))) == points(series, table)[:100]
    assert len(store.latest()) == 250
    assert len(store.latest(series)) == 250


@EXAMPLES
@given(rows=ROWS, data=st.data())
def test_written_twice_in_any_split_is_written_once(new_store, rows, data):
    table = readings(*rows)
    store = new_store()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    for part in np.split(table, cuts):
        store.write(SERIES, part)
        store.write(SERIES, part)
    assert everything(store) == points(SERIES, table)


@EXAMPLES
@given(rows=ROWS, data=st.data())
def test_any_order_of_batches_holds_the_same(new_store, rows, data):
    table = readings(*{row[:2]: row for row in rows}.values())
    store = new_store()
    order = data.draw(st.permutations(range(len(table))))
    for part in np.array_split(table[list(order)], 3):
        store.write(SERIES, part)
    assert everything(store) == points(SERIES, table)


@EXAMPLES
@given(
    rows=ROWS,
    window=st.tuples(st.integers(-1, 7), st.integers(0, 8)),
    page_by=st.tuples(st.integers(1, 7), st.booleans()),
    wanted=st.sets(st.sampled_from(SERIES)),
)
def test_pages_make_the_whole(new_store, rows, window, page_by, wanted):
    size, descending = page_by
    store = new_store()
    table = readings(*rows)
    store.write(SERIES, table)
    low, high = T0 + window[0], T0 + sum(window)
    whole = [row for row in points(SERIES, table) if row.series in wanted and low <= row.time_us < high]
    if descending:
        whole.reverse()
    paged = []
    after = None
    while page := list(store.query(Query(tuple(wanted), low, high, size, after, descending))):
        assert len(page) <= size
        paged += page
        after = (page[-1].time_us, page[-1].series)
    assert paged == whole


@EXAMPLES
@given(rows=ROWS)
def test_latest_is_what_a_query_would_find(new_store, rows):
    store = new_store()
    table = readings(*rows)
    store.write(SERIES, table)
    newest = {point.series: point for point in points(SERIES, table)}
    assert {point.series: point for point in store.latest()} == newest
    assert {point.series: point for point in store.latest(SERIES)} == newest


@settings(EXAMPLES, max_examples=60)
@given(
    series=st.lists(
        st.builds(Series, station=TAG, property=TAG, channel=TAG | st.just(""), dev_eui=TAG), unique=True
    )
)
def test_names_survive_whatever_characters_they_have(new_store, series):
    store = new_store()
    table = readings(*((number, number, number) for number in range(len(series))))
    store.write(series, table)
    assert everything(store, series) == points(series, table)
    assert set(store.latest()) == set(points(series, table))


@EXAMPLES
@given(
    st.lists(
        st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.integers(-T0 // 1000, 4 * T0)),
        max_size=30,
        unique_by=lambda row: row[1],
    )
)
def test_values_and_times_survive_to_the_last_bit(new_store, rows):
    store = new_store()
    table = np.zeros(len(rows), READING)
    table["value"] = [value for value, _ in rows]
    table["time_us"] = [time for _, time in rows]
    table["quality"] = 1
    store.write(SERIES, table)
    assert everything(store) == points(SERIES, table)


def test_a_store_that_does_not_exist_says_what_to_do(tmp_path):
    for url in (
        "postgres://x",
        "sqlite://host/x.db",
        "sqlite:///",
        "influxdb://:8086/b",
        "influxdb://h/b?tokn=1",
    ):
        with pytest.raises(StoreError, match=r"sqlite:|influxdb:|allowed are"):
            open_store(url)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="name another file"):
        open_store(f"sqlite://{tmp_path}/file/readings.db")
    random.seed(0)
    (tmp_path / "noise.db").write_bytes(random.randbytes(9000))
    with pytest.raises(StoreError, match="restore it from a backup"):
        open_store(f"sqlite://{tmp_path}/noise.db")


def test_the_public_s_intervals_are_the_same_whatever_the_store(new_store):
    store = new_store()
    hour = 3_600_000_000
    begin = -T0 % hour  # of an hour, µs after T0
    store.write(
        SERIES,
        readings(
            (0, begin + 1, 1.5),
            (0, begin + hour, 2.0),
            (0, begin + hour + 1, 4.0),
            (1, begin + 5, 10.0),
            (1, begin + 6, 20.0),
            (2, begin + 7, 7.0),
        ),
    )
    rules = {RAIN: ("count", hour), LEVEL: ("gauge", hour), CARS_IN: ("counter", 0)}

    def shown(series):
        kind, coarsen_us = rules[series]
        return PublicRule(coarsen_us=coarsen_us, delay_us=hour), kind

    first, second = (T0 + begin + n * hour for n in (1, 2))
    view = PublicReadings(store, shown, lambda: second + hour)
    wanted = Query(list(rules))
    found = [
        Point(CARS_IN, T0 + begin + 7, 7.0, 1),
        Point(RAIN, first, 3.5, 1),
        Point(LEVEL, first, 15.0, 1),
        Point(RAIN, second, None, 9),
    ]
    assert list(view.query(wanted)) == found
    assert list(view.query(replace(wanted, descending=True))) == found[::-1]
    assert list(view.query(replace(wanted, after=(first, RAIN), limit=1))) == found[2:3]
    assert list(view.latest(list(rules))) == [found[3], found[2], found[0]]
