"""A city as rows of schema.sql: what a caller sees of stations, device types, properties and series."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from api.sta.city_ids import entity_ids
from api.sta.city_words import (
    SHAPES,
    duration,
    is_amount,
    layer_name,
    observation_type,
    service_name,
    unit_of,
)
from api.terms import TermsOfAnswer
from api.visibility import View
from devices.catalogue import DeviceType
from devices.properties import ObservedProperty
from devices.registry import Station
from ingest.reading import Series

CITY_SERIES = """
CREATE TABLE city_series(
    number INTEGER PRIMARY KEY, stored INTEGER, special INTEGER NOT NULL, interval_us INTEGER NOT NULL,
    shape INTEGER NOT NULL, datastream_id INTEGER NOT NULL, feature_id INTEGER NOT NULL);
CREATE INDEX city_series_of_datastream ON city_series(datastream_id);
CREATE INDEX city_series_of_feature ON city_series(feature_id);
"""
"""Which series of the journal a Datastream's Observations are. `stored`: the store's number for it where its
file is attached; `special`: read through Store.query instead."""

_GEOJSON = "application/geo+json"
_UNKNOWN = ""
_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids by key, of each kind."""

    stations: Mapping[tuple[str, ...], int]
    types: Mapping[tuple[str, ...], int]
    properties: Mapping[tuple[str, ...], int]
    datastreams: Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class CityRows:
    """Rows by table, and the series of each Datastream by the journal's number."""

    tables: Mapping[str, Sequence[_Row]]
    series: Mapping[int, Series]
    stored: bool = field(default=True)
    """Whether the store knew every series; if not, it is to be asked again."""


def ids_of(view: View) -> Ids:
    """Ids for all that there is, whether the caller sees it or not: both see a thing under one number."""
    book = list(view.book.all())
    stations = {(each,) for each in (*view.registry.stations, *(series.station for series in book))}
    types = {(device.type,) for device in view.registry.devices.values()} | {(_UNKNOWN,)}
    return Ids(
        entity_ids("Station", stations),
        entity_ids("Sensor", types),
        entity_ids("ObservedProperty", ((name,) for name in view.services.properties)),
        entity_ids("Datastream", (_stream(series) for series in book)),
    )


class CityBuilder:
    """Makes the rows of what a view sees.

    `address`: where definitions of observed properties begin, "" for a URN; `since(station)`: since when it
    measures, µs; `numbers`: the store's number of each series where its file is attached, else None;
    `special`: what is read through Store.query all the same.
    """

    def __init__(
        self,
        view: View,
        *,
        address: str,
        since: Callable[[str], int],
        numbers: Mapping[Series, int] | None,
        special: Callable[[Series], bool],
    ) -> None:
        self._view = view
        self._address = address.rstrip("/")
        self._since = since
        self._numbers = numbers
        self._special = special
        self._ids = ids_of(view)
        self._types_of: dict[tuple[str, ...], str] = {}
        self._interval_of: dict[tuple[str, ...], float | None] = {}
        self._streams: dict[tuple[str, ...], list[tuple[int, Series]]] = {}
        seen = set(view.series())
        for number, series in enumerate(view.book.all()):
            if series in seen and series.station in view.stations and series.property in view.properties:
                self._streams.setdefault(_stream(series), []).append((number, series))
        self._streams_of: dict[str, list[tuple[str, ...]]] = {}
        for key in sorted(self._streams):
            self._streams_of.setdefault(key[0], []).append(key)

    def rows(self) -> CityRows:
        """All of them."""
        stations = [self._view.stations[id_] for id_ in sorted(self._view.stations)]
        located = [each for each in stations if each.lat is not None and each.lon is not None]
        numbers = [self._number((each.id,)) for each in located]
        pairs = [(each, each) for each in numbers]
        datastreams = [self._datastream(key, members) for key, members in sorted(self._streams.items())]
        city_series = [row for key, members in self._streams.items() for row in self._series(key, members)]
        missing = self._numbers is not None and any(
            stored is None and not special for _, stored, special, *_ in city_series
        )
        return CityRows(
            {
                "things": [self._thing(each) for each in stations],
                "locations": [self._location(each) for each in located],
                "things_locations": pairs,
                "historical_locations": [
                    (number, self._since(each.id), number)
                    for number, each in zip(numbers, located, strict=True)
                ],
                "locations_historical_locations": pairs,
                "sensors": [self._sensor(each) for each in sorted(self._types(stations))],
                "observed_properties": [self._property(each) for each in sorted(self._property_names())],
                "datastreams": datastreams,
                "features": [self._feature(each) for each in stations],
                "city_series": city_series,
            },
            {number: series for members in self._streams.values() for number, series in members},
            stored=not missing,
        )

    def _number(self, station: tuple[str, ...]) -> int:
        return self._ids.stations[station]

    def _thing(self, station: Station) -> _Row:
        keys = self._streams_of.get(station.id, [])
        channels = sorted({key[2] for key in keys if key[2]})
        properties = {
            "assetID": station.id,
            "ownerThing": self._view.services.city.name,
            **({"richtung": ", ".join(channels)} if channels else {}),
            "themes": sorted({self._view.properties[key[1]].theme for key in keys}),
            **({"water": station.water} if station.water else {}),
            **({"capacity": station.capacity} if station.capacity is not None else {}),
            **({"stages_cm": station.stages_cm} if station.stages_cm else {}),
            **({"gauge_zero_m": station.gauge_zero_m} if station.gauge_zero_m is not None else {}),
            **_said(self._view.terms_of(key[1] for key in keys)),
        }
        names = sorted({self._view.properties[key[1]].name_de for key in keys})
        described = f"Messstelle {station.name}" + (f": {', '.join(names)}" if names else "")
        return self._number((station.id,)), station.name, described, _json(properties)

    def _location(self, station: Station) -> _Row:
        text = f"Standort der Messstelle {station.name}"
        return self._number((station.id,)), station.name, text, _GEOJSON, _json(_point(station)), None

    def _feature(self, station: Station) -> _Row:
        text = f"Ort, den die Messstelle {station.name} beobachtet"
        return self._number((station.id,)), station.name, text, _GEOJSON, _json(_point(station)), None

    def _types(self, stations: Iterable[Station]) -> set[str]:
        devices = self._view.registry.devices
        hung = {devices[eui].type for station in stations for eui in station.devices if eui in devices}
        return hung | {self._type_of(key, members) for key, members in self._streams.items()}

    def _type_of(self, key: tuple[str, ...], members: Sequence[tuple[int, Series]]) -> str:
        """The type of the device that measures a Datastream now, or of the one that took its place."""
        if key not in self._types_of:
            self._types_of[key] = self._found_type(key, members)
        return self._types_of[key]

    def _found_type(self, key: tuple[str, ...], members: Sequence[tuple[int, Series]]) -> str:
        devices = self._view.registry.devices
        for _, series in reversed(members):
            device = devices.get(series.dev_eui)
            if device is not None and device.station == key[0]:
                return device.type
        there = [devices[eui] for eui in self._view.stations[key[0]].devices if eui in devices]
        measuring = [each for each in there if key[1] in self._properties_of(each.type)]
        return next((each.type for each in (*measuring, *there)), _UNKNOWN)

    def _properties_of(self, type_id: str) -> Sequence[str]:
        known = self._known(type_id)
        return known.properties if known else ()

    def _known(self, type_id: str) -> DeviceType | None:
        catalogue = self._view.services.catalogue
        return catalogue[type_id] if type_id and type_id in catalogue else None

    def _sensor(self, type_id: str) -> _Row:
        known, number = self._known(type_id), self._ids.types[type_id,]
        if known is None:
            name = type_id or "unbekannt"
            text = "Gerätetyp, der nicht im Katalog steht"
            return number, name, text, "text/plain", _json(text), None
        kind, metadata = _described(known)
        properties = {"maker": known.maker, "model": known.model, "type": known.id}
        return (
            *(number, f"{known.maker} {known.model}", known.name_de),
            *(kind, _json(metadata), _json(properties)),
        )

    def _property_names(self) -> set[str]:
        return {key[1] for key in self._streams}

    def _property(self, name: str) -> _Row:
        property_ = self._view.properties[name]
        definition = (
            f"{self._address}/api/v1/properties#{name}" if self._address else f"urn:stadtfunk:property:{name}"
        )
        properties = {
            "name": name,
            "label": {"de": property_.name_de, "en": property_.name_en},
            "kind": property_.kind,
            "theme": property_.theme,
        }
        text = f"{property_.name_de} ({property_.name_en})"
        return self._ids.properties[name,], property_.name_de, definition, text, _json(properties)

    def _datastream(self, key: tuple[str, ...], members: Sequence[tuple[int, Series]]) -> _Row:
        station, property_ = self._view.stations[key[0]], self._view.properties[key[1]]
        channel = f" ({key[2]})" if key[2] else ""
        interval_s = self._interval_s(key, members)
        spans = self._spans(property_)
        properties = {
            "serviceName": service_name(property_),
            "layerName": layer_name(property_, interval_s),
            **({"aggregationDuration": duration(interval_s)} if spans and interval_s else {}),
            "station": key[0],
            "property": key[1],
            **({"channel": key[2], "richtung": key[2]} if key[2] else {}),
            **_said(self._view.terms_of([key[1]])),
        }
        return (
            self._ids.datastreams[key],
            f"{station.name}: {property_.name_de}{channel}",
            f"{property_.name_de}{channel} an der Messstelle {station.name}",
            observation_type(property_),
            _json(unit_of(property_)),
            None if station.lat is None or station.lon is None else _json(_point(station)),
            _json(properties),
            self._number((key[0],)),
            self._ids.types[self._type_of(key, members),],
            self._ids.properties[key[1],],
        )

    def _spans(self, property_: ObservedProperty) -> bool:
        """Whether an Observation is of an interval: an amount's, or of what the caller sees coarsened."""
        return is_amount(property_) or self._view.coarsen_us(property_.name) > 0

    def _interval_s(self, key: tuple[str, ...], members: Sequence[tuple[int, Series]]) -> float | None:
        """How often a Datastream has an Observation: as its device sends, or as its caller sees them."""
        if key not in self._interval_of:
            self._interval_of[key] = self._found_interval_s(key, members)
        return self._interval_of[key]

    def _found_interval_s(self, key: tuple[str, ...], members: Sequence[tuple[int, Series]]) -> float | None:
        if coarsen_us := self._view.coarsen_us(key[1]):
            return coarsen_us / 1e6
        devices = self._view.registry.devices
        for _, series in reversed(members):
            device = devices.get(series.dev_eui)
            if device is not None and device.interval_s:
                return device.interval_s
        known = self._known(self._type_of(key, members))
        return known.interval_s if known else None

    def _series(self, key: tuple[str, ...], members: Sequence[tuple[int, Series]]) -> Iterator[_Row]:
        property_ = self._view.properties[key[1]]
        interval_s = self._interval_s(key, members) if self._spans(property_) else None
        for number, series in members:
            special = self._numbers is None or self._special(series)
            yield (
                number,
                None if self._numbers is None else self._numbers.get(series),
                int(special),
                round((interval_s or 0) * 1_000_000),
                SHAPES[observation_type(property_)],
                self._ids.datastreams[key],
                self._number((key[0],)),
            )


def _said(terms: TermsOfAnswer) -> dict[str, Any]:
    return {name: value for name, value in terms.members().items() if value}


def _stream(series: Series) -> tuple[str, ...]:
    return series.station, series.property, series.channel


def _point(station: Station) -> dict[str, Any]:
    if station.lat is None or station.lon is None:
        return {"type": "Feature", "geometry": None, "properties": {}}
    return {"type": "Point", "coordinates": [station.lon, station.lat]}


def _described(known: DeviceType) -> tuple[str, str]:
    """Kind (encodingType) and metadata of a device type: a link where its source begins with one."""
    first = known.source.split()[0].rstrip(",;") if known.source.strip() else ""
    if first.startswith(("https://", "http://")):
        return ("application/pdf" if first.lower().endswith(".pdf") else "text/html"), first
    return "text/plain", known.source or f"{known.maker} {known.model}"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
