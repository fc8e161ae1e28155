"""The state of the traffic: by speed, by counts, and what is not taken for a jam."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from flow_town import BERLIN, CALENDAR, MONDAY, Town, at, demand, learned, plan, quarters, us
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.mobility import flow
from alerts.mobility.calendar import QUARTER_US


def clock(text, *values, day=MONDAY):
    """Quarters from a time of the day on, each (count[, completeness[, speed]])."""
    begin = at(text, day)
    return [(0, begin + n * QUARTER_US, *value) for n, value in enumerate(values)]


def speeds(*values, count=50):
    return clock("10:00", *((count, 1.0, value) for value in values))


@pytest.fixture(scope="module")
def weeks():
    town = learned()
    return town.whole()


@pytest.fixture
def town(weeks):
    again = Town(plan())
    again.rows = np.frombuffer(weeks[0], flow.ROW).copy()
    again.weeks = np.frombuffer(weeks[1], again.weeks.dtype).copy()
    return again


def usual(text, day=MONDAY):
    return demand(datetime.fromtimestamp(at(text, day) / 1e6, BERLIN))


@pytest.mark.parametrize(
    ("speed", "state"),
    [
        (50, "free"),
        (34, "free"),
        (33.5, "dense"),
        (26, "dense"),
        (25, "slow"),
        (16, "slow"),
        (15, "jam"),
        (0.5, "jam"),
    ],
)
def test_shares_of_the_free_flow_speed(speed, state):
    assert Town(plan(free_flow=[50])).states(*speeds(speed)) == [state]


def test_a_state_is_entered_at_its_limit_and_left_with_a_margin():
    course = speeds(50, 33.4, 34.0, 35.9, 36.1, 33.4, 24.9, 27.0, 27.6, 14.9, 17.4, 17.6, 50)
    assert Town(plan(free_flow=[50])).states(*course) == (
        [
            "free",
            "dense",
            "dense",
            "dense",
            "free",
            "dense",
            "slow",
            "slow",
            "dense",
            "jam",
            "jam",
            "slow",
            "free",
        ]
    )


def test_the_free_flow_speed_is_learned_from_a_day_of_speeds():
    day = [(0, at("00:00") + n * QUARTER_US, 30, 1.0, 40 + n % 11) for n in range(96)]
    town = Town(plan())
    assert set(town.states(*day)) == {"unknown"}
    tomorrow = [(0, t + 86_400_000_000, *rest) for _, t, *rest in speeds(48, 24, 14)]
    assert town.states(*tomorrow) == ["free", "slow", "jam"]


def test_a_few_vehicles_are_no_measure_of_speed():
    town = Town(plan(free_flow=[50]))
    assert town.hear((0, at("03:00"), 4, 1.0, 10.0)) == ["unknown"]
    assert town.hear((0, at("03:15"), 5, 1.0, 10.0)) == ["jam"]


def test_more_than_usual_is_dense_where_it_is_busy(town):
    assert town.states(*clock("08:00", (usual("08:00"),), (300,))) == ["free", "dense"]
    assert town.states(*clock("10:00", (usual("10:00"),))) == ["free"]


def test_more_than_usual_at_night_is_free(town):
    assert town.states(*clock("03:00", (30,), (40,))) == ["free", "free"]


def test_a_collapse_right_after_dense_traffic_is_slow_then_a_jam(town):
    course = {"16:45": 1.5, "17:00": 0.5, "17:15": 0.2, "17:30": 0.2, "17:45": 0.6, "18:00": 1}
    rows = [(0, at(text), round(share * usual(text))) for text, share in course.items()]
    assert town.states(*rows) == ["dense", "slow", "jam", "jam", "slow", "free"]


def test_a_collapse_out_of_ordinary_traffic_is_not_taken_for_a_jam(town):
    usually = usual("17:00")
    assert town.states(*clock("16:45", (usually,), (10,), (10,))) == ["free", "free", "free"]


def test_nobody_where_many_are_usual_is_not_known(town):
    assert town.states(*clock("07:30", (0,), (0,))) == ["unknown", "unknown"]


def test_a_road_closed_in_dense_traffic_is_no_jam_for_ever(town):
    found = town.states(*clock("15:00", (230,), *([(2,)] * 12)))
    assert found[0] == "dense"
    assert found[1:9] == ["jam"] * 8
    assert set(found[9:]) == {"unknown", "free"}


def test_a_quiet_holiday_and_a_night_are_no_jam(town):
    good_friday = datetime(2026, 4, 3, tzinfo=BERLIN)
    quiet = [(0, at("00:00", good_friday) + n * QUARTER_US, 12) for n in range(96)]
    assert not {"slow", "jam", "dense"} & set(town.states(*quiet))
    evening = clock("20:30", *((count,) for count in (110, 60, 8, 4, 3, 2, 2, 1)))
    assert not {"slow", "jam"} & set(town.states(*((s, t + 7 * 86_400_000_000, c) for s, t, c in evening)))


def test_an_ordinary_week_has_no_jam(town):
    found = []
    for n in range(7 * 96):
        begin = us(MONDAY) + n * QUARTER_US
        found += town.hear((0, begin, demand(datetime.fromtimestamp(begin / 1e6, BERLIN))))
    assert set(found) == {"free"}


def test_a_lost_quarter_keeps_the_state_and_a_second_does_not():
    town = Town(plan(free_flow=[50]))
    first = clock("10:00", (50, 1.0, 14), (20, 0.3), (20, 0.3), (50, 1.0, 17))
    assert town.states(*first) == ["jam", "jam", "unknown", "slow"]
    town = Town(plan(free_flow=[50]))
    # with evidence again, the margin of the state before still holds
    assert town.states(*clock("10:00", (50, 1.0, 14), (20, 0.3), (50, 1.0, 17))) == ["jam", "jam", "jam"]


def test_a_gap_ends_a_state():
    town = Town(plan(free_flow=[50]))
    assert town.states(*speeds(14)) == ["jam"]
    assert town.hear((0, at("12:00"), 50, 1.0, 17.0)) == ["slow"]
    assert town.rows["since"][0] == at("12:00")


def test_late_and_corrected_quarters_do_not_move_the_state():
    town = Town(plan(free_flow=[50]))
    assert town.states(*speeds(50, 14)) == ["free", "jam"]
    before = town.rows.tobytes()
    assert town.states(*speeds(14, 50)) == ["jam", "jam"]
    assert town.rows.tobytes() == before


def test_people_and_bicycles_have_a_typical_week_and_no_state():
    town = learned(vehicles=False)
    assert town.hear((0, at("08:00"), 300, 1.0, 10.0)) == ["unknown"]
    (found,) = flow.flow_states(town.rows, town.plan, at("08:15"))
    assert (found.state, found.basis, found.since_us) == ("unknown", "none", None)
    assert found.typical[1] == pytest.approx(usual("08:00"), abs=1)


def test_what_is_told_of_a_site(town):
    town.states(*clock("16:45", (230,), (20,)))
    (found,) = flow.flow_states(town.rows, town.plan, at("17:15"))
    assert (found.state, found.basis, found.count, found.speed_kmh) == ("jam", "count", 20, None)
    assert (found.since_us, found.time_us) == (at("17:00"), at("17:15"))
    assert found.typical[0] < usual("17:00") < found.typical[2]


def test_a_silent_site_is_unknown(town):
    town.states(*clock("16:45", (230,), (20,)))
    (still,) = flow.flow_states(town.rows, town.plan, at("17:30"))
    (silent,) = flow.flow_states(town.rows, town.plan, at("17:45"))
    assert (still.state, silent.state, silent.basis, silent.since_us) == ("jam", "unknown", "none", None)
    assert silent.time_us == at("17:15")


def test_a_site_never_heard_is_not_told_of():
    town = Town(plan(2))
    town.hear((1, at("08:00"), 5))
    assert [each.site.station for each in flow.flow_states(town.rows, town.plan, at("08:15"))] == ["s1"]


def test_autumns_second_hour_is_judged_by_the_first_ones_week():
    night = datetime(2026, 10, 25, tzinfo=BERLIN)
    town = Town(plan(free_flow=[50]))
    course = [(0, at("02:00", night - timedelta(weeks=n)), 40, 1.0, 50) for n in (3, 2, 1)]
    begin = us(night.replace(hour=2, fold=1))
    town.states(*course, (0, begin, 40, 1.0, 50))
    assert CALENDAR.slots(np.array([begin])).again.all()
    (found,) = flow.flow_states(town.rows, town.plan, begin + QUARTER_US)
    assert found.typical == (40, 40, 40)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 40).map(lambda n: at("06:00") + n % 8 * QUARTER_US + n // 8 * 7 * 86_400_000_000),
        st.integers(0, 300),
        st.sampled_from([0.3, 0.95, 1.0]),
        st.sampled_from([float("nan"), 5.0, 20.0, 30.0, 50.0]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.data())
def test_one_batch_equals_any_split(rows, data):
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8).map(sorted))
    one, other = Town(plan(3, free_flow=[50])), Town(plan(3, free_flow=[50]))
    batch = quarters(*rows)
    one.take(batch)
    for part in np.split(np.arange(len(rows)), cuts):
        other.take(batch.at(part))
    assert one.whole() == other.whole()


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_a_quarter_given_again_at_once_changes_nothing(rows):
    one, other = Town(plan(3, free_flow=[50])), Town(plan(3, free_flow=[50]))
    one.hear(*rows)
    other.hear(*(row for row in rows for _ in range(2)))
    assert one.whole() == other.whole()


@settings(max_examples=80, deadline=None)
@given(ROWS, st.data())
def test_a_correction_leaves_no_trace_in_what_is_judged_later(rows, data):
    """Wrong quarters, then their corrections, then another day: as if only the right ones had come."""
    right = {row[:2]: row for row in rows}
    wrong = [(*key, data.draw(st.integers(0, 300)), *row[3:]) for key, row in right.items()]
    later = [(site, at("06:00", MONDAY + timedelta(weeks=7)), 90) for site in range(3)]
    one, other = Town(plan(3, free_flow=[50])), Town(plan(3, free_flow=[50]))
    one.hear(*wrong)
    one.hear(*right.values())
    other.hear(*right.values())
    one.hear(*later)
    other.hear(*later)
    assert one.weeks.tobytes() == other.weeks.tobytes()
    told = [flow.flow_states(each.rows, each.plan, later[0][1] + QUARTER_US) for each in (one, other)]
    assert told[0] == told[1]


def test_a_quarter_of_minus_one_is_no_place_in_the_calendar():
    assert (
        flow.step(np.zeros(1, flow.ROW), learned(0).weeks, plan(), quarters((0, -QUARTER_US, 5))).tolist()
        == []
    )
