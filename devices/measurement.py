"""What a codec makes of a payload: measurements, or a rejection with its reason."""

from dataclasses import dataclass
from enum import IntEnum


class Quality(IntEnum):
    """QARTOD primary flags (IOOS QARTOD manuals)."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


@dataclass(frozen=True, slots=True)
class Measurement:
    """One decoded value in the unit of its observed property.

    `value` is None where the sensor said it has none (a sentinel): quality MISSING.
    `channel` tells equal properties of one device apart (direction, depth); "" for the only one.
    `time_us` is set where the payload itself dates the value.
    """

    property: str
    value: float | None
    quality: Quality = Quality.GOOD
    channel: str = ""
    time_us: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An input that was not taken: a short snake_case reason to count by, and a detail to read."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Waiting(Rejected):
    """An input that could not be looked at yet; worth another try after `after_s` seconds."""

    after_s: float = 0.0
