"""A city's Observations are found by the index of the store's file, never by reading it through."""

import pytest
from city_town import ask, source_of, view_of
from small_town import RAIN, T0, Town, fill

from api.sta.source import Scope

NEWEST = "ORDER BY e.phenomenon_begin DESC, e.id DESC LIMIT 3"
SEEK = "SEARCH readings.readings USING PRIMARY KEY (series=? AND time>? AND time<?)"


@pytest.fixture
def source(tmp_path):
    town = Town(tmp_path)
    fill(town)
    yield source_of(view_of(town))
    town.store.close()
    town.journal.close()
    town.audit.close()


def stream_of(source, name):
    (found,) = ask(source, "Datastreams", f"$filter=properties/property eq '{name}'")["value"]
    return found["@iot.id"]


def plan(source, scope, rest):
    with source.read() as connection:
        rows = source.observations(connection, scope)
        statement = f"EXPLAIN QUERY PLAN SELECT e.id, e.phenomenon_begin FROM {rows.text} AS e WHERE {rest}"
        return [row[3] for row in connection.execute(statement, rows.parameters)]


def test_newest_of_a_datastream_are_the_end_of_the_index(source):
    level = stream_of(source, "water_level")
    steps = plan(source, Scope(datastreams=(level,)), f"e.datastream_id = {level} {NEWEST}")
    # equal times would be sorted by id: a series has none
    assert steps == [SEEK, "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY"]


def test_of_intervals_no_more_are_sorted_than_are_wanted(source):
    rain = stream_of(source, "precipitation")
    scope = Scope(datastreams=(rain,), limit=4, newest_first=True)
    steps = plan(source, scope, f"e.datastream_id = {rain} {NEWEST}")
    assert [each for each in steps if "readings" in each] == [SEEK, SEEK]
    with source.read() as connection:
        rows = source.observations(connection, scope)
        found = connection.execute(f"SELECT count(*) FROM {rows.text} AS e", rows.parameters).fetchone()
    assert found == (4,)


def test_the_first_by_id_are_the_first_of_the_index(source):
    for scope in (Scope(limit=5, by_id=True), Scope(limit=5, by_id=True, id_above=3 << 41)):
        steps = plan(source, scope, "1 ORDER BY e.id LIMIT 3")
        assert steps[0] == "CO-ROUTINE e"
        assert steps[2:] == [SEEK, "SCAN e", "USE TEMP B-TREE FOR ORDER BY"]
        with source.read() as connection:
            rows = source.observations(connection, scope)
            found = connection.execute(f"SELECT count(*) FROM {rows.text} AS e", rows.parameters).fetchone()
        assert found == (5,) or scope.id_above


def test_an_observation_is_found_by_its_id(source):
    scope = Scope(ids=(ask(source, "Observations")["value"][0]["@iot.id"],))
    steps = plan(source, scope, f"e.id = {scope.ids[0]}")
    assert steps[1:] == ["SEARCH s USING INTEGER PRIMARY KEY (rowid=?)", SEEK]


@pytest.mark.parametrize(
    "rest",
    [
        "e.datastream_id = 5",
        "e.feature_id = 5",
        f"e.datastream_id = 5 {NEWEST}",
        "e.datastream_id IN (SELECT id FROM datastreams WHERE name = 'x')",
    ],
)
def test_what_the_statement_around_says_narrows_the_series(source, rest):
    steps = plan(source, Scope(begin_us=T0, limit=7), rest)
    assert steps[0].startswith("SEARCH s USING INDEX city_series_of_")
    assert SEEK in steps


def test_the_span_of_a_datastream_is_two_seeks(source):
    first, last = source.span("e.id")
    with source.read() as connection:
        statement = f"EXPLAIN QUERY PLAN SELECT {first.text}, {last.text} FROM datastreams AS e"
        steps = [row[3] for row in connection.execute(statement)]
    assert steps.count(SEEK) == 2
    assert not any("readings" in each for each in steps if each != SEEK)


def test_a_caller_who_sees_nothing_costs_nothing(tmp_path):
    town = Town(tmp_path)
    town.measure(RAIN, T0, ("battery_voltage", 3.6))
    source = source_of(view_of(town))
    assert ask(source, "Observations", "$count=true")["@iot.count"] == 0
    town.store.close()
    town.journal.close()
    town.audit.close()
