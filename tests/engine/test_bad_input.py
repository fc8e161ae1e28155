"""Bad input is normal input: a flag, a rejection with its reason, or a configuration fault with its remedy.

Never an exception in the loop, never silence, and never a change of what another station is told.
"""

from datetime import datetime

import numpy as np
import pytest
from engine_city import MIN, T0, catalogue, readings, registry
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.catchments import Catchment, Catchments
from alerts.engine import Engine
from alerts.errors import AlertsConfigError
from alerts.event import from_row
from alerts.flagging import Flagging
from alerts.kernels.kernels import Kernels
from alerts.rules import load_rules, parse_rules
from devices.errors import RegistryError
from devices.registry import load_registry
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

DEPTH, COUNTER, LEVEL = "precipitation", "precipitation_total", "water_level"
GOOD, SUSPECT, FAIL, MISSING = 1, 3, 4, 9
CITY = [
    Series("regen", DEPTH, "", "0000000000000001"),
    Series("kanne", COUNTER, "", "0000000000000002"),
    Series("pegel", LEVEL, "", "0000000000000003"),
    Series("park", "parking_occupied", "", "0000000000000004"),
    Series("zaehler", "vehicle_count", "in", "0000000000000005"),
    Series("wetter", "air_temperature", "", "0000000000000006"),
]
MARKS = {"stages_cm": (50.0, 100.0)}
DAY = 1440


class City:
    """The whole engine over a journal, by hand."""

    def __init__(self, journal, rules=None):
        self.journal = journal
        self.now = T0
        self.registry = registry(CITY, **MARKS)
        self.rules = parse_rules({"rule": rules}, "rules.toml") if rules else load_rules()
        self.engine = Engine(journal, self.rules, lambda: self.registry, lambda: self.now, checkpoint_s=0)

    def put(self, series, time_us, value, quality=1):
        each = CITY[series]
        raw = Uplink("ns", each.dev_eui, 1, 0, "", b"", time_us, self.now, time_us, TimeSource.PAYLOAD)
        self.journal.append([Accepted(raw, (Measured(each, time_us, value, quality),), ())])
        while self.engine.run_once():
            pass

    def feed(self, series, begin, values):
        """Five minutes apart, on time."""
        for step, value in enumerate(values):
            self.now = T0 + (begin + 5 * step) * MIN
            self.put(series, self.now, value)

    def flags(self):
        """What the store gets."""
        judge = Flagging(self.rules, lambda: self.registry, {}, lambda: self.now)
        _, found = self.journal.read(0, 10_000)
        return judge.flags(self.journal.series(), found).tolist()

    def events(self, *kinds):
        found = [from_row(row) for _, row in self.journal.events(0, 10_000)]
        return [
            (e.kind, e.station, e.level)
            for e in found
            if (not kinds or e.kind in kinds) and not e.measure.endswith("_expected")
        ]


@pytest.fixture
def city(journal):
    city = City(journal)
    yield city
    assert city.engine.health.ok
    assert city.engine.stats.skipped == 0


def test_a_clock_far_ahead_is_counted_and_changes_nothing(city):
    city.feed(2, 0, [20.0, 20.0])
    city.put(2, city.now + 400 * DAY * MIN, 300.0)
    assert city.engine.stats.ahead == 1
    assert city.events() == []
    city.feed(2, 10, [20.0, 60.0])
    assert city.events() == [("crossing", "pegel", 1), ("raise", "pegel", 1)]


def test_a_clock_far_back_changes_nothing_of_what_is_in_force(city):
    city.feed(2, 0, [20.0, 60.0])
    before = city.events()
    city.put(2, 1_420_070_400_000_000, 20.0)  # 2015
    city.put(2, 0, 20.0)
    city.put(2, -1, 20.0)
    assert city.events() == before
    city.feed(2, 10, [60.0, 110.0])
    assert ("escalate", "pegel", 2) in city.events()


def test_rain_that_comes_from_far_back_is_counted_and_is_no_rain_of_now(city):
    city.feed(0, 0, [0.0] * 40)
    city.put(0, 1_420_070_400_000_000, 30.0)
    assert city.engine.stats.too_late == 1
    assert city.events() == []


def test_the_hour_of_the_clock_change_is_two_hours_in_utc(city):
    """In Berlin 02:00 to 03:00 comes twice; a rise across it has its true rate."""
    hours = ["2026-10-25T02:30:00+02:00", "2026-10-25T02:50:00+02:00", "2026-10-25T02:10:00+01:00"]
    for time, value in zip(hours, (20.0, 40.0, 60.0), strict=True):
        city.now = round(datetime.fromisoformat(time).timestamp()) * 1_000_000
        city.put(2, city.now, value)
    assert city.flags() == [GOOD] * 3
    assert city.events() == [("crossing", "pegel", 1), ("raise", "pegel", 1)]


def test_two_stamps_a_second_apart_make_no_rate(city):
    city.feed(2, 0, [20.0, 20.0])
    city.put(2, city.now + 1_000_000, 45.0)  # 1500 cm/min, were it one
    city.put(2, city.now + 2_000_000, 20.0)
    assert city.flags() == [GOOD] * 4
    assert city.events() == []


def test_negative_rain_fails(city):
    city.feed(0, 0, [0.2, -0.2, 0.2])
    assert city.flags() == [GOOD, FAIL, GOOD]
    assert city.engine.stats.implausible == 1


def test_a_counter_that_runs_backwards_is_no_rain(city):
    city.feed(1, 0, [500.0, 500.2, 480.0, 500.4])
    assert city.engine.stats.implausible == 1
    assert city.events("raise") == []
    # and one that was exchanged goes on from where it now stands
    city.feed(1, 20, [3.0, 3.2, 3.4, 33.4])
    assert city.engine.stats.counter_breaks == 1
    assert city.events("raise") == [("raise", "kanne", 3), ("raise", "kanne", 2)]  # Starkregen, Dauerregen


def test_1706_mm_in_five_minutes_fail_and_staff_hear_of_it(city):
    city.feed(0, 0, [0.0, 1706.0, 0.0])
    assert city.flags() == [GOOD, FAIL, GOOD]
    assert city.events() == [("unverified", "regen", 4)]


def test_a_counter_that_leaps_by_1706_mm_raises_nothing(city):
    city.feed(1, 0, [10.0, 10.0, 1716.0, 10.2])
    assert city.engine.stats.implausible == 1
    assert city.events("raise", "escalate") == []


def test_a_level_in_the_blind_range_of_its_sensor_fails_and_staff_hear_of_it(journal):
    rules = [
        {"id": "level", "kind": "water_level"},
        # the sensor hangs at 340 cm and is blind for 30
        {"id": "blind", "kind": "quality", "properties": LEVEL, "stations": "pegel", "gross_max": 310.0},
    ]
    city = City(journal, rules)
    city.feed(2, 0, [20.0, 325.0, 20.0])
    assert city.flags() == [GOOD, FAIL, GOOD]
    assert city.events("unverified") == [("unverified", "pegel", 2)]
    assert city.events("raise") == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_what_is_no_number_is_missing(city, value):
    for series in range(len(CITY)):
        city.feed(series, 0, [value])
    judged = [city.flags()[number] for number, each in enumerate(CITY) if each.property in {DEPTH, LEVEL}]
    assert judged == [MISSING] * 2
    assert city.events() == []


@pytest.mark.parametrize(
    ("rule", "key", "problem", "remedy"),
    [
        ({"kind": "water_level", "stages_cm": [80, 50]}, "stages_cm", "must rise", "docs/rules.md"),
        ({"kind": "water_level", "stages_cm": [50, 50]}, "stages_cm", "must rise", "docs/rules.md"),
        ({"kind": "water_level", "stages_cm": [1, 2, 3, 4, 5]}, "stages_cm", "at most 4", "docs/rules.md"),
        ({"kind": "water_level", "stages_cm": [float("nan")]}, "stages_cm", "finite", "docs/rules.md"),
        ({"kind": "water_levle"}, "kind", "unknown kind", "water_level"),
        (
            {"kind": "quality", "properties": LEVEL, "gross_min": 9, "gross_max": 1},
            "",
            "below",
            "docs/rules.md",
        ),
    ],
)
def test_a_rule_that_cannot_be_is_a_fault_with_its_remedy(rule, key, problem, remedy):
    with pytest.raises(AlertsConfigError) as error:
        parse_rules({"rule": [{"id": "r", **rule}]}, "rules.toml")
    assert [each for each in error.value.faults if remedy in each.remedy and problem in each.problem]
    assert all(each.key.startswith("rule 1 (r)") and each.remedy for each in error.value.faults)
    assert any(key in each.key or key in each.problem for each in error.value.faults)


def test_a_rule_that_names_an_unknown_station_is_a_fault_that_names_the_nearest():
    rules = parse_rules({"rule": [{"id": "r", "kind": "dwd_rain", "stations": ["regne"]}]}, "rules.toml")
    (fault,) = (each for each in rules.check(registry(CITY)) if "unknown" in each.problem)
    assert (fault.key, fault.remedy) == ("rule 1 (r).stations", "did you mean regen?")


def test_marks_of_a_station_in_the_wrong_order_are_a_fault_with_their_remedy():
    row = {"station": "pegel", "stages_cm": [80, 50]}
    with pytest.raises(RegistryError) as error:
        load_registry(None, [row], types_optional=True)
    assert any("stages_cm" in each.key and each.remedy for each in error.value.faults)


# arbitrary readings

ANY_TIME = st.one_of(
    st.integers(0, 600).map(lambda minute: T0 + minute * MIN),
    st.integers(T0, T0 + 3_000_000),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.sampled_from([0, -1, 1, -(1 << 63), (1 << 63) - 1, 1 << 62, -(1 << 62)]),
)
ANY_VALUE = st.one_of(
    st.floats(width=64),
    st.floats(-10, 400),
    st.sampled_from([1706.0, -1706.0, 1e12, -1e12, 1e308, -0.0, 2.0**63]),
)
BAD = st.lists(
    st.tuples(st.integers(0, len(CITY) - 1), ANY_TIME, ANY_VALUE, st.sampled_from([0, 1, 2, 3, 4, 9, 255])),
    max_size=30,
)
FINE = [Series("still", LEVEL, "", "00000000000000aa"), Series("nass", DEPTH, "", "00000000000000ab")]
# what a catchment's stations say together is one incident
APART = Catchments("c", (Catchment(id="apart", stations=("still", "nass")),))
STREAM = [
    row
    for i in range(30)
    for row in (
        (0, T0 + 5 * i * MIN, 20.0 + 40 * (8 < i < 20)),
        (1, T0 + 5 * i * MIN, 4.0 * (3 < i < 15)),
    )
]


def mixed(bad, cuts):
    """The good stream with bad readings between, as arrays in some parts."""
    rows = [(len(CITY) + series, time, value, 1) for series, time, value in STREAM]
    for place, each in zip(cuts, bad, strict=False):
        rows.insert(min(place, len(rows)), each)
    found = readings(*((series, time, value) for series, time, value, _ in rows))
    found["quality"] = [quality for *_, quality in rows]
    return found


def of_the_good(found):
    return [e for e in found if e.station in {"still", "nass"}]


@settings(max_examples=100, deadline=None)
@given(BAD, st.lists(st.integers(0, 60), min_size=30, max_size=30), st.integers(1, 9))
def test_arbitrary_readings_raise_nothing_and_change_no_other_station(bad, cuts, parts):
    types = catalogue(COUNTER)
    everyone = [*CITY, *FINE]
    city = registry(everyone, **MARKS)
    rules = load_rules()
    it = Kernels(rules, city, types, everyone, catchments=APART)
    alone = Kernels(rules, city, types, everyone, catchments=APART)
    with np.errstate(all="raise", under="ignore"):
        rows = mixed(bad, cuts)
        mine = [e for part in np.array_split(rows, parts) for e in it.step(part)]
        good = rows[rows["series"] >= len(CITY)]
        expected = alone.step(good)
        assert of_the_good(mine) == expected
        assert expected
        for minute in (150, 200, 1000):
            now = T0 + minute * MIN
            one, other = ([e.id for e in of_the_good(each.tick(now))] for each in (it, alone))
            assert one == other
        again = Kernels(rules, city, types, everyone, it.pages(), catchments=APART)
        assert [e.id for e in again.tick(T0 + 2000 * MIN)] == [e.id for e in it.tick(T0 + 2000 * MIN)]


@settings(max_examples=20, deadline=None)
@given(BAD, st.integers(-(1 << 50), 1 << 55))
@example([(5, T0, 1.0, 1)], -1)
def test_arbitrary_readings_and_clocks_never_stop_the_loop(tmp_path_factory, bad, now):
    journal = SqliteJournal(tmp_path_factory.mktemp("j") / "journal.db")
    try:
        city = City(journal)
        city.now = now
        for series, time, value, quality in bad:
            city.put(series, time, value, quality)
        stats = city.engine.stats
        assert stats.skipped == 0
        assert city.engine.health.ok
        assert city.engine.cursor == len(bad)
        assert city.engine.run_once() == 0
    finally:
        journal.close()


def test_what_a_logger_sends_hours_later_is_stored_and_alerts_nobody(city):
    city.feed(2, 0, [20.0, 20.0])
    city.now = T0 + 300 * MIN
    for step in range(4):  # up to four hours old
        city.put(2, T0 + (30 + 10 * step) * MIN, 60.0 + 60.0 * step)
    told = [from_row(row) for _, row in city.journal.events(0, 10_000)]
    assert [each.audience for each in told if each.audience] == []
    assert len(city.flags()) == 6
