"""Who may see what: nothing is public unless the configuration says so."""

import contextlib
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from api.problems import not_found
from api.public_readings import PublicReadings
from api.public_rule import PublicRule
from api.services import Services
from api.terms import TermsOfAnswer, terms_alone, terms_of_all
from devices.properties import Kind, ObservedProperty
from devices.registry import Registry, Station
from ingest.errors import StoreError
from ingest.journal import Journal
from ingest.reading import Series
from ingest.store import Point, Store

_FRESH_US = 30_000_000


class SeriesBook:
    """The journal's series with their numbers, read as they are added.

    `newest`: of those that are public later or coarser, the newest the public could see, and when.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()
        self._series: list[Series] = []
        self._numbers: dict[Series, int] = {}
        self._at: dict[str, list[Series]] = {}
        self.newest: dict[Series, tuple[int, Point | None]] = {}

    def all(self) -> Sequence[Series]:
        """Every series; the index is its number."""
        with self._lock:
            for series in self._journal.series(len(self._series)):
                self._numbers[series] = len(self._series)
                self._series.append(series)
                self._at.setdefault(series.station, []).append(series)
            return self._series

    def at(self, stations: Iterable[str]) -> Sequence[Series]:
        """The series of some stations, in the order of their numbers."""
        self.all()
        found = [series for station in stations for series in self._at.get(station, ())]
        return sorted(found, key=self._numbers.__getitem__)

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
        return self.registry.public

    @cached_property
    def properties(self) -> Mapping[str, ObservedProperty]:
        """Observed properties this caller may read, by name."""
        known = self.services.properties
        if self.operator is not None:
            return known
        return {name: each for name, each in known.items() if self.services.rule(name).public}

    @cached_property
    def _public(self) -> PublicReadings:
        return PublicReadings(self.services.store, self._shown, self.services.clock)

    @property
    def readings(self) -> PublicReadings | Store:
        """Stored readings as this caller may see them: query() and latest() of a store."""
        return self._public if self.operator is None else self.services.store

    @property
    def stored(self) -> Store:
        """All that is stored, for who shows of it only what this caller sees `as_stored`."""
        return self.services.store

    def as_stored(self, series: Series) -> bool:
        """Whether this caller sees the readings of a series just as they are stored, if at all."""
        rule = self.services.rule(series.property)
        return self.operator is not None or not (rule.shifted or rule.round_to)

    @property
    def all_as_stored(self) -> bool:
        """Whether that holds for every property."""
        return self.operator is not None or not any(
            each.shifted or each.round_to for each in self.services.rules.values()
        )

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
            series.station in self.stations
            and series.property in self.properties
            and self.services.rule(series.property).readable
        )

    def live(self, *names: str) -> bool:
        """Whether this caller sees what is made from these properties as it comes.

        The first is what it is about and has to be public; the others it is made from.
        """
        if self.operator is not None:
            return True
        return self.services.rule(names[0]).public and not any(map(self.shifted, names))

    def shifted(self, name: str) -> bool:
        """Whether this caller sees a property later or coarser than it is measured."""
        return self.operator is None and self.services.rule(name).shifted

    def coarsen_us(self, name: str) -> int:
        """Length of the intervals of which this caller sees one value each, 0: each reading."""
        return 0 if self.operator is not None else self.services.rule(name).coarsen_us

    def rounded(self, name: str, value: float) -> float:
        """A value of a property as finely as this caller may see it."""
        return value if self.operator is not None else self.services.rule(name).rounded(value)

    def arrived(self, points: Iterable[Point]) -> list[Point]:
        """What this caller may see at once of points that have just come."""
        return list(points) if self.operator is not None else list(self._public.live(points))

    def latest(
        self, stations: Collection[str] | None = None, properties: Collection[str] | None = None
    ) -> list[Point]:
        """The newest point of each series this caller may read, of some stations and properties, or of all.

        What is public later or coarser is read from the store, at most every 30 seconds.
        """
        newest = self.services.latest.latest(stations, properties)
        if self.operator is not None:
            return newest
        later = [
            each.series for each in newest if self.sees(each.series) and self.shifted(each.series.property)
        ]
        return [*self._public.live(newest), *self._newest(later)]

    @cached_property
    def terms(self) -> TermsOfAnswer:
        """Licence and attribution of what is no reading."""
        return terms_alone(self.services.terms)

    def terms_of(self, properties: Iterable[str] = ()) -> TermsOfAnswer:
        """Licence and attribution of an answer with readings of these properties; of none named, of all."""
        names = sorted(set(properties) or self.properties)
        return terms_of_all({name: self.services.terms_of(name) for name in names})

    def series(self, stations: Iterable[str] = (), properties: Iterable[str] = ()) -> list[Series]:
        """Series this caller may read, of these stations and properties (none named: of all).

        Raises Problem 404 for a station or property the caller may not know of.
        """
        wanted_stations = {self.station(id_).id for id_ in stations}
        wanted_properties = {self.property(name).name for name in properties}
        return [
            series
            for series in (self.book.at(wanted_stations) if wanted_stations else self.book.all())
            if (not wanted_properties or series.property in wanted_properties)
            and self.sees(series)
            and self._begun(series)
        ]

    def _newest(self, series: Sequence[Series]) -> list[Point]:
        """The newest visible of what is public later or coarser, as of now or a little before."""
        now_us, known = self.services.clock(), self.book.newest
        old = [each for each in series if each not in known or not 0 <= now_us - known[each][0] < _FRESH_US]
        with contextlib.suppress(StoreError):
            found = {point.series: point for point in self._public.latest(old)}
            known.update((each, (now_us, found.get(each))) for each in old)
        return [
            point
            for each in series
            if each in known and known[each][0] <= now_us and (point := known[each][1]) is not None
        ]

    def _begun(self, series: Series) -> bool:
        """Whether this caller can know of a series: not before its first delay is over."""
        if not self.shifted(series.property):
            return True
        as_of_us, point = self.book.newest.get(series, (0, None))
        return (point is not None and as_of_us <= self.services.clock()) or bool(self._newest([series]))

    def _shown(self, series: Series) -> tuple[PublicRule, Kind] | None:
        if series.station not in self.stations or series.property not in self.properties:
            return None
        rule = self.services.rule(series.property)
        return (rule, self.properties[series.property].kind) if rule.readable else None

    def locate(self, item: Mapping[str, Any]) -> tuple[float, float] | None:
        """Longitude and latitude of what an item's `station` is, where it has them."""
        station = self.stations.get(item["station"])
        if station is None or station.lat is None or station.lon is None:
            return None
        return station.lon, station.lat
