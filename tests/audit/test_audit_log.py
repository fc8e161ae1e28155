"""The audit log: only ever longer, and it shows what was done to its file."""

import sqlite3
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.audit import FIRST, REMOVED, AuditLog
from alerts.errors import AuditError

NOW = 1_784_053_800_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.db"


@pytest.fixture
def log(path):
    log = AuditLog(path, lambda: NOW)
    yield log
    log.close()


def fill(log, count=5):
    for number in range(count):
        log.note("Anna Meier", "incident confirm", f"strunde.{number}", "vor Ort gesehen", "token leitstelle")


def tampered(path, *statements):
    """As somebody with the file and without respect would do it."""
    with sqlite3.connect(path) as connection:
        for name in ("entries_follow", "entries_stay", "entries_remain"):
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_entries_carry_time_and_the_hash_of_the_one_before(log):
    fill(log, 3)
    newest, middle, first = log.entries(10)
    assert (first.seq, middle.seq, newest.seq) == (1, 2, 3)
    assert (first.time_us, first.by, first.action) == (NOW, "Anna Meier", "incident confirm")
    assert first.previous == FIRST
    assert (middle.previous, newest.previous) == (first.hash, middle.hash)
    assert [each.seq for each in log.entries(1, after=3)] == [2]
    chain = log.chain()
    assert (chain.entries, chain.head, chain.broken_at) == (3, newest.hash, None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET reason = 'x' WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 5",
        "DELETE FROM entries",
        "REPLACE INTO entries SELECT 2, 0, '', '', '', '', '', previous, hash FROM entries WHERE seq = 2",
        "REPLACE INTO entries SELECT * FROM entries WHERE seq = 5",
        "INSERT INTO entries SELECT 9, 0, '', '', '', '', '', previous, hash FROM entries WHERE seq = 5",
        "UPDATE OR REPLACE entries SET seq = 1 WHERE seq = 2",
    ],
)
def test_the_file_itself_refuses_changes(log, path, statement):
    fill(log)
    before = log.entries(10)
    with sqlite3.connect(path) as connection, pytest.raises(sqlite3.IntegrityError, match="audit log"):
        connection.execute(statement)
    connection.close()
    assert log.entries(10) == before


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE entries SET reason = 'x' WHERE seq = 3", 3),
        ("UPDATE entries SET time_us = time_us + 1 WHERE seq = 1", 1),
        ("UPDATE entries SET by = subject, subject = by WHERE seq = 5", 5),
        ("DELETE FROM entries WHERE seq = 2", 2),
        ("DELETE FROM entries WHERE seq = 1", 1),
    ],
)
def test_verify_says_where_the_chain_breaks(log, path, statement, broken_at):
    fill(log)
    assert log.verify() is None
    tampered(path, statement)
    assert log.verify() == broken_at
    again = AuditLog(path, lambda: NOW)
    assert not again.health.ok
    assert str(broken_at) in again.health.detail
    again.note("Anna", "incident confirm", "x", "goes on all the same")
    assert again.verify() == broken_at
    assert not again.health.ok
    again.close()


def test_a_cut_off_end_shows_in_the_head_only(log, path):
    fill(log)
    head = log.chain().head
    tampered(path, "DELETE FROM entries WHERE seq = 5")
    assert log.verify() is None
    assert log.chain().head != head


@pytest.mark.parametrize(
    "text",
    [
        "anna.meier@stadt.example",
        "<anna@localhost>",
        "+49 171 1234567",
        "+491711234567",
        "0049 2202 141234",
        "02202 14-1234",
        "(02202) 141234",
        "0171/1234567",
        "+49 (0) 2202 14 12 34",
    ],
)
def test_contact_data_is_not_written(log, path, text):
    log.note(f"Anna {text}", "a", text, f"Rückruf unter {text} bitte", f"x,{text}")
    log.close()
    data = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert text.encode() not in data
    again = AuditLog(path, lambda: NOW)
    [entry] = again.entries(1)
    again.close()
    assert entry.by == f"Anna {REMOVED}" or REMOVED in entry.by
    assert all(REMOVED in each for each in (entry.by, entry.subject, entry.reason))


@pytest.mark.parametrize(
    "text",
    [
        "strunde.20260714T181000Z",
        "20260714T181000Z-000123",
        "am 05.07.2026 um 08:10-09:15 Uhr",
        "2026-07-14 18:10, 31.24 mm > 25 mm",
        "Pegel 0.75 m, 112 gerufen, 45 cm, SRI 7",
        "drill.20260714T181000Z-000123.strunde.20260714T181000Z",
        "starkregen v3",
    ],
)
def test_names_times_and_values_stay_readable(log, text):
    log.note(text, text[:60], text, text, text)
    [entry] = log.entries(1)
    assert (entry.by, entry.subject, entry.reason, entry.detail) == (text[:100], text, text, text)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(*[st.text(max_size=60)] * 5), min_size=1, max_size=4))
def test_whatever_is_noted_can_be_verified_and_read(log, notes):
    for each in notes:
        log.note(*each)
    assert log.verify() is None
    assert log.health.ok
    for entry in log.entries(len(notes)):
        assert not any(ord(each) < 32 for each in entry.by + entry.reason + entry.detail)


def test_many_threads_make_one_chain(log):
    threads = [threading.Thread(target=fill, args=(log, 20)) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    chain = log.chain()
    assert (chain.entries, chain.broken_at) == (100, None)


def test_a_log_that_cannot_be_written_stops_no_decision_and_says_so(log, path):
    fill(log, 1)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT raise(ABORT, 'full'); END"
        )
    log.note("Anna", "incident confirm", "x", "y")
    assert not log.health.ok
    assert "full" in log.health.detail
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER full")
    connection.close()
    log.note("Anna", "incident confirm", "x", "y")
    assert log.health.ok
    assert log.chain().entries == 2


def test_somebody_elses_file_is_left_alone(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE mine(x)")
    connection.close()
    with pytest.raises(AuditError, match="belongs to something else"):
        AuditLog(path, lambda: NOW)
