"""A city answers the same whatever keeps its readings, and as if they were in tables of their own."""

import contextlib
import itertools
import sqlite3
import tempfile
from pathlib import Path

import pytest
import servers
from city_town import SERIES, ids, source_of, town_with, view_of, walk
from city_town import copied as copied_to
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.influx_store import InfluxStore

# few times, so that rows meet, some in one millisecond; many readings within the interval that a rain gauge's
# readings are said to end
ROWS = st.lists(
    st.tuples(
        st.integers(0, len(SERIES) - 1),
        st.builds(
            lambda minute, us: minute + us / 60e6,
            st.integers(0, 30),
            st.sampled_from([0, 0, 0, 1, 400, 1000]),
        ),
        st.integers(0, 9).map(lambda number: number / 2) | st.none(),
        st.sampled_from([1, 3, 4]),
    ),
    min_size=1,
    max_size=60,
    unique_by=lambda row: row[:2],
).map(lambda rows: [(at, time, value, 9 if value is None else quality) for at, time, value, quality in rows])
WHEN = "2026-07-14T18:40:00Z"
ASKED = [
    ("Observations", "$top=3"),
    ("Observations", "$top=4&$count=true&$orderby=phenomenonTime desc"),
    ("Observations", "$top=4&$orderby=phenomenonTime"),
    ("Observations", "$top=1&$skip=2&$orderby=phenomenonTime desc"),
    ("Observations", "$top=3&$count=true"),
    ("Observations", "$top=3&$orderby=id desc"),
    ("Observations", "$top=2&$skip=3"),
    ("Observations", "$top=3&$filter=result gt 2&$count=true"),
    ("Observations", "$top=3&$filter=result eq true or result eq null"),
    ("Observations", f"$top=3&$filter=phenomenonTime ge {WHEN}"),
    ("Observations", f"$top=3&$filter=phenomenonTime lt {WHEN}&$orderby=phenomenonTime desc"),
    ("Observations", f"$filter=Datastream/id eq {{Datastreams}} and phenomenonTime le {WHEN}"),
    ("Observations", "$filter=Datastream/properties/serviceName eq 'GL_STA_Pegel'&$expand=FeatureOfInterest"),
    ("Observations({Observations})", "$expand=Datastream"),
    ("Datastreams({Datastreams})/Observations", "$top=2"),
    ("Datastreams({Datastreams})/Observations", "$top=2&$orderby=phenomenonTime desc"),
    ("Datastreams({Datastreams})/Observations", "$top=2&$orderby=id desc"),
    ("Datastreams({Datastreams})/Observations", "$top=2&$orderby=result desc,id"),
    ("Datastreams({Datastreams})/Observations", "$top=3&$filter=result gt 2"),
    ("FeaturesOfInterest({FeaturesOfInterest})/Observations", "$top=2&$orderby=phenomenonTime asc"),
    ("Datastreams", "$filter=Observations/result gt 3"),
    ("Datastreams", f"$filter=phenomenonTime gt {WHEN}"),
    ("Datastreams", "$expand=Observations($top=2;$orderby=phenomenonTime desc;$count=true)"),
    ("Datastreams", "$expand=Observations($top=2)"),
    ("Datastreams", "$expand=Observations($top=1;$skip=1;$orderby=phenomenonTime desc)"),
    ("Datastreams", "$expand=Observations($top=0;$count=true)"),
    ("Datastreams({Datastreams})/Observations", "$top=2&$count=true"),
    ("FeaturesOfInterest({FeaturesOfInterest})/Observations", "$top=2&$count=true"),
    ("FeaturesOfInterest", "$expand=Observations($top=1;$count=true;$orderby=phenomenonTime desc)"),
    ("Datastreams", "$expand=Observations($top=2;$filter=result lt 2;$orderby=phenomenonTime)"),
    ("Things", "$expand=Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))&$top=2"),
    ("FeaturesOfInterest", "$expand=Observations($top=3;$orderby=phenomenonTime desc)"),
]
SETS = ("Datastreams", "Observations", "FeaturesOfInterest")
numbers = itertools.count()


@pytest.fixture(scope="module")
def influxd(tmp_path_factory):
    server = servers.influxd(tmp_path_factory.mktemp("influxd"))
    server.start()
    yield server
    server.stop()


def same(rows, asked, operator, other):
    with tempfile.TemporaryDirectory() as folder, town_with(Path(folder), rows) as town:
        view = view_of(town, operator)
        source = source_of(view)
        copied = copied_to(source, Path(folder) / "copied.db")
        known = {name: ids(copied, name) for name in SETS}
        for path, query in asked:
            if any(f"{{{name}}}" in path + query and not known[name] for name in SETS):
                continue
            chosen = {name: each[len(rows) % len(each)] if each else 0 for name, each in known.items()}
            question = path.format(**chosen), query.format(**chosen)
            expected = walk(copied, *question)
            assert walk(source, *question) == expected
            with other(town, view) as second:
                assert walk(second, *question) == expected


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, st.lists(st.sampled_from(ASKED), min_size=1, max_size=4), st.sampled_from([None, "leitstelle"]))
def test_series_apart_are_answered_like_those_of_the_file(rows, asked, operator):
    def other(_, view):
        return contextlib.nullcontext(
            source_of(view, special=lambda _, series: series.property in {"precipitation", "water_level"})
        )

    same(rows, asked, operator, other)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, st.lists(st.sampled_from(ASKED), min_size=1, max_size=4), st.sets(st.integers(1, len(SERIES))))
def test_a_store_that_has_not_counted_everything_answers_like_one_that_has(rows, asked, uncounted):
    @contextlib.contextmanager
    def other(town, view):
        with contextlib.closing(sqlite3.connect(town.store.path)) as connection, connection:
            connection.executemany(
                "UPDATE extents SET moments = NULL, first = NULL, last = NULL WHERE series = ?",
                [(number,) for number in uncounted],
            )
        yield source_of(view)

    same(rows, asked, None, other)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(ROWS, st.lists(st.sampled_from(ASKED), min_size=3, max_size=6), st.sampled_from([None, "leitstelle"]))
def test_influxdb_is_answered_from_like_sqlite(influxd, rows, asked, operator):
    store = InfluxStore(f"influxdb1://127.0.0.1:{influxd.port}/city-{next(numbers)}")
    written = []

    @contextlib.contextmanager
    def other(town, _):
        if not written:
            store.write(town.journal.series(), town.journal.read(0, 10_000)[1])
            written.append(True)
        yield source_of(view_of(town, operator, store=store))

    same(rows, asked, operator, other)
    store.close()


@pytest.mark.parametrize(("path", "query"), ASKED)
def test_each_question_has_the_answer_of_tables(path, query):
    rows = [
        (at, minute, (at + minute) % 7 / 2, 1) for at in range(len(SERIES)) for minute in range(at, 25, 2)
    ]

    def other(_, view):
        return contextlib.nullcontext(source_of(view, special=lambda *_: True))

    same(rows, [(path, query)], None, other)
