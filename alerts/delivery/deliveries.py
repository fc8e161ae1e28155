"""What was to be told to whom and what became of it: one SQLite file beside the journal."""

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from alerts.city.city_warning import CityWarning
from alerts.delivery import holds, receipts, standing_by
from alerts.delivery.channels import Channel
from alerts.delivery.delivery import DeliveryStatus, Due, Entry, Page, Receipt
from alerts.delivery.file_lock import held
from alerts.delivery.grouping import Heard, Weight
from alerts.delivery.pruning import prune
from alerts.delivery.schema import APPLICATION_ID, SCHEMA, VERSION, migrate
from alerts.errors import DeliveriesError
from alerts.incidents.incident import Incident
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from ingest.sqlite_file import SqliteFile

_T = TypeVar("_T")
_encode = msgspec.json.encode
_decoder = msgspec.json.Decoder(Warning)
_city = msgspec.json.Decoder(CityWarning)
_incident = msgspec.json.Decoder(Incident)


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
        return self._folded("SELECT id, warning FROM episodes WHERE id = ?", _decoder, ids)

    def city_warnings(self, ids: Iterable[str]) -> dict[str, CityWarning]:
        """These warnings of the city as of the position."""
        return self._folded("SELECT id, warning FROM city_warnings WHERE id = ?", _city, ids)

    def _folded(self, query: str, decoder: msgspec.json.Decoder[_T], ids: Iterable[str]) -> dict[str, _T]:
        with self._file.read() as connection:
            rows = (connection.execute(query, (key,)).fetchone() for key in ids)
            return {row[0]: decoder.decode(row[1]) for row in rows if row}

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
        return self._folded("SELECT id, body FROM incidents WHERE id = ?", _incident, ids)

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

    def tell_what_stands(self, channels: Iterable[Channel], heard_us: int) -> set[str]:
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
        with self._file.read() as connection:
            return receipts.page(connection, limit, after, channel, episode, status)

    def counts(self) -> dict[tuple[str, str], int]:
        """How many deliveries there are by (channel, status)."""
        with self._file.read() as connection:
            return receipts.counts(connection)


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
