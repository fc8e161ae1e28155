"""The reader over a real journal: commits, crashes, fences, faults."""

import threading
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobility_city import MIN, T0, readings, registry, rules_of
from mobility_city import machine_of as machine

from alerts.errors import MobilityError
from alerts.mobility.counted import Site
from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import PART, Mobility
from alerts.mobility.machine import Machine
from ingest.errors import JournalError
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

CITY = [
    Series("road", "vehicle_count", "ltr", "0000000000000003"),
    Series("markt", "parking_occupied", "", "0000000000000004"),
    Series("pegel", "water_level", "", "0000000000000005"),
]


def uplink(series, time_us, value):
    raw = Uplink(
        server="ns",
        dev_eui=series.dev_eui,
        f_port=1,
        f_cnt=0,
        session="",
        payload=b"",
        received_us=time_us,
        arrived_us=time_us,
        time_us=time_us,
        time_source=TimeSource.SERVER,
    )
    return Accepted(raw, (Measured(series, time_us, value, 1),), ())


def put(journal, *rows):
    """Uplinks (series, minute, value) into the journal, one batch."""
    journal.append([uplink(CITY[s], T0 + minute * MIN, float(value)) for s, minute, value in rows])


def day(count=60):
    """Cars, a space and a gauge, five minutes apart."""
    for i in range(count):
        yield (0, 5 * i, 7 * i)
        yield (1, 5 * i, i // 3 % 2)
        yield (2, 5 * i, 20)


def reader(journal, now=T0 + 300 * MIN, **how):
    """A reader over mobility.db beside the journal; the file of the one before is left behind open."""
    city = registry(CITY, capacity=3)
    file = open_database(journal._file.path.with_name(FILE))
    OPEN.append(file)
    return Mobility(journal, rules_of(), lambda: city, lambda: now, file, **{"checkpoint_s": 0, **how})


OPEN = []


@pytest.fixture(autouse=True)
def _closed():
    yield
    while OPEN:
        OPEN.pop().close()


def drain(it):
    while it.run_once():
        pass
    return it


def expected():
    """The same readings through the machine alone."""
    alone = machine(CITY, capacity=3)
    alone.step(readings(*((s, T0 + minute * MIN, float(v)) for s, minute, v in day())))
    return alone.traffic(), alone.parking(T0 + 300 * MIN)


def told(it):
    return it.traffic(), it.parking()


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "too long"
        time.sleep(0.01)


def test_it_tells_what_the_machine_makes_of_the_journal(journal):
    put(journal, *day())
    it = drain(reader(journal, batch_uplinks=7))
    assert told(it) == expected()
    (road,), (markt,) = told(it)
    assert sum(each.count for each in road.five_minutes) == 7 * 59
    assert (markt.occupied, markt.free, markt.confidence) == (3, 0, 0.333)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 30), st.booleans()), max_size=6),
    st.sampled_from([0, 1e9]),
)
def test_a_crash_at_any_commit_or_before_it_changes_no_count(tmp_path_factory, crashes, checkpoint_s):
    journal = SqliteJournal(tmp_path_factory.mktemp("journal") / "journal.db")
    put(journal, *day())
    for steps, size, before_commit in crashes:
        it = reader(journal, batch_uplinks=size, checkpoint_s=checkpoint_s)
        for _ in range(steps):
            it.run_once()
        if before_commit:
            # counted, but the process dies before the commit
            last, batch = journal.read(it.cursor, size)
            if last > it.cursor:
                it._step(it._machine, batch, last)
    assert told(drain(reader(journal, checkpoint_s=checkpoint_s))) == expected()
    journal.close()


def test_a_second_reader_shuts_out_the_first(journal):
    put(journal, *day(10))
    first = reader(journal, batch_uplinks=5)
    first.run_once()
    drain(reader(journal))
    first.start()
    wait_for(lambda: not first.health.ok)
    assert "taken over" in first.health.detail
    first.stop()


def test_a_thread_counts_as_uplinks_come_and_stops(journal):
    others = set(threading.enumerate())
    it = reader(journal, checkpoint_s=0.05)
    it.start()
    put(journal, (0, 0, 10), (0, 5, 60))
    wait_for(lambda: journal.cursor(PART) == 2)
    assert it.health.ok
    wait_for(lambda: it.stats.readings == 2)
    it.stop()
    wait_for(lambda: not [t for t in set(threading.enumerate()) - others if t.name == "mobility"])


def test_stop_makes_durable_what_was_counted(journal):
    it = reader(journal, checkpoint_s=1e9)
    it.start()
    put(journal, (0, 5, 0))
    wait_for(lambda: it.cursor == 1)
    it.stop()
    assert journal.cursor(PART) == 1


def test_a_reading_from_the_future_blocks_nobody(journal):
    put(journal, (0, 0, 5), (0, 1_000_000, 10), (0, 5, 6))
    it = drain(reader(journal, now=T0 + 5 * MIN))
    (road,) = it.traffic()
    assert [each.count for each in road.five_minutes] == [1]
    assert it.stats.ahead == 1


def test_series_that_come_later_find_their_slots(journal):
    it = reader(journal)
    put(journal, (0, 0, 1), (0, 5, 8))
    drain(it)
    put(journal, (1, 0, 1))
    drain(it)
    assert (len(it.traffic()), len(it.parking())) == (1, 1)


def test_a_reading_that_a_kernel_cannot_digest_is_left_out_and_said(journal, monkeypatch):
    put(journal, *day(), (0, 295, 55_555))
    it = reader(journal, checkpoint_s=1e9)
    real = Machine.step

    def faulty(self, rows):
        if (rows["value"] == 55_555).any():
            raise ZeroDivisionError
        return real(self, rows)

    monkeypatch.setattr("alerts.mobility.machine.Machine.step", faulty)
    for _ in range(5):
        it.run_once()
    assert it.stats.skipped == 1
    assert "1 readings" in it.health.detail
    assert told(it) == expected()


def test_a_batch_that_even_careful_steps_cannot_pass_is_said_and_tried_again(journal, monkeypatch):
    put(journal, *day())
    step, carefully, failures = Machine.step, Machine.step_carefully, [MemoryError("no room")] * 3

    def faulty(self, rows):
        if failures:
            raise ZeroDivisionError
        return step(self, rows)

    def faulty_too(self, rows, skipped):
        if failures:
            raise failures.pop()
        return carefully(self, rows, skipped)

    monkeypatch.setattr(Machine, "step", faulty)
    monkeypatch.setattr(Machine, "step_carefully", faulty_too)
    it = reader(journal)
    it.start()
    try:
        wait_for(lambda: "no room" in it.health.detail)
        wait_for(lambda: journal.cursor(PART) == journal.last_seq() and it.health.ok)
    finally:
        it.stop()
    assert (told(it), it.stats.skipped) == (expected(), 0)


def test_a_commit_that_fails_is_made_up_for(journal, monkeypatch):
    put(journal, *day())
    real, failures = journal.commit, [JournalError("disk full")] * 3

    def commit(*args, **more):
        if failures:
            raise failures.pop()
        return real(*args, **more)

    monkeypatch.setattr(journal, "commit", commit)
    it = reader(journal)
    it.start()
    try:
        wait_for(lambda: journal.cursor(PART) == journal.last_seq() and it.health.ok)
    finally:
        it.stop()
    assert told(it) == expected()
    assert failures == []


def history(it):
    """Everything that is told of the past."""
    return {
        (site, resolution): it.counts(site, resolution, 0, 1 << 62, 100_000)
        for site in it.sites()
        for resolution in ("PT5M", "PT15M", "PT1H", "P1D", "P1W")
    }


def of_one_batch(tmp_path_factory):
    """What a reader tells that takes the whole day at once."""
    journal = SqliteJournal(tmp_path_factory.mktemp("whole") / "journal.db")
    put(journal, *late_day())
    found = history(drain(reader(journal)))
    journal.close()
    return found


def late_day():
    """A day of which some readings come late."""
    rows = [*day()]
    late = rows[3:6]
    return [*rows[:3], *rows[6:120], *late, *rows[120:]]


def test_counts_of_the_past_are_there_while_it_runs(journal):
    it = reader(journal, checkpoint_s=0.05)
    it.start()
    put(journal, (0, 0, 10), (0, 5, 60))
    wait_for(it.sites)
    site = Site("road", "vehicle_count", "ltr")
    assert it.sites() == (site,)
    wait_for(lambda: [each.count for each in it.counts(site, "PT1H", 0, 1 << 62, 10)] == [50])
    it.stop()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 30)), min_size=1, max_size=6))
def test_a_crash_between_the_history_and_the_journal_changes_nothing(tmp_path_factory, crashes):
    journal = SqliteJournal(tmp_path_factory.mktemp("journal") / "journal.db")
    put(journal, *late_day())
    commit = journal.commit
    for steps, size in crashes:
        it = reader(journal, batch_uplinks=size)
        for _ in range(steps):
            it.run_once()

        def lost(*_):
            raise JournalError("the process dies here")

        journal.commit = lost
        # one step more is in the history, and the journal knows nothing of it
        with suppress(JournalError):
            it.run_once()
        journal.commit = commit
    assert history(drain(reader(journal))) == of_one_batch(tmp_path_factory)
    journal.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_a_replay_tells_what_was_told_live(tmp_path_factory, parts):
    journal = SqliteJournal(tmp_path_factory.mktemp("journal") / "journal.db")
    live, rows = reader(journal), late_day()
    for count in parts:
        put(journal, *rows[:count])
        rows = rows[count:]
        drain(live)
    put(journal, *rows)
    assert history(drain(live)) == of_one_batch(tmp_path_factory)
    journal.close()


def test_without_its_history_everything_is_counted_again(journal):
    put(journal, *late_day())
    first = drain(reader(journal))
    before = told(first), history(first)
    OPEN.pop().close()
    for path in journal._file.path.parent.glob(FILE + "*"):
        path.unlink()
    again = reader(journal, batch_uplinks=50)
    again.run_once()
    # a crash on the way back does not find the state of before
    again = drain(reader(journal))
    assert (told(again), history(again)) == before


def test_a_history_that_cannot_be_written_is_said_and_made_up_for(journal, monkeypatch):
    put(journal, *day())
    it = reader(journal)
    real, failures = it._history.write, [MobilityError("disk full")] * 3

    def write(*args):
        if failures:
            raise failures.pop()
        return real(*args)

    monkeypatch.setattr(it._history, "write", write)
    it.start()
    wait_for(lambda: "disk full" in it.health.detail)
    wait_for(lambda: it.health.ok and journal.cursor(PART) == journal.last_seq())
    it.stop()
    assert told(it) == expected()
    site = Site("road", "vehicle_count", "ltr")
    assert sum(each.count for each in it.counts(site, "PT1H", 0, 1 << 62, 99)) == 7 * 59
