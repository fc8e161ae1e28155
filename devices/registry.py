"""Installed devices and the stations they stand at."""

import difflib
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from devices.device_list import Located, Reserved, above_zero_cm, read_device_list
from devices.errors import Fault, RegistryError
from devices.measurement import Measurement
from devices.properties import observed_properties

_SAME_PLACE_DEG = 1e-6


@dataclass(frozen=True, slots=True)
class InstalledDevice:
    """One device where it hangs.

    `dev_eui` 16 lower-case hex digits; `type` an id of the catalogue, "" only where types are optional;
    `lat`, `lon` WGS 84 degrees; `interval_s` seconds between uplinks, None: the type's; `sensor_height_cm`
    height of the sensor above the gauge zero; `gauge_zero_m` m NHN; `stages_cm` ascending levels above the
    gauge zero; `direction` is the channel of a counter that knows only one; `reserved`: whom a parking space
    is for;
    `watched` False: its silence is not judged (an authority's gauge: its source as a whole is).
    """

    dev_eui: str
    type: str
    station: str
    name: str = ""
    lat: float | None = None
    lon: float | None = None
    public: bool = False
    interval_s: float | None = None
    gauge_zero_m: float | None = None
    sensor_height_cm: float | None = None
    stages_cm: tuple[float, ...] = ()
    capacity: int | None = None
    reserved: Reserved = ""
    water: str = ""
    direction: str = ""
    note: str = ""
    watched: bool = True

    def derive(self, measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
        """The measurements and what the place makes of them.

        water_level (cm above gauge zero) = sensor_height_cm - water_distance (mm) / 10, or
        sensor_height_cm + water_depth (cm), with the quality of what it was made from; a device that sends
        water_level itself keeps its own. Of several at one time the first counts; each time that the payload
        gives has its own. A counter without a channel gets the device's direction.
        """
        given = tuple(measurements)
        if self.direction:
            given = tuple(self._directed(each) for each in given)
        if self.sensor_height_cm is None or any(each.property == "water_level" for each in given):
            return given
        levels: dict[int | None, Measurement] = {}
        for each in given:
            factor = _LEVEL_CM_PER_UNIT.get(each.property)
            if factor is not None and each.time_us not in levels:
                value = None if each.value is None else round(self.sensor_height_cm + factor * each.value, 3)
                levels[each.time_us] = replace(each, property="water_level", value=value)
        return (*given, *levels.values())

    def _directed(self, measurement: Measurement) -> Measurement:
        if measurement.channel or measurement.property not in _directed_properties():
            return measurement
        return replace(measurement, channel=self.direction)


_LEVEL_CM_PER_UNIT = {"water_distance": -0.1, "water_depth": 1.0}


@cache
def _directed_properties() -> frozenset[str]:
    return frozenset(
        name
        for name, each in observed_properties().items()
        if each.theme == "traffic" and each.kind in {"counter", "count"}
    )


@dataclass(frozen=True, slots=True)
class Station:
    """A place of measurement; one or several devices (DevEUIs) make it up."""

    id: str
    name: str
    lat: float | None
    lon: float | None
    public: bool
    devices: tuple[str, ...]
    capacity: int | None = None
    stages_cm: tuple[float, ...] = ()
    gauge_zero_m: float | None = None
    water: str = ""


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything installed, as one immutable snapshot. `public`: the stations that everybody sees."""

    devices: Mapping[str, InstalledDevice] = field(default_factory=lambda: MappingProxyType({}))
    stations: Mapping[str, Station] = field(default_factory=lambda: MappingProxyType({}))
    public: Mapping[str, Station] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Look through the stations once, for everybody who asks."""
        public = {id_: station for id_, station in self.stations.items() if station.public}
        object.__setattr__(self, "public", MappingProxyType(public))


def load_registry(
    file: Path | None,
    tables: Sequence[Mapping[str, Any]] = (),
    *,
    catalogue: Collection[str] | None = None,
    types_optional: bool = False,
    tables_file: str = "city.toml",
) -> Registry:
    """The registry from a CSV or TOML file and from [[device]] tables.

    `catalogue`: known device types, to check against. `types_optional`: for a backtest, which needs stations
    only; then type, dev_eui and coordinates may be missing (a missing DevEUI becomes a number).
    Raises RegistryError with all faults found in one pass.
    """
    rows, faults = read_device_list(file, tables, tables_file)
    return registry_of(rows, faults, catalogue=catalogue, types_optional=types_optional)


def registry_of(
    rows: Sequence[Located],
    faults: Sequence[Fault] = (),
    *,
    catalogue: Collection[str] | None = None,
    types_optional: bool = False,
) -> Registry:
    """The registry of rows that are read. Raises RegistryError with the given faults and all others."""
    faults = list(faults)
    if types_optional:
        rows = [_numbered(located, i) for i, located in enumerate(rows, 1)]
    else:
        faults += _missing(rows)
    faults += _doubled(rows)
    if catalogue is not None:
        faults += _unknown_types(rows, catalogue)
    stations, disagreements = _stations(rows)
    faults += disagreements
    if not types_optional:
        misplaced = {each.row.station for each in rows if "lat" in each.bad}
        faults += [
            first.fault("lat", f"station {id_} has no coordinates", "give lat and lon in one of its rows")
            for id_, (station, first) in stations.items()
            if station.lat is None and id_ not in misplaced
        ]
    if faults:
        raise RegistryError(*faults)
    devices = {each.row.dev_eui: _installed(each, stations[each.row.station][0]) for each in rows}
    return Registry(
        MappingProxyType(devices), MappingProxyType({id_: station for id_, (station, _) in stations.items()})
    )


def _numbered(located: Located, number: int) -> Located:
    if located.row.dev_eui:
        return located
    return replace(located, row=located.row.model_copy(update={"dev_eui": f"{number:016x}"}))


def _missing(rows: Iterable[Located]) -> list[Fault]:
    return [
        located.fault(column, "is missing", remedy)
        for located in rows
        for column, remedy in (
            ("dev_eui", "write the 16 hex digits on the device's label"),
            ("type", "write an id that `stadtfunk devices` lists"),
        )
        if not getattr(located.row, column) and column not in located.bad
    ]


def _doubled(rows: Iterable[Located]) -> list[Fault]:
    first: dict[str, Located] = {}
    faults = []
    for located in rows:
        eui = located.row.dev_eui
        if eui and eui in first:
            problem = f"{eui} stands already in {first[eui].file}, {first[eui].place}"
            faults.append(located.fault("dev_eui", problem, "keep one row for each device"))
        first.setdefault(eui, located)
    return faults


def _unknown_types(rows: Iterable[Located], catalogue: Collection[str]) -> list[Fault]:
    faults = []
    for located in rows:
        id_ = located.row.type
        if id_ and id_ not in catalogue:
            close = difflib.get_close_matches(id_.lower(), list(catalogue), n=1, cutoff=0.4)
            remedy = f"did you mean {close[0]}?" if close else "see `stadtfunk devices` for the list"
            faults.append(located.fault("type", f"unknown type {id_}", remedy))
    return faults


_OF_THE_STATION = ("name", "public", "capacity", "stages_cm", "stages_m_nhn", "gauge_zero_m", "water")


def _stations(rows: Iterable[Located]) -> tuple[dict[str, tuple[Station, Located]], list[Fault]]:
    """One station of all rows that name it: a value may stand in any of them, but not in two versions."""
    grouped: dict[str, list[Located]] = {}
    for located in rows:
        grouped.setdefault(located.row.station, []).append(located)
    stations = {}
    faults: list[Fault] = []
    for id_, group in grouped.items():
        values: dict[str, Any] = {}
        origin: dict[str, Located] = {}
        for located in group:
            for column in (*_OF_THE_STATION, "lat", "lon"):
                value = getattr(located.row, column)
                if value in (None, "", ()):
                    continue
                if column not in values:
                    values[column], origin[column] = value, located
                elif not _agree(column, values[column], value):
                    problem = (
                        f"station {id_} has {values[column]!r} in {origin[column].place}, here {value!r}"
                    )
                    faults.append(located.fault(column, problem, "write the same or leave it empty here"))
        if "stages_m_nhn" in values:
            faults += _convert_marks(values, origin)
        stations[id_] = (
            Station(
                id=id_,
                name=values.get("name", id_),
                lat=values.get("lat"),
                lon=values.get("lon"),
                public=values.get("public", False),
                devices=tuple(each.row.dev_eui for each in group),
                capacity=values.get("capacity"),
                stages_cm=values.get("stages_cm", ()),
                gauge_zero_m=values.get("gauge_zero_m"),
                water=values.get("water", ""),
            ),
            group[0],
        )
    return stations, faults


def _convert_marks(values: dict[str, Any], origin: Mapping[str, Located]) -> list[Fault]:
    """Turn a station's marks in m NHN into cm above its gauge zero."""
    marks, at = values["stages_m_nhn"], origin["stages_m_nhn"]
    zero = values.get("gauge_zero_m")
    if "stages_cm" in values:
        return [at.fault("stages_m_nhn", "the station has stages_cm as well", "keep one of the two")]
    if zero is None:
        problem, remedy = "marks in m NHN need the gauge zero", "give gauge_zero_m, or the marks as stages_cm"
        return [] if "gauge_zero_m" in at.bad else [at.fault("stages_m_nhn", problem, remedy)]
    if marks[0] < zero:
        problem = f"mark {marks[0]:g} m NHN is below the gauge zero, {zero:g} m NHN"
        return [at.fault("stages_m_nhn", problem, "marks above the gauge zero are stages_cm, in cm")]
    values["stages_cm"] = tuple(above_zero_cm(mark, zero) for mark in marks)
    return []


def _agree(column: str, one: Any, other: Any) -> bool:
    if column in {"lat", "lon"}:
        return bool(abs(one - other) <= _SAME_PLACE_DEG)
    return bool(one == other)


def _installed(located: Located, station: Station) -> InstalledDevice:
    row = located.row
    return InstalledDevice(
        dev_eui=row.dev_eui,
        type=row.type,
        station=station.id,
        name=station.name,
        lat=station.lat,
        lon=station.lon,
        public=station.public,
        interval_s=row.interval_s,
        gauge_zero_m=station.gauge_zero_m,
        sensor_height_cm=row.sensor_height_cm,
        stages_cm=station.stages_cm,
        capacity=station.capacity,
        reserved=row.reserved,
        water=station.water,
        direction=row.direction,
        note=row.note,
    )


class RegistryFile:
    """The registry of a file that may change while the service runs.

    `current` is an immutable snapshot, swapped in one assignment. `fault` holds the error of the last reload
    while a bad new file keeps the old registry in force, else None. The first load raises RegistryError.
    """

    def __init__(
        self,
        file: Path | None,
        tables: Sequence[Mapping[str, Any]] = (),
        *,
        catalogue: Collection[str] | None = None,
        types_optional: bool = False,
        tables_file: str = "city.toml",
    ) -> None:
        self._file = file
        self._tables = tuple(tables)
        self._catalogue = catalogue
        self._types_optional = types_optional
        self._tables_file = tables_file
        self._lock = threading.Lock()
        self.fault: RegistryError | None = None
        self._joined = Registry()
        self._seen = self._signature()
        self._own = self._load()
        self.current = self._own

    def join(self, others: Registry) -> None:
        """Put stations that stand in no file beside the file's; later ones replace them. The file's win."""
        with self._lock:
            self._joined = others
            self.current = merged(self._own, others)

    def renew(self) -> bool:
        """Makes a new snapshot, also of a file that did not change: types have. False: the file is bad.

        Whoever arranges its work by the registry arranges it anew. Of a bad file the old devices stay.
        """
        with self._lock:
            sound = self._read_again(self._signature())
            self.current = merged(self._own, self._joined)
            return sound

    def refresh(self) -> bool:
        """Loads the file again if it changed; True when `current` is a new registry."""
        with self._lock:
            signature = self._signature()
            if signature == self._seen or not self._read_again(signature):
                return False
            self.current = merged(self._own, self._joined)
            return True

    def _read_again(self, signature: tuple[int, int, int] | None) -> bool:
        """Whether the file could be read; of a bad one the old devices stay."""
        self._seen = signature
        try:
            self._own = self._load()
        except RegistryError as error:
            self.fault = error
            return False
        self.fault = None
        return True

    def _load(self) -> Registry:
        return load_registry(
            self._file,
            self._tables,
            catalogue=self._catalogue,
            types_optional=self._types_optional,
            tables_file=self._tables_file,
        )

    def _signature(self) -> tuple[int, int, int] | None:
        if self._file is None:
            return None
        try:
            stat = self._file.stat()
        except OSError:
            return (0, 0, 0)
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


def merged(own: Registry, others: Registry) -> Registry:
    """Both; where they have a station of one id, the own one."""
    stations = {**others.stations, **own.stations}
    devices = {eui: device for eui, device in others.devices.items() if device.station not in own.stations}
    return Registry(MappingProxyType({**devices, **own.devices}), MappingProxyType(stations))
