"""The simulated town: streets, paths and car parks, and what hangs there.

Fictitious devices at fictitious places around Bergisch Gladbach.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from devices.device_list import Reserved

Counts = Literal["total", "classes", "categories", "both", "event"]


@dataclass(frozen=True, slots=True)
class Lane:
    """One direction of a street or path: passings on a usual workday and the shape of its day."""

    channel: str
    daily: float
    shape: str


@dataclass(frozen=True, slots=True)
class Street:
    """Where passings are counted.

    `counts` how: by a running total (a device for each direction, or `one_device`), with speed classes or
    categories by interval, with totals and intervals both, or one uplink for each passing. `on_time`: it
    reports at the full five minutes, others at a second of their own. `free_kmh`: driven on an empty road.
    """

    station: str
    name: str
    lat: float
    lon: float
    type: str
    property: str
    counts: Counts
    interval_s: int
    lanes: tuple[Lane, ...]
    on_time: bool = False
    one_device: bool = False
    free_kmh: float = 0.0


@dataclass(frozen=True, slots=True)
class Guests:
    """Who parks: arrivals on a usual workday, and how long the middle one stays, minutes."""

    shape: str
    daily: float
    stay_min: float
    spread: float = 0.5


@dataclass(frozen=True, slots=True)
class Lot:
    """A car park. `told_by` spaces (a sensor in the first `sensors` spaces), counters, or a barrier.

    `miss`, `twice`: shares of the cars that entrance and exit counter overlook and count twice. `market`: it
    is the market place; `closes_h`: nobody stays after this hour.
    """

    station: str
    name: str
    lat: float
    lon: float
    capacity: int
    told_by: Literal["spaces", "counters", "barrier"]
    guests: tuple[Guests, ...]
    sensors: int = 0
    space_type: str = "bosch-tps110"
    reserved: Mapping[Reserved, Sequence[int]] = field(default_factory=dict)
    miss: tuple[float, float] = (0.0, 0.0)
    twice: tuple[float, float] = (0.0, 0.0)
    market: bool = False
    closes_h: float | None = None

    @property
    def open_to_all(self) -> int:
        """Spaces that everybody may take."""
        return self.capacity - sum(len(spaces) for spaces in self.reserved.values())

    def reserved_for(self, space: int) -> Reserved:
        """Whom a space is for."""
        return next((kind for kind, spaces in self.reserved.items() if space in spaces), "")


def _two_ways(daily: float) -> tuple[Lane, ...]:
    return Lane("ltr", daily, "inbound"), Lane("rtl", 0.97 * daily, "outbound")


NCC, TCR, PMX = "nwave-ncc405", "parametric-tcr", "pmx-systems-tcr"
PCR, VS133, TERABEE = "parametric-pcr2", "milesight-vs133", "terabee-people-counting-l"

STREETS = (
    Street(
        *("strasse-haupt", "Hauptstraße", 50.9920, 7.1330, NCC, "vehicle_count", "total", 300),
        _two_ways(6200),
        on_time=True,
    ),
    Street(
        *("strasse-odenthal", "Odenthaler Straße", 51.0010, 7.1240, NCC, "vehicle_count", "total", 600),
        _two_ways(4300),
    ),
    Street(
        *("strasse-paffrath", "Paffrather Straße", 50.9940, 7.1110, NCC, "vehicle_count", "total", 600),
        _two_ways(5100),
    ),
    Street(
        *("strasse-bensberg", "Bensberger Straße", 50.9830, 7.1390, TCR, "vehicle_count", "classes", 600),
        _two_ways(7400),
        on_time=True,
        one_device=True,
        free_kmh=47,
    ),
    Street(
        *("strasse-muelheim", "Mülheimer Straße", 50.9880, 7.1150, TCR, "vehicle_count", "classes", 600),
        _two_ways(8100),
        one_device=True,
        free_kmh=49,
    ),
    Street(
        *("strasse-schnabel", "Schnabelsmühle", 50.9890, 7.1300, TCR, "vehicle_count", "classes", 300),
        _two_ways(8800),
        on_time=True,
        one_device=True,
        free_kmh=44,
    ),
    Street(
        *("strasse-refrath", "Dolmanstraße", 50.9620, 7.1120, PMX, "vehicle_count", "categories", 900),
        _two_ways(3600),
        on_time=True,
        one_device=True,
        free_kmh=33,
    ),
    Street(
        *("weg-markt", "Fußgängerzone", 50.9915, 7.1285, PCR, "people_count", "both", 600),
        (Lane("ltr", 3900, "shops"), Lane("rtl", 3800, "shops")),
        one_device=True,
    ),
    Street(
        *("tuer-rathaus", "Rathaus", 50.9922, 7.1297, VS133, "people_count", "total", 600),
        (Lane("in/line1", 620, "shops"), Lane("out/line1", 615, "shops")),
        one_device=True,
    ),
    Street(
        *("tuer-buecherei", "Stadtbücherei", 50.9917, 7.1262, TERABEE, "people_count", "total", 900),
        (Lane("in", 480, "shops"), Lane("out", 478, "shops")),
        on_time=True,
        one_device=True,
    ),
    Street(
        *("rad-strunde", "Radweg Strunde", 50.9950, 7.1400, "", "bicycle_count", "event", 0),
        (Lane("ltr", 95, "leisure"), Lane("rtl", 90, "leisure")),
        one_device=True,
    ),
    Street(
        *("rad-bahntrasse", "Radweg Bahntrasse", 50.9700, 7.1300, "", "bicycle_count", "total", 900),
        (Lane("ltr", 520, "leisure"), Lane("rtl", 505, "leisure")),
        one_device=True,
    ),
)

CLOSED = "strasse-paffrath"
DIVERSION: Mapping[str, float] = {"strasse-odenthal": 1.24, "strasse-muelheim": 1.3}
"""While the street is closed, these carry more."""

LOTS = (
    Lot(
        *("parken-markt", "Konrad-Adenauer-Platz", 50.9921, 7.1290, 14, "spaces"),
        (Guests("shops", 118, 38), Guests("home", 6, 640, 0.2)),
        sensors=14,
        reserved={"disabled": (0, 1), "charging": (13,)},
        market=True,
    ),
    Lot(
        *("parken-loewe", "Bergischer Löwe", 50.9913, 7.1266, 180, "counters"),
        (Guests("shops", 780, 74), Guests("work", 62, 500, 0.18), Guests("home", 7, 640, 0.2)),
        miss=(0.006, 0.017),
        twice=(0.003, 0.002),
    ),
    Lot(
        *("parken-bahnhof", "P+R S-Bahnhof", 50.9907, 7.1183, 140, "counters"),
        (Guests("work", 150, 540, 0.16), Guests("shops", 60, 150), Guests("home", 4, 700, 0.2)),
        sensors=6,
        space_type="nwave-nps405",
        miss=(0.011, 0.004),
        twice=(0.002, 0.004),
    ),
    Lot(
        *("parken-schloss", "Schlossgalerie Bensberg", 50.9643, 7.1590, 95, "counters"),
        (Guests("shops", 540, 52), Guests("work", 14, 480, 0.2)),
        miss=(0.004, 0.004),
        twice=(0.004, 0.003),
        closes_h=22.5,
    ),
    Lot(
        *("parken-zanders", "Parkhaus Zanders", 50.9889, 7.1335, 260, "barrier"),
        (Guests("shops", 700, 95), Guests("work", 130, 510, 0.2), Guests("home", 28, 650, 0.2)),
    ),
)
"""The first `sensors` spaces have one; `reserved` counts spaces from 0."""
