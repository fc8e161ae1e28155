"""A history gives the events that the service would have given."""

import numpy as np
from histories import rain_rows, reference
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.backtest.backtest import backtest, settle, spacing_of, with_missing_rows
from alerts.engine import Engine
from alerts.event import from_row
from alerts.kernels.kernels import Kernels
from alerts.rules import load_rules
from devices.registry import load_registry
from ingest.journal import Accepted
from ingest.reading import READING, Measured
from ingest.readings_csv import read_time
from ingest.sorted_spool import SortedSpool
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

MIN = 60_000_000
T0 = 1_750_000_200_000_000  # a multiple of five minutes
KEYS = [("a", "precipitation"), ("b", "precipitation"), ("c", "water_level")]
CITY = [
    {"station": "a", "interval_s": 300},
    {"station": "b", "interval_s": 600},
    {"station": "c", "stages_cm": [20, 30, 40]},
]


def array(rows):
    return np.array([(seq, s, 2, time, value) for seq, (s, time, value) in enumerate(rows, 1)], READING)


def judged(parts, batch, keys=KEYS, tables=CITY):
    """Events of parts of a history that are read by batches of some size."""
    with SortedSpool() as spool:
        for part in parts:
            spool.add(part)
        rank = list(range(len(keys)))
        interval = spacing_of(spool.batches(rank, batch), len(keys)).interval_us
        registry, series = settle(load_registry(None, tables, types_optional=True), keys, interval, {})
        full = with_missing_rows(spool.batches(rank, batch), series, registry, spool.last_us)
        return list(backtest(load_rules(), registry, series, full))


def test_the_events_are_those_of_the_engine(tmp_path):
    name = "erft_5min_oct2005"
    keys = [(station, "precipitation") for station in sorted(reference(name))]
    tables = [{"station": station, "interval_s": 300} for station, _ in keys]
    number = {station: i for i, (station, _) in enumerate(keys)}
    rows = [(number[row[1]], read_time(row[0]), float(row[3])) for row in rain_rows(name)]
    found = judged([array(rows)], 1 << 18, keys, tables)
    registry, series = settle(load_registry(None, tables, types_optional=True), keys, np.zeros(4, int), {})
    journal = SqliteJournal(tmp_path / "journal.db")
    try:
        for part in range(0, len(rows), 500):
            journal.append([accepted(series[s], time, value) for s, time, value in rows[part : part + 500]])
        engine = Engine(
            journal,
            load_rules(),
            lambda: registry,
            lambda: rows[-1][1],
            max_alert_age_s=30 * 86_400,
        )
        while engine.run_once():
            pass
        live = {event.id: event for event in (from_row(row) for _, row in journal.events(0, 10_000))}
    finally:
        journal.close()
    assert {event.id: event for event in found} == live
    assert len(found) == len(live) > 50


def accepted(series, time_us, value):
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
    return Accepted(raw, (Measured(series, time_us, value, 2),), ())


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.one_of(st.integers(0, 400).map(lambda n: n * 5 * MIN), st.integers(0, 2000 * MIN)),
        st.integers(0, 45).map(float),
    ),
    min_size=1,
    max_size=80,
    unique_by=lambda row: row[:2],
)


@settings(max_examples=120, deadline=None)
@given(ROWS, st.data())
def test_neither_order_nor_chunks_matter(rows, data):
    ordered = array((s, T0 + time, value) for s, time, value in sorted(rows, key=lambda row: row[1]))
    shuffled = array((s, T0 + time, value) for s, time, value in data.draw(st.permutations(rows)))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=5).map(sorted))
    batch = data.draw(st.integers(2, 100))
    assert judged(np.split(shuffled, cuts), batch) == judged([ordered], 1 << 18)


@settings(max_examples=120, deadline=None)
@given(ROWS, st.integers(2, 60))
def test_missing_rows_are_zeros_on_the_gauge_s_own_grid(rows, batch):
    history = array((s, T0 + time, value) for s, time, value in sorted(rows, key=lambda row: row[1]))
    registry, series = settle(
        load_registry(None, CITY, types_optional=True), KEYS, np.zeros(len(KEYS), np.int64), {}
    )
    end = int(history["time_us"].max())
    with SortedSpool() as spool:
        spool.add(history)
        parts = list(with_missing_rows(spool.batches([0, 1, 2], batch), series, registry, end))
    full = np.concatenate(parts)
    assert (np.diff(full["time_us"]) >= 0).all()
    given_rows = {(int(r["series"]), int(r["time_us"])): float(r["value"]) for r in history}
    made = {(int(r["series"]), int(r["time_us"])): float(r["value"]) for r in full}
    assert len(made) == len(full)
    assert given_rows.items() <= made.items()
    for key in made.keys() - given_rows.keys():
        assert made[key] == 0
        assert KEYS[key[0]][1] == "precipitation"
    for s, width in ((0, 5 * MIN), (1, 10 * MIN)):
        mine = np.array([time for number, time in sorted(made) if number == s])
        if len(mine):
            assert (np.diff(mine) < 1.9 * width).all()
            assert end - mine[-1] < width


def silent(found):
    return [(e.station, e.kind, (e.time_us - T0) / MIN, e.audience) for e in found if e.measure == "sensor"]


def test_missing_rows_of_a_level_are_silence_and_those_of_rain_depths_are_none():
    rows = [(0, T0 + 5 * i * MIN, 0.0) for i in range(100) if i not in range(20, 60)]
    rows += [(2, T0 + 5 * i * MIN, 25.0) for i in range(80) if not (10 < i < 14 or 30 < i < 60)]
    expected = [
        ("c", "sensor_stale", 62.5, None),
        ("c", "sensor_back", 70, None),
        ("c", "sensor_stale", 162.5, None),
        ("c", "sensor_lost", 210, "staff"),
        ("c", "sensor_back", 300, None),
        ("c", "sensor_stale", 407.5, None),
        ("c", "sensor_lost", 455, "staff"),
    ]
    for batch in (1, 7, 1 << 18):
        found = judged([array(rows)], batch)
        assert silent(found) == expected
        assert [e.time_us for e in found] == sorted(e.time_us for e in found)
    lost = next(e for e in found if e.kind == "sensor_lost")
    assert lost.id == "c.sensor.20250615T174000Z.lost"
    assert lost.reason.endswith("a warning is in force at this station and stands")


def test_silence_in_a_history_is_what_the_watchdog_would_have_said():
    times = [0, 5, 10, 20, 40, 45, 110, 115, 180, 185, 190, 400, 405]
    rows = [(2, T0 + minute * MIN, 10.0) for minute in times] + [(0, T0 + 500 * MIN, 0.0)]
    found = judged([array(rows)], 1 << 18)
    interval = np.full(len(KEYS), 5 * MIN)
    registry, series = settle(load_registry(None, CITY, types_optional=True), KEYS, interval, {})
    live = Kernels(load_rules(), registry, None, series)
    heard = []
    for minute in range(501):
        heard += live.tick(T0 + minute * MIN)
        heard += live.step(array([row for row in rows if row[1] == T0 + minute * MIN]))
    expected = [e for e in heard if e.measure == "sensor" and e.station == "c"]
    assert [e for e in found if e.measure == "sensor"] == sorted(expected, key=lambda e: e.time_us)
    assert len(expected) > 5
