"""Pages of the catalogue as bytes, written once for as long as nothing changes."""

import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import orjson
from lxml import etree
from rdflib import RDF, Graph

from api.dcat.contents import Contents, FirstReadings, contents
from api.dcat.graph import Page, graph
from api.visibility import View
from devices.registry import Registry

_MOST = 32
"""Written pages that are kept; addresses that somebody made up must not fill the memory."""

_FRESH_US = 30_000_000
"""Facts of ten thousand series take a fifth of a second to gather."""


class Rdf(StrEnum):
    """A form of RDF, by the ending of its address."""

    TURTLE = "ttl"
    XML = "rdf"
    JSON_LD = "jsonld"


RDF_TYPES = {
    Rdf.TURTLE: "text/turtle",
    Rdf.XML: "application/rdf+xml",
    Rdf.JSON_LD: "application/ld+json",
}


@dataclass(frozen=True, slots=True)
class _Facts:
    contents: Contents
    as_of_us: int
    registry: Registry
    series: int


class Catalogue:
    """Writes pages; safe to call from any thread."""

    def __init__(self) -> None:
        self._first = FirstReadings()
        self._facts: _Facts | None = None
        self._lock = threading.Lock()
        self._written: OrderedDict[tuple[Contents, str, Page, Rdf], bytes] = OrderedDict()

    def facts(self, view: View, paths: Collection[str]) -> Contents:
        """What a catalogue says: of this moment's devices and series, else at most 30 seconds old."""
        now_us, registry, series = view.services.clock(), view.registry, len(view.book.all())
        known = self._facts
        if (
            known is None
            or known.registry is not registry
            or known.series != series
            or not 0 <= now_us - known.as_of_us < _FRESH_US
        ):
            found = contents(view, view.services.publisher, paths, self._first)
            known = self._facts = _Facts(found, now_us, registry, series)
        return known.contents

    def document(self, contents: Contents, base: str, page: Page, form: Rdf) -> bytes:
        """One page in one form."""
        key = contents, base, page, form
        with self._lock:
            if key in self._written:
                self._written.move_to_end(key)
                return self._written[key]
            # inside the lock: who asks for the same at the same time waits for it instead of writing it again
            body = write(graph(contents, base, page), form)
            self._written[key] = body
            while len(self._written) > _MOST:
                self._written.popitem(last=False)
            return body


def write(written: Graph, form: Rdf) -> bytes:
    """A graph in one form; the same graph gives the same bytes, whatever order Python keeps it in."""
    if form is Rdf.TURTLE:
        return written.serialize(format="turtle", encoding="utf-8")
    if form is Rdf.XML:
        return _xml_in_order(written.serialize(format="xml", encoding="utf-8"))
    nodes = orjson.loads(written.serialize(format="json-ld", auto_compact=True))
    nodes["@graph"] = sorted((_in_order(node) for node in nodes["@graph"]), key=lambda node: str(node["@id"]))
    return orjson.dumps(nodes, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


def _xml_in_order(document: bytes) -> bytes:
    """Its writer goes by a set, which each process orders anew."""
    root = etree.fromstring(document)
    root[:] = sorted(root, key=lambda node: str(node.get(f"{{{RDF}}}about")))
    for node in root:
        node[:] = sorted(node, key=etree.tostring)
    etree.indent(root)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _in_order(node: dict[str, object]) -> dict[str, object]:
    return {
        key: sorted(value, key=orjson.dumps) if isinstance(value, list) else value
        for key, value in node.items()
    }
