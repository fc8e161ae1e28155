"""What a filter means, row by row: every choice of rows behind links to many is tried."""

import datetime as dt
import json
import math
import operator
import re

from api.sta.expression import (
    Path,
)
from api.sta.model import ENTITY_SETS, Between, Kind, ToMany, ToOne

ORDER = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
         "ge": operator.ge}  # fmt: skip
NUMBER = re.compile(r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$")


def table(connection, name):
    cursor = connection.execute(f"SELECT * FROM {name}")
    columns = [each[0] for each in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor]


def matching(connection, name, expression):
    """Ids of the rows of a set for which the expression is true."""
    world = {each.name: table(connection, each.table) for each in ENTITY_SETS.values()}
    pairs = {each: table(connection, each) for each in ("things_locations", "locations_historical_locations")}
    prefixes = sorted(many(expression, ENTITY_SETS[name]), key=len)
    found = []
    for row in world[name]:
        for chosen in choices(world, pairs, ENTITY_SETS[name], row, prefixes, {}):
            if truth(Reader(world, ENTITY_SETS[name], row, chosen).read(expression)) is True:
                found.append(row["id"])
                break
    return sorted(found)


def many(expression, entity_set):
    if isinstance(expression, Path):
        found, at = set(), entity_set
        for place, segment in enumerate(expression.segments):
            if segment not in at.links:
                break
            if not isinstance(at.links[segment], ToOne):
                found.add(expression.segments[: place + 1])
            at = ENTITY_SETS[at.links[segment].target]
        return found
    below = [getattr(expression, name, ()) for name in ("operand", "left", "right")]
    below = [each for each in below if each != ()]
    below += [*getattr(expression, "options", ()), *getattr(expression, "arguments", ())]
    return set().union(*(many(each, entity_set) for each in below)) if below else set()


def choices(world, pairs, entity_set, row, prefixes, chosen):  # noqa: PLR0913, PLR0917 - recursion
    if not prefixes:
        yield chosen
        return
    prefix = prefixes[0]
    at, here, start = entity_set, row, 0
    for known, other in chosen.items():
        if prefix[: len(known)] == known and len(known) > start:
            start, here = len(known), other
    for segment in prefix[:start]:
        at = ENTITY_SETS[at.links[segment].target]
    for segment in prefix[start:-1]:
        here, at = one(world, at, here, segment)
    link = at.links[prefix[-1]]
    rows = [] if here is None else behind(world, pairs, link, here)
    for each in rows or [None]:
        yield from choices(world, pairs, entity_set, row, prefixes[1:], {**chosen, prefix: each})


def behind(world, pairs, link, row):
    if isinstance(link, ToMany):
        return [each for each in world[link.target] if each[link.column] == row["id"]]
    assert isinstance(link, Between)
    theirs = {each[link.theirs] for each in pairs[link.table] if each[link.own] == row["id"]}
    return [each for each in world[link.target] if each["id"] in theirs]


def one(world, entity_set, row, segment):
    link = entity_set.links[segment]
    target = ENTITY_SETS[link.target]
    if row is None:
        return None, target
    return next((each for each in world[target.name] if each["id"] == row[link.column]), None), target


def truth(value):
    kind, content = value
    if kind == "any":
        return content if isinstance(content, bool) else None
    return content


def numeric(value):
    kind, content = value
    if kind == "null" or isinstance(content, bool):
        return None
    if isinstance(content, int | float):
        return content
    if isinstance(content, str) and NUMBER.match(content):
        return float(content) if not re.fullmatch(r"[+-]?[0-9]{1,18}", content) else int(content)
    return None


def moment(value):
    kind, content = value
    if kind != "any":
        return content
    try:
        parsed = dt.datetime.fromisoformat(content) if isinstance(content, str) else None
    except ValueError:
        return None
    if parsed is None:
        return None
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)
    time_us = (parsed - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    return (time_us, time_us)


def compared(name, left, right):
    kinds = {left[0], right[0]}
    if "null" in kinds:
        other = left if right[0] == "null" else right
        return {"eq": other[1] is None, "ne": other[1] is not None}.get(name)
    if "time" in kinds:
        return times(name, moment(left), moment(right))
    if left[1] is None or right[1] is None:
        return None
    if "any" in kinds:
        return unknown_kinds(name, left, right)
    if kinds <= {"text"} or kinds <= {"bool"} or kinds <= {"duration"}:
        return ORDER[name](left[1], right[1])
    a, b = numeric(left), numeric(right)
    return None if a is None or b is None else ORDER[name](a, b)


def unknown_kinds(name, left, right):
    def sort(content):
        if isinstance(content, bool):
            return "bool"
        return "number" if isinstance(content, int | float) else type(content).__name__

    a, b = left[1], right[1]
    different = {"eq": False, "ne": True}.get(name)
    if sort(a) != sort(b):
        if {sort(a), sort(b)} != {"number", "str"}:
            return different
        a, b = numeric(left), numeric(right)
        return different if a is None or b is None else ORDER[name](a, b)
    if name in {"eq", "ne"}:
        return ORDER[name](a, b)
    if isinstance(a, dict | list):
        return None
    if isinstance(a, str) and numeric(left) is not None and numeric(right) is not None:
        return ORDER[name](numeric(left), numeric(right))
    return ORDER[name](a, b)


def times(name, left, right):
    if left is None or right is None:
        return None
    if name in {"eq", "ne"}:
        return ORDER[name](left, right)
    if name in {"gt", "ge"}:
        return times({"gt": "lt", "ge": "le"}[name], right, left)
    if name == "lt":
        return left[1] <= right[0] and left[0] < right[0]
    return left[0] <= right[0] and left[1] <= right[1]


class Reader:
    """Reads expressions for one row and one choice of rows behind its links to many."""

    def __init__(self, world, entity_set, row, chosen):
        self.world, self.entity_set, self.row, self.chosen = world, entity_set, row, chosen

    def read(self, expression):
        return getattr(self, f"_{type(expression).__name__.lower()}")(expression)

    def _null(self, _):
        return "null", None

    def _boolean(self, expression):
        return "bool", expression.value

    def _number(self, expression):
        return "integer" if isinstance(expression.value, int) else "decimal", expression.value

    def _text(self, expression):
        return "text", expression.value

    def _instant(self, expression):
        return "time", (expression.time_us, expression.time_us)

    def _interval(self, expression):
        return "time", (expression.begin_us, expression.end_us)

    def _duration(self, expression):
        return "duration", expression.length_us

    def _not(self, expression):
        value = truth(self.read(expression.operand))
        return "bool", None if value is None else not value

    def _negative(self, expression):
        kind, content = self.read(expression.operand)
        if kind == "duration":
            return kind, None if content is None else -content
        value = numeric((kind, content))
        return "integer" if kind == "integer" else "decimal", None if value is None else -value

    def _in(self, expression):
        left = self.read(expression.operand)
        values = [compared("eq", left, self.read(each)) for each in expression.options]
        return "bool", True if True in values else None if None in values else False

    def _binary(self, expression):
        left, right = self.read(expression.left), self.read(expression.right)
        name = expression.operator
        if name in {"and", "or"}:
            values = [truth(left), truth(right)]
            decisive = name == "or"
            if decisive in values:
                return "bool", decisive
            return "bool", None if None in values else not decisive
        if name in ORDER:
            return "bool", compared(name, left, right)
        return self._computed(name, left, right)

    def _computed(self, name, left, right):
        if "null" in {left[0], right[0]}:
            return "null", None
        kinds = {left[0], right[0]}
        if kinds & {"time", "duration"}:
            return self._shifted(name, left, right)
        kind = "integer" if kinds == {"integer"} else "decimal"
        a, b = numeric(left), numeric(right)
        if a is None or b is None or (name in {"div", "mod"} and b == 0):
            return kind, None
        if name == "div":
            return kind, math.trunc(a / b) if kind == "integer" else a / b
        if name == "mod":
            return kind, math.fmod(a, b)
        return kind, {"add": operator.add, "sub": operator.sub, "mul": operator.mul}[name](a, b)

    def _shifted(self, name, left, right):
        if name == "add" and left[0] == "duration":
            left, right = right, left
        sign = 1 if name == "add" else -1
        if left[0] == "duration":
            known = None not in (left[1], right[1])
            return "duration", left[1] + sign * right[1] if known else None
        a = moment(left)
        if right[0] == "duration":
            return "time", None if a is None or right[1] is None else tuple(
                each + sign * right[1] for each in a
            )
        b = moment(right)
        return "duration", None if a is None or b is None else a[0] - b[0]

    def _call(self, expression):
        arguments = [self.read(each) for each in expression.arguments]
        if any(content is None for _, content in arguments):
            return {"length": "integer", "indexof": "integer", "year": "integer", "hour": "integer",
                    "contains": "bool", "startswith": "bool", "endswith": "bool", "round": "decimal",
                    "floor": "decimal", "ceiling": "decimal", "date": "time"}.get(
                        expression.function, "text"), None  # fmt: skip
        return getattr(self, f"_of_{KINDS[expression.function]}")(expression.function, arguments)

    def _of_text(self, name, arguments):
        texts = [content if isinstance(content, str) else None for _, content in arguments]
        kind, run = TEXTS[name]
        return kind, None if None in texts else run(*texts)

    def _of_number(self, name, arguments):
        value = numeric(arguments[0])
        if value is None:
            return "decimal", None
        if name == "round":
            return "decimal", math.copysign(math.floor(abs(value) + 0.5), value)
        return "decimal", math.floor(value) if name == "floor" else math.ceil(value)

    def _of_time(self, name, arguments):
        value = moment(arguments[0])
        if value is None:
            return ("time" if name == "date" else "integer"), None
        at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=value[0])
        if name == "date":
            midnight = at.replace(hour=0, minute=0, second=0, microsecond=0) - dt.datetime(
                1970, 1, 1, tzinfo=dt.UTC
            )
            return "time", (midnight // dt.timedelta(microseconds=1),) * 2
        return "integer", getattr(at, name)

    def _path(self, expression):
        prefix = max(
            (each for each in self.chosen if expression.segments[: len(each)] == each), key=len, default=()
        )
        at, row = self.entity_set, self.chosen[prefix] if prefix else self.row
        for segment in prefix:
            at = ENTITY_SETS[at.links[segment].target]
        rest = list(expression.segments[len(prefix) :])
        while rest[0] in at.links:
            row, at = one(self.world, at, row, rest.pop(0))
        if rest[0] == "@iot.id":
            return "integer", None if row is None else row["id"]
        known = at.properties[rest[0]]
        values = [None if row is None else row[column] for column in known.columns]
        if known.kind is Kind.TEXT:
            return "text", values[0]
        if known.kind in {Kind.TIME, Kind.INSTANT}:
            end = values[-1] if values[-1] is not None else values[0]
            return "time", None if values[0] is None else (values[0], end)
        if known.kind is Kind.RESULT and values[0] is not None and len(rest) == 1:
            return "any", values[0]
        content = json.loads(values[-1]) if values[-1] is not None else None
        for key in rest[1:]:
            if isinstance(content, list):
                content = content[int(key)] if key.isdecimal() and int(key) < len(content) else None
            else:
                content = content.get(key) if isinstance(content, dict) else None
        return "any", content


TEXTS = {
    "length": ("integer", len),
    "tolower": ("text", str.lower),
    "toupper": ("text", str.upper),
    "trim": ("text", str.strip),
    "concat": ("text", operator.add),
    "contains": ("bool", operator.contains),
    "startswith": ("bool", str.startswith),
    "endswith": ("bool", str.endswith),
    "indexof": ("integer", str.find),
}
KINDS = {
    **dict.fromkeys(TEXTS, "text"),
    **dict.fromkeys(("round", "floor", "ceiling"), "number"),
    **dict.fromkeys(("year", "hour", "date"), "time"),
}
