"""The catalogue over HTTP: what is public and nothing else, every address in it leads somewhere."""

from dataclasses import replace
from datetime import date
from urllib.parse import urlsplit

import pytest
from rdflib import DCAT, DCTERMS, RDF, Graph, URIRef
from rdflib.compare import isomorphic
from shapes import problems
from small_town import LEVEL, MINUTE, SECRETS, T0, TOKEN
from starlette.testclient import TestClient

import api.dcat.contents as facts
from api.dcat.publisher import Publisher
from api.dcat.terms import Terms, terms_of
from api.dcat.vocabulary import DCATDE
from api.public_rule import PublicRule
from api.routes.dcat import preferred
from devices.properties import observed_properties
from ingest.errors import StoreError

TYPES = {"ttl": "text/turtle", "rdf": "application/rdf+xml", "jsonld": "application/ld+json"}
FORMATS = {"ttl": "turtle", "rdf": "xml", "jsonld": "json-ld"}
PUBLISHER = Publisher(
    contact_mail="opendata@stadt.example", contributor_id="http://dcat-ap.de/def/contributors/openNRW"
)


def read(client, form="ttl", **parameters):
    answer = client.get(f"/dcat/catalog.{form}", params=parameters)
    assert answer.status_code == 200
    return Graph().parse(data=answer.content, format=FORMATS[form])


def datasets(graph):
    return {str(each).partition("#")[2] for each in graph.subjects(RDF.type, DCAT.Dataset)}


def catalogue_of(town):
    with TestClient(town.app()) as client:
        return read(client)


def test_there_is_a_dataset_for_each_theme_that_is_public_and_for_each_source_of_warnings(client):
    assert datasets(read(client)) == {"rain", "level", "parking", "traffic", "warnings", "official-warnings"}


# rdflib 7 warns of what its own reader of JSON-LD does
@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
def test_the_forms_say_the_same(client):
    turtle, xml, json_ld = (read(client, form) for form in FORMATS)
    assert isomorphic(turtle, xml)
    assert isomorphic(turtle, json_ld)


def test_it_keeps_every_shape_and_without_a_contact_says_what_it_can(city):
    plain = catalogue_of(city)
    assert problems(plain, "contact", "contributor") != ""
    assert problems(plain, "publisher", "licence", "titles", "format", "high-value-legislation") == ""
    city.changes["publisher"] = PUBLISHER
    assert problems(catalogue_of(city)) == ""


def test_every_address_answers_with_what_it_says(client):
    graph = read(client)
    asked = 0
    for form in graph.subjects(RDF.type, DCAT.Distribution):
        media_type = str(graph.value(form, DCAT.mediaType)).partition("media-types/")[2]
        for address in (*graph.objects(form, DCAT.accessURL), *graph.objects(form, DCAT.downloadURL)):
            answer = client.get(str(address))
            assert answer.status_code == 200, address
            assert answer.headers["content-type"].partition(";")[0] == media_type, address
            asked += 1
    assert asked > 30
    for service in graph.subjects(RDF.type, DCAT.DataService):
        assert client.get(str(graph.value(service, DCAT.endpointDescription))).status_code == 200


def test_a_dataset_begins_with_its_first_reading_and_changes_with_its_last(client):
    graph = read(client)
    level = URIRef("http://testserver/dcat/catalog#level")
    begin = graph.value(graph.value(level, DCTERMS.temporal), DCAT.startDate)
    assert begin.toPython() == graph.value(level, DCTERMS.modified).toPython() == date(2026, 7, 14)


@pytest.mark.parametrize("form", list(FORMATS))
def test_nothing_in_it_is_internal_whoever_asks(client, operator, form):
    answers = [each.get(f"/dcat/catalog.{form}") for each in (client, operator)]
    assert answers[0].content == answers[1].content
    for secret in SECRETS:
        assert secret not in answers[0].text
    assert answers[1].headers["cache-control"] == "private, no-store"


def test_a_theme_that_is_not_public_has_no_dataset(city):
    city.changes["rules"] = {"water_level": PublicRule(public=False)}
    assert "level" not in datasets(catalogue_of(city))
    city.changes["official_public"] = False
    assert "official-warnings" not in datasets(catalogue_of(city))


def test_batteries_are_no_dataset_even_where_they_are_public(city):
    city.changes["rules"] = {"battery_voltage": PublicRule(public=True)}
    graph = catalogue_of(city)
    assert "device" not in datasets(graph)
    assert not any("battery" in str(each) for triple in graph for each in triple)


def test_who_publishes_no_cap_lists_none(city):
    forms = {str(each).partition("#")[2] for each in catalogue_of(city).subjects(RDF.type, DCAT.Distribution)}
    assert {"warnings-cap", "warnings-nina", "warnings-notices-json"} <= forms
    city.changes["cap"] = None
    forms = {str(each).partition("#")[2] for each in catalogue_of(city).subjects(RDF.type, DCAT.Distribution)}
    assert "warnings-notices-json" in forms
    assert forms.isdisjoint({"warnings-cap", "warnings-nina", "warnings-areas"})


def test_addresses_stay_when_stations_come_and_go(city):
    before = catalogue_of(city)
    stations = dict(reversed(city.registry.stations.items()))
    stations["strunde-neu"] = replace(stations["strunde-gierath"], id="strunde-neu", lat=50.9)
    city.registry = replace(city.registry, stations=stations)
    city.measure(LEVEL, T0 + MINUTE, ("water_temperature", 11.0))
    after = catalogue_of(city)
    for kind in (DCAT.Dataset, DCAT.Distribution, DCAT.DataService):
        assert set(before.subjects(RDF.type, kind)) == set(after.subjects(RDF.type, kind))
    identifiers = {str(each) for each in before.objects(None, DCTERMS.identifier)}
    assert identifiers == {str(each) for each in after.objects(None, DCTERMS.identifier)}
    assert not isomorphic(before, after)  # the box is larger, and there is a property more


def test_a_property_under_terms_of_its_own_has_distributions_of_its_own(city, monkeypatch):
    own = Terms("http://dcat-ap.de/def/licenses/dl-by-de/2.0", "Wasserverband")
    monkeypatch.setattr(
        facts,
        "terms_of",
        lambda services, name=None: own if name == "water_temperature" else terms_of(services),
    )
    city.measure(LEVEL, T0 + MINUTE, ("water_temperature", 11.0))
    graph = catalogue_of(city)
    form = URIRef("http://testserver/dcat/catalog#level-readings-csv")
    licences = {
        str(graph.value(each, DCAT.accessURL)).partition("?")[2]: str(graph.value(each, DCTERMS.license))
        for each in (form, form + "-water_temperature")
    }
    assert licences == {
        "property=water_level&f=csv": "http://dcat-ap.de/def/licenses/dl-zero-de/2.0",
        "property=water_temperature&f=csv": own.license,
    }
    assert [
        str(each) for each in graph.objects(form + "-water_temperature", DCATDE.licenseAttributionByText)
    ] == ["Wasserverband"]


def test_its_own_base_stands_before_the_address_somebody_asks_with(city):
    city.changes["publisher"] = replace(PUBLISHER, base="https://sensoren.stadt.example")
    graph = catalogue_of(city)
    hosts = {
        urlsplit(str(each)).netloc
        for each in (*graph.objects(None, DCAT.accessURL), *graph.subjects(RDF.type, DCAT.Dataset))
    }
    assert hosts == {"sensoren.stadt.example"}


def test_it_is_not_sent_twice(client):
    first = client.get("/dcat/catalog.ttl")
    assert first.headers["cache-control"] == "public, max-age=300"
    again = client.get("/dcat/catalog.ttl", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/dcat/catalog.rdf").headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "ttl"),
        ("*/*", "ttl"),
        ("text/turtle", "ttl"),
        ("application/rdf+xml", "rdf"),
        ("application/ld+json", "jsonld"),
        ("text/html, application/rdf+xml;q=0.9, text/turtle;q=0.5", "rdf"),
        ("text/turtle;q=0.2, application/ld+json; q=0.7", "jsonld"),
        ("application/ld+json;q=0, application/rdf+xml;q=0.1", "rdf"),
        ("application/ld+json;q=viel", "ttl"),
        ("text/html", "ttl"),
    ],
)
def test_accept_chooses_the_form(client, accept, form):
    answer = client.get("/dcat/catalog", headers={"Accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == TYPES[form]
    assert answer.headers["content-location"] == f"/dcat/catalog.{form}"
    assert "Accept" in answer.headers["vary"]
    assert preferred(accept).value == form


@pytest.mark.parametrize("path", ["/dcat/catalog", "/dcat/catalog.rdf"])
def test_pages_go_on_in_the_same_form(client, path):
    found, address, kind = set(), f"{path}?limit=4", ""
    for _ in range(2):
        answer = client.get(address, headers={"Accept": "application/rdf+xml"})
        found |= datasets(Graph().parse(data=answer.content, format="xml"))
        address = answer.links.get("next", {}).get("url", "")
        kind += answer.headers["content-type"].partition(";")[0] + " "
        assert not address or urlsplit(address).path == path
    assert address == ""
    assert kind.split() == ["application/rdf+xml"] * 2
    assert found == datasets(read(client))


def test_a_page_that_is_not_there_is_told(client):
    assert client.get("/dcat/catalog.ttl?page=2").status_code == 404
    for wrong in ("page=0", "limit=0", "limit=101", "seite=2"):
        assert client.get(f"/dcat/catalog.ttl?{wrong}").status_code == 422


def test_it_is_there_while_the_store_is_away(city):
    known = catalogue_of(city)
    query = city.store.query

    def away(_):
        raise StoreError("away")

    city.store.query = away
    try:
        graph = catalogue_of(city)
    finally:
        city.store.query = query
    assert datasets(graph) == datasets(known)
    assert not list(graph.subject_objects(DCTERMS.temporal))


def test_internal_properties_are_internal_in_this_test():
    assert observed_properties()["parking_occupied"].internal
    assert TOKEN in SECRETS
