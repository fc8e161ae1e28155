"""Histories out of the time-series store, as readings_csv gives them out of a file."""

from collections.abc import Callable, Iterator

import numpy as np

from ingest.errors import HistoryError, StoreError
from ingest.reading import READING, Readings, Series
from ingest.readings_csv import Resolve
from ingest.store import Point, Query, Store

_PAGE = 50_000
_UNJUDGED = 2


def read_store(
    store: Store,
    resolve: Resolve,
    skipped: Callable[[Series, str], None],
    from_us: int | None = None,
    to_us: int | None = None,
) -> Iterator[Readings]:
    """Every value with from_us <= time < to_us, series by series, each by time.

    The flags stay behind: the rules judge the values anew. Devices of one station and property become one
    series, as in a file. `skipped` hears of a series that `resolve` has no number for. Raises HistoryError.
    """
    try:
        for series in sorted(point.series for point in store.latest()):
            number = resolve(series.station, series.property)
            if isinstance(number, str):
                skipped(series, number)
                continue
            yield from _pages(store, series, number, from_us, to_us)
    except StoreError as fault:
        raise HistoryError(f"the store cannot be read: {fault}") from fault


def _pages(
    store: Store, series: Series, number: int, from_us: int | None, to_us: int | None
) -> Iterator[Readings]:
    after: tuple[int, Series] | None = None
    while True:
        points = list(store.query(Query((series,), from_us, to_us, _PAGE, after)))
        known = [point for point in points if point.value is not None]
        if known:
            yield _readings(known, number)
        if len(points) < _PAGE:
            return
        after = (points[-1].time_us, series)


def _readings(points: list[Point], number: int) -> Readings:
    readings = np.zeros(len(points), READING)
    readings["series"] = number
    readings["quality"] = _UNJUDGED
    readings["time_us"] = [point.time_us for point in points]
    readings["value"] = [point.value for point in points]
    return readings
