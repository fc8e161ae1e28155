"""The tables of the SQLite journal, and what one transaction does to them."""

import sqlite3
from collections import Counter, deque
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace

import numpy as np

from devices.measurement import Rejected
from ingest.errors import JournalError
from ingest.journal import Accepted, Corrected, Refused
from ingest.journal_record import (
    pack_keys,
    pack_message,
    pack_reading,
    pack_uplinks,
    unpack_readings,
    unpack_uplinks,
)
from ingest.reading import Readings, Series
from ingest.uplink import Uplink

APPLICATION_ID = 0x53464A31
VERSION = 1
# In `batches` the big blob stands last, so that reading the readings does not page through the uplinks.
# `arrived_us` is the newest arrival in the batch.
SCHEMA = (
    """CREATE TABLE batches(
        first_seq INTEGER PRIMARY KEY, count INTEGER NOT NULL, arrived_us INTEGER NOT NULL,
        keys BLOB NOT NULL, readings BLOB NOT NULL, uplinks BLOB NOT NULL)""",
    "CREATE INDEX batches_by_arrival ON batches(arrived_us)",
    """CREATE TABLE series(
        number INTEGER PRIMARY KEY, station TEXT NOT NULL, property TEXT NOT NULL, channel TEXT NOT NULL,
        dev_eui TEXT NOT NULL, UNIQUE(station, property, channel, dev_eui))""",
    """CREATE TABLE refused(
        id INTEGER PRIMARY KEY AUTOINCREMENT, arrived_us INTEGER NOT NULL, dev_eui TEXT NOT NULL,
        reason TEXT NOT NULL, detail TEXT NOT NULL, keys BLOB NOT NULL, message BLOB NOT NULL,
        uplink BLOB)""",
    "CREATE INDEX refused_by_arrival ON refused(arrived_us)",
    "CREATE INDEX refused_by_device ON refused(dev_eui, id)",
    "CREATE INDEX refused_by_reason ON refused(reason, id)",
    """CREATE TABLE totals(
        one INTEGER PRIMARY KEY CHECK(one = 1), last_seq INTEGER NOT NULL, stored INTEGER NOT NULL,
        rejected INTEGER NOT NULL, readings INTEGER NOT NULL)""",
    "INSERT INTO totals VALUES(1, 0, 0, 0, 0)",
    "CREATE TABLE reasons(reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE parts(
        part TEXT PRIMARY KEY, cursor INTEGER NOT NULL, fence INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE TABLE pages(part TEXT, page TEXT, blob BLOB NOT NULL, PRIMARY KEY(part, page))",
    """CREATE TABLE events(
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, time_us INTEGER NOT NULL,
        body BLOB NOT NULL)""",
)
LATER = (
    # answers `refused_devices` alone, without touching a row; journals of before get it when they are opened
    "CREATE INDEX IF NOT EXISTS refused_by_reason_and_device ON refused(reason, dev_eui, arrived_us)",
)
# from the batch that holds the first seq after `?` on
BATCHES = """SELECT first_seq, count, {} FROM batches
    WHERE first_seq >= coalesce((SELECT max(first_seq) FROM batches WHERE first_seq <= ? + 1), 0)
    AND first_seq + count - 1 > ? ORDER BY first_seq"""
SERIES = "SELECT station, property, channel, dev_eui FROM series WHERE number >= ? ORDER BY number"


def add(
    connection: sqlite3.Connection,
    numbers: MutableMapping[Series, int],
    accepted: Sequence[Accepted],
    uplinks: bytes,
) -> int:
    """Insert a batch, its new series and its totals; return the last seq. `uplinks` are packed."""
    last = last_seq(connection)
    if not accepted:
        return last
    readings: list[bytes] = []
    for seq, row in enumerate(accepted, last + 1):
        for measured in row.readings:
            number = number_of(connection, numbers, measured.series)
            readings.append(pack_reading(seq, number, measured.quality, measured.time_us, measured.value))
    connection.execute(
        "INSERT INTO batches(first_seq, count, arrived_us, keys, readings, uplinks) VALUES(?, ?, ?, ?, ?, ?)",
        (
            last + 1,
            len(accepted),
            max(row.uplink.arrived_us for row in accepted),
            pack_keys(row.keys for row in accepted),
            b"".join(readings),
            uplinks,
        ),
    )
    last += len(accepted)
    connection.execute(
        "UPDATE totals SET last_seq = ?, stored = stored + ?, readings = readings + ?",
        (last, len(accepted), len(readings)),
    )
    return last


def number_of(connection: sqlite3.Connection, numbers: MutableMapping[Series, int], series: Series) -> int:
    """The number of a series, a new one where it has none."""
    known = numbers.get(series)
    if known is not None:
        return known
    number = len(numbers)
    connection.execute(
        "INSERT INTO series VALUES(?, ?, ?, ?, ?)",
        (number, series.station, series.property, series.channel, series.dev_eui),
    )
    numbers[series] = number
    return number


def done(connection: sqlite3.Connection) -> int:
    """The seq up to which every reader has gone."""
    cursor: int = connection.execute("SELECT coalesce(min(cursor), 0) FROM parts").fetchone()[0]
    return cursor


def correct(connection: sqlite3.Connection, rows: Sequence[Corrected]) -> None:
    """Put other readings in the place of those of some uplinks, which are in seq order."""
    if rows and rows[-1].seq > (read := done(connection)):
        raise JournalError(f"uplink {rows[-1].seq} is still to be read, readers are at {read}: wait for them")
    waiting = deque(rows)
    while waiting:
        batch = connection.execute(
            "SELECT first_seq, count, readings, uplinks FROM batches WHERE first_seq <= ? "
            "ORDER BY first_seq DESC LIMIT 1",
            (waiting[0].seq,),
        ).fetchone()
        end = batch[0] + batch[1] if batch else 0
        if waiting[0].seq >= end:
            waiting.popleft()  # it has left the journal
            continue
        inside = []
        while waiting and waiting[0].seq < end:
            inside.append(waiting.popleft())
        _correct_batch(connection, batch[0], unpack_readings(batch[2]), batch[3], inside)


def _correct_batch(
    connection: sqlite3.Connection, first: int, before: Readings, packed: bytes, rows: Sequence[Corrected]
) -> None:
    parts, start = [], 0
    uplinks = unpack_uplinks(packed)
    for row in rows:
        low, high = np.searchsorted(before["seq"], (row.seq, row.seq + 1))
        parts += [before[start:low], row.readings]
        start = high
        # who decoded it anew read it before, maybe before its gateways were known
        known = row.uplink.gateways or uplinks[row.seq - first].gateways
        uplinks[row.seq - first] = replace(row.uplink, gateways=known)
    readings = np.concatenate([*parts, before[start:]])
    connection.execute(
        "UPDATE batches SET readings = ?, uplinks = ? WHERE first_seq = ?",
        (readings.tobytes(), pack_uplinks(uplinks), first),
    )
    connection.execute("UPDATE totals SET readings = readings + ?", (len(readings) - len(before),))


def refuse(connection: sqlite3.Connection, refused: Sequence[Refused]) -> None:
    """Insert refused messages and count them."""
    if not refused:
        return
    connection.executemany(
        "INSERT INTO refused(arrived_us, dev_eui, reason, detail, keys, message, uplink) "
        "VALUES(?, ?, ?, ?, ?, ?, ?)",
        [
            (
                row.message.arrived_us,
                row.uplink.dev_eui if row.uplink else "",
                row.rejected.reason,
                row.rejected.detail,
                pack_keys([row.keys]),
                pack_message(row.message),
                pack_uplinks([row.uplink]) if row.uplink else None,
            )
            for row in refused
        ],
    )
    _count(connection, Counter(row.rejected.reason for row in refused))
    connection.execute("UPDATE totals SET rejected = rejected + ?", (len(refused),))


def refuse_anew(connection: sqlite3.Connection, rows: Sequence[tuple[int, Rejected]]) -> None:
    """Give refused messages other reasons, by id."""
    more: Counter[str] = Counter()
    for number, rejected in rows:
        before = connection.execute("SELECT reason FROM refused WHERE id = ?", (number,)).fetchone()
        if before is not None:
            connection.execute(
                "UPDATE refused SET reason = ?, detail = ? WHERE id = ?",
                (rejected.reason, rejected.detail, number),
            )
            more[before[0]] -= 1
            more[rejected.reason] += 1
    _count(connection, more)


def _count(connection: sqlite3.Connection, reasons: Mapping[str, int]) -> None:
    connection.executemany(
        "INSERT INTO reasons VALUES(?, ?) ON CONFLICT(reason) DO UPDATE SET count = count + excluded.count",
        reasons.items(),
    )


def last_seq(connection: sqlite3.Connection) -> int:
    """Seq of the newest uplink, 0 when there was none."""
    last: int = connection.execute("SELECT last_seq FROM totals").fetchone()[0]
    return last


def unpack(
    first: int, readings: bytes, uplinks: bytes, dev_eui: str | None
) -> Iterator[tuple[int, Uplink, Readings]]:
    """Seq, uplink and readings of a batch, of one device or of all."""
    # the DevEUI stands in the bytes as it is: most batches need no unpacking
    if dev_eui is not None and dev_eui.encode() not in uplinks:
        return
    rows = unpack_readings(readings)
    for seq, uplink in enumerate(unpack_uplinks(uplinks), first):
        if dev_eui is None or uplink.dev_eui == dev_eui:
            low, high = np.searchsorted(rows["seq"], (seq, seq + 1))
            yield seq, uplink, rows[low:high]
