"""Neighbour consistency of rain gauges: stuck dry, running away; a cloudburst is neither."""

import csv
import gzip

import numpy as np
import pytest
from engine_city import MIN, T0, readings, shared
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.flagging import Flagging
from alerts.kernels.kernels import Kernels
from alerts.kernels.neighbour_test import OK, RUNAWAY, STUCK
from alerts.rules import load_rules
from devices.registry import load_registry
from ingest.reading import Series

HOUR = 60 * MIN
START = T0 - T0 % HOUR


def town(count, property_="precipitation", interval_s=3600):
    """Gauges in a row, a kilometre apart."""
    tables = [
        {
            "dev_eui": f"{i:016x}",
            "type": "gauge",
            "station": f"g{i}",
            "interval_s": interval_s,
            "lat": 51.0 + i * 0.009,
            "lon": 7.1,
        }
        for i in range(count)
    ]
    series = [Series(f"g{i}", property_, "", f"{i:016x}") for i in range(count)]
    return load_registry(None, tables, types_optional=True), series


def hourly(amounts):
    """Rows (hours, gauges) of mm as readings at the end of each hour."""
    return readings(
        *(
            (gauge, START + (hour + 1) * HOUR, mm)
            for hour, row in enumerate(amounts)
            for gauge, mm in enumerate(row)
        )
    )


def kernels_of(count, property_="precipitation"):
    registry, series = town(count, property_)
    return Kernels(load_rules(), registry, series=series)


def verdicts(machine, count):
    return machine._neighbours.tables[0].rows["verdict"][:count].tolist()


def day(rain, odd, hours=26):
    """Five gauges with the same rain, and one with its own."""
    return [[rain(hour)] * 5 + [odd(hour)] for hour in range(hours)]


def test_a_gauge_that_stays_dry_while_all_around_it_rains_is_stuck():
    machine = kernels_of(6)
    found = machine.step(hourly(day(lambda _: 2.0, lambda _: 0.0)))
    assert verdicts(machine, 6) == [OK] * 5 + [STUCK]
    (event,) = [each for each in found if each.reason.startswith("dry in 24 hours")]
    assert (event.kind, event.station, event.audience, event.level) == ("unverified", "g5", None, 0)


def test_what_a_stuck_gauge_shows_as_dry_is_suspect_and_its_rain_is_believed():
    registry, series = town(6)
    judge = Flagging(load_rules(), lambda: registry, {}, lambda: START + 99 * HOUR)
    flags = judge.flags(series, hourly(day(lambda _: 2.0, lambda hour: 0.0 if hour < 25 else 30.0)))
    of_it = flags.reshape(-1, 6)[:, 5].tolist()
    assert of_it[:19] == [1] * 19
    assert of_it[24] == 3
    assert of_it[25] == 1
    assert set(flags.reshape(-1, 6)[:, :5].ravel().tolist()) == {1}
    # and a cloudburst at it warns
    machine = kernels_of(6)
    found = machine.step(hourly(day(lambda _: 1.0, lambda hour: 0.0 if hour < 25 else 30.0)))
    assert [(e.station, e.level) for e in found if e.kind == "raise" and e.measure == "dwd_starkregen"] == [
        ("g5", 3)
    ]


def test_a_stuck_gauge_is_believed_again_when_it_keeps_up_with_its_neighbours():
    machine = kernels_of(6)
    machine.step(hourly(day(lambda _: 2.0, lambda hour: 0.0 if hour < 26 else 2.0, hours=60)))
    assert verdicts(machine, 6) == [OK] * 6


def test_a_gauge_that_rains_alone_for_hours_runs_away_and_staff_hear_of_a_high_hour():
    machine = kernels_of(6)
    found = machine.step(hourly(day(lambda _: 0.0, lambda _: 10.0, hours=40)))
    assert verdicts(machine, 6) == [OK] * 5 + [RUNAWAY]
    assert [e for e in found if e.kind == "raise"]  # before it was known
    doubts = [e for e in found if "no neighbour had any" in e.reason]
    assert [(e.level, e.audience) for e in doubts] == [(0, None)]
    more = machine.step(readings((5, START + 41 * HOUR, 44.0), (0, START + 42 * HOUR, 0.0)))
    (told,) = [e for e in more if e.kind == "unverified"]
    assert (told.level, told.value, told.audience, told.severity) == (4, 44.0, "staff", "Extreme")


@pytest.mark.parametrize("hours", [1, 2, 5])
def test_a_cloudburst_at_one_gauge_alone_is_never_doubted(hours):
    machine = kernels_of(6)
    found = machine.step(
        hourly(day(lambda _: 0.0, lambda hour: 45.0 if 25 <= hour < 25 + hours else 0.0, 40))
    )
    assert verdicts(machine, 6) == [OK] * 6
    assert any(e.kind == "raise" and e.level == 4 for e in found)


def test_two_neighbours_are_too_few_and_those_that_do_not_report_do_not_count():
    machine = kernels_of(3)
    machine.step(hourly([[2.0, 2.0, 0.0]] * 30))
    assert verdicts(machine, 3) == [OK] * 3
    silent = kernels_of(6)
    rows = [(gauge, START + (hour + 1) * HOUR, 2.0) for hour in range(30) for gauge in (0, 1)]
    rows += [(5, START + (hour + 1) * HOUR, 0.0) for hour in range(30)]
    silent.step(readings(*sorted(rows, key=lambda row: row[1])))
    assert verdicts(silent, 6) == [OK] * 6


def test_a_running_total_that_runs_away_makes_no_rain_when_it_is_believed_again():
    machine = kernels_of(6, "precipitation_total")
    totals = np.zeros(6)
    rows = []
    for hour in range(80):
        totals[5] += 10.0 if hour < 30 else 0.0
        rows.append(totals.tolist())
    machine.step(hourly(rows))
    assert verdicts(machine, 6) == [OK] * 6
    rain_before = machine._rain.rows["head"]["total"][5]
    more = [[0.2 * (i + 1)] * 5 + [totals[5] + 0.2 * (i + 1)] for i in range(3)]
    batch = hourly(more)
    batch["time_us"] += 80 * HOUR
    machine.step(batch)
    assert machine._rain.rows["head"]["total"][5] - rain_before == 600


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.data())
def test_one_batch_equals_any_split_and_a_restart(seed, data):
    random = np.random.default_rng(seed)
    wet = random.random(40) < 0.5
    factor = random.choice([0.0, 0.0, 1.0, 1.0, 1.0, 8.0], 6)
    amounts = [np.where(wet[hour], random.gamma(1.0, 3.0, 6) * factor, factor > 1) for hour in range(40)]
    batch = hourly(amounts)
    batch = batch[np.argsort(batch["time_us"] + random.integers(-20, 21, len(batch)) * MIN, kind="stable")]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(batch)), max_size=6)))
    registry, series = town(6)
    whole = Kernels(load_rules(), registry, series=series)
    expected = whole.step(batch)
    found, pages, machine = [], {}, Kernels(load_rules(), registry, series=series)
    for part in np.split(batch, cuts):
        found += machine.step(part)
        pages |= machine.pages()
        machine.durable()
        machine = Kernels(load_rules(), registry, series=series, state=dict(pages))
    assert found == expected
    assert verdicts(machine, 6) == verdicts(whole, 6)


def test_amsterdam_the_broken_gauges_are_found_and_no_other_for_long():
    with gzip.open(shared("rain/ams_pws_5min_2016-06.csv.gz"), "rt") as file:
        head, *rows = csv.reader(file)
    with shared("rain/AMS_PWS_meta.csv").open() as file:
        where = {row["ID"]: row for row in csv.DictReader(file)}
    tables = [
        {
            "dev_eui": f"{i:016x}",
            "type": "gauge",
            "station": name,
            "interval_s": 300,
            "lat": float(where[name]["lat"]),
            "lon": float(where[name]["lon"]),
        }
        for i, name in enumerate(head[1:])
    ]
    series = [Series(name, "precipitation", "", f"{i:016x}") for i, name in enumerate(head[1:])]
    batch = readings(
        *(
            (i, us_of(row[0]), float(value))
            for row in rows
            for i, value in enumerate(row[1:])
            if value not in {"", "NA", "NaN"}
        )
    )
    machine = Kernels(load_rules(), load_registry(None, tables, types_optional=True), series=series)
    hours: dict[str, list[int]] = {}
    for part in np.split(batch, np.flatnonzero(np.diff(batch["time_us"] // HOUR)) + 1):
        machine.step(part)
        for i, verdict in enumerate(verdicts(machine, len(series))):
            if verdict:
                hours.setdefault(series[i].station, []).append(verdict)
    # ams11 and ams83 show 0 mm in a week in which their neighbours had some 50 mm, ams105 has 23.8 m
    assert {name for name, found in hours.items() if len(found) > 100} == {"ams11", "ams83", "ams105"}
    assert set(hours["ams105"]) == {RUNAWAY}
    assert sum(len(found) for found in hours.values()) < 600
    assert [name for name, found in hours.items() if RUNAWAY in found] == ["ams105"]


def us_of(text):
    return round(np.datetime64(text).astype("datetime64[us]").astype(np.int64))
