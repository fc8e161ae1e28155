"""What is read over HTTP: the root, collections, entities, links, properties and their values."""

SETS = [
    *("Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties"),
    *("Observations", "FeaturesOfInterest"),
]


def test_the_root_lists_the_eight_sets_and_what_is_served(sta):
    root = sta.json()
    assert {each["name"]: each["url"] for each in root["value"]} == {
        each: f"{sta.base}/{each}" for each in SETS
    }
    assert len(root["value"]) == 8
    said = root["serverSettings"]
    assert "http://www.opengis.net/spec/iot_sensing/1.1/req/datamodel" in said["conformance"]
    assert not [each for each in said["conformance"] if "create-update-delete" in each]
    assert said["license"] == "http://dcat-ap.de/def/licenses/dl-zero-de/2.0"


def test_an_observation_is_as_the_standard_shows_it(sta):
    own = f"{sta.base}/Observations(1)"
    assert sta.json("Observations(1)") == {
        "@iot.id": 1,
        "@iot.selfLink": own,
        "phenomenonTime": "2026-07-14T18:30:00Z",
        "result": 0,
        "resultTime": "2026-07-14T18:30:00.001Z",
        "Datastream@iot.navigationLink": f"{own}/Datastream",
        "FeatureOfInterest@iot.navigationLink": f"{own}/FeatureOfInterest",
    }
