"""What gauges, levels and official warnings have shown lately, as far as a witness needs it.

Readings are taken in with their position in the batch and become known one after the other, so that a
decision at one reading knows what came before it and nothing more.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from alerts.kernels import curve, rain
from alerts.kernels.curve_row import MARK_US
from alerts.kernels.rows import Batch, Bools, Ints, Rows, Slots, Table, rounds
from alerts.witnesses.plan import COLUMNS, OFFICER, SEEN, WitnessPlan

ROW = np.dtype(
    [
        ("since", "<i8", (len(COLUMNS),)),
        ("last", "<i8", (len(COLUMNS),)),
        ("bucket", "<i8"),
        ("low", "<f8"),
        ("low_before", "<f8"),
    ]
)
"""First and last time (µs) of the latest run in which a column was seen. Of a level: its lowest value (cm) in
the half hour `bucket` and in the one before."""

HALF_HOUR_US = 1_800_000_000
_OFFICIAL_US = 6 * 3_600_000_000
_WINDOWS = np.array(rain.WINDOWS_MIN, np.int64) * 60_000_000 // MARK_US
_OF_COLUMN = np.array([rain.WINDOWS_MIN.index(window) for window, _ in COLUMNS])
_NONE = np.zeros(0, np.int64)


class Sightings:
    """Rows of what was seen, and what this batch adds to them from position to position.

    `heard`: newest reading (µs) of each slot; it is not saved, rain's own rows know it.
    """

    def __init__(self) -> None:
        self.table = Table("witness", ROW)
        self.heard: Ints = _NONE
        self._plan: WitnessPlan
        self._heard: list[tuple[Ints, Slots, Ints]] = []
        self._seen: list[tuple[Ints, Slots, Ints, Ints]] = []
        self._next_heard = self._next_seen = 0

    def arrange(self, plan: WitnessPlan, rain_rows: Rows) -> None:
        """Follow a new plan; what was heard of a gauge that is new here is what its own row says."""
        self._plan = plan
        self.table.claim(plan.keys)
        heard = np.zeros(len(plan.keys), np.int64)
        heard[plan.of_rain] = rain_rows["head"]["time"][: len(plan.of_rain)]
        heard[: len(self.heard)] = self.heard
        self.heard = heard

    def begin(self) -> None:
        """A new batch."""
        self._heard, self._seen = [], []

    def of_rain(self, rows: Rows, place: Ints, made_up: Bools) -> Callable[[Slots, Ints, Ints], None]:
        """What takes gauges (rain's slots, each once) at their newest reading, once it is in the sums.

        `place`: position in the batch of each of rain's readings; `made_up`, by position: nobody reported it.
        """

        def notice(at: Slots, part: Ints, gate_sums: Ints) -> None:
            slot, where, time = self._plan.of_rain[at], place[part], rows["head"]["time"][at]
            real = ~made_up[where]
            self._heard.append((where[real], slot[real], time[real]))
            reached: Bools = np.any(gate_sums >= self._plan.gates[slot], axis=1)
            wet = reached.nonzero()[0]
            if len(wet):
                sums = curve.windows(rows, at[wet], _WINDOWS)[:, _OF_COLUMN]
                seen = (sums >= self._plan.needs[slot[wet]]).astype(np.int64)
                self._seen.append((where[wet], slot[wet], time[wet], seen))

        return notice

    def of_level(self, batch: Batch, place: Ints, crossed: Sequence[int]) -> None:
        """Levels (its kernel's slots) in their order; `crossed`: the readings of them that reached a mark."""
        marked = np.zeros(len(batch.slot), np.bool_)
        marked[list(crossed)] = True
        for part in rounds(batch.slot):
            slot, time, value = self._plan.of_level[batch.slot[part]], batch.time[part], batch.value[part]
            rows = self.table.rows
            bucket, before = time // HALF_HOUR_US, rows["bucket"][slot]
            fresh = bucket > before
            low = np.where(fresh, value, np.minimum(rows["low"][slot], value))
            kept = np.where(bucket == before + 1, rows["low"][slot], value)
            low_before = np.where(fresh, kept, rows["low_before"][slot])
            late = bucket < before
            now = slot[~late]
            rows["bucket"][now], rows["low"][now] = bucket[~late], low[~late]
            rows["low_before"][now] = low_before[~late]
            self.table.touch(now)
            rising = ~late & (value - np.minimum(low, low_before) >= self._plan.rise_cm[slot])
            shows = (rising | marked[part]).nonzero()[0]
            if len(shows):
                seen = np.zeros((len(shows), len(COLUMNS)), np.int64)
                seen[:, SEEN] = 1
                self._seen.append((place[part][shows], slot[shows], time[shows], seen))

    def of_official(self, batch: Batch, place: Ints) -> None:
        """Official warnings (slots of the plan, level 0-4) in their order."""
        for part in rounds(batch.slot):
            seen = np.zeros((len(part), len(COLUMNS)), np.int64)
            levels = np.array(rain.LEVELS)
            # -1: taken back
            seen[:, : len(levels)] = np.where(batch.value[part, None] >= levels, 1, -1)
            self._seen.append((place[part], batch.slot[part], batch.time[part], seen))

    def ready(self) -> None:
        """Everything of the batch is in: put it in order."""
        if self._heard:
            places, slots, times = (np.concatenate(each) for each in zip(*self._heard, strict=True))
            order = np.argsort(places, kind="stable")
            self._heard = [(places[order], slots[order], times[order])]
        if self._seen:
            places, slots, times, seen = (np.concatenate(each) for each in zip(*self._seen, strict=True))
            order = np.argsort(places, kind="stable")
            self._seen = [(places[order], slots[order], times[order], seen[order])]
        self._heard = self._heard or [(_NONE, _NONE, _NONE)]
        self._seen = self._seen or [(_NONE, _NONE, _NONE, np.zeros((0, len(COLUMNS)), np.int64))]
        self._next_heard = self._next_seen = 0

    def first_seen(self, watched: Ints, end: int) -> int:
        """Position before `end` of the next reading that shows a watched cell; `end` for none.

        `watched` (slot, column): 0 where nobody waits; its last column is that the gauge reports.
        """
        place, slot, _, seen = self._seen[0]
        for part in _blocks(self._next_seen, int(np.searchsorted(place, end))):
            shown: Bools = np.any((watched[slot[part], :-1] > 0) & (seen[part] > 0), axis=1)
            if shown.any():
                end = int(place[part][shown.argmax()])
                break
        place, slot, _ = self._heard[0]
        for part in _blocks(self._next_heard, int(np.searchsorted(place, end))):
            shown = watched[slot[part], -1] > 0
            if shown.any():
                return int(place[part][shown.argmax()])
        return end

    def learn(self, end: int) -> tuple[Slots, Bools]:
        """Everything before a position becomes known: the slots, each with what (columns of watched)."""
        place, heard, time = self._heard[0]
        low, high = self._next_heard, int(np.searchsorted(place, end))
        heard = heard[low:high]
        np.maximum.at(self.heard, heard, time[low:high])
        self._next_heard = high
        place, slot, time, seen = self._seen[0]
        low, high = self._next_seen, int(np.searchsorted(place, end))
        for part in rounds(slot[low:high]) if high > low else ():
            self._run(slot[low:high][part], time[low:high][part, None], seen[low:high][part])
        self._next_seen = high
        learned = np.zeros((len(heard) + high - low, len(COLUMNS) + 1), np.bool_)
        learned[: len(heard), -1] = True
        learned[len(heard) :, :-1] = seen[low:high] != 0
        return np.concatenate([heard, slot[low:high]]), learned

    def _run(self, slot: Slots, time: Ints, seen: Ints) -> None:
        rows = self.table.rows
        since, last = rows["since"][slot], rows["last"][slot]
        on = seen > 0
        longest = np.where(self._plan.kind[slot] == OFFICER, _OFFICIAL_US, HALF_HOUR_US)[:, None]
        goes_on = (last > 0) & (time - last <= longest)
        since = np.where(on & ~goes_on, time, np.where(on, np.minimum(since, time), since))
        last = np.where(on, np.where(goes_on, np.maximum(last, time), time), last)
        off = (seen < 0) & (time >= last)
        rows["since"][slot] = np.where(off, 0, since)
        rows["last"][slot] = np.where(off, 0, last)
        self.table.touch(slot)

    def within(self, slots: Slots, column: int, begin_us: int, end_us: int) -> Bools:
        """Which slots showed a column at some time from `begin_us` to `end_us`."""
        rows = self.table.rows
        last = rows["last"][slots, column]
        lasting = np.where(self._plan.kind[slots] == OFFICER, _OFFICIAL_US, 0)
        shown: Bools = (last > 0) & (rows["since"][slots, column] <= end_us) & (last + lasting >= begin_us)
        return shown

    def reports(self, slots: Slots, since_us: int) -> Bools:
        """Which of the rain gauges were heard since a time."""
        heard: Bools = self.heard[slots] >= since_us
        return heard


def _blocks(begin: int, end: int) -> Iterator[slice]:
    """A few at first: what is looked for is often near."""
    length = 32
    while begin < end:
        yield slice(begin, min(begin + length, end))
        begin, length = begin + length, length * 4
