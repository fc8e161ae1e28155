"""The other half of an uplink in the SQLite journal: recorded without a gateway, its gateways told later."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ingest.dedup import keys, unheard
from ingest.errors import JournalError
from ingest.journal import Accepted, Heard
from ingest.journal_record import change_uplinks, pack_keys, unpack_keys, unpack_uplinks
from ingest.uplink import Uplink

_EARLIER_US = 600_000_000
"""So far a network server's clock may be ahead of ours: what it received has not arrived before that."""


def add_gateways(connection: sqlite3.Connection, rows: Sequence[Heard]) -> list[Uplink]:
    """Give uplinks without a gateway those of their other halves; return them as they are now."""
    wanted = {row.key: row for row in rows}
    changed: list[Uplink] = []
    for key, row in list(wanted.items()):
        found = connection.execute(
            "SELECT id, uplink FROM refused WHERE dev_eui = ? AND instr(keys, ?) > 0 "
            "ORDER BY id DESC LIMIT 1",
            (row.uplink.dev_eui, pack_keys([(key,)])),
        ).fetchone()
        if found is None:
            continue
        del wanted[key]
        packed, heard = _heard(found[1], {key: row})
        if heard:
            connection.execute("UPDATE refused SET uplink = ? WHERE id = ?", (packed, found[0]))
            changed += heard
    for first in _batches(connection, wanted) if wanted else ():
        batch = connection.execute("SELECT uplinks FROM batches WHERE first_seq = ?", (first,)).fetchone()
        packed, heard = _heard(batch[0], wanted)
        if heard:
            connection.execute("UPDATE batches SET uplinks = ? WHERE first_seq = ?", (packed, first))
            changed += heard
    return changed


def with_gateways(accepted: Accepted, recorded: bytes | None) -> Accepted:
    """What a refused message became, with the gateways that its row has learnt since somebody read it."""
    if accepted.uplink.gateways or recorded is None:
        return accepted
    [uplink] = unpack_uplinks(recorded)
    if not uplink.gateways:
        return accepted
    return replace(accepted, uplink=replace(accepted.uplink, gateways=uplink.gateways))


def _batches(connection: sqlite3.Connection, wanted: Mapping[int, Heard]) -> list[int]:
    """Which batches have the uplinks, newest first: the other half is seldom far."""
    uplinks = [row.uplink for row in wanted.values()]
    since_us = min(min(each.received_us, each.arrived_us) for each in uplinks) - _EARLIER_US
    missing, found = set(wanted), []
    for first, packed in connection.execute(
        "SELECT first_seq, keys FROM batches WHERE arrived_us >= ? ORDER BY arrived_us DESC", (since_us,)
    ):
        here = missing.intersection(unpack_keys([packed]).tolist())
        if here:
            found.append(first)
            missing -= here
            if not missing:
                break
    return found


def _heard(packed: bytes, wanted: Mapping[int, Heard]) -> tuple[bytes, Sequence[Uplink]]:
    """Uplinks with gateways where they are wanted, and those that have changed."""

    def heard(uplink: Uplink) -> Uplink | None:
        other = None if uplink.gateways else wanted.get(unheard(keys(uplink)))
        return None if other is None else replace(uplink, gateways=other.uplink.gateways)

    try:
        return change_uplinks(packed, {row.uplink.dev_eui for row in wanted.values()}, heard)
    except JournalError:
        return packed, ()  # a damaged row keeps nobody from going on
