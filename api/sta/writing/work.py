"""One request's changes within their transaction, by names of model.py and parameters alone."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from api.sta.errors import BadRequestError
from api.sta.json_texts import numbers
from api.sta.model import ENTITY_SETS, Between, EntitySet, ToMany
from api.sta.sql import Value
from api.sta.writing.bodies import Row


@dataclass(slots=True)
class Work:
    """The transaction, and what is left to do at its end. `now_us`: the time of what is told without one.

    `grown`: Datastreams with features of new Observations; `shrunk`: Datastreams that lost some.
    """

    connection: sqlite3.Connection
    now_us: int
    grown: dict[int, set[int]] = field(default_factory=dict)
    shrunk: set[int] = field(default_factory=set)

    def insert(self, entity_set: EntitySet, row: Row) -> int:
        """A new entity's id; ids are given in order and never again."""
        found = self.connection.execute(
            "UPDATE last_ids SET id = id + 1 WHERE name = ? RETURNING id", (entity_set.name,)
        ).fetchall()
        id_: int = found[0][0]
        columns = ["id", *row]
        self.connection.execute(
            f"INSERT INTO {entity_set.table}({', '.join(columns)}) VALUES({', '.join('?' * len(columns))})",
            (id_, *row.values()),
        )
        return id_

    def update(self, entity_set: EntitySet, id_: int, row: Mapping[str, Value]) -> None:
        """Set columns of an entity."""
        if row:
            columns = ", ".join(f"{each} = ?" for each in row)
            self.connection.execute(
                f"UPDATE {entity_set.table} SET {columns} WHERE id = ?",  # noqa: S608 - names of model.py
                (*row.values(), id_),
            )

    def demand(self, entity_set: EntitySet, id_: int, at: str) -> int:
        """The id, if there is an entity with it; raises BadRequestError."""
        statement = f"SELECT 1 FROM {entity_set.table} WHERE id = ?"  # noqa: S608 - names of model.py
        if self.connection.execute(statement, (id_,)).fetchone() is None:
            raise BadRequestError(
                f"{at} links to {entity_set.name}({id_}), which is not there", "link to one that is there"
            )
        return id_

    def value(self, entity_set: EntitySet, id_: int, column: str) -> Value:
        """One column of an entity that is there."""
        statement = f"SELECT {column} FROM {entity_set.table} WHERE id = ?"  # noqa: S608 - names of model.py
        value: Value = self.connection.execute(statement, (id_,)).fetchone()[0]
        return value

    def children(self, link: ToMany, ids: Collection[int], column: str = "id") -> list[int]:
        """What `column` is in all that a link leads to from entities with these ids."""
        table = ENTITY_SETS[link.target].table
        rows = self.connection.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE {link.column} IN (SELECT value FROM json_each(?))",  # noqa: S608 - names of model.py
            (array(ids),),
        )
        return [row[0] for row in rows]

    def pair(self, link: Between, own: int, theirs: Iterable[int]) -> None:
        """Link an entity to others through a table of pairs."""
        self.connection.executemany(
            f"INSERT OR IGNORE INTO {link.table}({link.own}, {link.theirs}) VALUES(?, ?)",
            [(own, each) for each in theirs],
        )

    def unpair(self, link: Between, ids: Collection[int]) -> None:
        """Take away all pairs of these entities."""
        self.connection.execute(
            f"DELETE FROM {link.table} WHERE {link.own} IN (SELECT value FROM json_each(?))",  # noqa: S608 - names of model.py
            (array(ids),),
        )

    def paired(self, link: Between, ids: Collection[int]) -> list[int]:
        """Ids of what entities are linked to through a table of pairs, in their order."""
        rows = self.connection.execute(
            f"SELECT DISTINCT {link.theirs} FROM {link.table}"  # noqa: S608 - names of model.py
            f" WHERE {link.own} IN (SELECT value FROM json_each(?)) ORDER BY 1",
            (array(ids),),
        )
        return [row[0] for row in rows]

    def delete(self, table: str, column: str, ids: Collection[int]) -> None:
        """Delete rows of a table."""
        self.connection.execute(
            f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))",  # noqa: S608 - names of model.py
            (array(ids),),
        )


def array(ids: Collection[int]) -> str:
    """Ids as a JSON array, for json_each."""
    return f"[{','.join(numbers(list(ids)))}]"


def between(entity_set: str, link: str) -> Between:
    """A link through a table of pairs, by its name."""
    found = ENTITY_SETS[entity_set].links[link]
    if not isinstance(found, Between):
        raise TypeError(f"{entity_set}.{link} has no table of pairs")
    return found
