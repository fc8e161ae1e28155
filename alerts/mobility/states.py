"""What roads and car parks are found to be."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from alerts.mobility.counted import Site

Flow = Literal["free", "dense", "slow", "jam", "unknown"]
Truth = Literal["spaces", "counters", "barrier"]
Reserved = Literal["disabled", "charging"]
ForecastMethod = Literal["learned", "as_now", "as_last_week"]


SITE = "site:"
"""Begins what is no id of a street segment."""


@dataclass(frozen=True, slots=True)
class FlowState:
    """One site in its newest finished quarter of an hour. Times µs since the epoch, UTC; speeds km/h.

    `basis` says what the state follows from. `typical`: (10 %, 50 %, 90 %) quantiles of the counts of the
    same quarter in the weeks before, None until enough of them are known.
    """

    site: Site
    state: Flow
    basis: Literal["speed", "count", "none"]
    since_us: int | None
    time_us: int | None
    count: int | None
    speed_kmh: float | None
    typical: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of street. `line`: (longitude, latitude) in WGS 84, in the direction of travel."""

    id: str
    name: str
    line: tuple[tuple[float, float], ...]
    state: Flow
    since_us: int | None
    time_us: int | None
    speed_kmh: float | None


@dataclass(frozen=True, slots=True)
class Congestion:
    """One congestion. `id` follows from place and begin; `end_us` None while it lasts.

    `segment`: a street segment, or SITE, station, slash and channel where no segment has that direction.
    """

    id: str
    segment: str
    begin_us: int
    end_us: int | None
    worst: Flow

    @property
    def site(self) -> tuple[str, str] | None:
        """Station and channel of one that is on no segment."""
        if not self.segment.startswith(SITE):
            return None
        station, _, channel = self.segment.removeprefix(SITE).partition("/")
        return station, channel


@dataclass(frozen=True, slots=True)
class ReservedSpaces:
    """Spaces that not everybody may take, which are no part of a car park's other numbers."""

    capacity: int
    occupied: int
    free: int


@dataclass(frozen=True, slots=True)
class Expected:
    """Free spaces `minutes` after `from_us`: the middle, and between what 80 % of the outcomes should lie.

    `method`: the learned forecast, or the baseline that was better than it in the last two weeks.
    """

    minutes: int
    from_us: int
    free: int
    low: int
    high: int
    method: ForecastMethod = "learned"


@dataclass(frozen=True, slots=True)
class CarPark:
    """One car park now. Times µs since the epoch, UTC; None where nothing has been heard.

    `sensors_heard` of `sensors` have reported. `confidence` 0..1: how far `free` can be trusted.
    `trend_per_h`: how many more spaces become taken in an hour, None unknown.
    """

    station: str
    source: Truth
    capacity: int
    occupied: int
    free: int
    changed_us: int | None
    newest_us: int | None
    sensors: int
    sensors_heard: int
    confidence: float = 1.0
    trend_per_h: float | None = None
    reserved: Mapping[Reserved, ReservedSpaces] = field(default_factory=dict)
    expected: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class Occupancy:
    """A car park in begin_us < time <= end_us: mean, most and last of its taken spaces."""

    begin_us: int
    end_us: int
    mean: float
    most: int
    last: int
    capacity: int
    completeness: float


@dataclass(frozen=True, slots=True)
class Correction:
    """A drifted number of taken spaces was put right. `reason` is a word, `detail` says it to a person."""

    station: str
    time_us: int
    before: int
    after: int
    reason: Literal["over_capacity", "below_zero", "night_minimum", "spaces", "manual"]
    detail: str
