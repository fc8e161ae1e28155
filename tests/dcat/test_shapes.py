"""Every line of the checklist of DCAT-AP.de 3.0 has a shape: our catalogue keeps it, others can break it."""

import pytest
from catalogues import BASE, BY, catalogue, dataset
from rdflib import DCAT, DCTERMS, FOAF, OWL, RDF, Literal, URIRef
from shapes import SHAPES, problems

from api.dcat.vocabulary import CATEGORY, DCATAP, DCATDE, GERMAN, HIGH_VALUE, VCARD

CATALOG = URIRef(f"{BASE}/dcat/catalog")


def node(name):
    return CATALOG + f"#{name}"


RAIN, TRAFFIC, FORM = map(node, ("rain", "traffic", "rain-readings-csv"))
API, CONTACT, PUBLISHER = map(node, ("api", "contact", "publisher"))


def without(subject, predicate, value=None):
    return lambda graph: graph.remove((subject, predicate, value))


def having(subject, predicate, value):
    return lambda graph: graph.add((subject, predicate, value))


def instead(subject, predicate, value):
    return lambda graph: graph.set((subject, predicate, value))


MUTATIONS = {
    "publisher": [
        without(RAIN, DCTERMS.publisher),
        without(API, DCTERMS.publisher),
        without(PUBLISHER, FOAF.name),
        without(PUBLISHER, RDF.type),
    ],
    "licence": [
        without(FORM, DCTERMS.license),
        instead(FORM, DCTERMS.license, URIRef("https://creativecommons.org/licenses/by/4.0/")),
        instead(FORM, DCTERMS.license, Literal("dl-de/by-2-0")),
        having(FORM, DCTERMS.license, URIRef("http://dcat-ap.de/def/licenses/cc-zero")),
    ],
    "attribution": [without(FORM, DCATDE.licenseAttributionByText)],
    "contact": [
        without(RAIN, DCAT.contactPoint),
        without(API, DCAT.contactPoint),
        without(CONTACT, RDF.type),
        without(CONTACT, VCARD.fn),
        having(CONTACT, VCARD.fn, Literal("noch jemand")),
        instead(CONTACT, VCARD.hasEmail, Literal("opendata@stadt.example")),
    ],
    "identifier": [without(RAIN, DCTERMS.identifier), having(RAIN, DCTERMS.identifier, Literal("2"))],
    "theme": [without(RAIN, DCAT.theme), instead(RAIN, DCAT.theme, Literal("ENVI"))],
    "keyword": [without(RAIN, DCAT.keyword), having(RAIN, DCAT.keyword, Literal("rain", lang="en"))],
    "periodicity": [
        without(RAIN, DCTERMS.accrualPeriodicity),
        instead(RAIN, DCTERMS.accrualPeriodicity, Literal("stündlich")),
    ],
    "access-rights": [
        without(RAIN, DCTERMS.accessRights),
        without(API, DCTERMS.accessRights),
        instead(
            RAIN,
            DCTERMS.accessRights,
            URIRef("http://publications.europa.eu/resource/authority/access-right/RESTRICTED"),
        ),
    ],
    "language": [without(each, DCTERMS.language) for each in (CATALOG, RAIN, FORM)],
    "format": [
        without(FORM, DCTERMS.format),
        instead(FORM, DCTERMS.format, Literal("CSV")),
        without(FORM, DCAT.mediaType),
        instead(FORM, DCAT.mediaType, Literal("text/csv")),
    ],
    "availability": [
        without(RAIN, DCATAP.availability),
        without(FORM, DCATAP.availability),
        having(API, DCATAP.availability, GERMAN),
    ],
    "spatial": [
        without(RAIN, DCTERMS.spatial),
        instead(RAIN, DCTERMS.spatial, Literal("053780004004")),
        instead(node("rain-area"), DCAT.bbox, Literal("7.05,50.93,7.2,51.02")),
    ],
    "high-value-legislation": [
        without(each, DCATAP.applicableLegislation) for each in (RAIN, FORM, API, node("sensorthings"))
    ],
    "high-value-category": [
        having(TRAFFIC, DCATAP.hvdCategory, CATEGORY.c_164e0bf5),
        instead(RAIN, DCATAP.hvdCategory, HIGH_VALUE),
        having(RAIN, DCATAP.hvdCategory, CATEGORY.c_dd313021),
    ],
    "contributor": [
        without(RAIN, DCATDE.contributorID),
        instead(RAIN, DCATDE.contributorID, Literal("openNRW")),
    ],
    "deprecated": [
        having(RAIN, predicate, Literal("alt"))
        for predicate in (
            DCATDE.politicalGeocodingURI,
            DCATDE.geocodingDescription,
            DCATDE.maintainer,
            DCATDE.originator,
            DCATDE.legalBasis,
            DCATDE.qualityProcessURI,
            OWL.versionInfo,
        )
    ],
    "titles": [
        without(RAIN, DCTERMS.title, Literal("Niederschlag: Bergisch Gladbach", lang="de")),
        without(RAIN, DCTERMS.description),
        having(CATALOG, DCTERMS.title, Literal("Noch einer", lang="de")),
        instead(FORM, DCTERMS.title, Literal("ohne Sprache")),
        without(API, DCTERMS.description),
    ],
    "temporal": [
        without(node("rain-time"), DCAT.startDate),
        instead(node("rain-time"), DCAT.startDate, Literal("1. März 2026")),
        without(node("rain-time"), RDF.type),
    ],
    "data-service": [
        without(API, each) for each in (DCAT.endpointURL, DCAT.endpointDescription, DCAT.servesDataset)
    ],
    "addresses": [
        without(RAIN, DCAT.distribution),
        without(FORM, DCAT.accessURL),
        instead(FORM, DCAT.downloadURL, Literal("/api/v1/readings")),
    ],
    "standards": [
        without(URIRef("https://www.rfc-editor.org/rfc/rfc4180"), RDF.type),
        without(URIRef("https://www.rfc-editor.org/rfc/rfc4180"), DCTERMS.title),
        instead(FORM, DCTERMS.conformsTo, Literal("RFC 4180")),
    ],
    "catalogue": [
        without(CATALOG, DCAT.dataset, RAIN),
        without(CATALOG, DCAT.service),
        without(CATALOG, FOAF.homepage),
        having(CATALOG, DCAT.dataset, URIRef("https://anderswo.example/d")),
    ],
}
CASES = [
    pytest.param(shape, change, id=f"{shape}-{i}")
    for shape, changes in MUTATIONS.items()
    for i, change in enumerate(changes, 1)
]


def small():
    return catalogue(datasets=(dataset("rain", "precipitation", terms=BY), dataset("traffic")))


def test_our_catalogue_keeps_every_shape():
    assert problems(catalogue()) == ""
    assert problems(small()) == ""


def test_every_shape_has_a_catalogue_that_breaks_it():
    assert set(MUTATIONS) == set(SHAPES)


@pytest.mark.parametrize(("shape", "change"), CASES)
def test_a_shape_refuses_what_breaks_it(shape, change):
    broken = small()
    whole = len(broken), set(broken)
    change(broken)
    assert (len(broken), set(broken)) != whole, "the mutation meets nothing"
    assert problems(broken, shape) != ""
