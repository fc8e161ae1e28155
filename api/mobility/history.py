"""What the API asks for of the past of traffic and car parks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from alerts.mobility.counted import Count, Resolution, Site
from alerts.mobility.occupancy_db import OccupancyResolution
from alerts.mobility.states import Occupancy

OccupancyHistory: TypeAlias = Callable[[str, OccupancyResolution, int, int, int], Sequence[Occupancy]]
"""Of a car park by its station: oldest first, those that begin from a time on and before another."""


class CountHistory(Protocol):
    """Intervals that are kept; callable from any thread. Times µs since the epoch, UTC."""

    def sites(self) -> Sequence[Site]:
        """What is or was counted where. Raises MobilityError."""

    def counts_of(
        self, spans: Mapping[Site, tuple[int, int]], resolution: Resolution, limit: int
    ) -> Mapping[Site, Sequence[Count]]:
        """Intervals that begin at the first time of a site's span or later and end by the second.

        Sites in their order, a site's oldest first; at most `limit` in all, those behind are left out.
        Raises MobilityError.
        """


class NoCounts:
    """Where nothing is kept."""

    def sites(self) -> Sequence[Site]:
        """None."""
        return ()

    def counts_of(
        self, _spans: Mapping[Site, tuple[int, int]], _resolution: Resolution, _limit: int
    ) -> Mapping[Site, Sequence[Count]]:
        """None."""
        return {}
