"""Any filter over any rows finds what a reading row by row finds, with a scope and without."""

import json
from contextlib import closing

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from naive_filter import matching
from town_of_rows import HOUR, T0, NarrowSource, empty_town, ids, insert

from api.sta.errors import StaError
from api.sta.expression import (
    Binary,
    Boolean,
    Call,
    Duration,
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
from api.sta.model import ENTITY_SETS
from api.sta.scope import scope_of

texts = st.sampled_from(
    ["", "a", "A", "ä", "3", "3.0", " 12", "-1e1", "ß", "2026-01-01T02:00:00Z", "open\x00x"]
)
numbers = st.integers(-4, 12) | st.sampled_from([0.5, 3.0, -2.5, 1e300])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
properties = st.none() | st.dictionaries(st.sampled_from(["p", "q", 'odd"key', "0"]), json_values, max_size=3)
moments = st.integers(0, 6).map(lambda hours: T0 + hours * HOUR)


@st.composite
def rows(draw):
    """Contents of the tables, few rows each."""
    things = range(1, draw(st.integers(1, 3)) + 1)
    datastreams = draw(st.lists(st.sampled_from(things), max_size=4))
    observations = draw(st.lists(st.integers(1, len(datastreams)), max_size=6)) if datastreams else []
    pairs = st.tuples(st.sampled_from(things), st.integers(1, 2))

    def common(id_):
        return {"id": id_, "name": draw(texts), "description": "d", "properties": _stored(draw(properties))}

    def observation(id_, datastream):
        begin = draw(moments)
        end = draw(st.none() | st.integers(0, 3).map(lambda hours: begin + hours * HOUR))
        result = draw(json_values)
        plain = isinstance(result, int | float | str) and not isinstance(result, bool)
        return {
            "id": id_, "phenomenon_begin": begin, "phenomenon_end": end,
            "result_time": draw(st.none() | moments),
            "result": result if plain else None, "result_json": None if plain else json.dumps(result),
            "parameters": _stored(draw(properties)), "datastream_id": datastream, "feature_id": 1,
        }  # fmt: skip

    return {
        "things": [common(id_) for id_ in things],
        "locations": [{**common(id_), "encoding_type": "g", "location": "{}"} for id_ in (1, 2)],
        "things_locations": [
            {"thing_id": thing, "location_id": location}
            for thing, location in draw(st.sets(pairs, max_size=3))
        ],
        "sensors": [{**common(1), "encoding_type": "t", "metadata": '"m"'}],
        "observed_properties": [{**common(1), "definition": "d"}],
        "features": [{**common(1), "encoding_type": "g", "feature": "{}"}],
        "datastreams": [
            {**common(place + 1), "observation_type": "o", "unit_of_measurement": '{"name": "m"}',
             "thing_id": thing, "sensor_id": 1, "observed_property_id": 1}
            for place, thing in enumerate(datastreams)
        ],
        "observations": [observation(place + 1, each) for place, each in enumerate(observations)],
    }  # fmt: skip


def _stored(value):
    return None if value is None else json.dumps(value)


def filled(contents):
    connection = empty_town()
    for name, each in contents.items():
        insert(connection, name, each)
    return connection


LINKS = {
    "Things": [(), ("Datastreams",), ("Locations",), ("Datastreams", "Observations"),
               ("Datastreams", "Thing", "Datastreams")],
    "Datastreams": [(), ("Thing",), ("Observations",), ("Thing", "Datastreams"), ("Thing", "Locations")],
    "Observations": [(), (), ("Datastream",), ("Datastream", "Thing"), ("Datastream", "Thing", "Locations"),
                     ("FeatureOfInterest",), ("Datastream", "Observations")],
}  # fmt: skip
ENDS = {"Observations": {
    "number": [("@iot.id",)], "text": [], "time": [("phenomenonTime",), ("resultTime",)],
    "any": [("result",), ("result", "a"), ("parameters", "p"), ("parameters", 'odd"key')],
}}  # fmt: skip
OTHERS = {
    "number": [("@iot.id",)], "text": [("name",)], "time": [],
    "any": [("properties", "p"), ("properties", "q", "a"), ("properties", "0", "1"), ("properties",)],
}  # fmt: skip


def paths(name, kind):
    found = []
    for links in LINKS[name]:
        at = ENTITY_SETS[name]
        for segment in links:
            at = ENTITY_SETS[at.links[segment].target]
        found += [Path((*links, *end)) for end in ENDS.get(at.name, OTHERS)[kind]]
    return st.sampled_from(found) if found else st.nothing()


def filters(name):
    """Expressions that are mostly of kinds that meet."""
    anything = paths(name, "any")
    text_values = st.deferred(lambda: text_leaf | text_calls)
    text_leaf = texts.map(Text) | paths(name, "text") | anything
    text_calls = st.builds(
        lambda function, a: Call(function, (a,)), st.sampled_from(["tolower", "toupper", "trim"]), text_leaf
    ) | st.builds(lambda a, b: Call("concat", (a, b)), text_leaf, text_leaf)
    time_leaf = (
        moments.map(Instant) | st.builds(lambda a, b: Interval(min(a, b), max(a, b)), moments, moments)
        | paths(name, "time")
    )  # fmt: skip
    time_values = time_leaf | anything | st.builds(
        Binary, st.sampled_from(["add", "sub"]), time_leaf,
        st.integers(-3, 3).map(lambda h: Duration(h * HOUR)),
    ) | time_leaf.map(lambda each: Call("date", (each,)))  # fmt: skip
    number_leaf = numbers.map(Number) | paths(name, "number") | anything
    number_values = st.recursive(
        number_leaf
        | text_leaf.map(lambda each: Call("length", (each,)))
        | st.builds(lambda f, each: Call(f, (each,)), st.sampled_from(["year", "hour"]), time_leaf),
        lambda inner: (
            st.builds(Binary, st.sampled_from(["add", "sub", "mul", "div", "mod"]), inner, inner)
            | inner.map(Negative)
            | st.builds(
                lambda f, each: Call(f, (each,)), st.sampled_from(["round", "floor", "ceiling"]), inner
            )
        ),
        max_leaves=3,
    )
    compare = st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"])
    leaf = (
        st.builds(Binary, compare, number_values, number_values | st.just(Null()))
        | st.builds(Binary, compare, text_values, text_values | numbers.map(Number) | st.just(Null()))
        | st.builds(Binary, compare, time_values, time_leaf | st.just(Null()))
        | st.builds(Binary, compare, anything, anything | st.booleans().map(Boolean) | texts.map(Text))
        | st.builds(lambda a, b: In(a, tuple(b)), number_leaf | text_leaf,
                    st.lists(number_leaf | texts.map(Text) | st.just(Null()), min_size=1, max_size=3))
        | st.builds(lambda f, a, b: Call(f, (a, b)), st.sampled_from(["contains", "startswith", "endswith"]),
                    text_values, text_values)
        | anything
    )  # fmt: skip
    return st.recursive(
        leaf,
        lambda inner: st.builds(Binary, st.sampled_from(["and", "or"]), inner, inner) | inner.map(Not),
        max_leaves=4,
    )


FILTERS = {name: filters(name) for name in LINKS}
SETS = st.one_of(*(st.tuples(st.just(name), each) for name, each in FILTERS.items()))
CONTENTS = rows()


@given(contents=CONTENTS, asked=SETS)
@settings(max_examples=200, deadline=None)
def test_filter_finds_what_reading_row_by_row_finds(contents, asked):
    name, expression = asked
    with closing(filled(contents)) as connection:
        for asked_for in (expression, Not(expression)):
            try:
                found = ids(connection, name, asked_for)
            except StaError:
                assume(False)
            event(f"{name}: {'some' if found else 'none'}")
            assert found == matching(connection, name, asked_for)


@given(contents=CONTENTS, expression=FILTERS["Observations"])
@settings(max_examples=200, deadline=None)
def test_scope_takes_no_row_away(contents, expression):
    with closing(filled(contents)) as connection:
        source = NarrowSource()
        try:
            scope = scope_of(expression, ENTITY_SETS["Observations"], source, connection)
            without = ids(connection, "Observations", expression)
        except StaError:
            assume(False)
        assert ids(connection, "Observations", expression, source=source, scope=scope) == without
