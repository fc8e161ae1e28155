import pytest
from town_of_rows import T0, NarrowSource, TableSource, ids, plan, town

from api.sta.filter_parser import parse_filter
from api.sta.model import ENTITY_SETS
from api.sta.scope import scope_of
from api.sta.source import Scope

HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def connection():
    connection = town()
    yield connection
    connection.close()


PLANS = [
    ("Datastreams", "Thing/id eq 5", ["SEARCH e USING INDEX datastreams_of_thing (thing_id=?)"]),
    ("Things", "id eq 7", ["SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"]),
    ("Things", "id eq '7'", ["SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"]),
    ("Things", "id in (7, 8)", ["SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"]),
    (
        "Observations",
        "Datastream/id eq 1 and phenomenonTime ge 2026-01-01 and phenomenonTime lt 2026-01-02",
        [
            (
                "SEARCH e USING INDEX observations_of_datastream"
                " (datastream_id=? AND phenomenon_begin>? AND phenomenon_begin<?)"
            )
        ],
    ),
]


@pytest.mark.parametrize(("name", "text", "expected"), PLANS)
def test_filter_is_served_by_an_index(connection, name, text, expected):
    assert plan(connection, name, parse_filter(text)) == expected


REACHING = [
    ("Things", "Datastreams/id eq 3"),
    ("Things", "Datastreams/name eq 'a' and Datastreams/properties/serviceName eq 'x'"),
    ("Things", "Locations/name eq 'Markt'"),
    ("Observations", "Datastream/name eq 'a'"),
    ("Observations", "Datastream/Thing/name eq 'Mast' and result gt 3"),
    ("Observations", "Datastream/Thing/Locations/name eq 'Markt'"),
    ("Observations", "Datastream/properties/serviceName eq 'GL_STA_Pegel'"),
    ("Observations", "FeatureOfInterest/name eq 'here'"),
]


@pytest.mark.parametrize(("name", "text"), REACHING)
def test_filter_over_links_finds_its_rows_by_an_index(connection, name, text):
    lines = plan(connection, name, parse_filter(text))
    assert any(line.startswith("SEARCH e USING ") for line in lines), lines


@pytest.mark.parametrize(
    "text", ["Observations/result gt 3", "Observations/id eq null", "Observations/result eq name"]
)
def test_filter_into_observations_searches_those_of_each_datastream(connection, text):
    lines = plan(connection, "Datastreams", parse_filter(text))
    assert any("INDEX observations_of_datastream" in line for line in lines), lines
    assert not any(line.startswith("SCAN _") for line in lines), lines


def test_newest_of_a_datastream_are_read_in_order(connection):
    lines = plan(
        connection, "Observations", parse_filter("Datastream/id eq 1"), "ORDER BY e.phenomenon_begin DESC"
    )
    assert lines == ["SEARCH e USING INDEX observations_of_datastream (datastream_id=?)"]


SCOPES = [
    ("Datastream/id eq 2", Scope(datastreams=(2,))),
    ("Datastream/id in (1, 3, 99)", Scope(datastreams=(1, 3))),
    ("Datastream/id eq 1 or Datastream/id eq 2", Scope(datastreams=(1, 2))),
    ("Datastream/name eq 'a' and Datastream/Thing/id eq 2", Scope(datastreams=(3,))),
    ("Datastream/Thing/Locations/name eq 'Markt' and result gt 3", Scope(datastreams=(1, 2))),
    ("Datastream/name eq 'none'", Scope(datastreams=())),
    ("Datastream/name eq 'a' or result gt 3", Scope()),
    ("Datastream/Observations/result gt 3", Scope()),
    ("phenomenonTime gt 2026-01-01T00:00:00Z", Scope(begin_us=T0)),
    ("phenomenonTime le 2026-01-01T02:00:00Z", Scope(end_us=T0 + 2 * HOUR)),
    ("2026-01-01T02:00:00Z ge phenomenonTime", Scope(end_us=T0 + 2 * HOUR)),
    (
        "phenomenonTime ge 2026-01-01T00:00:00Z and phenomenonTime lt 2026-01-01T02:00:00Z and result gt 1",
        Scope(begin_us=T0, end_us=T0 + 2 * HOUR),
    ),
    ("date(phenomenonTime) eq 2026-01-01", Scope(begin_us=T0, end_us=T0 + 24 * HOUR)),
    ("phenomenonTime ge 2026-01-01T02:00:00Z sub duration'PT2H'", Scope(begin_us=T0)),
    ("not (phenomenonTime ge 2026-01-01T00:00:00Z)", Scope()),
    ("resultTime ge 2026-01-01T00:00:00Z", Scope()),
    ("result gt 1", Scope()),
]


@pytest.mark.parametrize(("text", "expected"), SCOPES)
def test_scope_is_what_must_hold(connection, text, expected):
    found = scope_of(parse_filter(text), ENTITY_SETS["Observations"], TableSource(), connection)
    assert found == expected


def test_now_may_pass_between_scope_and_filter(connection):
    expression = parse_filter("phenomenonTime le now()")
    earlier = scope_of(expression, ENTITY_SETS["Observations"], TableSource(), connection, now_us=T0)
    found = ids(
        connection, "Observations", expression, source=NarrowSource(), scope=earlier, now_us=T0 + 1_000_000
    )
    assert found == [1]


def test_filter_into_observations_asks_for_their_span_only(connection):
    source = NarrowSource()
    text = "Observations/phenomenonTime ge 2026-01-01T08:00:00Z and Observations/result gt 3"
    assert ids(connection, "Datastreams", parse_filter(text), source=source) == [1, 3]
    assert source.scopes == [Scope(begin_us=T0 + 8 * HOUR)]


def test_links_there_and_back_cost_no_more_than_their_number(connection):
    text = "Datastreams/Thing/" * 3 + "Datastreams/name eq 'none'"
    lines = plan(connection, "Things", parse_filter(text))
    assert not any("CORRELATED" in line for line in lines), lines
