"""A long history in the order of time, on disk: what does not fit into memory is sorted all the same."""

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from ingest.reading import READING, Readings

_ROW = np.dtype([("time_us", "<i8"), ("value", "<f8"), ("series", "<i4")])
_RUN = 1 << 20
_SAMPLE = 1 << 12
_BATCH = 1 << 18


class SortedSpool:
    """Readings go in in any order and come out by time, those of one time by `rank` of their series.

    Readings of one series and time keep the order they came in. Memory: a few runs of a million readings.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="stadtfunk-")  # noqa: SIM115 - close() ends it
        self._waiting: list[npt.NDArray[np.void]] = []
        self._held = 0
        self._runs: list[int] = []
        self.rows = 0
        self.first_us = self.last_us = 0

    def add(self, readings: Readings) -> None:
        """Take readings."""
        if not len(readings):
            return
        part = np.zeros(len(readings), _ROW)
        for name in _ROW.names or ():
            part[name] = readings[name]
        low, high = int(part["time_us"].min()), int(part["time_us"].max())
        self.first_us = min(self.first_us, low) if self.rows else low
        self.last_us = max(self.last_us, high) if self.rows else high
        self.rows += len(part)
        self._waiting.append(part)
        self._held += len(part)
        if self._held >= _RUN:
            self._write()

    def batches(self, rank: Sequence[int], batch: int = _BATCH) -> Iterator[Readings]:
        """Everything by time; series i has rank[i], and readings come with that as their series."""
        self._write()
        if not self.rows:
            return
        self._file.flush()
        table = np.memmap(self._file, _ROW, "r", shape=(self.rows,))
        bounds = np.cumsum([0, *self._runs])
        runs = [table[low:high] for low, high in itertools.pairwise(bounds)]
        ranks = np.array(rank, np.int32)
        step = max(min(_SAMPLE, batch // (2 * len(runs))), 1)
        sample = np.sort(np.concatenate([run["time_us"][::step] for run in runs]))
        horizons = [*np.unique(sample[batch // step :: max(batch // step, 1)]).tolist(), self.last_us]
        seq = 1
        begins = [0] * len(runs)
        for horizon in horizons:
            stops = [int(np.searchsorted(run["time_us"], horizon, "right")) for run in runs]
            part = np.concatenate([run[low:high] for run, low, high in zip(runs, begins, stops, strict=True)])
            begins = stops
            if not len(part):
                continue
            series = ranks[part["series"]]
            order = np.lexsort((series, part["time_us"]))
            readings = np.zeros(len(part), READING)
            readings["seq"] = np.arange(seq, seq + len(part))
            readings["series"] = series[order]
            readings["quality"] = 2
            readings["time_us"] = part["time_us"][order]
            readings["value"] = part["value"][order]
            seq += len(part)
            yield readings

    def close(self) -> None:
        """Give the disk back."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self) -> None:
        if not self._waiting:
            return
        run = np.concatenate(self._waiting)
        run = run[np.argsort(run["time_us"], kind="stable")]
        run.tofile(self._file)
        self._runs.append(len(run))
        self._waiting, self._held = [], 0
