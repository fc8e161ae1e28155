"""catchments.toml: what drains into which water, how fast a wave travels, and the basins on its way."""

import fnmatch
import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.errors import AlertsConfigError
from devices.errors import Fault
from devices.registry import Registry

Finite = Annotated[float, Field(allow_inf_nan=False)]
Minutes = Annotated[float, Field(ge=0, le=2880)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
CITY = "city"
"""Id of the catchment that takes the stations of no other."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Catchment(_Table):
    """Stations (ids or globs) whose rain and levels are one event. `min_live`: with fewer gauges that live,
    rain and level together, the network is blind there."""  # noqa: D205, D209 - one thought

    id: Id
    name: str = ""
    stations: tuple[str, ...] = Field(min_length=1)
    min_live: int = Field(default=1, ge=1)

    def covers(self, station: str) -> bool:
        """Whether a station belongs to it."""
        return any(fnmatch.fnmatchcase(station, pattern) for pattern in self.stations)


class Reach(_Table):
    """A wave at one level station reaches another one below it in `travel_min` (fastest, slowest)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    upstream: str = Field(alias="from")
    downstream: str = Field(alias="to")
    travel_min: tuple[Minutes, Minutes]

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.upstream == self.downstream:
            raise ValueError("from and to are the same station")
        if self.travel_min[0] > self.travel_min[1]:
            raise ValueError("travel_min is [fastest, slowest]")
        return self


class Spillway(_Table):
    """Where a basin overflows: `level_cm` above the zero of its gauge."""

    name: str = Field(min_length=1)
    level_cm: Finite


class Basin(_Table):
    """A retention basin with a level gauge. `volume`: (cm above gauge zero, m³), both rising; `outlet`: (cm,
    m³/s), what leaves by the outlet; `spillways`: one or two, lowest first;
    `design_inflow_m3s`: the inflow whose overflow must be warned of in time."""  # noqa: D205, D209 - one thought

    id: Id
    name: str = Field(min_length=1)
    station: str
    volume: tuple[tuple[Finite, Finite], ...] = Field(min_length=2)
    outlet: tuple[tuple[Finite, Finite], ...] = ()
    spillways: tuple[Spillway, ...] = Field(min_length=1, max_length=2)
    design_inflow_m3s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    fictitious: bool = False

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for name, curve in (("volume", self.volume), ("outlet", self.outlet)):
            if any(a[0] >= b[0] or a[1] > b[1] for a, b in itertools.pairwise(curve)):
                raise ValueError(f"{name} must rise from row to row")
        levels = [each.level_cm for each in self.spillways]
        if any(a >= b for a, b in itertools.pairwise(levels)):
            raise ValueError("spillways go from the lowest to the highest")
        if levels[-1] > self.volume[-1][0]:
            raise ValueError("the volume curve must reach up to the highest spillway")
        return self


@dataclass(frozen=True, slots=True)
class Catchments:
    """One file's catchments, reaches and basins; without a file the whole city is one catchment."""

    file: str = ""
    catchments: tuple[Catchment, ...] = ()
    reaches: tuple[Reach, ...] = ()
    basins: tuple[Basin, ...] = ()

    def of(self, station: str) -> Catchment:
        """The first catchment that covers a station, else the city as one."""
        return next((each for each in self.catchments if each.covers(station)), _CITY)

    def check(self, registry: Registry) -> list[Fault]:
        """What does not fit the installed devices."""
        named = [
            *(
                (f"catchment {number} ({each.id}).stations", station)
                for number, each in enumerate(self.catchments, 1)
                for station in each.stations
            ),
            *(
                (f"reach {number}.{key}", station)
                for number, each in enumerate(self.reaches, 1)
                for key, station in (("from", each.upstream), ("to", each.downstream))
            ),
            *(
                (f"basin {number} ({each.id}).station", each.station)
                for number, each in enumerate(self.basins, 1)
            ),
        ]
        return [
            Fault(self.file, key, f"unknown station {station!r}", "use a station of the device list")
            for key, station in named
            if not any(fnmatch.fnmatchcase(known, station) for known in registry.stations)
        ]


_CITY = Catchment(id=CITY, stations=("*",))
_KINDS: Mapping[str, type[_Table]] = {"catchment": Catchment, "reach": Reach, "basin": Basin}


def load_catchments(file: Path | None) -> Catchments:
    """The catchments of a file, none without one. Raises AlertsConfigError with all faults in it."""
    if file is None:
        return Catchments()
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        remedy = "give a readable TOML file in [alerts] catchments"
        raise AlertsConfigError(Fault(str(file), "file", f"cannot be read: {fault}", remedy)) from fault
    except tomllib.TOMLDecodeError as fault:
        raise AlertsConfigError(
            Fault(str(file), "file", f"is not TOML: {fault}", "correct the line")
        ) from fault
    return parse_catchments(document, str(file))


def parse_catchments(document: Mapping[str, Any], file: str) -> Catchments:
    """Catchments of a parsed document. Raises AlertsConfigError with all faults in it."""
    faults = [
        Fault(file, key, "unknown key", "write [[catchment]], [[reach]] or [[basin]]")
        for key in document
        if key not in _KINDS
    ]
    found: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    for kind, model in _KINDS.items():
        tables = document.get(kind, [])
        if not isinstance(tables, list):
            faults.append(Fault(file, kind, "is no list of tables", f"write [[{kind}]] above each"))
            continue
        for number, table in enumerate(tables, 1):
            try:
                found[kind].append(model.model_validate(table))
            except pydantic.ValidationError as fault:
                faults += _faults(file, f"{kind} {number}", fault)
        ids = [each.id for each in found[kind] if hasattr(each, "id")]
        faults += [
            Fault(file, f"{kind} {id_}", "two of this id", "give each its own id")
            for id_ in sorted({each for each in ids if ids.count(each) > 1})
        ]
    faults += [
        Fault(
            file,
            "reach",
            f"a wave from {station} comes back to it",
            "a reach leads downstream: turn one round",
        )
        for station in _circles(found["reach"])
    ]
    if faults:
        raise AlertsConfigError(*faults)
    return Catchments(file, tuple(found["catchment"]), tuple(found["reach"]), tuple(found["basin"]))


def _circles(reaches: Sequence[Reach]) -> list[str]:
    """Stations that lie downstream of themselves."""
    below: dict[str, set[str]] = {}
    for each in reaches:
        below.setdefault(each.upstream, set()).add(each.downstream)

    def reached(station: str) -> set[str]:
        found: set[str] = set()
        ahead = [station]
        while ahead:
            new = below.get(ahead.pop(), set()) - found
            found |= new
            ahead += new
        return found

    return [station for station in sorted(below) if station in reached(station)]


def _faults(file: str, key: str, fault: pydantic.ValidationError) -> Iterator[Fault]:
    for error in fault.errors():
        where = ".".join([key, *map(str, error["loc"])])
        problem = f"{error['msg'].removeprefix('Value error, ')} (it is {error['input']!r})"
        yield Fault(file, where, problem, "see docs/catchments.md for its meaning and range")
