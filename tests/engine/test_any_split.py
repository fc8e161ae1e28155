"""One batch equals any split of it, events and state included; a repeated reading changes nothing."""

import numpy as np
from engine_city import MIN, T0, catalogue, kernels, readings, registry
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.kernels.kernels import Kernels
from alerts.kostra.kostra import Kostra, shipped_table
from alerts.rules import load_rules
from ingest.reading import Series

CITY = [
    Series("a", "precipitation", "", "0000000000000001"),
    Series("b", "precipitation_total", "", "0000000000000002"),
    Series("c", "water_level", "", "0000000000000003"),
    Series("c", "water_level", "", "0000000000000004"),
]
HOW = {
    "types": catalogue("precipitation_total", 100.0),
    "type_": "sensor",
    "stages_cm": (20.0, 30.0, 40.0),
    "kostra": Kostra(everywhere=shipped_table()),
}
ROWS = st.lists(
    st.tuples(
        st.integers(0, len(CITY) - 1),
        # jittered, late, repeated, sometimes the same again; ids tell seconds apart
        st.one_of(
            st.integers(0, 60).map(lambda n: n * 5 * MIN),
            st.integers(0, 300 * 60).map(lambda s: s * 1_000_000),
        ),
        st.integers(0, 60).map(float),
    ),
    min_size=1,
    max_size=60,
)


def city():
    machine = kernels(CITY, **HOW)
    assert machine._rules.rules == load_rules().rules
    return machine


def whole(machine):
    return machine.pages(), machine.levels(), machine.gauge_rain(T0 + 300 * MIN)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.data())
def test_one_batch_equals_any_split(rows, data):
    batch = readings(*((series, T0 + time, value) for series, time, value in rows))
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=8).map(sorted))
    one, other = city(), city()
    together = one.step(batch)
    apart = [event for part in np.split(batch, cuts) for event in other.step(part)]
    assert together == apart
    assert whole(one) == whole(other)
    # late readings may make one crossing twice at one newest reading; the journal keeps it once
    ids = [each.id for each in together if each.kind != "crossing"]
    assert len(set(ids)) == len(ids)


@settings(max_examples=80, deadline=None)
@given(ROWS)
def test_a_reading_given_again_at_once_changes_nothing(rows):
    batch = readings(*((series, T0 + time, value) for series, time, value in rows))
    one, other = city(), city()
    assert one.step(batch) == other.step(np.repeat(batch, 2))
    assert whole(one)[1:] == whole(other)[1:]
    totals = [machine._rain.rows["head"]["total"].tolist() for machine in (one, other)]
    assert totals[0] == totals[1]


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 60))
def test_state_restored_from_pages_goes_on_alike(rows, cut):
    batch = readings(*((series, T0 + time, value) for series, time, value in rows))
    one, first = city(), city()
    events = one.step(batch)
    before = first.step(batch[:cut])
    saved = first.pages()
    # the registry knew only half of the series at first
    installed = registry(CITY, **{key: value for key, value in HOW.items() if key not in {"types", "kostra"}})
    later = Kernels(load_rules(), registry(CITY[:4]), HOW["types"], CITY[:4], saved, HOW["kostra"])
    later.arrange(installed, CITY)
    assert before + later.step(batch[cut:]) == events
    assert whole(one)[1:] == whole(later)[1:]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 60)), min_size=2, max_size=25),
    st.randoms(use_true_random=False),
)
def test_shuffled_and_repeated_rain_ends_where_the_sorted_ends(rows, random):
    """Sums and the criteria that hold, DWD's and the SRI's of every duration."""
    time, given_rows = T0, []
    for marks, tips in rows:
        time += marks * 5 * MIN
        given_rows.append((0, time, tips * 0.2))
    shuffled = given_rows + random.sample(given_rows, len(given_rows) // 2)
    random.shuffle(shuffled)
    one, other = city(), city()
    one.step(readings(*given_rows))
    other.step(readings(*shuffled))
    for field in ("met", "sri_met"):
        assert one._rain.rows[field][0].tolist() == other._rain.rows[field][0].tolist()
    assert one._rain.rows["head"]["total"][0] == other._rain.rows["head"]["total"][0]


def test_many_gauges_in_days_of_rain_are_judged_as_one_by_one():
    """Bursts, calm, old rain and every level, in gauges of several kinds and intervals: events and state."""
    random = np.random.default_rng(7)
    gauges = [
        Series(f"g{i}", "precipitation_total" if i % 3 == 2 else "precipitation", "", f"{i + 1:016x}")
        for i in range(24)
    ]
    how = {"kostra": Kostra(everywhere=shipped_table())}
    many, alone = (kernels(gauges, **how) for _ in range(2))
    strength = np.repeat(random.choice([0.0, 0.2, 1.0, 4.0], 60, p=[0.5, 0.3, 0.1, 0.1]), 15)
    total = np.zeros(len(gauges))
    found = []
    for step, mean in enumerate(strength.tolist()):
        depth = random.gamma(0.7, mean / 0.7, len(gauges)).round(1) if mean else np.zeros(len(gauges))
        total += depth
        rows = [
            (i, T0 + step * 5 * MIN, float(total[i] if i % 3 == 2 else depth[i]))
            for i in range(len(gauges))
            if random.random() < 0.97
        ]
        together = many.step(readings(*rows))
        found += together
        assert together == [event for row in rows for event in alone.step(readings(row))]
    assert whole(many) == whole(alone)
    assert {"crossing", "raise", "escalate", "step_down", "clear", "falling"} == {
        event.kind for event in found
    }
    assert {event.measure for event in found} == {"dwd_starkregen", "dwd_dauerregen", "sri", "incident"}
