import pytest

from api.sta.errors import BadRequestError
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
from api.sta.filter_names import FUNCTIONS
from api.sta.filter_parser import MAX_HEIGHT, MAX_KEYS, MAX_NESTING, parse_filter, parse_orderby
from api.sta.filter_text import format_expression
from api.sta.options import Order

HOUR = 3_600_000_000
NOON = 1_784_030_400_000_000  # 2026-07-14T12:00:00Z


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("not result lt 1", "not (result lt 1)"),
        ("not result lt 1 and not result gt 1", "(not (result lt 1)) and (not (result gt 1))"),
        ("a or b and c", "a or (b and c)"),
        ("a and b or c", "(a and b) or c"),
        ("a or not b eq c and d", "a or ((not (b eq c)) and d)"),
        ("a eq b gt c", "a eq (b gt c)"),
        ("a lt b add c mul d", "a lt (b add (c mul d))"),
        ("a mul b add c lt d", "((a mul b) add c) lt d"),
        ("6 div 2 sub result eq 2", "((6 div 2) sub result) eq 2"),
        ("14 div (result add 1) mod 3 mul 3 eq 3", "(((14 div (result add 1)) mod 3) mul 3) eq 3"),
        ("1 add result mul 2 sub -1 eq 4", "((1 add (result mul 2)) sub -1) eq 4"),
        ("a sub b sub c", "(a sub b) sub c"),
        ("-a mul b", "(-(a)) mul b"),
        ("- -a", "-(-(a))"),
        ("not not a", "not (not (a))"),
        ("a add not b eq c", "a add (not (b eq c))"),
        ("a in (1, 2) and b", "(a in (1, 2)) and b"),
        ("a add 1 in (1, 2)", "(a add 1) in (1, 2)"),
        ("not a in (1)", "not (a in (1))"),
        ("a or b or c", "(a or b) or c"),
        ("a or b or c or d", "(a or b) or (c or d)"),
        ("((a)) EQ (b)", "a eq b"),
        ("StartsWith(name,'x') AND NOT TRUE", "startswith(name, 'x') and (not (true))"),
        ("name eq'x'and a", "(name eq 'x') and a"),
        ("$it/result eq 1", "result eq 1"),
        ("\ta\n eq\r\n1 ", "a eq 1"),
    ],
)
def test_precedence(text, same_as):
    assert format_expression(parse_filter(text)) == same_as


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("null", Null()),
        ("true", Boolean(True)),
        ("False", Boolean(False)),
        ("0", Number(0)),
        ("-17", Number(-17)),
        ("+17", Number(17)),
        ("800000113797", Number(800000113797)),
        ("1.5", Number(1.5)),
        ("-1.5e-3", Number(-0.0015)),
        ("1E+3", Number(1000.0)),
        ("9223372036854775807", Number(2**63 - 1)),
        ("9223372036854775808", Number(float(2**63))),
        ("-9223372036854775808", Number(-(2**63))),
        ("''", Text("")),
        ("'it''s'", Text("it's")),
        ("''''", Text("'")),
        ("'utf-8: 水位高度 ß €'", Text("utf-8: 水位高度 ß €")),
        ("'a) or (b; c, d'", Text("a) or (b; c, d")),
        ("2026-07-14T12:00:00Z", Instant(NOON)),
        ("2026-07-14t12:00:00z", Instant(NOON)),
        ("2026-07-14T12:00Z", Instant(NOON)),
        ("2026-07-14T12:00:00.25Z", Instant(NOON + 250_000)),
        ("2026-07-14T14:00:00+02:00", Instant(NOON)),
        ("2026-07-14T14:00:00 02:00", Instant(NOON)),
        ("2026-07-14T08:00:00.000-04:00", Instant(NOON)),
        ("2026-07-14", Instant(NOON - 12 * HOUR)),
        ("2026-07-14T12:00:00Z/2026-07-14T13:00:00Z", Interval(NOON, NOON + HOUR)),
        ("2026-07-14T14:00:00 02:00/2026-07-14T15:00:00 02:00", Interval(NOON, NOON + HOUR)),
        ("2026-07-14T12:00:00Z/PT1H", Interval(NOON, NOON + HOUR)),
        ("PT60M/2026-07-14T13:00:00Z", Interval(NOON, NOON + HOUR)),
        ("2026-07-14/2026-07-15", Interval(NOON - 12 * HOUR, NOON + 12 * HOUR)),
        ("2026-07-14/2026-07-14", Interval(NOON - 12 * HOUR, NOON - 12 * HOUR)),
        ("duration'PT1H'", Duration(HOUR)),
        ("duration'-PT0.5S'", Duration(-500_000)),
        ("duration'P1Y2M3W4DT1H2M3S'", Duration((365 + 60 + 21 + 4) * 24 * HOUR + HOUR + 123_000_000)),
        ("18:30", Duration(18 * HOUR + HOUR // 2)),
        ("18:30:01.5", Duration(18 * HOUR + HOUR // 2 + 1_500_000)),
        ("geography'POINT (7.13 50.99)'", Geometry("POINT (7.13 50.99)")),
        ("geometry'Point(7.13 50.99)'", Geometry("Point(7.13 50.99)")),
        ("geography'SRID=4326;POINT(7.13 50.99)'", Geometry("POINT(7.13 50.99)")),
        ("geography'POINT Z (7.13 50.99 100)'", Geometry("POINT Z (7.13 50.99 100)")),
        ("geography'POLYGON((7 50,8 50,8 51,7 50))'", Geometry("POLYGON((7 50,8 50,8 51,7 50))")),
        ("geography'LINESTRING EMPTY'", Geometry("LINESTRING EMPTY")),
    ],
)
def test_literals(text, literal):
    assert parse_filter(text) == literal
    assert parse_filter(f"result eq {text}") == Binary(
        "eq", Path(("result",)), type(literal)(**{**fields(literal), "at": 10}), 7
    )


def fields(literal):
    return {name: getattr(literal, name) for name in type(literal).__slots__}


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("id", ("@iot.id",)),
        ("@iot.id", ("@iot.id",)),
        ("Datastream/id", ("Datastream", "@iot.id")),
        ("Datastream/Thing/@iot.id", ("Datastream", "Thing", "@iot.id")),
        ("properties/id", ("properties", "id")),
        ("Datastreams/properties/id", ("Datastreams", "properties", "id")),
        ("properties/array/1/deeper/2", ("properties", "array", "1", "deeper", "2")),
        ("location/properties/4frost", ("location", "properties", "4frost")),
        ("properties/Straße", ("properties", "Straße")),
        ("properties/dct:title", ("properties", "dct:title")),
        ("properties/a-b_c.d", ("properties", "a-b_c.d")),
        ("properties/not", ("properties", "not")),
        ("time", ("time",)),
        ("$it/id", ("@iot.id",)),
    ],
)
def test_paths(text, segments):
    assert parse_filter(text) == Path(segments)


def test_positions_are_those_in_the_text():
    assert parse_filter("not a eq 1 or  -b in ( 2 )") == Binary(
        "or",
        Not(Binary("eq", Path(("a",), 4), Number(1, 9), 6), 0),
        In(Negative(Path(("b",), 16), 15), (Number(2, 23),), 18),
        11,
    )
    assert parse_filter("length(name)", offset=100) == Call("length", (Path(("name",), 107),), 100)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_takes_its_number_of_arguments(function):
    counts = FUNCTIONS[function]
    for count in range(5):
        arguments = tuple(Number(each) for each in range(count))
        text = f"{function.upper()}({', '.join(str(each) for each in range(count))})"
        if count in counts:
            assert format_expression(parse_filter(text)) == format_expression(Call(function, arguments))
        else:
            with pytest.raises(BadRequestError, match=f"{function} takes .* not {count}"):
                parse_filter(text)


STANDARD = """
    substringof endswith startswith length indexof substring tolower toupper trim concat
    year month day hour minute second fractionalseconds
    date time totaloffsetminutes now mindatetime maxdatetime
    round floor ceiling geo.distance geo.length geo.intersects
    st_equals st_disjoint st_touches st_within st_overlaps st_crosses st_intersects st_contains st_relate
"""


def test_the_standard_s_functions_are_all_there():
    assert set(STANDARD.split()) <= set(FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("", 0, "empty", ""),
        ("   ", 0, "empty", ""),
        ("result eq", 9, "expected a value", ""),
        ("result eq )", 10, "expected a value", ""),
        ("eq 5", 0, "not 'eq'", "between two values"),
        ("result = 5", 7, "'='", "eq"),
        ("result == 5", 7, "'=='", "eq"),
        ("result != 5", 7, "'!='", "ne"),
        ("result <> 5", 7, "'<>'", "ne"),
        ("result >= 5", 7, "'>='", "ge"),
        ("result > 5", 7, "'>'", "gt"),
        ("a && b", 2, "'&&'", "and"),
        ("a || b", 2, "'||'", "or"),
        ("!a", 0, "'!'", "not"),
        ("a * 2", 2, "'*'", "mul"),
        ("a / 2", 2, "'/'", "div"),
        ("a + 2", 2, "'+'", "add"),
        ("a - 2", 2, "'-'", "sub"),
        ("a -2", 2, "'-2'", "sub"),
        ('name eq "Pegel"', 8, "'\"'", "single quotes"),
        ("name eq \u2018Pegel\u2019", 8, "'\u2018'", "single quotes"),
        ("properties/a[0] eq 1", 12, "'['", "properties/list/0"),
        ("name eq 'Pegel", 8, "never ends", "doubled"),
        ("name eq 'it's'", 13, "never ends", "doubled"),
        ("name eq 'Rat's Keller' or a", 21, "never ends", "doubled"),
        ("name eq 'a' 'b'", 12, "expected an operator", "doubled"),
        ("result equals 5", 7, "expected an operator", "eq"),
        ("result esq 5", 7, "expected an operator", "eq"),
        ("name like '%a%'", 5, "expected an operator", "contains"),
        ("result desc", 7, "expected an operator", "$orderby"),
        ("(a eq 1", 7, "expected an operator or )", "position 0"),
        ("a eq (1 add (2)", 15, "not the end", "position 5"),
        ("a eq 1)", 6, "has no (", ""),
        ("length(name", 11, "a comma or )", "position 6"),
        ("length name", 7, "expected an operator", ""),
        ("contain(name,'x')", 0, "no function contain", "contains"),
        ("st_distance(a,b)", 0, "no function", "geo.distance"),
        ("lower(name)", 0, "no function", "tolower"),
        ("Datastreams/any(d:d/id eq 1)", 0, "no function", "any of them"),
        ("Datastreams/any(d/id eq 1)", 0, "no function", "any of them"),
        ("substring(name)", 0, "2 or 3 arguments, not 1", ""),
        ("now(1)", 0, "0 arguments, not 1", ""),
        ("concat(a,,b)", 9, "expected a value", ""),
        ("result in 5", 10, "expected a list", "in ('a', 'b')"),
        ("result in ()", 11, "expected a value", ""),
        ("5x eq 1", 0, "'5x'", "begins with a letter"),
        ("1. eq 1", 0, "'1.'", ""),
        ("a eq 1e999", 5, "too large", ""),
        ("a gt 2026-07-14T12:00:00", 5, "no time", "offset"),
        ("a gt 2026-02-30", 5, "no time", "no such time"),
        ("a gt 2026-07-14T25:00:00Z", 5, "no time", "no such time"),
        ("a gt 2026-07-15/2026-07-14", 5, "no time", "exchange"),
        ("a gt 9999-12-31/P1Y", 5, "no time", "9999"),
        ("a gt P1D/P1D", 5, "no time", "at least one time"),
        ("a gt 25:00", 5, "no time", "time of day"),
        ("a gt datetime'2026-07-14T12:00:00Z'", 5, "no 'datetime'", "2026-07-14T18:30:00Z"),
        ("a gt duration'1h'", 14, "no duration", "PT15M"),
        ("a gt duration'P'", 14, "no duration", "PT15M"),
        ("a gt duration'PT1H", 13, "never ends", ""),
        ("a gt duration'P99999Y'", 14, "no duration", "9999 years"),
        ("guid'x' eq a", 0, "'guid'", "geography"),
        ("st_within(location, geography'PIONT (7 51)')", 30, "WKT", "longitude"),
        ("geo.length(geography'')", 21, "WKT", ""),
        ("geo.length(geography'SRID=25832;POINT (7 51)')", 21, "25832", "WGS 84"),
        ("geo.length(geography'POINT (nan 51)')", 21, "degrees", ""),
        ("geo.length(geography'POINT (7 1e308)')", 21, "degrees", ""),
        ("a eq \ud800", 5, "no character", ""),
        ("a eq \x00", 5, "cannot stand", ""),
    ],
)
def test_errors_say_where_what_and_how(text, at, message, hint):
    with pytest.raises(BadRequestError) as caught:
        parse_filter(text)
    assert (caught.value.at, caught.value.option) == (at, "$filter")
    assert message in caught.value.message
    assert hint in caught.value.hint
    with pytest.raises(BadRequestError) as moved:
        parse_filter(text, option="$expand", offset=50)
    assert (moved.value.at, moved.value.option) == (at + 50, "$expand")


@pytest.mark.parametrize(
    "unit", ["(", "-", "not ", "length(", "a in (", "concat(a,", "a or b and c eq d lt e add f mul ("]
)
def test_nesting_has_a_limit(unit):
    for text in (unit * (MAX_NESTING + 1) + "a", unit * (MAX_LENGTH // len(unit))):
        with pytest.raises(BadRequestError, match="deeper than 50 levels"):
            parse_filter(text)


def test_nesting_up_to_the_limit_is_read():
    assert parse_filter("(" * MAX_NESTING + "a" + ")" * MAX_NESTING) == Path(("a",), MAX_NESTING)
    assert height(parse_filter("not " * MAX_NESTING + "a")) == MAX_NESTING + 1
    assert height(parse_filter("-" * MAX_NESTING + "a")) == MAX_NESTING + 1


def test_a_long_text_is_refused_before_it_is_read():
    for text in ("(" * 100_000, "a or " * 20_000 + "a", "'" + "x" * MAX_LENGTH):
        with pytest.raises(BadRequestError, match="longer than 8192") as caught:
            parse_filter(text)
        assert caught.value.at == MAX_LENGTH


def height(expression):
    level, found = [expression], 0
    while level:
        found += 1
        level = [below for each in level for below in operands(each)]
    return found


def operands(expression):
    match expression:
        case Binary():
            return expression.left, expression.right
        case Not() | Negative():
            return (expression.operand,)
    return ()


def test_a_long_chain_of_or_makes_a_low_tree():
    terms = [f"id eq {each}" for each in range(500)]
    expression = parse_filter(" or ".join(terms))
    assert height(expression) <= 12
    found, waiting = [], [expression]
    while waiting:
        node = waiting.pop()
        if node.operator == "or":
            waiting += [node.right, node.left]
        else:
            found.append(node.right.value)
    assert found == list(range(500))


def test_a_chain_that_cannot_be_low_has_a_limit():
    assert height(parse_filter("a" + " sub b" * (MAX_HEIGHT - 1))) == MAX_HEIGHT
    with pytest.raises(BadRequestError, match="too many operators"):
        parse_filter("a" + " sub b" * MAX_HEIGHT)


def test_orderby_has_several_keys():
    assert parse_orderby(
        "phenomenonTime desc, Datastream/id ASC,length(concat(name,'a, b')) , result add 1"
    ) == (
        Order(Path(("phenomenonTime",), 0), descending=True),
        Order(Path(("Datastream", "@iot.id"), 21)),
        Order(Call("length", (Call("concat", (Path(("name",), 53), Text("a, b", 58)), 46),), 39)),
        Order(Binary("add", Path(("result",), 69), Number(1, 80), 76)),
    )


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("", 0, "empty"),
        ("result,", 7, "expected a value"),
        (",result", 0, "expected a value"),
        ("result descending", 7, "asc, desc, a comma or the end"),
        ("result desc asc", 12, "asc, desc, a comma or the end"),
        ("result)", 6, "has no ("),
        ("a," * MAX_KEYS + "a", 2 * MAX_KEYS, "more than 32 keys"),
    ],
)
def test_errors_of_orderby(text, at, message):
    with pytest.raises(BadRequestError) as caught:
        parse_orderby(text)
    assert (caught.value.at, caught.value.option) == (at, "$orderby")
    assert message in caught.value.message


def test_orderby_has_as_many_keys_as_the_limit():
    assert len(parse_orderby(",".join("a" * MAX_KEYS))) == MAX_KEYS
