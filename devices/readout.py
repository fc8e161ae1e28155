"""What a field of a payload means: from raw number to value of an observed property, and back."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from devices.instant import EARLIEST_US
from devices.measurement import Measurement, Quality, Rejected

Read = Callable[[Any], Measurement | None]


class Refused(Exception):  # noqa: N818 - a jump out of the decoder's nested closures, caught there
    """The payload is not one of this type."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.rejected = Rejected(reason, detail)


@dataclass(frozen=True, slots=True)
class Clock:
    """A field that dates the values of its list: µs since 1970 = (a * raw + b) / c.

    `variable` holds the raw number while a payload is read. `many`: the list may come several times a frame.
    `required`: without a time its values are left out; else they are undated.
    """

    variable: str
    a: int
    b: int
    c: int
    raw_low: int
    raw_high: int
    sentinels: frozenset[int]
    required: bool
    many: bool

    def time_us(self, raw: int) -> int | None:
        """The time of a raw number; None for none, and for that of a clock that was never set."""
        if raw in self.sentinels:
            return None
        time_us = (raw * self.a + self.b) // self.c
        return time_us if time_us >= EARLIEST_US else None

    def raw(self, time_us: int | None) -> int:
        """The raw number of a time, the smallest sentinel for None. Raises ValueError where there is none."""
        if time_us is None:
            return min(self.sentinels)
        raw, rest = divmod(time_us * self.c - self.b, self.a)
        if rest or not self.raw_low <= raw <= self.raw_high or self.time_us(raw) != time_us:
            raise ValueError(f"{time_us} µs since 1970 cannot be sent")
        return raw


@dataclass(frozen=True, slots=True)
class Readout:
    """A field that is an observed property: value = (a * raw + b) / c in the property's unit.

    `key` is (property, channel). a, b and c are integers, so that one correctly rounded division gives the
    nearest float. `lookup` replaces the formula where the file has a table; `strict`: a value outside it is
    an error. `low`, `high`: the sensor's range, `wrap`: the counter's modulus, all in the
    property's unit. `clock`: what dates it.
    """

    key: tuple[str, str]
    property: str
    channel: str
    a: int
    b: int
    c: int
    raw_low: float
    raw_high: float
    low: float
    high: float
    sentinels: frozenset[int]
    lookup: Mapping[int, float] | None
    default: float | None
    strict: bool
    wrap: float | None
    required: Literal["", "reject", "report"]
    floating: bool
    clock: Clock | None = None

    def value(self, raw: float) -> float:
        """The value of a raw number that is no sentinel."""
        if self.lookup is not None:
            return self.lookup[int(raw)]
        return (raw * self.a + self.b) / self.c

    def raw(self, value: float) -> float:
        """The raw number of a value. Raises ValueError where there is none."""
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be sent")
        if self.lookup is not None:
            found = [raw for raw, each in self.lookup.items() if each == value]
            if not found:
                raise ValueError(f"{value} is none of {sorted(self.lookup.values())}")
            return found[0]
        exact = (value * self.c - self.b) / self.a
        if self.floating:
            return exact
        raw = round(exact)
        if not self.raw_low <= raw <= self.raw_high:
            raise ValueError(f"{value} does not fit into the field")
        if raw in self.sentinels:
            raise ValueError(f"{value} is what the device sends for no value")
        return raw


def reader(readout: Readout) -> Read:
    """A function from a raw number to its measurement; None where a table leaves the value out."""
    property_, channel, low, high = readout.property, readout.channel, readout.low, readout.high
    a, b, c, sentinels = readout.a, readout.b, readout.c, readout.sentinels
    good, fail = Quality.GOOD, Quality.FAIL
    missing = Measurement(property_, None, Quality.MISSING, channel)

    def scaled(raw: int) -> Measurement:
        if raw in sentinels:
            return missing
        value = (raw * a + b) / c
        return Measurement(property_, value, good if low <= value <= high else fail, channel)

    def floating(raw: float) -> Measurement:
        value = (raw * a + b) / c
        if not isfinite(value) or raw in sentinels:
            return missing
        return Measurement(property_, value, good if low <= value <= high else fail, channel)

    if readout.lookup is not None:
        return _table(readout, missing)
    return floating if readout.floating else scaled


def _table(readout: Readout, missing: Measurement) -> Read:
    rows = {
        raw: Measurement(
            readout.property,
            value,
            Quality.GOOD if readout.low <= value <= readout.high else Quality.FAIL,
            readout.channel,
        )
        for raw, value in (readout.lookup or {}).items()
    } | dict.fromkeys(readout.sentinels, missing)
    default = (
        None
        if readout.default is None
        else Measurement(readout.property, readout.default, Quality.GOOD, readout.channel)
    )

    def table(raw: int) -> Measurement | None:
        found = rows.get(raw, default)
        if found is None and readout.strict:
            raise Refused("bad_payload", f"{readout.property}: {raw} is not in the table")
        return found

    return table
