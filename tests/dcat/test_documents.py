"""The same facts make the same catalogue: in each form, in each process, whatever the registry's order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from catalogues import BASE, PUBLISHER, Terms, catalogue, contents, dataset
from rdflib import DCAT, DCTERMS, RDF, Graph, URIRef
from rdflib.compare import isomorphic
from shapes import problems

from api.dcat.documents import Catalogue, Rdf, write
from api.dcat.graph import Page
from api.dcat.publisher import Publisher
from api.dcat.terms import listed
from api.dcat.texts import dataset_texts
from api.dcat.vocabulary import DCATDE, HYDRA
from devices.properties import THEMES

FORMATS = {Rdf.TURTLE: "turtle", Rdf.XML: "xml", Rdf.JSON_LD: "json-ld"}
ZERO = "http://dcat-ap.de/def/licenses/dl-zero-de/2.0"
WRITE = """
import hashlib
from catalogues import catalogue
from api.dcat.documents import Rdf, write
print([hashlib.sha256(write(catalogue(), form)).hexdigest() for form in Rdf])
"""


# rdflib 7 warns of what its own reader of JSON-LD does
@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
@pytest.mark.parametrize("form", list(Rdf))
def test_each_form_says_the_same(form):
    written = catalogue()
    read = Graph().parse(data=write(written, form), format=FORMATS[form])
    assert isomorphic(read, written)
    assert set(read) == set(written)


def test_each_process_writes_the_same_bytes():
    tests = Path(__file__).parents[1]
    path = os.pathsep.join(map(str, (tests.parent, tests, tests / "dcat")))
    written = {
        subprocess.run(
            [sys.executable, "-c", WRITE],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(written) == 1


def test_an_address_stays_whatever_else_there_is():
    few, many = catalogue(datasets=(dataset("level", "water_level"),)), catalogue()
    for graph in (few, many):
        assert (URIRef(f"{BASE}/dcat/catalog#level"), RDF.type, DCAT.Dataset) in graph
    assert set(few.subjects(RDF.type, DCAT.Distribution)) < set(many.subjects(RDF.type, DCAT.Distribution))


def test_pages_have_all_datasets_once_and_lead_on():
    number, seen = 1, []
    while True:
        page = catalogue(number, 2)
        seen += page.subjects(RDF.type, DCAT.Dataset)
        assert len(list(page.subjects(RDF.type, DCAT.Dataset))) <= 2
        (view,) = page.subjects(RDF.type, HYDRA.PartialCollectionView)
        assert int(page.value(view, HYDRA.totalItems)) == 6
        following = page.value(view, HYDRA.next)
        if following is None:
            break
        number += 1
        assert str(following) == f"{BASE}/dcat/catalog?page={number}&limit=2"
    assert number == 3
    whole = catalogue()
    assert sorted(seen) == sorted(whole.subjects(RDF.type, DCAT.Dataset))
    assert not list(whole.subjects(RDF.type, HYDRA.PartialCollectionView))
    assert problems(catalogue(2, 2)) == ""


def test_without_configuration_it_says_what_it_can():
    plain = catalogue(publisher=Publisher(), ars="", terms=Terms("", ""))
    assert len(list(plain.subjects(RDF.type, DCAT.Dataset))) == 6
    assert not list(plain.subject_objects(DCAT.contactPoint))
    assert not list(plain.subject_objects(DCATDE.contributorID))
    assert all(str(value) for _, _, value in plain)
    for lacking in ("contact", "contributor", "spatial"):
        assert problems(plain, lacking) != ""
    assert problems(plain, "publisher", "deprecated", "format", "titles") == ""


def test_written_pages_are_few_and_kept():
    kept = Catalogue()
    facts = contents()
    first = kept.document(facts, BASE, Page(1, 100), Rdf.TURTLE)
    assert kept.document(contents(), BASE, Page(1, 100), Rdf.TURTLE) is first
    for i in range(40):
        kept.document(contents(datasets=()), f"https://made-up-{i}.example", Page(1, 100), Rdf.TURTLE)
    assert len(kept._written) == 32
    assert kept.document(facts, BASE, Page(1, 100), Rdf.TURTLE) == first


def test_every_theme_has_its_words_but_those_of_devices():
    assert set(THEMES) - set(dataset_texts()) == {"device"}
    assert PUBLISHER.contributor_id


@pytest.mark.parametrize(
    ("given", "iri"),
    [
        (ZERO, ZERO),
        (f"{ZERO}/", ZERO),
        ("dl-de/zero-2-0", ZERO),
        ("DL-DE-ZERO-2.0", ZERO),
        ("https://www.govdata.de/dl-de/zero-2-0", ZERO),
        ("https://creativecommons.org/licenses/by/4.0/", "http://dcat-ap.de/def/licenses/cc-by/4.0"),
        ("CC-BY-4.0", "http://dcat-ap.de/def/licenses/cc-by/4.0"),
        ("https://stadt.example/lizenz", "https://stadt.example/lizenz"),
        ("fragen Sie uns", ""),
        ("", ""),
    ],
)
def test_a_licence_is_named_as_govdata_names_it(given, iri):
    assert listed(given) == iri


@pytest.mark.parametrize(
    ("license_", "by"),
    [
        (ZERO, False),
        ("http://dcat-ap.de/def/licenses/cc-zero", False),
        ("http://dcat-ap.de/def/licenses/dl-by-de/2.0", True),
        ("http://dcat-ap.de/def/licenses/cc-by/4.0", True),
        ("https://creativecommons.org/licenses/by-sa/4.0", True),
    ],
)
def test_who_wants_to_be_named(license_, by):
    assert Terms(license_, "x").by is by
    graph = catalogue(datasets=(dataset("rain", "precipitation", terms=Terms(license_, "Stadt X")),))
    assert ("Stadt X" in {str(each) for each in graph.objects(None, DCATDE.licenseAttributionByText)}) is by
    assert {str(each) for each in graph.objects(None, DCTERMS.license)} == {license_, ZERO}
