"""The past of the demo's city: what the reader has of it, and that the city goes on from there."""

import math
import shutil
import time
from collections import defaultdict
from itertools import pairwise

import pytest
from simulated_messages import MINUTE_US, START_US

from alerts.mobility.counted import Site
from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import PART
from devices.simulator.behaviour import BEHAVIOURS
from devices.simulator.parked import Garage, Space
from devices.simulator.passing import Lane, Passings
from devices.simulator.simulator import Simulator
from ingest.sqlite_journal import SqliteJournal
from stadtfunk import demo, demo_past
from stadtfunk.criteria import criteria_of
from stadtfunk.demo_past import Order, WithPast, accepted, make, simulated
from stadtfunk.mobility import reader_of
from stadtfunk.roads import streets_of
from stadtfunk.settings_file import load_settings

DAY_US = 24 * 60 * MINUTE_US
BEGIN_US = START_US - 180 * MINUTE_US
CAR_PARKS = {"parken-loewe", "parken-buchmuehle", "parken-bensberg", "parkhaus-rathaus"}


class City:
    """The demo's city in a folder, as the demo has it before it starts."""

    def __init__(self, folder, catalogue, registry, seed=1, start_us=START_US):
        self.folder = folder
        self.catalogue, self.registry = catalogue, registry
        shutil.copytree(demo.CITY, folder / "city")
        values = {
            "DEMO_CHIRPSTACK": "mqtt://127.0.0.1:1",
            "DEMO_TTS": "mqtt://127.0.0.1:2",
            "DEMO_FOLDER": str(folder),
            "DEMO_PORT": "1",
            "DEMO_TOKEN_SHA256": "0" * 64,
        }
        self.order = Order(str(folder / "city" / "city.toml"), values, seed, start_us)
        self.settings = load_settings(folder / "city" / "city.toml", values)

    def number(self):
        journal = SqliteJournal(self.folder / "journal.db")
        past = simulated(self.order, self.catalogue, self.registry)
        journal.number(list(dict.fromkeys(each.series for row in accepted(past) for each in row.readings)))
        return journal

    def reader(self, journal, file):
        return reader_of(
            self.settings,
            journal,
            file,
            lambda: self.registry,
            self.catalogue,
            criteria_of(self.settings, self.registry, self.catalogue).rules,
            streets_of(self.settings, self.registry, self.catalogue),
            lambda: BEGIN_US,
        )


@pytest.fixture(scope="module")
def city(tmp_path_factory, catalogue, registry):
    """A city that was given its past, and a reader that begins with it."""
    city = City(tmp_path_factory.mktemp("city"), catalogue, registry)
    city.journal = city.number()
    make(city.order)
    file = open_database(city.folder / FILE)
    city.mobility = city.reader(city.journal, file)
    city.mobility.run_once()
    yield city
    file.close()
    city.journal.close()


def test_the_journal_has_the_state_and_none_of_the_uplinks(city):
    assert city.journal.cursor(PART) == 0
    assert city.journal.last_seq() == 0
    assert city.journal.counts().stored == 0
    assert city.journal.load(PART).state
    assert not (city.folder / "past").exists()


def test_every_road_has_a_state_and_what_is_usual(city):
    flow = city.mobility.flow()
    roads = [each for each in flow if each.site.property == "vehicle_count"]
    assert {each.site.station for each in roads} == {
        "verkehr-odenthaler-strasse", "verkehr-schnabelsmuehle", "verkehr-bensberger-strasse",
        "verkehr-muelheimer-strasse", "parkhaus-rathaus",
    }  # fmt: skip
    assert all(each.state != "unknown" for each in roads)
    assert {each.basis for each in roads} == {"speed", "count"}
    assert all(each.typical is not None for each in flow)
    assert [each.state for each in city.mobility.segments()] == ["free", "free"]


def test_every_car_park_knows_what_to_expect(city):
    parks = city.mobility.parking()
    assert {each.station for each in parks} == CAR_PARKS
    for park in parks:
        assert [each.minutes for each in park.expected] == [15, 30, 60]
        for each in park.expected:
            assert 0 <= each.low <= each.free <= each.high <= park.capacity
        assert park.sensors_heard == park.sensors
        assert park.confidence > 0.6


def test_the_history_reaches_back(city):
    site = Site("zaehler-hauptstrasse", "people_count", "ltr")
    days = city.mobility.counts(site, "P1D", 0, START_US, 100)
    whole = [each for each in days if each.end_us <= BEGIN_US]
    assert len(whole) == demo_past.TRAFFIC_DAYS
    # the first count of a running total is what follows from two readings
    assert all(each.completeness > 0.98 and each.count > 100 for each in whole)
    assert all(each.corrected_us is None for each in whole)
    quarters = city.mobility.occupancy("parkhaus-rathaus", "PT15M", 0, START_US, 5000)
    assert len(quarters) > 95 * demo_past.PARKING_DAYS
    assert all(0 <= each.last <= each.most <= 180 for each in quarters)
    assert max(each.most for each in quarters) > 100


def test_counters_at_the_gates_drift_and_are_put_right_at_night(city, simulator):
    corrections = city.mobility.corrections("parkhaus-rathaus", 0, 100)
    at_night = [each for each in corrections if each.reason == "night_minimum"]
    assert len(at_night) >= 5
    assert all(each.before > each.after >= 0 for each in at_night)
    # what is taken off for the exits is now and then a few cars too much
    assert {each.reason for each in corrections} <= {"night_minimum", "below_zero"}
    assert all(-5 <= each.before < 0 for each in corrections if each.reason == "below_zero")
    place = next(each for each in simulator.places(START_US) if each.device.station == "parkhaus-rathaus")
    garage = Garage(1, "parkhaus-rathaus", 180, place.weather)
    quarters = city.mobility.occupancy("parkhaus-rathaus", "PT15M", BEGIN_US - 2 * DAY_US, START_US, 500)
    off = [abs(each.last - garage.occupied(each.end_us)) for each in quarters]
    # a quarter of an hour between two readings, and what the counters missed
    assert sum(off) / len(off) < 8


def test_jams_of_the_past_are_at_rush_hour_and_over(city):
    jams = city.mobility.congestions(0, START_US, 100)
    assert jams
    assert all(each.end_us is not None and each.worst == "jam" for each in jams)
    assert all(30 <= (each.end_us - each.begin_us) / MINUTE_US <= 150 for each in jams)


def test_no_readings_of_the_past_name_anything_but_traffic_and_parking(catalogue, registry):
    order = Order("", {}, 1, START_US)
    names = {
        each.series.property
        for row in accepted(simulated(order, catalogue, registry))
        for each in row.readings
    }
    assert names == {
        "vehicle_count", "vehicle_count_interval", "vehicle_speed", "people_count", "people_count_interval",
        "parking_occupied",
    }  # fmt: skip


def test_the_same_seed_makes_the_same_past(catalogue, registry):
    order = Order("", {}, 1, START_US)
    first, again = (list(simulated(order, catalogue, registry)) for _ in range(2))
    assert first == again
    other = list(simulated(Order("", {}, 2, START_US), catalogue, registry))
    assert [each.values for each in other] != [each.values for each in first]


def test_the_messages_go_on_where_the_past_ends(catalogue, registry, measured):
    """No counter jumps, none says anything twice, and all of them keep their time."""
    order = Order("", {}, 1, START_US)
    last, times = {}, defaultdict(list)
    for row in accepted(simulated(order, catalogue, registry)):
        for each in row.readings:
            assert each.time_us <= BEGIN_US + MINUTE_US
            if each.series.property in {"vehicle_count", "people_count"}:
                last[each.series.station, each.series.property, each.series.channel] = each.value
                times[each.series.station, each.series.channel].append(each.time_us)
    for (station, name, channel), value in last.items():
        live = [(at, each.value) for at, each in measured[station, name] if each.channel == channel]
        rise = (live[0][1] - value) % 65536
        assert 0 <= rise < 400
        before = times[station, channel]
        gap = START_US + live[0][0] * MINUTE_US - before[-1]
        assert gap == pytest.approx(15 * MINUTE_US, abs=3e6)
        assert all(b - a == 15 * MINUTE_US for a, b in pairwise(before))


def test_what_the_past_says_is_what_the_devices_would_have_sent(catalogue, registry):
    """The past is told without payloads: what a payload would have said is the same."""
    order = Order("", {}, 1, START_US)
    seen = set()
    for past, row in zip(
        simulated(order, catalogue, registry), accepted(simulated(order, catalogue, registry)), strict=True
    ):
        key = past.device.dev_eui, len(past.values)
        if key in seen:
            continue
        seen.add(key)
        type_ = catalogue[past.device.type]
        # a heartbeat of a parking space carries its temperature
        port = (
            2 if "device_temperature" in past.values and type_.theme == "parking" else BEHAVIOURS[type_.id][0]
        )
        decoded = past.device.derive(type_.decode(port, type_.encode(port, past.values)))
        told = {(each.property, each.channel): each.value for each in decoded}
        for each in row.readings:
            value = told[each.series.property, each.series.channel]
            assert value == each.value or (value is None and math.isnan(each.value))


def test_what_has_passed_does_not_depend_on_when_one_asks(simulator):
    sky = simulator.places(START_US)[0].weather
    lane = Lane("ltr", 5000, "inbound", 0.3, jams=True)
    one, other = (Passings(1, "somewhere", lane, sky, 0.0) for _ in range(2))
    times = [START_US - 9 * DAY_US, START_US, START_US + 50 * MINUTE_US, START_US + 3 * DAY_US]
    backwards = [other.total(each) for each in reversed(times)]
    forwards = [one.total(each) for each in times]
    assert forwards == backwards[::-1]
    assert forwards == sorted(forwards)
    begin, end = START_US + 60 * MINUTE_US, START_US + 75 * MINUTE_US
    assert one.speeds(begin, end).tolist() == other.speeds(begin, end).tolist()
    assert len(one.speeds(begin, end)) == one.total(end) - one.total(begin)


def test_a_space_is_as_its_changes_say(simulator):
    sky = simulator.places(START_US)[0].weather
    space, asked = Space(1, "00005eef10000010", sky), Space(1, "00005eef10000010", sky)
    changes = space.changes(START_US)
    some = [next(changes) for _ in range(60)]
    assert [state for _, state in some] == [(some[0][1] + n) % 2 for n in range(60)]
    for at, state in some:
        assert asked.occupied(at) == state == 1 - asked.occupied(at - 1)


def test_a_garage_never_holds_more_than_it_has_and_none_at_night(simulator):
    sky = simulator.places(START_US)[0].weather
    garage = Garage(1, "small", 20, sky)
    midnight = START_US // DAY_US * DAY_US - 2 * 60 * MINUTE_US  # of summer time
    held = [garage.occupied(midnight + n * 5 * MINUTE_US) for n in range(2 * 288)]
    assert max(held) == 20
    assert min(held) == 0
    assert held[: 5 * 12] == [0] * 60


class Waited:
    """A part that notes when it starts and stops."""

    def __init__(self):
        self.done = []

    def start(self):
        self.done.append("start")

    def stop(self):
        self.done.append("stop")


def test_a_part_starts_without_a_past_when_none_can_be_made(tmp_path, catalogue, registry):
    city = City(tmp_path, catalogue, registry)
    (tmp_path / "city" / "city.toml").unlink()
    part = Waited()
    late = WithPast(part, city.order)
    late.start()
    until = time.monotonic() + 60
    while not part.done and time.monotonic() < until:
        time.sleep(0.05)
    late.stop()
    assert part.done == ["start", "stop"]


def test_a_part_that_is_stopped_before_its_past_is_there_never_starts(tmp_path, catalogue, registry):
    city = City(tmp_path, catalogue, registry)
    city.number().close()
    part = Waited()
    late = WithPast(part, city.order)
    late.start()
    late.stop()
    assert part.done == ["stop"]
    assert not (tmp_path / "past").exists()


@pytest.mark.parametrize(
    "start_us",
    [
        0,
        1_793_019_600_000_000,  # 2026-10-26, the day after one of 25 hours
        1_774_868_400_000_000,  # 2026-03-30, the day after one of 23 hours
    ],
)
def test_counters_run_through_any_night(catalogue, registry, start_us):
    sky = Simulator(catalogue, registry).places(start_us)[0].weather
    street = Passings(1, "somewhere", Lane("rtl", 5000, "outbound", 0.3), sky, 0.0)
    times = [start_us + hours * 60 * MINUTE_US for hours in range(-72, 24)]
    totals = [street.total(each) for each in times]
    assert totals == sorted(totals)
    assert 6_000 < totals[-1] - totals[0] < 25_000
    garage = Garage(1, "somewhere", 50, sky)
    assert all(0 <= garage.occupied(each) <= 50 for each in times)
    assert [garage.counted("in", each) for each in times] == sorted(
        garage.counted("in", each) for each in times
    )
