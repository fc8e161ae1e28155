"""What became of each delivery, as operators see it."""

import itertools
from sqlite3 import Connection

from alerts.delivery.delivery import DeliveryStatus, Receipt
from alerts.delivery.grouping import AT_ONCE, NEW_STATION, URGENT

_RECEIPT = (
    "event, channel, seq, episode, kind, event_us, shown, attempts, interrupted, detail, "
    "created_us, started_us, ended_us"
)
# as grouping.py decides: what is not told at once, of an incident that the channel has heard of
_SHOWN = (
    "(SELECT d.*, CASE WHEN d.status = 'pending' AND d.attempts = 0 AND NOT h.ended AND d.rank <= h.rank "  # noqa: S608 - fixed texts only
    f"AND d.urgency < {URGENT} AND (d.urgency < {NEW_STATION} OR h.count >= {AT_ONCE}) "
    "THEN 'gathered' ELSE d.status END AS shown "
    "FROM deliveries d LEFT JOIN heard h ON h.channel = d.channel AND h.incident = d.incident)"
)


def page(  # noqa: PLR0913, PLR0917 - what receipts are asked for by
    connection: Connection,
    limit: int,
    after: tuple[int, str] | None,
    channel: str | None,
    episode: str | None,
    status: DeliveryStatus | None,
) -> list[Receipt]:
    """Newest first; `after` (seq, channel of the last one) continues a page."""
    conditions = {"channel = ?": channel, "episode = ?": episode, "shown = ?": status}
    given: dict[str, tuple[int | str, ...]] = {
        text: (value,) for text, value in conditions.items() if value is not None
    }
    if after is not None:
        given["(seq < ? OR (seq = ? AND channel > ?))"] = (after[0], *after)
    where = f"WHERE {' AND '.join(given)} " if given else ""
    rows = connection.execute(
        f"SELECT {_RECEIPT} FROM {_SHOWN} {where}ORDER BY seq DESC, channel LIMIT ?",  # noqa: S608 - fixed texts only
        (*itertools.chain.from_iterable(given.values()), limit),
    )
    return [Receipt(*row) for row in rows]


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """How many deliveries there are by (channel, status)."""
    rows = connection.execute(
        f"SELECT channel, shown, count(*) FROM {_SHOWN} GROUP BY 1, 2"  # noqa: S608 - fixed texts only
    )
    return {(channel, status): count for channel, status, count in rows}
