"""What residents were to be told by mail and SMS and who has been: one SQLite file beside the journal.

It holds no address: a recipient is the number of a subscription, which is never given twice.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from alerts.city.city_warning import CityWarning
from alerts.delivery.bulk import Handed
from alerts.delivery.file_lock import held
from alerts.errors import DeliveriesError
from alerts.event import Severity
from alerts.scale import SEVERITIES, rank
from alerts.subscriptions.subscription import Told
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from ingest.sqlite_file import SqliteFile

RunState = Literal["open", "done", "superseded", "expired"]
"""superseded: a later step of its episode came · expired: too old for whoever was left."""

_APPLICATION_ID = 0x53464D31
_VERSION = 1
_SCHEMA = (
    """CREATE TABLE mailings(
        id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL UNIQUE, episode TEXT NOT NULL,
        told TEXT NOT NULL, kind TEXT NOT NULL, severity INTEGER NOT NULL, ends INTEGER NOT NULL,
        event_us INTEGER NOT NULL, until_us INTEGER NOT NULL, created_us INTEGER NOT NULL,
        body BLOB NOT NULL)""",
    "CREATE INDEX mailings_by_episode ON mailings(episode)",
    """CREATE TABLE runs(
        mailing INTEGER NOT NULL, way TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'open',
        wanted INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0,
        refused INTEGER NOT NULL DEFAULT 0, first_us INTEGER, last_us INTEGER,
        PRIMARY KEY(mailing, way)) WITHOUT ROWID""",
    """CREATE TABLE receipts(
        mailing INTEGER NOT NULL, recipient INTEGER NOT NULL, outcome INTEGER NOT NULL,
        PRIMARY KEY(mailing, recipient)) WITHOUT ROWID""",
    """CREATE TABLE episodes(
        id TEXT PRIMARY KEY, told TEXT NOT NULL, body BLOB NOT NULL, changed_us INTEGER NOT NULL)
        WITHOUT ROWID""",
    """CREATE TABLE position(
        one INTEGER PRIMARY KEY CHECK(one = 1), cursor INTEGER NOT NULL, event TEXT NOT NULL)""",
    "INSERT INTO position VALUES(1, 0, '')",
)
_BEGUN, _SENT, _REFUSED, _UNKNOWN = range(4)
_OUTCOME: Mapping[Handed, int] = {"sent": _SENT, "refused": _REFUSED, "unknown": _UNKNOWN, "lost": _UNKNOWN}
_notice = msgspec.json.Decoder(Warning)
_city = msgspec.json.Decoder(CityWarning)
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class NewMailing:
    """One step that residents are told of, with what is told as it stood then.

    `ends`: it says that it is over. After `until_us` nobody is told of it any more.
    """

    event: str
    kind: str
    ends: bool
    severity: Severity
    event_us: int
    until_us: int
    what: Warning | CityWarning


@dataclass(frozen=True, slots=True)
class Mailing(NewMailing):
    """The same with its number, which grows with the journal."""

    id: int

    @property
    def told(self) -> Told:
        """Which kind of message it is."""
        return told_of(self.what)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How far a mailing is on one way; counts only. Times µs since the epoch, None before the first."""

    way: str
    state: RunState
    wanted: int
    sent: int
    refused: int
    first_us: int | None
    last_us: int | None


@dataclass(frozen=True, slots=True)
class MailingSummary:
    """A mailing as operators see it."""

    id: int
    event: str
    episode: str
    told: Told
    kind: str
    severity: Severity
    event_us: int
    created_us: int
    runs: tuple[RunSummary, ...]


class Mailings:
    """The file. One process holds it at a time. Methods raise DeliveriesError; thread-safe."""

    def __init__(self, path: Path) -> None:
        self._lock = held(path)
        try:
            self._file = SqliteFile(
                path,
                application_id=_APPLICATION_ID,
                version=_VERSION,
                schema=_SCHEMA,
                error=DeliveriesError,
            )
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
        """Number and id of the journal's last event that has been read; 0 and "" before the first."""
        with self._file.read() as connection:
            row: tuple[int, str] = connection.execute("SELECT cursor, event FROM position").fetchone()
            return row

    def rewind(self) -> None:
        """Read the journal from its first event; a step that has a mailing gets no second one."""
        with self._file.write() as connection:
            connection.execute("UPDATE position SET cursor = 0, event = ''")

    def episodes(self, ids: Iterable[str]) -> dict[str, Warning | CityWarning]:
        """These as of the position."""
        with self._file.read() as connection:
            rows = [
                row
                for key in ids
                for row in connection.execute("SELECT id, told, body FROM episodes WHERE id = ?", (key,))
            ]
        return {id_: _decoded(told, body) for id_, told, body in rows}

    def expand(
        self,
        position: tuple[int, str],
        new: Sequence[NewMailing],
        episodes: Mapping[str, Warning | CityWarning],
        ways: Iterable[str],
        now_us: int,
    ) -> list[Mailing]:
        """The mailings, the changed episodes and the position, all or nothing; the mailings that are new.

        Each supersedes the earlier ones of its episode; one that is too old already does nothing else.
        """
        made: list[Mailing] = []
        with self._file.write() as connection:
            for each in new:
                known = connection.execute("SELECT 1 FROM mailings WHERE event = ?", (each.event,)).fetchone()
                if known:
                    continue
                connection.execute(
                    "UPDATE runs SET state = 'superseded' WHERE state = 'open' AND mailing IN "
                    "(SELECT id FROM mailings WHERE episode = ?)",
                    (each.what.id,),
                )
                made = [other for other in made if other.what.id != each.what.id]
                if each.until_us <= now_us:
                    continue
                id_ = connection.execute(
                    "INSERT INTO mailings(event, episode, told, kind, severity, ends, event_us, until_us, "
                    "created_us, body) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        *(each.event, each.what.id, told_of(each.what), each.kind, rank(each.severity)),
                        *(each.ends, each.event_us, each.until_us, now_us, _encode(each.what)),
                    ),
                ).lastrowid
                assert id_ is not None  # noqa: S101 - an insert has one
                connection.executemany(
                    "INSERT INTO runs(mailing, way) VALUES(?, ?)", [(id_, way) for way in ways]
                )
                made.append(
                    Mailing(
                        *(each.event, each.kind, each.ends, each.severity),
                        *(each.event_us, each.until_us, each.what, id_),
                    )
                )
            connection.executemany(
                "INSERT OR REPLACE INTO episodes VALUES(?, ?, ?, ?)",
                [(key, told_of(each), _encode(each), now_us) for key, each in episodes.items()],
            )
            connection.execute("UPDATE position SET cursor = ?, event = ?", position)
        return made

    def recover(self) -> int:
        """After a crash: what was under way may have arrived; say how many."""
        with self._file.write() as connection:
            return connection.execute(
                "UPDATE receipts SET outcome = ? WHERE outcome = ?", (_UNKNOWN, _BEGUN)
            ).rowcount

    def open(self, way: str) -> list[Mailing]:
        """What is not finished on one way, oldest first."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT m.id, event, kind, ends, severity, event_us, until_us, told, body FROM mailings m "
                "JOIN runs r ON r.mailing = m.id WHERE r.way = ? AND r.state = 'open' ORDER BY m.id",
                (way,),
            ).fetchall()
        return [_mailing(row) for row in rows]

    def handled(self, mailing: int) -> set[int]:
        """Whoever needs no further attempt."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT recipient FROM receipts WHERE mailing = ? AND outcome IN (?, ?)",
                (mailing, _SENT, _REFUSED),
            )
            return {recipient for (recipient,) in rows}

    def told(self, episode: str) -> set[int]:
        """Whoever heard of an episode, or may have; call when nobody is being told of it."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT DISTINCT recipient FROM receipts WHERE outcome != ? AND mailing IN "
                "(SELECT id FROM mailings WHERE episode = ?)",
                (_REFUSED, episode),
            )
            return {recipient for (recipient,) in rows}

    def wanted(self, mailing: int, way: str, count: int) -> None:
        """How many are to be told on one way."""
        with self._file.write() as connection:
            connection.execute(
                "UPDATE runs SET wanted = ? WHERE mailing = ? AND way = ?", (count, mailing, way)
            )

    def begin(self, mailing: int, recipients: Iterable[int]) -> None:
        """Record that these are under way, before anything leaves."""
        with self._file.write() as connection:
            connection.executemany(
                "INSERT INTO receipts VALUES(?, ?, ?) ON CONFLICT DO NOTHING",
                [(mailing, each, _BEGUN) for each in recipients],
            )

    def record(self, mailing: int, way: str, outcomes: Mapping[int, Handed | None], now_us: int) -> None:
        """What became of them; None: nothing was sent. Whoever is tried again has no receipt."""
        ends = [(_OUTCOME[each], mailing, id_) for id_, each in outcomes.items() if each and each in _OUTCOME]
        back = [(mailing, id_, _BEGUN) for id_, each in outcomes.items() if each in {None, "later"}]
        values = list(outcomes.values())
        sent, refused = values.count("sent"), values.count("refused")
        with self._file.write() as connection:
            connection.executemany(
                "UPDATE receipts SET outcome = ? WHERE mailing = ? AND recipient = ?", ends
            )
            # an earlier attempt that may have arrived keeps its receipt
            connection.executemany(
                "DELETE FROM receipts WHERE mailing = ? AND recipient = ? AND outcome = ?", back
            )
            if sent or refused:
                connection.execute(
                    "UPDATE runs SET sent = sent + ?, refused = refused + ?, "
                    "first_us = coalesce(first_us, ?), last_us = ? WHERE mailing = ? AND way = ?",
                    (sent, refused, now_us, now_us, mailing, way),
                )

    def end(self, mailing: int, way: str, state: RunState) -> None:
        """A mailing is over on one way."""
        with self._file.write() as connection:
            connection.execute(
                "UPDATE runs SET state = ? WHERE mailing = ? AND way = ? AND state = 'open'",
                (state, mailing, way),
            )

    def prune(self, before_us: int) -> int:
        """Forget mailings from before, unless their episode stands or its end is being told; with receipts.

        Whoever was told of something that still stands must hear when it is over. Returns how many.
        """
        with self._file.write() as connection:
            old = connection.execute(
                "SELECT id FROM mailings m WHERE created_us < ? AND NOT EXISTS (SELECT 1 FROM mailings o "
                "JOIN runs r ON r.mailing = o.id WHERE o.episode = m.episode AND r.state = 'open' "
                "AND o.until_us >= ?) AND "
                "(SELECT ends OR until_us < ? FROM mailings l WHERE l.episode = m.episode "
                "ORDER BY id DESC LIMIT 1)",
                (before_us, before_us, before_us - _STANDS_US),
            ).fetchall()
            for statement in (
                "DELETE FROM receipts WHERE mailing = ?",
                "DELETE FROM runs WHERE mailing = ?",
                "DELETE FROM mailings WHERE id = ?",
            ):
                connection.executemany(statement, old)
            connection.execute(
                "DELETE FROM episodes WHERE changed_us < ? AND id NOT IN (SELECT episode FROM mailings)",
                (before_us - _STANDS_US,),
            )
        return len(old)

    def summaries(self, limit: int = 100, before: int | None = None) -> list[MailingSummary]:
        """Newest first, with an id smaller than `before`."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT id, event, episode, told, kind, severity, event_us, created_us FROM mailings "
                "WHERE ? IS NULL OR id < ? ORDER BY id DESC LIMIT ?",
                (before, before, limit),
            ).fetchall()
            runs = {
                row[0]: connection.execute(
                    "SELECT way, state, wanted, sent, refused, first_us, last_us FROM runs "
                    "WHERE mailing = ? ORDER BY way",
                    (row[0],),
                ).fetchall()
                for row in rows
            }
        return [
            MailingSummary(
                *(id_, event, episode, told, kind, SEVERITIES[severity - 1], event_us, created_us),
                tuple(RunSummary(*run) for run in runs[id_]),
            )
            for id_, event, episode, told, kind, severity, event_us, created_us in rows
        ]


_STANDS_US = 90 * 86_400_000_000
"""An episode that long without a word is over, whatever its last step was."""


def told_of(what: Warning | CityWarning) -> Told:
    """Which kind of message it makes."""
    return "warning" if isinstance(what, CityWarning) else "notice"


def _mailing(row: Sequence[Any]) -> Mailing:
    id_, event, kind, ends, severity, event_us, until_us, told, body = row
    what = _decoded(told, body)
    return Mailing(event, kind, bool(ends), SEVERITIES[severity - 1], event_us, until_us, what, id_)


def _decoded(told: str, body: bytes) -> Warning | CityWarning:
    return _city.decode(body) if told == "warning" else _notice.decode(body)
