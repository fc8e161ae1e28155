"""What of the city is open data at the moment: the facts a catalogue is written from."""

import math
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from api.dcat.interfaces import Form, Interface, hazard_forms, interfaces, reading_forms, theme_forms
from api.dcat.publisher import Publisher
from api.dcat.terms import Terms, listed, terms_of
from api.dcat.texts import OFFICIAL, WARNINGS, DatasetText, dataset_texts
from api.mobility.counts import may_count
from api.mobility.parks import PARKING, shown_parks
from api.rfc3339 import EPOCH
from api.visibility import View
from devices.registry import Station
from ingest.errors import StoreError
from ingest.reading import Series
from ingest.store import Query

_SECOND_US = 1_000_000
_FRESH_US = 3600 * _SECOND_US
_GRID = 100
"""Boxes end at hundredths of a degree: a station more changes few of them, and no place shows."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One distribution: a form under its terms. `name`: its part of the IRI."""

    name: str
    form: Form
    terms: Terms


@dataclass(frozen=True, slots=True)
class Dataset:
    """One dataset. `box`: west, south, east, north in degrees; days are the city's.

    `resolution_s`: how often it is measured at best; None where that, or a time, is not known.
    """

    name: str
    text: DatasetText
    offers: tuple[Offer, ...]
    begin: date | None = None
    newest: date | None = None
    box: tuple[float, float, float, float] | None = None
    resolution_s: int | None = None


@dataclass(frozen=True, slots=True)
class Contents:
    """Everything that a catalogue says but the address it is asked at."""

    city: str
    ars: str
    terms: Terms
    publisher: Publisher
    datasets: tuple[Dataset, ...]
    interfaces: tuple[Interface, ...]


class FirstReadings:
    """When groups of series begin, asked of the store once an hour; what it last said while it is away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[frozenset[Series], tuple[int, int | None]] = {}

    def of(self, view: View, series: Sequence[Series]) -> int | None:
        """Time of the first of all readings of these series; None where there is none or nobody knows."""
        key, now_us = frozenset(series), view.services.clock()
        with self._lock:
            asked_us, first_us = self._known.get(key, (now_us - _FRESH_US, None))
        if now_us - asked_us < _FRESH_US:
            return first_us
        try:
            points = list(view.readings.query(Query(series, limit=1)))
        except StoreError:
            return first_us
        first_us = points[0].time_us if points else None
        with self._lock:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = now_us, first_us
        return first_us


_MOST = 100


def contents(view: View, publisher: Publisher, paths: Collection[str], first: FirstReadings) -> Contents:
    """The facts, for what this view sees; `paths`: what the application has (interfaces.py)."""
    services = view.services
    city = services.city
    if services.sta is None:
        paths = {path for path in paths if not path.startswith("/sta")}
    return Contents(
        city=city.name,
        ars=city.ars,
        terms=terms_of(services),
        publisher=publisher,
        datasets=(*_themes(view, paths, first), *_hazards(view, paths)),
        interfaces=tuple(interfaces(paths)),
    )


def _themes(view: View, paths: Collection[str], first: FirstReadings) -> Iterable[Dataset]:
    series: dict[str, list[Series]] = {}
    for each in view.series():
        series.setdefault(view.properties[each.property].theme, []).append(each)
    day = _calendar(view)
    newest = _newest(view, [each for group in series.values() for each in group])
    # free spaces and counts are open data also where what they are made from is not
    counted = {
        each.site.station
        for each in view.services.traffic()
        if each.site.property in view.properties and may_count(view, each.site.property, "PT1H")
    }
    beside = {PARKING: shown_parks(view).keys(), "traffic": counted & view.stations.keys()}
    for theme, text in dataset_texts().items():
        group = series.get(theme, [])
        stations = {each.station for each in group} | beside.get(theme, frozenset())
        if not stations:
            continue
        begin_us = first.of(view, group) if group else None
        properties = sorted({each.property for each in group})
        yield Dataset(
            name=theme,
            text=text,
            offers=(*_readings(view, theme, text, properties, paths), *_special(view, theme, paths)),
            begin=None if begin_us is None else day(begin_us),
            newest=day(newest[theme]) if theme in newest else None,
            box=_box(view.stations[id_] for id_ in stations),
            resolution_s=_resolution(view, stations),
        )


def _readings(
    view: View, theme: str, text: DatasetText, properties: Sequence[str], paths: Collection[str]
) -> Iterable[Offer]:
    """The forms of a theme's readings; properties under other terms have distributions of their own."""
    common = terms_of(view.services)
    groups: dict[Terms, list[str]] = {}
    for name in properties:
        groups.setdefault(terms_of(view.services, name), []).append(name)
    for terms, names in groups.items():
        suffix = "" if terms == common else f"-{names[0]}"
        for form in reading_forms(text, names, paths):
            yield Offer(f"{theme}-{form.name}{suffix}", form, terms)


def _special(view: View, theme: str, paths: Collection[str]) -> tuple[Offer, ...]:
    """The forms that only this theme has."""
    return _under(terms_of(view.services), theme, theme_forms(theme, paths))


def _hazards(view: View, paths: Collection[str]) -> Iterable[Dataset]:
    services, texts = view.services, dataset_texts()
    terms = terms_of(services)
    if services.cap is None:
        paths = {path for path in paths if not path.startswith(("/cap", "/compat"))}
    yield Dataset(
        name=WARNINGS,
        text=texts[WARNINGS],
        offers=_under(terms, WARNINGS, hazard_forms(WARNINGS, services.city.ars, paths)),
    )
    if services.official_public and services.official() is not None:
        terms = Terms(listed(OFFICIAL_LICENSE), OFFICIAL_SOURCE)
        yield Dataset(
            name=OFFICIAL,
            text=texts[OFFICIAL],
            offers=_under(terms, OFFICIAL, hazard_forms(OFFICIAL, services.city.ars, paths)),
        )


OFFICIAL_LICENSE = "https://creativecommons.org/licenses/by/4.0/"
OFFICIAL_SOURCE = "Quelle: Deutscher Wetterdienst"


def _under(terms: Terms, name: str, forms: Iterable[Form]) -> tuple[Offer, ...]:
    return tuple(Offer(f"{name}-{form.name}", form, terms) for form in forms)


def _newest(view: View, series: Sequence[Series]) -> Mapping[str, int]:
    """Time of the newest reading by theme, of what this view sees."""
    seen = set(series)
    newest: dict[str, int] = {}
    for point in view.latest():
        if point.series in seen:
            theme = view.properties[point.series.property].theme
            newest[theme] = max(newest.get(theme, point.time_us), point.time_us)
    return newest


def _calendar(view: View) -> Callable[[int], date]:
    zone = ZoneInfo(view.services.city.timezone)
    return lambda time_us: EPOCH.fromtimestamp(time_us // _SECOND_US, zone).date()


def _box(stations: Iterable[Station]) -> tuple[float, float, float, float] | None:
    places = [(each.lon, each.lat) for each in stations if each.lon is not None and each.lat is not None]
    if not places:
        return None
    lons, lats = zip(*places, strict=True)
    return _below(min(lons)), _below(min(lats)), _above(max(lons)), _above(max(lats))


def _below(degrees: float) -> float:
    return (math.ceil(degrees * _GRID) - 1) / _GRID


def _above(degrees: float) -> float:
    return (math.floor(degrees * _GRID) + 1) / _GRID


def _resolution(view: View, stations: Iterable[str]) -> int | None:
    """The shortest interval, in seconds, of the devices at some stations."""
    devices, catalogue = view.registry.devices, view.services.catalogue
    found = [
        devices[eui].interval_s
        or (catalogue[devices[eui].type].interval_s if devices[eui].type in catalogue else None)
        for id_ in stations
        for eui in view.stations[id_].devices
    ]
    return min((math.ceil(each) for each in found if each), default=None)
