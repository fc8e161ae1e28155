"""One truth for each car park: spaces, counters, barriers and mixtures of them."""

import pytest
from car_parks_of_a_town import HOUR, MIDNIGHT, MIN, Town, gates, space
from hypothesis import given
from hypothesis import strategies as st

from ingest.reading import Series

T0 = MIDNIGHT + 12 * HOUR
BARRIER = Series("loewe", "parking_occupancy", "", "00000000000000b1")
BARRIER_FREE = Series("loewe", "parking_free", "", "00000000000000b2")


def at(*rows):
    """Rows (series, minutes, value) from noon on."""
    return [(series, T0 + round(minute * MIN), value) for series, minute, value in rows]


def test_single_spaces_are_summed():
    found = Town([space(i) for i in range(3)], capacity=3).step(*at((0, 0, 1), (1, 1, 0), (2, 2, 1))).only()
    assert (found.station, found.source, found.capacity, found.occupied, found.free) == (
        ("markt", "spaces", 3, 2, 1)
    )
    assert (found.sensors, found.sensors_heard, found.confidence) == (3, 3, 1.0)


def test_a_space_nobody_knows_of_is_taken_as_the_others_are_and_costs_confidence():
    spaces = [space(i) for i in range(4)]
    found = Town(spaces, capacity=4).step(*at((0, 0, 1), (1, 0, 1), (2, 0, 0))).only()
    assert (found.occupied, found.sensors, found.sensors_heard, found.confidence) == (3, 4, 3, 0.75)
    # half an hour later one of them has fallen silent
    town = Town(spaces, capacity=4).step(*at((0, 0, 1), (1, 0, 0), (2, 0, 0), (3, 0, 0)))
    assert town.only().occupied == 1
    town.step(*at((1, 35, 1), (2, 35, 0), (3, 35, 1)))
    found = town.only()
    assert (found.occupied, found.sensors_heard, found.confidence) == (3, 3, 0.75)


def test_of_spaces_that_all_fell_silent_the_last_state_stays_without_confidence():
    town = Town([space(i) for i in range(4)], capacity=4).step(
        *at((0, 0, 1), (1, 0, 1), (2, 0, 1), (3, 0, 0))
    )
    found = town.only(T0 + 31 * MIN)
    assert (found.occupied, found.sensors_heard, found.confidence) == (3, 0, 0.0)


def test_a_space_that_fell_silent_for_ever_costs_completeness_and_is_none_that_is_free():
    spaces = [space(i) for i in range(4)]
    town = Town(spaces, capacity=4).step(*at((0, 0, 0), (1, 0, 1), (2, 0, 1), (3, 0, 1)))
    for tenth in range(1, 13):
        town.step(*at(*((number, 10 * tenth, 1) for number in (1, 2, 3))))
    assert (town.only().free, town.only().sensors_heard, town.only().confidence) == (0, 3, 0.75)
    # for three intervals it has spoken
    seen = [(each.end_us - T0, each.completeness) for _, each in town.quarters]
    assert seen[0] == (30 * MIN, 1.0)
    assert {complete for end, complete in seen[1:]} == {0.75}


def test_confidence_falls_while_a_sensor_has_nothing_to_say():
    town = Town([space(0)], capacity=1).step(*at((0, 0, 1)))
    # of three intervals of ten minutes: whole for the first half, nothing left at the end
    seen = [town.only(T0 + minute * MIN).confidence for minute in (0, 15, 21, 30, 90)]
    assert seen == [1.0, 1.0, 0.6, 0.0, 0.0]


def test_the_last_change_is_no_repetition():
    found = Town([space(0)], capacity=3).step(*at((0, 0, 1), (0, 10, 1), (0, 20, 1))).only()
    assert (found.changed_us, found.newest_us) == (T0, T0 + 20 * MIN)
    found = Town([space(0)], capacity=3).step(*at((0, 0, 1), (0, 10, 0), (0, 20, 0))).only()
    assert found.changed_us == T0 + 10 * MIN


def test_a_late_word_of_a_space_changes_nothing():
    found = Town([space(0)], capacity=1).step(*at((0, 10, 1), (0, 5, 0))).only()
    assert (found.occupied, found.changed_us) == (1, T0 + 10 * MIN)


def test_several_entrances_and_exits():
    town = Town(gates(pairs=2), capacity=87)
    town.step(*at((0, 0, 100), (1, 0, 50), (2, 0, 7), (3, 0, 9)))
    found = town.step(*at((0, 10, 130), (1, 10, 60), (2, 10, 12), (3, 10, 10))).only()
    assert (found.source, found.capacity, found.occupied, found.free) == ("counters", 87, 24, 63)
    assert (found.sensors, found.sensors_heard, found.changed_us) == (4, 4, T0 + 10 * MIN)


def test_a_counter_wraps():
    town = Town(gates(), capacity=87, modulus=65536.0)
    assert town.step(*at((0, 0, 65530), (1, 0, 0), (0, 10, 4))).only().occupied == 10


def test_a_counter_that_begins_anew_in_a_long_silence_did_not_wrap():
    town = Town(gates(), capacity=87, modulus=65536.0)
    town.step(*at((0, 0, 20_000), (1, 0, 0), (0, 10, 20_020), (0, 900, 3)))
    assert town.step(*at((0, 910, 7), (1, 910, 0))).only().occupied == 24


def test_two_low_values_that_agree_are_a_new_counter_though_the_second_could_be_a_wrap():
    town = Town(gates(), capacity=87, modulus=65536.0).step(*at((0, 0, 64_800), (1, 0, 0), (0, 10, 3)))
    assert town.step(*at((0, 15, 7))).only().occupied == 4


def test_a_late_counter_value_is_not_counted_twice():
    town = Town(gates(), capacity=87).step(*at((0, 0, 100), (1, 0, 0), (0, 20, 130), (1, 20, 0)))
    assert town.only().occupied == 30
    assert town.step(*at((0, 10, 115), (0, 20, 130), (0, 0, 100))).only().occupied == 30
    assert town.step(*at((0, 30, 131))).only().occupied == 31


def test_one_value_that_cannot_be_moves_nobody_and_two_that_agree_are_a_new_counter():
    town = Town(gates(), capacity=87).step(*at((0, 0, 100), (1, 0, 0), (0, 10, 120)))
    assert town.step(*at((0, 20, 9_000_000), (1, 20, 0))).only().occupied == 20
    # what passed while it spoke nonsense is not lost
    assert town.step(*at((0, 30, 125), (1, 30, 0))).only().occupied == 25
    assert town.step(*at((0, 40, 3), (1, 40, 0))).only().occupied == 25
    assert town.step(*at((0, 40, 3))).only().occupied == 25
    assert town.step(*at((0, 50, 7), (1, 50, 0))).only().occupied == 29


def test_a_long_silence_of_a_counter_is_made_up_for():
    town = Town(gates(), capacity=300).step(*at((0, 0, 100), (1, 0, 0), (1, 300, 20), (0, 310, 200)))
    assert town.only().occupied == 80


def test_a_barrier_system_is_taken_at_its_word():
    town = Town([BARRIER], capacity=50).step(*at((0, 0, 20), (0, 10, 31)))
    found = town.only()
    assert (found.source, found.occupied, found.free, found.confidence) == ("barrier", 31, 19, 1.0)
    assert town.step(*at((0, 20, 60))).only().free == 0
    assert Town([BARRIER_FREE], capacity=50).step(*at((0, 0, 20), (0, 10, 12))).only().occupied == 38


def test_one_that_tells_both_is_counted_once():
    town = Town([BARRIER_FREE, BARRIER], capacity=50).step(*at((0, 0, 20), (1, 0, 30)))
    assert (town.only().occupied, town.only().sensors) == (30, 1)


@pytest.mark.parametrize(
    ("series", "rule", "capacity", "source"),
    [
        ([space(0, "loewe"), BARRIER, *gates()], {}, 1, "spaces"),
        ([space(0, "loewe"), BARRIER, *gates()], {}, None, "spaces"),
        ([space(0, "loewe"), BARRIER, *gates()], {}, 9, "barrier"),
        ([space(0, "loewe"), *gates()], {}, 9, "counters"),
        ([space(0, "loewe"), gates()[0]], {}, 9, "spaces"),
        ([space(0, "loewe"), BARRIER, *gates()], {"source": "counters"}, 9, "counters"),
        ([space(0, "loewe"), BARRIER, *gates()], {"source": "spaces"}, 9, "spaces"),
        ([*gates()], {"source": "barrier"}, 9, "counters"),
        ([BARRIER_FREE, space(0, "loewe")], {}, 9, "barrier"),
    ],
    ids=[
        "all",
        "no-capacity",
        "barrier",
        "gates",
        "half-a-gate",
        "wants-gates",
        "wants-spaces",
        "none",
        "free",
    ],
)
def test_who_is_believed(series, rule, capacity, source):
    town = Town(series, rule=rule, capacity=capacity)
    town.step(*at(*((number, 0, 1) for number in range(len(series)))))
    assert town.only().source == source


def test_a_counter_on_a_road_is_no_car_park():
    assert Town(gates()).step(*at((0, 0, 5), (1, 0, 5))).now() == ()


def test_a_car_park_nobody_has_a_rule_for_is_not_shown():
    assert Town([space(0)], rule={"stations": "other"}, capacity=3).step(*at((0, 0, 1))).now() == ()


def test_reserved_spaces_are_no_part_of_the_others():
    spaces = [space(i) for i in range(5)]
    devices = {
        spaces[2].dev_eui: {"reserved": "disabled"},
        spaces[3].dev_eui: {"reserved": "disabled"},
        spaces[4].dev_eui: {"reserved": "charging"},
    }
    town = Town(spaces, devices=devices, capacity=2)
    found = town.step(*at((0, 0, 1), (1, 0, 0), (2, 0, 1), (4, 0, 0))).only()
    assert (found.capacity, found.occupied, found.free, found.sensors) == (2, 1, 1, 2)
    assert {kind: (each.capacity, each.occupied, each.free) for kind, each in found.reserved.items()} == {
        # the other one has never been heard: neither taken nor free
        "disabled": (2, 1, 0),
        "charging": (1, 0, 1),
    }


def test_a_car_that_counters_count_and_a_reserved_space_takes_leaves_the_others_alone():
    series = [*gates(), space(1, "loewe")]
    town = Town(series, devices={series[2].dev_eui: {"reserved": "disabled"}}, capacity=10)
    town.step(*at((0, 0, 0), (1, 0, 0), (2, 0, 0)))
    assert town.step(*at((0, 10, 3), (2, 11, 1))).only().occupied == 2
    assert town.step(*at((2, 20, 0), (1, 21, 1))).only().occupied == 2


def test_a_space_that_becomes_a_reserved_one_leaves_the_sum():
    spaces = [space(0), space(1)]
    town = Town(spaces, capacity=2).step(*at((0, 0, 1), (1, 0, 1)))
    town._devices = {spaces[1].dev_eui: {"reserved": "charging"}}
    town.arrange()
    assert town.step(*at((0, 5, 1), (1, 5, 1))).only().occupied == 2  # the other's share of a capacity of 2
    assert town.only().reserved["charging"].occupied == 1
    assert town.parks["occupied"][0] == 1


def test_the_trend_is_the_slope_of_the_last_hour():
    town = Town([BARRIER], capacity=500)
    for minute in range(0, 125, 5):
        town.step(*at((0, minute, 100 + minute)))
    assert town.only().trend_per_h == 60.0
    # a quarter of an hour of rest flattens it, an hour ends it
    assert 0 < town.only(T0 + 140 * MIN).trend_per_h < 60.0
    quiet = Town([BARRIER], capacity=500).step(*at((0, 0, 100)))
    assert quiet.only(T0 + 20 * MIN).trend_per_h is None
    assert quiet.step(*at((0, 40, 100))).only().trend_per_h == 0.0


def test_without_a_word_for_long_there_is_no_trend():
    town = Town([BARRIER], capacity=500).step(*at((0, 0, 100), (0, 40, 140)))
    assert town.only().trend_per_h is not None
    assert town.only(T0 + 4 * HOUR).trend_per_h is None


def test_quarters_of_an_hour_are_told_once_they_are_settled():
    town = Town([BARRIER], capacity=50, interval_s=600)
    town.step(*at((0, 5, 10), (0, 15, 20), (0, 20, 30), (0, 29, 40), (0, 44, 12)))
    assert town.quarters == []
    town.step(*at((0, 60, 12)))
    ((station, first), (_, second)) = town.quarters
    assert (station, first.begin_us, first.end_us) == ("loewe", T0 + 15 * MIN, T0 + 30 * MIN)
    # minutes 16 to 30: 4 of 20, 9 of 30, 2 of 40
    assert (first.mean, first.most, first.last) == (28.67, 40, 40)
    assert (first.capacity, first.completeness) == (50, 1.0)
    assert (second.mean, second.most, second.last) == (36.27, 40, 12)


def test_a_change_that_is_told_late_is_in_its_own_quarter():
    series = [space(0), space(1)]
    town = Town(series, capacity=2)
    town.step(*at((0, 0, 0), (1, 0, 0), (0, 25, 0), (1, 18, 1), (0, 60, 0)))
    assert [(each.mean, each.most, each.last) for _, each in town.quarters] == [
        (0.87, 1, 1),
        (1.0, 1, 1),
    ]


def test_of_a_silent_car_park_nothing_is_told():
    town = Town([BARRIER], capacity=50).step(*at((0, 0, 10)))
    town.step((0, T0 + 50 * HOUR, 20))
    assert [each.end_us for _, each in town.quarters] == [T0 + 30 * MIN]
    town.step((0, T0 + 50 * HOUR + 20 * MIN, 20), (0, T0 + 50 * HOUR + 40 * MIN, 20))
    ends = [(each.end_us - T0) // MIN for _, each in town.quarters]
    assert ends == [30, 50 * 60, 50 * 60 + 15]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 900), st.integers(0, 300)), min_size=1))
def test_no_number_leaves_the_car_park(rows):
    town = Town([*gates(), space(0, "loewe")], capacity=40).step(*at(*rows))
    found = town.only()
    assert 0 <= found.occupied <= 40
    assert found.free == 40 - found.occupied
    assert 0 <= found.confidence <= 1
    for _, each in town.quarters:
        assert 0 <= each.mean <= each.most <= 40
        assert 0 <= each.last <= each.most


def test_the_last_change_is_one_of_the_number_for_everybody():
    series = [*gates(), space(1, "loewe"), space(2, "loewe")]
    town = Town(series, devices={series[2].dev_eui: {"reserved": "disabled"}}, capacity=10)
    town.step(*at((0, 0, 0), (1, 0, 0), (0, 10, 4), (1, 10, 0)))
    assert (town.only().occupied, town.only().changed_us) == (4, T0 + 10 * MIN)
    # a reserved space and a watched one are heard for the first time
    town.step(*at((2, 12, 1), (3, 13, 1), (2, 22, 1)))
    assert (town.only().occupied, town.only().changed_us) == (4, T0 + 10 * MIN)
    # another gate's first word moves nobody either
    town.arrange([Series("loewe", "vehicle_count", "in", "00000000000000c1")])
    town.step(*at((0, 25, 4), (1, 25, 0), (4, 25, 700)))
    assert (town.only().occupied, town.only().changed_us) == (4, T0 + 10 * MIN)
    # a car leaves the reserved space for another one
    town.step(*at((2, 26, 0)))
    assert (town.only().occupied, town.only().changed_us) == (5, T0 + 26 * MIN)


def test_what_a_gate_tells_of_before_a_count_by_hand_is_no_change():
    town = Town(gates(), capacity=10).step(*at((0, 0, 0), (1, 0, 0), (0, 10, 4), (1, 10, 0)))
    town.count(T0 + 20 * MIN, 5)
    town.step(*at((0, 20, 5), (1, 20, 0)))
    assert (town.only().occupied, town.only().changed_us) == (5, T0 + 10 * MIN)
