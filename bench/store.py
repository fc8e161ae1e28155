"""The SQLite store: writing, 24 hours of one series, the newest of all."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np
from report import Report, best, cpu_us, run

from ingest.latest import LatestValues
from ingest.reading import READING, Readings, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.sqlite_store import SqliteStore
from ingest.store import Query

SERIES = 10_000
DAY_US = 86_400_000_000
INTERVAL_US = DAY_US // 144
START_US = 1_770_000_000_000_000


def measure(scale: float) -> Report:
    """10,000 series every 10 minutes, 20 million readings in all."""
    report = Report("store", "SQLite store, 10,000 series at 10-minute intervals")
    series = [Series(f"station-{i // 4}", f"property_{i % 4}", "", f"{i // 4:016x}") for i in range(SERIES)]
    steps = max(144, round(20_000_000 * scale / SERIES))
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "readings.db")
        cpu_before, begin = time.process_time(), time.perf_counter()
        last_cpu = 0.0
        for step in range(steps):
            batch_begin = time.process_time()
            store.write(series, batch(step))
            last_cpu = time.process_time() - batch_begin
        cpu = time.process_time() - cpu_before
        wall = time.perf_counter() - begin
        rows = steps * SERIES
        plain = best(3, lambda: plain_insert(Path(folder), 3_000))
        report.add(
            "write, batches of 10,000",
            cpu * 1e6 / rows,
            "µs/reading",
            goal=14,
            baseline=("one INSERT a reading", plain),
        )
        report.add("write, the last batch of 10,000", last_cpu * 1e6 / SERIES, "µs/reading")
        report.add("write, wall clock", rows / wall, "readings/s", "more")
        report.notes.append(f"{rows:,} readings, {size(Path(folder) / 'readings.db') / rows:.1f} bytes each")
        random = Random(1)
        day = [one_day(store, series[random.randrange(SERIES)], steps) for _ in range(200)]
        bare = [bare_day(Path(folder), random.randrange(SERIES), steps) for _ in range(200)]
        report.add(
            "24 h of one series, median", median(day), "ms", goal=1, baseline=("bare SELECT", median(bare))
        )
        report.add("24 h of one series, p99", sorted(day)[-2], "ms")
        read = best(5, lambda: latest(store))
        with from_memory(Path(folder), store) as values:
            served = best(5, lambda: latest(values))
        report.add("latest of 10,000 series", served, "ms", goal=20, baseline=("read from the store", read))
        store.close()
    return report


def batch(step: int) -> Readings:
    """The step's reading of every series."""
    rows = np.zeros(SERIES, READING)
    rows["seq"] = step + 1
    rows["series"] = np.arange(SERIES)
    rows["quality"] = 1
    rows["time_us"] = START_US + step * INTERVAL_US + np.arange(SERIES) * 50_000
    rows["value"] = np.arange(SERIES) % 977 + step / 10
    return rows


def one_day(store: SqliteStore, series: Series, steps: int) -> float:
    """Milliseconds for the last 24 hours, as points."""
    end = START_US + steps * INTERVAL_US
    begin = time.perf_counter()
    points = list(store.query(Query([series], end - DAY_US, end, limit=1000)))
    elapsed = (time.perf_counter() - begin) * 1e3
    assert 143 <= len(points) <= 145, len(points)
    return elapsed


def bare_day(folder: Path, number: int, steps: int) -> float:
    """Milliseconds for the same rows through the sqlite3 module alone."""
    end = START_US + steps * INTERVAL_US
    connection = sqlite3.connect(folder / "readings.db")
    query = (
        "SELECT time, value, quality FROM readings WHERE series = ? AND time BETWEEN ? AND ? ORDER BY time"
    )
    connection.execute(query, (number, 0, 0)).fetchall()
    begin = time.perf_counter()
    connection.execute(query, (number, end - DAY_US, end - 1)).fetchall()
    elapsed = (time.perf_counter() - begin) * 1e3
    connection.close()
    return elapsed


@contextmanager
def from_memory(folder: Path, store: SqliteStore) -> Iterator[LatestValues]:
    """What the API asks: the newest readings in memory, read from the store once at the start."""
    journal = SqliteJournal(folder / "journal.db")
    values = LatestValues(journal, store)
    values.start()
    try:
        while not values.health.ok:
            time.sleep(0.01)
        yield values
    finally:
        values.stop()
        journal.close()


def latest(store: SqliteStore | LatestValues) -> float:
    begin = time.perf_counter()
    points = store.latest()
    elapsed = (time.perf_counter() - begin) * 1e3
    assert len(points) == SERIES
    return elapsed


def plain_insert(folder: Path, count: int) -> float:
    """What a first attempt does: a table with text columns, a transaction a reading (µs of CPU)."""
    path = folder / f"plain-{time.monotonic_ns()}.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE readings(time TEXT, station TEXT, property TEXT, value REAL)")

    def insert() -> None:
        for i in range(count):
            when = datetime.fromtimestamp(START_US / 1e6 + i, UTC).isoformat()
            connection.execute("INSERT INTO readings VALUES(?, ?, ?, ?)", (when, "station", "property", i))
            connection.commit()

    elapsed = cpu_us(insert, count)
    connection.close()
    return elapsed


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


if __name__ == "__main__":
    run(measure)
