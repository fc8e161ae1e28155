"""The time-series store's protocol."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from devices.measurement import Quality
from ingest.reading import Readings, Series

# what InfluxDB can hold as nanoseconds
_LAST_US = 2**63 // 1000 - 1
_FIRST_US = -_LAST_US


class Point(NamedTuple):
    """One stored reading on its way out. `value` is None where the sensor had none."""

    series: Series
    time_us: int
    value: float | None
    quality: int


@dataclass(frozen=True, slots=True)
class Query:
    """Readings of some series with from_us <= time < to_us, at most `limit`, in (time, series) order.

    `after` (time, series of the last point) continues a page; `descending` turns the whole order round.
    `until_s`: by time.monotonic(), when nobody waits for the answer any longer: a store that has to wait for
    others gives up then.
    """

    series: Sequence[Series]
    from_us: int | None = None
    to_us: int | None = None
    limit: int = 1000
    after: tuple[int, Series] | None = None
    descending: bool = False
    until_s: float | None = None


class Store(Protocol):
    """Where readings live for good. Methods raise StoreError; all are thread-safe.

    One value per series and time: writing it again overwrites, so a repeated batch changes nothing.
    A reading without a finite value, or flagged MISSING, is kept as value None and quality MISSING.
    """

    refused: int
    """How many readings the store will never take (their type or time); the others went on."""

    def write(self, series: Sequence[Series], readings: Readings) -> None:
        """Make readings durable; `series[i]` is what number i in the readings stands for."""

    def query(self, query: Query) -> Iterator[Point]:
        """Readings in the order the query asks for, streamed."""

    def delete(self, series: Series, spans: Sequence[tuple[int, int]]) -> None:
        """Let go of a series' readings at some times, from the first to the last of each span.

        Raises CannotDeleteError, before anything is gone, where this store cannot do that.
        """

    def latest(self, series: Sequence[Series] | None = None) -> Sequence[Point]:
        """The newest reading of each series (None: of all)."""

    def ping(self) -> None:
        """Raise StoreError when the store cannot be used now."""

    def close(self) -> None:
        """Release files and connections."""


@runtime_checkable
class Attachable(Protocol):
    """A store whose readings can be selected by statements of others, where they attach its SQLite file."""

    path: Path

    def rows(self, schema: str) -> str:
        """A (SELECT ...) of series, time_us, value, quality, where the file is attached as `schema`.

        Readings are found by series and time, and read in order of time without sorting.
        """

    def extents(self, schema: str) -> str:
        """A (SELECT ...) of series, moments, first_us, last_us: in every state true of what `rows` has in it.

        `moments`: in how many milliseconds a series has readings. All are NULL where that is not known yet;
        first_us and last_us are too where there is none.
        """

    def numbers(self) -> Mapping[Series, int]:
        """The number that stands for each series in `rows`; a series keeps it."""


def missing(readings: Readings) -> npt.NDArray[np.bool_]:
    """Which readings have no value to keep."""
    without: npt.NDArray[np.bool_] = ~np.isfinite(readings["value"]) | (
        readings["quality"] == Quality.MISSING
    )
    return without


def time_bounds(query: Query, series: Series) -> tuple[int, int]:
    """First and last time (µs, both included) a query may still return of one series."""
    low = _FIRST_US if query.from_us is None else query.from_us
    high = _LAST_US if query.to_us is None else query.to_us - 1
    if query.after is not None:
        time_us, last = query.after
        if query.descending:
            high = min(high, time_us if series < last else time_us - 1)
        else:
            low = max(low, time_us if series > last else time_us + 1)
    return low, high
