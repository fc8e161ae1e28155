"""What an expansion shows of each of many entities: as many statements as that needs, and no more."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from api.sta.json_texts import numbers
from api.sta.model import ENTITY_SETS, Between, ToMany
from api.sta.selection import Selection
from api.sta.sql import Sql, parameter, sql
from api.sta.statements import Statements
from api.sta.target import ALIAS

_ROWS_AT_ONCE = 10_000


@dataclass(slots=True)
class Children:
    """Rows of all parents, of each in the order asked for. By a parent's id: `spans` says which rows are its
    own, `more` whether there are others behind, `counts` how many there are without $top and $skip."""  # noqa: D205, D209 - one thought

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)
    more: set[int] = field(default_factory=set)
    counts: dict[int, int] = field(default_factory=dict)

    def add(self, parent: int, rows: Sequence[tuple[Any, ...]], top: int) -> None:
        """Rows of one parent, one more than `top` where there are more."""
        start = len(self.rows)
        self.rows += rows[:top]
        self.spans[parent] = (start, len(self.rows))
        if len(rows) > top > 0:
            self.more.add(parent)


def many_by_parent(  # noqa: PLR0913 - what a statement is made of
    statements: Statements,
    link: ToMany | Between,
    selection: Selection,
    parents: Sequence[int],
    most: int,
    *,
    counted: bool,
) -> Children:
    """Of each parent a seek of its own: for Observations, of which a parent has far more than are wanted.

    Of many parents in one statement where the source leaves out what a scope has enough without.
    """
    found = Children()
    if not parents or not isinstance(link, ToMany):
        return found
    wanted = list(dict.fromkeys(parents))
    of = _Of(statements, selection, f"{ALIAS}.{link.column}")
    # else each parent has far more than that
    bounded = statements.source.limits and selection.scope.limit is not None
    at_once = max(1, _ROWS_AT_ONCE // (selection.top + selection.skip + 1)) if bounded else 1
    for start in range(0, len(wanted), at_once):
        some = wanted[start : start + at_once]
        if len(some) == 1:
            found.add(some[0], of.one(some[0]), selection.top)
        else:
            of.many(found, some)
        if len(found.rows) > most:
            break
    if counted:
        found.counts = {each: of.count(each) for each in found.spans}
    return found


class _Of:
    """Statements for Observations of parents, put together once. `parent`: the column that says whose."""

    def __init__(self, statements: Statements, selection: Selection, parent: str) -> None:
        self._statements = statements
        self._selection = selection
        self._parent = parent
        self._from = sql(" FROM ", statements.table(selection.entity_set, selection.scope), f" AS {ALIAS}")
        self._own = sql("SELECT ", selection.columns(), self._from, f" WHERE {parent} = ")
        self._rest = sql(
            " AND ", selection.where(Sql("1")), " ORDER BY ", selection.order(), " LIMIT ",
            parameter(selection.top + 1), " OFFSET ", parameter(selection.skip),
        )  # fmt: skip

    def one(self, parent: int) -> list[tuple[Any, ...]]:
        """One more than wanted of one parent, where there are so many."""
        return self._statements.rows(sql(self._own, parameter(parent), self._rest))

    def many(self, found: Children, parents: Sequence[int]) -> None:
        """The same of many parents, of which the source leaves out what is too much by far."""
        skip, top = self._selection.skip, self._selection.top
        ids = parameter(f"[{','.join(numbers(parents))}]")
        condition = sql(self._parent, " IN (SELECT value FROM json_each(", ids, "))")
        rows = self._statements.rows(
            sql(
                "SELECT ", self._selection.columns(), ", ", self._parent, " AS parent", self._from, " WHERE ",
                self._selection.where(condition), " ORDER BY parent, ", self._selection.order(),
            )
        )  # fmt: skip
        of_parent: dict[int, list[tuple[Any, ...]]] = {each: [] for each in parents}
        for row in rows:
            of_parent[row[-1]].append(row)
        for parent, own in of_parent.items():
            found.add(parent, own[skip : skip + top + 1], top)

    @cached_property
    def _counted(self) -> tuple[Sql, Sql]:
        table = self._statements.table(self._selection.entity_set, self._selection.everything)
        return sql("SELECT count(*) FROM ", table, f" AS {ALIAS} WHERE {self._parent} = "), sql(
            " AND ", self._selection.where(Sql("1"), page=False)
        )

    def count(self, parent: int) -> int:
        """How many a parent has, without $top and $skip."""
        if self._selection.filter is None:
            scope = self._selection.everything
            of_feature = scope.datastreams is None
            one = replace(scope, features=(parent,)) if of_feature else replace(scope, datastreams=(parent,))
            known = self._statements.count(one)
            if known is not None:
                return known
        start, rest = self._counted
        return int(self._statements.rows(sql(start, parameter(parent), rest))[0][0])


def few_by_parent(  # noqa: PLR0913 - what a statement is made of
    statements: Statements,
    link: ToMany | Between,
    selection: Selection,
    parents: Sequence[int],
    most: int,
    *,
    counted: bool,
) -> Children:
    """Of all parents in one statement that numbers the rows of each."""
    found = Children()
    if not parents:
        return found
    table = ENTITY_SETS[link.target].table
    if isinstance(link, ToMany):
        parent, from_ = f"{ALIAS}.{link.column}", f"{table} AS {ALIAS}"
    else:
        parent = f"pairs.{link.own}"
        from_ = f"{link.table} AS pairs JOIN {table} AS {ALIAS} ON {ALIAS}.id = pairs.{link.theirs}"
    ids = parameter(f"[{','.join(numbers(list(dict.fromkeys(parents))))}]")
    condition = sql(parent, " IN (SELECT value FROM json_each(", ids, "))")
    rows = statements.rows(
        sql(
            "SELECT * FROM (SELECT ", selection.columns(), ", ", parent, " AS parent, row_number() OVER",
            " (PARTITION BY ", parent, " ORDER BY ", selection.order(), ") AS place FROM ", from_, " WHERE ",
            selection.where(condition), ") WHERE place > ", parameter(selection.skip), " AND place <= ",
            parameter(selection.skip + selection.top + 1), " ORDER BY parent, place LIMIT ",
            parameter(most + len(parents) + 1),
        )
    )  # fmt: skip
    start = 0
    while start < len(rows):
        end = start + 1
        while end < len(rows) and rows[end][-2] == rows[start][-2]:
            end += 1
        found.add(rows[start][-2], rows[start:end], selection.top)
        start = end
    if counted:
        where = selection.where(condition, page=False)
        count = sql("SELECT ", parent, ", count(*) FROM ", from_, " WHERE ", where, " GROUP BY 1")
        found.counts = dict(statements.rows(count))
    return found
