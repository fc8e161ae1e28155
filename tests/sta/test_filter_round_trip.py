from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from api.sta.filter_lexer import MAX_LENGTH
from api.sta.filter_names import FUNCTIONS, OPERATORS
from api.sta.filter_parser import MAX_HEIGHT, parse_filter, parse_orderby
from api.sta.filter_text import format_expression
from api.sta.options import Order
from api.sta.query_options import parse_options

YEAR_1, YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999
CHARACTERS = st.characters(exclude_categories=["Cs"])
TIMES = st.integers(YEAR_1, YEAR_9999)
DEGREES = st.floats(-180, 180)
KEYS = st.from_regex(r"[A-Za-z_ßé0-9][A-Za-z0-9_.:@-]{0,8}", fullmatch=True)

paths = st.builds(
    lambda links, name, keys: Path((*links, *name, *keys)),
    st.lists(st.sampled_from(["Datastreams", "Thing", "Observations"]), max_size=4),
    st.sampled_from([("properties",), ("result",)]),
    st.lists(KEYS, max_size=3),
) | st.sampled_from([Path(("@iot.id",)), Path(("Datastream", "@iot.id")), Path(("Thing",))])

literals = st.one_of(
    st.just(Null()),
    st.builds(Boolean, st.booleans()),
    st.builds(Number, st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(Text, st.text(CHARACTERS, max_size=20) | st.text("'a,;()", max_size=10)),
    st.builds(Instant, TIMES),
    st.builds(lambda ends: Interval(*sorted(ends)), st.tuples(TIMES, TIMES)),
    st.builds(Duration, st.integers(-(10**17), 10**17)),
    st.builds(lambda x, y: Geometry(f"POINT ({x} {y})"), DEGREES, DEGREES),
    st.builds(lambda x, y: Geometry(f"LINESTRING (0 0, {x} {y}, 1 1)"), DEGREES, DEGREES),
)


def calls(below):
    return st.sampled_from([(name, count) for name, counts in FUNCTIONS.items() for count in counts]).flatmap(
        lambda each: st.builds(Call, st.just(each[0]), st.tuples(*[below] * each[1]))
    )


def composed(below):
    return st.one_of(
        st.builds(Not, below),
        st.builds(Negative, below),
        st.builds(Binary, st.sampled_from(sorted(set(OPERATORS) - {"in"})), below, below),
        st.builds(In, below, st.lists(below, min_size=1, max_size=4).map(tuple)),
        calls(below),
    )


expressions = st.recursive(literals | paths, composed, max_leaves=30)


def bare(expression):
    """Without positions."""
    if isinstance(expression, tuple):
        return tuple(bare(each) for each in expression)
    if not is_dataclass(expression):
        return expression
    changed = {
        each.name: bare(getattr(expression, each.name)) for each in fields(expression) if each.name != "at"
    }
    return replace(expression, **changed, **({"at": 0} if hasattr(expression, "at") else {}))


@settings(max_examples=300)
@given(expressions)
def test_what_is_formatted_is_read_as_the_same(expression):
    assert bare(parse_filter(format_expression(expression))) == expression


@given(expressions)
def test_what_is_read_is_formatted_as_the_same_text(expression):
    text = format_expression(expression)
    assert format_expression(parse_filter(text)) == text


@given(expressions)
def test_blanks_and_more_parentheses_change_nothing(expression):
    text = format_expression(expression)
    assert bare(parse_filter(f"  (\t( {text} ))\n")) == expression


@given(expressions, st.booleans(), st.sampled_from([quote, lambda text: quote(text, safe="'(),:/;$=")]))
def test_it_comes_through_a_query_and_through_expand(expression, descending, encode):
    text = format_expression(expression)
    order = f"{text} desc, id" if descending else f"{text}, id asc"
    query = f"$filter={encode(text)}&$expand=Thing($orderby={encode(order)};$filter={encode(text)})"
    options = parse_options(query)
    (thing,) = options.expand
    assert bare(options.filter) == bare(thing.options.filter) == expression
    assert bare(thing.options.orderby) == (
        Order(expression, descending=descending),
        Order(Path(("@iot.id",))),
    )


@given(expressions)
def test_positions_lie_in_the_text(expression):
    text = format_expression(expression)
    waiting = [parse_filter(text)]
    while waiting:
        each = waiting.pop()
        assert 0 <= each.at < len(text)
        if isinstance(each, Text):
            assert text[each.at] == "'"
        elif isinstance(each, Path):
            assert text.startswith("/".join(each.segments), each.at)
        elif isinstance(each, Call):
            assert text.startswith(each.function + "(", each.at)
        elif isinstance(each, Binary):
            assert text.startswith(f"{each.operator} ", each.at)
        below = [getattr(each, field.name) for field in fields(each)]
        waiting += [
            one
            for value in below
            for one in (value if isinstance(value, tuple) else (value,))
            if is_dataclass(one)
        ]


PARTS = [
    *FUNCTIONS, *OPERATORS, "not", "(", ")", ",", "'", "''", "'a'", "-", "5", "1e", ".", "2026-07-14",
    "T12:00:00Z", "/", "PT1H", "P", "geography'", "geography'POINT (7 51)'", "duration'PT1H'", "SRID=4326;",
    "name", "@iot.id", "$it", "null", "true", "properties", "=", '"', "&", ";", "$filter=", "$expand=",
    "$top=", "Thing", "Datastreams", " ", "\0", "ß", "\U0001f30a", "\ud800", "٣", "%", "+",
]  # fmt: skip
NONSENSE = st.text(max_size=300) | st.lists(st.sampled_from(PARTS), max_size=60).flatmap(
    lambda parts: st.sampled_from(["", " "]).map(lambda blank: blank.join(parts))
)


@settings(max_examples=1000)
@given(NONSENSE)
def test_any_text_is_a_filter_or_a_mistake_with_its_place(text):
    for parse, option in ((parse_filter, "$filter"), (parse_orderby, "$orderby")):
        try:
            parse(text)
        except BadRequestError as error:
            place = (error.option, 0 <= error.at <= len(text), bool(error.message))
        else:
            place = (option, True, True)
        assert place == (option, True, True)


@settings(max_examples=300)
@given(NONSENSE)
def test_any_text_is_a_query_or_a_mistake(text):
    for query in (text, f"$expand={text}", f"$expand=Thing({text})", f"$select={text}", [("$expand", text)]):
        with suppress(StaError):
            parse_options(query)


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_query_or_a_mistake(data):
    for query in (data, b"$filter=" + data, b"$expand=Thing(" + data + b")"):
        with suppress(StaError):
            parse_options(query)


UNITS = [
    "(", ")", "-", "not ", "a or ", "a eq ", "a,", "a(", "'", "''", "'''", "a'", "a/", "1", "1.", "1e", "+",
    "P1", "P1/", "2026-07-14/", "2026-07-14T12:00:00Z ", "00:", "00 00:", "geography'",
    "geography'POINT (7 51)' eq ", "length(", "a in (b,", "$", "@", " ", ";", "Thing,", "Thing/",
    "Thing(", "Thing($expand=", "Thing($top=1),", "$top=1;", "\u2018", "GEOMETRYCOLLECTION(", "name lik ",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_long_texts_of_one_kind_are_read_or_refused(unit):
    """None runs out of stack; one whose work grew with the square of its length would hang."""
    text = (unit * MAX_LENGTH)[:MAX_LENGTH]
    for each in (
        text,
        "'" + text[1:],
        f"geography'{text[:-11]}'",
        f"Thing($filter={text[:-14]}",
        text + text,
    ):
        for option in ("$filter", "$orderby", "$expand", "$select"):
            with suppress(StaError):
                parse_options([(option, each)])


def test_the_highest_tree_can_be_written_and_compared():
    text = "a" + " sub b" * (MAX_HEIGHT - 1)
    expression = parse_filter(text)
    written = format_expression(replace(expression))
    assert written.startswith("(" * (MAX_HEIGHT - 2) + "a sub b)")
