"""Residents' subscriptions, without accounts: asked for, confirmed, changed, left; and who hears of what.

One address has one subscription with several places. Asking never looks whether there is one already, so
that nobody can learn it from the answer or from how long it took; only the mail to the owner says so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Literal
from zoneinfo import ZoneInfo

import structlog

from alerts.areas import Areas
from alerts.errors import SubscriptionsError
from alerts.scale import ReadIn
from alerts.subscriptions import records
from alerts.subscriptions.audiences import Audiences
from alerts.subscriptions.contact import CHANNELS, Contact, WrittenChannel
from alerts.subscriptions.mail_queue import DAY_US, DEFAULT_MAILS_AN_HOUR, HOUR_US, MailQueue
from alerts.subscriptions.records import Mail, MailKind, Request, Subscription
from alerts.subscriptions.subscription import Choices
from alerts.subscriptions.vault import Vault
from devices.registry import Registry
from ingest.sqlite_file import SqliteFile

UNCONFIRMED_US = 72 * HOUR_US
DEFAULT_PROOF_DAYS = 1096

_log = structlog.get_logger(__name__)

TokenKind = Literal["confirm", "manage", "leave"]


@dataclass(frozen=True, slots=True)
class Held:
    """What a link stands for: something to confirm, to look after, or to leave."""

    kind: TokenKind
    contact: Contact
    choices: Choices
    changed_us: int


class Subscriptions:
    """The file of subscriptions. Thread-safe; methods raise SubscriptionsError.

    `audiences`: who hears of what; `mails`: what waits to be sent.
    """

    def __init__(  # noqa: PLR0913 - who warns whom, where and when
        self,
        path: Path,
        vault: Vault,
        clock: Callable[[], int],
        *,
        areas: Areas,
        registry: Callable[[], Registry],
        timezone: str,
        channels: Sequence[WrittenChannel] = ("email",),
        mails_an_hour: int = DEFAULT_MAILS_AN_HOUR,
        proof_days: int = DEFAULT_PROOF_DAYS,
    ) -> None:
        self.channels = tuple(channels)
        self._vault = vault
        self._clock = clock
        self._areas = areas
        self._registry = registry
        self._proof_us = proof_days * DAY_US
        self._wake: Callable[[], None] = lambda: None
        self._file = SqliteFile(
            path,
            application_id=records.APPLICATION_ID,
            version=records.VERSION,
            schema=records.SCHEMA,
            error=SubscriptionsError,
        )
        self.mails = MailQueue(self._file, vault, clock, mails_an_hour)
        self.audiences = Audiences(self._file, vault, clock, areas, registry, ZoneInfo(timezone))
        try:
            path.chmod(0o600)
            with self._file.write() as connection:
                connection.execute("PRAGMA secure_delete=ON")
                renewed = records.renew(connection, vault)
        except BaseException:
            self._file.close()
            raise
        if renewed:
            _log.info("subscriptions_sealed_with_new_key", count=renewed)

    def listen(self, wake: Callable[[], None]) -> None:
        """Call when there is a message to send; from any thread."""
        self._wake = wake

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def ask(self, contact: Contact, choices: Choices, text: str) -> None:
        """Send the owner of an address a link to confirm. Raises BusyError.

        `text`: version of the words that were consented to. An address that has been written to often
        enough today gets no message; nobody is told so.
        """
        now_us = self._clock()
        token = records.new_token()
        sealed = records.seal(self._vault, Request(contact, choices))
        mail = Mail("confirm", contact, choices.language, token, choices)
        with self._file.write() as connection:
            if self.mails.may_write(connection, contact, now_us):
                connection.execute(
                    "INSERT INTO requests VALUES(?, ?, ?, ?)", (records.hashed(token), sealed, text, now_us)
                )
                self.mails.put(connection, mail, now_us)
        self._wake()

    def ask_link(self, contact: Contact, language: ReadIn) -> None:
        """Send the owner of an address the link to look after the subscription, or word that there is none.

        Raises BusyError.
        """
        now_us = self._clock()
        with self._file.write() as connection:
            if self.mails.may_write(connection, contact, now_us):
                self.mails.put(connection, Mail("link", contact, language), now_us)
        self._wake()

    def find(self, token: str) -> Held | None:
        """What a link stands for; None for an unknown, used or expired one."""
        if not records.plausible(token):
            return None
        with self._file.read() as connection:
            if asked := self._request(connection, token):
                return Held("confirm", asked[0].contact, asked[0].choices, asked[2])
            for column in ("manage", "leave"):
                if found := self._subscription(connection, column, token):
                    kind: TokenKind = "manage" if column == "manage" else "leave"
                    return Held(kind, found.secrets.contact, found.choices, found.changed_us)
        return None

    def confirm(self, token: str) -> str | None:
        """Begin what was asked for; the token to look after it by. None when the link is no longer good.

        Where the address has a subscription already, the places are added to it and the rest is replaced.
        """
        now_us = self._clock()
        with self._file.write() as connection:
            asked = self._request(connection, token) if records.plausible(token) else None
            if asked is None:
                return None
            request, text, asked_us = asked
            connection.execute("DELETE FROM requests WHERE token = ?", (records.hashed(token),))
            known = self._of(connection, request.contact)
            if known is None:
                known = records.insert(connection, self._vault, request, now_us)
            else:
                records.update(connection, known.id, request.choices.joined_to(known.choices), now_us)
            self._consent(connection, request.contact, "double opt-in", text, asked_us, now_us)
            self._tell(connection, "welcome", known, request.choices.language, now_us)
        self._wake()
        return known.secrets.manage

    def begin(self, contact: Contact, choices: Choices, text: str) -> str:
        """Begin for a browser, whose user has just allowed it; the token to look after it. Raises BusyError.

        The address itself proves who asks: nobody else knows it. Where it has a subscription already, the
        places are added to it and the rest is replaced.
        """
        now_us = self._clock()
        with self._file.write() as connection:
            greet = self.mails.may_write(connection, contact, now_us)
            known = self._of(connection, contact)
            if known is None:
                known = records.insert(connection, self._vault, Request(contact, choices), now_us)
            else:
                records.update(connection, known.id, choices.joined_to(known.choices), now_us)
            self._consent(connection, contact, "browser's permission", text, now_us, now_us)
            if greet:
                self._tell(connection, "welcome", known, choices.language, now_us)
        self._wake()
        return known.secrets.manage

    def change(self, token: str, choices: Choices) -> bool:
        """Replace the choices; the owner is told by mail. False when the link is no longer good."""
        now_us = self._clock()
        with self._file.write() as connection:
            known = self._subscription(connection, "manage", token)
            if known is None:
                return False
            records.update(connection, known.id, choices, now_us)
            self._tell(connection, "changed", known, choices.language, now_us)
        self._wake()
        return True

    def leave(self, token: str) -> bool:
        """Delete a subscription by either of its links. False when the link is no longer good."""
        with self._file.write() as connection:
            known = next(
                filter(None, (self._subscription(connection, each, token) for each in ("manage", "leave"))),
                None,
            )
            if known is None:
                return False
            records.delete(connection, self._vault, known, self._clock())
            return True

    def export(self, token: str) -> tuple[Subscription, list[Mapping[str, Any]]] | None:
        """All that is kept of a person, and the proofs of consent; None when the link is no longer good."""
        with self._file.read() as connection:
            known = self._subscription(connection, "manage", token)
            if known is None:
                return None
            digests = self._vault.digests(known.secrets.contact.identity)
            return known, records.consents(connection, digests)

    def enter(self, contact: Contact, choices: Choices, text: str, staff: str, form: date) -> bool:
        """Begin a subscription from a paper form, signed on a day, entered by a named member of staff.

        False where the address had one already: it then has the places of both.
        """
        now_us = self._clock()
        with self._file.write() as connection:
            known = self._of(connection, contact)
            new = known is None
            if known is None:
                known = records.insert(connection, self._vault, Request(contact, choices), now_us)
            else:
                records.update(connection, known.id, choices.joined_to(known.choices), now_us)
            self._consent(connection, contact, "paper form", text, now_us, now_us, staff, form.isoformat())
            if contact.channel != "voice":
                self._tell(connection, "welcome", known, choices.language, now_us)
        self._wake()
        return new

    def remove(self, contact: Contact) -> bool:
        """Delete a subscription for somebody who asked staff to; False when there is none."""
        with self._file.write() as connection:
            known = self._of(connection, contact)
            if known is None:
                return False
            records.delete(connection, self._vault, known, self._clock())
            return True

    def known(self, contact: Contact) -> Subscription | None:
        """The subscription of an address. Only for messages to that address, never for an answer."""
        with self._file.read() as connection:
            return self._of(connection, contact)

    def prune(self) -> None:
        """Forget what nobody confirmed within 72 hours, yesterday's messages, proofs whose time is over."""
        now_us = self._clock()
        with self._file.write() as connection:
            for statement, before_us in (
                ("DELETE FROM requests WHERE created_us <= ?", now_us - UNCONFIRMED_US),
                ("DELETE FROM consents WHERE ended_us <= ?", now_us - self._proof_us),
            ):
                connection.execute(statement, (before_us,))
            self.mails.prune(connection, now_us)
        self._file.checkpoint()

    def counts(self) -> Mapping[str, int]:
        """How many there are: subscriptions by channel, unconfirmed, messages waiting, places out of use."""
        with self._file.read() as connection:
            by_channel = dict(
                connection.execute("SELECT channel, count(*) FROM subscriptions GROUP BY channel").fetchall()
            )
            refs = connection.execute("SELECT kind, ref, count(*) FROM places WHERE ref != '' GROUP BY 1, 2")
            here = {"area": {each.id for each in self._areas.areas}, "gauge": self._registry().stations}
            lost = sum(count for kind, ref, count in refs if ref not in here[kind])
            (unconfirmed,) = connection.execute("SELECT count(*) FROM requests").fetchone()
            (waiting,) = connection.execute("SELECT count(*) FROM mails").fetchone()
        channels: dict[str, int] = {each: by_channel.get(each, 0) for each in CHANNELS}
        return {**channels, "unconfirmed": unconfirmed, "waiting": waiting, "places_unknown": lost}

    def _tell(
        self,
        connection: Connection,
        kind: MailKind,
        known: Subscription,
        language: ReadIn,
        now_us: int,
    ) -> None:
        self.mails.put(connection, Mail(kind, known.secrets.contact, language), now_us, known.id)

    def _consent(  # noqa: PLR0913, PLR0917 - what proves a consent
        self,
        connection: Connection,
        contact: Contact,
        way: str,
        text: str,
        asked_us: int,
        given_us: int,
        staff: str = "",
        form: str = "",
    ) -> None:
        connection.execute(
            "INSERT INTO consents(digest, way, text, asked_us, given_us, staff, form) "
            "VALUES(?, ?, ?, ?, ?, ?, ?)",
            (self._vault.digest(contact.identity), way, text, asked_us, given_us, staff, form),
        )

    def _request(self, connection: Connection, token: str) -> tuple[Request, str, int] | None:
        row = connection.execute(
            "SELECT token, sealed, text, created_us FROM requests WHERE token = ? AND created_us > ?",
            (records.hashed(token), self._clock() - UNCONFIRMED_US),
        ).fetchone()
        if row is None or not records.same(row[0], token):
            return None
        return records.unseal_request(self._vault, row[1]), row[2], row[3]

    def _subscription(
        self, connection: Connection, column: Literal["manage", "leave"], token: str
    ) -> Subscription | None:
        if not records.plausible(token):
            return None
        known = records.subscription(connection, self._vault, column, records.hashed(token))
        if known is None:
            return None
        own = known.secrets.manage if column == "manage" else known.secrets.leave
        return known if records.same(records.hashed(own), token) else None

    def _of(self, connection: Connection, contact: Contact) -> Subscription | None:
        digest = self._vault.digest(contact.identity)
        return records.subscription(connection, self._vault, "digest", digest)
