"""The tables of subscriptions.db, and what is sealed in them."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from sqlite3 import Connection
from typing import Any, Literal

import msgspec
import structlog

from alerts.errors import SubscriptionsError
from alerts.scale import SEVERITIES, ReadIn, rank
from alerts.subscriptions.contact import Contact
from alerts.subscriptions.subscription import Choices, Place, QuietHours
from alerts.subscriptions.vault import Vault

_log = structlog.get_logger(__name__)
APPLICATION_ID = 0x53465342
VERSION = 1
SCHEMA = (
    # no id is ever given twice: receipts of deliveries name it after the person has gone
    """CREATE TABLE subscriptions(
        id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL UNIQUE, contact BLOB NOT NULL,
        manage BLOB NOT NULL UNIQUE, leave BLOB NOT NULL UNIQUE, channel TEXT NOT NULL,
        language TEXT NOT NULL, least INTEGER NOT NULL, notice INTEGER NOT NULL, warning INTEGER NOT NULL,
        quiet_start INTEGER, quiet_end INTEGER, created_us INTEGER NOT NULL, changed_us INTEGER NOT NULL)""",
    """CREATE TABLE places(
        subscription INTEGER NOT NULL, kind TEXT NOT NULL, ref TEXT NOT NULL, lat REAL NOT NULL,
        lon REAL NOT NULL, radius_km INTEGER NOT NULL)""",
    "CREATE INDEX places_by_subscription ON places(subscription)",
    """CREATE TABLE requests(
        token BLOB PRIMARY KEY, sealed BLOB NOT NULL, text TEXT NOT NULL, created_us INTEGER NOT NULL)""",
    """CREATE TABLE mails(
        id INTEGER PRIMARY KEY AUTOINCREMENT, subscription INTEGER, sealed BLOB NOT NULL,
        created_us INTEGER NOT NULL, due_us INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0)""",
    "CREATE TABLE asked(digest BLOB NOT NULL, at_us INTEGER NOT NULL)",
    "CREATE INDEX asked_by_digest ON asked(digest)",
    "CREATE INDEX asked_by_time ON asked(at_us)",
    """CREATE TABLE consents(
        id INTEGER PRIMARY KEY AUTOINCREMENT, digest BLOB NOT NULL, way TEXT NOT NULL, text TEXT NOT NULL,
        asked_us INTEGER NOT NULL, given_us INTEGER NOT NULL, staff TEXT NOT NULL, form TEXT NOT NULL,
        ended_us INTEGER)""",
    "CREATE INDEX consents_by_digest ON consents(digest)",
)
TOKEN_BYTES = 32
_TOKEN_LENGTH = 43

MailKind = Literal["confirm", "link", "welcome", "changed"]


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asked; nobody knows yet whether it was the owner of the address."""

    contact: Contact
    choices: Choices


@dataclass(frozen=True, slots=True)
class Mail:
    """One message about a subscription. `token`: of the link to confirm; `choices` as asked for."""

    kind: MailKind
    contact: Contact
    language: ReadIn
    token: str = field(default="", repr=False)
    choices: Choices | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is sealed of a subscriber: the address, and the two tokens of the links in messages."""

    contact: Contact
    manage: str = field(repr=False)
    leave: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscriber, opened."""

    id: int
    secrets: Secrets
    choices: Choices
    created_us: int
    changed_us: int


def new_token() -> str:
    """256 random bits as 43 characters for an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hashed(token: str) -> bytes:
    """What is kept of a token: nobody can try out 256 bits, so a plain hash will do."""
    return hashlib.sha256(token.encode()).digest()


def plausible(token: str) -> bool:
    """Whether it looks like one of ours at all."""
    return len(token) == _TOKEN_LENGTH and token.isascii()


def same(found: bytes, token: str) -> bool:
    """Compared in constant time, whatever the index found."""
    return hmac.compare_digest(found, hashed(token))


def seal(vault: Vault, value: Request | Mail | Secrets) -> bytes:
    """Sealed for its own table."""
    return vault.seal(msgspec.json.encode(value), type(value).__name__.encode())


def unseal_secrets(vault: Vault, sealed: bytes) -> Secrets:
    """Raises SubscriptionsError."""
    return _secrets.decode(vault.open(sealed, b"Secrets"))


def readable_secrets(vault: Vault, id_: int, sealed: bytes) -> Secrets | None:
    """The same, None for what a damaged file holds. A key that is missing is found at the start."""
    try:
        return unseal_secrets(vault, sealed)
    except (SubscriptionsError, msgspec.DecodeError) as fault:
        with suppress(OSError, ValueError):
            _log.error("subscription_unreadable", id=id_, fault=str(fault))
        return None


def unseal_request(vault: Vault, sealed: bytes) -> Request:
    """Raises SubscriptionsError."""
    return _request.decode(vault.open(sealed, b"Request"))


def unseal_mail(vault: Vault, sealed: bytes) -> Mail:
    """Raises SubscriptionsError."""
    return _mail.decode(vault.open(sealed, b"Mail"))


def subscription(connection: Connection, vault: Vault, where: str, value: object) -> Subscription | None:
    """The one where a column has a value."""
    row = connection.execute(
        "SELECT id, contact, language, least, notice, warning, quiet_start, quiet_end, created_us, "  # noqa: S608 - fixed names only
        f"changed_us FROM subscriptions WHERE {where} = ?",
        (value,),
    ).fetchone()
    if row is None:
        return None
    id_, contact, language, least, notice, warning, start, end, created_us, changed_us = row
    places = connection.execute(
        "SELECT kind, ref, lat, lon, radius_km FROM places WHERE subscription = ? ORDER BY rowid", (id_,)
    )
    choices = Choices(
        tuple(Place(*each) for each in places),
        SEVERITIES[least - 1],
        ("notice",) * notice + ("warning",) * warning,
        language,
        None if start is None else QuietHours(start, end),
    )
    return Subscription(id_, unseal_secrets(vault, contact), choices, created_us, changed_us)


def insert(connection: Connection, vault: Vault, request: Request, now_us: int) -> Subscription:
    """A new subscriber with new tokens."""
    held = Secrets(request.contact, new_token(), new_token())
    id_ = connection.execute(
        "INSERT INTO subscriptions(digest, contact, manage, leave, channel, created_us, language, least, "
        "notice, warning, quiet_start, quiet_end, changed_us) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            vault.digest(request.contact.identity),
            seal(vault, held),
            hashed(held.manage),
            hashed(held.leave),
            request.contact.channel,
            now_us,
            *_columns(request.choices),
            now_us,
        ),
    ).lastrowid
    assert id_ is not None  # noqa: S101 - an insert has one
    _put_places(connection, id_, request.choices.places)
    return Subscription(id_, held, request.choices, now_us, now_us)


def update(connection: Connection, id_: int, choices: Choices, now_us: int) -> None:
    """Other choices for a subscriber."""
    connection.execute(
        "UPDATE subscriptions SET language = ?, least = ?, notice = ?, warning = ?, quiet_start = ?, "
        "quiet_end = ?, changed_us = ? WHERE id = ?",
        (*_columns(choices), now_us, id_),
    )
    connection.execute("DELETE FROM places WHERE subscription = ?", (id_,))
    _put_places(connection, id_, choices.places)


def delete(connection: Connection, vault: Vault, gone: Subscription, now_us: int) -> None:
    """Everything of a subscriber but the keyed hash that proves the consent, which ends now."""
    connection.execute("DELETE FROM subscriptions WHERE id = ?", (gone.id,))
    connection.execute("DELETE FROM places WHERE subscription = ?", (gone.id,))
    connection.execute("DELETE FROM mails WHERE subscription = ?", (gone.id,))
    connection.executemany(
        "UPDATE consents SET ended_us = ? WHERE digest = ? AND ended_us IS NULL",
        [(now_us, digest) for digest in vault.digests(gone.secrets.contact.identity)],
    )


def consents(connection: Connection, digests: Iterable[bytes]) -> list[Mapping[str, Any]]:
    """The proofs kept for an address, oldest first."""
    columns = ("way", "text", "asked_us", "given_us", "staff", "form", "ended_us")
    rows = [
        row
        for digest in digests
        for row in connection.execute(
            f"SELECT {', '.join(columns)} FROM consents WHERE digest = ?",  # noqa: S608 - fixed names only
            (digest,),
        )
    ]
    return sorted((dict(zip(columns, row, strict=True)) for row in rows), key=lambda row: row["given_us"])


def renew(connection: Connection, vault: Vault) -> int:
    """Seal again what an older key sealed; say how many. The proofs of those who left keep their old hash."""
    renewed = 0
    for table, key in (("requests", "token"), ("mails", "id"), ("subscriptions", "id")):
        column, name = ("contact", b"Secrets") if table == "subscriptions" else ("sealed", b"")
        purpose = name or {"requests": b"Request", "mails": b"Mail"}[table]
        rows: Sequence[tuple[object, bytes]] = connection.execute(
            f"SELECT {key}, {column} FROM {table}"  # noqa: S608 - fixed names only
        ).fetchall()
        for where, sealed in rows:
            if vault.is_current(sealed):
                continue
            data = vault.open(sealed, purpose)
            connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE {key} = ?",  # noqa: S608 - fixed names only
                (vault.seal(data, purpose), where),
            )
            if table == "subscriptions":
                newest, *older = vault.digests(_secrets.decode(data).contact.identity)
                connection.execute("UPDATE subscriptions SET digest = ? WHERE id = ?", (newest, where))
                connection.executemany(
                    "UPDATE consents SET digest = ? WHERE digest = ?", [(newest, each) for each in older]
                )
            renewed += 1
    return renewed


def _columns(choices: Choices) -> tuple[object, ...]:
    quiet = choices.quiet
    return (
        choices.language,
        rank(choices.least),
        "notice" in choices.told,
        "warning" in choices.told,
        None if quiet is None else quiet.start_min,
        None if quiet is None else quiet.end_min,
    )


def _put_places(connection: Connection, id_: int, places: Sequence[Place]) -> None:
    connection.executemany(
        "INSERT INTO places VALUES(?, ?, ?, ?, ?, ?)",
        [(id_, each.kind, each.ref, each.lat, each.lon, each.radius_km) for each in places],
    )


_secrets = msgspec.json.Decoder(Secrets)
_request = msgspec.json.Decoder(Request)
_mail = msgspec.json.Decoder(Mail)
