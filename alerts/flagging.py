"""Quality flags for the store: the same tests in the same order as the engine's, with a state of their own.

Flags follow from the readings and their order alone, so the store need not wait for the engine.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from alerts.journal_reader import MAX_AHEAD_S
from alerts.kernels import quality
from alerts.kernels.checks import make_checks
from alerts.kernels.neighbour_test import Neighbours
from alerts.kernels.quality import Flags, QualityPlan
from alerts.kernels.rows import Batch, Table
from alerts.rules import Rules
from devices.catalogue import DeviceType
from devices.measurement import Quality
from devices.registry import Registry
from ingest.reading import Readings, Series

_GOOD, _UNJUDGED, _SUSPECT = int(Quality.GOOD), int(Quality.NOT_EVALUATED), int(Quality.SUSPECT)


class Flagging:
    """Judges what the store writer is about to write. Readings of the future are left as they came."""

    def __init__(
        self,
        rules: Rules,
        registry: Callable[[], Registry],
        catalogue: Mapping[str, DeviceType],
        clock: Callable[[], int],
    ) -> None:
        self._rules = rules
        self._registry = registry
        self._catalogue = catalogue
        self._clock = clock
        self.begin({})

    def begin(self, state: Mapping[str, bytes]) -> None:
        """Start from what was durable."""
        self._table = Table("quality", quality.ROW)
        self._neighbours = Neighbours()
        pages = dict(state)
        for table in self._tables:
            table.restore(pages)
        self._plan: QualityPlan | None = None
        self._arranged: Registry | None = None

    def flags(self, series: Sequence[Series], readings: Readings) -> Flags:
        """A flag for every reading; `series[i]` is what number i stands for."""
        plan = self._arrange(series)
        found: Flags = readings["quality"].copy()
        slot = plan.slot_of[readings["series"]]
        latest = self._clock() + round(MAX_AHEAD_S * 1_000_000)
        time = readings["time_us"]
        place = np.flatnonzero((slot >= 0) & (time >= quality.FIRST_US) & (time <= latest))
        if len(place):
            batch = Batch(slot[place], readings["time_us"][place], readings["value"][place])
            found[place], _ = quality.step(self._table.rows, plan, batch, found[place], latest)
            self._table.touch(batch.slot[plan.remembers[batch.slot]])
        believed = ((found == _GOOD) | (found == _UNJUDGED)) & (readings["time_us"] <= latest)
        believed &= np.abs(readings["value"]) < quality.LARGEST
        doubted, _ = self._neighbours.doubts(readings, believed, latest)
        found[doubted] = _SUSPECT
        return found

    @property
    def _tables(self) -> tuple[Table, ...]:
        return self._table, *self._neighbours.tables

    def pages(self) -> dict[str, bytes]:
        """State that changed since durable()."""
        return {key: page for table in self._tables for key, page in table.pages()}

    def durable(self) -> None:
        """What pages() gave is in the journal."""
        for table in self._tables:
            table.durable()

    def _arrange(self, series: Sequence[Series]) -> QualityPlan:
        registry = self._registry()
        if self._plan is None or registry is not self._arranged or len(self._plan.slot_of) != len(series):
            checks = make_checks(self._rules, registry, series, self._catalogue)
            self._table.claim(checks.quality_keys)
            self._neighbours.arrange(checks.neighbours, checks.neighbour_keys)
            self._plan, self._arranged = checks.quality, registry
        return self._plan
