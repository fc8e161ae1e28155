"""A running total in the order of time: what it rose by from reading to reading, over wraps and resets.

The rules are those of the curves that warn (alerts.kernels.curve), without their window: a value that cannot
follow is put aside; when the next one follows it, the counter was reset or exchanged and nothing is known of
the time before; otherwise it was none. After a silence of MAX_GAP_US the counter starts anew.
"""

import math

import numpy as np

from alerts.kernels.curve_row import MAX_GAP_US, WRAP_SHARE
from api.aggregates.kernel import Floats, Ints

MOST_PER_MIN = {
    "precipitation_total": 20.0,
    "vehicle_count": 120.0,
    "people_count": 600.0,
    "bicycle_count": 120.0,
}
"""What can be real, as the shipped rules have it; other counters have no limit."""
_MINUTE_US = 60_000_000


class Counter:
    """One series. `wraps`: the value at which it begins again, 0 unknown."""

    def __init__(self, property_: str, wraps: float) -> None:
        self._most = MOST_PER_MIN.get(property_, math.inf)
        self._wraps = wraps
        self._known: tuple[int, float] | None = None
        self._aside: tuple[int, float] | None = None

    def take(self, time_us: Ints, value: Floats) -> tuple[Ints, Ints, Floats]:
        """Begin, end and amount of every rise that the readings end; any split of them gives the same."""
        if self._known is not None and self._aside is None:
            times = np.concatenate(([self._known[0]], time_us))
            values = np.concatenate(([self._known[1]], value))
        else:
            times, values = time_us, value
        if not self._aside and self._plain(times, values):
            if len(times):
                self._known = int(times[-1]), float(values[-1])
            return times[:-1], times[1:], np.diff(values)
        begin, end, amount = [], [], []
        for time, number in zip(time_us.tolist(), value.tolist(), strict=True):
            for first, last, rise in self._next(time, number):
                begin.append(first)
                end.append(last)
                amount.append(rise)
        return np.array(begin, np.int64), np.array(end, np.int64), np.array(amount, np.float64)

    def _plain(self, times: Ints, values: Floats) -> bool:
        gap, rise = np.diff(times), np.diff(values)
        limit = self._most * (np.maximum(gap, _MINUTE_US) / _MINUTE_US)
        return bool(((gap > 0) & (gap <= MAX_GAP_US) & (rise >= 0) & (rise <= limit)).all())

    def _next(self, time: int, value: float) -> list[tuple[int, int, float]]:
        if self._known is None:
            self._known = time, value
            return []
        before, aside = self._known, self._aside
        if time <= before[0]:
            return []
        follows = None if aside is None or value < aside[1] else self._rise(aside, time, value)
        rise = self._rise(before, time, value)
        if value < before[1] and follows is not None:
            # two values agree: no wrap
            rise = None
        if time - before[0] > MAX_GAP_US or rise is not None:
            self._known, self._aside = (time, value), None
            return [] if rise is None or time - before[0] > MAX_GAP_US else [(before[0], time, rise)]
        if aside is not None and follows is not None:
            self._known, self._aside = (time, value), None
            return [(aside[0], time, follows)]
        self._aside = time, value
        return []

    def _rise(self, before: tuple[int, float], time: int, value: float) -> float | None:
        rise = value - before[1]
        if rise < 0 and self._wraps:
            rise += self._wraps
            if rise > self._wraps * WRAP_SHARE:
                return None
        most = self._most * (max(time - before[0], _MINUTE_US) / _MINUTE_US)
        return rise if 0 <= rise <= most else None
