"""What a resident chooses: places, kinds of message, least severity, language, quiet hours."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from alerts.event import Severity
from alerts.scale import ReadIn

PlaceKind = Literal["area", "gauge", "point"]
Told = Literal["notice", "warning"]
"""Automatic measurement notices, and warnings of the city."""
TOLD: tuple[Told, ...] = get_args(Told)

DIGITS = 3
"""Decimals of a degree that are kept of a place: 111 m by about 70 m, some houses, not one."""
RADII = range(1, 10)
"""Kilometres around a place within which rain counts."""
MOST_PLACES = 20
"""That can be asked for at once."""
DAY_MIN = 1440


@dataclass(frozen=True, slots=True)
class Place:
    """An area or a gauge by its id (`ref`); or a point, WGS 84, with a radius for rain in km (0: none)."""

    kind: PlaceKind
    ref: str = ""
    lat: float = 0.0
    lon: float = 0.0
    radius_km: int = 0

    @classmethod
    def at(cls, lat: float, lon: float, radius_km: int = 0) -> "Place":
        """A point, as it is kept."""
        return cls("point", "", round(lat, DIGITS), round(lon, DIGITS), radius_km)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one minute of the city's day until before another, over midnight where the end is less."""

    start_min: int
    end_min: int

    def hold(self, now_us: int, zone: ZoneInfo) -> bool:
        """Whether it is quiet by the clock on the wall, on days of 23 and 25 hours as well."""
        local = datetime.fromtimestamp(now_us // 1_000_000, UTC).astimezone(zone)
        minute = local.hour * 60 + local.minute
        if self.start_min < self.end_min:
            return self.start_min <= minute < self.end_min
        return minute >= self.start_min or minute < self.end_min


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything but who it is."""

    places: tuple[Place, ...]
    least: Severity = "Moderate"
    told: tuple[Told, ...] = TOLD
    language: ReadIn = "de"
    quiet: QuietHours | None = None

    def joined_to(self, before: "Choices") -> "Choices":
        """These settings, for the places of both: nobody loses a place by asking for another."""
        places = tuple(dict.fromkeys((*before.places, *self.places)))
        return replace(self, places=places)
