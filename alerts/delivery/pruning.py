"""What is over and old leaves the file of deliveries; whatever may still be told, or called off, stays."""

import sqlite3

import msgspec

from alerts.incidents.incident import Incident

BATCH = 2_000
_ENDED = "status NOT IN ('pending', 'sending') AND ended_us < ?"
_incident = msgspec.json.Decoder(Incident)


def prune(connection: sqlite3.Connection, before_us: int) -> bool:
    """Delete what ended before `before_us` (µs); True when there may be more of it.

    Of a warning of the city that is not over the receipts stay: they say who must hear of its end. So do
    incidents that wait for their all-clear.
    """
    connection.execute(
        "DELETE FROM city_warnings WHERE json_extract(warning, '$.status') IN ('declined', 'ended') "
        "AND json_extract(warning, '$.ended_us') < ?",
        (before_us,),
    )
    connection.execute(
        "DELETE FROM episodes WHERE json_extract(warning, '$.status') = 'ended' "
        "AND json_extract(warning, '$.changed_us') < ?",
        (before_us,),
    )
    over = [
        (incident.id,)
        for (body,) in connection.execute("SELECT body FROM incidents").fetchall()
        if (incident := _incident.decode(body)).status == "closed" and incident.changed_us < before_us
    ]
    connection.executemany("DELETE FROM incidents WHERE id = ?", over)
    connection.execute(
        "DELETE FROM heard WHERE sent_us < ? AND incident NOT IN (SELECT id FROM incidents)", (before_us,)
    )
    deleted = connection.execute(
        f"DELETE FROM deliveries WHERE rowid IN (SELECT rowid FROM deliveries WHERE {_ENDED} "  # noqa: S608 - fixed texts only
        "AND episode NOT IN (SELECT id FROM city_warnings) LIMIT ?)",
        (before_us, BATCH),
    ).rowcount
    return deleted == BATCH
