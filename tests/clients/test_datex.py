"""DATEX II, judged by JSON Schema.

The schemas beside this file are our own, of what the published ones say of the members that are used here:
those stand under no licence that would let them be copied. docs/mobility-interfaces.md says how to judge by
them.
"""

import copy
import json
from pathlib import Path

import pytest
from outside import outside

SCHEMAS = Path(__file__).parent / "datex"


def faults(folder, schema, document):
    (folder / "document.json").write_text(json.dumps(document))
    return outside("datex_schema.py", SCHEMAS / f"{schema}.json", folder / "document.json")["faults"]


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/datex2/parking.json", "parking-light"),
        ("/datex2/traffic.json", "road-traffic"),
        ("/datex2/traffic-sites.json", "road-traffic"),
    ],
)
def test_the_document_is_as_the_schema_says(demo, tmp_path, path, schema):
    document = demo.json(path)
    assert faults(tmp_path, schema, document) == []


def test_the_schemas_know_good_from_bad(demo, tmp_path):
    parking, traffic = demo.json("/datex2/parking.json"), demo.json("/datex2/traffic.json")
    wrong = copy.deepcopy(parking)
    del wrong["parkingPublicationLight"]["parkingSite"][0]["locationAndDimension"]["coordinatesForDisplay"]
    wrong["parkingPublicationLight"]["parkingSite"][1]["availableSpaces"] = -1
    wrong["parkingPublicationLight"]["parkingSite"][2]["type"] = "carPark"
    assert len(faults(tmp_path, "parking-light", wrong)) == 3
    wrong = copy.deepcopy(traffic)
    del wrong["payload"]["roaMeasuredDataPublication"]["siteMeasurements"][0]["measurementTimeDefault"]
    wrong["payload"]["roaMeasuredDataPublication"]["publicationTime"] = "yesterday"
    assert len(faults(tmp_path, "road-traffic", wrong)) >= 1


def test_every_measurement_is_of_a_site_and_an_index_of_the_table(demo):
    measured = demo.json("/datex2/traffic.json")["payload"]["roaMeasuredDataPublication"]
    (table,) = demo.json("/datex2/traffic-sites.json")["payload"]["roaMeasurementSiteTablePublication"][
        "measurementSiteTable"
    ]
    (reference,) = measured["measurementSiteTableReference"]
    assert (reference["idG"], reference["versionG"]) == (table["idG"], table["versionG"])
    known = {
        site["idG"]: {each["index"] for each in site["measurementSpecificCharacteristics"]}
        for site in table["measurementSite"]
    }
    assert measured["siteMeasurements"]
    for site in measured["siteMeasurements"]:
        assert site["measurementSiteReference"]["versionG"] == table["versionG"]
        indices = {each["index"] for each in site["physicalQuantity"]}
        assert indices <= known[site["measurementSiteReference"]["idG"]]


def test_free_spaces_are_those_of_our_own_answer(demo):
    parks = {each["station"]: each for each in demo.json("/api/v1/parking")["items"]}
    sites = demo.json("/datex2/parking.json")["parkingPublicationLight"]["parkingSite"]
    told = {each["_id"]: (each["numberOfSpaces"], each["availableSpaces"]) for each in sites}
    assert told == {id_: (each["capacity"], each["free"]) for id_, each in parks.items()}
