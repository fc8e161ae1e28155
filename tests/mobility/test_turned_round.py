"""Counters that know one direction, and are turned round in the device list."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobility_city import MIN, T0, readings, rules_of

from alerts.mobility.car_park import HandCount
from alerts.mobility.machine import Machine
from devices.catalogue import load_catalogue
from devices.registry import InstalledDevice, Registry, Station
from ingest.reading import Series

ONE, OTHER = "00000000000000a1", "00000000000000a2"
SERIES = [Series("loewe", "vehicle_count", way, eui) for eui in (ONE, OTHER) for way in ("in", "out")]
ONE_IN, ONE_OUT, OTHER_IN, OTHER_OUT = range(4)


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def registry(ways, type_="nwave-ncc405"):
    devices = {
        eui: InstalledDevice(eui, type_, "loewe", interval_s=300, direction=way) for eui, way in ways.items()
    }
    station = Station("loewe", "Löwe", 50.99, 7.13, True, tuple(ways), capacity=60)
    return Registry(devices, {"loewe": station})


def heard(machine, slots, minutes, rise):
    rows = [(slot, T0 + minute * MIN, 100.0 + rise[slot] * minute) for minute in minutes for slot in slots]
    return machine.step(readings(*rows)).parking.corrections


def test_gates_that_are_exchanged_in_the_list_are_known_and_put_right_again(catalogue):
    machine = Machine(rules_of(), registry({ONE: "in", OTHER: "out"}), catalogue, SERIES)
    heard(machine, (ONE_IN, OTHER_OUT), range(0, 65, 5), {ONE_IN: 1, OTHER_OUT: 0})
    assert machine.parking()[0].occupied == 60
    machine.adopt(machine.plan(registry({ONE: "out", OTHER: "in"}), SERIES))
    corrections = heard(machine, (ONE_OUT, OTHER_IN), range(65, 185, 5), {ONE_OUT: 0, OTHER_IN: 1})
    [park] = machine.parking(T0 + 180 * MIN)
    assert (park.sensors, park.sensors_heard) == (2, 2)
    # put right after the cars that came in a car park that was full
    assert park.occupied == 60
    assert {(each.reason, each.after) for each in corrections} == {("over_capacity", 60)}
    machine.count(HandCount(1, "loewe", T0 + 180 * MIN, 60, "Erika Muster"))
    assert machine.parking(T0 + 180 * MIN)[0].confidence == pytest.approx(1, abs=0.02)
    sites = {each.site.channel: each.last_closed(60) for each in machine.traffic()}
    assert {way: hour.completeness for way, hour in sites.items()} == {"in": 1.0, "out": 1.0}


@pytest.mark.parametrize("direction", ["", "in"])
def test_a_type_that_names_its_directions_has_both_whatever_the_list_says(catalogue, direction):
    whole = [replace(each, dev_eui=ONE, property="people_count") for each in SERIES[:2]]
    machine = Machine(rules_of(), registry({ONE: direction}, "milesight-vs121"), catalogue, whole)
    heard(machine, (0, 1), range(0, 65, 5), {0: 1, 1: 1})
    assert {each.site.channel for each in machine.traffic()} == {"in", "out"}


THERE, BACK = {ONE: "out", OTHER: "in"}, {ONE: "in", OTHER: "out"}


def turned_and_back(catalogue):
    """An hour as it is, and two turned round; thirty cars in an hour pass ONE, six pass OTHER."""
    machine = Machine(rules_of(), registry(BACK), catalogue, SERIES)
    rise = {ONE_IN: 0.5, ONE_OUT: 0.5, OTHER_IN: 0.1, OTHER_OUT: 0.1}
    heard(machine, (ONE_IN, OTHER_OUT), range(0, 65, 5), rise)
    machine.adopt(machine.plan(registry(THERE), SERIES))
    heard(machine, (ONE_OUT, OTHER_IN), range(65, 185, 5), rise)
    machine.adopt(machine.plan(registry(BACK), SERIES))
    return machine, rise


def test_what_passed_while_a_counter_was_turned_round_is_counted_once(catalogue):
    machine, rise = turned_and_back(catalogue)
    heard(machine, (ONE_IN, OTHER_OUT), range(185, 245, 5), rise)
    counts = {each.site.channel: [c.count for c in each.counts(5)] for each in machine.traffic()}
    passed = {way: sum(counts[way]) for way in counts}
    # of 120 and 24 in four hours those of the ten minutes in which they were turned nobody counts
    assert passed["in"] + passed["out"] == pytest.approx(144 * 230 / 240, abs=2)
    assert passed == {"in": pytest.approx(60 + 12, abs=7), "out": pytest.approx(60 + 12, abs=7)}
    assert max(counts["in"] + counts["out"]) <= 3


def test_a_car_park_goes_on_from_its_number_when_a_gate_is_turned_back(catalogue):
    machine, rise = turned_and_back(catalogue)
    machine.count(HandCount(1, "loewe", T0 + 180 * MIN, 30, "Erika Muster"))
    [before] = machine.parking(T0 + 181 * MIN)
    assert (before.occupied, before.sensors_heard, before.confidence) == (30, 2, 1.0)
    heard(machine, (ONE_IN, OTHER_OUT), range(185, 215, 5), rise)
    [after] = machine.parking(T0 + 210 * MIN)
    # fifteen came in half an hour, and three left
    assert after.occupied == 42


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(range(4)), st.integers(0, 60), st.integers(0, 40)), min_size=1, max_size=30
    ),
    st.data(),
)
def test_any_split_of_what_turning_counters_say_counts_the_same(catalogue, rows, data):
    batch = readings(*((slot, T0 + 5 * minute * MIN, 100.0 + value) for slot, minute, value in rows))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=5).map(sorted))
    one, other = (Machine(rules_of(), registry(BACK), catalogue, SERIES) for _ in range(2))
    one.step(batch)
    for part in np.split(batch, cuts):
        other.step(part)
    assert one.traffic() == other.traffic()
    assert (one._counts.rows == other._counts.rows).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=2, max_size=40))
def test_nothing_is_counted_twice_however_often_a_counter_is_turned(catalogue, steps):
    total, rows = 1000, []
    for number, (turned, passed) in enumerate(steps):
        total += passed
        rows.append((ONE_OUT if turned else ONE_IN, T0 + 5 * number * MIN, float(total)))
    machine = Machine(rules_of(), registry(BACK), catalogue, SERIES)
    machine.step(readings(*rows))
    counted = sum(each.count for site in machine.traffic() for each in site.five_minutes)
    assert counted == sum(passed for (before, _), (turned, passed) in pairwise(steps) if before == turned)
