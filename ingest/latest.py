"""The newest reading of every series, from memory; it follows the journal also while the store is away."""

import threading
from collections.abc import Callable, Collection, Sequence

import numpy as np
import structlog

from ingest.errors import IngestError
from ingest.health import Health
from ingest.journal import Journal
from ingest.listeners import Listeners
from ingest.reading import Readings, Series
from ingest.store import Point, Store, missing
from ingest.store_writer import PART

_log = structlog.get_logger(__name__)
_UPLINKS = 5000
_STOP_S = 2.0
_LONGEST_PAUSE_S = 30.0

Listener = Callable[[Sequence[Point]], None]


class LatestValues:
    """Newest by event time: a late reading replaces nothing, a repeated time replaces its value.

    Filled from the store (as soon as it answers, and again when somebody has corrected it), then from the
    journal, from where the store stood.
    `version` grows with each change.
    """

    def __init__(self, journal: Journal, store: Store, *, pause_s: float = 0.5) -> None:
        self._journal = journal
        self._store = store
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._newest: dict[Series, Point] = {}
        # the keys of _newest in order, sorted again when there are more of them, and the same by station
        self._order: list[Series] = []
        self._at: dict[str, list[Series]] = {}
        self._series: list[Series] = []
        self._listeners: Listeners[Sequence[Point]] = Listeners("latest_values_listener_failed")
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._faults = {"journal": "not started", "store": "not read yet"}
        self._corrections = 0
        self.version = 0

    @property
    def health(self) -> Health:
        """Not ok before the store was read, or while the journal cannot be."""
        faults = [f"{part}: {fault}" for part, fault in self._faults.copy().items() if fault]
        return Health(ok=not faults, detail="; ".join(faults))

    def start(self) -> None:
        """Begin to fill and follow."""
        self._stopping.clear()
        try:
            # before the store is read: what it takes up meanwhile comes twice, and nothing is left out
            cursor = self._journal.cursor(PART)
            self._corrections = self._journal.corrections()
        except IngestError as fault:
            self._faults["journal"] = str(fault)
            cursor = 0
        self._threads = [
            threading.Thread(target=self._fill, name="latest-fill", daemon=True),
            threading.Thread(target=self._follow, args=(cursor,), name="latest-follow", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop within two seconds."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(_STOP_S / 2)

    def latest(
        self, stations: Collection[str] | None = None, properties: Collection[str] | None = None
    ) -> list[Point]:
        """Newest readings, in the order of their series; of some stations and properties, or of all."""
        with self._lock:
            if len(self._order) < len(self._newest):
                self._order = sorted(self._newest, key=_fields)
                self._at = {}
                for series in self._order:
                    self._at.setdefault(series.station, []).append(series)
            wanted = self._order
            if stations is not None:
                wanted = [series for each in sorted(set(stations)) for series in self._at.get(each, ())]
            return [
                self._newest[series]
                for series in wanted
                if properties is None or series.property in properties
            ]

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call back with what each batch of the journal made newest; returns what ends it.

        Called in the follower's thread: hand the points on, do no work. Filling from the store calls nobody.
        """
        return self._listeners.add(callback)

    def _fill(self) -> None:
        pause_s = self._pause_s
        while not self._stopping.is_set():
            try:
                points = self._store.latest()
            except Exception as fault:  # noqa: BLE001 - whatever it is, the store may answer later
                self._faults["store"] = str(fault)
                _log.warning("latest_values_wait_for_store", error=str(fault))
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            with self._lock:
                for point in points:
                    known = self._newest.get(point.series)
                    if known is None or known.time_us < point.time_us:
                        self._newest[point.series] = point
                        self.version += 1
            self._faults["store"] = ""
            return

    def _follow(self, cursor: int) -> None:
        while not self._stopping.is_set():
            try:
                cursor = self._again(cursor)
                if self._journal.wait(cursor, 0.5):
                    covered, readings = self._journal.read(cursor, _UPLINKS)
                    self._take(readings)
                    cursor = covered
                self._faults["journal"] = ""
            except Exception as fault:  # noqa: BLE001 - the thread survives, its health shows the fault
                self._faults["journal"] = str(fault)
                _log.exception("latest_values_failed")
                self._stopping.wait(self._pause_s)

    def _again(self, cursor: int) -> int:
        """From where to follow: where we are, or where the store stands, when somebody has corrected it."""
        corrections = self._journal.corrections()
        if corrections == self._corrections or self._faults["store"]:
            return cursor
        stood = self._journal.cursor(PART)
        newest = {point.series: point for point in self._store.latest()}
        with self._lock:
            self._newest, self._order, self._at = newest, [], {}
            self.version += 1
        self._corrections = corrections
        return min(cursor, stood)

    def _take(self, readings: Readings) -> None:
        if not len(readings):
            return
        if int(readings["series"].max()) >= len(self._series):
            self._series.extend(self._journal.series(len(self._series)))
        changed = []
        with self._lock:
            for point in _newest_points(self._series, readings):
                known = self._newest.get(point.series)
                if known is None or known.time_us <= point.time_us:
                    self._newest[point.series] = point
                    changed.append(point)
            self.version += len(changed)
        if changed:
            self._listeners.tell(changed)


def _newest_points(series: Sequence[Series], readings: Readings) -> list[Point]:
    """One point per series: the newest, and of equal times the one that came last."""
    # lexsort is stable: equal (series, time) stay in order of arrival
    order = np.lexsort((readings["time_us"], readings["series"]))
    numbers = readings["series"][order]
    newest = readings[order[np.append(numbers[1:] != numbers[:-1], True)]]
    return [
        Point(series[number], time_us, None, 9) if nothing else Point(series[number], time_us, value, quality)
        for (_, number, quality, time_us, value), nothing in zip(
            newest.tolist(), missing(newest).tolist(), strict=True
        )
    ]


def _fields(series: Series) -> tuple[str, str, str, str]:
    return series.station, series.property, series.channel, series.dev_eui
