import numpy as np
import pytest
from engine_city import MIN, T0, kernels, readings
from hypothesis import given
from hypothesis import strategies as st
from test_areas import feature, parsed

from alerts.areal_rain import ArealRain, GaugeRain, area_rain, inverse_squares, weights
from devices.registry import Station
from ingest.reading import Series

AREA = parsed(feature()).areas[0]
LAT, LON = st.floats(50.86, 51.04), st.floats(6.94, 7.16)
MM = st.floats(0, 300) | st.just(float("nan"))
GAUGES = st.lists(st.tuples(LAT, LON, MM), min_size=1, max_size=8)


def of(gauges):
    lat, lon, mm = (np.array(each) for each in zip(*gauges, strict=True))
    return inverse_squares(AREA.form, lat, lon), mm


@given(GAUGES)
def test_the_mean_stays_between_the_gauges(gauges):
    raw, mm = of(gauges)
    found = area_rain(raw, mm)
    live = mm[(raw > 0).any(axis=0) & ~np.isnan(mm)]
    assert found.gauges == len(live)
    if not len(live):
        assert (found.mean, found.max, found.completeness) == (None, None, 0.0)
        return
    assert live.min() <= found.mean <= found.max == live.max()
    assert 0 < found.completeness <= 1
    assert (found.completeness == pytest.approx(1)) == (len(live) == (raw > 0).any(axis=0).sum())


@given(GAUGES, st.floats(0, 300))
def test_the_same_rain_everywhere_is_the_mean(gauges, mm):
    raw, values = of(gauges)
    found = area_rain(raw, np.where(np.isnan(values), np.nan, mm))
    assert found.mean is None or (found.mean, found.max) == (mm, mm)


@given(LAT, LON, st.floats(0, 300))
def test_one_gauge_alone_is_the_mean(lat, lon, mm):
    raw, values = of([(lat, lon, mm)])
    if raw.any():
        assert area_rain(raw, values).mean == mm


@given(GAUGES)
def test_weights_add_up_to_one(gauges):
    raw, mm = of(gauges)
    share = weights(raw, ~np.isnan(mm))
    assert share.sum() == pytest.approx(1) or not share.any()
    assert (share[np.isnan(mm)] == 0).all()


def test_the_nearer_gauge_counts_more_and_a_far_one_not_at_all():
    raw, _ = of([(50.95, 7.05, 0.0), (50.88, 7.05, 0.0), (51.5, 7.05, 0.0)])
    share = weights(raw, np.ones(3, np.bool_))
    assert share[0] > 2 * share[1] > 0
    assert share[2] == 0


def test_half_way_between_two_gauges_is_half_of_both():
    raw, mm = of([(50.95, 7.0, 10.0), (50.95, 7.1, 30.0)])
    assert area_rain(raw, mm).mean == pytest.approx(20.0, abs=0.01)


def machine(interval_s=300, count=1):
    series = [Series(f"s{i}", "precipitation", "", f"{i:016x}") for i in range(count)]
    return kernels(series, interval_s=interval_s)


def rain(*depths, series=0, start=T0):
    return readings(*((series, start + i * 5 * MIN, mm) for i, mm in enumerate(depths, 1)))


def test_a_gauge_tells_its_sums_once_it_has_heard_enough_of_them():
    kernel = machine()
    kernel.step(rain(*[1.0] * 12))
    now = T0 + 60 * MIN
    assert kernel.gauge_rain(now) == (GaugeRain("s0", (12.0, None, None)),)
    kernel.step(rain(*[0.0] * 60, start=now))
    assert kernel.gauge_rain(now + 300 * MIN) == (GaugeRain("s0", (0.0, 12.0, None)),)
    assert machine().gauge_rain(now) == ()


def test_a_silent_gauge_and_one_with_doubtful_readings_are_left_out():
    kernel = machine(count=2)
    kernel.step(rain(*[1.0] * 12))
    kernel.step(rain(*[2.0] * 12, series=1))
    now = T0 + 60 * MIN
    assert [gauge.mm[0] for gauge in kernel.gauge_rain(now + 14 * MIN)] == [12.0, 24.0]
    assert [gauge.mm[0] for gauge in kernel.gauge_rain(now + 16 * MIN)] == [None, None]
    later = rain(*[0.5] * 12, start=now)
    doubtful = rain(*[0.5] * 12, series=1, start=now)
    doubtful["quality"] = 3
    kernel.step(later)
    kernel.step(doubtful)
    assert [gauge.mm[0] for gauge in kernel.gauge_rain(now + 60 * MIN)] == [6.0, None]


def test_a_gap_within_the_hour_leaves_the_hour_out():
    kernel = machine()
    kernel.step(rain(*[1.0] * 24))
    now = T0 + 120 * MIN
    kernel.step(rain(1.0, 1.0, start=now + 30 * MIN))
    assert kernel.gauge_rain(now + 40 * MIN)[0].mm[0] is None


def test_only_the_given_stations_count():
    areas = parsed(feature(id="a"))
    gauges = [GaugeRain("near", (4.0, None, None)), GaugeRain("secret", (40.0, None, None))]
    rain = ArealRain(areas, lambda: gauges)
    near = {"near": Station("near", "", 50.95, 7.05, True, ())}
    both = near | {"secret": Station("secret", "", 50.951, 7.051, False, ())}
    public, operator = rain.of(near)["a"], rain.of(both)["a"]
    assert (public[0].mean, public[0].max, public[0].gauges) == (4.0, 4.0, 1)
    assert (public[1].mean, public[1].gauges) == (None, 0)
    assert operator[0].max == 40.0
    assert rain.of({})["a"][0].gauges == 0
