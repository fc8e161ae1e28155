"""Rows of state: rounds of a batch, pages, and what a newer version makes of older pages."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alerts.kernels.rows import Table, rounds

OLD = np.dtype([("time", "<i8"), ("ring", "<i4", (4,)), ("gone", "u1")])
NEW = np.dtype([("fresh", "<f8"), ("ring", "<i4", (4,)), ("time", "<i8")])


@given(st.lists(st.integers(0, 5)))
def test_rounds_hold_each_key_once_and_keep_its_order(keys):
    parts = [part.tolist() for part in rounds(np.array(keys, np.int64))]
    for part in parts:
        assert len({keys[i] for i in part}) == len(part)
    taken = [i for part in parts for i in part]
    assert sorted(taken) == list(range(len(keys)))
    for key in set(keys):
        mine = [i for i in taken if keys[i] == key]
        assert mine == sorted(mine)


def saved(table):
    return dict(table.pages())


def filled(dtype=OLD):
    table = Table("t", dtype)
    table.claim(["a", "b"])
    table.rows["time"][:2] = (7, 8)
    table.rows["ring"][1] = (1, 2, 3, 4)
    table.touch(np.array([0, 1]))
    return table


def restored(dtype, pages, *keys):
    table = Table("t", dtype)
    table.restore(dict(pages))
    table.claim(keys)
    return table


def test_only_changed_rows_are_pages_and_only_until_they_are_durable():
    table = filled()
    assert {key for key in saved(table) if "schema" not in key} == {"t/a", "t/b"}
    table.durable()
    assert saved(table) == {}
    table.touch(np.array([1]))
    assert list(saved(table)) == ["t/b"]


def test_rows_come_back_whatever_the_order_of_the_keys():
    table = restored(OLD, saved(filled()), "c", "b")
    assert table.rows["time"][:2].tolist() == [0, 8]
    table.claim(["c", "b", "a"])
    assert table.rows["time"][:3].tolist() == [0, 8, 7]


def test_a_newer_version_keeps_the_fields_it_still_knows():
    pages = saved(filled())
    table = restored(NEW, pages, "b")
    assert table.rows["ring"][0].tolist() == [1, 2, 3, 4]
    assert (table.rows["time"][0], table.rows["fresh"][0]) == (8, 0)
    # pages of both versions side by side, as after an update
    table.touch(np.array([0]))
    both = restored(NEW, {**pages, **saved(table)}, "a", "b")
    assert both.rows["time"][:2].tolist() == [7, 8]


def test_a_damaged_page_costs_one_row():
    pages = {**saved(filled()), "t/a": b"\0\1\2\3nonsense"}
    table = restored(OLD, pages, "a", "b")
    assert table.rows["time"][:2].tolist() == [0, 8]
