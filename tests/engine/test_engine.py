"""The engine over a real journal: commits, crashes, fences, history, faults."""

import dataclasses
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from engine_city import MIN, T0, kernels, one_series, readings, registry
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine import PART, Engine
from alerts.event import from_row, to_row
from alerts.kernels import level
from alerts.rules import load_rules
from ingest.errors import JournalError
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

CITY = [
    Series("rain", "precipitation", "", "0000000000000001"),
    Series("pegel", "water_level", "", "0000000000000002"),
    Series("road", "vehicle_count", "ltr", "0000000000000003"),
]
MARKS = {"stages_cm": (50.0, 100.0)}


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


def storm(count=60):
    """Rain and a wave, five minutes apart."""
    for i in range(count):
        yield (0, 5 * i, 6.0 if 3 <= i < 12 else 0.0)
        yield (
            1,
            5 * i,
            20.0 + (15 * (i - 5) if 5 <= i < 15 else max(0, 140 - 10 * (i - 15)) if i >= 15 else 0),
        )
        yield (2, 5 * i, 7 * i)


def engine(journal, now=T0 + 300 * MIN, **how):
    city = registry(CITY, **MARKS)
    how = {"max_alert_age_s": 1e6, "checkpoint_s": 0, **how}
    return Engine(journal, load_rules(), lambda: city, lambda: now, **how)


def committed(journal):
    return [from_row(row) for _, row in journal.events(0, 10_000)]


def drain(it):
    while it.run_once():
        pass
    return it


def expected():
    """The same readings through the kernels alone."""
    machine = kernels(CITY, **MARKS)
    return machine.step(readings(*((s, T0 + minute * MIN, float(v)) for s, minute, v in storm())))


def test_events_of_the_kernels_are_committed_in_their_order(journal):
    put(journal, *storm())
    drain(engine(journal, batch_uplinks=7))
    assert committed(journal) == expected()
    assert {e.measure for e in committed(journal)} == {
        "dwd_starkregen",
        "dwd_dauerregen",
        "water_level",
        "water_level_expected",
        "incident",
    }


def test_listeners_hear_new_events_after_their_commit(journal):
    put(journal, *storm())
    it, heard = engine(journal), []
    it.listen(lambda events: heard.append((events, len(committed(journal)))))
    leave = it.listen(lambda _: 1 / 0)
    drain(it)
    leave()
    assert [e for events, _ in heard for e in events] == committed(journal)
    assert all(there >= len(events) for events, there in heard)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(1, 30), st.booleans()), max_size=6),
    st.sampled_from([0, 1e9]),
)
def test_a_crash_at_any_commit_or_before_it_changes_no_event(tmp_path_factory, crashes, checkpoint_s):
    journal = SqliteJournal(tmp_path_factory.mktemp("journal") / "journal.db")
    put(journal, *storm())
    for steps, size, before_commit in crashes:
        it = engine(journal, batch_uplinks=size, checkpoint_s=checkpoint_s)
        for _ in range(steps):
            it.run_once()
        if before_commit:
            # judged, but the process dies before the commit
            last, batch = journal.read(it.cursor, size)
            if last > it.cursor:
                it._step(it._kernels, batch, last)
    drain(engine(journal, checkpoint_s=checkpoint_s))
    assert committed(journal) == expected()
    journal.close()


def test_a_replay_from_the_beginning_alerts_nobody_twice(journal):
    put(journal, *storm())
    drain(engine(journal))
    part = journal.load(PART)
    journal.commit(PART, part.fence, 0, dict.fromkeys(part.state, b""))
    assert [key for key in part.state if key.startswith("rain/")]
    with journal._file.write() as connection:
        connection.execute("DELETE FROM pages")
    again, heard = engine(journal), []
    again.listen(heard.extend)
    drain(again)
    assert heard == []
    assert committed(journal) == expected()


def test_a_second_engine_shuts_out_the_first(journal):
    put(journal, *storm(10))
    first = engine(journal, batch_uplinks=5)
    first.run_once()
    drain(engine(journal))
    first.start()
    wait_for(lambda: not first.health.ok)
    assert "taken over" in first.health.detail
    first.stop()


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "too long"
        time.sleep(0.01)


def test_a_thread_judges_as_uplinks_come_and_stops(journal):
    others = set(threading.enumerate())
    it = engine(journal, checkpoint_s=0.05)
    it.start()
    put(journal, (1, 0, 10), (1, 5, 60))
    wait_for(lambda: committed(journal))
    put(journal, (0, 5, 0.0))
    wait_for(lambda: journal.cursor(PART) == journal.last_seq() == 3)
    assert it.health.ok
    it.stop()
    wait_for(lambda: not [t for t in set(threading.enumerate()) - others if t.name == "rule-engine"])


def test_stop_makes_durable_what_was_judged(journal):
    it = engine(journal, checkpoint_s=1e9)
    it.start()
    put(journal, (0, 5, 0.0))
    wait_for(lambda: it.cursor == 1)
    it.stop()
    assert journal.cursor(PART) == 1


def test_an_episode_survives_a_restart_and_a_new_registry(journal):
    put(journal, (1, 0, 60.0), (0, 0, 1.0))
    drain(engine(journal))
    others = registry([one_series("precipitation", station="new")])
    drain(Engine(journal, load_rules(), lambda: others, lambda: T0, checkpoint_s=0))
    put(journal, *((1, 5 + 5 * i, 10.0) for i in range(7)))
    drain(engine(journal))
    raised, cleared = [e for e in committed(journal) if e.kind != "crossing"]
    assert (raised.kind, cleared.kind) == ("raise", "clear")
    assert raised.episode == cleared.episode


def test_a_reloaded_registry_changes_marks_and_keeps_state(journal):
    city = registry(CITY, stages_cm=(500.0,))
    it = Engine(journal, load_rules(), lambda: city, lambda: T0, checkpoint_s=0, max_alert_age_s=1e6)
    put(journal, (1, 0, 60.0))
    drain(it)
    assert committed(journal) == []
    city = registry(CITY, **MARKS)
    put(journal, (1, 5, 60.0))
    drain(it)
    assert [e.kind for e in committed(journal)] == ["crossing", "raise"]


def test_old_history_pages_nobody_and_what_still_stands_is_told(journal):
    put(journal, (1, 0, 60.0), (1, 5, 110.0))
    drain(engine(journal, now=T0 + 600 * MIN, max_alert_age_s=3 * 3600))
    assert [(e.kind, e.audience) for e in committed(journal) if e.kind != "crossing"] == [
        ("raise", None),
        ("escalate", None),
    ]
    put(journal, (1, 590, 111.0))
    rules = engine(journal, now=T0 + 600 * MIN, max_alert_age_s=3 * 3600)
    drain(rules)
    put(journal, (1, 595, 111.0))
    drain(rules)
    told = [e for e in committed(journal) if e.audience]
    assert [(e.kind, e.level, e.time_us) for e in told] == [("escalate", 2, T0 + 590 * MIN)]
    assert len({e.episode for e in committed(journal)}) == 1


def test_a_short_outage_still_pages(journal):
    put(journal, (1, 0, 60.0))
    drain(engine(journal, now=T0 + 60 * MIN, max_alert_age_s=3 * 3600))
    assert [e.audience for e in committed(journal)] == [None, "staff"]


def test_a_reading_from_the_future_blocks_nobody(journal):
    put(journal, (1, 1_000_000, 10.0), (1, 0, 60.0))
    it = drain(engine(journal, now=T0))
    assert [e.kind for e in committed(journal)] == ["crossing", "raise"]
    assert it.stats.ahead == 1


def test_a_kernel_that_raises_costs_the_one_reading(journal, monkeypatch):
    put(journal, *storm())
    judge = level._judge

    def faulty(*inputs):
        row, _, _, _, value, _ = inputs
        if value == 55.5:
            row["stage"] = 4  # half done
            raise ZeroDivisionError("bad luck")
        return judge(*inputs)

    monkeypatch.setattr(level, "_judge", faulty)
    put(journal, (1, 296, 55.5), (0, 300, 30.0))
    it = engine(journal, checkpoint_s=1e9)
    for _ in range(5):
        it.run_once()
    assert it.stats.skipped == 1
    assert not it.health.ok
    assert "1 readings" in it.health.detail
    found = committed(journal)
    assert found[: len(expected())] == expected()
    assert {e.station for e in found[len(expected()) :]} == {"rain"}
    # the next start does not trip again
    assert drain(engine(journal)).stats.skipped == 0


def test_a_commit_that_fails_is_made_up_for(journal, monkeypatch):
    put(journal, *storm())
    real, failures = journal.commit, [JournalError("disk full")] * 3

    def commit(*args, **more):
        if failures:
            raise failures.pop()
        return real(*args, **more)

    monkeypatch.setattr(journal, "commit", commit)
    it = engine(journal)
    wanted = expected()
    it.start()
    try:
        wait_for(lambda: len(committed(journal)) >= len(wanted) and it.health.ok)
    finally:
        it.stop()
    assert committed(journal) == wanted
    assert failures == []


def test_series_that_come_later_find_their_slots(journal):
    it = engine(journal)
    put(journal, (1, 0, 60.0))
    drain(it)
    put(journal, (0, 0, 30.0))
    drain(it)
    assert {e.station for e in committed(journal)} == {"pegel", "rain"}


def test_one_uplink_writes_little(journal):
    it = drain(engine(journal))
    put(journal, *storm())
    drain(it)
    put(journal, (0, 300, 0.2))
    written = []
    commit = journal.commit
    journal.commit = lambda part, fence, cursor, state, events: (
        written.append(state),
        commit(part, fence, cursor, state, events),
    )[1]
    drain(it)
    del journal.commit
    assert list(written[0]) == ["rain/0", "rain_seen/0", "witness/0"]
    assert sum(map(len, written[0].values())) < 10_000


PROCESS = """
import sys, time
sys.path.insert(0, {here!r})
from test_engine import engine
from ingest.sqlite_journal import SqliteJournal
from pathlib import Path
it = engine(SqliteJournal(Path(sys.argv[1])), batch_uplinks=3, checkpoint_s=0.02)
it.start()
print("running", flush=True)
time.sleep(60)
"""


def test_killed_again_and_again_it_raises_each_event_once(tmp_path):
    path = tmp_path / "journal.db"
    journal = SqliteJournal(path)
    seed = int(time.time())
    chance = np.random.default_rng(seed)
    rows = list(storm())
    code = PROCESS.format(here=str(Path(__file__).parent))
    for part in np.array_split(np.arange(len(rows)), 5):
        put(journal, *(rows[i] for i in part))
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(float(chance.uniform(0, 0.05)))
            process.send_signal(signal.SIGKILL)
    drain(engine(journal))
    assert committed(journal) == expected(), f"seed {seed}"
    journal.close()


def test_events_survive_the_journal_unchanged():
    for event in expected():
        assert from_row(to_row(event)) == event
        assert dataclasses.asdict(event)["id"] == to_row(event).id
