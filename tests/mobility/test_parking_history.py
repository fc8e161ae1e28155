"""What mobility.db keeps of car parks: occupancy, corrections, counts by hand; crashes and replays too."""

import threading
import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobility_city import machine_of, readings, registry, rules_of

from alerts.errors import CountRefusedError
from alerts.mobility.car_park import Concluded
from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import PART, Mobility
from alerts.mobility.local_time import LocalTime
from alerts.mobility.occupancy_db import KeepOccupancy, OccupancyDb
from alerts.mobility.states import Occupancy
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

MIN, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
QUARTER = 15 * MIN
BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = 1_750_024_800_000_000  # 2025-06-16T00:00 in Berlin
SUNDAY = 1_761_429_600_000_000  # 2025-10-26T00:00 in Berlin, 25 hours
GATES = [
    Series("loewe", "vehicle_count", "in", "00000000000000a1"),
    Series("loewe", "vehicle_count", "out", "00000000000000a2"),
    Series("markt", "parking_occupied", "", "00000000000000a3"),
]


@pytest.fixture
def file(tmp_path):
    opened = open_database(tmp_path / FILE)
    yield opened
    opened.close()


def quarters(begin_us, count, taken=lambda _: 10, station="loewe"):
    begins = [begin_us + i * QUARTER for i in range(count)]
    return [
        (station, Occupancy(begin, begin + QUARTER, taken(i), taken(i) + 2, taken(i), 50, 1.0))
        for i, begin in enumerate(begins)
    ]


def write(file, history, told):
    with file.write() as connection:
        history.write(connection, Concluded(quarters=told))


def test_an_hour_and_a_day_are_made_of_their_quarters(file):
    history = OccupancyDb(file, LocalTime(BERLIN), KeepOccupancy())
    told = quarters(SUNDAY, 100, lambda i: i % 4)
    # in any order and twice
    write(file, history, told[50:])
    write(file, history, told)
    hours = history.occupancy("loewe", "PT1H", SUNDAY, SUNDAY + DAY * 2, 100)
    assert len(hours) == 25
    assert {(each.mean, each.most, each.last, each.completeness) for each in hours} == {(1.5, 5, 3, 1.0)}
    (day,) = history.occupancy("loewe", "P1D", SUNDAY, SUNDAY + 2 * DAY, 9)
    assert (day.begin_us, day.end_us - day.begin_us, day.completeness) == (SUNDAY, 25 * HOUR, 1.0)
    assert (day.mean, day.most, day.last, day.capacity) == (1.5, 5, 3, 50)


def test_what_is_missing_is_missing_and_weighs_nothing(file):
    history = OccupancyDb(file, LocalTime(BERLIN), KeepOccupancy())
    told = quarters(MIDNIGHT, 4, lambda i: 10 * i)
    told[3] = ("loewe", Occupancy(MIDNIGHT + 3 * QUARTER, MIDNIGHT + HOUR, 30, 30, 30, 50, 0.5))
    write(file, history, told[1:])
    (hour,) = history.occupancy("loewe", "PT1H", MIDNIGHT, MIDNIGHT + HOUR, 9)
    # 10 and 20 in full, 30 by half
    assert (hour.mean, hour.completeness, hour.last) == (18.0, 0.625, 30)
    assert history.occupancy("loewe", "PT15M", MIDNIGHT, MIDNIGHT + HOUR, 2)[0].begin_us == MIDNIGHT + QUARTER
    assert history.occupancy("elsewhere", "PT15M", 0, MIDNIGHT * 2, 9) == ()


def test_one_space_of_thousands_that_is_heard_is_written_down(file):
    spaces = [Series("wiese", "parking_occupied", "", f"{number:016x}") for number in range(2100)]
    words = [(0, MIDNIGHT + minute * MIN, 1.0) for minute in range(1, 90, 10)]
    found = machine_of(spaces).step(readings(*words))
    history = OccupancyDb(file, LocalTime(BERLIN), KeepOccupancy())
    write(file, history, found.parking.quarters)
    (day,) = history.occupancy("wiese", "P1D", MIDNIGHT, MIDNIGHT + DAY, 9)
    assert (day.last, day.capacity) == (2100, 2100)
    assert 0 < history.occupancy("wiese", "PT1H", MIDNIGHT, MIDNIGHT + DAY, 9)[0].completeness < 0.002


def test_each_resolution_is_kept_as_long_as_it_is_set(file):
    keep = KeepOccupancy(quarters=3, hours=5, days=None, corrections=4)
    history = OccupancyDb(file, LocalTime(BERLIN), keep)
    write(file, history, quarters(MIDNIGHT, 96 * 8))
    history.purge(MIDNIGHT + 8 * DAY)
    left = {
        resolution: len(history.occupancy("loewe", resolution, 0, MIDNIGHT * 2, 10_000))
        for resolution in ("PT15M", "PT1H", "P1D")
    }
    assert left == {"PT15M": 96 * 3, "PT1H": 24 * 5, "P1D": 8}


def uplink(number, time_us, value):
    series = GATES[number]
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


def cars(hours, begin=MIDNIGHT, step=10):
    """More come than go: of 20 spaces 26 seem taken in the end."""
    for tenth in range(hours * 6):
        yield (0, begin + tenth * step * MIN, 3 * tenth)
        yield (1, begin + (tenth * step + 5) * MIN, max(3 * tenth - min(tenth, 26), 0))


class Place:
    """A journal, and readers of it over one mobility.db."""

    def __init__(self, folder):
        self.folder = folder
        self.journal = SqliteJournal(folder / "journal.db")
        self.now_us = MIDNIGHT
        self.files = []

    def put(self, *rows):
        self.journal.append([uplink(*row) for row in rows])
        self.now_us = max(self.now_us, *(time_us for _, time_us, _ in rows))

    def reader(self, **how):
        self.files.append(open_database(self.folder / FILE))
        city = registry(GATES, capacity=20, interval_s=600)
        return Mobility(
            self.journal,
            rules_of(),
            lambda: city,
            lambda: self.now_us,
            self.files[-1],
            **{"checkpoint_s": 0, "zone": BERLIN, **how},
        )

    def close(self):
        for each in self.files:
            each.close()
        self.journal.close()


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.close()


def drain(reader):
    while reader.run_once():
        pass
    return reader


def told(reader):
    return (
        reader.parking(),
        reader.corrections(None, 0, 1000),
        *(reader.occupancy("loewe", each, 0, MIDNIGHT * 2, 1000) for each in ("PT15M", "PT1H", "P1D")),
    )


def counting(reader, *given):
    """Count by hand while the reader runs."""
    found = []

    def ask():
        try:
            found.append(reader.count_by_hand(*given))
        except CountRefusedError as refused:
            found.append(refused)

    asking = threading.Thread(target=ask)
    asking.start()
    end = time.monotonic() + 60
    while asking.is_alive():
        assert time.monotonic() < end, "too long"
        reader.run_once()
    asking.join()
    return found[0]


def test_corrections_and_occupancy_can_be_read_back(place):
    place.put(*cars(10))
    reader = drain(place.reader())
    found = reader.corrections("loewe", 0, 100)
    assert {each.reason for each in found} == {"over_capacity"}
    assert [each.time_us for each in found] == sorted((each.time_us for each in found), reverse=True)
    assert found == told(reader)[1]
    first, second = found[:2]
    assert reader.corrections(None, 0, 1, (first.time_us, first.station, first.reason)) == (second,)
    assert reader.corrections("loewe", first.time_us, 100) == (first,)
    assert reader.corrections("markt", 0, 100) == ()
    kept = reader.occupancy("loewe", "PT15M", 0, MIDNIGHT * 2, 1000)
    assert len(kept) >= 36
    assert all(0 <= each.mean <= each.most <= 20 for each in kept)


def test_a_count_by_hand_waits_until_what_had_passed_before_it_is_counted(place):
    place.put(*cars(8))
    reader = place.reader(batch_uplinks=30)
    reader.run_once()
    assert reader.parking()[0].occupied != 4
    assert counting(reader, "loewe", place.now_us, 4, "Erika Muster").after == 4
    drain(reader)
    assert reader.parking()[0].occupied == 4


def test_a_count_by_hand_is_durable_and_the_same_in_a_replay(place):
    place.put(*cars(2))
    reader = drain(place.reader())
    found = counting(reader, "loewe", place.now_us - 20 * MIN, 4, "Erika Muster")
    assert (found.reason, found.after) == ("manual", 4)
    assert reader.corrections("loewe", 0, 10)[0] == found
    place.put(*cars(3, MIDNIGHT + 2 * HOUR))
    drain(reader)
    counting(reader, "loewe", place.now_us, 7, "Max Muster")
    # the reader dies before it commits what follows
    place.put(*cars(2, MIDNIGHT + 5 * HOUR))
    expected = told(drain(place.reader()))
    assert [each.after for each in expected[1] if each.reason == "manual"] == [7, 4]
    from_the_beginning(place.journal)
    assert told(drain(place.reader(batch_uplinks=7))) == expected


def from_the_beginning(journal):
    """The state is lost, mobility.db is not."""
    part = journal.load(PART)
    journal.commit(PART, part.fence, 0, dict.fromkeys(part.state, b""))


@pytest.mark.parametrize(
    ("station", "minutes", "occupied", "reason"),
    [
        ("nowhere", 0, 3, "unknown"),
        ("markt", 0, 1, "source"),
        ("loewe", 0, 21, "capacity"),
        ("loewe", 30, 3, "future"),
        ("loewe", -90, 3, "age"),
    ],
)
def test_a_count_that_cannot_be_is_refused(place, station, minutes, occupied, reason):
    place.put(*cars(3), (2, MIDNIGHT, 1))
    reader = drain(place.reader())
    refused = counting(reader, station, place.now_us + minutes * MIN, occupied, "Erika Muster")
    assert isinstance(refused, CountRefusedError)
    assert refused.reason == reason
    assert not [each for each in reader.corrections(None, 0, 100) if each.reason == "manual"]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=5), st.integers(0, 3))
def test_a_crash_anywhere_changes_nothing(tmp_path_factory, crashes, counts):
    place = Place(tmp_path_factory.mktemp("place"))
    for part in range(4):
        place.put(*cars(1, MIDNIGHT + part * HOUR))
        reader = drain(place.reader())
        if part < counts:
            counting(reader, "loewe", place.now_us, 2 + part, "Erika Muster")
    place.put(*cars(2, MIDNIGHT + 4 * HOUR))
    expected = told(drain(place.reader()))
    # and again, by readers that die
    from_the_beginning(place.journal)
    for size, committed in crashes:
        reader = place.reader(batch_uplinks=size, checkpoint_s=0 if committed else 1e9)
        reader.run_once()
        reader.run_once()
    assert told(drain(place.reader(batch_uplinks=11))) == expected
    place.close()
