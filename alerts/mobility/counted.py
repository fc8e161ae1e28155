"""What is counted where, and how many passed in an interval."""

from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias

from devices.properties import observed_properties

Resolution = Literal["PT5M", "PT15M", "PT1H", "P1D", "P1W"]
"""Days and weeks (from Monday) begin at midnight of the city's time: a day has 23, 24 or 25 hours."""


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """What is counted where; several devices may count for one site.

    `property` is the counter's (`vehicle_count`), also where a device sends counts of intervals. `channel`
    names direction and class as the device type does.
    """

    station: str
    property: str
    channel: str


Asked: TypeAlias = tuple[Site, Resolution]
"""What is counted where, and in intervals of which length."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many passed in begin_us < time <= end_us (µs since the epoch, UTC).

    `completeness` 0..1 is the share of that time that regular readings speak for; below 1 the count is a
    lower bound (nothing heard) or partly a guess of when (a lost uplink's share). `corrected_us`: newest time
    known when a reading came late and changed the closed interval, else None. `speed_kmh` is the mean and
    `v85_kmh` what 85 % keep to, where the sensor reports them.
    """

    begin_us: int
    end_us: int
    count: int
    completeness: float
    corrected_us: int | None = None
    speed_kmh: float | None = None
    v85_kmh: float | None = None


@cache
def counted_properties() -> frozenset[str]:
    """Observed properties that are counted."""
    return frozenset(
        name
        for name, each in observed_properties().items()
        if each.theme == "traffic" and each.kind in {"counter", "count"}
    )
