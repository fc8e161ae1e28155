"""$resultFormat: data arrays, tables and features."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

COMPONENTS = ["id", "phenomenonTime", "result", "resultTime", "resultQuality", "validTime", "parameters"]


def table(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = answer.content.decode()
    assert text.count("\n") == text.count("\r\n") + sum(each.count("\n") for each in ['voll, "sehr"\n\'']) * (
        "voll" in text
    )
    return list(csv.DictReader(io.StringIO(text, newline="")))


def features(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/geo+json"
    document = answer.json()
    assert document["type"] == "FeatureCollection"
    assert {each["type"] for each in document["features"]} <= {"Feature"}
    return document


@settings(max_examples=25)
@given(
    st.sampled_from(["Observations", "Datastreams(2)/Observations", "Datastreams(3)/Observations"]),
    st.sampled_from(["", "&$orderby=result desc", "&$filter=result gt 2"]),
    st.integers(1, 45),
)
def test_a_data_array_holds_what_the_entities_hold(sta, path, options, top):
    entities = sta.json(f"{path}?$top={top}&$count=true{options}")
    arrays = sta.json(f"{path}?$top={top}&$count=true{options}&$resultFormat=dataArray")
    assert arrays["@iot.count"] == entities["@iot.count"]
    assert ("@iot.nextLink" in arrays) == ("@iot.nextLink" in entities)
    found = {}
    for group in arrays["value"]:
        assert group["components"] == COMPONENTS
        assert group["dataArray@iot.count"] == len(group["dataArray"])
        rows = [dict(zip(COMPONENTS, row, strict=True)) for row in group["dataArray"]]
        found |= {row["id"]: (group["Datastream@iot.navigationLink"], row) for row in rows}
        order = [each["@iot.id"] for each in entities["value"]]
        assert [row["id"] for row in rows] == [id_ for id_ in order if id_ in {row["id"] for row in rows}]
    assert len(found) == len(entities["value"])
    assert len({each["Datastream@iot.navigationLink"] for each in arrays["value"]}) == len(arrays["value"])
    for entity in entities["value"]:
        link, row = found[entity["@iot.id"]]
        assert row == {"id": entity["@iot.id"]} | {name: entity.get(name) for name in COMPONENTS[1:]}
        if top < 4:
            assert sta.json(entity["Datastream@iot.navigationLink"])["@iot.selfLink"] == link


def test_a_data_array_has_the_components_chosen(sta):
    page = sta.json(
        "Datastreams(1)/Observations?$resultFormat=dataArray&$select=result,phenomenonTime&$top=2"
    )
    assert page["value"] == [
        {
            "Datastream@iot.navigationLink": f"{sta.base}/Datastreams(1)",
            "components": ["phenomenonTime", "result"],
            "dataArray@iot.count": 2,
            "dataArray": [["2026-07-14T18:30:00Z", 0], ["2026-07-14T18:31:00Z", 5]],
        }
    ]
    following = sta.json(page["@iot.nextLink"])["value"][0]
    assert following["components"] == ["phenomenonTime", "result"]
    assert following["dataArray"][0][0] == "2026-07-14T18:32:00Z"


def test_a_data_array_of_nothing_is_empty(sta):
    assert sta.json("Datastreams(3)/Observations?$resultFormat=dataArray&$count=true") == {
        "@iot.count": 0,
        "value": [],
    }


@pytest.mark.parametrize("path", ["Things", "Observations(1)", "Datastreams(1)"])
def test_only_observations_are_a_data_array(sta, path):
    answer = sta.get(f"{path}?$resultFormat=dataArray")
    assert answer.status_code == 400
    assert answer.json()["option"] == "$resultFormat"


def test_a_table_has_a_column_for_each_property_and_each_part_of_the_unit(sta):
    first, *_ = table(sta.get("Datastreams?$resultFormat=CSV"))
    assert list(first)[:8] == [
        *(
            "id",
            "name",
            "description",
            "observationType",
            "unitOfMeasurement/name",
            "unitOfMeasurement/symbol",
        ),
        *("unitOfMeasurement/definition", "observedArea"),
    ]
    assert first["unitOfMeasurement/symbol"] == "cm"
    assert first["properties"] == '{"serviceName":"GL_STA_Pegel"}'
    assert table(sta.get("Datastreams(1)?$resultFormat=CSV")) == [first]


def test_a_table_survives_quotes_commas_and_line_breaks(sta):
    assert [each["name"] for each in table(sta.get("Things?$resultFormat=CSV"))] == [
        *("Pegel Strunde", 'Regen, "Gierath"', "Parkplatz"),
    ]
    rows = table(sta.get("Observations?$filter=id gt 1000&$resultFormat=CSV"))
    assert [each["result"] for each in rows] == [
        *("true", 'voll, "sehr"\n\'', '{"a":[1,null]}', "", "0.30000000000000004"),
    ]


def test_a_table_shows_what_is_expanded_in_columns_of_its_own(sta):
    rows = table(
        sta.get(
            "Things?$select=name&$resultFormat=CSV&$expand=Datastreams($select=name;$count=true;"
            "$expand=Observations($top=1;$select=result),Sensor($select=name)),Locations($select=id)"
        )
    )
    assert rows[0] == {
        "name": "Pegel Strunde",
        "Datastreams@iot.count": "2",
        "Datastreams/0/name": "Stand",
        "Datastreams/0/Observations/0/result": "0",
        "Datastreams/0/Sensor/name": "DL-MBX",
        "Datastreams/1/name": "Tausch",
        "Datastreams/1/Observations/0/result": "1.5",
        "Datastreams/1/Sensor/name": "DL-TBRG",
        "Locations/0/id": "1",
        "Locations/1/id": "2",
    }
    assert rows[2]["Datastreams/0/name"] == ""


def test_a_table_pages_by_the_link_header(sta):
    found, link = [], "Observations?$resultFormat=CSV&$top=10&$orderby=result desc"
    while link:
        answer = sta.get(link)
        found += table(answer)
        link = answer.links.get("next", {}).get("url")
    assert [int(each["id"]) for each in found] == [
        each["@iot.id"] for each in sta.json("Observations?$top=100&$orderby=result desc")["value"]
    ]


def test_an_empty_table_still_has_its_header(sta):
    answer = sta.get("Datastreams(3)/Observations?$resultFormat=CSV")
    assert answer.text == f"{','.join(COMPONENTS)}\r\n"


def test_an_app_of_a_city_finds_the_newest_result_in_a_feature(sta):
    document = features(
        sta.get(
            "Things?$resultFormat=GeoJSON&$expand=Locations,Datastreams($expand="
            "Observations($top=1;$orderby=phenomenonTime desc),ObservedProperty)"
        )
    )
    first, *_ = document["features"]
    assert first["geometry"] == {"type": "Point", "coordinates": [7.1, 51.0]}
    newest = sta.json("Datastreams(1)/Observations?$top=1&$orderby=phenomenonTime desc")["value"][0]
    said = first["properties"]
    assert said["Datastreams/0/Observations/0/result"] == newest["result"]
    assert said["Datastreams/0/Observations/0/phenomenonTime"] == newest["phenomenonTime"]
    assert said["Datastreams/0/unitOfMeasurement/symbol"] == "cm"
    assert said["Datastreams/0/ObservedProperty/name"] == "Wasserstand"
    assert said["properties/ort/plz"] == "51465"
    assert (first["id"], said["id"], said["name"]) == (1, 1, "Pegel Strunde")
    assert not [name for name in said if "iot." in name or "coordinates" in name]


@pytest.mark.parametrize(
    ("path", "geometries"),
    [
        ("Locations", [[7.1, 51.0], [7.2, 50.9]]),
        ("FeaturesOfInterest", [[7.1, 51.0], [7.2, 50.9]]),
        ("Datastreams?$expand=Thing/Locations", [[7.1, 51.0], [7.2, 50.9], [7.2, 50.9], [7.1, 51.0]]),
        ("Observations?$top=2&$expand=FeatureOfInterest", [[7.1, 51.0], [7.1, 51.0]]),
        ("Things", [None, None, None]),
        ("Locations(2)", [[7.2, 50.9]]),
    ],
)
def test_a_feature_is_where_its_entity_or_what_is_expanded_is(sta, path, geometries):
    joiner = "&" if "?" in path else "?"
    document = features(sta.get(f"{path}{joiner}$resultFormat=GeoJSON&$count=true"))
    found = [each["geometry"] and each["geometry"]["coordinates"] for each in document["features"]]
    assert found == geometries
    assert ("@iot.nextLink" in document) == ("$top" in path)
    assert document.get("@iot.count") == (
        None if path == "Locations(2)" else 41 if "Obs" in path else len(found)
    )


def test_a_location_that_is_a_feature_gives_its_geometry(other_source, other_town):
    place = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [7, 51]}, "properties": {}}
    other_source.insert("locations", (1, "a", "", "application/geo+json", place))
    other_source.insert("locations", (2, "b", "", "text/plain", '"hinter dem Rathaus"'))
    first, second = features(other_town(sta=lambda _: other_source).get("Locations?$resultFormat=GeoJSON"))[
        "features"
    ]
    assert first["geometry"] == place["geometry"]
    assert second["geometry"] is None
    assert second["properties"]["location"] == "hinter dem Rathaus"
