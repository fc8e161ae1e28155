"""Unknown devices in the journal: gathered from an index, also in a journal of before."""

import sqlite3

import pytest

from devices.catalogue import load_catalogue
from devices.guess import MOST_FRAMES
from devices.measurement import Rejected
from devices.registry import Registry, load_registry
from ingest.inbox import Inbox
from ingest.journal import Accepted, Refused, RefusedDevice
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import Message, TimeSource, Uplink

A, B = "70b3d57ed00000aa", "70b3d57ed00000bb"
LEVEL = bytes.fromhex("02012f000304d200010bb1")


@pytest.fixture
def journal(tmp_path):
    journal = SqliteJournal(tmp_path / "journal.db")
    yield journal
    journal.close()


def uplink(dev_eui, at, payload=LEVEL):
    return Uplink("s", dev_eui, 1, at, "00", payload, at, at, at, TimeSource.SERVER)


def refuse(journal, dev_eui, at, *, reason="unknown_device", payload=LEVEL):
    own = uplink(dev_eui, at, payload) if dev_eui else None
    journal.append([], [Refused(Message("s", "t", b"x", 1, False, at), Rejected(reason, "why"), (at,), own)])


def test_devices_gather_by_reason(journal):
    for dev_eui, at in ((A, 5), (B, 7), (A, 2), (A, 9), ("", 11)):
        refuse(journal, dev_eui, at)
    refuse(journal, B, 99, reason="payload_too_short")
    assert journal.refused_devices("unknown_device") == [RefusedDevice(A, 3, 2, 9), RefusedDevice(B, 1, 7, 7)]
    row = journal.rejected(dev_eui=B, reason="unknown_device")[0]
    journal.accept_refused([row.id], [Accepted(row.uplink, (), (7,))])
    assert [each.dev_eui for each in journal.refused_devices("unknown_device")] == [A]


def test_both_questions_are_answered_from_an_index(journal, tmp_path):
    refuse(journal, A, 1)
    asked = []
    for connection in journal._file._idle:
        connection.set_trace_callback(asked.append)
    with journal._file.read() as connection:
        connection.set_trace_callback(asked.append)
    journal.refused_devices("unknown_device")
    journal.rejected(50, dev_eui=A, reason="unknown_device")
    with sqlite3.connect(tmp_path / "journal.db") as own:
        plans = [
            " ".join(row[3] for row in own.execute(f"EXPLAIN QUERY PLAN {each}"))
            for each in asked
            if each.startswith("SELECT")
        ]
    own.close()
    assert any("COVERING INDEX refused_by_reason_and_device" in plan for plan in plans)
    assert any("INDEX refused_by_device (dev_eui=?" in plan for plan in plans)
    assert not any("SCAN refused" in plan or "TEMP B-TREE" in plan for plan in plans)


def test_a_journal_of_before_gets_the_index(journal, tmp_path):
    refuse(journal, A, 1)
    journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as own:
        own.execute("DROP INDEX refused_by_reason_and_device")
    own.close()
    again = SqliteJournal(tmp_path / "journal.db")
    assert [each.dev_eui for each in again.refused_devices("unknown_device")] == [A]
    with sqlite3.connect(tmp_path / "journal.db") as own:
        names = [row[0] for row in own.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")]
    own.close()
    again.close()
    assert "refused_by_reason_and_device" in names


def test_the_inbox_leaves_out_who_is_registered_and_looks_again_when_heard_again(journal):
    registry = Registry()
    inbox = Inbox(journal, lambda: registry, load_catalogue())
    for at in range(60):
        refuse(journal, A, at)
    refuse(journal, B, 100)
    assert [each.dev_eui for each in inbox.devices()] == [B, A]
    [seen] = [each for each in inbox.devices() if each.dev_eui == A]
    [first] = inbox.look([seen])
    assert len(first.recent) == MOST_FRAMES
    assert first.recent[0].f_cnt == 59
    assert first.guesses[0].type.id == "decentlab-dl-mbx"
    [again] = inbox.look([seen])
    assert again.guesses[0] is first.guesses[0], "kept until it is heard again"
    refuse(journal, A, 200, payload=b"\xff")
    [seen] = [each for each in inbox.devices() if each.dev_eui == A]
    assert "decentlab-dl-mbx" not in [each.type.id for each in inbox.look([seen])[0].guesses]
    registry = load_registry(
        None, [{"dev_eui": A, "type": "decentlab-dl-mbx", "station": "a", "lat": 1, "lon": 1}]
    )
    assert [each.dev_eui for each in inbox.devices()] == [B]
