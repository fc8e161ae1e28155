"""In which forms, and at which addresses, a dataset can be had, as far as this service has them.

`paths` is what it has: the paths that it answers, and the media types of its readings.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import quote, urlencode

from api.dcat.texts import OFFICIAL, WARNINGS, DatasetText

_STA = "/sta/v1.1"
_STA_STANDARD = "http://www.opengis.net/spec/iot_sensing/1.1"
_GEOJSON_STANDARD = "https://www.rfc-editor.org/rfc/rfc7946"
_CSV_STANDARD = "https://www.rfc-editor.org/rfc/rfc4180"
_PARQUET_STANDARD = "https://parquet.apache.org/docs/file-format/"
_CAP_STANDARD = "https://docs.oasis-open.org/emergency/cap/v1.2/CAP-v1.2-os.html"
_DATEX_STANDARD = "https://datex2.eu/"
_OPENAPI_STANDARD = "https://spec.openapis.org/oas/v3.1.0"
STANDARDS = {
    _STA_STANDARD: "OGC SensorThings API 1.1",
    _GEOJSON_STANDARD: "GeoJSON (RFC 7946)",
    _CSV_STANDARD: "CSV (RFC 4180)",
    _PARQUET_STANDARD: "Apache Parquet",
    _CAP_STANDARD: "Common Alerting Protocol 1.2",
    _DATEX_STANDARD: "DATEX II",
    _OPENAPI_STANDARD: "OpenAPI 3.1",
}
"""What a form conforms to, with the name of each."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to a dataset. `name`: its part of the IRI; `format`: EU file type; addresses without host.

    `download`: the whole of it in one answer, "" where there is none; `service`: NATIVE, SENSORTHINGS or "".
    """

    name: str
    title_de: str
    title_en: str
    format: str
    media_type: str
    access: str
    download: str = ""
    standard: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """A service that gives several datasets. `path`: its endpoint; `description`: where it is described."""

    name: str
    title_de: str
    title_en: str
    path: str
    description: str
    standard: str


NATIVE, SENSORTHINGS = "api", "sensorthings"
_INTERFACES = (
    Interface(
        NATIVE,
        "Schnittstelle der Sensordaten der Stadt",
        "The city's sensor data API",
        "/api/v1",
        "/openapi.json",
        _OPENAPI_STANDARD,
    ),
    Interface(
        SENSORTHINGS,
        "SensorThings API der Stadt",
        "The city's SensorThings API",
        _STA,
        _STA,
        _STA_STANDARD,
    ),
)


def interfaces(paths: Collection[str]) -> list[Interface]:
    """The services there are, by the paths that the application answers."""
    return [each for each in _INTERFACES if _has(each.name, paths)]


def _has(name: str, paths: Collection[str]) -> bool:
    (path,) = (each.path for each in _INTERFACES if each.name == name)
    return any(each == path or each.startswith(f"{path}/") for each in paths)


def reading_forms(text: DatasetText, properties: Sequence[str], paths: Collection[str]) -> Iterator[Form]:
    """Forms of the readings of some properties."""
    wanted = [("property", name) for name in properties]
    for form in _reading_kinds(paths):
        query = urlencode([*wanted, ("f", form)])
        yield replace(
            _native("readings", "Messwerte", "Readings", form, f"/api/v1/readings?{query}"),
            download=f"/api/v1/readings?{query}&limit=all",
        )
    for form in ("csv", "json", "geojson"):
        address = f"/api/v1/readings/latest?{urlencode([*wanted, ('f', form)])}"
        yield _native("latest", "Neueste Messwerte", "Latest readings", form, address)
    yield from _days(paths)
    if _has(SENSORTHINGS, paths):
        yield _sensorthings(text)


def theme_forms(theme: str, paths: Collection[str]) -> Iterator[Form]:
    """Forms that only one theme has."""
    if theme == "parking":
        yield from _parking(paths)
    if theme == "traffic":
        yield from _traffic(paths)


def hazard_forms(name: str, ars: str, paths: Collection[str]) -> Iterator[Form]:
    """Forms of the warnings: WARNINGS or OFFICIAL."""
    if name == OFFICIAL:
        for form in ("json", "csv"):
            title = "Amtliche Warnungen", "Official warnings"
            yield _native("list", *title, form, f"/api/v1/official-warnings?f={form}")
        return
    assert name == WARNINGS  # noqa: S101 - there are two
    for form in ("json", "csv", "geojson"):
        title = "Messwertmeldungen", "Measurement notices"
        yield _native("notices", *title, form, f"/api/v1/warnings?f={form}")
    for form in ("json", "csv", "geojson"):
        title = "Warnungen der Stadt", "Warnings of the city"
        yield _native("released", *title, form, f"/api/v1/city-warnings?f={form}")
    if "/cap/feed.atom" in paths:
        yield from _cap(ars)


def _cap(ars: str) -> Iterator[Form]:
    feed, areas = "/cap/feed.atom", "/cap/warnings.geojson"
    yield Form(
        "cap",
        "Warnungen als CAP 1.2 (Atom-Feed)",
        "Warnings as CAP 1.2 (Atom feed)",
        "ATOM",
        "application/atom+xml",
        feed,
        feed,
        _CAP_STANDARD,
    )
    yield Form(
        "areas",
        "Gebiete der Warnungen (GeoJSON)",
        "Areas of the warnings (GeoJSON)",
        "GEOJSON",
        "application/geo+json",
        areas,
        areas,
        _GEOJSON_STANDARD,
    )
    if ars:
        dashboard = f"/compat/nina/dashboard/{ars}.json"
        yield Form(
            "nina",
            "Warnungen in der Form der Warn-App NINA (JSON)",
            "Warnings in the shape of the NINA app (JSON)",
            "JSON",
            "application/json",
            dashboard,
            dashboard,
        )


def _parking(paths: Collection[str]) -> Iterator[Form]:
    for form in ("json", "csv", "geojson"):
        yield _native("spaces", "Freie Stellplätze", "Free spaces", form, f"/api/v1/parking?f={form}")
    if "/api/v1/parking/history" in paths:
        title = "Belegung je Viertelstunde", "Taken spaces per quarter of an hour"
        for form in ("csv", *_parquet(paths)):
            yield _native("taken", *title, form, f"/api/v1/parking/history?interval=PT15M&f={form}")
    yield from _document(paths, "parkapi", "/parkapi/v3/parking-sites", "ParkAPI v3", "ParkAPI v3")
    title = "DATEX II, Parken (JSON)", "DATEX II parking (JSON)"
    yield from _document(paths, "datex2", "/datex2/parking.json", *title, _DATEX_STANDARD)


def _traffic(paths: Collection[str]) -> Iterator[Form]:
    for form in ("csv", "json", "geojson"):
        title = "Zählungen je Intervall", "Counts per interval"
        yield _native("counts", *title, form, f"/api/v1/traffic?f={form}")
    for name, title_de, title_en, interval in (
        ("hours", "Zählungen je Stunde", "Counts per hour", "PT1H"),
        ("days", "Zählungen je Tag", "Counts per day", "P1D"),
    ):
        for form in ("csv", *_parquet(paths)):
            address = f"/api/v1/traffic?interval={interval}&f={form}"
            yield _native(f"counts-{name}", title_de, title_en, form, address)
    title = "DATEX II, gemessene Verkehrsstärken (JSON)", "DATEX II measured data (JSON)"
    yield from _document(paths, "datex2", "/datex2/traffic.json", *title, _DATEX_STANDARD)
    title = "DATEX II, Zählstellen (JSON)", "DATEX II measurement sites (JSON)"
    yield from _document(paths, "datex2-sites", "/datex2/traffic-sites.json", *title, _DATEX_STANDARD)


def _document(  # noqa: PLR0913, PLR0917 - what a distribution is made of
    paths: Collection[str], name: str, address: str, title_de: str, title_en: str, standard: str = ""
) -> Iterator[Form]:
    """One document that is all of it, where the service has it."""
    if address in paths:
        yield Form(name, title_de, title_en, "JSON", "application/json", address, address, standard)


def _parquet(paths: Collection[str]) -> tuple[str, ...]:
    return ("parquet",) if _KINDS["parquet"].media_type in paths else ()


def _days(paths: Collection[str]) -> Iterator[Form]:
    """Files of whole days, by their listing."""
    if "/api/v1/archive" in paths:
        address = "/api/v1/archive?f=csv"
        yield _native("days", "Dateien ganzer Tage, Liste", "Files of whole days, list", "csv", address)


def _sensorthings(text: DatasetText) -> Form:
    chosen = quote(f"properties/serviceName eq '{text.service}'")
    address = f"{_STA}/Datastreams?$filter={chosen}"
    return Form(
        "sensorthings",
        "SensorThings API (JSON)",
        "SensorThings API (JSON)",
        "JSON",
        "application/json",
        address,
        standard=_STA_STANDARD,
        service=SENSORTHINGS,
    )


def _native(name: str, title_de: str, title_en: str, form: str, address: str) -> Form:
    kind = _KINDS[form]
    return Form(
        f"{name}-{form}",
        f"{title_de} ({kind.word})",
        f"{title_en} ({kind.word})",
        kind.file_type,
        kind.media_type,
        address,
        standard=kind.standard,
        service=NATIVE,
    )


class _Kind(NamedTuple):
    word: str
    file_type: str
    media_type: str
    standard: str = ""


_KINDS = {
    "csv": _Kind("CSV", "CSV", "text/csv", _CSV_STANDARD),
    "json": _Kind("JSON", "JSON", "application/json"),
    "geojson": _Kind("GeoJSON", "GEOJSON", "application/geo+json", _GEOJSON_STANDARD),
    "parquet": _Kind("Parquet", "PARQUET", "application/vnd.apache.parquet", _PARQUET_STANDARD),
}


def _reading_kinds(paths: Collection[str]) -> list[str]:
    return [name for name, kind in _KINDS.items() if kind.media_type in paths]
