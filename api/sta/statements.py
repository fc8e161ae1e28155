"""What a request's expressions are in SQL, over one connection."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.sta.errors import BadRequestError
from api.sta.expression import Expression
from api.sta.model import EntitySet
from api.sta.source import EntitySource, Scope
from api.sta.sql import Sql
from api.sta.target import ALIAS, table

LATE = "narrow it by time or Datastream, or ask for less of it at a time"


@dataclass(frozen=True, slots=True)
class Statements:
    """Runs statements, and knows where a set's rows are."""

    connection: sqlite3.Connection
    source: EntitySource

    def rows(self, statement: Sql) -> list[tuple[Any, ...]]:
        """All rows of a statement; raises BadRequestError where it takes too long."""
        try:
            return self.connection.execute(statement.text, statement.parameters).fetchall()
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise
            raise BadRequestError("this takes too long to answer", LATE) from error
        except OverflowError as error:
            raise BadRequestError("a number is too large", "write numbers of at most 64 bits") from error

    def table(self, entity_set: EntitySet, scope: Scope) -> Sql:
        """What a set is selected from."""
        return table(self.connection, self.source, entity_set, scope)
