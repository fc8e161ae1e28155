"""How fast a level rises, and when it will reach a height: from the last readings of a series.

Rate of rise: of the readings of the last 15 and of the last 30 minutes the Theil-Sen slope (the median of the
slopes of all pairs at least 60 s apart; Theil 1950, Sen 1968), of the two the steeper that is a rise at all:
the long one alone would lag behind a creek. Confidence is good from three readings on. With two, the newest
and the one up to 90 minutes before it, it is their slope and the confidence is low.

Time to a height H from the level h, with the rate r and the foot f (the lowest level of the last three
hours): linear (H - h) / r, exponential ln((H - f) / (h - f)) / k with k = r / (h - f). The exponential is
never the later one. A warning goes by it, people are shown both as an interval: on a convex rise the linear
one alone is late (Poyo, 29 October 2024: 77 minutes where 20 were left; exponential 28).
"""

import itertools
import math
import statistics
from dataclasses import dataclass
from typing import Literal

import numpy as np

from alerts.kernels.rows import Floats, Ints, Rows, Slots

SAMPLES = 32
RING = [("time", "<i8", (SAMPLES,)), ("value", "<f8", (SAMPLES,))]
"""The last samples of a series, ascending by time (µs since the epoch, UTC), 0 in front where there are none
yet: one for each minute of the clock, the latest of it."""

Confidence = Literal["good", "low"]

MINUTE_US = 60_000_000
_JITTER_US = 2 * MINUTE_US
_WINDOWS_US = (15 * MINUTE_US + _JITTER_US, 30 * MINUTE_US + _JITTER_US)
_PAIR_US = 90 * MINUTE_US
_FOOT_US = 180 * MINUTE_US
_ENOUGH = 3
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Rise:
    """What the samples say at the newest of them.

    `time_us` and `level` (cm) of the newest, `rate` cm per minute (negative: it falls), over `span_min`
    minutes with so many `samples`; `climbed`: cm above the lowest of them, `last_step`: above the one before;
    `foot` cm, see above.
    """

    time_us: int
    level: float
    rate: float
    span_min: float
    samples: int
    climbed: float
    last_step: float
    foot: float

    @property
    def confidence(self) -> Confidence:
        """Low with two samples."""
        return "good" if self.samples >= _ENOUGH else "low"

    def real(self, least_cm: float) -> bool:
        """Whether it is more than noise: `least_cm` climbed in the window, twice that with low confidence."""
        least = least_cm if self.samples >= _ENOUGH else 2 * least_cm
        return self.rate > 0 and self.climbed >= least and self.rate * self.span_min >= least

    def minutes_to(self, height: float) -> tuple[float, float] | None:
        """Minutes until a height (cm) is reached, (exponential, linear); (0, 0) when it is, None: never."""
        if self.level >= height:
            return 0.0, 0.0
        if self.rate <= 0:
            return None
        linear = (height - self.level) / self.rate
        above = self.level - self.foot
        if above <= 0:
            return linear, linear
        exponential = math.log((height - self.foot) / above) * above / self.rate
        return min(exponential, linear), linear


def take(rows: Rows, slot: Slots, time: Ints, value: Floats) -> None:
    """Put one sample for each slot (every slot at most once) into its ring.

    A late sample is sorted in, one older than a full ring is not taken, one of a minute that has a sample
    replaces it if it is later. The ring is the same whatever the order they came in, if no more than the
    ring holds came before a late one.
    """
    newest = rows["time"][slot, -1]
    ahead = time // MINUTE_US > newest // MINUTE_US
    at = slot[ahead]
    rows["time"][at, :-1] = rows["time"][at, 1:]
    rows["value"][at, :-1] = rows["value"][at, 1:]
    rows["time"][at, -1] = time[ahead]
    rows["value"][at, -1] = value[ahead]
    for i in np.flatnonzero(~ahead).tolist():
        row = rows[slot[i]]
        _sort_in(row["time"], row["value"], int(time[i]), float(value[i]))


def _sort_in(times: Ints, values: Floats, time: int, value: float) -> None:
    minute = time // MINUTE_US
    place = int(np.searchsorted(times // MINUTE_US, minute))
    if times[place] // MINUTE_US == minute:
        if time > times[place]:
            times[place], values[place] = time, value
        return
    if place:
        times[: place - 1], values[: place - 1] = times[1:place], values[1:place]
        times[place - 1], values[place - 1] = time, value


def climbed(rows: Rows, slot: Slots) -> Floats:
    """How far the newest sample of each slot is above the lowest of its ring (cm): no rise is larger."""
    values = np.where(rows["time"][slot] > 0, rows["value"][slot], np.inf)
    found: Floats = rows["value"][slot, -1] - values.min(axis=1)
    return found


def samples(times: Ints, values: Floats) -> tuple[list[int], list[float]]:
    """The samples of a ring of the last three hours, ascending, no two closer than 60 s (the later stays)."""
    kept: list[tuple[int, float]] = []
    for time, value in zip(reversed(times.tolist()), reversed(values.tolist()), strict=True):
        if not time or (kept and kept[0][0] - time > _FOOT_US):
            break
        if not kept or kept[-1][0] - time >= MINUTE_US:
            kept.append((time, value))
    kept.reverse()
    return [time for time, _ in kept], [value for _, value in kept]


def estimate(times: list[int], values: list[float], least_cm: float) -> Rise | None:
    """The rise at the newest of samples as samples() gives them, None with fewer than two that count."""
    found: list[Rise] = []
    for window in _WINDOWS_US:
        first = next((i for i, time in enumerate(times) if times[-1] - time <= window), len(times))
        if len(times) - first >= _ENOUGH:
            found.append(_rise(times, values, first))
    if not found:
        if len(times) < _PAIR or times[-1] - times[-2] > _PAIR_US:
            return None
        return _rise(times, values, len(times) - _PAIR)
    real = [each for each in found if each.real(least_cm)]
    return max(real, key=_rate) if real else found[-1]


def slope(times: list[int], values: list[float]) -> float:
    """Theil-Sen slope per minute of at least two samples 60 s apart or more."""
    pairs = itertools.combinations(zip(times, values, strict=True), 2)
    return statistics.median((b - a) / ((later - time) / MINUTE_US) for (time, a), (later, b) in pairs)


def _rise(times: list[int], values: list[float], first: int) -> Rise:
    mine = values[first:]
    return Rise(
        time_us=times[-1],
        level=values[-1],
        rate=slope(times[first:], mine),
        span_min=(times[-1] - times[first]) / MINUTE_US,
        samples=len(mine),
        climbed=mine[-1] - min(mine),
        last_step=mine[-1] - mine[-2],
        foot=min(values),
    )


def _rate(rise: Rise) -> float:
    return rise.rate
