"""A month of the town: what truly happened, and what arrives of what its sensors say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from devices.device_list import Reserved
from devices.registry import InstalledDevice, Registry, Station
from devices.simulator.mobility.days import Days, Ints, days
from devices.simulator.mobility.demand import generator, weather
from devices.simulator.mobility.network import (
    REPORT,
    Faults,
    Incident,
    deliver,
    glitched,
    outages,
)
from devices.simulator.mobility.parking import Stays, park
from devices.simulator.mobility.roads import Closure, Jam, Traffic, drive
from devices.simulator.mobility.sensors import EVENT, GATE_S, INTERVAL, SPACE_S, Sent, Span, of_lot, of_street
from devices.simulator.mobility.town import LOTS, STREETS, Lot, Street

BERLIN = ZoneInfo("Europe/Berlin")
_DEV_EUI = 0x00005EEF20000000


class Stream(NamedTuple):
    """What a series of readings is of."""

    station: str
    property: str
    channel: str
    dev_eui: str


class Place(NamedTuple):
    """A counting site: what a running total there is called, and direction and class."""

    station: str
    property: str
    channel: str


@dataclass(frozen=True)
class Month:
    """The truth and the reports. Times µs since the epoch, UTC; intervals are begin < time <= end.

    `calendar`: the days told of. `reports` has dtype `network.REPORT`, in the order of arrival, with the
    numbers of `streams`. `stays` by car park. `registry` is what is installed; a counter's direction is part
    of its stream.
    """

    calendar: Days
    streams: tuple[Stream, ...]
    reports: npt.NDArray[np.void]
    sent: tuple[Sent, ...]
    registry: Registry
    traffic: Traffic
    stays: Mapping[str, Stays]
    incidents: tuple[Incident, ...]
    lots: Mapping[str, Lot] = field(default_factory=dict)

    @property
    def begin_us(self) -> int:
        """Midnight before the first day."""
        return int(self.calendar.midnights[0])

    @property
    def end_us(self) -> int:
        """Midnight after the last day."""
        return int(self.calendar.midnights[-1])

    @property
    def jams(self) -> tuple[Jam, ...]:
        """Every congestion that began in these days."""
        return tuple(jam for jam in self.traffic.jams if self.begin_us <= jam.begin_us < self.end_us)

    @property
    def closures(self) -> tuple[Closure, ...]:
        """The closed streets."""
        return self.traffic.closures

    @property
    def hours(self) -> Ints:
        """Where the hours begin, and where the last ends."""
        return np.arange(self.begin_us, self.end_us + 1, 3_600_000_000, dtype=np.int64)

    @property
    def midnights(self) -> Ints:
        """Where the days begin, and where the last ends: 23, 24 or 25 hours apart."""
        return self.calendar.midnights

    @cached_property
    def seen(self) -> Mapping[Place, Ints]:
        """When somebody was seen, by counting site, ascending; also before the first day and after the last.

        That is everybody, but for the counters of car parks, which miss some and see others twice.
        """
        return {
            Place(each.device.station, name.removesuffix(INTERVAL).removesuffix(EVENT), channel): moments
            for each in self.sent
            for (name, channel), moments in each.seen.items()
        }

    def counts(self, place: Place, edges: npt.ArrayLike) -> Ints:
        """How many were seen between neighbouring edges."""
        found: Ints = np.diff(np.searchsorted(self.seen[place], np.asarray(edges, np.int64), side="right"))
        return found

    def occupied(self, station: str, times: npt.ArrayLike) -> Ints:
        """How many spaces were truly taken in a car park, without the reserved ones."""
        return self.stays[station].occupied(times)


def month(  # noqa: PLR0913 - each is a choice of its own
    seed: int = 1,
    days_: int = 31,
    zone: ZoneInfo = BERLIN,
    *,
    first: date = date(2025, 10, 1),
    faults: Faults | None = None,
    streets: tuple[Street, ...] = STREETS,
    lots: tuple[Lot, ...] = LOTS,
) -> Month:
    """So many days from a date on; the same arguments make the same month.

    The usual one has the end of summer time (26 October) and a holiday on a Friday. A day before it is
    simulated, too, so that nobody begins with empty streets and car parks.
    """
    faults = faults or Faults()
    world = days(first - timedelta(1), days_ + 1, zone)
    told = days(first, days_, zone)
    sky = weather(world, seed)
    traffic = drive(streets, world, sky, seed)
    stays = {lot.station: park(lot, world, sky, seed) for lot in lots}
    installed = _installed(streets, lots)
    begin, end = int(told.midnights[0]), int(told.midnights[-1])
    span = Span(begin, end, seed, _resets(installed, begin, end, faults, seed))
    sent: list[Sent] = []
    for street in streets:
        lanes = {lane.channel: traffic.passings[street.station, lane.channel] for lane in street.lanes}
        sent += of_street(street, installed[street.station], lanes, span)
    for lot in lots:
        sent += of_lot(lot, installed[lot.station], stays[lot.station], span)
    sent, glitches = glitched(sent, faults, seed)
    silent = outages(sent, faults, seed)
    resets = [Incident("reset", dev_eui, at, at) for dev_eui, each in span.resets.items() for at in each]
    streams, reports = _arrived(sent, faults, silent, seed)
    return Month(
        calendar=told,
        streams=streams,
        reports=reports,
        sent=tuple(sent),
        registry=_registry(streets, lots, installed),
        traffic=traffic,
        stays=stays,
        incidents=tuple(sorted([*resets, *glitches, *silent], key=lambda each: each.begin_us)),
        lots={lot.station: lot for lot in lots},
    )


def weeks(
    seed: int = 1, learn: int = 8, held_out: int = 2, first: date = date(2026, 2, 2)
) -> tuple[Month, int]:
    """Weeks of the car parks alone: to learn from, then to be scored against, and where the latter begin.

    Truth by `Month.occupied`, what was reported in `Month.reports`. From a Monday; the usual weeks have the
    end of March's shift, Good Friday and Easter Monday at their end.
    """
    found = month(seed, 7 * (learn + held_out), first=first, streets=())
    return found, int(found.midnights[7 * learn])


def _installed(streets: tuple[Street, ...], lots: tuple[Lot, ...]) -> Mapping[str, list[InstalledDevice]]:
    numbers = iter(range(1, 10_000))

    def device(
        type_: str, place: Street | Lot, direction: str, interval_s: float | None, reserved: Reserved = ""
    ) -> InstalledDevice:
        return InstalledDevice(
            dev_eui=f"{_DEV_EUI + next(numbers):016x}",
            type=type_,
            station=place.station,
            name=place.name,
            lat=place.lat,
            lon=place.lon,
            public=True,
            interval_s=interval_s,
            capacity=place.open_to_all if isinstance(place, Lot) else None,
            reserved=reserved,
            direction=direction,
            note="fictitious",
        )

    found: dict[str, list[InstalledDevice]] = {}
    for street in streets:
        directions = [""] if street.one_device else [lane.channel for lane in street.lanes]
        found[street.station] = [
            device(street.type, street, each, street.interval_s or None) for each in directions
        ]
    for lot in lots:
        own = {
            "spaces": [],
            "counters": [("nwave-ncc405", "in"), ("nwave-ncc405", "out")],
            "barrier": [("", "")],
        }[lot.told_by]
        found[lot.station] = [device(type_, lot, way, GATE_S) for type_, way in own]
        found[lot.station] += [
            device(lot.space_type, lot, "", SPACE_S, lot.reserved_for(space)) for space in range(lot.sensors)
        ]
    return found


def _registry(
    streets: tuple[Street, ...], lots: tuple[Lot, ...], installed: Mapping[str, list[InstalledDevice]]
) -> Registry:
    places: list[Street | Lot] = [*streets, *lots]
    stations = {
        place.station: Station(
            id=place.station,
            name=place.name,
            lat=place.lat,
            lon=place.lon,
            public=True,
            devices=tuple(each.dev_eui for each in installed[place.station]),
            capacity=place.open_to_all if isinstance(place, Lot) else None,
        )
        for place in places
    }
    return Registry({each.dev_eui: each for some in installed.values() for each in some}, stations)


def _resets(
    installed: Mapping[str, list[InstalledDevice]], begin: int, end: int, faults: Faults, seed: int
) -> Mapping[str, tuple[int, ...]]:
    rng = generator(seed, "resets")
    types = {"nwave-ncc405", "parametric-pcr2", "milesight-vs133", "terabee-people-counting-l"}
    able = [each.dev_eui for some in installed.values() for each in some if each.type in types]
    chosen = rng.permutation(able)[: faults.resets]
    return {
        str(dev_eui): (int(rng.integers(begin + (end - begin) // 10, end - (end - begin) // 10)),)
        for dev_eui in chosen
    }


def _arrived(
    sent: list[Sent], faults: Faults, silent: list[Incident], seed: int
) -> tuple[tuple[Stream, ...], npt.NDArray[np.void]]:
    """Streams and reports, by arrival; an uplink's readings stay together."""
    streams: dict[Stream, int] = {}
    parts = []
    for number, each in enumerate(sent):
        arrived = deliver(each, faults, silent, seed)
        ids = [
            streams.setdefault(Stream(each.device.station, *column, each.device.dev_eui), len(streams))
            for column in each.columns
        ]
        rows = np.zeros((len(arrived.uplink), len(ids)), REPORT)
        rows["stream"] = ids
        rows["time_us"] = each.times[arrived.uplink][:, None]
        rows["value"] = each.values[arrived.uplink]
        rows["arrival_us"] = arrived.arrival_us[:, None]
        rows["sent"], rows["uplink"] = number, arrived.uplink[:, None]
        rows["repeated"] = arrived.repeated[:, None]
        parts.append(rows.ravel())
    reports = np.concatenate(parts)
    order = np.argsort(reports["arrival_us"], kind="stable")
    return tuple(streams), reports[order]


def uplinks(reports: npt.NDArray[np.void]) -> Iterator[npt.NDArray[np.void]]:
    """The reports by uplink, in the order of arrival: one copy of one message each."""
    new = np.ones(len(reports) + 1, np.bool_)
    new[1:-1] = np.any(
        [reports[name][1:] != reports[name][:-1] for name in ("sent", "uplink", "arrival_us")], axis=0
    )
    edges = np.flatnonzero(new).tolist()
    for begin, end in pairwise(edges):
        yield reports[begin:end]
