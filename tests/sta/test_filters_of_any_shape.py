"""Whatever tree a filter is, it compiles and runs, or is answered with what is wrong with it."""

import contextlib
from contextlib import closing

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from town_of_rows import TableSource, ids, insert, town

from api.sta.errors import BadRequestError, StaError
from api.sta.expression import (
    Binary,
    Boolean,
    Call,
    Duration,
    Geometry,
    In,
    Instant,
    Interval,
    Negative,
    Not,
    Null,
    Number,
    Path,
    Text,
)
from api.sta.filter_parser import FUNCTIONS, parse_filter
from api.sta.model import ENTITY_SETS
from api.sta.scope import scope_of
from api.sta.sql_filter import compile_filter, compile_key

OPERATORS = ["or", "and", "eq", "ne", "gt", "ge", "lt", "le", "add", "sub", "mul", "div", "mod"]
SEGMENTS = sorted(
    {name for each in ENTITY_SETS.values() for name in [*each.properties, *each.links]}
    | {"@iot.id", "id", "name", "a", 'x"y', "$", "\udc00", "0", "99999999999999999999", ""}
)
big = 10**18
segments = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4).map(tuple)
leaves = (
    st.builds(Null)
    | st.builds(Boolean, st.booleans())
    | st.builds(Number, st.integers() | st.floats() | st.sampled_from([2**63, -(2**63), 10**400, 0]))
    | st.builds(
        Text, st.text(max_size=5) | st.sampled_from(["1e999", "9" * 30, "\udc00", "2026-01-01", "\x00"])
    )
    | st.builds(Instant, st.integers(-big, big))
    | st.builds(lambda a, b: Interval(min(a, b), max(a, b)), st.integers(-big, big), st.integers(-big, big))
    | st.builds(Duration, st.integers(-big, big))
    | st.builds(
        Geometry, st.sampled_from(["POINT (7 51)", "POINT EMPTY", "POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0))"])
    )
    | st.builds(Path, segments)
    | st.sampled_from(["result", "properties", "phenomenonTime", "location", "name"]).map(
        lambda each: Path((each,))
    )
)


def calls(inner):
    return st.sampled_from(sorted(FUNCTIONS)).flatmap(
        lambda name: st.sampled_from(sorted(FUNCTIONS[name])).flatmap(
            lambda count: st.tuples(*[inner] * count).map(lambda arguments: Call(name, arguments))
        )
    )


trees = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Binary, st.sampled_from(OPERATORS), inner, inner)
        | st.builds(Not, inner)
        | st.builds(Negative, inner)
        | st.builds(In, inner, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | calls(inner)
    ),
    max_leaves=8,
)
TOWN = town()
insert(TOWN, "observations", [
    {"id": 20 + place, "phenomenon_begin": 0, "result": result, "datastream_id": 1, "feature_id": 1}
    for place, result in enumerate([2**63 - 1, -(2**63), 1e308, float("inf"), "9" * 40, "1e999", "\x00", ""])
])  # fmt: skip


@given(name=st.sampled_from(sorted(ENTITY_SETS)), tree=trees)
@settings(max_examples=600, deadline=None)
def test_any_tree_is_answered(name, tree):
    try:
        ids(TOWN, name, tree)
    except StaError as error:
        refusal = error
    else:
        refusal = None
    event("runs" if refusal is None else "is refused")
    assert refusal is None or (refusal.option == "$filter" and refusal.at is not None)


@given(name=st.sampled_from(sorted(ENTITY_SETS)), tree=trees)
@settings(max_examples=300, deadline=None)
def test_any_key_and_any_scope_is_answered(name, tree):
    source, entity_set = TableSource(), ENTITY_SETS[name]
    try:
        scope_of(tree, entity_set, source, TOWN)
        key = compile_key(tree, entity_set, "e", source, TOWN)
    except StaError:
        event("is refused")
        return
    event("runs")
    statement = f"SELECT e.id FROM {entity_set.table} AS e ORDER BY {key.text}, e.id DESC"
    assert len(TOWN.execute(statement, key.parameters).fetchall()) > 0


def deep(make, levels):
    tree = Path(("name",))
    for _ in range(levels):
        tree = make(tree)
    return tree


TALL = [
    lambda tree: Not(Binary("eq", tree, Null())),
    lambda tree: Call("tolower", (tree,)),
    lambda tree: Call("concat", (Text("a"), tree)),
    Negative,
    lambda tree: Binary("add", Number(1), tree),
    lambda tree: Binary("add", tree, Number(1)),
    lambda tree: Binary("eq", tree, Boolean(True)),
    lambda tree: In(tree, (Boolean(True), Null())),
    lambda tree: Call("date", (Binary("add", Instant(0), Binary("sub", tree, Instant(0))),)),
]


@pytest.mark.parametrize("levels", [3, 12, 30, 60, 95, 2000])
@pytest.mark.parametrize("make", range(len(TALL)))
def test_deep_tree_is_answered(make, levels):
    tree = deep(TALL[make], levels)
    with contextlib.suppress(StaError):
        ids(TOWN, "Things", tree)


@pytest.mark.parametrize("operator", ["and", "or"])
def test_long_chain_is_read_whole(operator):
    tree = Binary("eq", Path(("@iot.id",)), Number(1))
    for number in range(5000):
        tree = Binary(
            operator, tree, Binary("eq" if operator == "or" else "ne", Path(("name",)), Text(str(number)))
        )
    assert ids(TOWN, "Things", tree) == [1]


def test_more_values_than_sqlite_takes_are_refused():
    tree = In(Path(("@iot.id",)), tuple(Number(each) for each in range(40_000)))
    with pytest.raises(BadRequestError, match="too long"):
        ids(TOWN, "Things", tree)


REFUSED = [
    ("Things", "nam eq 'a'", "Thing has no 'nam'", "there are name", 0),
    ("Things", "id eq 1 and Datastreams/nome eq 'a'", "Datastream has no 'nome'", "there are name", 24),
    ("Observations", "Datastreams/id eq 1", "Observation has no 'Datastreams'", "there are Datastream", 0),
    ("Things", "Datastreams eq 3", "Datastreams is a link, not a value",
     "name a property of it: Datastreams/id", 0),
    ("Things", "name", "a text stands where a condition is needed", "", 0),
    ("Things", "name eq true", "a text stands where true, false or a condition is needed", "", 0),
    ("Things", "id eq 'one'", "the text 'one' is no number", "", 6),
    ("Things", "name/first eq 'a'", "name has no parts", "", 0),
    ("Things", "id add 3", "an integer stands where a condition is needed", "", 3),
    ("Locations", "location eq 'x'", "a geometry has no order", "use st_equals or st_within", 0),
    ("Observations", "phenomenonTime gt 3",
     "an integer stands where a time such as 2026-07-14T18:30:00Z is needed", "", 18),
    ("Observations", "phenomenonTime mul 3 eq null", "there is no mul of a time and an integer",
     "a time takes add and sub of a duration, and sub of a time", 15),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message", "hint", "at"), REFUSED)
def test_refusal_says_what_where_and_what_instead(name, text, message, hint, at):
    with pytest.raises(BadRequestError) as caught:
        ids(TOWN, name, parse_filter(text))
    error = caught.value
    assert (error.message, error.hint, error.at, error.option) == (message, hint, at, "$filter")


def test_key_over_many_is_refused():
    with pytest.raises(BadRequestError, match="Datastreams are many") as caught:
        compile_key(Path(("Datastreams", "name")), ENTITY_SETS["Things"], "e", TableSource(), TOWN)
    assert caught.value.option == "$orderby"


def test_values_are_parameters_only():
    tree = Binary(
        "and", Binary("eq", Path(("properties", "secret'key")), Text("secret value")), Boolean(True)
    )
    found = compile_filter(tree, ENTITY_SETS["Things"], "e", TableSource(), TOWN)
    assert "secret" not in found.text
    assert found.text.count("?") == len(found.parameters)


def test_order_by_time_reads_the_index():
    with closing(town()) as connection:
        key = compile_key(
            Path(("phenomenonTime",)), ENTITY_SETS["Observations"], "e", TableSource(), connection
        )
        assert (key.text, key.parameters) == ("e.phenomenon_begin", ())


ORDERS = [
    ("Observations", "result", [6, 8, 5, 1, 2, 10, 3, 9, 4, 7]),
    ("Observations", "resultTime", [4, 8, 1, 2, 3, 5, 6, 7, 9, 10]),
    ("Observations", "Datastream/Thing/name", [3, 6, 9, 1, 2, 4, 5, 7, 8, 10]),
    ("Things", "properties/field", [3, 1, 2]),
    ("Datastreams", "phenomenonTime", [4, 1, 2, 3]),
    ("Datastreams", "unitOfMeasurement/symbol", [1, 2, 3, 4]),
]


@pytest.mark.parametrize(("name", "text", "expected"), ORDERS)
def test_rows_are_ordered(name, text, expected):
    with closing(town()) as connection:
        key = compile_key(parse_filter(text), ENTITY_SETS[name], "e", TableSource(), connection)
        statement = f"SELECT e.id FROM {ENTITY_SETS[name].table} AS e ORDER BY {key.text}, e.id"
        assert [row[0] for row in connection.execute(statement, key.parameters)] == expected
