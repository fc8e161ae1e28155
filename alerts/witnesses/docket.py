"""Which open claims are to be weighed again, and when: only those of which something changed."""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from alerts.kernels.rows import Bools, Ints
from alerts.witnesses.plan import COLUMNS, Party, WitnessPlan
from alerts.witnesses.testimony import Claim, Testimony, due_us


class _Entry(NamedTuple):
    cells: tuple[tuple[int, int], ...]
    due: tuple[int, ...]


class Docket:
    """Open claims by episode (its key), with the cells (slot, column) that could change their verdict.

    `watched`: how many episodes wait for each cell. `stale`: those to weigh at the next occasion.
    """

    def __init__(self, plan: WitnessPlan, testimony: Testimony) -> None:
        self.stale: set[str] = set()
        self.watched: Ints = np.zeros((len(plan.keys), len(COLUMNS) + 1), np.int64)
        self._testimony = testimony
        self._entries: dict[str, _Entry] = {}
        self._waiting: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
        self._due: list[tuple[int, str]] = []

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def keys(self) -> list[str]:
        """All episodes with an open claim."""
        return sorted(self._entries)

    def enter(self, key: str, party: Party, claims: Sequence[Claim]) -> None:
        """An episode's open claims, in place of those before."""
        before = self._entries.get(key)
        cells = {cell for claim in claims for cell in self._testimony.missing(party, claim)}
        due = tuple(sorted({each.time_us + after for each in claims for after in due_us(party.rule)}))
        if before is not None:
            self._forget(key, before)
        self._entries[key] = _Entry(tuple(cells), due)
        for cell in cells:
            self._waiting[cell].add(key)
            self.watched[cell] += 1
        if before is None or before.due != due:
            for time in due:
                heapq.heappush(self._due, (time, key))
            self.stale.add(key)

    def strike(self, key: str) -> None:
        """It has none any more."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._forget(key, entry)
        self.stale.discard(key)
        if not self._entries:
            self._due.clear()

    def changed(self, slots: Ints, seen: Bools) -> None:
        """Slots, each with the columns (the last: it reports) that were seen of it."""
        rows, columns = (seen & (self.watched[slots] > 0)).nonzero()
        for cell in zip(slots[rows].tolist(), columns.tolist(), strict=True):
            self.stale |= self._waiting.get(cell, set())

    def next_due(self, clock: int) -> int | None:
        """When, after `clock`, a row of the outcome table falls due; what did by then is stale."""
        while self._due:
            time, key = self._due[0]
            entry = self._entries.get(key)
            known = entry is not None and time in entry.due
            if known and time > clock:
                return time
            heapq.heappop(self._due)
            if known:
                self.stale.add(key)
        return None

    def take(self) -> list[str]:
        """Those to weigh now."""
        taken, self.stale = sorted(self.stale), set()
        return taken

    def _forget(self, key: str, entry: _Entry) -> None:
        for cell in entry.cells:
            self.watched[cell] -= 1
            waiting = self._waiting[cell]
            waiting.discard(key)
            if not waiting:
                del self._waiting[cell]
