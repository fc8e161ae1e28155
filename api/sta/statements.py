"""What a request's expressions are in SQL, over one connection."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from api.sta.errors import StaError
from api.sta.expression import Expression
from api.sta.model import EntitySet
from api.sta.scope import scope_of
from api.sta.source import EntitySource, Scope
from api.sta.sql import Sql
from api.sta.sql_filter import compile_filter, compile_key
from api.sta.target import ALIAS, table


@dataclass(frozen=True, slots=True)
class Statements:
    """Runs statements, and knows where a set's rows are and what an expression is over them."""

    connection: sqlite3.Connection
    source: EntitySource

    def rows(self, statement: Sql) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        return self.connection.execute(statement.text, statement.parameters).fetchall()

    def table(self, entity_set: EntitySet, scope: Scope) -> Sql:
        """What a set is selected from."""
        return table(self.connection, self.source, entity_set, scope)

    def count(self, scope: Scope) -> int | None:
        """How many Observations are in a scope; None where these would have to be read to tell."""
        return self.source.count(self.connection, scope)

    def filter(self, expression: Expression, entity_set: EntitySet) -> Sql:
        """A $filter's condition."""
        try:
            return compile_filter(expression, entity_set, ALIAS, self.source, self.connection)
        except StaError as error:
            raise _named(error, "$filter") from error

    def scope(self, expression: Expression, entity_set: EntitySet) -> Scope:
        """The Observations for which a $filter can be true."""
        return scope_of(expression, entity_set, self.source, self.connection)

    def key(self, expression: Expression, entity_set: EntitySet) -> Sql:
        """The value that a key of $orderby orders by."""
        try:
            return compile_key(expression, entity_set, ALIAS, self.source, self.connection)
        except StaError as error:
            raise _named(error, "$orderby") from error


def _named(error: StaError, option: str) -> StaError:
    """The error, with the option that it is about."""
    error.option = error.option or option
    return error
