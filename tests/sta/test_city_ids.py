import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sta import city_ids
from api.sta.city_ids import FIRST_US, LAST_US, entity_ids, observation_id, read_observation_id

KEYS = st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=30)
SERIES, TIMES = st.integers(0, (1 << 22) - 1), st.integers(FIRST_US, LAST_US)


@given(SERIES, TIMES)
def test_an_id_says_its_series_and_its_millisecond(series, time_us):
    id_ = observation_id(series, time_us)
    assert 0 <= id_ < 1 << 63
    read = read_observation_id(id_)
    assert read.series == series
    assert read.first_us <= time_us <= read.last_us
    assert read.last_us - read.first_us == 999


@given(st.integers(0, (1 << 63) - 1))
def test_every_number_is_the_id_of_its_first_microsecond(id_):
    read = read_observation_id(id_)
    assert observation_id(read.series, read.first_us) == id_


@given(SERIES, TIMES, TIMES)
def test_ids_of_a_series_grow_with_time(series, one, other):
    ids = [observation_id(series, each) for each in sorted((one, other))]
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    ("series", "time_us"), [(0, FIRST_US - 1), (0, LAST_US + 1), (1 << 22, FIRST_US), (-1, FIRST_US)]
)
def test_what_has_no_room_has_no_id(series, time_us):
    with pytest.raises(ValueError, match="has no id"):
        observation_id(series, time_us)


def test_numbers_of_entities_stay():
    assert entity_ids("Station", [("regen-gierath",)]) == {("regen-gierath",): 327865365711610}
    assert entity_ids("Sensor", [("regen-gierath",)]) != entity_ids("Station", [("regen-gierath",)])


@given(KEYS)
def test_entities_have_numbers_of_their_own_that_javascript_keeps(keys):
    ids = entity_ids("Datastream", keys)
    assert ids.keys() == set(keys)
    assert len(set(ids.values())) == len(set(keys))
    assert all(0 < each < 1 << 53 for each in ids.values())
    assert ids == entity_ids("Datastream", reversed(keys))


@given(KEYS)
def test_keys_that_share_a_number_take_the_next(keys):
    few = city_ids._ENTITY_BITS
    city_ids._ENTITY_BITS = 6
    try:
        ids = entity_ids("Datastream", keys)
        assert len(set(ids.values())) == len(set(keys))
        assert all(0 < each < 64 for each in ids.values())
        assert ids == entity_ids("Datastream", reversed(keys))
    finally:
        city_ids._ENTITY_BITS = few
