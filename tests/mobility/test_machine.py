"""One batch equals any split of it, state included; a repeated reading changes nothing; a fault costs one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobility_city import MIN, T0, catalogue, machine_of, readings, registry

from alerts.mobility import counting
from ingest.reading import Series

CITY = [
    Series("d", "vehicle_count", "in", "0000000000000005"),
    Series("d", "vehicle_count", "out", "0000000000000006"),
    Series("e", "parking_occupied", "", "0000000000000007"),
    Series("e", "parking_occupied", "", "0000000000000008"),
    Series("f", "vehicle_count_interval", "ltr", "0000000000000009"),
]
HOW = {"type_": "sensor", "capacity": 10}
TYPES = catalogue("vehicle_count", 100.0)
ROWS = st.lists(
    st.tuples(
        st.integers(0, len(CITY) - 1),
        # jittered, late, repeated, sometimes the same again
        st.one_of(
            st.integers(0, 60).map(lambda n: n * 5 * MIN),
            st.integers(0, 300 * 60).map(lambda s: s * 1_000_000),
        ),
        st.integers(0, 60).map(float),
    ),
    min_size=1,
    max_size=60,
)


def city(state=None):
    return machine_of(CITY, types=TYPES, state=state, **HOW)


def batch_of(rows):
    return readings(*((series, T0 + time, value) for series, time, value in rows))


def whole(machine):
    return machine.pages(), machine.parking(), machine.traffic()


@settings(max_examples=150, deadline=None)
@given(ROWS, st.data())
def test_one_batch_equals_any_split(rows, data):
    batch = batch_of(rows)
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8).map(sorted))
    one, other = city(), city()
    one.step(batch)
    for part in np.split(batch, cuts):
        other.step(part)
    assert whole(one) == whole(other)


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_a_reading_given_again_at_once_changes_nothing(rows):
    batch = batch_of(rows)
    one, other = city(), city()
    one.step(batch)
    other.step(np.repeat(batch, 2))
    assert (one.parking(), one.traffic()) == (other.parking(), other.traffic())


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 60))
def test_state_restored_from_pages_goes_on_alike(rows, cut):
    batch = batch_of(rows)
    one, first = city(), city()
    one.step(batch)
    first.step(batch[:cut])
    # the registry knew only half of the series at first
    later = machine_of(CITY[:3], types=TYPES, state=first.pages(), **HOW)
    later.adopt(later.plan(registry(CITY, **HOW), CITY))
    later.step(batch[cut:])
    assert (one.parking(), one.traffic()) == (later.parking(), later.traffic())


def test_a_rule_of_quality_keeps_a_reading_out():
    rules = [
        {"id": "c", "kind": "counts"},
        {"id": "q", "kind": "quality", "properties": "vehicle_count_interval", "gross_max": 50},
    ]
    machine = machine_of(CITY, rules)
    machine.step(batch_of([(4, 5 * MIN, 20.0), (4, 10 * MIN, 70.0), (4, 15 * MIN, float("nan"))]))
    (site,) = machine.traffic()
    assert [each.count for each in site.five_minutes] == [20]


def test_a_kernel_that_raises_costs_the_one_reading(monkeypatch):
    real, left_out = counting.step, []

    def faulty(rows, plan, batch, *more):
        found = real(rows, plan, batch, *more)
        if (batch.value == 55).any():
            raise ZeroDivisionError
        return found

    monkeypatch.setattr(counting, "step", faulty)
    batch = batch_of([(4, 5 * i * MIN, value) for i, value in enumerate((7, 8, 55, 9))])
    machine = city()
    with pytest.raises(ZeroDivisionError):
        machine.step(batch)
    machine = city()
    machine.step_carefully(batch, lambda rows, fault: left_out.append((float(rows["value"][0]), repr(fault))))
    assert left_out == [(55.0, "ZeroDivisionError()")]
    (site,) = machine.traffic()
    assert sum(each.count for each in site.five_minutes) == 24


@pytest.mark.parametrize("restarted", [False, True], ids=["reloaded", "restarted"])
@pytest.mark.parametrize("late", [0, 3, 15])
def test_another_interval_in_the_device_list_lets_no_late_reading_make_a_count_negative(restarted, late):
    series = [Series("road", "vehicle_count_interval", "in", "0000000000000001")]
    it = machine_of(series, interval_s=300)
    it.step(readings(*((0, T0 + minute * MIN, value) for minute, value in ((5, 0.0), (10, 0.0), (20, 40.0)))))
    if restarted:
        it = machine_of(series, state=dict(it.pages()), interval_s=900)
    else:
        it.adopt(it.plan(registry(series, interval_s=900), series))
    it.step(readings((0, T0 + late * MIN, 1.0)))
    it.step(readings((0, T0 + 35 * MIN, 9.0)))
    # and between two that were spread alike
    it.step(readings((0, T0 + 30 * MIN, 6.0)))
    (road,) = it.traffic()
    assert [each.count for each in road.five_minutes] == [0, 0, 0, 40, 3, 3, 9]


def test_an_interval_that_changes_before_the_first_real_count_costs_nothing():
    series = [Series("road", "vehicle_count_interval", "in", "0000000000000001")]
    it = machine_of(series, interval_s=300)
    it.step(readings((0, T0, 1e6)))
    it.adopt(it.plan(registry(series, interval_s=600), series))
    it.step(readings((0, T0 + 10 * MIN, 6.0), (0, T0 + 5 * MIN, 4.0)))
    (road,) = it.traffic()
    assert sum(each.count for each in road.five_minutes) == 10
