"""Car parks from single-space sensors and from counters."""

from hypothesis import given
from hypothesis import strategies as st
from mobility_city import MIN, T0, catalogue, machine_of, readings

from ingest.reading import Series

SPACES = [Series("markt", "parking_occupied", "", f"{i:016x}") for i in range(3)]
GATES = [
    Series("loewe", "vehicle_count", "in", "00000000000000a1"),
    Series("loewe", "vehicle_count", "out", "00000000000000a2"),
]


def park(series, *rows, **how):
    machine = machine_of(series, **how)
    machine.step(readings(*((s, T0 + minute * MIN, value) for s, minute, value in rows)))
    (found,) = machine.parking()
    return found


def test_single_spaces_are_summed():
    found = park(SPACES, (0, 0, 1), (1, 1, 0), (2, 2, 1), capacity=3)
    assert (found.station, found.capacity, found.occupied, found.free) == ("markt", 3, 2, 1)
    assert (found.source, found.sensors, found.sensors_heard) == ("spaces", 3, 3)


def test_sensors_that_were_never_heard_are_told_apart():
    found = park(SPACES[:2], (0, 0, 1), types=catalogue("parking_occupied"), type_="sensor")
    assert (found.capacity, found.sensors, found.sensors_heard) == (2, 2, 1)


def test_the_last_change_is_no_repetition():
    found = park(SPACES, (0, 0, 1), (0, 10, 1), (0, 20, 1), capacity=3)
    assert (found.changed_us, found.newest_us) == (T0, T0 + 20 * MIN)
    found = park(SPACES, (0, 0, 1), (0, 10, 0), (0, 20, 0), capacity=3)
    assert found.changed_us == T0 + 10 * MIN


def test_a_late_word_of_a_space_changes_nothing():
    found = park(SPACES, (0, 10, 1), (0, 5, 0), capacity=3)
    assert (found.occupied, found.changed_us) == (1, T0 + 10 * MIN)


def test_counters_at_entrance_and_exit():
    rows = [(0, 0, 100), (1, 0, 50), (0, 10, 130), (1, 10, 60)]
    found = park(GATES, *rows, capacity=87)
    assert (found.source, found.capacity, found.occupied, found.free) == ("counters", 87, 20, 67)
    assert found.changed_us == T0 + 10 * MIN


def test_a_counter_that_was_reset_or_jumps_moves_nobody():
    rows = [(0, 0, 100), (1, 0, 50), (0, 10, 120), (0, 20, 3), (0, 30, 9_000_000), (0, 40, 9_000_002)]
    assert park(GATES, *rows, capacity=87).occupied == 22


def test_a_counter_wraps():
    how = {"types": catalogue("vehicle_count", 65536), "type_": "sensor", "capacity": 87}
    assert park(GATES, (0, 0, 65530), (1, 0, 0), (0, 10, 4), **how).occupied == 10


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 500), st.integers(0, 300)), min_size=1))
def test_occupancy_never_leaves_the_car_park(rows):
    found = park(GATES, *rows, capacity=40)
    assert 0 <= found.occupied <= 40
    assert found.free == 40 - found.occupied


def test_counters_on_a_road_are_no_car_park():
    machine = machine_of(GATES)
    machine.step(readings((0, T0, 5), (1, T0, 5)))
    assert machine.parking() == ()


def test_a_car_park_nobody_has_a_rule_for_is_not_shown():
    rules = [{"id": "p", "kind": "parking", "stations": "other"}]
    machine = machine_of(SPACES, rules=rules, capacity=3)
    machine.step(readings((0, T0, 1)))
    assert machine.parking() == ()
