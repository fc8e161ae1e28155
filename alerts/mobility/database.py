"""mobility.db: what is told of traffic and parking, beside the journal.

It is written before the journal's commit, by writes that may be repeated: after a crash between the two the
step is done again and writes the same rows. Every feature brings its tables; all of them go into one file.
"""

from pathlib import Path

from alerts.errors import MobilityError
from alerts.mobility import counts_db, occupancy_db
from ingest.sqlite_file import SqliteFile

FILE = "mobility.db"
_APPLICATION_ID = 0x53544D4F  # "STMO"
_VERSION = 1
_SCHEMA = (
    "CREATE TABLE position (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL)",
    *counts_db.SCHEMA,
    *occupancy_db.SCHEMA,
)


def open_database(path: Path) -> SqliteFile:
    """The file, made when it is not there. Raises MobilityError."""
    return SqliteFile(
        path, application_id=_APPLICATION_ID, version=_VERSION, schema=_SCHEMA, error=MobilityError
    )


def is_new(file: SqliteFile) -> bool:
    """Whether nothing was ever written: then the journal is read from its beginning."""
    with file.read() as connection:
        return connection.execute("SELECT 1 FROM position").fetchone() is None
