"""Quality tests of readings, maintenance, and what staff hear of rejected ones."""

from datetime import UTC, datetime

import numpy as np
import pytest
from engine_city import MIN, T0, events, iso, kernels, one_series, readings, registry, steps, table, us
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.errors import AlertsConfigError
from alerts.kernels.kernels import Kernels
from alerts.rules import load_rules, parse_rules

GAUGE = [one_series("water_level", station="gierath-pegel")]
RAIN = [one_series("precipitation", station="gierath-regen")]
MARKS = {"stages_cm": (50.0, 100.0, 200.0)}
LEVEL_RULE = {"id": "level", "kind": "water_level"}


def every_5(*values):
    return readings(*((0, T0 + i * 5 * MIN, value) for i, value in enumerate(values)))


def flags(batch, series=GAUGE, rules=None, **how):
    machine = kernels(series, rules, **how)
    return machine._flags(batch, 0)[0].tolist()


def quality(**limits):
    return [LEVEL_RULE, {"id": "own", "kind": "quality", "properties": "water_level", **limits}]


def unverified(found):
    return [((e.time_us - T0) // MIN, e.value, e.level, e.audience) for e in found if e.kind == "unverified"]


def ufz(name):
    _, rows = table(f"level/ufz_level_15min_{name}.csv")
    return readings(*((0, us(time), float(value)) for time, value in rows if value))


def test_a_faulty_gauge_alarms_no_resident_and_staff_hear_of_it():
    found = events(
        GAUGE,
        np.array_split(ufz("2016-03_fault"), 7),
        interval_s=900,
        stages_cm=(200.0, 240.0, 270.0),
    )
    assert [(e.kind, e.level, e.value, iso(e.time_us), e.audience) for e in found] == [
        ("unverified", 0, -10.42, "2016-03-21T11:17:00", "staff"),
        ("unverified", 3, 402.88, "2016-03-21T12:02:00", "staff"),
    ]


def test_the_real_high_water_is_neither_delayed_nor_doubted():
    wave = ufz("2016-02_highwater")
    found = events(GAUGE, np.array_split(wave, 7), interval_s=900, stages_cm=(200.0, 240.0, 270.0))
    first = [float(wave["value"][np.argmax(wave["value"] >= mark)]) for mark in (200, 240, 270)]
    assert [e.value for e in found if e.kind in {"raise", "escalate"}] == first
    assert unverified(found) == []
    assert set(flags(wave, interval_s=900)) == {1}


def test_a_flood_faster_than_the_limits_is_delayed_by_one_reading_and_staff_hear_the_first():
    found = events(GAUGE, [every_5(20.0, 21.0, 290.0, 310.0)], **MARKS)
    assert unverified(found) == [(10, 290.0, 3, "staff")]
    assert steps([e for e in found if e.kind != "unverified"]) == [("raise", 3)]
    assert [(e.kind, e.time_us) for e in found][-1] == ("raise", T0 + 15 * MIN)


def test_one_spike_is_suspect_and_what_follows_is_good():
    assert flags(every_5(20.0, 290.0, 21.0, 22.0, 400.0, 390.0)) == [1, 3, 1, 1, 3, 1]


def test_two_spikes_that_disagree_do_not_confirm_each_other():
    assert flags(every_5(20.0, 300.0, 900.0, 20.0)) == [1, 3, 3, 1]


def test_a_spike_that_comes_twice_does_not_confirm_itself():
    batch = np.repeat(every_5(20.0, 290.0, 21.0), 2)
    assert flags(batch) == [1, 1, 3, 3, 1, 1]
    assert steps(events(GAUGE, [batch], **MARKS)) == [("unverified", 3)]


def test_gross_range_fails_and_no_number_is_missing():
    assert flags(every_5(20.0, -101.0, 2001.0, float("nan"), float("inf"), 20.0)) == [1, 4, 4, 9, 9, 1]


def test_rate_of_change_has_a_floor_of_a_minute():
    rules = quality(rate_per_min=10)
    near = readings((0, T0, 20.0), (0, T0 + 1_000_000, 29.0), (0, T0 + 2_000_000, 45.0))
    assert flags(near, rules=rules) == [1, 1, 3]


def test_a_flat_line_counts_time_not_readings():
    rules = quality(flat_h=1)
    many = readings(*((0, T0 + i * MIN, 20.0) for i in range(59)))
    assert set(flags(many, rules=rules)) == {1}
    assert flags(every_5(*[20.0] * 13, 20.1), rules=rules) == [1] * 12 + [3, 1]
    gap = readings((0, T0, 20.0), (0, T0 + 70 * MIN, 20.0))
    assert flags(gap, rules=rules) == [1, 1]


def test_a_gauge_stuck_high_keeps_its_warning_and_pages_once():
    rules = quality(flat_h=1)
    found = events(GAUGE, [every_5(20.0, *[60.0] * 100)], rules=rules, **MARKS)
    assert [(e.kind, e.audience) for e in found if e.kind != "crossing"] == [
        ("raise", "staff"),
        ("unverified", "staff"),
    ]


def test_a_stuck_sensor_pages_once_and_again_after_an_hour_of_good_readings():
    good = [20.0] * 13
    found = events(GAUGE, [every_5(*[20.0, 3000.0] * 20, *good, 3000.0)], **MARKS)
    assert unverified(found) == [(5, 3000.0, 3, "staff"), (53 * 5, 3000.0, 3, "staff")]
    assert len({e.episode for e in found}) == 2


def test_a_rejected_reading_higher_than_the_one_told_is_told():
    found = events(GAUGE, [every_5(-60.0, 145.0, -60.0, 250.0, -60.0, 250.0)], **MARKS)
    assert [(value, level) for _, value, level, _ in unverified(found)] == [(145.0, 2), (250.0, 3)]
    assert len({e.episode for e in found}) == 1


def test_a_late_reading_is_judged_and_changes_nothing():
    late = readings((0, T0 + 2 * MIN, 400.0), (0, T0 + 3 * MIN, 23.0))
    machine = kernels(GAUGE, **MARKS)
    assert machine.step(every_5(20.0, 22.0, 24.0)) == []
    before = machine._quality.rows.copy()
    assert machine._flags(late, 0)[0].tolist() == [3, 1]
    assert (machine._quality.rows == before).all()
    assert machine.step(late) == []


def test_what_the_device_itself_rejects_stays_rejected_and_is_told_when_high():
    batch = every_5(20.0, 60.0)
    batch["quality"][1] = 3
    assert flags(batch) == [1, 3]
    assert unverified(events(GAUGE, [batch], **MARKS)) == [(5, 60.0, 1, "staff")]


def test_impossible_rain_fails_and_is_told_because_it_would_alarm():
    batch = every_5(0.2, -1.0, 1706.0, 0.2)
    assert flags(batch, RAIN) == [1, 4, 4, 1]
    assert unverified(events(RAIN, [batch])) == [(10, 1706.0, 4, "staff")]
    record = readings((0, T0, 126.0))
    assert flags(record, RAIN, interval_s=480) == [1]


def test_history_pages_nobody():
    machine = kernels(GAUGE, **MARKS)
    (event,) = machine.step(every_5(20.0, 290.0), T0 + 60 * MIN)
    assert (event.kind, event.audience) == ("unverified", None)
    assert event.id.endswith(".history")


def maintenance(**more):
    start = datetime.fromtimestamp(T0 / 1e6, UTC)
    window = {"stations": "gierath-*", "from": start, "to": start.replace(minute=start.minute + 12), **more}
    return {"rule": [LEVEL_RULE], "maintenance": [window]}


def test_readings_in_maintenance_are_suspect_and_alarm_nobody():
    rules = parse_rules(maintenance(), "rules.toml")
    machine = Kernels(rules, registry(GAUGE, **MARKS), None, GAUGE)
    found = machine.step(every_5(60.0, 150.0, 250.0, 30.0, 55.0))
    assert unverified(found) == [(0, 60.0, 1, None), (5, 150.0, 2, None), (10, 250.0, 3, None)]
    assert [(e.kind, e.level, e.value) for e in found if e.kind == "raise"] == [("raise", 1, 55.0)]


@pytest.mark.parametrize(
    ("window", "problem"),
    [
        ({"from": datetime(2026, 3, 21, 11)}, "timezone"),  # noqa: DTZ001 - the fault itself
        ({"to": datetime(2020, 1, 1, tzinfo=UTC)}, "from must be before to"),
        ({"reason": "x"}, "not permitted"),
    ],
)
def test_faults_in_maintenance_windows(window, problem):
    with pytest.raises(AlertsConfigError) as caught:
        parse_rules(maintenance(**window), "rules.toml")
    (fault,) = caught.value.faults
    assert fault.key.startswith("maintenance 1")
    assert problem in fault.problem


def test_a_citys_limits_come_before_the_shipped_ones_and_these_are_always_there():
    rules = parse_rules({"rule": quality(gross_max=300, stations="gierath-*")}, "rules.toml")
    assert rules.quality("gierath-pegel", "water_level").gross_max == 300
    assert rules.quality("strunde", "water_level").gross_max == 2000
    assert load_rules().quality("strunde", "air_temperature") is None


VALUES = st.sampled_from([20.0, 21.0, 45.0, 60.0, 120.0, 290.0, 300.0, 3000.0, -5.0, float("nan")])
TIMES = st.one_of(st.integers(0, 20).map(lambda n: n * 5 * MIN), st.integers(0, 100 * MIN))
ROWS = st.lists(st.tuples(st.integers(0, 1), TIMES, VALUES, st.sampled_from([1, 1, 1, 2, 3, 4])), min_size=1)
PAIR = [*GAUGE, one_series("precipitation", station="gierath-pegel")]


@settings(max_examples=150, deadline=None)
@given(ROWS, st.data())
def test_one_batch_equals_any_split(rows, data):
    batch = readings(*((series, T0 + time, value) for series, time, value, _ in rows))
    batch["quality"] = [flag for *_, flag in rows]
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8).map(sorted))
    how = {"rules": quality(flat_h=0.25, rise=100, fall=50, rate_per_min=20), **MARKS}
    one, other = kernels(PAIR, **how), kernels(PAIR, **how)
    assert one.step(batch) == [event for part in np.split(batch, cuts) for event in other.step(part)]
    assert one.pages() == other.pages()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-50, 1500), min_size=2, max_size=12))
def test_a_level_that_stays_is_never_doubted_longer_than_one_reading(steps_up):
    batch = every_5(*[level for level in steps_up for _ in range(2)])
    judged = flags(batch)
    assert all(flag == 1 for flag in judged[1::2])


COUNTER = [one_series("precipitation_total", station="gierath-regen")]
WORK = {"stations": "gierath-regen", "from": iso(T0 + 20 * MIN) + "Z", "to": iso(T0 + 50 * MIN) + "Z"}


def test_a_counter_that_jumps_by_more_than_can_rain_warns_nobody_but_staff_hear_of_it():
    found = events(COUNTER, [every_5(10.0, 10.2, 1716.2, 10.2, 10.4)])
    assert unverified(found) == [(10, 1706.0, 4, "staff")]
    assert [(e.measure, e.severity, e.kind) for e in found] == [("precipitation", "Extreme", "unverified")]
    assert "1706 mm in 5 min" in found[0].reason


def test_a_counter_that_was_exchanged_is_told_once_and_goes_on():
    values = [10.0, 10.2, *(1716.2 + i * 3.0 for i in range(12))]
    found = events(COUNTER, [every_5(*values)])
    assert unverified(found) == [(10, 1706.0, 4, "staff")]
    # what rained since counts: 33 mm from the second reading of the new counter on
    assert ("raise", 2) in steps(found)
    assert max(e.value for e in found if e.measure == "dwd_starkregen") <= 33.0


def test_small_jumps_and_wraps_and_late_jumps_are_not_told():
    # in the five minutes 100 mm are the most there can be; 12 mm of a doubtful counter are no DWD level
    assert unverified(events(COUNTER, [every_5(10.0, 109.0)])) == []
    assert unverified(events(COUNTER, [every_5(100.0, 10.0, 10.0)])) == []
    late = readings((0, T0, 10.0), (0, T0 + 10 * MIN, 10.2), (0, T0 + 5 * MIN, 900.0))
    assert unverified(events(COUNTER, [late])) == []


def test_a_counter_that_jumps_again_pages_once_an_hour():
    values = [10.0 if i % 2 else 1000.0 + 100 * i for i in range(1, 40)]
    told = unverified(events(COUNTER, [every_5(10.0, *values)]))
    assert 1 <= len(told) <= 4


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from([0.0, 0.2, 5.0, 30.0, 300.0, 1700.0])),
        min_size=1,
        max_size=40,
    ),
    st.data(),
)
def test_jumps_and_maintenance_of_a_counter_do_not_depend_on_the_split(rows, data):
    batch = readings(*((0, T0 + i * 5 * MIN + shift * MIN, value) for i, (shift, value) in enumerate(rows)))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(batch)), max_size=5)))

    def found(parts):
        rules = parse_rules({"rule": [{"id": "rain", "kind": "dwd_rain"}], "maintenance": [WORK]}, "f")
        machine = Kernels(rules, registry(COUNTER), series=COUNTER)
        events_ = [event for part in parts for event in machine.step(part)]
        return events_, machine._rain.rows[:1].tobytes()

    assert found([batch]) == found(np.split(batch, cuts))


def test_the_water_that_cleans_a_gauge_is_no_rain():
    rules = parse_rules({"rule": [{"id": "rain", "kind": "dwd_rain"}], "maintenance": [WORK]}, "f")
    # 40 mm are poured through it in 25 minutes, then 3 mm of real rain follow
    values = [10.0, 10.0, 10.0, 10.0, 10.0, 25.0, 40.0, 50.0, 50.0, 50.0, 50.0, 53.0, 53.0]
    machine = Kernels(rules, registry(COUNTER), series=COUNTER)
    assert machine.step(every_5(*values)) == []
    assert machine._flags(every_5(*values), 0)[0].tolist() == [1] * 4 + [3] * 6 + [1] * 3
    depth = machine._rain.rows["head"]["total"][0]
    assert depth == 3000
    # without the window it would have warned
    open_ = Kernels(load_rules(), registry(COUNTER), series=COUNTER)
    assert any(e.kind == "raise" for e in open_.step(every_5(*values)))
