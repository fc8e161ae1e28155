"""Who may see what: nothing is public unless the configuration says so."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from api.problems import not_found
from api.services import Services
from devices.properties import ObservedProperty
from devices.registry import Registry, Station
from ingest.journal import Journal
from ingest.reading import Series


class SeriesBook:
    """The journal's series with their numbers, read as they are added."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._series: list[Series] = []
        self._numbers: dict[Series, int] = {}

    def all(self) -> Sequence[Series]:
        """Every series; the index is its number."""
        with self._lock:
            for series in self._journal.series(len(self._series)):
                self._numbers[series] = len(self._series)
                self._series.append(series)
            return self._series

    def number(self, series: Series) -> int:
        """Number of a series that the journal has handed out."""
        if series not in self._numbers:
            self.all()
        return self._numbers[series]


class View:
    """What one caller sees, at one moment: the public, or an operator (`operator` is its name)."""

    def __init__(self, services: Services, book: SeriesBook, operator: str | None = None) -> None:
        self.services = services
        self.book = book
        self.operator = operator
        self.registry: Registry = services.registry()

    @cached_property
    def stations(self) -> Mapping[str, Station]:
        """Stations this caller may know of, by id."""
        if self.operator is not None:
            return self.registry.stations
        return {id_: station for id_, station in self.registry.stations.items() if station.public}

    @cached_property
    def properties(self) -> Mapping[str, ObservedProperty]:
        """Observed properties this caller may read, by name."""
        known, overrides = self.services.properties, self.services.overrides
        if self.operator is not None:
            return known
        return {name: each for name, each in known.items() if overrides.get(name, not each.internal)}

    def station(self, id_: str) -> Station:
        """One station; raises Problem 404 where there is none or it is not public."""
        if id_ not in self.stations:
            raise not_found("station", id_)
        return self.stations[id_]

    def property(self, name: str) -> ObservedProperty:
        """One observed property; raises Problem 404 where there is none or it is not public."""
        if name not in self.properties:
            raise not_found("property", name)
        return self.properties[name]

    def sees(self, series: Series) -> bool:
        """Whether this caller may read a series; readings of an exchanged device stay with its station."""
        return self.operator is not None or (
            series.station in self.stations and series.property in self.properties
        )

    def series(self, stations: Iterable[str] = (), properties: Iterable[str] = ()) -> list[Series]:
        """Series this caller may read, of these stations and properties (none named: of all).

        Raises Problem 404 for a station or property the caller may not know of.
        """
        wanted_stations = {self.station(id_).id for id_ in stations}
        wanted_properties = {self.property(name).name for name in properties}
        return [
            series
            for series in self.book.all()
            if (not wanted_stations or series.station in wanted_stations)
            and (not wanted_properties or series.property in wanted_properties)
            and self.sees(series)
        ]

    def locate(self, item: Mapping[str, Any]) -> tuple[float, float] | None:
        """Longitude and latitude of what an item's `station` is, where it has them."""
        station = self.stations.get(item["station"])
        if station is None or station.lat is None or station.lon is None:
            return None
        return station.lon, station.lat
