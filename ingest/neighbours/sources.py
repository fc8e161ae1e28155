"""The kinds of neighbours a city can name, and the stations they make."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devices.registry import InstalledDevice, Registry, Station
from ingest.neighbours import dwd_cap, hochwasserportal_nrw, pegelonline
from ingest.neighbours.observed import Place, Source
from ingest.neighbours.uplinks import GAUGE, WARNINGS, dev_eui

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NUMBER = re.compile(r"\d{4,16}")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: how to make its source from foreign ids, its address, and how often it may be asked at most.

    `problem` says what is wrong with a foreign id, "" when nothing is.
    """

    make: Callable[[Collection[str], str, float], Source]
    url: str
    every_s: float
    problem: Callable[[str], str]
    gauges: bool = True


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One source as a city names it. `stations`: our station id -> the source's id of it."""

    kind: str
    stations: Mapping[str, str]
    public: bool = False
    cells: Collection[str] = ()
    url: str = ""
    every_s: float = 0.0
    user_agent: str = "Stadtfunk"
    stations_of: Mapping[str, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Foreign id -> station id."""
        object.__setattr__(self, "stations_of", {foreign: id_ for id_, foreign in self.stations.items()})

    def source(self) -> Source:
        """The source, ready to be asked."""
        kind = KINDS[self.kind]
        wanted = self.stations_of if kind.gauges else self.cells
        return kind.make(wanted, self.url or kind.url, self.every_s or kind.every_s)


def _pegelonline(foreign: str) -> str:
    usable = _UUID.fullmatch(foreign) or _NUMBER.fullmatch(foreign)
    return "" if usable else f"{foreign!r} is no gauge's uuid or number"


def _hochwasserportal(foreign: str) -> str:
    if hochwasserportal_nrw.PLACEHOLDER.fullmatch(foreign):
        return f"{foreign} is a placeholder of the portal, which stands for several stations"
    return "" if _NUMBER.fullmatch(foreign) else f"{foreign!r} is no station number"


def _cell(cell: str) -> str:
    usable = re.fullmatch(r"[1789]\d{8}", cell, re.ASCII)
    return "" if usable else f"{cell!r} is no WARNCELLID of nine digits such as 805378004"


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        pegelonline.KIND: Kind(pegelonline.PegelOnline, pegelonline.URL, pegelonline.EVERY_S, _pegelonline),
        hochwasserportal_nrw.KIND: Kind(
            hochwasserportal_nrw.HochwasserportalNrw,
            hochwasserportal_nrw.URL,
            hochwasserportal_nrw.EVERY_S,
            _hochwasserportal,
        ),
        dwd_cap.KIND: Kind(dwd_cap.DwdCap, dwd_cap.URL, dwd_cap.EVERY_S, _cell, gauges=False),
    }
)


def neighbour_registry(neighbours: Iterable[Neighbour], places: Mapping[tuple[str, str], Place]) -> Registry:
    """Stations and what stands for their devices; `places` by kind and foreign id, as far as known."""
    devices: dict[str, InstalledDevice] = {}
    stations: dict[str, Station] = {}
    for each in neighbours:
        for id_, foreign in each.stations.items():
            place = places.get((each.kind, foreign)) or Place(foreign, id_)
            device = InstalledDevice(
                dev_eui=dev_eui(each.kind, foreign),
                type=GAUGE if KINDS[each.kind].gauges else WARNINGS,
                station=id_,
                name=place.name,
                lat=place.lat,
                lon=place.lon,
                public=each.public,
                interval_s=place.interval_s,
                gauge_zero_m=place.gauge_zero_m,
                stages_cm=place.stages_cm,
                water=place.water,
                watched=False,
            )
            devices[device.dev_eui] = device
            stations[id_] = Station(
                id=id_,
                name=place.name,
                lat=place.lat,
                lon=place.lon,
                public=each.public,
                devices=(device.dev_eui,),
                stages_cm=place.stages_cm,
                gauge_zero_m=place.gauge_zero_m,
                water=place.water,
            )
    return Registry(MappingProxyType(devices), MappingProxyType(stations))
