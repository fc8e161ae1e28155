"""Counts of vehicles, people and bicycles: cumulative counters or interval counts to 5, 15 and 60 minutes.

Intervals follow UTC (a quarter of an hour is one in every German time, too). A count belongs to the time
between two readings and is spread evenly over it; totals stay exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerts.kernels import curve
from alerts.kernels.curve import Amounts, CurvePlan, Tally
from alerts.kernels.rows import Batch, Ints, Rows, Slots, rounds
from alerts.mobility.counted import Count, Site

KEPT_MARKS = 24 * 12 + 12
"""Five-minute marks kept: 24 hours and one more for what is late."""

ROW = np.dtype(curve.fields(KEPT_MARKS, cover=True))
MINUTES = (5, 15, 60)


@dataclass(frozen=True, slots=True)
class CountsPlan:
    """Slots are count series; `sites[slot]` is None for one that is not used any more."""

    slot_of: Slots
    curves: CurvePlan
    sites: Sequence[Site | None]


@dataclass(frozen=True, slots=True)
class SiteCounts:
    """One site: time of its newest reading, the five-minute counts kept, oldest first, up to that time.

    The last may be unfinished; its end_us is the end of its five minutes.
    """

    site: Site
    newest_us: int
    five_minutes: tuple[Count, ...]

    def counts(self, minutes: int) -> tuple[Count, ...]:
        """Counts of whole 5, 15 or 60 minutes, oldest first; the last may be unfinished."""
        if minutes not in MINUTES:
            raise ValueError(f"counts are kept for {MINUTES} minutes, not for {minutes}")
        length = minutes * 60_000_000
        groups: dict[int, list[Count]] = {}
        for each in self.five_minutes:
            groups.setdefault(each.begin_us // length, []).append(each)
        # the oldest may have lost its beginning
        if groups and self.five_minutes[0].begin_us % length:
            del groups[self.five_minutes[0].begin_us // length]
        parts = minutes * 60_000_000 // curve.MARK_US
        return tuple(
            Count(
                begin_us=k * length,
                end_us=(k + 1) * length,
                count=sum(each.count for each in group),
                completeness=sum(each.completeness for each in group) / parts,
            )
            for k, group in groups.items()
        )

    def last_closed(self, minutes: int) -> Count | None:
        """The newest interval that has ended."""
        closed = [each for each in self.counts(minutes) if each.end_us <= self.newest_us]
        return closed[-1] if closed else None

    def current(self, minutes: int) -> Count | None:
        """The interval that is running at the newest reading."""
        running = [each for each in self.counts(minutes) if each.end_us > self.newest_us]
        return running[-1] if running else None


def step(rows: Rows, plan: CountsPlan, batch: Batch, tally: Tally) -> None:
    """Take readings in their order; changes `rows` in place. Counts raise no events."""
    slot, time, value = batch
    amount = np.rint(value).astype(np.int64)
    for part in rounds(slot):
        curve.add(rows, plan.curves, Amounts(slot[part], time[part], amount[part]), tally)


def site_counts(rows: Rows, plan: CountsPlan) -> tuple[SiteCounts, ...]:
    """Every site's counts, copied: what is handed out never changes."""
    slots: dict[Site, list[int]] = {}
    for slot, site in enumerate(plan.sites):
        if site is not None and rows["head"]["pushes"][slot]:
            slots.setdefault(site, []).append(slot)
    return tuple(_of_site(rows, site, of_site) for site, of_site in slots.items())


def _of_site(rows: Rows, site: Site, slots: Sequence[int]) -> SiteCounts:
    newest = max(int(rows["head"]["time"][slot]) for slot in slots)
    head = -(-newest // curve.MARK_US)
    marks = np.arange(head - KEPT_MARKS + 2, head + 1)
    count = np.sum([np.diff(_at_marks(rows[slot], "ring", "total", marks)) for slot in slots], axis=0)
    seconds = np.sum([np.diff(_at_marks(rows[slot], "cover", "covered", marks)) for slot in slots], axis=0)
    share = np.clip(seconds / (len(slots) * curve.MARK_US / 1e6), 0, 1).round(3)
    # nothing was heard of the site before
    heard = np.flatnonzero((share > 0) | (count != 0))
    begin = int(heard[0]) if len(heard) else len(count)
    return SiteCounts(
        site=site,
        newest_us=newest,
        five_minutes=tuple(
            Count(int(k) * curve.MARK_US, (int(k) + 1) * curve.MARK_US, int(number), float(part))
            for k, number, part in zip(marks[begin:-1], count[begin:], share[begin:], strict=True)
        ),
    )


def _at_marks(row: np.void, ring: str, total: str, marks: Ints) -> Ints:
    """The running total at UTC marks; after the newest reading the total, before what is kept the oldest."""
    head = int(row["head"]["time"]) // curve.MARK_US
    k = np.maximum(marks, head - KEPT_MARKS + 1)
    kept: Ints = row[ring][k % KEPT_MARKS].astype(np.int64)
    return np.where(k > head, int(row["head"][total]), kept)
