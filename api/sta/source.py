"""Where entities come from: a scratch instance's own file, or a city's registry and store."""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from api.sta.sql import Sql


@dataclass(frozen=True, slots=True)
class Scope:
    """Which Observations a query can touch at most: a hint, the query filters for itself.

    `datastreams`: ids, None for any. `begin_us` and `end_us`: every phenomenonTime wanted overlaps this span,
    both ends included, None for open. `limit`: that many of each Datastream in order of phenomenonTime are
    enough, the newest ones where `newest_first`; None: all are needed. `ids`, `features`: of Observations and
    of FeaturesOfInterest, None for any; `id_above` and `id_below`: every id wanted is between them, both ends
    excluded. Where no Datastreams and features are named, so many of all together are enough; with `by_id` in
    order of their ids.
    """

    datastreams: Sequence[int] | None = None
    begin_us: int | None = None
    end_us: int | None = None
    newest_first: bool = False
    limit: int | None = None
    ids: Sequence[int] | None = None
    features: Sequence[int] | None = None
    id_above: int | None = None
    id_below: int | None = None
    by_id: bool = False


class EntitySource(Protocol):
    """Entities as tables of schema.sql, for one kind of caller. Thread-safe.

    `ids_follow_time`: among the Observations of one Datastream a greater id means a later phenomenonTime.
    `limits`: what `observations` gives has no more of each series than a scope's limit says, or little more.
    `result_ends`: the resultTime of every Observation is its phenomenonTime, or the end of that.
    """

    writable: bool
    ids_follow_time: bool
    limits: bool
    result_ends: bool

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that sees one state of everything; for one thread, until the context ends.

        The functions of `sql_functions` are installed on it.
        """

    def observations(self, connection: sqlite3.Connection, scope: Scope) -> Sql:
        """Something to select from, with the columns of observations.sql: a table's name or (SELECT ...).

        Raises TooManyError where the source would have to hold more than it can for this scope.
        """

    def count(self, connection: sqlite3.Connection, scope: Scope) -> int | None:
        """How many Observations are in a scope; None where these would have to be read to tell."""

    def span(self, datastream: str) -> tuple[Sql, Sql]:
        """Expressions for the first begin and last end of phenomenonTime of the Datastream whose id the SQL
        expression `datastream` is; NULL without Observations."""  # noqa: D205, D209 - one thought
