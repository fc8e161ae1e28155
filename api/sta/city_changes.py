"""What is new in a city's catalogue: stations, device types, properties and Datastreams, not Observations."""

import sqlite3

from api.sta.model import ENTITY_SETS

_SETS = [each for name, each in ENTITY_SETS.items() if name != "Observations"]


class CatalogueWatch:
    """Compares a city's tables with those it saw before; the first are news to nobody."""

    def __init__(self) -> None:
        self._tables: object = None
        self._known: dict[str, dict[int, int]] | None = None

    def changed(self, tables: object, connection: sqlite3.Connection) -> list[tuple[str, int]]:
        """Sets and ids of entities that are new or have changed. `tables`: which ones these are."""
        if tables is self._tables:
            return []
        now = {
            each.name: {row[0]: hash(row) for row in connection.execute(f"SELECT * FROM {each.table}")}  # noqa: S608 - names of the model
            for each in _SETS
        }
        before, self._known, self._tables = self._known, now, tables
        if before is None:
            return []
        return [
            (name, id_)
            for name, rows in now.items()
            for id_, digest in rows.items()
            if before[name].get(id_) != digest
        ]
