"""$expand: what is shown within an entity is what its own address would show."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.sta.model import ENTITY_SETS, ToOne

NESTED = st.fixed_dictionaries(
    {},
    optional={
        "$top": st.sampled_from(["1", "2", "100"]),
        "$skip": st.sampled_from(["0", "1", "2"]),
        "$count": st.sampled_from(["true", "false"]),
        "$orderby": st.sampled_from(["id desc", "id asc"]),
        "$filter": st.sampled_from(["id gt 1", "id lt 3 or id gt 1000", "not (id eq 2)"]),
        "$select": st.sampled_from(["id", "id,@iot.selfLink"]),
    },
)
CHAINS = [
    *([name, link] for name, each in ENTITY_SETS.items() for link in each.links),
    *(["Things", "Datastreams", "Observations"], ["Observations", "Datastream", "Thing", "Locations"]),
    *(["Locations", "Things", "Datastreams", "Sensor"], ["FeaturesOfInterest", "Observations", "Datastream"]),
]


def expansion(chain, options):
    link, *rest = chain
    inner = [f"{name}={value}" for name, value in options[0].items()]
    if rest:
        inner.append(f"$expand={expansion(rest, options[1:])}")
    return f"{link}({';'.join(inner)})" if inner else link


def by_requests(sta, name, entity, chain, options):
    """An entity with what is expanded, asked for link by link."""
    link, *rest = chain
    given_ = dict(options[0])
    target = ENTITY_SETS[name].links[link]
    path = f"{name}({entity['@iot.id']})/{link}"
    entity = {key: value for key, value in entity.items() if key != f"{link}@iot.navigationLink"}
    if isinstance(target, ToOne):
        for option in ("$top", "$skip", "$count", "$orderby", "$filter"):
            given_.pop(option, None)
    found = sta.json(f"{path}?{'&'.join(f'{key}={value}' for key, value in given_.items())}")
    if isinstance(target, ToOne):
        return entity | {link: by_requests(sta, target.target, found, rest, options[1:]) if rest else found}
    values = found["value"]
    if rest:
        values = [by_requests(sta, target.target, each, rest, options[1:]) for each in values]
    entity[link] = values
    if "@iot.count" in found:
        entity[f"{link}@iot.count"] = found["@iot.count"]
    return entity


def without_next(value):
    if isinstance(value, list):
        return [without_next(each) for each in value]
    if isinstance(value, dict):
        return {key: without_next(each) for key, each in value.items() if not key.endswith("@iot.nextLink")}
    return value


@settings(max_examples=50)
@given(st.data())
def test_an_expansion_is_what_its_own_address_shows(sta, data):
    name, *chain = data.draw(st.sampled_from(CHAINS))
    options = []
    for depth, _ in enumerate(chain):
        drawn = data.draw(NESTED)
        set_ = name
        for link in chain[: depth + 1]:
            set_ = ENTITY_SETS[set_].links[link].target
        above = ENTITY_SETS[name]
        for link in chain[:depth]:
            above = ENTITY_SETS[above.links[link].target]
        if isinstance(above.links[chain[depth]], ToOne):
            drawn = {key: value for key, value in drawn.items() if key == "$select"}
        if depth + 1 < len(chain) and "$select" in drawn:
            del drawn["$select"]
        options.append(drawn)
    expanded = sta.json(f"{name}?$top=4&$expand={expansion(chain, options)}")["value"]
    plain = sta.json(f"{name}?$top=4")["value"]
    assert without_next(expanded) == [by_requests(sta, name, each, chain, options) for each in plain]


@settings(max_examples=20)
@given(
    st.sampled_from(["", "result desc", "phenomenonTime desc", "resultTime,result", "id desc"]),
    st.sampled_from(["", "result gt 1", "phenomenonTime lt 2026-07-14T18:38:00Z and not (result eq 2)"]),
    st.integers(1, 7),
    st.integers(0, 2),
)
def test_the_next_link_of_an_expansion_goes_on_where_it_ends(sta, orderby, filter_, top, skip):
    given_ = {
        "$orderby": orderby,
        "$filter": filter_,
        "$select": "id,result",
        "$expand": "Datastream($select=id)",
    }
    options = [f"{key}={value}" for key, value in given_.items() if value]
    for stream in sta.json(
        f"Datastreams?$select=id&$expand=Observations({';'.join([*options, f'$top={top};$skip={skip}'])})"
    )["value"]:
        walked = list(stream["Observations"])
        link = stream.get("Observations@iot.nextLink")
        assert link is None or len(walked) == top
        if link:
            walked += sta.walk(link)
        whole = sta.json(f"Datastreams({stream['@iot.id']})/Observations?$top=1000&{'&'.join(options)}")[
            "value"
        ]
        assert walked == whole[skip:]


def test_options_of_an_expansion_survive_in_its_next_link(sta):
    inner = "$select=name;$top=1;$count=true;$filter=name ne 'a;b&c=d+e(1)';$orderby=name desc"
    (thing,) = sta.json(
        f"Things?$top=1&$expand=Datastreams({inner.replace('&', '%26').replace('+', '%2B')})".replace(
            " ", "%20"
        )
    )["value"]
    assert thing["Datastreams@iot.count"] == 2
    assert thing["Datastreams"] == [{"name": "Tausch"}]
    page = sta.json(thing["Datastreams@iot.nextLink"])
    assert page == {"@iot.count": 2, "value": [{"name": "Stand"}]}


def test_a_datastream_with_its_newest_observation(sta):
    streams = sta.json("Datastreams?$expand=Observations($top=1;$orderby=phenomenonTime desc)")["value"]
    assert [len(each["Observations"]) for each in streams] == [1, 1, 0, 1]
    for stream in streams:
        newest = sta.json(
            f"Datastreams({stream['@iot.id']})/Observations?$orderby=phenomenonTime desc&$top=1"
        )
        assert stream["Observations"] == newest["value"]


@pytest.mark.parametrize("spelled", ["Thing/Locations", "Thing($expand=Locations)"])
def test_both_spellings_of_nesting_are_the_same(sta, spelled):
    (stream,) = sta.json(f"Datastreams?$top=1&$expand={spelled}")["value"]
    assert [each["name"] for each in stream["Thing"]["Locations"]] == ["Wehr", "Dach"]
    assert sta.json(f"Datastreams(1)?$expand={spelled}") == stream


def test_more_than_an_answer_can_hold_is_refused(other_town, monkeypatch):
    monkeypatch.setattr("api.sta.reading.MOST_ROWS", 20)
    client = other_town()
    assert client.get("Observations?$top=20").status_code == 200
    for query in (
        "Observations?$top=21",
        "Datastreams?$expand=Observations",
        "Things?$expand=Datastreams/Observations",
    ):
        answer = client.get(query)
        assert answer.status_code == 400, query
        assert "more than 20 entities" in answer.json()["detail"]


def test_few_entities_that_would_be_shown_very_often_are_refused(other_source, other_town):
    other_source.insert("things", (1, "t", "", None))
    other_source.insert("sensors", (1, "s", "", "", '""'))
    other_source.insert("observed_properties", (1, "p", "", ""))
    other_source.insert(
        "datastreams", *((each, "d", "", "", "{}", None, None, 1, 1, 1) for each in range(1, 21))
    )
    client = other_town(sta=lambda _: other_source)
    assert client.get("Things?$expand=Datastreams/Thing/Datastreams").status_code == 200
    other_source.insert("things", *((each, "t", "", None) for each in range(2, 21)))
    other_source.insert("locations", *((each, "l", "", "", "{}") for each in range(1, 21)))
    other_source.insert(
        "things_locations", *((thing, place) for thing in range(1, 21) for place in range(1, 21))
    )
    assert client.get("Things?$expand=Locations/Things").status_code == 200
    for chain in (["Datastreams", "Thing"], ["Locations", "Things"]):
        answer = client.get(f"Things?$expand={'/'.join(chain * 12)}")
        assert answer.status_code == 400
        assert "32 MB" in answer.json()["detail"]
