"""Names in a $filter: operators, functions, links; and what a wrong one may have meant."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from api.sta.model import ENTITY_SETS

_ONE, _TWO, _THREE = frozenset({1}), frozenset({2}), frozenset({3})
FUNCTIONS: Mapping[str, frozenset[int]] = MappingProxyType(
    dict.fromkeys(("now", "mindatetime", "maxdatetime"), frozenset({0}))
    | dict.fromkeys(("length", "tolower", "toupper", "trim", "round", "floor", "ceiling"), _ONE)
    | dict.fromkeys(("year", "month", "day", "hour", "minute", "second"), _ONE)
    | dict.fromkeys(("fractionalseconds", "date", "time", "totaloffsetminutes", "geo.length"), _ONE)
    | dict.fromkeys(("substringof", "contains", "endswith", "startswith", "indexof", "concat"), _TWO)
    | dict.fromkeys(("geo.distance", "geo.intersects"), _TWO)
    | dict.fromkeys(("st_equals", "st_disjoint", "st_touches", "st_within", "st_overlaps"), _TWO)
    | dict.fromkeys(("st_crosses", "st_intersects", "st_contains"), _TWO)
    | dict.fromkeys(("before", "after", "meets", "during", "overlaps", "starts", "finishes"), _TWO)
    | {"substring": frozenset({2, 3}), "st_relate": _THREE}
)
"""Functions of $filter in lower case, with the numbers of arguments they take.

`before` to `finishes` compare times and intervals; they are an addition that FROST-Server has, too.
"""

OPERATORS: Mapping[str, int] = MappingProxyType(
    {"or": 1, "and": 2}
    | dict.fromkeys(("eq", "ne"), 3)
    | dict.fromkeys(("gt", "ge", "lt", "le", "in"), 4)
    | dict.fromkeys(("add", "sub"), 5)
    | dict.fromkeys(("mul", "div", "mod"), 6)
)
"""Operators between two operands, with how tightly they bind."""

_MEANT_OPERATOR = {
    "equals": "write eq",
    "is": "write eq",
    "plus": "write add",
    "minus": "write sub",
    "times": "write mul",
    "like": "write contains(name, 'part'), startswith(...) or endswith(...)",
    "contains": "write contains(name, 'part')",
    "between": "write result ge 1 and result le 2",
    "has": "write eq, or in with a list",
    "asc": "an order belongs to $orderby",
    "desc": "an order belongs to $orderby",
}
_MEANT_FUNCTION = {
    "any": "a path through many entities already means: any of them",
    "all": "a path through many entities means: any of them; use not for the opposite",
    "lower": "did you mean tolower?",
    "upper": "did you mean toupper?",
    "ceil": "did you mean ceiling?",
    "distance": "did you mean geo.distance?",
    "st_distance": "did you mean geo.distance?",
    "st_length": "did you mean geo.length?",
    "geo.within": "did you mean st_within?",
}
LINKS = frozenset(link for entity_set in ENTITY_SETS.values() for link in entity_set.links)
"""Names of all links of the model."""


def path_segments(word: str) -> tuple[str, ...]:
    """`Datastream/id` as ("Datastream", "@iot.id"): the id of an entity, but not a key `id` in properties."""
    segments = word.split("/")
    if segments[0] == "$it" and len(segments) > 1:
        del segments[0]
    for index, segment in enumerate(segments):
        if segment == "id":
            segments[index] = "@iot.id"
        if segment not in LINKS:
            break
    return tuple(segments)


def operator_hint(word: str) -> str:
    """What to write where something else than an operator stands."""
    word = word.lower()
    if word in _MEANT_OPERATOR:
        return _MEANT_OPERATOR[word]
    if close := difflib.get_close_matches(word[:40], OPERATORS, 1):
        return f"did you mean {close[0]}?"
    return "operators: eq ne gt ge lt le in and or add sub mul div mod"


def function_hint(name: str) -> str:
    """What to write instead of a function that does not exist."""
    last = name.lower().rpartition("/")[2]
    if last in _MEANT_FUNCTION:
        return _MEANT_FUNCTION[last]
    close = difflib.get_close_matches(last[:40], FUNCTIONS, 1)
    return f"did you mean {close[0]}?" if close else f"functions: {', '.join(sorted(FUNCTIONS))}"
