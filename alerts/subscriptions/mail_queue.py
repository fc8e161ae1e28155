"""Messages about subscriptions that wait to be sent, and how many may be."""

from collections.abc import Callable
from dataclasses import dataclass
from sqlite3 import Connection

from alerts.errors import BusyError
from alerts.subscriptions import records
from alerts.subscriptions.contact import Contact
from alerts.subscriptions.records import Mail
from alerts.subscriptions.vault import Vault
from ingest.sqlite_file import SqliteFile

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MAILS_A_DAY = 3
"""Messages that anybody can have sent to one address within 24 hours."""
DEFAULT_MAILS_AN_HOUR = 600

_GONE_WITHOUT_RETRY_US = DAY_US
_BACK_OFF_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Due:
    """A message of the queue."""

    id: int
    mail: Mail
    attempts: int


class MailQueue:
    """The queue in the file of subscriptions. Thread-safe; methods raise SubscriptionsError."""

    def __init__(self, file: SqliteFile, vault: Vault, clock: Callable[[], int], mails_an_hour: int) -> None:
        self._file = file
        self._vault = vault
        self._clock = clock
        self._mails_an_hour = mails_an_hour

    def due(self, limit: int = 20) -> list[Due]:
        """Messages to send now, oldest first."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT id, sealed, attempts FROM mails WHERE due_us <= ? ORDER BY id LIMIT ?",
                (self._clock(), limit),
            ).fetchall()
        return [
            Due(id_, records.unseal_mail(self._vault, sealed), attempts) for id_, sealed, attempts in rows
        ]

    def done(self, due: Due) -> None:
        """A message was handed over, or never will be."""
        with self._file.write() as connection:
            connection.execute("DELETE FROM mails WHERE id = ?", (due.id,))

    def again(self, due: Due, least_s: float = 0.0) -> None:
        """A message could not be handed over: later, and later still, but not before `least_s`."""
        wait_us = max(min(_BACK_OFF_US << due.attempts, HOUR_US), int(least_s * 1_000_000))
        with self._file.write() as connection:
            connection.execute(
                "UPDATE mails SET attempts = attempts + 1, due_us = ? WHERE id = ?",
                (self._clock() + wait_us, due.id),
            )

    @staticmethod
    def prune(connection: Connection, now_us: int) -> None:
        """Forget messages of more than a day ago, within the caller's transaction."""
        connection.execute("DELETE FROM mails WHERE created_us <= ?", (now_us - _GONE_WITHOUT_RETRY_US,))
        connection.execute("DELETE FROM asked WHERE at_us <= ?", (now_us - DAY_US,))

    def may_write(self, connection: Connection, contact: Contact, now_us: int) -> bool:
        """Whether this address may be written to. Raises BusyError when too much is sent altogether."""
        (hourly,) = connection.execute(
            "SELECT count(*) FROM asked WHERE at_us > ?", (now_us - HOUR_US,)
        ).fetchone()
        if hourly >= self._mails_an_hour:
            raise BusyError(HOUR_US // 1_000_000)
        digest = self._vault.digest(contact.identity)
        (daily,) = connection.execute(
            "SELECT count(*) FROM asked WHERE digest = ? AND at_us > ?", (digest, now_us - DAY_US)
        ).fetchone()
        if daily >= MAILS_A_DAY:
            return False
        connection.execute("INSERT INTO asked VALUES(?, ?)", (digest, now_us))
        return True

    def put(self, connection: Connection, mail: Mail, now_us: int, subscription: int | None = None) -> None:
        """One more message, within the caller's transaction."""
        connection.execute(
            "INSERT INTO mails(subscription, sealed, created_us, due_us) VALUES(?, ?, ?, ?)",
            (subscription, records.seal(self._vault, mail), now_us, now_us),
        )
