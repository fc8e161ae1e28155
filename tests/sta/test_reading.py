"""What is read over HTTP: the root, collections, entities, links, properties and their values."""

import pytest

SETS = [
    *("Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties"),
    *("Observations", "FeaturesOfInterest"),
]
REQUIREMENT = "http://www.opengis.net/spec/iot_sensing/1.1/req"


def test_the_root_lists_the_eight_sets_and_what_is_served(sta):
    for answer in (sta.json(), sta.json(f"{sta.base}/")):
        assert answer["value"] == [{"name": each, "url": f"{sta.base}/{each}"} for each in SETS]
        said = answer["serverSettings"]
        assert f"{REQUIREMENT}/datamodel/thing/properties" in said["conformance"]
        assert f"{REQUIREMENT}/request-data/built-in-query-functions" in said["conformance"]
        assert not [each for each in said["conformance"] if "create-update-delete" in each or "mqtt" in each]
        assert said["license"] == "http://dcat-ap.de/def/licenses/dl-zero-de/2.0"
        assert said["attribution"] == "Stadt Bergisch Gladbach"


def test_the_root_says_where_brokers_are(other_town):
    root = other_town(sta_mqtt=["mqtt://example.org:1883"]).json()
    name = f"{REQUIREMENT}/receive-updates-via-mqtt/receive-updates"
    assert root["serverSettings"][name] == {"endpoints": ["mqtt://example.org:1883"]}
    assert name in root["serverSettings"]["conformance"]


def test_an_observation_is_as_the_standard_shows_it(sta):
    own = f"{sta.base}/Observations(1)"
    shown = {
        "@iot.id": 1,
        "@iot.selfLink": own,
        "phenomenonTime": "2026-07-14T18:30:00Z",
        "result": 0,
        "resultTime": "2026-07-14T18:30:00.001Z",
        "Datastream@iot.navigationLink": f"{own}/Datastream",
        "FeatureOfInterest@iot.navigationLink": f"{own}/FeatureOfInterest",
    }
    answer = sta.json("Observations(1)")
    assert answer == shown
    assert list(answer) == list(shown)
    assert sta.json("Observations?$top=1")["value"] == [shown]


def test_what_is_absent_is_left_out_but_for_the_times_that_the_standard_wants(sta):
    first, second = sta.json("Things?$top=2")["value"]
    assert first["properties"] == {"assetID": "p-1", "ort": {"plz": "51465"}}
    assert "properties" not in second
    assert "phenomenonTime" not in sta.json("Datastreams(3)")
    odd = sta.json("Observations(1001)")
    assert odd["resultTime"] is None
    assert odd["phenomenonTime"] == "2026-07-14T18:30:00Z/2026-07-14T18:45:00Z"
    assert odd["validTime"] == "2026-07-14T18:30:00Z/2026-07-14T19:30:00Z"
    assert odd["resultQuality"] == {"flag": 1}


@pytest.mark.parametrize(
    ("id_", "result"),
    [(1001, True), (1002, 'voll, "sehr"\n\''), (1003, {"a": [1, None]}), (1004, None), (1005, 0.1 + 0.2)],
)
def test_a_result_is_what_was_measured(sta, id_, result):
    assert sta.json(f"Observations({id_})")["result"] == result
    (entity,) = sta.json(f"Observations?$filter=id eq {id_}")["value"]
    assert entity["result"] == result
    (group,) = sta.json(f"Observations?$filter=id eq {id_}&$resultFormat=dataArray")["value"]
    assert group["dataArray"][0][2] == result
    answer = sta.get(f"Observations({id_})/result")
    assert answer.status_code == (204 if result is None else 200)
    assert result is None or answer.json() == {"result": result}


def test_a_datastream_knows_when_its_observations_were(sta):
    assert sta.json("Datastreams(1)")["phenomenonTime"] == "2026-07-14T18:30:00Z/2026-07-14T18:41:00Z"
    assert sta.json("Datastreams(1)/phenomenonTime") == {
        "phenomenonTime": "2026-07-14T18:30:00Z/2026-07-14T18:41:00Z"
    }


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("Things(1)/Datastreams", [1, 4]),
        ("Things(1)/Locations", [1, 2]),
        ("Locations(2)/Things", [1, 2, 3]),
        ("Locations(2)/HistoricalLocations", [2, 3]),
        ("HistoricalLocations(1)/Locations", [1]),
        ("Sensors(1)/Datastreams", [1, 3]),
        ("ObservedProperties(2)/Datastreams", [2]),
        ("Datastreams(3)/Observations", []),
        ("Observations(1)/Datastream/Thing/Datastreams(4)/Sensor/Datastreams", [2, 4]),
    ],
)
def test_links_lead_to_the_entities_that_belong(sta, path, ids):
    assert [each["@iot.id"] for each in sta.json(path)["value"]] == ids
    linked = sta.json(f"{path}/$ref")["value"]
    target = {"Things": "Things", "Locations": "Locations"}.get(path.rpartition("/")[2]) or path.rpartition(
        "/"
    )[2]
    assert linked == [{"@iot.selfLink": f"{sta.base}/{target}({each})"} for each in ids]


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("Observations(2)/Datastream", "Datastreams(2)"),
        ("Observations(2)/Datastream/Thing", "Things(2)"),
        ("Observations(2)/FeatureOfInterest", "FeaturesOfInterest(1)"),
        ("HistoricalLocations(3)/Thing", "Things(1)"),
        ("Things(1)/Datastreams(4)/Sensor", "Sensors(2)"),
        ("Things(1)/Datastreams(4)/ObservedProperty", "ObservedProperties(1)"),
        ("Datastreams(1)/Observations(1)", "Observations(1)"),
    ],
)
def test_a_path_to_one_entity_gives_that_entity(sta, path, entity):
    assert sta.json(path) == sta.json(entity)
    assert sta.json(f"{path}/$ref") == {"@iot.selfLink": f"{sta.base}/{entity}"}


def test_every_link_of_every_entity_can_be_followed(sta):
    seen = 0
    for name in SETS:
        for entity in sta.json(f"{name}?$top=20")["value"]:
            assert sta.json(entity["@iot.selfLink"]) == entity
            for key, link in entity.items():
                if key.endswith("@iot.navigationLink"):
                    assert sta.get(link).status_code == 200
                    seen += 1
    assert seen > 50


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Things(1)/name", "Pegel Strunde"),
        ("Things(2)/name", 'Regen, "Gierath"'),
        ("Things(1)/@iot.id", "1"),
        ("Things(1)/properties/ort/plz", "51465"),
        ("Things(1)/properties/ort", '{"plz":"51465"}'),
        ("Locations(1)/location", '{"type":"Point","coordinates":[7.1,51.0]}'),
        ("Locations(1)/location/coordinates/0", "7.1"),
        ("Observations(1)/phenomenonTime", "2026-07-14T18:30:00Z"),
        ("Observations(1)/result", "0"),
        ("Datastreams(1)/unitOfMeasurement/symbol", "cm"),
        ("Sensors(1)/metadata", "https://example.org/mbx.pdf"),
    ],
)
def test_a_value_is_plain_text(sta, path, value):
    answer = sta.get(f"{path}/$value")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == value


@pytest.mark.parametrize(
    "path", ["Things(2)/properties", "Observations(1001)/resultTime", "Datastreams(3)/phenomenonTime"]
)
@pytest.mark.parametrize("tail", ["", "/$value"])
def test_a_property_without_a_value_is_204(sta, path, tail):
    answer = sta.get(path + tail)
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    "path",
    [
        *("Things(99)", "Things(9223372036854775807)", "Things(9223372036854775808)", "Things('a')"),
        *("Nothings", "Things(1)/nix", "Things(1)/properties/nix", "Things(1)/Observations"),
        *("Things(2)/Datastreams(1)", "Things(99)/Datastreams", "Things/Datastreams", "Things/$value"),
        *("Datastreams(1)/Observations(2)", "Things(1)/name/$ref", "Locations(1)/location/coordinates/2"),
    ],
)
def test_what_does_not_exist_is_a_404_with_a_hint_or_what_is_missing(sta, path):
    answer = sta.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_select_shows_only_what_was_chosen(sta):
    def first(options):
        return sta.json(f"Things?$top=1&{options}")["value"][0]

    whole = sta.json("Things(1)")
    for name in ("name", "description", "properties", "@iot.id", "@iot.selfLink"):
        assert first(f"$select={name}") == {name: whole[name]}
    assert first("$select=id") == {"@iot.id": 1}
    assert first("$select=description,name,id") == {n: whole[n] for n in ("@iot.id", "name", "description")}
    link = {"Datastreams@iot.navigationLink": f"{sta.base}/Things(1)/Datastreams"}
    assert first("$select=Datastreams") == link
    assert first("$select=name,Datastreams") == {"name": whole["name"], **link}
    assert first("$select=properties/ort/plz,properties/assetID") == {"properties": whole["properties"]}
    assert first("$select=properties/ort") == {"properties": {"ort": {"plz": "51465"}}}
    assert first("$select=name&$expand=Locations($select=name;$top=1)") == {
        "name": whole["name"],
        "Locations": [{"name": "Wehr"}],
        "Locations@iot.nextLink": f"{sta.base}/Things(1)/Locations?$select=name&$top=1&$skiptoken=WzFd",
    }
    assert sta.json("Things?$select=properties")["value"][1] == {}
    assert sta.json("Things(1)?$select=name") == {"name": whole["name"]}


def test_a_name_with_a_brace_and_a_comma_stays_as_it_is(other_source, other_town):
    other_source.insert("things", (1, "{,", "{,,{", None), (2, ",{", "", {"{,": ",{"}))
    client = other_town(sta=lambda _: other_source)
    assert client.json("Things?$select=properties,name")["value"] == [
        {"name": "{,"},
        {"name": ",{", "properties": {"{,": ",{"}},
    ]


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ("$select=nix", "$select"),
        ("$select=name/first", "$select"),
        ("$expand=Nix", "$expand"),
        ("$expand=Sensor", "$expand"),
        ("$expand=Datastreams($expand=Things)", "$expand"),
        ("$filter=nix eq 1", "$filter"),
        ("$filter=name eq", "$filter"),
        ("$orderby=nix", "$orderby"),
        ("$orderby=Datastreams/name", "$orderby"),
        ("$top=-1", "$top"),
        ("$top=x", "$top"),
        ("$skip=x", "$skip"),
        ("$count=maybe", "$count"),
        ("$resultFormat=xml", "$resultFormat"),
        ("$resultFormat=dataArray", "$resultFormat"),
        ("$skiptoken=abc", "$skiptoken"),
        ("$skiptoken=WzEsMl0", "$skiptoken"),
        ("$skiptoken=WyJhIl0", "$skiptoken"),
        ("$nix=1", "$nix"),
    ],
)
def test_what_cannot_be_meant_is_a_400_that_names_the_option(sta, options, option):
    answer = sta.get(f"Things?{options}")
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["option"] == option
    assert answer.json()["detail"]


def test_what_is_not_served_is_a_501(sta):
    assert sta.get("Things?$search=x").status_code == 501
    assert sta.get("Observations?$resultFormat=dataArray&$expand=Datastream").status_code == 400


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["Things", "Things(1)", "Things(99)", ""])
def test_writing_where_one_only_reads_is_a_405(sta, method, path):
    answer = sta.session.request(method, f"{sta.base}/{path}", json={"name": "x"}, timeout=30)
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert "reading" in answer.json()["detail"]
    assert sta.session.options(f"{sta.base}/{path}", timeout=30).headers["allow"] == "GET, HEAD, OPTIONS"


def test_an_answer_can_be_kept_and_asked_for_again(sta):
    answer = sta.get("Things")
    assert answer.headers["cache-control"] == "public, max-age=30"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.links["license"]["url"] == "http://dcat-ap.de/def/licenses/dl-zero-de/2.0"
    again = sta.get("Things", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = sta.session.head(f"{sta.base}/Things", timeout=30)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == answer.headers["etag"]


def test_an_operator_sees_what_operators_see_and_no_cache_keeps_it(source, other_source, other_town, token):
    client = other_town(sta=lambda view: other_source if view.operator is None else source)
    assert client.json("Things")["value"] == []
    answer = client.get("Things", headers={"Authorization": f"Bearer {token}"})
    assert [each["@iot.id"] for each in answer.json()["value"]] == [1, 2, 3]
    assert answer.headers["cache-control"] == "private, no-store"
    assert client.get("Things", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_without_a_source_there_is_no_sensorthings(other_town):
    client = other_town(sta=None)
    for path in ("", "Things"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "SensorThings" in answer.json()["detail"]


def test_addresses_are_those_of_the_configuration_where_it_has_some(other_town):
    client = other_town(url="https://daten.example.org/")
    assert client.json()["value"][0]["url"] == "https://daten.example.org/sta/v1.1/Things"
    page = client.json("Things?$top=1")
    assert page["@iot.nextLink"].startswith("https://daten.example.org/sta/v1.1/Things?$top=1&$skiptoken=")
    assert page["value"][0]["@iot.selfLink"] == "https://daten.example.org/sta/v1.1/Things(1)"


def test_a_query_that_reads_all_observations_has_less_time(other_town, monkeypatch):
    monkeypatch.setattr("api.sta.deadline.LONGEST_OF_ALL_S", 0.0)
    monkeypatch.setattr("api.sta.deadline._STEPS", 1)
    town = other_town()
    for query in (
        "$orderby=result desc",
        "$filter=result gt 1",
        "$filter=phenomenonTime gt 2026-07-14T00:00:00Z or result gt 1",
    ):
        answer = town.get(f"Observations?{query}")
        assert answer.status_code == 400, query
        assert "all Observations" in answer.json()["detail"]
        assert "Datastreams(1)/Observations" in answer.json()["hint"]
    narrow = (
        "Observations",
        "Observations?$count=true",
        "Datastreams(1)/Observations?$filter=result gt 1",
        "Observations?$filter=result gt 1 and phenomenonTime ge 2026-07-14T00:00:00Z",
        "Observations?$filter=result gt 1 and Datastream/id eq 1",
        "Observations?$filter=phenomenonTime ge 2026-07-14T00:00:00Z&$orderby=result",
    )
    for path in narrow:
        assert town.get(path).status_code == 200, path


def test_a_query_that_would_take_too_long_ends(other_town, monkeypatch):
    monkeypatch.setattr("api.sta.deadline.LONGEST_S", 0.0)
    monkeypatch.setattr("api.sta.deadline._STEPS", 1)
    answer = other_town().get("Observations?$orderby=result desc")
    assert answer.status_code == 400
    assert "too long" in answer.json()["detail"]
    assert "narrow" in answer.json()["hint"]
