import threading
import time

import pytest
from storage_samples import LEVEL, RAIN, T0, accepted

from ingest.errors import StoreError
from ingest.influx_store import InfluxStore
from ingest.latest import LatestValues
from ingest.reading import Series
from ingest.sqlite_store import SqliteStore
from ingest.store import Point, Query
from ingest.store_writer import StoreWriter


class FlakyStore(SqliteStore):
    """A store whose plug can be pulled, also between its commit and its answer."""

    def __init__(self, path):
        super().__init__(path)
        self.fault = None
        self.fault_after = None

    def write(self, series, readings):
        if self.fault:
            raise self.fault
        super().write(series, readings)
        if self.fault_after:
            raise self.fault_after

    def latest(self, series=None):
        if self.fault:
            raise self.fault
        return super().latest(series)


@pytest.fixture
def store(tmp_path):
    store = FlakyStore(tmp_path / "readings.db")
    yield store
    store.close()


@pytest.fixture
def started():
    running = []

    def start(part):
        part.start()
        running.append(part)
        return part

    yield start
    for part in running:
        part.stop()


def fast(journal, store):
    return StoreWriter(journal, store, linger_s=0, pause_s=0.01)


def until(condition, timeout_s=120):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.005)


def times(store, series=RAIN):
    return [point.time_us - T0 for point in store.query(Query([series], limit=10**6))]


def test_what_the_journal_has_the_store_gets_once(journal, store, started):
    journal.append([accepted(number) for number in range(1, 5001)])
    writer = started(fast(journal, store))
    assert writer.drain(120)
    journal.append([accepted(6000, LEVEL)])
    assert writer.drain(120)
    assert times(store) == list(range(1, 5001))
    assert times(store, LEVEL) == [6000]
    assert (writer.stats.written, writer.behind, writer.stats.refused) == (5001, 0, 0)
    assert writer.health.ok
    writer.stop()
    journal.append([accepted(5999, LEVEL)])
    assert writer.behind == 1  # at once, not at the writer's next look
    second = started(fast(journal, store))
    journal.append([accepted(6001, LEVEL)])
    assert second.drain(120)
    assert second.stats.written == 2


def test_a_store_that_is_away_is_caught_up_to_the_last_reading(journal, store, started):
    store.fault = StoreError("influx is out: start it")
    writer = started(fast(journal, store))
    for number in range(1, 51):
        journal.append([accepted(number)])
    until(lambda: writer.stats.failures > 3 and writer.behind == 50)
    assert not writer.health.ok
    assert writer.health.detail == "influx is out: start it"
    assert writer.stats.last_error == "influx is out: start it"
    assert not writer.drain(0.05)
    store.fault = RuntimeError("something unforeseen")
    until(lambda: writer.health.detail == "something unforeseen")
    store.fault = None
    assert writer.drain(120)
    assert times(store) == list(range(1, 51))
    until(lambda: writer.health.ok and writer.behind == 0)


def test_a_write_that_succeeded_unheard_is_repeated_without_harm(journal, store, started):
    store.fault_after = StoreError("the answer got lost")
    journal.append([accepted(number) for number in range(1, 11)])
    writer = started(fast(journal, store))
    until(lambda: writer.stats.failures > 2)
    assert journal.cursor("store") == 0
    store.fault_after = None
    assert writer.drain(120)
    assert times(store) == list(range(1, 11))


def test_a_second_writer_takes_over(journal, store, started):
    first = started(fast(journal, store))
    until(lambda: first.health.ok)
    second = started(fast(journal, store))
    until(lambda: second.health.ok)
    journal.append([accepted(1)])
    until(lambda: "another service" in first.health.detail)
    assert second.drain(120)
    assert second.health.ok


def test_stop_is_prompt_also_in_a_long_pause(journal, store):
    store.fault = StoreError("away")
    writer = StoreWriter(journal, store, linger_s=0, pause_s=600)
    journal.append([accepted(1)])
    others = set(threading.enumerate())
    writer.start()
    until(lambda: writer.stats.failures)
    writer.stop()
    ours = [each for each in set(threading.enumerate()) - others if each.name == "store-writer"]
    until(lambda: not any(each.is_alive() for each in ours), 10)  # the pause is 15 s at least


def test_influxdb_stopped_in_the_middle(journal, own_influxd, started):
    store = InfluxStore(f"influxdb1://127.0.0.1:{own_influxd.port}/city")
    writer = started(fast(journal, store))
    latest = started(LatestValues(journal, store, pause_s=0.01))
    for number in range(1, 301):
        if number == 100:
            assert writer.drain(120)
            own_influxd.stop()
        if number == 200:
            until(lambda: not writer.health.ok)
            own_influxd.start()
        journal.append([accepted(number)])
        if number == 199:
            until(lambda: [point.time_us - T0 for point in latest.latest()] == [199])
    assert writer.drain(120)
    assert times(store) == list(range(1, 301))
    assert writer.stats.refused == 0
    writer.stop()
    latest.stop()
    store.close()


def test_latest_values_by_event_time(journal, store, started):
    latest = started(LatestValues(journal, store, pause_s=0.01))
    heard = []
    unsubscribe = latest.listen(heard.extend)
    journal.append([accepted(5), accepted(9), accepted(7)])
    until(lambda: heard)
    assert latest.latest() == heard == [Point(RAIN, T0 + 9, 9.0, 1)]
    version = latest.version
    journal.append([accepted(8)])
    journal.append([accepted(3, LEVEL)])
    until(lambda: len(heard) == 2)
    assert heard[1] == Point(LEVEL, T0 + 3, 3.0, 1)
    assert latest.version == version + 1
    assert latest.latest() == [Point(RAIN, T0 + 9, 9.0, 1), Point(LEVEL, T0 + 3, 3.0, 1)]
    assert latest.latest(properties={"water_level"}) == heard[1:]
    assert latest.latest(stations={"elsewhere"}) == []
    assert len(latest.latest(stations={"kippemuehle"}, properties=["precipitation", "water_level"])) == 2
    unsubscribe()
    unsubscribe()
    journal.append([accepted(10)])
    until(lambda: latest.latest()[0].time_us == T0 + 10)
    assert len(heard) == 2


def test_a_listener_that_fails_stops_nobody(journal, store, started):
    latest = started(LatestValues(journal, store, pause_s=0.01))
    heard = []
    latest.listen(lambda _: 1 / 0)
    latest.listen(heard.extend)
    journal.append([accepted(1)])
    until(lambda: heard)
    journal.append([accepted(2)])
    until(lambda: len(heard) == 2)
    until(lambda: latest.health.ok)


def test_latest_values_start_from_the_store_and_go_on_from_where_it_stood(journal, store, started):
    journal.append([accepted(1), accepted(2, LEVEL)])
    writer = started(fast(journal, store))
    assert writer.drain(120)
    writer.stop()
    elsewhere = Series("old-station", "air_temperature", "", "70b3d57ed0000009")
    store.write([elsewhere], journal.read(0, 1)[1])
    journal.append([accepted(3)])
    latest = started(LatestValues(journal, store, pause_s=0.01))
    until(lambda: [point.time_us - T0 for point in latest.latest()] == [3, 2, 1])
    until(lambda: latest.health.ok)
    assert {point.series for point in latest.latest()} == {RAIN, LEVEL, elsewhere}


def test_latest_values_without_a_store(journal, store, started):
    store.write([LEVEL, RAIN], rows_of(journal, accepted(100, LEVEL), accepted(50, RAIN)))
    store.fault = StoreError("influx is out: start it")
    latest = started(LatestValues(journal, store, pause_s=0.01))
    journal.append([accepted(70, RAIN)])
    until(latest.latest)
    until(lambda: "influx is out" in latest.health.detail)
    store.fault = None
    until(lambda: latest.health.ok)
    newest = {point.series: point.time_us - T0 for point in latest.latest()}
    assert newest == {LEVEL: 100, RAIN: 70}


def rows_of(journal, *batch):
    """Readings as a journal gives them, already done by the store's reader."""
    journal.append(batch)
    covered, rows = journal.read(0, 100)
    journal.commit("store", journal.load("store").fence, covered)
    return rows
