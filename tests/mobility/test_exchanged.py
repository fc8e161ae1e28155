"""Devices that are exchanged: another one counts at the same place from now on."""

import pytest
from mobility_city import MIN, T0, readings, rules_of

from alerts.mobility.machine import Machine
from devices.catalogue import load_catalogue
from devices.registry import InstalledDevice, Registry, Station
from ingest.reading import Series

OLD, NEW, EXIT = "00000000000000a1", "00000000000000a2", "00000000000000a3"
SERIES = [
    Series("loewe", "vehicle_count", way, eui) for eui, way in ((OLD, "in"), (EXIT, "out"), (NEW, "in"))
]
OLD_IN, EXIT_OUT, NEW_IN = range(3)


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def registry(*installed, type_="nwave-ncc405"):
    devices = {
        eui: InstalledDevice(eui, type_, "loewe", interval_s=300, direction=way) for eui, way in installed
    }
    return Registry(
        devices, {"loewe": Station("loewe", "Löwe", 50.99, 7.13, True, tuple(devices), capacity=60)}
    )


BEFORE, AFTER = registry((OLD, "in"), (EXIT, "out")), registry((NEW, "in"), (EXIT, "out"))


def heard(machine, begin, end, **rising):
    """Every five minutes after `begin` up to `end` the value of each series: its first, and its rise."""
    numbers = {"old": OLD_IN, "exit": EXIT_OUT, "new": NEW_IN}
    rows = [
        (numbers[name], T0 + minute * MIN, float(first + rise * (minute - begin) // 5))
        for minute in range(begin + 5, end + 5, 5)
        for name, (first, rise) in rising.items()
    ]
    return machine.step(readings(*rows))


@pytest.fixture
def exchanged(catalogue):
    """Two hours of the old device; then another one is in the device list, and was not heard yet."""
    machine = Machine(rules_of(), BEFORE, catalogue, SERIES[:2])
    heard(machine, -5, 120, old=(100, 2), exit=(7, 1))
    machine.adopt(machine.plan(AFTER, SERIES[:2]))
    return machine


def traffic(machine):
    return {each.site.channel: each for each in machine.traffic()}


def test_a_site_is_told_while_the_new_device_was_not_heard_yet(exchanged):
    hour = traffic(exchanged)["in"].last_closed(60)
    assert (hour.count, hour.completeness) == (24, 1.0)


def test_a_site_goes_on_with_the_new_device_and_no_number_is_doubled(exchanged):
    exchanged.adopt(exchanged.plan(AFTER, SERIES))
    heard(exchanged, 120, 180, exit=(32, 1), new=(5000, 3))
    found = traffic(exchanged)["in"]
    assert [each.count for each in found.counts(5)] == [2] * 24 + [0] + [3] * 11
    assert [each.completeness for each in found.counts(5)] == [1.0] * 24 + [0.0] + [1.0] * 11


def test_a_site_that_nobody_counts_at_any_more_is_no_longer_told(exchanged):
    exchanged.adopt(exchanged.plan(registry((EXIT, "out")), SERIES[:2]))
    assert list(traffic(exchanged)) == ["out"]


def test_a_site_is_not_kept_for_a_device_of_another_kind_or_direction(exchanged):
    for other in (registry((NEW, "out"), (EXIT, "out")), registry((NEW, "in"), type_="bosch-tps110")):
        exchanged.adopt(exchanged.plan(other, SERIES[:2]))
        assert "in" not in traffic(exchanged)


def test_a_car_park_keeps_its_number_while_the_new_gate_was_not_heard_yet(exchanged):
    [park] = exchanged.parking(T0 + 121 * MIN)
    assert (park.source, park.occupied, park.sensors) == ("counters", 24, 2)
    # the exit counts on, which would empty the car park
    heard(exchanged, 120, 160, exit=(32, 1))
    [park] = exchanged.parking(T0 + 160 * MIN)
    assert (park.occupied, park.confidence) == (24, 0.0)
    exchanged.adopt(exchanged.plan(AFTER, SERIES))
    heard(exchanged, 160, 180, exit=(40, 1), new=(5000, 3))
    # twelve have left, nine have come since the new gate was first heard; those in between nobody knows of
    [park] = exchanged.parking(T0 + 180 * MIN)
    assert (park.occupied, park.sensors, park.sensors_heard) == (24 - 12 + 9, 2, 2)
