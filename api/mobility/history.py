"""What the API asks for of the past of traffic and car parks."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from alerts.mobility.counted import Count, Resolution, Site
from alerts.mobility.occupancy_db import OccupancyResolution
from alerts.mobility.states import Occupancy

OccupancyHistory: TypeAlias = Callable[[str, OccupancyResolution, int, int, int], Sequence[Occupancy]]
"""Of a car park by its station: as CountHistory.counts has it of a site."""


class CountHistory(Protocol):
    """Intervals that are kept; callable from any thread. Times µs since the epoch, UTC."""

    def sites(self) -> Sequence[Site]:
        """What is or was counted where. Raises MobilityError."""

    def counts(
        self, site: Site, resolution: Resolution, from_us: int, to_us: int, limit: int
    ) -> Sequence[Count]:
        """At most `limit` intervals that begin at from_us or later and before to_us, oldest first.

        The running one may be among them. Raises MobilityError.
        """


class NoCounts:
    """Where nothing is kept."""

    def sites(self) -> Sequence[Site]:
        """None."""
        return ()

    def counts(self, _site: Site, _resolution: Resolution, *_: int) -> Sequence[Count]:
        """None."""
        return ()
