"""The catalogue of the open data, as CKAN's harvester and SHACL see it."""

from pathlib import Path

import pytest
from outside import outside

FORMATS = {"ttl": "turtle", "rdf": "xml", "jsonld": "json-ld"}
SHAPES = Path(__file__).parents[1] / "dcat" / "shapes"


@pytest.fixture(scope="module")
def catalogue(demo):
    return f"{demo.base}/dcat/catalog"


@pytest.fixture(scope="module")
def harvested(catalogue):
    return {
        form: outside("ckan_dcat.py", f"{catalogue}.{form}", name, environment=".venv-ckan")
        for form, name in FORMATS.items()
    }


@pytest.mark.parametrize("form", FORMATS)
def test_ckan_harvests_every_dataset(harvested, form):
    found = harvested[form]
    assert found["errors"] == []
    assert len(found["datasets"]) >= 4
    for dataset in found["datasets"]:
        assert dataset["resources"], dataset["guid"]
        for each in dataset["resources"]:
            assert each["license"].startswith("http://dcat-ap.de/def/licenses/")
    assert {each["guid"] for each in found["datasets"]} == {
        each["guid"] for each in harvested["ttl"]["datasets"]
    }


def test_what_ckan_would_offer_for_download_is_there(harvested, demo):
    addresses = {
        each["url"]
        for dataset in harvested["ttl"]["datasets"]
        for each in dataset["resources"]
        if each["url"]
    }
    own = {each for each in addresses if each.startswith(demo.base)}
    assert own
    for address in sorted(own):
        assert demo.get(address).status_code == 200, address


def test_the_catalogue_conforms(catalogue):
    told = outside("official_shapes.py", f"{catalogue}.ttl", SHAPES)
    assert told["shapes"] > 0
    assert told["triples"] > 100
    assert told["conforms"], told["text"]
