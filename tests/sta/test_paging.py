"""Pages: each entity once, whatever the order, the filter, the size of a page, and what arrives meanwhile."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sta_scratch import MINUTE, T0

ORDERS = [
    *(
        "",
        "id",
        "id desc",
        "phenomenonTime",
        "phenomenonTime desc",
        "result",
        "result desc",
        "resultTime desc",
    ),
    *("result desc,phenomenonTime", "phenomenonTime desc,result", "result,id desc", "resultTime,result desc"),
    *("Datastream/name desc,phenomenonTime", "Datastream/properties/serviceName", "parameters/art desc"),
    *("validTime", "validTime desc", "resultTime,id"),
]
FILTERS = [
    *(
        "",
        "result gt 2",
        "result lt 3 or id gt 1000",
        "Datastream/id eq 2",
        "phenomenonTime ge 2026-07-14T18:35:00Z",
    ),
    *("resultTime eq null", "not (result gt 2)", "Datastream/Thing/name eq 'Pegel Strunde'", "result eq 99"),
]
PATHS = [
    "Observations",
    "Datastreams(1)/Observations",
    "Datastreams(2)/Observations",
    "FeaturesOfInterest(2)/Observations",
]
THINGS = [
    "",
    "name",
    "name desc",
    "properties/assetID",
    "properties/assetID desc,name",
    "description,id desc",
]


def address(path, **options):
    given_ = [f"${name}={quote(str(value))}" for name, value in options.items() if value not in {"", None}]
    return f"{path}?{'&'.join(given_)}"


def ids(entities):
    return [each["@iot.id"] for each in entities]


@settings(max_examples=60)
@given(
    st.sampled_from(PATHS),
    st.sampled_from(ORDERS),
    st.sampled_from(FILTERS),
    st.tuples(st.integers(1, 50), st.integers(0, 5)),
)
def test_walking_the_pages_gives_each_entity_once_in_order(sta, path, orderby, filter_, place):
    top, skip = place
    whole = sta.json(address(path, orderby=orderby, filter=filter_, top=10_000, count="true"))
    assert "@iot.nextLink" not in whole
    assert whole["@iot.count"] == len(whole["value"])
    assert len(set(ids(whole["value"]))) == len(whole["value"])
    walked = sta.walk(address(path, orderby=orderby, filter=filter_, top=top, skip=skip))
    assert walked == whole["value"][skip:]
    page = sta.json(address(path, orderby=orderby, filter=filter_, top=top, skip=skip, count="true"))
    assert page["@iot.count"] == whole["@iot.count"]
    assert len(page["value"]) == min(top, max(0, whole["@iot.count"] - skip))
    assert ("@iot.nextLink" in page) == (skip + top < whole["@iot.count"])


@settings(max_examples=30)
@given(st.sampled_from(THINGS), st.integers(1, 4), st.sampled_from(["Things", "Locations(2)/Things"]))
def test_so_do_sets_whose_keys_are_texts_or_absent(sta, orderby, top, path):
    whole = sta.json(address(path, orderby=orderby))["value"]
    assert sorted(ids(whole)) == [1, 2, 3]
    assert sta.walk(address(path, orderby=orderby, top=top)) == whole


def test_the_order_is_that_of_the_keys(sta):
    found = sta.json("Observations?$filter=id lt 1000&$orderby=result desc,phenomenonTime asc&$top=100")[
        "value"
    ]
    keys = [(-each["result"], each["phenomenonTime"], each["@iot.id"]) for each in found]
    assert len(found) == 36
    assert keys == sorted(keys)
    assert ids(sta.json("Observations?$top=100")["value"]) == [*sorted(ids(found)), *range(1001, 1006)]


def test_the_next_page_keeps_every_other_option(sta):
    query = "$filter=result%20gt%201&$orderby=result+desc&$select=id,result&$expand=Datastream($select=name)"
    page = sta.json(f"Observations?{query}&$top=2&$skip=1&$count=true&key=a%26b%2Bc")
    before, _, token = page["@iot.nextLink"].partition("&$skiptoken=")
    assert before == f"{sta.base}/Observations?{query}&$top=2&$count=true&key=a%26b%2Bc"
    assert token
    following = sta.json(page["@iot.nextLink"])
    assert following["@iot.count"] == page["@iot.count"]
    assert [set(each) for each in following["value"]] == [{"@iot.id", "result", "Datastream"}] * 2


def test_what_an_address_may_not_hold_is_encoded_in_the_next_page(sta):
    link = sta.json(
        'Things?$filter=name ne "x" or name ne \'a"<b>\\|^`{}\'&$top=1'.replace('name ne "x" or ', "")
    )["@iot.nextLink"]
    assert not set(link) & set(' "<>\\|^`{}')
    assert len(sta.walk(link)) == 2


@pytest.mark.parametrize(("path", "most"), [("Things", 1000), ("Observations", 10_000)])
def test_a_page_is_never_larger_than_the_server_likes(other_source, other_town, path, most):
    one_stream(other_source)
    other_source.insert("things", *((each, f"{each}", "", None) for each in range(2, 1003)))
    rows = [(each, T0 + each * MINUTE, None, each, *[None] * 6, 1, 1) for each in range(1, 10_003)]
    other_source.insert("observations", *rows)
    client = other_town(sta=lambda _: other_source)
    for top, size in {"": 100, "$top=2147483647": most, f"$top={9**30}": most, "$top=0": 0}.items():
        page = client.json(f"{path}?{top}&$select=id&$count=true")
        assert len(page["value"]) == size
        assert page["@iot.count"] == most + 2
        assert ("@iot.nextLink" in page) == (size > 0)


def one_stream(source):
    source.insert("things", (1, "t", "", None))
    source.insert("sensors", (1, "s", "", "", '""'))
    source.insert("observed_properties", (1, "p", "", ""))
    source.insert("datastreams", (1, "d", "", "", "{}", None, None, 1, 1, 1))
    source.insert("features", (1, "f", "", "", "{}"))


@pytest.mark.parametrize("orderby", ["", "phenomenonTime desc", "result", "result desc"])
def test_what_arrives_between_two_pages_shifts_and_repeats_nothing(other_source, other_town, orderby):
    one_stream(other_source)

    def add(number, minute, result):
        other_source.insert("observations", (number, T0 + minute * MINUTE, None, result, *[None] * 6, 1, 1))

    for number in range(20):
        add(100 + number, number * 10, number % 4)
    client = other_town(sta=lambda _: other_source)
    link = address("Datastreams(1)/Observations", orderby=orderby, top=3)
    found, new = [], 0
    while link:
        page = client.json(link)
        found += ids(page["value"])
        link = page.get("@iot.nextLink")
        for minute, result in ((-5, -1), (95, 1), (500, 9)):
            add(1000 + new if minute > 0 else new, minute + new, result)
            new += 1
    assert len(found) == len(set(found))
    assert set(range(100, 120)) <= set(found)


def test_keys_too_long_for_an_address_page_by_skip(other_source, other_town):
    for number in range(1, 8):
        other_source.insert("things", (number, "ä" * 3000 + str(8 - number), "", None))
    client = other_town(sta=lambda _: other_source)
    page = client.json("Things?$orderby=name&$top=2&$select=id")
    assert page["@iot.nextLink"].endswith("&$skip=2")
    assert ids(client.walk("Things?$orderby=name&$top=2&$select=id")) == [7, 6, 5, 4, 3, 2, 1]
