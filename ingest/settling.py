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
from ingest.store_writer import PART, Judge, judged

_log = structlog.get_logger(__name__)
_UPLINKS = 2000
_POINTS = 5000
_MISSING = 9
_Between = dict[int, tuple[np.ndarray, np.ndarray]]


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
        # what the store writer has still to write, or may just be writing
        self._written = 0
        self._ahead: list[Readings] = []
        self._between: _Between = {}
        self.marked = 0

    def run(self) -> bool:
        """Bring the store to where the journal is; False when stopped before. Raises IngestError."""
        if not self._book.count_moved():
            return True
        if self._judge is not None:
            self._judge.begin({})
        # what an earlier run deleted before it was killed may have taken along what it should not
        self._between = _between(self._book.spans())
        self._written = self._journal.cursor(PART)
        covered, _ = self._look(0)
        # what came meanwhile may stand at a point that moved, or between two that a store deleted in one run;
        # what comes after the last look is written later
        found = 1
        while found and not self._stopping():
            self._written = self._journal.cursor(PART)
            self._ahead = [each[each["seq"] > self._written] for each in self._ahead]
            self._correct()
            self._between = _between(self._book.spans())
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
        torn = [self._torn(each, wanted) for each in self._ahead]
        while after < last and not self._stopping():
            self._told(after, last)
            covered, readings = self._journal.read(after, _UPLINKS)
            if covered == after:
                break
            after = covered
            readings = self._flagged(readings)
            found += self._book.found(_points(readings, wanted))
            torn.append(self._torn(readings, wanted))
            self._ahead.append(readings[readings["seq"] > self._written])
        found += self._book.add(point for some in torn for point in some)
        return after, found

    def _torn(self, readings: Readings, wanted: np.ndarray) -> list[Moved]:
        """Those that stand inside what was deleted: the store writer may have written them just before."""
        inside = np.zeros(len(readings), bool)
        for number, (firsts, lasts) in self._between.items():
            mine = readings["series"] == number
            times = readings["time_us"][mine]
            before = np.searchsorted(firsts, times, "right") - 1
            inside[mine] = (before >= 0) & (lasts[before] >= times)
        return _points(readings[inside], wanted)

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
                self._delete(number, [each.time_us for each in gone])
            self._store.write(self._series, _readings(page))

    def _delete(self, number: int, times: Sequence[int]) -> None:
        series = self._series[number]
        spans = list(self._spans(series, times))
        if not spans:
            return
        ends = [(span[0], span[-1]) for span in spans]
        self._book.delete(number, [each for each in ends if each[0] < each[1]])
        try:
            self._store.delete(series, ends)
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


def _between(spans: Sequence[tuple[int, int, int]]) -> _Between:
    """Of each series the spans' first times in order, and the latest last time up to each."""
    return {
        number: (np.array([each[1] for each in some]), np.maximum.accumulate([each[2] for each in some]))
        for number, some in ((number, list(group)) for number, group in groupby(spans, key=_first))
    }


def _first(span: tuple[int, int, int]) -> int:
    return span[0]


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
