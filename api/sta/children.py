"""What an expansion shows of each of many entities: as many statements as that needs, and no more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from api.sta.json_texts import numbers
from api.sta.model import ENTITY_SETS, Between, ToMany
from api.sta.selection import Selection
from api.sta.sql import Sql, parameter, sql
from api.sta.statements import Statements
from api.sta.target import ALIAS


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
    """Of each parent a seek of its own: for Observations, of which a parent has far more than are wanted."""
    found = Children()
    if not parents or not isinstance(link, ToMany):
        return found
    # built once, not for each parent
    own = f" AS {ALIAS} WHERE {ALIAS}.{link.column} = "
    table = statements.table(selection.entity_set, selection.scope)
    from_ = sql("SELECT ", selection.columns(), " FROM ", table, own)
    rest = sql(
        " AND ", selection.where(Sql("1")), " ORDER BY ", selection.order(), " LIMIT ",
        parameter(selection.top + 1), " OFFSET ", parameter(selection.skip),
    )  # fmt: skip
    counting = None
    if counted:
        everything = statements.table(selection.entity_set, selection.everything)
        counting = sql("SELECT count(*) FROM ", everything, own), selection.where(Sql("1"), page=False)
    for parent in dict.fromkeys(parents):
        rows = statements.rows(sql(from_, parameter(parent), rest))
        found.add(parent, rows, selection.top)
        if counting is not None:
            count = sql(counting[0], parameter(parent), " AND ", counting[1])
            found.counts[parent] = statements.rows(count)[0][0]
        if len(found.rows) > most:
            break
    return found


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
