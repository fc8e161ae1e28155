"""The time-series store's protocol."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ingest.reading import Readings, Series


@dataclass(frozen=True, slots=True)
class Point:
    """One stored reading on its way out. `value` is None where the sensor had none."""

    series: Series
    time_us: int
    value: float | None
    quality: int


@dataclass(frozen=True, slots=True)
class Query:
    """Readings of some series with from_us <= time < to_us, at most `limit`, in (time, series) order.

    `after` (time, series of the last point) continues a page; with `descending` the newest come first.
    """

    series: Sequence[Series]
    from_us: int | None = None
    to_us: int | None = None
    limit: int = 1000
    after: tuple[int, Series] | None = None
    descending: bool = False


class Store(Protocol):
    """Where readings live for good. Methods raise StoreError; all are thread-safe.

    One value per series and time: writing it again overwrites, so a repeated batch changes nothing.
    """

    def write(self, series: Sequence[Series], readings: Readings) -> None:
        """Make readings durable; `series[i]` is what number i in the readings stands for."""

    def query(self, query: Query) -> Iterator[Point]:
        """Readings in the order the query asks for, streamed."""

    def latest(self, series: Sequence[Series] | None = None) -> Sequence[Point]:
        """The newest reading of each series (None: of all)."""

    def ping(self) -> None:
        """Raise StoreError when the store cannot be used now."""

    def close(self) -> None:
        """Release files and connections."""
