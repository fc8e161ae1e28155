"""JSON Patch: the operations by themselves, and over HTTP."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sta.errors import BadRequestError
from api.sta.writing.json_patch import apply, same

KEYS = st.sampled_from(["a", "b", "a/b", "m~n", "", "0"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("document", "operations", "after"),
    [
        ({"a": 1}, [{"op": "add", "path": "/b", "value": [1]}], {"a": 1, "b": [1]}),
        ({"a": 1}, [{"op": "add", "path": "/a", "value": None}], {"a": None}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2]}),
        ({"a": [1, 2, 3]}, [{"op": "remove", "path": "/a/0"}], {"a": [2, 3]}),
        ({"a": {"b": 1, "c": 2}}, [{"op": "remove", "path": "/a/b"}], {"a": {"c": 2}}),
        ({"a": [1, 2]}, [{"op": "replace", "path": "/a/1", "value": {}}], {"a": [1, {}]}),
        ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ({"a": [1, 2, 3]}, [{"op": "move", "from": "/a/0", "path": "/a/2"}], {"a": [2, 3, 1]}),
        ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"},
                      {"op": "add", "path": "/b/-", "value": 2}], {"a": [1], "b": [1, 2]}),
        ({"a/b": 1, "m~n": 2}, [{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/m~0n"}], {}),
        ({"": {"": 1}}, [{"op": "test", "path": "//", "value": 1.0}], {"": {"": 1}}),
        ({"0": 1}, [{"op": "replace", "path": "/0", "value": 2}], {"0": 2}),
    ],
)  # fmt: skip
def test_operations_do_what_they_are_called(document, operations, after):
    before = copy.deepcopy(document)
    assert apply(document, operations) == after
    assert document == before


@pytest.mark.parametrize(
    ("operations", "says"),
    [
        ({}, "list"),
        ([{"op": "add", "path": "/x", "value": 1}] * 1001, "list"),
        ([3], "no object"),
        ([{"op": "addd", "path": "/x", "value": 1}], "no op 'addd'"),
        ([{"op": ["add"], "path": "/x", "value": 1}], "no op"),
        ([{"op": "add", "value": 1}], "path is no JSON Pointer"),
        ([{"op": "add", "path": "x", "value": 1}], "path is no JSON Pointer"),
        ([{"op": "add", "path": "/x"}], "no value"),
        ([{"op": "add", "path": "/x/y", "value": 1}], "no /x"),
        ([{"op": "add", "path": "/n/y", "value": 1}], "no members"),
        ([{"op": "add", "path": "/a/3", "value": 1}], "no place 3"),
        ([{"op": "add", "path": "/a/01", "value": 1}], "no place in a list"),
        ([{"op": "add", "path": "/a/-1", "value": 1}], "no place in a list"),
        ([{"op": "remove", "path": "/a/2"}], "no place 2"),
        ([{"op": "remove", "path": "/a/-"}], "no place in a list"),
        ([{"op": "remove", "path": "/x"}], "no /x"),
        ([{"op": "replace", "path": "/x", "value": 1}], "no /x"),
        ([{"op": "test", "path": "/n", "value": True}], "another value"),
        ([{"op": "test", "path": "/a", "value": [2, 1]}], "another value"),
        ([{"op": "move", "from": "/o", "path": "/o/p/q"}], "into itself"),
        ([{"op": "copy", "path": "/x"}], "from is no JSON Pointer"),
        ([{"op": "copy", "from": "/x", "path": "/y"}], "no /x"),
        ([{"op": "add", "path": "/x", "value": 1}, {"op": "remove", "path": "/y"}], "operation 1"),
    ],
)
def test_what_cannot_be_done_is_said(operations, says):
    document = {"n": 1, "a": [1, 2], "o": {"p": {}}}
    with pytest.raises(BadRequestError, match=says):
        apply(document, operations)


def test_copies_of_copies_come_to_an_end():
    operations = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 40
    with pytest.raises(BadRequestError, match=r"MB|nested"):
        apply({"a": ["x" * 1000]}, operations)


@given(VALUES, VALUES)
def test_what_is_put_in_can_be_tested_moved_and_taken_out(document, value):
    operations = [
        {"op": "add", "path": "/new~1key", "value": value},
        {"op": "test", "path": "/new~1key", "value": value},
        {"op": "copy", "from": "/new~1key", "path": "/b"},
        {"op": "move", "from": "/new~1key", "path": "/c"},
        {"op": "test", "path": "/c", "value": value},
        {"op": "test", "path": "/b", "value": value},
        {"op": "remove", "path": "/c"},
        {"op": "remove", "path": "/b"},
    ]
    whole = {"document": document}
    assert same(apply(whole, operations), whole)


@given(VALUES, VALUES)
def test_sameness_is_that_of_json(one, other):
    assert same(one, copy.deepcopy(one))
    assert same(one, other) == same(other, one)
    assert not same(one, [one])


def test_true_is_not_1():
    assert same(1, 1.0)
    assert not same(1, True)
    assert not same([0], [False])
    assert not same({"a": 1}, {"b": 1})
