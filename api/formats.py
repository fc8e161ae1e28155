"""A collection as JSON, GeoJSON or CSV, whole or in chunks of bounded size."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import orjson

from api.terms import TermsOfAnswer

Item: TypeAlias = Mapping[str, Any]


class Format(StrEnum):
    """Value of the parameter `f`."""

    JSON = "json"
    GEOJSON = "geojson"
    CSV = "csv"


MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.GEOJSON: "application/geo+json",
    Format.CSV: "text/csv; charset=utf-8; header=present",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How a kind of item looks outside JSON: its CSV columns, and where it is on the map.

    `locate` gives (lon, lat), or None where an item has no place; `shape` a GeoJSON geometry instead.
    """

    columns: Sequence[str]
    locate: Callable[[Item], tuple[float, float] | None]
    shape: Callable[[Item], Item | None] | None = None


class Encoder:
    """Writes one collection: head, any number of chunks of items, tail; nothing is kept between them.

    `terms` None: no open data, so without licence and attribution.
    """

    def __init__(self, form: Format, layout: Layout, terms: TermsOfAnswer | None) -> None:
        self._form = form
        self._layout = layout
        self._terms = terms
        self._comma = b""

    def head(self) -> bytes:
        """What stands before the first item."""
        if self._form is Format.CSV:
            return _csv([self._layout.columns])
        if self._form is Format.GEOJSON:
            return b'{"type":"FeatureCollection","features":['
        return b'{"items":['

    def chunk(self, items: Sequence[Item]) -> bytes:
        """The next items."""
        if not items:
            return b""
        if self._form is Format.CSV:
            columns = self._layout.columns
            return _csv([_cell(item.get(column)) for column in columns] for item in items)
        found = [_feature(item, self._layout) for item in items] if self._form is Format.GEOJSON else items
        comma, self._comma = self._comma, b","
        return comma + orjson.dumps(found)[1:-1]

    def tail(self) -> bytes:
        """What stands behind the last item: licence and attribution (CSV has no place for them)."""
        if self._form is Format.CSV:
            return b""
        return b"]," + orjson.dumps(_members(self._terms))[1:]

    def whole(self, items: Sequence[Item]) -> bytes:
        """A collection in one piece."""
        return self.head() + self.chunk(items) + self.tail()


def document(item: Item, terms: TermsOfAnswer | None) -> bytes:
    """A single item as JSON, with the licence and attribution every payload carries (see Encoder)."""
    return orjson.dumps({**item, **_members(terms)})


def _members(terms: TermsOfAnswer | None) -> dict[str, Any]:
    """Under which terms; both null for what is no open data."""
    return {"license": None, "attribution": None} if terms is None else terms.members()


def _feature(item: Item, layout: Layout) -> dict[str, Any]:
    place = layout.locate(item)
    point = None if place is None else {"type": "Point", "coordinates": place}
    return {
        "type": "Feature",
        **({"id": item["id"]} if "id" in item else {}),
        "geometry": layout.shape(item) if layout.shape else point,
        "properties": item,
    }


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows as RFC 4180: CRLF, quotes where needed and doubled inside; a missing value is an empty field."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """One field: JSON's spelling of booleans, lists joined by a space."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return value
