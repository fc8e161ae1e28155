"""What was to be told to whom and what became of it: one SQLite file beside the journal."""

import itertools
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from alerts.city.city_warning import CityWarning
from alerts.delivery import holds, standing_by
from alerts.delivery.city_messages import ENDS, Telling
from alerts.delivery.file_lock import held
from alerts.delivery.grouping import AT_ONCE, NEW_STATION, URGENT, Heard, Weight
from alerts.delivery.holds import Answer, Hold
from alerts.delivery.pruning import prune
from alerts.delivery.schema import APPLICATION_ID, SCHEMA, VERSION, migrate
from alerts.errors import DeliveriesError
from alerts.incident import Incident
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from ingest.sqlite_file import SqliteFile

DeliveryStatus = Literal[
    "pending", "gathered", "held", "sending", "sent", "skipped", "superseded", "failed", "expired"
]
"""gathered: waits for the next update of its incident · held: for the end of quiet hours, or for nobody to
acknowledge (`detail` says which) · skipped: not for this channel · superseded: a later
step of the same episode or warning of the city, or an update of the incident that it was gathered into
(`detail` names it), has arrived there · failed: given up after attempts, or the channel is misconfigured ·
expired: too old before any attempt."""

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
_CITY = "city_"
_CITY_ENDS = frozenset(_CITY + each for each in ENDS)
_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(Warning)
_city = msgspec.json.Decoder(CityWarning)
_incident = msgspec.json.Decoder(Incident)


@dataclass(frozen=True, slots=True)
class Receipt:
    """One event for one channel and what became of it. Times µs since the epoch, UTC, by the service's clock.

    `seq` is the event's number in the journal, `kind` its kind, of a warning of the city as kind_of() has it.
    `attempts` counts starts; `interrupted` those whose end nobody saw (crash, stop, no answer in time): only
    they can have made a duplicate. `detail` is the last error.
    """

    event: str
    channel: str
    seq: int
    episode: str
    kind: str
    event_us: int
    status: DeliveryStatus
    attempts: int
    interrupted: int
    detail: str
    created_us: int
    started_us: int | None
    ended_us: int | None


@dataclass(frozen=True, slots=True)
class Due:
    """An entry of a channel's queue. `weight`: for a channel that hears by incident, else None."""

    event: str
    seq: int
    episode: str
    attempts: int
    kind: str = ""
    weight: Weight | None = None

    @property
    def group(self) -> str:
        """What it is told together with: its incident, else its episode or its warning of the city."""
        return self.weight.incident if self.weight else self.episode

    @property
    def of_the_city(self) -> bool:
        """Whether it is a step of a warning of the city: only the latest of one is told."""
        return self.kind.startswith(_CITY)

    @property
    def needs_a_former(self) -> bool:
        """Whether it is told to those alone who were told of what it ends."""
        return self.kind in _CITY_ENDS


@dataclass(frozen=True, slots=True)
class New:
    """One event to tell, with the warning as it stood after it; `kind` as kind_of() has it."""

    event: str
    seq: int
    kind: str
    event_us: int
    warning: Warning | CityWarning


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery to be: who is told of what. `weight` as in Due; `deaf`: why it is not sent, else "".

    `hold`: until when it waits; what is deaf as well is looked at again then.
    """

    new: New
    channel: str
    weight: Weight | None = None
    deaf: str = ""
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What one page of events comes to. `position`: number and id of its last event; `ended`: episodes of
    which nothing is told any more, nor of those whose id begins with one and a dot; `answers`: what
    somebody has acknowledged by these events."""  # noqa: D205, D209 - one thought

    position: tuple[int, str]
    entries: Sequence[Entry]
    episodes: Sequence[Warning] = ()
    city: Sequence[CityWarning] = ()
    incidents: Sequence[Incident] = ()
    ended: Sequence[str] = field(default=())
    answers: Sequence[Answer] = ()


def kind_of(action: Telling) -> str:
    """The kind of a delivery about a warning of the city; of a notice it is its event's."""
    return _CITY + action


class Deliveries:
    """The file of deliveries. One process holds it at a time. Methods raise DeliveriesError; thread-safe."""

    def __init__(self, path: Path) -> None:
        self._lock = held(path)
        try:
            self._file = SqliteFile(
                path,
                application_id=APPLICATION_ID,
                version=VERSION,
                schema=SCHEMA,
                error=DeliveriesError,
            )
            with self._file.write() as connection:
                migrate(connection)
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Release the file."""
        self._file.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def position(self) -> tuple[int, str]:
        """Number and id of the journal's last event that has been expanded; 0 and "" before the first."""
        with self._file.read() as connection:
            row: tuple[int, str] = connection.execute("SELECT cursor, event FROM position").fetchone()
            return row

    def rewind(self) -> None:
        """Expand the journal from its first event; what has a delivery already gets no second one."""
        with self._file.write() as connection:
            connection.execute("UPDATE position SET cursor = 0, event = ''")
            connection.execute("DELETE FROM incidents")

    def episodes(self, ids: Iterable[str]) -> dict[str, Warning]:
        """The warnings of these episodes as of the position."""
        with self._file.read() as connection:
            rows = (
                connection.execute("SELECT id, warning FROM episodes WHERE id = ?", (key,)).fetchone()
                for key in ids
            )
            return {row[0]: _decoder.decode(row[1]) for row in rows if row}

    def city_warnings(self, ids: Iterable[str]) -> dict[str, CityWarning]:
        """These warnings of the city as of the position."""
        with self._file.read() as connection:
            rows = (
                connection.execute("SELECT id, warning FROM city_warnings WHERE id = ?", (key,)).fetchone()
                for key in ids
            )
            return {row[0]: _city.decode(row[1]) for row in rows if row}

    def expand(self, page: Page, now_us: int) -> None:
        """The deliveries, whatever changed and the position, all or nothing; what waits of `ended` is
        superseded."""  # noqa: D205, D209 - one thought
        with self._file.write() as connection:
            connection.executemany(
                "INSERT INTO deliveries(event, channel, seq, episode, kind, event_us, status, detail, "
                "created_us, ended_us, warning, incident, rank, urgency, ends, hold, until_us) "
                "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [_columns(each, now_us) for each in page.entries],
            )
            connection.executemany(
                "INSERT INTO incidents VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET body = excluded.body",
                [(each.id, _encode(each)) for each in page.incidents],
            )
            connection.executemany(
                "INSERT INTO episodes VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET warning = excluded.warning",
                [(each.id, _encode(each)) for each in page.episodes],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO city_warnings VALUES(?, ?)",
                [(each.id, _encode(each)) for each in page.city],
            )
            connection.executemany(
                "UPDATE deliveries SET status = 'superseded', ended_us = ? "
                "WHERE status IN ('pending', 'sending', 'held') "
                "AND (episode = ? OR substr(episode, 1, length(?) + 1) = ? || '.')",
                [(now_us, each, each, each) for each in page.ended],
            )
            for each in page.answers:
                holds.answer(connection, each, now_us)
            connection.execute("UPDATE position SET cursor = ?, event = ?", page.position)

    def told(self, groups: Iterable[str]) -> dict[str, set[str]]:
        """The channels that were told, or are about to be, by incident or else by episode."""
        with self._file.read() as connection:
            return holds.told(connection, groups)

    def called(self, groups: Iterable[str]) -> dict[str, int]:
        """Up to which rank others are to be called when nobody acknowledges, by incident."""
        with self._file.read() as connection:
            return holds.called(connection, groups)

    def release(self, now_us: int) -> set[str]:
        """Decide about what was held back until now; the incidents and episodes that are told of now."""
        with self._file.read() as connection:
            due = connection.execute(
                "SELECT 1 FROM deliveries WHERE until_us <= ? LIMIT 1", (now_us,)
            ).fetchone()
        if due is None:
            return set()
        with self._file.write() as connection:
            return holds.release(connection, now_us)

    def unsilence(self, silence: str, now_us: int) -> None:
        """A silence has ended before its time."""
        with self._file.write() as connection:
            holds.unsilence(connection, silence, now_us)

    def incidents(self, ids: Iterable[str]) -> dict[str, Incident]:
        """These incidents as of the position."""
        with self._file.read() as connection:
            rows = (
                connection.execute("SELECT id, body FROM incidents WHERE id = ?", (key,)).fetchone()
                for key in ids
            )
            return {row[0]: _incident.decode(row[1]) for row in rows if row}

    def heard(self, channel: str) -> dict[str, Heard]:
        """What a channel has heard of the incidents of which something waits for it."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT incident, sent_us, rank, count, ended FROM heard WHERE channel = ? AND incident IN "
                "(SELECT incident FROM deliveries WHERE status = 'pending' AND channel = ?)",
                (channel, channel),
            )
            return {row[0]: Heard(row[1], row[2], row[3], bool(row[4])) for row in rows}

    def recover(self) -> int:
        """Put attempts whose end nobody saw back into the queue; say how many."""
        with self._file.write() as connection:
            return connection.execute(
                "UPDATE deliveries SET status = 'pending', interrupted = interrupted + 1, "
                "detail = 'the service ended in the middle of the attempt' WHERE status = 'sending'"
            ).rowcount

    def expire(self, before_us: int, now_us: int) -> int:
        """Give up what is about events before `before_us` and was not just taken up; say how many."""
        with self._file.read() as connection:
            old = connection.execute(
                "SELECT count(*) FROM deliveries WHERE status = 'pending' AND event_us < ? AND detail <> ?",
                (before_us, standing_by.STANDS),
            ).fetchone()[0]
        if not old:
            return 0
        with self._file.write() as connection:
            return connection.execute(
                "UPDATE deliveries SET status = CASE attempts WHEN 0 THEN 'expired' ELSE 'failed' END, "
                "ended_us = ? WHERE status = 'pending' AND event_us < ? AND detail <> ?",
                (now_us, before_us, standing_by.STANDS),
            ).rowcount

    def prune(self, before_us: int) -> bool:
        """Forget what is over and ended before then; True when there may be more of it."""
        with self._file.write() as connection:
            return prune(connection, before_us)

    def hold(self, channels: Collection[str], now_us: int) -> None:
        """A stand-by falls silent: what waits for these channels is not sent."""
        with self._file.write() as connection:
            standing_by.hold(connection, channels, now_us)

    def tell_what_stands(self, channels: Collection[str], heard_us: int) -> set[str]:
        """A stand-by begins to speak; the incidents and episodes that these channels are told of now."""
        with self._file.write() as connection:
            return standing_by.tell(connection, channels, heard_us)

    def queue(self, channel: str) -> list[Due]:
        """What a channel still has to be told, in the journal's order."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT event, seq, episode, attempts, kind, incident, rank, urgency, ends FROM deliveries "
                "WHERE status = 'pending' AND channel = ? ORDER BY seq",
                (channel,),
            )
            return [_due(row) for row in rows]

    def warning(self, due: Due, channel: str) -> Warning | CityWarning:
        """The warning as it stood after the event."""
        with self._file.read() as connection:
            row = connection.execute(
                "SELECT warning FROM deliveries WHERE event = ? AND channel = ?", (due.event, channel)
            ).fetchone()
        if row is None:
            raise DeliveriesError(f"no delivery of {due.event} to {channel}")
        return _city.decode(row[0]) if due.of_the_city else _decoder.decode(row[0])

    def told_before(self, due: Due, channel: str) -> bool:
        """Whether the channel was told of an earlier step of the same, or may have been."""
        with self._file.read() as connection:
            row = connection.execute(
                "SELECT 1 FROM deliveries WHERE episode = ? AND channel = ? AND seq < ? "
                "AND (status IN ('sent', 'sending') OR interrupted > 0)",
                (due.episode, channel, due.seq),
            ).fetchone()
        return row is not None

    def begin(self, due: Due, channel: str, now_us: int) -> bool:
        """Record that an attempt starts; False when it is not to be sent any more."""
        with self._file.write() as connection:
            changed = connection.execute(
                "UPDATE deliveries SET status = 'sending', attempts = attempts + 1, started_us = ? "
                "WHERE event = ? AND channel = ? AND status = 'pending'",
                (now_us, due.event, channel),
            )
            return changed.rowcount == 1

    def end(  # noqa: PLR0913 - the columns of a receipt
        self,
        due: Due,
        channel: str,
        status: DeliveryStatus,
        detail: str,
        now_us: int,
        *,
        interrupted: bool,
        heard: Heard | None = None,
    ) -> None:
        """Record what became of an attempt; "sent" supersedes what was told with it in the queue.

        That is the older steps of its episode, or everything older of its incident, of which the channel then
        has `heard`. Of a warning of the city any end of the latest step supersedes the older ones.
        What was superseded while it was under way does not become pending again.
        """
        with self._file.write() as connection:
            connection.execute(
                "UPDATE deliveries SET status = ?, detail = ?, interrupted = interrupted + ?, ended_us = ? "
                "WHERE event = ? AND channel = ? AND NOT (status = 'superseded' AND ? = 'pending')",
                (
                    status,
                    detail,
                    interrupted,
                    None if status == "pending" else now_us,
                    due.event,
                    channel,
                    status,
                ),
            )
            if status == "sent" and due.weight is not None:
                connection.execute(
                    "UPDATE deliveries SET status = 'superseded', ended_us = ?, detail = ?, until_us = NULL "
                    "WHERE incident = ? AND channel = ? AND seq < ? AND status IN ('pending', 'held')",
                    (now_us, f"told in {due.event}", due.group, channel, due.seq),
                )
                if heard is not None:
                    connection.execute(
                        "INSERT OR REPLACE INTO heard VALUES(?, ?, ?, ?, ?, ?)",
                        (channel, due.group, heard.sent_us, heard.rank, heard.count, heard.ended),
                    )
            elif status == "sent" or (due.of_the_city and status != "pending"):
                connection.execute(
                    "UPDATE deliveries SET status = 'superseded', ended_us = ?, until_us = NULL "
                    "WHERE episode = ? AND channel = ? AND seq < ? AND status IN ('pending', 'held')",
                    (now_us, due.episode, channel, due.seq),
                )

    def receipts(
        self,
        limit: int = 100,
        after: tuple[int, str] | None = None,
        channel: str | None = None,
        episode: str | None = None,
        status: DeliveryStatus | None = None,
    ) -> list[Receipt]:
        """Newest first; `after` (seq, channel of the last one) continues a page."""
        conditions = {"channel = ?": channel, "episode = ?": episode, "shown = ?": status}
        given: dict[str, tuple[int | str, ...]] = {
            text: (value,) for text, value in conditions.items() if value is not None
        }
        if after is not None:
            given["(seq < ? OR (seq = ? AND channel > ?))"] = (after[0], *after)
        where = f"WHERE {' AND '.join(given)} " if given else ""
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT {_RECEIPT} FROM {_SHOWN} {where}ORDER BY seq DESC, channel LIMIT ?",  # noqa: S608 - fixed texts only
                (*itertools.chain.from_iterable(given.values()), limit),
            )
            return [Receipt(*row) for row in rows]

    def counts(self) -> dict[tuple[str, str], int]:
        """How many deliveries there are by (channel, status)."""
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT channel, shown, count(*) FROM {_SHOWN} GROUP BY 1, 2"  # noqa: S608 - fixed texts only
            )
            return {(channel, status): count for channel, status, count in rows}


def _due(row: Sequence[Any]) -> Due:
    event, seq, episode, attempts, kind, incident, rank, urgency, ends = row
    weight = Weight(incident, rank, urgency, bool(ends)) if incident else None
    return Due(event, seq, episode, attempts, kind, weight)


def _status(entry: Entry) -> DeliveryStatus:
    return "skipped" if entry.deaf else "pending" if entry.hold is None else "held"


def _columns(entry: Entry, now_us: int) -> tuple[object, ...]:
    new, hold, weight = entry.new, entry.hold, entry.weight or Weight("", 0, 0, ends=False)
    return (
        *(new.event, entry.channel, new.seq, new.warning.id, new.kind, new.event_us),
        *(_status(entry), entry.deaf or (hold.detail if hold else "")),
        *(now_us, now_us if entry.deaf and hold is None else None),
        *(_encode(new.warning), weight.incident, weight.rank, weight.urgency, weight.ends),
        *((hold.why, hold.until_us) if hold else ("", None)),
    )
