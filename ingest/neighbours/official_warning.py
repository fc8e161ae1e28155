"""An authority's warning as it stands: its own words, unchanged, and for when and where."""

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class OfficialWarning:
    """One warning or advance notice. `level` 1-4 by severity; times µs since the epoch, UTC; texts unchanged.

    `expires_us` None: until it is taken back. `above_m`, `below_m`: heights it is limited to.
    """

    identifier: str
    kind: Literal["warning", "advance_notice"]
    code: int
    level: int
    severity: str
    sender: str
    sent_us: int
    onset_us: int
    expires_us: int | None
    event: str
    headline: str
    description: str
    instruction: str
    areas: tuple[str, ...]
    above_m: int | None = None
    below_m: int | None = None
    web: str = ""

    def covers(self, time_us: int) -> bool:
        """Whether it is for this time."""
        return self.onset_us <= time_us and not self.over(time_us)

    def over(self, time_us: int) -> bool:
        """Whether it has expired."""
        return self.expires_us is not None and self.expires_us <= time_us


@dataclass(frozen=True, slots=True)
class Official:
    """All warnings for the city's cells as of a time; None: the source has not answered yet."""

    warnings: tuple[OfficialWarning, ...] = ()
    as_of_us: int | None = None


def superseded(references: str) -> set[str]:
    """Identifiers in CAP's `references`: "sender,identifier,sent ..."; some hold several of them."""
    return set(re.split(r"[\s,]+", references)) - {""}
