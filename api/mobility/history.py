"""What the API asks for of the past of traffic and car parks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from alerts.mobility.counted import Asked, Count, Site
from alerts.mobility.occupancy_db import OccupancyResolution
from alerts.mobility.states import Occupancy

OccupancyHistory: TypeAlias = Callable[[str, OccupancyResolution, int, int, int], Sequence[Occupancy]]
"""Of a car park by its station: oldest first, those that begin from a time on and before another."""


class CountHistory(Protocol):
    """Intervals that are kept; callable from any thread. Times µs since the epoch, UTC."""

    def sites(self) -> Sequence[Site]:
        """What is or was counted where. Raises MobilityError."""

    def counts_of(
        self, spans: Mapping[Asked, tuple[int, int]], limit: int
    ) -> Mapping[Asked, Sequence[Count]]:
        """Intervals that begin at the first time of their span or later and end by the second.

        By site, then the shorter first, then oldest first; at most `limit` in all, those behind are left out.
        Raises MobilityError.
        """


class NoCounts:
    """Where nothing is kept."""

    def sites(self) -> Sequence[Site]:
        """None."""
        return ()

    def counts_of(self, *_: object) -> Mapping[Asked, Sequence[Count]]:
        """None."""
        return {}
