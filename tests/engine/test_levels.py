"""Water levels: marks, hysteresis, hold, late readings."""

import numpy as np
from engine_city import MIN, T0, events, iso, one_series, readings, steps, table, us

GAUGE = [one_series("water_level", station="gierath-pegel")]
MARKS = {"stages_cm": (50.0, 100.0, 200.0)}


def every_5(*levels):
    return readings(*((0, T0 + i * 5 * MIN, level) for i, level in enumerate(levels)))


def test_marks_of_a_real_high_water_are_raised_once_each_at_their_first_exceedance():
    _, rows = table("level/ufz_level_15min_2016-02_highwater.csv")
    levels = [(us(time), float(value)) for time, value in rows if value]
    found = events(
        GAUGE,
        np.array_split(readings(*((0, time, value) for time, value in levels)), 11),
        interval_s=900,
        stages_cm=(200.0, 240.0, 270.0),
    )
    up = [e for e in found if e.kind in {"raise", "escalate"}]
    first = [next((t, v) for t, v in levels if v >= mark) for mark in (200.0, 240.0, 270.0)]
    assert [(e.level, iso(e.time_us), e.value) for e in up] == [
        (stage, iso(time), value) for stage, (time, value) in enumerate(first, 1)
    ]
    assert [e.kind for e in up] == ["raise", "escalate", "escalate"]
    down = [e.level for e in found if e.kind in {"step_down", "clear"}]
    assert down == sorted(down, reverse=True)
    assert len({e.episode for e in found if e.kind not in {"crossing", "falling"}}) == 1


def test_reaching_a_mark_raises_at_once_and_skips_no_crossing():
    found = events(GAUGE, [every_5(10.0, 49.9, 50.0, 200.0)], **MARKS)
    found = [each for each in found if each.measure == "water_level"]
    assert [(e.kind, e.level, e.value) for e in found] == [
        ("crossing", 1, 50.0),
        ("raise", 1, 50.0),
        ("crossing", 2, 200.0),
        ("crossing", 3, 200.0),
        ("escalate", 3, 200.0),
    ]
    assert found[1].id == "gierath-pegel.water_level.20250615T152000Z.1.raise.1"
    assert found[1].episode == found[-1].episode == "gierath-pegel.water_level.20250615T152000Z"
    assert [e.audience for e in found] == [None, "staff", None, None, "public"]


def test_a_stage_ends_below_mark_less_hysteresis_held_for_half_an_hour():
    # mark 2 at 100 cm: hysteresis max(5 cm, 5 %) = 5 cm; mark 3 at 200 cm: 10 cm
    found = events(GAUGE, [every_5(*[101.0, *[95.0] * 10])], **MARKS)
    assert steps(found) == [("raise", 2)]
    found = events(GAUGE, [every_5(*[101.0, *[94.9] * 7])], **MARKS)
    assert steps(found) == [("raise", 2), ("step_down", 1)]
    assert found[-1].time_us == T0 + 35 * MIN
    found = events(GAUGE, [every_5(*[201.0, *[190.0] * 10])], **MARKS)
    assert steps(found) == [("raise", 3)]


def test_a_level_above_in_between_starts_the_hold_anew():
    wave = [101.0, *[94.0] * 6, 96.0, *[94.0] * 6]
    assert steps(events(GAUGE, [every_5(*wave)], **MARKS)) == [("raise", 2)]
    assert steps(events(GAUGE, [every_5(*wave, 94.0)], **MARKS)) == [("raise", 2), ("step_down", 1)]


def test_stages_end_one_at_a_time():
    found = events(GAUGE, [every_5(*[250.0, *[10.0] * 30])], **MARKS)
    assert steps(found) == [("raise", 3), ("step_down", 2), ("step_down", 1), ("clear", 0)]
    times = [e.time_us for e in found if e.kind in {"step_down", "clear"}]
    assert np.diff(times).tolist() == [30 * MIN, 30 * MIN]


def test_a_level_around_the_mark_does_not_flap():
    found = events(GAUGE, [every_5(*[49.0, 51.0] * 100)], **MARKS)
    assert steps(found) == [("raise", 1)]


def test_a_late_reading_raises_nothing_about_the_past():
    late = readings((0, T0 - 5 * MIN, 300.0))
    assert events(GAUGE, [every_5(10.0), late], **MARKS) == []


def test_a_late_high_reading_restarts_the_hold():
    falling = every_5(101.0, 94.0, 94.0, 94.0, 94.0, 94.0, 94.0, 94.0)
    late = readings((0, T0 + 17 * MIN, 99.0))
    found = events(GAUGE, [falling[:5], late, falling[5:]], **MARKS)
    assert steps(found) == [("raise", 2)]


def test_a_silent_gauge_keeps_its_alert():
    assert steps(events(GAUGE, [every_5(60.0)], **MARKS)) == [("raise", 1)]


def test_marks_of_a_rule_come_before_those_of_the_station():
    rules = [{"id": "own", "kind": "water_level", "stages_cm": [30.0], "audience": {1: "public"}}]
    found = events(GAUGE, [every_5(31.0)], rules=rules, **MARKS)
    assert [(e.kind, e.level, e.rule, e.audience) for e in found if e.kind == "raise"] == [
        ("raise", 1, "own", "public")
    ]


def test_a_gauge_without_marks_is_not_judged():
    assert events(GAUGE, [every_5(900.0)]) == []
