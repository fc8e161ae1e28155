"""Counts by hand on their way into the reader: from the desk that takes them to the step that follows.

A count is kept with the uplink after which it was taken. Whoever reads the journal again takes it after the
same uplink, so a replay makes the same of it.
"""

from collections.abc import Callable, Iterator

from alerts.errands import Errands
from alerts.errors import CountRefusedError
from alerts.mobility.car_park import HandCount
from alerts.mobility.occupancy_db import OccupancyDb, Waiting
from alerts.mobility.states import Correction
from ingest.reading import Readings

_ANSWER_S = 10.0


class ByHand:
    """Counts that wait. count() may be called by any thread, everything else by the reader's."""

    def __init__(self, history: OccupancyDb) -> None:
        self._history = history
        self._asked: Errands[HandCount, Correction] = Errands(CountRefusedError)
        self._waiting: list[Waiting] = []

    def count(self, count: HandCount) -> Correction:
        """Hand a count over and wait for what becomes of it. Raises CountRefusedError, MobilityError."""
        future = self._asked.submit(count)
        try:
            return future.result(_ANSWER_S)
        except TimeoutError:
            future.cancel()
            text = "car parks are not counted at the moment; look among the corrections before you repeat it"
            raise CountRefusedError("late", text) from None

    def load(self, cursor: int) -> None:
        """What was taken after this uplink or a later one is taken again. Raises MobilityError."""
        self._waiting = self._history.counted(cursor)

    def due(self, cursor: int) -> Iterator[HandCount]:
        """Kept counts whose uplink has been reached."""
        while self._waiting and self._waiting[0].after_seq <= cursor:
            yield self._waiting.pop(0).counted

    def until(self, readings: Readings, last: int) -> tuple[Readings, int]:
        """A batch up to the uplink after which the next kept count comes."""
        if not self._waiting or self._waiting[0].after_seq >= last:
            return readings, last
        after = self._waiting[0].after_seq
        return readings[readings["seq"] <= after], after

    def take(self, taken: Callable[[HandCount], Correction]) -> None:
        """Take what people have counted since the last look. Raises what `taken` raises and is no refusal."""
        self._asked.take(taken)

    def keep(self, count: HandCount, cursor: int) -> HandCount:
        """Make a count durable; returns it with its number. Raises MobilityError."""
        return self._history.add(count, cursor)
