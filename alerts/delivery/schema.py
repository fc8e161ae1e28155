"""The tables of the file of deliveries, and how an older file becomes one of today."""

import sqlite3

APPLICATION_ID = 0x53464431
VERSION = 4
_FIRST = (
    """CREATE TABLE deliveries(
        event TEXT NOT NULL, channel TEXT NOT NULL, seq INTEGER NOT NULL, episode TEXT NOT NULL,
        kind TEXT NOT NULL, event_us INTEGER NOT NULL, status TEXT NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, interrupted INTEGER NOT NULL DEFAULT 0,
        detail TEXT NOT NULL DEFAULT '', created_us INTEGER NOT NULL, started_us INTEGER, ended_us INTEGER,
        warning BLOB NOT NULL, PRIMARY KEY(event, channel))""",
    # the queue of each channel, and nothing of what is done
    "CREATE INDEX deliveries_pending ON deliveries(channel, seq) WHERE status = 'pending'",
    "CREATE INDEX deliveries_by_episode ON deliveries(episode, channel, seq)",
    "CREATE INDEX deliveries_by_seq ON deliveries(seq)",
    "CREATE TABLE episodes(id TEXT PRIMARY KEY, warning BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE position(
        one INTEGER PRIMARY KEY CHECK(one = 1), cursor INTEGER NOT NULL, event TEXT NOT NULL)""",
    "INSERT INTO position VALUES(1, 0, '')",
)
_BY_INCIDENT = (
    "ALTER TABLE deliveries ADD COLUMN incident TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE deliveries ADD COLUMN rank INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE deliveries ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE deliveries ADD COLUMN ends INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE incidents(id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE heard(
        channel TEXT, incident TEXT, sent_us INTEGER NOT NULL, rank INTEGER NOT NULL,
        count INTEGER NOT NULL, ended INTEGER NOT NULL, PRIMARY KEY(channel, incident)) WITHOUT ROWID""",
)
"""What version 2 has more: how channels hear of incidents."""
_OF_THE_CITY = ("CREATE TABLE city_warnings(id TEXT PRIMARY KEY, warning BLOB NOT NULL) WITHOUT ROWID",)
"""What version 3 has more: warnings of the city. Their deliveries keep one in `warning`, by their kind."""
_HELD = (
    "ALTER TABLE deliveries ADD COLUMN hold TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE deliveries ADD COLUMN until_us INTEGER",
    "CREATE INDEX deliveries_held ON deliveries(until_us) WHERE until_us IS NOT NULL",
    "CREATE INDEX deliveries_by_incident ON deliveries(incident, channel)",
)
"""What version 4 has more: why and until when a delivery is held back."""
SCHEMA = (*_FIRST, *_BY_INCIDENT, *_OF_THE_CITY, *_HELD)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring an older file up to VERSION."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    for since, statements in ((2, _BY_INCIDENT), (3, _OF_THE_CITY), (4, _HELD)):
        if version < since:
            for statement in statements:
                connection.execute(statement)
    if version < VERSION:
        connection.execute(f"PRAGMA user_version={VERSION}")
