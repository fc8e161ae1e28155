"""Retention basins: time to overflow against an independent simulation, states, both spillways."""

import itertools
import math

import pytest
from engine_city import MIN, T0, kernels, one_series, readings

from alerts.catchments import parse_catchments
from alerts.errors import AlertsConfigError
from alerts.kernels.basin import Curves, filling, minutes_to

GAUGE = [one_series("water_level", station="basin")]
TABLE = {
    "id": "k",
    "name": "Kippemühle",
    "station": "basin",
    "volume": [[0, 0], [100, 3000], [180, 9000], [260, 18000]],
    "outlet": [[0, 0], [100, 0.6], [260, 1.2]],
    "spillways": [{"name": "Notüberlauf", "level_cm": 180}, {"name": "Dammkrone", "level_cm": 220}],
    "fictitious": True,
}
CATCHMENTS = parse_catchments({"basin": [TABLE]}, "catchments.toml")
CURVES = Curves(CATCHMENTS.basins[0])


def interpolate(curve, x):
    for (x0, y0), (x1, y1) in itertools.pairwise(curve):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    (x0, y0), (x1, y1) = curve[-2:]
    return y1 + (y1 - y0) * (x - x1) / (x1 - x0)


def simulated(inflow, start_cm=40.0, minutes=300, step_s=5):
    """Level each minute of a basin with this inflow (m³/s by minutes), by small explicit steps of its own."""
    backward = [(v, h) for h, v in TABLE["volume"]]
    volume, levels = interpolate(TABLE["volume"], start_cm), []
    for second in range(0, minutes * 60, step_s):
        level = interpolate(backward, volume)
        if second % 60 == 0:
            levels.append(level)
        volume += step_s * (inflow(second / 60) - interpolate(TABLE["outlet"], level))
        volume = max(volume, 0.0)
    return levels


def at(levels, minute):
    """The filling as the samples every five minutes up to a minute show it."""
    samples = range(minute % 5, minute + 1, 5)
    return filling(CURVES, [T0 + each * MIN for each in samples], [levels[each] for each in samples], 3.0)


def overflow(levels, cm):
    return next(minute for minute, level in enumerate(levels) if level >= cm)


def test_a_constant_inflow_is_found_and_the_time_to_both_spillways_is_right():
    levels = simulated(lambda _: 3.0)
    now = at(levels, 20)
    assert now.inflow == pytest.approx(3.0, abs=0.1)
    for spillway, (early, late) in zip((180, 220), now.overflow, strict=True):
        left = overflow(levels, spillway) - 20
        assert early == pytest.approx(left, abs=2)
        assert early <= late


def test_a_growing_inflow_lies_in_the_interval_or_is_warned_of_earlier():
    """A flood wave that rises for 90 minutes: at no time is the earlier estimate late by more than two."""
    levels = simulated(lambda t: 0.6 + 6.0 * min(t / 90, 1.0) ** 2)
    ends = overflow(levels, 180)
    for minute in range(30, ends, 5):
        now = at(levels, minute)
        if now.overflow[0] is not None:
            early, late = now.overflow[0]
            assert early <= ends - minute + 4, minute
            assert late >= early
    assert now.overflow[0][0] == pytest.approx(ends - minute, abs=5)


def test_an_inflow_that_the_outlet_takes_never_overflows():
    assert minutes_to(CURVES, CURVES.volume(90.0), 0.7, 0.0, 180.0) is None
    levels = simulated(lambda _: 0.5)
    assert at(levels, 60).overflow[0] is None


def test_the_outlet_counts():
    sealed = Curves(CATCHMENTS.basins[0].model_copy(update={"outlet": ()}))
    volume = CURVES.volume(40.0)
    assert minutes_to(sealed, volume, 3.0, 0.0, 180.0) == pytest.approx((9000 - volume) / 3.0 / 60)
    assert minutes_to(CURVES, volume, 3.0, 0.0, 180.0) > minutes_to(sealed, volume, 3.0, 0.0, 180.0)


def judged(levels):
    machine = kernels(GAUGE, catchments=CATCHMENTS)
    rows = readings(*((0, T0 + minute * MIN, levels[minute]) for minute in range(0, len(levels), 5)))
    return [e for e in machine.step(rows) if e.measure == "basin"], machine


def wave(top):
    return lambda t: 0.3 + top * math.exp(-(((t - 90) / 35) ** 2))


def test_states_come_before_the_overflow_and_go_one_way():
    levels = simulated(wave(5.0), minutes=600)
    found, _ = judged(levels)
    assert levels[overflow(levels, 180)] >= 180
    up = [(e.level, e.time_us) for e in found if e.kind in {"raise", "escalate"}]
    numbers = [level for level, _ in up]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 4
    assert len(numbers) <= 5
    spilled = T0 + overflow(levels, 180) * MIN
    warned = next(time for level, time in up if level >= 1)
    assert (spilled - warned) / MIN >= 25
    assert abs(next(time for level, time in up if level == 4) - spilled) <= 5 * MIN
    assert found[-1].kind == "clear"
    assert [e.kind for e in found].count("raise") == 1
    told = next(e for e in found if e.level < 4)
    assert told.expected_min[0] <= told.expected_min[1]
    assert "fictitious" in told.reason
    assert "fiktiv" in told.reference
    assert told.cause == "Notüberlauf"


def test_the_second_spillway_is_told_as_well():
    levels = simulated(wave(7.0), minutes=600)
    assert max(levels) > 220
    found, _ = judged(levels)
    spills = [e for e in found if e.level == 4 and e.kind in {"raise", "escalate"}]
    assert "Notüberlauf overflows" in spills[0].reason
    assert "Dammkrone overflows" in spills[-1].reason
    assert len(spills) == 2
    assert spills[-1].cause == "Dammkrone"


def test_noise_in_a_full_basin_raises_nothing_and_around_the_spillway_does_not_flap():
    quiet = [150 + (0.9 if i % 2 else -0.9) for i in range(600)]
    assert judged(quiet)[0] == []
    around = [100.0] * 60 + [180 + (1 if i % 10 == 0 else -1) for i in range(540)]
    assert [e.kind for e in judged(around)[0]].count("raise") == 1


def test_the_view_shows_volume_inflow_and_time():
    levels = simulated(lambda _: 3.0)
    machine = kernels(GAUGE, catchments=CATCHMENTS)
    machine.step(readings(*((0, T0 + m * MIN, levels[m]) for m in range(0, 21, 5))))
    (it,) = machine.levels()
    assert it.basin.fictitious
    assert it.basin.inflow == pytest.approx(3.0, abs=0.1)
    assert 0 < it.basin.share < 1
    assert [each.name for each in it.basin.spillways] == ["Notüberlauf", "Dammkrone"]
    assert it.basin.spillways[0].minutes[0] < it.basin.spillways[1].minutes[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"volume": [[0, 0], [100, 3000], [90, 4000], [260, 9000]]},
        {"volume": [[0, 0], [100, 3000], [260, 2000]]},
        {"spillways": [{"name": "a", "level_cm": 220}, {"name": "b", "level_cm": 180}]},
        {"spillways": [{"name": "a", "level_cm": 400}]},
    ],
)
def test_curves_that_do_not_rise_are_faults_with_a_remedy(wrong):
    with pytest.raises(AlertsConfigError) as caught:
        parse_catchments({"basin": [{**TABLE, **wrong}]}, "catchments.toml")
    assert all(fault.remedy for fault in caught.value.faults)
