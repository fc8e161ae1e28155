"""What a city decides about an observed property: whether, when, how finely, on what terms it is public."""

import math
from dataclasses import dataclass

_SIGNIFICANT = ".12g"
_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class PublicRule:
    """How the public sees the readings of one observed property, at public stations.

    `delay_us`: each only so long after its time. `coarsen_us`: one value for each interval of this length,
    at its end, never single readings. `round_to`: values as multiples of this. 0 for none of it. `license`,
    `attribution`: "" for those of all open data. `suppress_below`: no readings, only counts of an hour or
    more, and of those none of 1 up to this less 1; 0 for all.
    """

    public: bool = True
    delay_us: int = 0
    coarsen_us: int = 0
    round_to: float = 0.0
    license: str = ""
    attribution: str = ""
    suppress_below: int = 0

    @property
    def shifted(self) -> bool:
        """Whether the public sees other points of time than were measured, or later."""
        return bool(self.delay_us or self.coarsen_us)

    @property
    def readable(self) -> bool:
        """Whether the public sees readings of it at all, and not counts only."""
        return self.public and not self.suppress_below

    @property
    def live(self) -> bool:
        """Whether the public sees each reading as it comes."""
        return self.readable and not self.shifted

    def rounded(self, value: float) -> float:
        """A value as the public sees it; the nearest multiple, of two as near the even one."""
        steps = value / self.round_to if self.round_to else math.inf
        # beyond 2**53 every float is a multiple, or no float could hold it
        return float(format(round(steps) * self.round_to, _SIGNIFICANT)) if abs(steps) < _EXACT else value
