"""How a small creek answers a storm: a Nash cascade, a travel time, a rating curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from devices.simulator.storm import BLOCK_MIN

RESERVOIRS = 3
STORAGE_MIN = 9.0
RESPONSE_MIN = 420
WAVE_M_PER_MIN = 150.0
_RATING = 0.6
"""Exponent of stage over discharge: Manning's formula in a wide channel (h ~ Q^3/5)."""


def unit_hydrograph(reservoirs: int, storage_min: float, length_min: int) -> list[float]:
    """Outflow per minute of a Nash cascade of equal linear reservoirs after a unit of rain.

    u(t) = (t/k)^(n-1) exp(-t/k) / (k Gamma(n))  [Nash 1957].
    """
    scale = storage_min * math.gamma(reservoirs)
    return [
        (t / storage_min) ** (reservoirs - 1) * math.exp(-t / storage_min) / scale
        for t in (minute + 0.5 for minute in range(length_min))
    ]


def discharge(
    blocks: Sequence[int], storage_min: float = STORAGE_MIN, length_min: int = RESPONSE_MIN
) -> tuple[float, ...]:
    """Discharge per minute after the onset of a rain, as a share of its crest (0..1)."""
    unit = unit_hydrograph(RESERVOIRS, storage_min, length_min)
    flow = [0.0] * length_min
    for i, block in enumerate(blocks):
        for minute in range(i * BLOCK_MIN, (i + 1) * BLOCK_MIN):
            for t in range(minute, length_min):
                flow[t] += block / BLOCK_MIN * unit[t - minute]
    crest = max(flow) or 1.0
    return tuple(q / crest for q in flow)


@dataclass(frozen=True, slots=True)
class Reach:
    """The creek at one gauge: `base_cm` in dry weather, `crest_cm` in the storm, `delay_min` behind it."""

    base_cm: float
    crest_cm: float
    delay_min: float
    flow: Sequence[float]

    def level(self, minutes: float) -> float:
        """Water level (cm) `minutes` after the onset of the storm."""
        since = minutes - self.delay_min
        before = math.floor(since)
        if before < 0 or before + 1 >= len(self.flow):
            return self.base_cm
        share = since - before
        flow = self.flow[before] * (1 - share) + self.flow[before + 1] * share
        return self.base_cm + (self.crest_cm - self.base_cm) * math.pow(flow, _RATING)
