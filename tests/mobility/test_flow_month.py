"""Flow over sixteen simulated days of two streets: lost, late and repeated uplinks, jams, a closed road."""

import numpy as np
import pytest
from flow_town import CALENDAR

from alerts.mobility.machine import Machine
from alerts.mobility.roads import Streets
from alerts.mobility.segments import Street
from alerts.rules import load_rules
from devices.catalogue import load_catalogue
from devices.simulator.mobility.month import month
from devices.simulator.mobility.town import CLOSED, STREETS
from ingest.reading import READING, Series

RADAR = "strasse-muelheim"
LINE = ((7.13, 50.99), (7.14, 50.98))
MIN_US = 60_000_000


@pytest.fixture(scope="module")
def days():
    roads = tuple(each for each in STREETS if each.station in {RADAR, CLOSED})
    return month(2, 16, streets=roads, lots=())


@pytest.fixture(scope="module")
def congestions(days):
    """The last word on each congestion, by id."""
    segments = tuple(
        Street(
            f"{station}-{channel}", "a street", LINE, (station,), (channel,), 49 if station == RADAR else None
        )
        for station in (RADAR, CLOSED)
        for channel in ("ltr", "rtl")
    )
    series = [Series(*stream) for stream in days.streams]
    machine = Machine(
        load_rules(), days.registry, load_catalogue(), series, streets=Streets(CALENDAR, segments)
    )
    readings = np.zeros(len(days.reports), READING)
    readings["seq"], readings["quality"] = np.arange(len(readings)), 1
    for name, of in (("series", "stream"), ("time_us", "time_us"), ("value", "value")):
        readings[name] = days.reports[of]
    found = {}
    for part in np.array_split(readings, len(readings) // 4096 + 1):
        found |= {each.id: each for each in machine.step(part).congestions}
    return tuple(found.values())


def times(jams):
    """(channel, begin, end), what is less than half an hour apart taken as one."""
    found = []
    for jam in sorted(jams, key=lambda each: (each.channel, each.begin_us)):
        last = found[-1] if found else None
        if last and last[0] == jam.channel and jam.begin_us - last[2] < 30 * MIN_US:
            last[2] = max(last[2], jam.end_us)
        else:
            found.append([jam.channel, jam.begin_us, jam.end_us])
    return found


def test_every_jam_of_a_street_with_speeds_is_found_and_nothing_else(days, congestions):
    jams = times(jam for jam in days.jams if jam.station == RADAR)
    mine = [each for each in congestions if each.segment.startswith(RADAR)]
    assert len(mine) == len(jams) >= 2
    for channel, begin_us, end_us in jams:
        (found,) = (
            each
            for each in mine
            if each.segment == f"{RADAR}-{channel}" and each.begin_us < end_us and each.end_us > begin_us
        )
        assert abs(found.begin_us - begin_us) <= 20 * MIN_US
        assert abs(found.end_us - end_us) <= 20 * MIN_US


def test_a_closed_road_that_has_only_counts_is_never_called_congested(days, congestions):
    assert [each.station for each in days.closures] == [CLOSED]
    assert [each for each in congestions if each.segment.startswith(CLOSED)] == []
