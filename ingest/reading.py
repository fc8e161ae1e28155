"""Readings: one structured numpy array from the journal to the last reader."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

READING = np.dtype(
    [("seq", "<i8"), ("series", "<i4"), ("quality", "u1"), ("time_us", "<i8"), ("value", "<f8")]
)
"""One reading: journal sequence number of its uplink, series id, QARTOD flag, event time (µs since the
epoch, UTC), value in the unit of its observed property (NaN: the sensor had none, quality 9)."""

Readings = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """What a series of readings is of, ordered by its fields. The journal numbers it densely, for ever."""

    station: str
    property: str
    channel: str
    dev_eui: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One reading on its way into the journal, before its series has a number."""

    series: Series
    time_us: int
    value: float
    quality: int
