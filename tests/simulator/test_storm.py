"""The design storm has the table's depths, the creek its course."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.simulator.creek import Reach, discharge, unit_hydrograph
from devices.simulator.storm import BLOCK_MIN, Storm, design_depths, euler_type_2

PERIODS = (1, 2, 3, 5, 10, 20, 30, 50, 100)
DURATIONS = (60, 90, 120)
LAT, LON = 50.9921, 7.1282


def heaviest(blocks, duration_min):
    totals = list(accumulate(blocks, initial=0))
    width = duration_min // BLOCK_MIN
    return max(totals[min(i + width, len(totals) - 1)] - totals[i] for i in range(len(totals)))


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("rain_min", DURATIONS)
def test_the_heaviest_window_of_every_duration_has_the_depth_of_the_table(period, rain_min):
    depths = design_depths(period)
    blocks = euler_type_2(depths, rain_min)
    for duration, depth in depths.items():
        if duration <= rain_min:
            assert heaviest(blocks, duration) == round(depth * 10), duration


def test_the_table_is_the_one_that_dwd_published():
    # flood.md's two rows of the same table, and DWD's shorter durations as the shape needs them
    assert [design_depths(t)[60] for t in PERIODS] == [16.6, 22.1, 25.3, 29.3, 34.8, 40.3, 43.5, 47.5, 53.0]
    assert [design_depths(t)[360] for t in PERIODS] == [26.2, 32.7, 36.5, 41.3, 47.8, 54.3, 58.1, 62.9, 69.5]


@pytest.mark.parametrize("rain_min", DURATIONS)
def test_the_peak_stands_at_three_tenths_and_the_rest_falls_off_on_both_sides(rain_min):
    blocks = euler_type_2(design_depths(100), rain_min)
    peak = blocks.index(max(blocks))
    assert peak * BLOCK_MIN == rain_min * 3 // 10 // BLOCK_MIN * BLOCK_MIN
    assert all(a <= b for a, b in pairwise(blocks[: peak + 1]))
    assert all(a >= b for a, b in pairwise(blocks[peak:]))
    # the one before the peak outweighs the one after it: that is type II
    assert blocks[peak - 1] >= blocks[peak + 1]


def test_a_duration_or_a_return_period_the_table_lacks_is_named():
    with pytest.raises(ValueError, match="75 min"):
        euler_type_2(design_depths(100), 75)
    with pytest.raises(ValueError, match="7 years"):
        design_depths(7)


@given(lat=st.floats(50.9, 51.1), lon=st.floats(7.0, 7.3), minutes=st.floats(-60, 400))
def test_rain_at_a_place_never_falls_back_and_ends_at_its_share(lat, lon, minutes):
    storm = Storm(euler_type_2(design_depths(100), 60), LAT, LON)
    rain = storm.at(lat, lon)
    assert rain.total(minutes) <= rain.total(minutes + 3)
    assert 0 <= rain.total(minutes) <= rain.totals[-1] == round(530 * rain.factor)


def test_the_storm_comes_later_along_its_track_and_weaker_beside_it():
    storm = Storm(euler_type_2(design_depths(100), 60), LAT, LON)
    core, east, west, beside = (
        storm.at(LAT, LON),
        storm.at(50.9968, 7.1716),
        storm.at(50.9868, 7.0985),
        storm.at(50.9637, 7.1558),
    )
    assert core.factor == 1.0
    assert core.delay_min == 0
    assert west.delay_min < 0 < east.delay_min
    assert east.factor > 0.9
    assert beside.factor < 0.5


def test_the_unit_hydrograph_loses_no_water():
    assert sum(unit_hydrograph(3, 9.0, 420)) == pytest.approx(1.0, abs=1e-3)


def test_a_creek_rises_to_its_crest_after_the_rain_and_falls_back():
    blocks = euler_type_2(design_depths(100), 60)
    reach = Reach(base_cm=16, crest_cm=108, delay_min=28, flow=discharge(blocks))
    levels = [reach.level(minute) for minute in range(300)]
    crest = levels.index(max(levels))
    assert 28 + 20 < crest < 28 + 60
    assert max(levels) == pytest.approx(108, abs=0.5)
    assert levels[20] == 16
    assert levels[-1] == pytest.approx(16, abs=1)
    assert all(a >= b for a, b in pairwise(levels[crest:]))
