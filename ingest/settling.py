"""The store follows the journal at the points that moved: look what the journal has there, delete, write.

Where several uplinks have a reading of one series at one time (a logger that repeats itself), the last one
counts, in the journal's order, as it does when the store writer writes them.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
import structlog

from ingest.errors import CannotDeleteError
from ingest.journal import Journal
from ingest.reading import READING, Readings, Series
from ingest.reprocess_book import Book, Moved
from ingest.store import Query, Store, missing
from ingest.store_writer import Judge, judged

_log = structlog.get_logger(__name__)
_UPLINKS = 2000
_POINTS = 5000
_MISSING = 9


class Settling:
    """Corrects the store. Repeating it changes nothing, so whoever is interrupted begins it again.

    `judge` gives the corrected readings their flags: it sees the whole journal, in order, as the store
    writer's did. `marked` counts readings that a store which cannot delete keeps, as having no value.
    """

    def __init__(  # noqa: PLR0913 - everything it works with is given to it
        self,
        journal: Journal,
        store: Store,
        book: Book,
        *,
        judge: Judge | None = None,
        stopping: Callable[[], bool] = lambda: False,
        told: Callable[[int, int], object] = lambda *_: None,
    ) -> None:
        self._journal = journal
        self._store = store
        self._book = book
        self._judge = judge
        self._stopping = stopping
        self._told = told
        self._series: list[Series] = []
        self.marked = 0

    def run(self) -> bool:
        """Bring the store to where the journal is; False when stopped before. Raises IngestError."""
        if not self._book.count_moved():
            return True
        if self._judge is not None:
            self._judge.begin({})
        covered, _ = self._look(0)
        # what came meanwhile may stand at a point that moved; what comes after the last look is written later
        found = 1
        while found and not self._stopping():
            self._correct()
            covered, found = self._look(covered)
        if self._stopping():
            return False
        self._book.clear_moved()
        self._journal.note_correction()
        return True

    def _look(self, after: int) -> tuple[int, int]:
        """What the journal has at the points that moved, from a seq on; the last seq, and how many it has."""
        wanted = np.array(self._book.moved_series(), np.int64)
        last, found = self._journal.last_seq(), 0
        while after < last and not self._stopping():
            self._told(after, last)
            covered, readings = self._journal.read(after, _UPLINKS)
            if covered == after:
                break
            after = covered
            found += self._book.found(_points(self._flagged(readings), wanted))
        return after, found

    def _flagged(self, readings: Readings) -> Readings:
        if len(readings) and int(readings["series"].max()) >= len(self._series):
            self._series.extend(self._journal.series(len(self._series)))
        return readings if self._judge is None else judged(self._judge, self._series, readings)

    def _correct(self) -> None:
        self._series.extend(self._journal.series(len(self._series)))
        for page in self._book.moved(_POINTS):
            if self._stopping():
                return
            # a value that is gone goes also where a reading stays: InfluxDB would keep it in the point
            for number, gone in groupby((each for each in page if each.value is None), key=_number):
                self._delete(self._series[number], [each.time_us for each in gone])
            self._store.write(self._series, _readings(page))

    def _delete(self, series: Series, times: Sequence[int]) -> None:
        spans = list(self._spans(series, times))
        if not spans:
            return
        try:
            self._store.delete(series, [(span[0], span[-1]) for span in spans])
        except CannotDeleteError as fault:
            if not self.marked:
                _log.warning("store_cannot_delete", error=str(fault))
            held = [Moved(0, time_us, _MISSING, None) for span in spans for time_us in span]
            self._store.write((series,), _readings(held))
            self.marked += len(held)

    def _spans(self, series: Series, times: Sequence[int]) -> Iterator[list[int]]:
        """Times of what the store has and shall lose, in runs with nothing between that stays."""
        gone = set(times)
        run: list[int] = []
        limit = _POINTS
        after = None
        while True:
            points = list(self._store.query(Query((series,), times[0], times[-1] + 1, limit, after)))
            for point in points:
                if point.time_us in gone:
                    run.append(point.time_us)
                elif run:
                    yield run
                    run = []
            if len(points) < limit:
                break
            after = (points[-1].time_us, series)
        if run:
            yield run


def _points(readings: Readings, wanted: np.ndarray) -> list[Moved]:
    readings = readings[np.isin(readings["series"], wanted)]
    without = missing(readings).tolist()
    return [
        Moved(number, time_us, _MISSING, None) if nothing else Moved(number, time_us, quality, value)
        for (_, number, quality, time_us, value), nothing in zip(readings.tolist(), without, strict=True)
    ]


def _readings(page: Sequence[Moved]) -> Readings:
    rows = [
        (0, each.series, each.quality, each.time_us, np.nan if each.value is None else each.value)
        for each in page
        if each.quality is not None
    ]
    return np.array(rows, READING)


def _number(point: Moved) -> int:
    return point.series
