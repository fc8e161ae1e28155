"""What is held back, in the file of deliveries: calls that wait for nobody's answer, quiet hours, silences.

A held delivery has the moment at which it is looked at again. Then it is sent if what it is about still
stands, or if the channel had heard of it and must hear of its end; else it is skipped.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import msgspec

from alerts.city.city_warning import CityWarning
from alerts.incidents.incident import Incident

ESCALATION = "escalation"
_OVER = frozenset({"clear", "gateway_back", "sensor_back", "sighted", "property_back"})
_incident = msgspec.json.Decoder(Incident)
_city = msgspec.json.Decoder(CityWarning)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a delivery waits, until when (µs since the epoch, UTC) and in words.

    `why`: "escalation", "quiet", or "silence:ID"; what is silenced has the status skipped meanwhile.
    """

    why: str
    until_us: int
    detail: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody has acknowledged: an incident, a warning of the city ("" for none), and in words."""

    incident: str
    episode: str
    words: str


@dataclass(frozen=True, slots=True)
class _Held:
    event: str
    channel: str
    seq: int
    kind: str
    why: str
    incident: str
    episode: str


def told(connection: sqlite3.Connection, groups: Iterable[str]) -> dict[str, set[str]]:
    """The channels that were told, or are about to be, by incident or else by episode."""
    clause = "status <> 'skipped' AND NOT (status = 'held' AND hold = 'escalation')"
    return {
        group: {
            row[0]
            for row in connection.execute(
                f"SELECT channel FROM deliveries WHERE incident = ? AND {clause} "  # noqa: S608 - fixed texts only
                f"UNION SELECT channel FROM deliveries WHERE episode = ? AND incident = '' AND {clause} "
                "UNION SELECT channel FROM heard WHERE incident = ?",
                (group, group, group),
            )
        }
        for group in groups
    }


def called(connection: sqlite3.Connection, groups: Iterable[str]) -> dict[str, int]:
    """Up to which rank others are, or were, to be called, by incident; without those of which nobody was."""
    rows = (
        (
            group,
            connection.execute(
                "SELECT max(rank) FROM deliveries WHERE incident = ? AND hold = 'escalation'", (group,)
            ).fetchone()[0],
        )
        for group in groups
        if group
    )
    return {group: highest for group, highest in rows if highest is not None}


def answer(connection: sqlite3.Connection, given: Answer, now_us: int) -> None:
    """Somebody has acknowledged: nobody else is called."""
    connection.execute(
        "UPDATE deliveries SET status = 'skipped', until_us = NULL, detail = ?, ended_us = ? "
        "WHERE status = 'held' AND hold = 'escalation' AND ((? <> '' AND incident = ?) OR episode = ?)",
        (given.words, now_us, given.incident, given.incident, given.episode),
    )


def unsilence(connection: sqlite3.Connection, silence: str, now_us: int) -> None:
    """A silence has ended before its time: look now at what it holds back."""
    connection.execute(
        "UPDATE deliveries SET until_us = ? WHERE hold = ? AND until_us > ?",
        (now_us, f"silence:{silence}", now_us),
    )


def release(connection: sqlite3.Connection, now_us: int) -> set[str]:
    """Decide about what is due; the incidents and episodes of which something is to be sent now."""
    rows = connection.execute(
        "SELECT event, channel, seq, kind, hold, incident, episode FROM deliveries "
        "WHERE until_us <= ? AND status IN ('held', 'skipped') ORDER BY channel, incident, episode, seq",
        (now_us,),
    ).fetchall()
    found: set[str] = set()
    by_group = groupby(
        (_Held(*row) for row in rows), key=lambda each: (each.channel, each.incident or each.episode)
    )
    for (_, group), held in by_group:
        if _release(connection, list(held), now_us):
            found.add(group)
    return found


def _release(connection: sqlite3.Connection, held: list[_Held], now_us: int) -> bool:
    newest = held[-1]
    sent = _sent(connection, newest)
    alive = _alive(connection, newest)
    ready: list[_Held] = []
    for each in held:
        called_off = each.why == ESCALATION and not alive
        if each.seq > sent and not called_off and (alive or _must_hear_the_end(connection, each, sent)):
            ready.append(each)
            continue
        silenced = each.why.startswith("silence:")
        detail = None if silenced else "over before it was told" if not alive else "told meanwhile"
        connection.execute(
            "UPDATE deliveries SET status = 'skipped', until_us = NULL, ended_us = ?, "
            "detail = coalesce(?, detail) WHERE event = ? AND channel = ?",
            (now_us, detail, each.event, each.channel),
        )
    for each in ready:
        # of an incident its message gathers them; else the latest says it all
        latest = bool(each.incident) or each is ready[-1]
        connection.execute(
            "UPDATE deliveries SET status = ?, until_us = NULL, ended_us = ?, detail = '' "
            "WHERE event = ? AND channel = ?",
            (
                "pending" if latest else "superseded",
                None if latest else now_us,
                each.event,
                each.channel,
            ),
        )
    if any(each.why == ESCALATION for each in ready):
        # called once: what waited for a later turn of this channel goes with it
        connection.execute(
            "UPDATE deliveries SET status = 'pending', until_us = NULL, detail = '' WHERE channel = ? "
            "AND incident = ? AND incident <> '' AND status = 'held' AND hold = 'escalation'",
            (newest.channel, newest.incident),
        )
    return bool(ready)


def _sent(connection: sqlite3.Connection, held: _Held) -> int:
    """The number of the latest event that the channel was told of in this group, 0 none."""
    key = "incident" if held.incident else "episode"
    row = connection.execute(
        f"SELECT max(seq) FROM deliveries WHERE {key} = ? AND channel = ? AND status = 'sent'",  # noqa: S608 - one of two names
        (held.incident or held.episode, held.channel),
    ).fetchone()
    return row[0] or 0


def _must_hear_the_end(connection: sqlite3.Connection, held: _Held, sent: int) -> bool:
    if not held.incident:
        return sent > 0
    row = connection.execute(
        "SELECT ended FROM heard WHERE channel = ? AND incident = ?", (held.channel, held.incident)
    ).fetchone()
    return row is not None and not row[0]


def _alive(connection: sqlite3.Connection, held: _Held) -> bool:
    """Whether what it is about still stands."""
    if held.incident:
        row = connection.execute("SELECT body FROM incidents WHERE id = ?", (held.incident,)).fetchone()
        incident = _incident.decode(row[0]) if row else None
        # a value that was not believed is no member, and stands until somebody has looked
        return incident is None or incident.status != "closed" or not incident.members
    row = connection.execute("SELECT warning FROM city_warnings WHERE id = ?", (held.episode,)).fetchone()
    if row:
        return _city.decode(row[0]).status in {"proposed", "in_force"}
    return held.kind not in _OVER
