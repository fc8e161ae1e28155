"""Rain sums: counters, gaps, resets, late and doubtful readings, and how an episode ends."""

from dataclasses import replace

import numpy as np
import pytest
from engine_city import MIN, T0, catalogue, events, kernels, one_series, readings, registry, steps
from hypothesis import given
from hypothesis import strategies as st

from alerts.kernels import curve, rain

DEPTH = [one_series("precipitation")]
COUNTER = [one_series("precipitation_total")]


def every_5(*values, series=0, start=T0):
    return readings(*((series, start + i * 5 * MIN, value) for i, value in enumerate(values)))


def sums(machine, window=60):
    """Depth (mm) in a window of slot 0."""
    rows = machine._rain.rows
    length = np.array([window // 5])
    return int(curve.windows(rows, np.array([0]), length)[0, 0]) / 1000


def after(series, *batches, **how):
    machine = kernels(series, **how)
    for batch in batches:
        machine.step(batch)
    return machine


def test_level_2_from_its_depth_on_and_level_3_above_it():
    assert [e.level for e in events(DEPTH, [every_5(14.999)]) if e.kind == "crossing"] == []
    assert [e.level for e in events(DEPTH, [every_5(15.0)]) if e.kind == "crossing"] == [2]
    assert [e.level for e in events(DEPTH, [every_5(25.0)]) if e.kind == "crossing"] == [2, 2, 2]
    found = [e for e in events(DEPTH, [every_5(25.001)]) if e.kind == "crossing"]
    assert [(e.level, e.window_min, e.value) for e in found] == [
        (2, 60, 25.001),
        (3, 60, 25.001),
        (2, 360, 25.001),
        (2, 720, 25.001),
    ]


def test_tenths_add_up_without_drift():
    # 0.1 has no exact binary fraction: ten times twelve would cross 15 falsely or late
    found = events(DEPTH, [every_5(*[1.25] * 12)])
    assert [(e.kind, e.value) for e in found if e.measure == "dwd_starkregen"] == [
        ("crossing", 15.0),
        ("raise", 15.0),
    ]


@pytest.mark.parametrize(
    ("interval_min", "judged"),
    [(5, {60, 360}), (60, {60, 360}), (120, {360}), (480, set()), (7, {60, 360}), (1, {60, 360})],
)
def test_windows_are_whole_multiples_of_the_interval(interval_min, judged):
    never = np.iinfo(np.int64).max
    used = {w for i, w in enumerate(rain.WINDOWS_MIN) if rain.limits(interval_min)[0, i, 0] < never}
    assert used == judged


def test_a_rise_over_a_gap_is_spread_over_it():
    # 36 mm in 3 h: 12 mm in the last hour, not 36
    machine = after(COUNTER, readings((0, T0, 100.0), (0, T0 + 180 * MIN, 136.0)))
    assert sums(machine, 60) == pytest.approx(12, abs=0.001)
    assert sums(machine, 360) == 36


def test_a_missing_interval_counts_as_none():
    machine = after(DEPTH, readings((0, T0, 2.0), (0, T0 + 180 * MIN, 3.0)))
    assert sums(machine, 60) == 3
    assert sums(machine, 360) == 5


def test_a_counter_wraps_at_its_types_modulus():
    how = {"types": catalogue("precipitation_total", 6553.6), "type_": "sensor"}
    wrapped = after(COUNTER, every_5(6553.0, 6553.4, 0.2, 0.6), **how)
    assert sums(wrapped) == pytest.approx(1.2)
    assert wrapped.tally.counter_breaks == 0


def test_a_reset_is_no_rain():
    machine = after(COUNTER, every_5(500.0, 501.0, 0.4, 0.8, 1.0))
    assert sums(machine) == pytest.approx(1.6)
    assert machine.tally.counter_breaks == 1


def test_one_wrong_counter_value_is_no_rain_and_loses_none():
    for wrong in (0.0, 9999.0):
        machine = after(COUNTER, every_5(30.0, 30.2, wrong, 30.6, 31.0))
        assert sums(machine) == pytest.approx(1.0)
        assert machine.tally.implausible == 1
        told = events(COUNTER, [every_5(30.0, 30.2, wrong, 30.6, 31.0)])
        # too high to be rain: staff hear of it
        assert [(each.kind, each.audience) for each in told] == [("unverified", "staff")] * (wrong > 0)


def test_more_than_can_fall_is_rejected_and_counted():
    machine = after(DEPTH, every_5(1706.0, 0.2))
    assert sums(machine) == pytest.approx(0.2)
    assert machine.tally.implausible == 1
    # the German record, 126 mm in 8 min, is not
    assert sums(after(DEPTH, readings((0, T0, 78.75)))) == 78.75


def test_negative_rain_is_rejected():
    assert sums(after(DEPTH, every_5(1.0, -3.0, 0.0))) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_what_is_no_number_changes_nothing(value):
    assert sums(after(DEPTH, every_5(1.0, value, 2.0))) == 3


@pytest.mark.parametrize("quality", [3, 4, 9])
def test_bad_quality_changes_nothing(quality):
    batch = every_5(30.0)
    batch["quality"] = quality
    assert events(DEPTH, [batch]) == []


def test_a_late_counter_splits_the_difference():
    early = readings((0, T0, 10.0), (0, T0 + 120 * MIN, 34.0))
    late = readings((0, T0 + 60 * MIN, 14.0))
    assert sums(after(COUNTER, early)) == pytest.approx(12, abs=0.001)
    assert sums(after(COUNTER, early, late)) == 20


def test_a_late_depth_raises_by_the_corrected_sum_now():
    batch = every_5(8.0, 0.0, 8.0)
    found = events(DEPTH, [batch[:1], batch[2:], readings((0, T0 + 5 * MIN, 6.0))])
    first = next(e for e in found if e.level == 2 and e.kind == "raise")
    assert (first.time_us, first.value) == (T0 + 10 * MIN, 16.0)
    # nothing is said about the past
    assert {e.time_us for e in found} == {T0 + 10 * MIN}


@pytest.mark.parametrize("late_min", [0, 3, 15])
def test_another_interval_in_the_device_list_lets_no_late_reading_take_rain_back(late_min):
    machine = after(
        DEPTH, readings(*((0, T0 + minute * MIN, mm) for minute, mm in ((5, 0), (10, 0), (20, 40))))
    )
    machine.arrange(registry(DEPTH, interval_s=900), DEPTH)
    machine.step(readings((0, T0 + late_min * MIN, 1.0)))
    machine.step(readings((0, T0 + 35 * MIN, 9.0)))
    # and between two that were spread alike
    machine.step(readings((0, T0 + 30 * MIN, 6.0)))
    ring, marks = machine._rain.rows["ring"][0], np.arange(-1, 8) + T0 // (5 * MIN)
    assert np.diff(ring[marks % len(ring)]).tolist() == [0, 0, 0, 0, 40_000, 3000, 3000, 9000]


def test_total_and_depth_of_one_device_are_not_added():
    both = [one_series("precipitation"), one_series("precipitation_total")]
    machine = kernels(both)
    batch = readings(
        *((s, T0 + i * 5 * MIN, (2.0, 2.0 * i)[s]) for i in range(4) for s in (0, 1)),
    )
    machine.step(batch)
    assert machine._plan.rain.slot_of.tolist() == [-1, 1]
    assert machine._rain.rows["head"]["total"][1] == 6000


def test_an_unaligned_gauge_is_summed_exactly():
    times = [T0 + 97_000_000 + i * 5 * MIN for i in range(40)]
    values = [round(0.1 * (i % 7), 1) for i in range(40)]
    machine = after(DEPTH, readings(*((0, t, v) for t, v in zip(times, values, strict=True))))
    assert sums(machine, 60) == pytest.approx(sum(values[-12:]))


def test_an_alert_steps_down_after_a_calm_hour_and_ends_within_three():
    storm = [6.0] * 9 + [0.0] * 40
    found = [e for e in events(DEPTH, [every_5(*storm)]) if e.measure == "dwd_starkregen"]
    assert steps(found) == [
        ("raise", 2),
        ("escalate", 3),
        ("escalate", 4),
        ("step_down", 3),
        ("step_down", 2),
        ("clear", 0),
    ]
    stopped = T0 + 8 * 5 * MIN
    times = {(e.kind, e.level): e.time_us for e in found}
    assert times["step_down", 3] == stopped + 60 * MIN
    assert times["clear", 0] == stopped + 120 * MIN


def test_drizzle_after_the_end_raises_nothing_new():
    # 62.4 mm, calm, then 0.2 mm every five minutes while the 24 h and 48 h windows stay above level 3
    found = events(DEPTH, [every_5(*[5.2] * 12, *[0.0] * 36, *[0.2] * 24, *[0.0] * 24)])
    assert [e.kind for e in found].count("raise") == 2
    assert [e.kind for e in found].count("clear") == 2


def test_new_heavy_rain_after_the_end_raises_again():
    found = events(DEPTH, [every_5(*[5.5] * 12, *[0.0] * 36, *[2.0] * 12)])
    raised = [e for e in found if e.kind == "raise" and e.time_us > T0 + 48 * 5 * MIN]
    assert [e.measure for e in raised] == ["dwd_starkregen", "dwd_dauerregen"]


def test_silence_is_not_calm():
    silent = readings(*((0, T0 + i * 5 * MIN, 6.0) for i in range(9)), (0, T0 + 300 * MIN, 0.0))
    assert "step_down" not in [e.kind for e in events(DEPTH, [silent])]


def test_two_gauges_of_a_station_have_episodes_of_their_own():
    twins = [*DEPTH, replace(DEPTH[0], dev_eui="00000000000000aa")]
    found = [e for e in events(twins, [readings((0, T0, 16.0), (1, T0, 17.0))]) if e.kind == "raise"]
    assert [e.station for e in found] == ["s", "s"]
    assert [e.episode.split(".dwd")[0] for e in found] == ["s", "s.2"]


@given(
    st.lists(st.tuples(st.integers(1, 200), st.integers(0, 40)), min_size=2, max_size=25),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_shuffled_and_repeated_readings_give_the_sums_of_the_sorted_ones(rows, counter, random):
    """Whole multiples of five minutes; counters rise. Order and repetition change no sum."""
    time, total = T0, 0
    given_rows = []
    for marks, tips in rows:
        time += marks * 5 * MIN
        total += tips
        given_rows.append((0, time, (total if counter else tips) * 0.2))
    series = COUNTER if counter else DEPTH
    shuffled = given_rows + random.sample(given_rows, len(given_rows) // 2)
    random.shuffle(shuffled)
    one, other = after(series, readings(*given_rows)), after(series, readings(*shuffled))
    for window in (60, 360, 1440, 4320):
        assert sums(one, window) == sums(other, window)
