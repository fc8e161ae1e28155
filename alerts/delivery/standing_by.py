"""A stand-by's deliveries: what it holds back, and what is told when it begins to speak.

What is held back is written down as skipped, so that nothing of it is sent later in bulk. When the stand-by
begins to speak, channels are told of what stands then, each thing once, by its latest step.
"""

import sqlite3
from collections.abc import Collection, Iterable

import msgspec

from alerts.city.city_warning import CityWarning
from alerts.delivery.channels import Channel
from alerts.warning import ABOUT_THE_FIRST, Warning, as_public  # noqa: A004 - the field's word, see there

HELD = "held: the first instance speaks"
STANDS = "told late: it stood when this stand-by began to speak"

_SLACK_US = 60_000_000
_warning = msgspec.json.Decoder(Warning)
_city = msgspec.json.Decoder(CityWarning)


def hold(connection: sqlite3.Connection, channels: Collection[str], now_us: int) -> None:
    """What still waits for these channels waits no more."""
    silent, back = ABOUT_THE_FIRST
    connection.executemany(
        "UPDATE deliveries SET status = 'skipped', detail = ?, ended_us = ?, until_us = NULL, hold = '' "
        "WHERE channel = ? AND (status IN ('pending', 'held') OR until_us IS NOT NULL) "
        "AND kind NOT IN (?, ?)",
        [(HELD, now_us, each, silent, back) for each in channels],
    )


def tell(connection: sqlite3.Connection, channels: Iterable[Channel], heard_us: int) -> set[str]:
    """What stands goes on its way to these channels; the incidents and episodes that are told of now.

    That is the latest step of each episode in force that is for the channel, and what has happened since the
    first was last heard and is no step, such as a sensor that was lost. Again means the same: what was told
    is not told twice.
    """
    found: set[str] = set()
    for channel in channels:
        rows = connection.execute(
            "SELECT event, max(seq), episode, incident, event_us FROM deliveries AS held "
            "WHERE channel = ? AND status = 'skipped' AND detail = ? GROUP BY episode HAVING max(seq) > "
            "coalesce((SELECT max(seq) FROM deliveries WHERE episode = held.episode AND channel = ? "
            "AND status <> 'skipped'), 0)",
            (channel.name, HELD, channel.name),
        ).fetchall()
        for latest, _, episode, incident, event_us in rows:
            event = _stands(connection, episode, latest, event_us, channel, heard_us)
            told = connection.execute(
                "UPDATE deliveries SET status = 'pending', detail = ?, ended_us = NULL "
                "WHERE event = ? AND channel = ? AND status = 'skipped' AND detail = ?",
                (STANDS, event, channel.name, HELD),
            )
            if told.rowcount:
                found.add(incident or episode)
    return found


def _stands(  # noqa: PLR0913, PLR0917 - a row's columns
    connection: sqlite3.Connection, episode: str, latest: str, event_us: int, channel: Channel, heard_us: int
) -> str:
    """The event by which the channel is told of what stands; "" when nothing of it does."""
    row = connection.execute("SELECT warning FROM episodes WHERE id = ?", (episode,)).fetchone()
    if row:
        warning = _warning.decode(row[0])
        if "staff" in channel.audience:
            return latest if warning.in_force else ""
        # residents were left out of the latest steps, perhaps, and not of what they are to know
        public = as_public(warning)
        return public.history[-1].event if public is not None and public.in_force else ""
    row = connection.execute("SELECT warning FROM city_warnings WHERE id = ?", (episode,)).fetchone()
    if row:
        return latest if _city.decode(row[0]).status in {"proposed", "in_force"} else ""
    return latest if event_us >= heard_us - _SLACK_US else ""
