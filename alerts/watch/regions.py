"""Which catchments lie beside each other: rain in one is a reason to watch the next more closely."""

import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from alerts.catchments import CITY, Catchment, Catchments
from alerts.kernels.rows import Bools, Ints
from devices.registry import Registry

NEAR_KM = 5.0
_KM_A_DEGREE = 111.2


class _Box(NamedTuple):
    """South, west, north, east in degrees."""

    south: float
    west: float
    north: float
    east: float

    def apart_km(self, other: "_Box") -> float:
        """Between the nearest edges, 0 when they meet."""
        north = max(self.south - other.north, other.south - self.north, 0.0)
        east = max(self.west - other.east, other.west - self.east, 0.0)
        return _KM_A_DEGREE * math.hypot(north, east * math.cos(math.radians(self.south)))


class Regions:
    """The catchments by number; the last one takes the stations of no other.

    Two are near when a reach leads from one to the other, or when the boxes around their stations lie within
    NEAR_KM. `near` (catchment, catchment); each is near itself.
    """

    def __init__(self, catchments: Catchments, registry: Registry) -> None:
        self._catchments = catchments
        rest = Catchment(id=CITY, stations=("*",))
        self.catchments: tuple[Catchment, ...] = (*catchments.catchments, rest)
        self._number = {each.id: number for number, each in enumerate(self.catchments)}
        self._of: dict[str, int] = {}
        self.near: Bools = np.eye(len(self.catchments), dtype=np.bool_)
        for reach in catchments.reaches:
            self._join(self.of(reach.upstream), self.of(reach.downstream))
        places: dict[int, list[tuple[float, float]]] = {}
        for station in registry.stations.values():
            if station.lat is not None and station.lon is not None:
                places.setdefault(self.of(station.id), []).append((station.lat, station.lon))
        boxes = {
            number: _Box(
                min(lat for lat, _ in own),
                min(lon for _, lon in own),
                max(lat for lat, _ in own),
                max(lon for _, lon in own),
            )
            for number, own in places.items()
        }
        for (one, here), (other, there) in itertools.combinations(boxes.items(), 2):
            if here.apart_km(there) <= NEAR_KM:
                self._join(one, other)

    def of(self, station: str) -> int:
        """Number of a station's catchment."""
        number = self._of.get(station)
        if number is None:
            number = self._of[station] = self._number[self._catchments.of(station).id]
        return number

    def numbers(self, stations: Iterable[str]) -> Ints:
        """Numbers of some stations' catchments."""
        return np.array([self.of(station) for station in stations], np.int64)

    def with_neighbours(self, wet: Bools) -> Bools:
        """Which catchments have a wet one among themselves and those near."""
        some: Bools = np.any(self.near & wet, axis=1)
        return some

    def _join(self, one: int, other: int) -> None:
        self.near[one, other] = self.near[other, one] = True
