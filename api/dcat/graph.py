"""The catalogue as a graph, after DCAT-AP.de 3.0. Every node has an IRI: same facts, same bytes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rdflib import DCAT, DCTERMS, FOAF, RDF, SKOS, XSD, Graph, Literal, Namespace, URIRef
from rdflib.term import Node

from api.dcat import vocabulary as v
from api.dcat.contents import Contents, Dataset, Offer
from api.dcat.interfaces import STANDARDS, Interface

CATALOG = "/dcat/catalog"
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3600, 60


@dataclass(frozen=True, slots=True)
class Page:
    """Which datasets of a catalogue a page has: number `number` of `size` datasets each, from 1.

    `path`: where its form is asked for; a harvester that reads one form goes on with the same.
    """

    number: int
    size: int
    path: str = CATALOG

    def of(self, datasets: Sequence[Dataset]) -> Sequence[Dataset]:
        """The datasets on this page."""
        return datasets[(self.number - 1) * self.size : self.number * self.size]

    def last(self, datasets: Sequence[Dataset]) -> int:
        """Number of the last page; 1 where there are no datasets."""
        return max(1, -(-len(datasets) // self.size))


def graph(contents: Contents, base: str, page: Page) -> Graph:
    """One page of the catalogue; `base` is the address of the service, without a slash at its end."""
    return _Writer(contents, base).page(page)


class _Writer:
    def __init__(self, contents: Contents, base: str) -> None:
        self._contents = contents
        self._base = base
        self._catalog = URIRef(f"{base}{CATALOG}")
        self._names = Namespace(f"{base}{CATALOG}#")
        self._graph = Graph(bind_namespaces="none")
        known = {"dcat": DCAT, "dcterms": DCTERMS, "foaf": FOAF, "skos": SKOS, "xsd": XSD}
        own = {
            "dcatap": v.DCATAP,
            "dcatde": v.DCATDE,
            "geo": v.GEO,
            "hydra": v.HYDRA,
            "vcard": v.VCARD,
        }
        for prefix, namespace in {**known, **own}.items():
            self._graph.bind(prefix, namespace)

    def page(self, page: Page) -> Graph:
        datasets = page.of(self._contents.datasets)
        self._publisher()
        self._head(datasets)
        for dataset in datasets:
            self._dataset(dataset)
        for interface in self._contents.interfaces:
            self._service(interface, datasets)
        self._pages(page)
        return self._graph

    def _add(self, subject: URIRef, *pairs: tuple[URIRef, Node | None]) -> None:
        for predicate, value in pairs:
            if value is not None:
                self._graph.add((subject, predicate, value))
                # who checks the classes of values does not look up other people's vocabularies
                if predicate in v.CLASSES:
                    self._graph.add((value, RDF.type, v.CLASSES[predicate]))

    def _words(self, subject: URIRef, predicate: URIRef, de: str, en: str) -> None:
        self._add(subject, (predicate, Literal(de, lang="de")), (predicate, Literal(en, lang="en")))

    def _publisher(self) -> None:
        publisher = self._contents.publisher
        self._add(
            self._names.publisher,
            (RDF.type, FOAF.Agent),
            (RDF.type, FOAF.Organization),
            (FOAF.name, Literal(publisher.name or self._contents.city)),
            (FOAF.homepage, _iri(publisher.homepage)),
            (DCTERMS.type, v.LOCAL_AUTHORITY),
        )
        if publisher.contact_mail:
            self._add(
                self._names.contact,
                (RDF.type, v.VCARD.Kind),
                (v.VCARD.fn, Literal(publisher.contact_name or publisher.name or self._contents.city)),
                (v.VCARD.hasEmail, URIRef(f"mailto:{publisher.contact_mail}")),
            )

    def _head(self, datasets: Sequence[Dataset]) -> None:
        city = self._contents.city
        self._add(self._catalog, (RDF.type, DCAT.Catalog))
        self._words(self._catalog, DCTERMS.title, f"Offene Sensordaten: {city}", f"Open sensor data: {city}")
        self._words(
            self._catalog,
            DCTERMS.description,
            f"Messwerte und Warnungen der Sensoren: {city}. Offene Daten der Stadt.",
            f"Readings and warnings of the sensors: {city}. Open data of the city.",
        )
        self._add(
            self._catalog,
            (DCTERMS.publisher, self._names.publisher),
            (DCTERMS.language, v.GERMAN),
            (DCTERMS.license, _iri(self._contents.terms.license)),
            (FOAF.homepage, URIRef(f"{self._base}/")),
            (DCAT.themeTaxonomy, v.THEMES),
            (DCTERMS.spatial, self._city()),
            (DCTERMS.modified, _newest(datasets)),
            *((DCAT.dataset, self._names[dataset.name]) for dataset in datasets),
            *((DCAT.service, self._names[each.name]) for each in self._contents.interfaces),
        )
        self._add(v.THEMES, (RDF.type, SKOS.ConceptScheme))
        self._words(v.THEMES, DCTERMS.title, "Datenthemen der EU", "Data themes of the EU")

    def _dataset(self, dataset: Dataset) -> None:
        node, text, publisher = self._names[dataset.name], dataset.text, self._contents.publisher
        self._add(node, (RDF.type, DCAT.Dataset), (DCTERMS.identifier, Literal(str(node))))
        self._words(
            node,
            DCTERMS.title,
            f"{text.title_de}: {self._contents.city}",
            f"{text.title_en}: {self._contents.city}",
        )
        self._words(node, DCTERMS.description, text.description_de, text.description_en)
        self._add(
            node,
            (DCTERMS.publisher, self._names.publisher),
            (DCAT.contactPoint, self._contact()),
            *((DCAT.keyword, Literal(word, lang="de")) for word in text.keywords),
            *((DCAT.theme, v.THEME[name]) for name in text.themes),
            (DCTERMS.accrualPeriodicity, v.CONTINUOUSLY),
            (DCTERMS.accessRights, v.PUBLIC),
            (DCTERMS.language, v.GERMAN),
            (v.DCATAP.availability, v.AVAILABLE),
            (DCTERMS.spatial, self._city()),
            (v.DCATDE.politicalGeocodingLevelURI, v.MUNICIPALITY),
            (v.DCATDE.contributorID, _iri(publisher.contributor_id)),
            (DCAT.landingPage, self._document("/")),
            (FOAF.page, self._document("/docs")),
            (DCTERMS.modified, None if dataset.newest is None else Literal(dataset.newest)),
            *self._high_value(text.high_value),
        )
        self._extent(dataset, node)
        for offer in dataset.offers:
            self._distribution(node, dataset, offer)

    def _extent(self, dataset: Dataset, node: URIRef) -> None:
        if dataset.begin is not None:
            time = self._names[f"{dataset.name}-time"]
            self._add(node, (DCTERMS.temporal, time))
            self._add(time, (RDF.type, DCTERMS.PeriodOfTime), (DCAT.startDate, Literal(dataset.begin)))
        if dataset.box is not None:
            area = self._names[f"{dataset.name}-area"]
            self._add(node, (DCTERMS.spatial, area))
            self._add(area, (RDF.type, DCTERMS.Location), (DCAT.bbox, _polygon(dataset.box)))
        if dataset.resolution_s is not None:
            self._add(node, (DCAT.temporalResolution, _duration(dataset.resolution_s)))

    def _distribution(self, node: URIRef, dataset: Dataset, offer: Offer) -> None:
        form, mine = offer.form, self._names[offer.name]
        self._add(node, (DCAT.distribution, mine))
        self._words(mine, DCTERMS.title, form.title_de, form.title_en)
        self._words(
            mine,
            DCTERMS.description,
            f"{dataset.text.title_de}: {form.title_de}",
            f"{dataset.text.title_en}: {form.title_en}",
        )
        services = {each.name for each in self._contents.interfaces}
        legislation = v.HIGH_VALUE if dataset.text.high_value else None
        self._add(
            mine,
            (RDF.type, DCAT.Distribution),
            (DCAT.accessURL, URIRef(f"{self._base}{form.access}")),
            (DCAT.downloadURL, URIRef(f"{self._base}{form.download}") if form.download else None),
            (DCAT.accessService, self._names[form.service] if form.service in services else None),
            (DCTERMS.format, v.FILE_TYPE[form.format]),
            (DCAT.mediaType, v.MEDIA_TYPE[form.media_type]),
            (DCTERMS.license, _iri(offer.terms.license)),
            (DCTERMS.language, v.GERMAN),
            (DCTERMS.conformsTo, self._standard(form.standard)),
            (v.DCATAP.availability, v.AVAILABLE),
            (v.DCATAP.applicableLegislation, legislation),
        )
        if offer.terms.by and offer.terms.attribution:
            self._add(mine, (v.DCATDE.licenseAttributionByText, Literal(offer.terms.attribution, lang="de")))

    def _service(self, interface: Interface, datasets: Sequence[Dataset]) -> None:
        mine = self._names[interface.name]
        served = [
            dataset
            for dataset in datasets
            if any(offer.form.service == interface.name for offer in dataset.offers)
        ]
        self._words(mine, DCTERMS.title, interface.title_de, interface.title_en)
        self._words(
            mine,
            DCTERMS.description,
            f"{interface.title_de}: {STANDARDS[interface.standard]}, ohne Anmeldung.",
            f"{interface.title_en}: {STANDARDS[interface.standard]}, no registration.",
        )
        categories = sorted({each.text.high_value for each in served if each.text.high_value})
        self._add(
            mine,
            (RDF.type, DCAT.DataService),
            (DCTERMS.identifier, Literal(str(mine))),
            (DCAT.endpointURL, URIRef(f"{self._base}{interface.path}")),
            (DCAT.endpointDescription, URIRef(f"{self._base}{interface.description}")),
            (DCTERMS.publisher, self._names.publisher),
            (DCAT.contactPoint, self._contact()),
            (DCTERMS.license, _iri(self._contents.terms.license)),
            (DCTERMS.accessRights, v.PUBLIC),
            (v.DCATAP.availability, v.AVAILABLE),
            (DCTERMS.conformsTo, self._standard(interface.standard)),
            (FOAF.page, self._document("/docs")),
            *((DCAT.servesDataset, self._names[each.name]) for each in served),
            *(pair for category in categories for pair in self._high_value(category)),
        )

    def _pages(self, page: Page) -> None:
        last = page.last(self._contents.datasets)
        if last == 1:
            return

        def address(number: int) -> URIRef:
            return URIRef(page_address(self._base, replace(page, number=number)))

        mine = address(page.number)
        self._add(
            mine,
            (RDF.type, v.HYDRA.PartialCollectionView),
            (RDF.type, v.HYDRA.PagedCollection),
            (v.HYDRA.first, address(1)),
            (v.HYDRA.last, address(last)),
            (v.HYDRA.totalItems, Literal(len(self._contents.datasets))),
            (v.HYDRA.itemsPerPage, Literal(page.size)),
            (v.HYDRA.next, address(page.number + 1) if page.number < last else None),
            (v.HYDRA.previous, address(page.number - 1) if page.number > 1 else None),
        )
        self._add(self._catalog, (v.HYDRA.view, mine))

    def _high_value(self, category: str) -> Iterable[tuple[URIRef, Node]]:
        if category:
            yield v.DCATAP.applicableLegislation, v.HIGH_VALUE
            yield v.DCATAP.hvdCategory, v.CATEGORY[category]

    def _contact(self) -> URIRef | None:
        return self._names.contact if self._contents.publisher.contact_mail else None

    def _city(self) -> URIRef | None:
        if not self._contents.ars:
            return None
        place = v.REGIONAL_KEY[self._contents.ars]
        self._add(
            place, (RDF.type, DCTERMS.Location), (SKOS.prefLabel, Literal(self._contents.city, lang="de"))
        )
        return place

    def _document(self, path: str) -> URIRef:
        page = URIRef(f"{self._base}{path}")
        self._add(page, (RDF.type, FOAF.Document))
        return page

    def _standard(self, address: str) -> URIRef | None:
        if not address:
            return None
        standard = URIRef(address)
        self._add(standard, (RDF.type, DCTERMS.Standard), (DCTERMS.title, Literal(STANDARDS[address])))
        return standard


def page_address(base: str, page: Page) -> str:
    """Address of a page."""
    return f"{base}{page.path}?page={page.number}&limit={page.size}"


def _newest(datasets: Sequence[Dataset]) -> Literal | None:
    days = [each.newest for each in datasets if each.newest is not None]
    return Literal(max(days)) if days else None


def _iri(text: str) -> URIRef | None:
    return URIRef(text) if text else None


def _polygon(box: tuple[float, float, float, float]) -> Literal:
    west, south, east, north = (f"{degrees:.2f}" for degrees in box)
    corners = ((west, south), (east, south), (east, north), (west, north), (west, south))
    ring = ", ".join(f"{x} {y}" for x, y in corners)
    return Literal(f"POLYGON(({ring}))", datatype=v.GEO.wktLiteral)


def _duration(seconds: int) -> Literal:
    """Seconds as xsd:duration in the largest unit that gives a whole number."""
    for length, head, unit in ((_DAY_S, "P", "D"), (_HOUR_S, "PT", "H"), (_MINUTE_S, "PT", "M")):
        if seconds % length == 0:
            return Literal(f"{head}{seconds // length}{unit}", datatype=XSD.duration, normalize=False)
    return Literal(f"PT{seconds}S", datatype=XSD.duration, normalize=False)
