"""Flow and congestions out of the readings, through machine and reader: any split, corrections, restarts."""

from datetime import timedelta

import numpy as np
import pytest
from flow_town import CALENDAR, MONDAY, demand, us
from hypothesis import given, settings
from hypothesis import strategies as st
from mobility_city import MIN, T0, readings, registry, rules_of

from alerts.mobility import congestions_db
from alerts.mobility.calendar import QUARTER_US
from alerts.mobility.counted import Site
from alerts.mobility.counts_db import Keep
from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import Mobility
from alerts.mobility.machine import Machine
from alerts.mobility.quarters import way_of
from alerts.mobility.roads import Streets
from alerts.mobility.segments import Street
from alerts.mobility.states import Congestion
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

START = -(-T0 // QUARTER_US) * QUARTER_US
FOR_EVER = 1 << 62
LINE = ((7.13, 50.99), (7.14, 50.98))
EUI = "0000000000000001"
CARS, TRUCKS = "ltr/class1", "ltr/class2"
RADAR = [
    Series("road", "vehicle_count_interval", CARS, EUI),
    Series("road", "vehicle_speed", CARS, EUI),
    Series("road", "vehicle_count_interval", TRUCKS, EUI),
    Series("road", "vehicle_speed", TRUCKS, EUI),
]
LOOP = [Series("loop", "vehicle_count", "in", "0000000000000002")]
STREETS = Streets(
    CALENDAR,
    (
        Street("main", "Main street", LINE, ("road",), ("ltr",), 50.0),
        Street("back", "Back street", LINE, ("road",), ("rtl",)),
    ),
)


def machine(series=RADAR, state=None, streets=STREETS, interval_s=300):
    return Machine(rules_of(), registry(series, interval_s=interval_s), {}, series, state, streets=streets)


def five_minutes(minute, speed, cars=20, trucks=0):
    """What the radar says at a minute."""
    at = START + minute * MIN
    rows = [(0, at, float(cars)), (2, at, float(trucks))]
    return [*rows, *([(1, at, float(speed))] if speed else []), *([(3, at, speed / 2)] if trucks else [])]


def course(*speeds, **how):
    """Five minutes of each speed, from START on."""
    return [row for i, speed in enumerate(speeds, 1) for row in five_minutes(5 * i, speed, **how)]


JAM = [50] * 6 + [12] * 9 + [50] * 12
TOLD = [(25, None, "slow"), (25, None, "jam"), (25, 80, "jam")]
"""A quarter with ten minutes of it is slow: five minutes are beside the truth at either end."""


def told(found):
    return [
        (
            (each.begin_us - START) // MIN,
            None if each.end_us is None else (each.end_us - START) // MIN,
            each.worst,
        )
        for each in found.congestions
    ]


def now(it):
    return {each.id: each.state for each in it.segments()}


def test_a_congestion_begins_and_ends_with_the_speeds():
    it = machine()
    assert told(it.step(readings(*course(*JAM)))) == TOLD
    assert now(it) == {"main": "free", "back": "unknown"}


def test_a_jam_is_told_a_quarter_of_an_hour_after_it_began():
    it = machine()
    rows = course(*JAM)
    heard = [(rows[i][1], it.step(readings(rows[i])).congestions) for i in range(len(rows))]
    first = next(time for time, found in heard if found)
    assert (first - START) / MIN <= 30 + 15


def test_a_direction_on_no_segment_is_a_place_of_its_own():
    it = machine(streets=Streets(CALENDAR, (Street("back", "Back street", LINE, ("road",), ("rtl",), 50.0),)))
    it._roads._flow.rows["free_flow"] = 50
    it._roads._flow.rows["day"] = (START + 2 * 60 * MIN) // (24 * 60 * MIN)
    found = it.step(readings(*course(*JAM)))
    assert told(found) == TOLD
    assert {each.site for each in found.congestions} == {("road", "ltr")}
    assert [each.id for each in it.segments()] == ["back"]


def test_a_quarter_is_judged_when_the_readings_are_an_interval_past_it():
    it = machine()
    it.step(readings(*course(50, 50, 50)))
    assert it.flow() == ()
    it.step(readings(*five_minutes(21, 12)))
    (way,) = it.flow()
    assert (way.site, way.state, way.basis) == (Site("road", "vehicle_count", "ltr"), "free", "speed")
    assert ((way.time_us - START) // MIN, way.count, way.speed_kmh) == (15, 60, 50)


def test_the_classes_of_a_direction_are_added_and_their_speeds_weighted():
    it = machine()
    it.step(readings(*course(40, 40, 40, 40, 40, cars=30, trucks=10)))
    (way,) = it.flow()
    assert (way.count, way.speed_kmh) == (120, pytest.approx(35))


def test_the_way_of_a_channel():
    channels = {"": "", "in": "in", "ltr/class3": "ltr", "class0": "", "line1/rtl/truck": "line1/rtl"}
    assert {each: way_of(Site("s", "vehicle_count", each)).channel for each in channels} == channels


def test_the_first_readings_do_not_look_back_to_the_beginning_of_time():
    assert told(machine().step(readings(*course(12)))) == []


@pytest.mark.parametrize("time", [0, -(10**12), 1])
def test_a_device_whose_clock_stood_at_1970_is_judged_all_the_same(time):
    it = machine()
    assert told(it.step(readings((0, time, 5.0), *course(*JAM)))) == TOLD


def test_silence_ends_a_congestion_when_others_are_still_heard():
    series = [*RADAR, *LOOP]
    it = machine(series)
    loop = [(4, START + m * MIN, float(m)) for m in range(60, 181, 5)]
    rows = sorted([*course(*[12] * 12), *loop], key=lambda row: row[1])
    assert told(it.step(readings(*rows))) == [(-5, None, "jam"), (-5, 60, "jam")]
    assert now(it)["main"] == "unknown"


def test_a_late_correction_teaches_and_does_not_move_the_state():
    series = [*RADAR[:2]]
    rows = [row for row in course(*JAM[:12]) if row[0] < 2]
    late = [(0, START + 20 * MIN, 20.0), (1, START + 20 * MIN, 50.0)]
    it, other = machine(series), machine(series)
    it.step(readings(*[row for row in rows if row[1] != START + 20 * MIN]))
    before = it.flow(), it.segments()
    it.step(readings(*late))
    assert (it.flow(), it.segments()) == before
    other.step(readings(*rows))
    ahead = [(0, START + 66 * MIN, 20.0), (1, START + 66 * MIN, 12.0)]
    it.step(readings(*ahead))
    other.step(readings(*ahead))
    weeks = [each._roads._weeks.rows[: len(each._roads._weeks)].tobytes() for each in (it, other)]
    assert weeks[0] == weeks[1]


def test_counters_alone_learn_a_week_and_tell_a_collapse():
    """Five weeks of ten-minute counters, then a Monday with dense traffic that collapses."""
    street = Street("in", "Into town", LINE, ("loop",))
    it = machine(LOOP, streets=Streets(CALENDAR, (street,)), interval_s=600)
    rows, total = [], 0.0
    day = us(MONDAY)
    for step in range(1, (35 * 24 + 19) * 6):
        at = us(MONDAY - timedelta(weeks=5)) + step * 10 * MIN
        usual = demand(MONDAY + timedelta(microseconds=at - day)) / 1.5
        hour = (at - day) / (60 * MIN)
        total += usual * (1.5 if 16 < hour <= 17 else 0.15 if 17 < hour <= 18 else 1.0)
        rows.append((0, at, float(int(total))))
    found = it.step(readings(*rows))
    (congestion,) = {each.id: each for each in found.congestions}.values()
    assert (congestion.begin_us - day) / (60 * MIN) == pytest.approx(17, abs=0.3)
    assert (congestion.end_us - day) / (60 * MIN) == pytest.approx(18, abs=0.3)
    (way,) = it.flow()
    assert (way.basis, way.state) == ("count", "free")
    assert way.typical[0] <= way.typical[1] <= way.typical[2]


ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.one_of(st.integers(0, 40).map(lambda n: 5 * n), st.integers(0, 200)),
        st.sampled_from([0.0, 12.0, 20.0, 50.0]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.data())
def test_any_split_gives_the_same_congestions_and_state(rows, data):
    batch = readings(*((series, START + minute * MIN, value) for series, minute, value in rows))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=6).map(sorted))
    one, other = machine(), machine()
    together = one.step(batch).congestions
    apart = tuple(each for part in np.split(batch, cuts) for each in other.step(part).congestions)
    assert together == apart
    assert one.pages() == other.pages()
    assert (one.flow(), one.segments()) == (other.flow(), other.segments())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, len(course(*JAM))))
def test_a_restart_goes_on_alike(cut):
    batch = readings(*course(*JAM))
    first = machine()
    before = first.step(batch[:cut]).congestions
    later = machine(state=first.pages())
    assert [*before, *later.step(batch[cut:]).congestions] == list(machine().step(batch).congestions)


def uplink(series, time_us, value):
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
    return Accepted(raw, (Measured(series, time_us, value, 1),), ())


class City:
    """A journal and the readers over it, one after the other."""

    def __init__(self, folder):
        self.journal = SqliteJournal(folder / "journal.db")
        self.folder = folder
        self.now_us = START
        self.file = None

    def reader(self, file=FILE, **how):
        if self.file is not None:
            self.file.close()
        self.file = open_database(self.folder / file)
        city = registry(RADAR)
        clock = lambda: self.now_us  # noqa: E731 - the reader's clock follows the test
        return Mobility(
            self.journal, rules_of(), lambda: city, clock, self.file, streets=STREETS, checkpoint_s=0, **how
        )

    def hear(self, reader, rows):
        self.journal.append([uplink(RADAR[series], time, value) for series, time, value in rows])
        self.now_us = max(time for _, time, _ in rows)
        while reader.run_once():
            pass

    def close(self):
        if self.file is not None:
            self.file.close()
        self.journal.close()


@pytest.fixture
def city(tmp_path):
    made = City(tmp_path)
    yield made
    made.close()


def kept(reader, from_us=0):
    return [
        ((e.begin_us - START) // MIN, e.end_us and (e.end_us - START) // MIN)
        for e in reader.congestions(from_us, FOR_EVER, 9)
    ]


def test_congestions_are_kept_and_told_and_open_ones_survive_a_restart(city):
    heard = []
    first = city.reader()
    leave = first.listen(heard.extend)
    rows = course(*JAM)
    middle = len(course(*JAM[:14]))
    city.hear(first, rows[:middle])
    assert kept(first) == [(25, None)]
    assert [(each.segment, each.end_us) for each in heard] == [("main", None)]
    leave()
    second = city.reader()
    second.listen(heard.extend)
    city.hear(second, rows[middle:])
    assert kept(second) == [(25, 80)]
    assert len({each.id for each in heard}) == 1
    assert second.stats.congestions == 1
    assert kept(second, START + 80 * MIN) == []
    assert kept(second, START + 80 * MIN - 1) == [(25, 80)]
    assert second.streets == STREETS.segments


def test_congestions_can_be_read_page_by_page(tmp_path):
    file = open_database(tmp_path / FILE)
    told = [
        Congestion(f"{street}.{i // 2}", street, i // 2, i // 2 + 5, "jam")
        for i, street in enumerate("ab" * 4)
    ]
    with file.write() as connection:
        congestions_db.write(connection, told[::-1])
    read, after = [], None
    while page := congestions_db.read(file, 5, 3, 2, after):
        assert len(page) <= 2
        read += page
        after = page[-1].begin_us, page[-1].id
    assert read == told[2:6]
    file.close()


def test_a_congestion_goes_when_the_hours_of_its_time_do_and_an_open_one_stays(city):
    day = 24 * 60
    open_ = Congestion("main.open", "main", START - 50 * day * MIN, None, "jam")
    ended = [
        Congestion(f"main.{days}", "main", START - (days * day + 30) * MIN, START - days * day * MIN, "slow")
        for days in (41, 39)
    ]
    for keep, left in ((Keep(), [50, 41, 39]), (Keep(hours=40), [50, 39])):
        reader = city.reader(keep=keep)
        with city.file.write() as connection:
            congestions_db.write(connection, [open_, *ended])
        city.hear(reader, [(0, START, 1.0)])
        found = reader.congestions(0, FOR_EVER, 9)
        assert [round((START - each.begin_us) / MIN / day) for each in found] == left


def test_a_replay_of_the_journal_keeps_the_same_and_tells_nobody(city):
    first = city.reader()
    city.hear(first, course(*JAM))
    live = kept(first), first.congestions(0, FOR_EVER, 9), first.flow(), first.segments()
    heard = []
    city.now_us += 240 * MIN
    again = city.reader("another.db")
    again.listen(heard.extend)
    while again.run_once():
        pass
    assert (kept(again), again.congestions(0, FOR_EVER, 9), again.flow(), again.segments()) == live
    assert heard == []


def test_a_listener_that_fails_costs_nothing(city):
    heard = []
    reader = city.reader()
    reader.listen(lambda _: 1 / 0)
    reader.listen(heard.extend)
    city.hear(reader, course(*JAM))
    assert heard
    assert reader.health.ok
