"""Residents' subscriptions, without accounts: asked for, confirmed, changed, left; and who hears of what.

One address has one subscription with several places. Asking never looks whether there is one already, so
that nobody can learn it from the answer or from how long it took; only the mail to the owner says so.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Literal
from zoneinfo import ZoneInfo

import structlog

from alerts.areas import Areas
from alerts.city.city_warning import CityWarning
from alerts.errors import BusyError, SubscriptionsError
from alerts.scale import rank
from alerts.subscriptions import records
from alerts.subscriptions.contact import CHANNELS, Contact, ContactChannel, WrittenChannel
from alerts.subscriptions.matching import candidates, matches, reach, silent
from alerts.subscriptions.records import Mail, MailKind, Request, Subscription
from alerts.subscriptions.subscription import Choices, Place, QuietHours, ReadIn
from alerts.subscriptions.vault import Vault
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from devices.registry import Registry
from ingest.sqlite_file import SqliteFile

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
UNCONFIRMED_US = 72 * HOUR_US
MAILS_A_DAY = 3
"""Messages that anybody can have sent to one address within 24 hours."""
DEFAULT_MAILS_AN_HOUR = 600
DEFAULT_PROOF_DAYS = 1096

_GONE_WITHOUT_RETRY_US = DAY_US
_BACK_OFF_US = 60_000_000
_CHUNK = 500
_log = structlog.get_logger(__name__)

TokenKind = Literal["confirm", "manage", "leave"]


@dataclass(frozen=True, slots=True)
class Held:
    """What a link stands for: something to confirm, to look after, or to leave."""

    kind: TokenKind
    contact: Contact
    choices: Choices
    changed_us: int


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to tell now. `id` is what receipts may name; the tokens are for this message only."""

    id: int
    contact: Contact
    language: ReadIn
    manage: str = field(repr=False)
    leave: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Audience:
    """Ids of subscriptions, ascending: who is to be told now, and who has quiet hours now."""

    told: tuple[int, ...]
    held: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """A message of the queue."""

    id: int
    mail: Mail
    attempts: int


class Subscriptions:
    """The file of subscriptions. Thread-safe; methods raise SubscriptionsError."""

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
        self._zone = ZoneInfo(timezone)
        self._mails_an_hour = mails_an_hour
        self._proof_us = proof_days * DAY_US
        self._wake: Callable[[], None] = lambda: None
        self._file = SqliteFile(
            path,
            application_id=records.APPLICATION_ID,
            version=records.VERSION,
            schema=records.SCHEMA,
            error=SubscriptionsError,
        )
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
            if self._may_write(connection, contact, now_us):
                connection.execute(
                    "INSERT INTO requests VALUES(?, ?, ?, ?)", (records.hashed(token), sealed, text, now_us)
                )
                self._queue(connection, mail, now_us)
        self._wake()

    def ask_link(self, contact: Contact, language: ReadIn) -> None:
        """Send the owner of an address the link to look after the subscription, or word that there is none.

        Raises BusyError.
        """
        now_us = self._clock()
        with self._file.write() as connection:
            if self._may_write(connection, contact, now_us):
                self._queue(connection, Mail("link", contact, language), now_us)
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
            greet = self._may_write(connection, contact, now_us)
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

    def recipients(self, what: Warning | CityWarning, now_us: int | None = None) -> Iterator[Recipient]:
        """Whoever is to be told of a notice's or a city warning's latest step now, each address once.

        Whoever was told of an earlier step is told of this one, unless the choices changed in between. In
        quiet hours (see matching.silent) nobody is.
        """
        told = self.audience(what, None, now_us).told
        for first in range(0, len(told), _CHUNK):
            yield from self.opened(told[first : first + _CHUNK])

    def audience(
        self, what: Warning | CityWarning, channel: ContactChannel | None, now_us: int | None = None
    ) -> Audience:
        """The same as ids, by one channel or all (None), and whom quiet hours keep it from now."""
        found = reach(what, self._areas, self._registry())
        if found is None:
            return Audience((), ())
        at_us = self._clock() if now_us is None else now_us
        near, values = candidates(found, self._areas)
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT s.id, s.quiet_start, s.quiet_end, "  # noqa: S608 - own words
                "p.kind, p.ref, p.lat, p.lon, p.radius_km "
                "FROM places p JOIN subscriptions s ON s.id = p.subscription "
                f"WHERE ({near}) AND s.{found.told} = 1 AND s.least <= ? AND (? IS NULL OR s.channel = ?) "
                "ORDER BY s.id",
                (*values, rank(found.severity), channel, channel),
            ).fetchall()
        reached, own = matches(found, [Place(*row[3:]) for row in rows], self._areas)
        told: list[int] = []
        held: list[int] = []
        for id_, group in itertools.groupby(range(len(rows)), key=lambda i: int(rows[i][0])):
            mine = [i for i in group if reached[i]]
            if not mine:
                continue
            quiet = _quiet(*rows[mine[0]][1:3])
            kept = silent(quiet, found, at_us, self._zone, own=any(own[i] for i in mine))
            (held if kept else told).append(id_)
        return Audience(tuple(told), tuple(held))

    def audience_of_end(
        self,
        what: Warning | CityWarning,
        channel: ContactChannel,
        ids: Iterable[int],
        now_us: int | None = None,
    ) -> Audience:
        """Who of those told of a warning still wants messages of its kind, wherever their places are now."""
        found = reach(what, self._areas, self._registry())
        if found is None:
            return Audience((), ())
        at_us = self._clock() if now_us is None else now_us
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT id, quiet_start, quiet_end FROM subscriptions "  # noqa: S608 - a Literal
                f"WHERE {found.told} = 1 AND channel = ? ORDER BY id",
                (channel,),
            ).fetchall()
        wanted = set(ids)
        told: list[int] = []
        held: list[int] = []
        for id_, start, end in rows:
            if id_ in wanted:
                kept = silent(_quiet(start, end), found, at_us, self._zone, own=True)
                (held if kept else told).append(id_)
        return Audience(tuple(told), tuple(held))

    def opened(self, ids: Sequence[int]) -> list[Recipient]:
        """Those of them who still have a subscription, by id, with their addresses.

        One that is damaged is left out: it keeps nobody else from being told.
        """
        marks = ",".join("?" * len(ids))
        with self._file.read() as connection:
            rows = connection.execute(
                f"SELECT id, contact, language FROM subscriptions WHERE id IN ({marks}) ORDER BY id",  # noqa: S608 - question marks
                list(ids),
            ).fetchall()
        return [
            Recipient(id_, each.contact, tongue, each.manage, each.leave)
            for id_, sealed, tongue in rows
            if (each := records.readable_secrets(self._vault, id_, sealed)) is not None
        ]

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

    def prune(self) -> None:
        """Forget what nobody confirmed within 72 hours, yesterday's messages, proofs whose time is over."""
        now_us = self._clock()
        with self._file.write() as connection:
            for statement, before_us in (
                ("DELETE FROM requests WHERE created_us <= ?", now_us - UNCONFIRMED_US),
                ("DELETE FROM mails WHERE created_us <= ?", now_us - _GONE_WITHOUT_RETRY_US),
                ("DELETE FROM asked WHERE at_us <= ?", now_us - DAY_US),
                ("DELETE FROM consents WHERE ended_us <= ?", now_us - self._proof_us),
            ):
                connection.execute(statement, (before_us,))
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

    def _may_write(self, connection: Connection, contact: Contact, now_us: int) -> bool:
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

    def _queue(
        self, connection: Connection, mail: Mail, now_us: int, subscription: int | None = None
    ) -> None:
        connection.execute(
            "INSERT INTO mails(subscription, sealed, created_us, due_us) VALUES(?, ?, ?, ?)",
            (subscription, records.seal(self._vault, mail), now_us, now_us),
        )

    def _tell(
        self,
        connection: Connection,
        kind: MailKind,
        known: Subscription,
        language: ReadIn,
        now_us: int,
    ) -> None:
        self._queue(connection, Mail(kind, known.secrets.contact, language), now_us, known.id)

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


def _quiet(start: int | None, end: int | None) -> QuietHours | None:
    return None if start is None or end is None else QuietHours(start, end)
