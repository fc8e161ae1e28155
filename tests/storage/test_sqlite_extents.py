"""What the SQLite store says each series has is what it has, whatever came and went."""

import sqlite3
import time
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_samples import SERIES, T0, readings

from ingest.sqlite_store import SqliteStore

# few times, some of them in one millisecond, before 1970 or after 2069
TIMES = st.sampled_from([0, 1, 2, 3, 10]).flatmap(
    lambda ms: st.sampled_from([0, 1, 500, 999]).map(lambda us: ms * 1000 + us)
) | st.sampled_from([-T0 - 1, -T0 - 999, -T0 - 1000, -T0, -T0 + 999, 2 * T0, 2 * T0 + 1])
WRITTEN = st.lists(
    st.tuples(st.integers(0, 3), TIMES, st.sampled_from([1.5, float("nan")])), min_size=1, max_size=12
)
GONE = st.tuples(st.integers(0, 3), st.lists(st.tuples(TIMES, TIMES).map(sorted), min_size=1, max_size=3))
STEPS = st.lists(
    st.one_of(
        WRITTEN.map(lambda rows: ("write", rows)),
        GONE.map(lambda gone: ("delete", gone)),
        st.sets(st.integers(1, 4)).map(lambda numbers: ("forget", numbers)),
        st.just(("reopen", None)),
    ),
    max_size=10,
)
OF_BEFORE = ("DROP TRIGGER series_added", "DROP TRIGGER reading_added", "DROP TRIGGER reading_gone")


def said(store, path):
    with closing(sqlite3.connect(path)) as connection:
        return {row[0]: row[1:] for row in connection.execute(f"SELECT * FROM {store.extents('main')}")}


def counted(path):
    with closing(sqlite3.connect(path)) as connection:
        times = {number: [] for (number,) in connection.execute("SELECT number FROM series")}
        for number, time_us in connection.execute("SELECT series, time FROM readings"):
            times[number].append(time_us)
    return {
        number: (len({each // 1000 for each in own}), min(own, default=None), max(own, default=None))
        for number, own in times.items()
    }


def when_counted(store, path):
    end = time.monotonic() + 120
    while any(moments is None for moments, _, _ in said(store, path).values()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return said(store, path)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_extents_are_what_counting_finds_after_anything(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("store") / "readings.db"
    store = SqliteStore(path)
    for step, what in steps:
        if step == "write":
            store.write(SERIES, readings(*what))
        elif step == "delete":
            number, spans = what
            store.delete(SERIES[number], [(T0 + first, T0 + last) for first, last in spans])
        elif step == "forget":
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.executemany(
                    "UPDATE extents SET moments = NULL, first = NULL, last = NULL WHERE series = ?",
                    [(number,) for number in what],
                )
        else:
            store.close()
            store = SqliteStore(path)
        found, truth = said(store, path), counted(path)
        assert found.keys() == truth.keys()
        assert all(own == (None, None, None) or own == truth[number] for number, own in found.items())
    store.close()
    store = SqliteStore(path)
    assert when_counted(store, path) == counted(path)
    store.close()


def test_a_file_of_before_is_counted_while_it_is_written_to(tmp_path):
    path = tmp_path / "readings.db"
    store = SqliteStore(path)
    store.write(
        SERIES, readings(*((number, time_us, 1) for number in range(4) for time_us in range(0, 9000, 700)))
    )
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        for statement in (*OF_BEFORE, "DROP TABLE extents"):
            connection.execute(statement)
    store = SqliteStore(path)
    store.write(
        SERIES, readings(*((number, time_us, 2) for number in range(3) for time_us in range(0, 9500, 350)))
    )
    assert when_counted(store, path) == counted(path)
    store.close()


@pytest.mark.parametrize("sql", ["INSERT INTO readings VALUES(1, 5, 1.0, 1)", "DELETE FROM readings"])
def test_what_another_program_does_is_counted_too(tmp_path, sql):
    path = tmp_path / "readings.db"
    store = SqliteStore(path)
    store.write(SERIES, readings((0, 0, 1), (0, 1000, 1)))
    before = said(store, path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)
    assert said(store, path) == counted(path) != before
    store.close()
