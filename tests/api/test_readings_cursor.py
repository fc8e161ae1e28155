"""Paging through readings while others arrive: new ones, late ones, some of the same time."""

import itertools
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_town import COUNTER, LEVEL, MINUTE, RAIN, SECRET, T0, TOKEN
from starlette.testclient import TestClient

from api.rfc3339 import format_us

DAY = 1440 * MINUTE
WHAT = st.sampled_from(
    [
        (RAIN, "precipitation"),
        (RAIN, "air_temperature"),
        (LEVEL, "water_level"),
        (LEVEL, "battery_voltage"),
        (COUNTER, "vehicle_count", "in"),
        (COUNTER, "vehicle_count", "out"),
        (SECRET, "water_level"),
    ]
)
# few moments, so that many are the same
READINGS = st.lists(st.tuples(WHAT, st.integers(0, 6), st.sampled_from([1, 1, 3])), max_size=6)
SPANS = itertools.count(1)


def arrive(city, begin, readings):
    for (device, name, *channel), minute, quality in readings:
        city.measure(device, begin + minute * MINUTE, (name, 1.0, *(channel or [""]), quality))


def keys(items):
    return [(each["time"], each["station"], each["property"], each.get("channel", "")) for each in items]


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    before=st.lists(READINGS, min_size=2, max_size=6),
    meanwhile=st.lists(READINGS, max_size=12),
    asked=st.tuples(
        st.integers(1, 5),
        st.sampled_from(["asc", "desc"]),
        st.sampled_from(["", "&quality=1,3", "&property=water_level", "&station=regen-gierath"]),
        st.booleans(),
    ),
)
def test_what_was_there_comes_once_and_in_order_whatever_arrives(city, before, meanwhile, asked):
    limit, order, more, operator = asked
    begin = T0 + next(SPANS) * DAY
    for each in before:
        arrive(city, begin, each)
    span = f"from={quote(format_us(begin))}&to={quote(format_us(begin + DAY))}"
    address = f"/api/v1/readings?{span}&order={order}{more}"
    headers = {"Authorization": f"Bearer {TOKEN}"} if operator else {}
    with TestClient(city.app(), headers=headers) as client:
        there = keys(client.get(f"{address}&limit=10000").json()["items"])
        arriving = iter(meanwhile)
        found, page = [], f"{address}&limit={limit}"
        while page:
            answer = client.get(page)
            items = keys(answer.json()["items"])
            assert len(items) <= limit
            found += items
            arrive(city, begin, next(arriving, ()))
            page = answer.links.get("next", {}).get("url")
    assert [key for key in found if key in set(there)] == there
    assert len(found) == len(set(found))
    times = [key[0] for key in found]
    assert times == sorted(times, reverse=order == "desc")
