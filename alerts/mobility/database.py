"""mobility.db: what is told of traffic and parking, beside the journal.

It is written before the journal's commit, by writes that may be repeated: after a crash between the two the
step is done again and writes the same rows. Every feature brings its tables; all of them go into one file.
"""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from alerts.errors import MobilityError
from alerts.mobility import congestions_db, counts_db, occupancy_db
from ingest.sqlite_file import SqliteFile

FILE = "mobility.db"
WRITTEN = "written"
"""The page of the reader's state that says up to which uplink mobility.db was written last."""
_APPLICATION_ID = 0x53544D4F  # "STMO"
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL)",
    *counts_db.SCHEMA,
    *congestions_db.SCHEMA,
    *occupancy_db.SCHEMA,
)


def open_database(path: Path) -> SqliteFile:
    """The file, made when it is not there. Raises MobilityError."""
    return SqliteFile(
        path, application_id=_APPLICATION_ID, version=_VERSION, schema=_SCHEMA, error=MobilityError
    )


def is_behind(file: SqliteFile, state: Mapping[str, bytes]) -> bool:
    """Whether less was written than the reader's state goes on from: then the journal is read anew.

    Nothing was, or an older copy of the file was put back. `state`: the reader's pages in the journal.
    """
    with file.read() as connection:
        position = connection.execute("SELECT seq FROM position").fetchone()
    return position is None or int(position[0]) < int(state.get(WRITTEN) or b"0")


def write_position(connection: sqlite3.Connection, seq: int) -> Mapping[str, bytes]:
    """Note up to which uplink the file has everything; returns what the journal has to remember of it."""
    connection.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", (seq,))
    return {WRITTEN: str(seq).encode()}
