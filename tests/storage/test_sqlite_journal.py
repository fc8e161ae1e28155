import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from storage_samples import ACCEPTED, LEVEL, RAIN, T0, accepted, refused, uplink

from ingest.errors import Fenced, JournalError
from ingest.journal import Accepted, EventRow
from ingest.reading import Measured, Series
from ingest.sqlite_file import sqlite_path
from ingest.sqlite_journal import SqliteJournal, open_journal
from ingest.sqlite_store import SqliteStore
from ingest.uplink import Gateway, Message, Uplink

EXAMPLES = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def new_journal(tmp_path):
    opened = []

    def make(name=None):
        journal = SqliteJournal(tmp_path / (name or f"journal-{len(opened)}.db"))
        opened.append(journal)
        return journal

    yield make
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(new_journal):
    return new_journal("journal.db")


def read_all(journal, after=0, limit=10**6):
    """(seq, series, time, value, quality) of everything, read in pieces of `limit`; NaN as None."""
    found = []
    while True:
        covered, rows = journal.read(after, limit)
        if covered == after:
            return found
        series = journal.series()
        found += [
            (seq, series[number], time_us, None if value != value else value, quality)  # noqa: PLR0124 - NaN
            for seq, number, quality, time_us, value in rows.tolist()
        ]
        after = covered


def expected(batch):
    return [
        (seq, row.series, row.time_us, None if row.value != row.value else row.value, row.quality)
        for seq, one in enumerate(batch, 1)
        for row in one.readings
    ]


def test_an_empty_journal(journal):
    assert journal.last_seq() == 0
    assert journal.read(0, 10)[0] == 0
    assert len(journal.read(0, 10)[1]) == 0
    assert list(journal.uplinks()) == []
    assert journal.append([]) == 0
    assert journal.counts().stored == 0
    assert journal.counts().by_reason == {}
    assert len(journal.recent_keys(0)) == 0
    assert journal.prune(2**62) == 0


@EXAMPLES
@given(batch=st.lists(ACCEPTED, max_size=8), data=st.data())
def test_what_is_appended_in_any_batches_is_read_back_in_any_pieces(new_journal, batch, data):
    journal = new_journal()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(batch)), max_size=3)))
    for start, end in zip([0, *cuts], [*cuts, len(batch)], strict=True):
        assert journal.append(batch[start:end]) == end
    for limit in (1, 2, 3, 100):
        assert read_all(journal, limit=limit) == expected(batch)
    after = data.draw(st.integers(0, len(batch)))
    assert read_all(journal, after) == [row for row in expected(batch) if row[0] > after]
    raw = list(journal.uplinks())
    assert [(seq, row) for seq, row, _ in raw] == list(enumerate((one.uplink for one in batch), 1))
    assert all((rows["seq"] == seq).all() for seq, _, rows in raw)
    assert sum(len(rows) for *_, rows in raw) == len(expected(batch))
    assert sorted(journal.recent_keys(-(2**63)).tolist()) == sorted(key for one in batch for key in one.keys)
    assert journal.counts().stored == len(batch)
    assert journal.counts().readings == len(expected(batch))
    assert len(set(journal.series())) == len(journal.series())
    newest = [(seq, row) for seq, row, _ in journal.latest_uplinks(3)]
    assert newest == [(seq, row) for seq, row, _ in raw][::-1][:3]


def test_the_order_of_fields_is_a_file_format():
    # a new field goes to the end and has a default; then extend this list
    assert [field.name for field in fields(Uplink)] == [
        *("server", "dev_eui", "f_port", "f_cnt", "session", "payload", "received_us", "arrived_us"),
        *("time_us", "time_source", "transport_id", "device_name", "codec_hint", "confirmed", "simulated"),
        *("data_rate", "spreading_factor", "bandwidth_hz", "frequency_hz", "gateways", "decoded"),
        "codec_notes",
    ]
    assert [field.name for field in fields(Gateway)] == [
        "id",
        "rssi",
        "snr",
        "time_us",
        "lat",
        "lon",
        "altitude",
    ]
    assert [field.name for field in fields(Message)] == [
        *("server", "topic", "payload", "qos", "retain", "arrived_us"),
    ]


def test_uplinks_of_one_device_over_many_batches(journal):
    other = "70b3d57ed0000002"
    for number in range(1, 201):
        changes = {"dev_eui": other} if number % 50 == 0 else {}
        journal.append([accepted(number, **changes), accepted(number)])
    found = [(seq, row.f_cnt) for seq, row, _ in journal.uplinks(dev_eui=other)]
    assert found == [(99, 50), (199, 100), (299, 150), (399, 200)]
    assert [row.f_cnt for _, row, _ in journal.uplinks(after=99, limit=2, dev_eui=other)] == [100, 150]
    assert [row.f_cnt for _, row, _ in journal.latest_uplinks(2, other)] == [200, 150]
    assert len(list(journal.uplinks(limit=10**6))) == 400


def test_refused_messages_are_kept_counted_and_filtered(journal):
    journal.append([accepted(1)], [refused(1), refused(2, "unknown_device", uplink(2))])
    journal.append([], [refused(3)])
    assert journal.last_seq() == 1
    assert [row.message.arrived_us - T0 for row in journal.rejected()] == [3, 2, 1]
    assert [row.uplink for row in journal.rejected(reason="unknown_device")] == [uplink(2)]
    assert [row.uplink for row in journal.rejected(dev_eui=uplink().dev_eui)] == [uplink(2)]
    newest, *_ = journal.rejected(limit=1)
    assert [row.message.arrived_us - T0 for row in journal.rejected(before=newest.id, limit=1)] == [2]
    counts = journal.counts()
    assert (counts.stored, counts.rejected) == (1, 3)
    assert counts.by_reason == {"malformed_json": 2, "unknown_device": 1}
    assert set(journal.recent_keys(T0 + 3).tolist()) == {3}


def test_a_device_registered_late_gets_its_history(journal):
    journal.append([accepted(1)], [refused(2, "unknown_device", uplink(2)), refused(3)])
    row = journal.rejected(reason="unknown_device")[0]
    with pytest.raises(JournalError, match="no longer refused"):
        journal.accept_refused([row.id, 10**6], [accepted(2), accepted(2)])
    assert journal.counts().rejected == 2
    assert journal.accept_refused([row.id], [accepted(2, LEVEL)]) == 2
    counts = journal.counts()
    assert (counts.stored, counts.rejected, dict(counts.by_reason)) == (2, 1, {"malformed_json": 1})
    assert [row[1] for row in read_all(journal)] == [RAIN, LEVEL]
    with pytest.raises(JournalError, match="no longer refused"):
        journal.accept_refused([row.id], [accepted(2)])
    # the failed attempts have left no trace in the numbers of series
    assert list(journal.series()) == [RAIN, LEVEL]
    assert list(journal.series(1)) == [LEVEL]


def test_a_commit_moves_cursor_state_and_events_together(journal):
    part = journal.load("rules")
    assert (part.cursor, dict(part.state)) == (0, {})
    first, second = EventRow("rain-1", T0, b"{}"), EventRow("rain-2", T0, b"{}")
    assert journal.commit("rules", part.fence, 5, {"rain": b"1", "level": b"2"}, [first, first]) == [first]
    assert journal.commit("rules", part.fence, 6, {"rain": b"3"}, [first, second]) == [second]
    assert [row for _, row in journal.events(0, 10)] == [first, second]
    (number, _), *_ = journal.events(0, 1)
    assert [row for _, row in journal.events(number, 10)] == [second]
    again = journal.load("rules")
    assert (again.cursor, dict(again.state)) == (6, {"rain": b"3", "level": b"2"})
    assert (journal.cursor("rules"), journal.cursor("store")) == (6, 0)


def test_an_old_holder_is_fenced_and_changes_nothing(journal):
    old = journal.load("rules")
    new = journal.load("rules")
    assert new.fence > old.fence
    with pytest.raises(Fenced):
        journal.commit("rules", old.fence, 9, {"rain": b"old"}, [EventRow("old", T0, b"")])
    with pytest.raises(Fenced):
        journal.commit("never loaded", 1, 9)
    assert journal.events(0, 10) == []
    journal.commit("rules", new.fence, 1)
    assert dict(journal.load("rules").state) == {}


def test_prune_keeps_what_a_reader_still_needs(journal):
    for number in range(1, 11):
        journal.append([accepted(number)], [refused(number)])
    assert journal.prune(T0 + 100) == 0
    fast, slow = journal.load("store"), journal.load("rules")
    journal.commit("store", fast.fence, 10)
    journal.commit("rules", slow.fence, 4)
    assert journal.prune(T0 + 3) == 2
    assert journal.prune(T0 + 100) == 2
    assert [row[0] for row in read_all(journal)] == [5, 6, 7, 8, 9, 10]
    assert journal.read(0, 2)[0] == 6
    journal.commit("rules", slow.fence, 10)
    assert journal.prune(T0 + 100) == 6
    assert journal.last_seq() == 10
    assert journal.append([accepted(11)]) == 11
    assert journal.counts().stored == 11
    assert len(journal.rejected()) == 0


def test_wait_is_woken_by_an_append_a_close_and_the_time(journal):
    assert not journal.wait(0, 0.05)
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(journal.wait(0, 600)))
    waiter.start()
    journal.append([accepted(1)])
    waiter.join(60)
    assert answers == [True]
    assert journal.wait(0, 0)
    waiter = threading.Thread(target=lambda: answers.append(journal.wait(1, 600)))
    waiter.start()
    time.sleep(0.05)
    journal.close()
    waiter.join(60)
    assert answers == [True, False]
    with pytest.raises(JournalError, match="closed"):
        journal.append([accepted(2)])
    with pytest.raises(JournalError, match="closed"):
        journal.last_seq()


def test_many_threads_at_once(journal):
    faults = []

    def work(worker):
        try:
            for number in range(30):
                journal.append([accepted(worker * 100 + number, RAIN if number % 2 else LEVEL)])
                journal.read(0, 1000)
                journal.counts()
        except Exception as fault:  # noqa: BLE001 - handed to the test
            faults.append(fault)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults == []
    assert [seq for seq, *_ in read_all(journal)] == list(range(1, 151))
    assert {row.f_cnt for _, row, _ in journal.uplinks()} == {
        w * 100 + n for w in range(5) for n in range(30)
    }


def test_failed_batches_between_good_ones_leave_no_number_of_a_series(journal):
    def work(worker):
        for number in range(40):
            series = Series(f"station-{worker}-{number}", "water_level", "", "70b3d57ed0000001")
            beyond = Accepted(uplink(1), (Measured(series, 2**70, 1.0, 1),), ())
            with pytest.raises(Exception, match=r"too large|out of range|format requires"):
                journal.append([beyond])
            journal.append([accepted(worker, series)])

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(work, range(1, 6)))
    found = read_all(journal)
    assert len(found) == 200
    assert all(series.station.startswith(f"station-{int(value)}-") for _, series, _, value, _ in found)
    assert len({series for _, series, *_ in found}) == 200


def test_two_processes_share_numbers_of_series_and_of_uplinks(new_journal):
    # two journals on one file see each other only through the file, as two processes would
    one, two = new_journal("shared.db"), new_journal("shared.db")
    one.append([accepted(1, RAIN)])
    two.append([accepted(2, LEVEL)])
    assert one.append([accepted(3, LEVEL), accepted(4, RAIN)]) == 4
    assert list(one.series()) == list(two.series()) == [RAIN, LEVEL]
    assert [row[1] for row in read_all(two)] == [RAIN, LEVEL, LEVEL, RAIN]
    assert one.wait(3, 60)


def test_a_full_disk_writes_nothing_half_and_heals(journal):
    journal.append([accepted(1)], [refused(1)])
    part = journal.load("rules")
    writer = journal._file._writer
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count={pages}")
    many = [accepted(number, payload=bytes(200)) for number in range(100)]
    with pytest.raises(JournalError, match="make room"):
        journal.append(many, [refused(2)])
    with pytest.raises(JournalError, match="make room"):
        journal.commit("rules", part.fence, 1, {"rain": bytes(10**5)}, [EventRow("rain-1", T0, b"")])
    counts = journal.counts()
    assert (counts.stored, counts.rejected, journal.last_seq()) == (1, 1, 1)
    assert journal.events(0, 10) == []
    assert journal.cursor("rules") == 0
    writer.execute("PRAGMA max_page_count=1000000")
    assert journal.append(many, [refused(2)]) == 101
    assert len(journal.commit("rules", part.fence, 1, {}, [EventRow("rain-1", T0, b"")])) == 1


FULL_FILE = """
    import resource, sys
    from pathlib import Path
    from ingest.errors import JournalError
    from ingest.sqlite_journal import SqliteJournal
    from storage_samples import accepted
    journal = SqliteJournal(Path(sys.argv[1]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
    done = 0
    try:
        while True:
            done = journal.append([accepted(done + 1, payload=bytes(5000))])
    except JournalError as fault:
        assert "make room" in str(fault), fault
    assert 3 < done < 200, done
    assert journal.last_seq() == journal.counts().stored == done
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.append([accepted(done + 1)]) == done + 1
    assert [row.f_cnt for _, row, _ in journal.uplinks()] == list(range(1, done + 2))
"""

APPENDING = """
    import sys
    from pathlib import Path
    from ingest.journal import EventRow
    from ingest.sqlite_journal import SqliteJournal
    from storage_samples import accepted, refused
    journal = SqliteJournal(Path(sys.argv[1]))
    part = journal.load("rules")
    while True:
        first = journal.last_seq() + 1
        numbers = range(first, first + 1 + first % 7)
        batch = [accepted(number, payload=bytes(number % 50)) for number in numbers]
        last = journal.append(batch, [refused(first)])
        event = EventRow(str(last), last, b"")
        journal.commit("rules", part.fence, last, {"page": str(last).encode()}, [event])
        print(last, flush=True)
"""


def child(source, *arguments, **options):
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{here.parent.parent}"}
    command = [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, **options)


def test_a_file_system_that_refuses_to_grow(tmp_path):
    process = child(FULL_FILE, tmp_path / "journal.db", stderr=subprocess.PIPE)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said


def test_kill_9_loses_nothing_that_was_acked_and_leaves_nothing_half(new_journal, tmp_path):
    seed = int(os.environ.get("SEED", time.time_ns() % 10**6))
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    dice = random.Random(seed)
    acked = 0
    for _ in range(8):
        process = child(APPENDING, tmp_path / "killed.db", stdout=subprocess.PIPE)
        acked = int(process.stdout.readline())
        time.sleep(dice.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        acked = int(([acked, *process.stdout.read().split("\n")[:-1]])[-1])
        process.wait()
        process.stdout.close()
        journal = new_journal("killed.db")
        last = journal.last_seq()
        assert last >= acked
        assert [row.f_cnt for _, row, _ in journal.uplinks(limit=10**6)] == list(range(1, last + 1))
        assert [seq for seq, *_ in read_all(journal)] == list(range(1, last + 1))
        counts = journal.counts()
        assert (counts.stored, counts.readings) == (last, last)
        assert counts.rejected == len(journal.rejected(10**6)) == counts.by_reason["malformed_json"]
        part = journal.load("rules")
        events = [int(row.id) for _, row in journal.events(0, 10**6)]
        assert acked <= part.cursor <= last
        assert events[-1] == part.cursor == int(part.state["page"])
        journal.close()
    assert acked > 50


def test_a_newer_or_foreign_file_is_left_alone(new_journal, tmp_path):
    new_journal("newer.db").close()
    with sqlite3.connect(tmp_path / "newer.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(JournalError, match="newer Stadtfunk"):
        SqliteJournal(tmp_path / "newer.db")
    SqliteStore(tmp_path / "readings.db").close()
    with pytest.raises(JournalError, match="belongs to something else"):
        SqliteJournal(tmp_path / "readings.db")
    (tmp_path / "text.db").write_text("dev_eui,type,station\n" * 100)
    with pytest.raises(JournalError, match="no database"):
        SqliteJournal(tmp_path / "text.db")
    assert (tmp_path / "text.db").read_text().startswith("dev_eui")


def test_every_commit_is_synced_to_the_disk(journal):
    # what a power cut leaves cannot be shown here; that SQLite is told to sync each commit can
    writer = journal._file._writer
    assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_damaged_row_says_so(journal):
    journal.append([accepted(1)])
    journal._file._writer.execute("UPDATE batches SET uplinks = x'c1ff'")
    with pytest.raises(JournalError, match="damaged"):
        list(journal.uplinks())


def test_a_fault_in_the_middle_of_a_batch_leaves_nothing(journal):
    beyond = Accepted(uplink(1), (Measured(LEVEL, 2**70, 1.0, 1),), ())
    with pytest.raises(Exception, match=r"int too large|argument out of range|format requires"):
        journal.append([accepted(1), beyond])
    assert journal.last_seq() == 0
    assert journal.append([accepted(1, LEVEL)]) == 1
    assert list(journal.series()) == [LEVEL]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/stadtfunk/journal.db", "/var/lib/stadtfunk/journal.db"),
        ("sqlite:////var/lib/journal.db", "/var/lib/journal.db"),
        ("sqlite:journal.db", "journal.db"),
        ("sqlite:data/journal.db", "data/journal.db"),
        ("sqlite:/data/journal.db", "/data/journal.db"),
        ("sqlite://./journal.db", "journal.db"),
        ("sqlite:///./journal.db", "journal.db"),
        ("sqlite://../journal.db", "../journal.db"),
    ],
)
def test_paths_in_urls(url, path):
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize(
    "url", ["", "sqlite:", "sqlite:///", "sqlite://host/x.db", "postgresql://x", "sqlite://:memory:"]
)
def test_a_url_without_a_path_says_how_to_write_one(url):
    with pytest.raises(JournalError, match=r"\[journal\] url.*sqlite:"):
        open_journal(url)


def test_readings_are_what_numpy_says(journal):
    journal.append([accepted(1), accepted(2, LEVEL)])
    covered, rows = journal.read(0, 10)
    assert covered == 2
    assert rows["seq"].tolist() == [1, 2]
    assert rows["series"].tolist() == [0, 1]
    assert np.array_equal(rows["value"], [1.0, 2.0])
