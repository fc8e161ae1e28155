"""The store gets the flags that the engine judges by, also when it fails and when the writer restarts."""

import time

import numpy as np
import pytest
from engine_city import MIN, T0, kernels, readings, registry

from alerts.flagging import Flagging
from alerts.rules import load_rules
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.sqlite_store import SqliteStore
from ingest.store import Query
from ingest.store_writer import StoreWriter
from ingest.uplink import TimeSource, Uplink

GAUGE = Series("pegel", "water_level", "", "0000000000000001")
VALUES = [20.0, 290.0, 21.0, 400.0, 410.0, 3000.0, 405.0, -5.0, 404.0, 22.0, 23.0]
FLAGS = [1, 3, 1, 3, 1, 4, 1, 3, 1, 3, 1]


@pytest.fixture
def journal(tmp_path):
    it = SqliteJournal(tmp_path / "journal.db")
    yield it
    it.close()


class Flaky(SqliteStore):
    failures = 0

    def write(self, series, rows):
        if self.failures:
            self.failures -= 1
            raise OSError("away")
        super().write(series, rows)


@pytest.fixture
def store(tmp_path):
    it = Flaky(tmp_path / "readings.db")
    yield it
    it.close()


def put(journal, number):
    at = T0 + number * 5 * MIN
    raw = Uplink("ns", GAUGE.dev_eui, 1, 0, "", b"", at, at, at, TimeSource.SERVER)
    journal.append([Accepted(raw, (Measured(GAUGE, at, VALUES[number], 1),), ())])


def flagging():
    city = registry([GAUGE], stages_cm=(50.0,))
    return Flagging(load_rules(), lambda: city, {}, lambda: T0 + 1000 * MIN)


def stored(store):
    return [(point.value, int(point.quality)) for point in store.query(Query([GAUGE], limit=100))]


def test_the_engine_judges_alike():
    batch = readings(*((0, T0 + i * 5 * MIN, value) for i, value in enumerate(VALUES)))
    assert kernels([GAUGE])._flags(batch, 0)[0].tolist() == FLAGS
    one = flagging()
    parts = [one.flags([GAUGE], part) for part in np.array_split(batch, 4)]
    assert np.concatenate(parts).tolist() == FLAGS


def test_flags_are_stored_once_and_right_through_failures_and_restarts(journal, store):
    for number in range(len(VALUES)):
        put(journal, number)
        store.failures = number % 3
        writer = StoreWriter(journal, store, judge=flagging(), linger_s=0, pause_s=0.001)
        writer.start()
        assert writer.drain(120)
        writer.stop()
    assert stored(store) == list(zip(VALUES, FLAGS, strict=True))


def test_a_batch_that_fails_is_not_judged_twice(journal, store):
    store.failures = 3
    writer = StoreWriter(journal, store, judge=flagging(), linger_s=0, pause_s=0.001)
    writer.start()
    for number in range(len(VALUES)):
        put(journal, number)
        time.sleep(0.002)
    assert writer.drain(120)
    writer.stop()
    assert stored(store) == list(zip(VALUES, FLAGS, strict=True))


def test_a_judge_that_fails_stops_nothing(journal, store, monkeypatch):
    monkeypatch.setattr(Flagging, "flags", lambda *_: 1 / 0)
    put(journal, 0)
    writer = StoreWriter(journal, store, judge=flagging(), linger_s=0)
    writer.start()
    assert writer.drain(120)
    writer.stop()
    assert stored(store) == [(20.0, 1)]


def test_a_reading_of_the_future_is_left_as_it_came():
    batch = readings((0, T0, 20.0), (0, T0 + 9000 * MIN, 3000.0), (0, T0 + 5 * MIN, 21.0))
    assert flagging().flags([GAUGE], batch).tolist() == [1, 1, 1]
