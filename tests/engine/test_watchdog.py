"""Stale, lost and back: by each device's own interval, and by a clock that is given."""

from dataclasses import replace

import numpy as np
from engine_city import MIN, T0, kernels, readings, registry
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.engine import Engine
from alerts.event import from_row
from alerts.kernels.kernels import Kernels, run
from alerts.rule_kinds import Watchdog
from alerts.rules import load_rules, parse_rules
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.uplink import TimeSource, Uplink

CITY = [
    Series("regen", "precipitation", "", "0000000000000001"),
    Series("pegel", "water_level", "", "0000000000000002"),
    Series("pegel", "battery_voltage", "", "0000000000000002"),
    Series("pegel", "water_level", "", "0000000000000003"),
]
MARKS = {"stages_cm": (50.0, 100.0)}


def at(*rows):
    return readings(*((series, T0 + minute * MIN, value) for series, minute, value in rows))


def machine(*rows, **how):
    it = kernels(CITY, **{**MARKS, **how})
    it.step(at(*rows))
    return it


def told(found):
    return [(e.kind, (e.time_us - T0) / MIN, e.audience) for e in found]


def ticks(it, *minutes):
    return [event for minute in minutes for event in it.tick(T0 + minute * MIN)]


def test_stale_after_two_and_a_half_intervals_lost_after_an_hour():
    it = machine((1, 0, 20.0))
    assert ticks(it, 12, 12.5) == []
    assert told(ticks(it, 13, 14, 59, 60)) == [("sensor_stale", 12.5, None)]
    assert told(ticks(it, 61, 62, 5000)) == [("sensor_lost", 60, None)]
    (back,) = it.step(at((1, 6000, 20.0)))
    assert (back.kind, back.time_us) == ("sensor_back", T0 + 6000 * MIN)
    assert it.step(at((1, 6005, 20.0))) == []


def test_lost_after_five_intervals_where_these_are_longer():
    it = machine((1, 0, 20.0), interval_s=3600)
    assert told(ticks(it, 10_000)) == [("sensor_stale", 150, None), ("sensor_lost", 300, None)]


def test_ids_follow_the_device_at_its_station_and_the_reading_after_which_it_fell_silent():
    it = machine((1, 0, 20.0), (3, 5, 20.0))
    found = ticks(it, 100)
    assert [e.id for e in found] == [
        "pegel.sensor.20250615T151000Z.stale",
        "pegel.2.sensor.20250615T151500Z.stale",
        "pegel.sensor.20250615T151000Z.lost",
        "pegel.2.sensor.20250615T151500Z.lost",
    ]
    assert not any("000000000000000" in e.id + e.reason for e in found)


def test_any_reading_of_a_device_is_a_sign_of_life_also_a_rejected_one():
    it = machine((1, 0, 20.0))
    it.step(at((2, 50, 3.6), (1, 55, float("nan"))))
    assert ticks(it, 60) == []


def test_a_late_reading_brings_nobody_back():
    it = machine((1, 30, 20.0))
    ticks(it, 100)
    assert it.step(at((1, 20, 20.0))) == []
    assert ticks(it, 101) == []


def test_a_device_never_heard_is_never_lost():
    assert ticks(machine(), 1_000_000) == []


def test_a_device_that_was_taken_down_is_not_missed():
    it = machine((1, 0, 20.0))
    it.arrange(registry(CITY[:1]), CITY)
    assert ticks(it, 1000) == []


def test_while_a_warning_stands_staff_hear_at_once_that_its_sensor_is_lost_and_it_stands():
    it = machine((0, 0, 0.0), (1, 0, 60.0))
    lost = [e for e in ticks(it, 100) if e.kind == "sensor_lost"]
    assert [(e.station, e.audience) for e in lost] == [("pegel", "staff"), ("regen", None)]
    assert it._level.rows["episode"]["level"][0] == 1
    assert it._alarmed() == {"pegel"}


def test_tighter_while_it_rains():
    rain = (0, 0, 0.5)
    assert told(ticks(machine(rain, (1, 0, 20.0)), 7, 8))[0] == ("sensor_stale", 7.5, None)
    dry = machine((0, 0, 0.4), (1, 0, 20.0))
    assert ticks(dry, 7, 8, 12) == []
    old = machine((0, -70, 5.0), (0, -65, 0.0), (1, 0, 20.0), interval_s=300)
    assert {e.station for e in ticks(old, 8)} == {"regen"}


def test_an_outage_of_ours_is_none_of_the_sensors():
    it = machine((1, 0, 20.0))
    assert it.tick(T0 + 500 * MIN, listening_us=T0 + 490 * MIN) == []
    found = it.tick(T0 + 503 * MIN, listening_us=T0 + 490 * MIN)
    assert told(found) == [("sensor_stale", 502.5, None)]


def test_a_citys_own_intervals():
    rules = [{"id": "w", "kind": "watchdog", "stations": "pegel", "stale_intervals": 1, "lost_min": 10}]
    it = machine((0, 0, 0.0), (1, 0, 20.0), rules=rules)
    assert told(ticks(it, 11)) == [("sensor_stale", 5, None)]
    assert parse_rules({"rule": rules}, "r").of(Watchdog, "regen").id == "watchdog"


def test_status_survives_a_restart():
    it = machine((1, 0, 20.0))
    first = ticks(it, 100)
    again = Kernels(load_rules(), registry(CITY, **MARKS), None, CITY, it.pages())
    assert again.tick(T0 + 101 * MIN) == []
    (back,) = again.step(at((1, 105, 20.0)))
    assert back.episode == first[0].episode


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400), st.integers(0, 70).map(float)), min_size=1)


@settings(max_examples=80, deadline=None)
@given(ROWS, st.data())
def test_a_history_gives_the_same_in_any_split(rows, data):
    batch = at(*rows)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8).map(sorted))
    city = registry(CITY, **MARKS)
    one = list(run(load_rules(), city, CITY, [batch]))
    assert one == list(run(load_rules(), city, CITY, np.split(batch, cuts)))
    assert len({e.id for e in one}) == len(one)


def test_in_a_history_event_time_is_the_clock():
    rows = [(0, minute, 0.0) for minute in range(0, 300, 5)]
    rows += [(1, minute, 20.0) for minute in (0, 5, 200)]
    rows.sort(key=lambda row: row[1])
    found = run(load_rules(), registry(CITY, **MARKS), CITY, [at(*rows)])
    assert told(found) == [
        ("sensor_stale", 17.5, None),
        ("sensor_lost", 65, None),
        ("sensor_back", 200, None),
        ("sensor_stale", 212.5, None),
        ("sensor_lost", 260, None),
    ]


def put(journal, series, minute, value):
    time = T0 + minute * MIN
    each = CITY[series]
    raw = Uplink("ns", each.dev_eui, 1, 0, "", b"", time, time, time, TimeSource.SERVER)
    journal.append([Accepted(raw, (Measured(each, time, value, 1),), ())])


def test_the_engine_looks_by_its_clock_once_it_has_caught_up_and_each_event_comes_once(journal):
    now = [T0]
    city = registry(CITY, **MARKS)

    def engine():
        return Engine(journal, load_rules(), lambda: city, lambda: now[0], checkpoint_s=1e9)

    it = engine()
    put(journal, 1, 0, 60.0)
    for minute in (0, 5, 14, 15, 65, 66):
        now[0] = T0 + minute * MIN
        while it.run_once():
            pass
    it = engine()
    for minute in (70, 90, 200):
        now[0] = T0 + minute * MIN
        it.run_once()
    put(journal, 1, 200, 60.0)
    put(journal, 0, 200, 0.0)
    while it.run_once():
        pass
    events = [from_row(row) for _, row in journal.events(0, 100)]
    assert [(e.kind, e.audience) for e in events if e.measure == "sensor"] == [
        ("sensor_stale", None),
        ("sensor_lost", "staff"),
        ("sensor_back", None),
    ]


def test_while_no_network_server_reaches_us_no_sensor_is_silent(journal):
    now, connected = [T0], [True]
    city = registry(CITY, **MARKS)
    it = Engine(
        journal,
        load_rules(),
        lambda: city,
        lambda: now[0],
        checkpoint_s=0,
        hears=lambda: {"ns": connected[0]},
    )

    def until(minute):
        while now[0] < T0 + minute * MIN:
            now[0] += MIN
            it.run_once()
        return [row.kind for _, each in journal.events(0, 100) if (row := from_row(each)).measure == "sensor"]

    put(journal, 1, 0, 60.0)
    it.run_once()
    connected[0] = False
    assert until(300) == []
    connected[0] = True
    assert until(305) == []
    assert until(400) == ["sensor_stale", "sensor_lost"]


def test_a_watchdog_that_fails_stops_no_reading(journal, monkeypatch):
    now = [T0]
    it = Engine(journal, load_rules(), lambda: registry(CITY, **MARKS), lambda: now[0], checkpoint_s=0)
    monkeypatch.setattr(Kernels, "tick", lambda *_: 1 / 0)
    it.run_once()
    now[0] += MIN
    it.run_once()
    put(journal, 1, 0, 60.0)
    it.run_once()
    assert [from_row(row).kind for _, row in journal.events(0, 100)] == ["crossing", "raise"]


def test_an_unwatched_device_is_never_silent():
    """An authority's gauge: its source as a whole is watched, by whoever asks it."""
    known = registry(CITY, **MARKS)
    eui = "0000000000000002"
    known = replace(known, devices={**known.devices, eui: replace(known.devices[eui], watched=False)})
    it = Kernels(load_rules(None), known, {}, CITY)
    it.step(at((0, 0, 0.0), (1, 0, 20.0), (3, 0, 20.0)))
    assert {event.episode.partition(".sensor")[0] for event in ticks(it, 100, 5000)} == {"regen", "pegel.2"}
