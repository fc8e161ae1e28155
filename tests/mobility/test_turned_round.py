"""Counters that know one direction, and are turned round in the device list."""

from dataclasses import replace

import pytest
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
