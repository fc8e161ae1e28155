"""A device reports, but without what it is there for: staff hear of it after some uplinks in a row."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers import wait_for

from alerts.event import from_row
from alerts.watch.required import PART, RequiredWatch
from devices.catalogue import DeviceType
from devices.registry import RegistryFile
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

NOW_US = 1_780_000_000_000_000
MIN_US = 60_000_000
EUI, OTHER, PLAIN = "a84041ffff000001", "a84041ffff000002", "a84041ffff000003"
NAN = float("nan")


def type_(required, after=3):
    return DeviceType(
        id="t", maker="", model="", name_de="", name_en="", theme="rain", interval_s=600, properties=(),
        sha256="", codec=None, required=frozenset(required), required_missing=after,
    )  # fmt: skip


CATALOGUE = {"rain": type_({"precipitation_total", "battery_voltage"}), "patient": type_({"fill_level"}, 5)}
CATALOGUE["free"] = type_(())
DEVICES = [
    {"dev_eui": eui, "type": name, "station": f"s-{name}", "lat": 51.0, "lon": 7.0}
    for eui, name in ((EUI, "rain"), (OTHER, "patient"), (PLAIN, "free"))
]


class Town:
    """A journal, the watch over it, and what staff were told."""

    def __init__(self, file):
        self.registry = RegistryFile(None, DEVICES)
        self.journal = SqliteJournal(file)
        self.minute = 0
        self.rings = 0
        self.watch = self.new()

    def new(self):
        return RequiredWatch(
            self.journal, lambda: self.registry.current, CATALOGUE, lambda: NOW_US, self._ring
        )

    def _ring(self):
        self.rings += 1

    def up(self, eui, *, minutes_ago=60, **values):
        """One uplink with these readings; a minute later than the one before."""
        self.minute += 1
        time_us = NOW_US - minutes_ago * MIN_US + self.minute * 1_000_000
        station = self.registry.current.devices[eui].station
        uplink = Uplink("s", eui, 1, self.minute, "x", b"\1", time_us, time_us, time_us, TimeSource.SERVER)
        readings = tuple(
            Measured(Series(station, name, "", eui), time_us, value, 9 if isnan(value) else 1)
            for name, value in values.items()
        )
        self.journal.append([Accepted(uplink, readings, (self.minute,))])

    def told(self):
        while self.watch.run_once():
            pass
        return [from_row(row) for _, row in self.journal.events(0, 100)]

    def kinds(self):
        return [(each.kind, each.station, each.reference, each.audience) for each in self.told()]


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path / "journal.db")
    yield town
    town.journal.close()


WHOLE = {"precipitation_total": 1.0, "battery_voltage": 3.0}


def test_staff_hear_after_three_uplinks_in_a_row_and_when_it_is_back(town):
    town.up(EUI, **WHOLE)
    for _ in range(2):
        town.up(EUI, air_temperature=20.0, battery_voltage=3.0)
    assert town.kinds() == []
    assert town.watch.away == {}
    town.up(EUI, air_temperature=20.0, battery_voltage=3.0)
    town.up(EUI, air_temperature=20.0, battery_voltage=3.0)
    missing = ("property_missing", "s-rain", "precipitation_total", "staff")
    assert town.kinds() == [missing]
    assert town.rings == 1
    assert town.watch.away == {EUI: "precipitation_total"}
    [event] = town.told()
    assert event.value == 3
    assert event.reason.startswith("precipitation_total missing in 3 uplinks in a row, since 2026")
    town.up(EUI, **WHOLE)
    assert town.kinds() == [missing, ("property_back", "s-rain", "precipitation_total", "staff")]
    assert town.watch.away == {}
    first, second = town.told()
    assert first.episode == second.episode


def test_what_the_device_calls_missing_is_away_and_what_is_out_of_range_is_not(town):
    for value in (NAN, -99.0, NAN, NAN, NAN):
        town.up(EUI, precipitation_total=value, battery_voltage=3.0)
        found = town.kinds()
    assert [kind for kind, *_ in found] == ["property_missing"]


def test_battery_frames_between_the_others_alarm_nobody(town):
    for _ in range(5):
        town.up(EUI, battery_voltage=3.0)
        town.up(EUI, battery_voltage=3.0)
        town.up(EUI, **WHOLE)
    for _ in range(9):
        town.up(EUI)  # a frame without readings
        town.up(PLAIN, air_temperature=1.0)
    assert town.told() == []


def test_each_type_says_how_many(town):
    for _ in range(4):
        town.up(OTHER, battery_voltage=1.0)
    assert town.told() == []
    town.up(OTHER, battery_voltage=1.0)
    assert [each.value for each in town.told()] == [5]


def test_the_past_tells_nobody(town):
    for _ in range(9):
        town.up(EUI, minutes_ago=600, battery_voltage=3.0)
    assert town.told() == []


def test_a_restart_goes_on_counting_and_a_replay_tells_the_same(town):
    for _ in range(2):
        town.up(EUI, battery_voltage=3.0)
    assert town.told() == []
    town.watch = town.new()
    town.up(EUI, battery_voltage=3.0)
    [event] = town.told()
    part = town.journal.load(PART)
    town.journal.commit(PART, part.fence, 0, {"required/state": b"damaged"})
    town.watch = town.new()
    assert town.told() == [event]


def test_a_device_taken_out_of_the_list_is_forgotten(town):
    for _ in range(3):
        town.up(EUI, battery_voltage=3.0)
    assert len(town.told()) == 1
    town.registry = RegistryFile(None, DEVICES[1:])
    town.up(OTHER, fill_level=3.0)
    town.told()
    assert town.watch.away == {}


def test_it_runs_by_itself_and_says_so(town):
    assert not town.watch.health.ok
    town.watch.start()
    try:
        wait_for(lambda: town.watch.health.ok)
        for _ in range(3):
            town.up(EUI, battery_voltage=3.0)
        wait_for(lambda: not town.watch.health.ok)
        assert town.watch.health.detail.startswith(f"s-rain ({EUI}): precipitation_total missing since 2026")
        other = town.new()
        other.run_once()
        town.up(EUI, battery_voltage=3.0)
        wait_for(lambda: "another process" in town.watch.health.detail)
    finally:
        town.watch.stop()


@given(st.lists(st.booleans(), max_size=30), st.lists(st.integers(1, 29), max_size=3))
def test_any_split_into_batches_tells_the_same(tmp_path_factory, there, stops):
    folder = tmp_path_factory.mktemp("split")
    one, many = Town(folder / "one.db"), Town(folder / "many.db")
    for number, whole in enumerate(there):
        for town in (one, many):
            town.up(EUI, **(WHOLE if whole else {"battery_voltage": 3.0}))
        if number in stops:
            many.told()
    assert one.told() == many.told()
    count, expected, told = 0, [], False
    for whole in there:
        count = 0 if whole else count + 1
        if whole and told:
            expected.append("property_back")
            told = False
        if count == 3:
            expected.append("property_missing")
            told = True
    assert [each.kind for each in one.told()] == expected
    one.journal.close()
    many.journal.close()
