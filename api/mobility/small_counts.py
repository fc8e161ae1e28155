"""Which counts of people are too small to be told, and which larger ones would tell them by a difference."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from alerts.mobility.counted import Count, Resolution, Site
from api.mobility.history import CountHistory

HOURS: Mapping[Resolution, int] = {"P1D": 366, "P1W": 53}
"""Of longer intervals, which need their hours looked at: how many at a time."""
_HOURS_OF: Mapping[Resolution, int] = {"P1D": 25, "P1W": 7 * 25}
_DAYS_OF_A_WEEK = 8


def hidden(
    history: CountHistory, site: Site, interval: Resolution, counts: Sequence[Count], below: int
) -> frozenset[int]:
    """Begins of those intervals that are not told; `interval` is an hour or longer.

    A count of 1 up to below - 1 is not told. Of an hour that is not told the day's count without the other
    hours would tell it: a day is told only if what its hours have not told is nothing or at least `below`,
    and a week likewise of what its days, and the hours of untold days, have not told. Hours that are kept no
    longer may have been told, and nobody knows which: a day or week without all of its hours is not told.
    """
    if not counts or interval not in HOURS:
        return frozenset(count.begin_us for count in counts if _small(count.count, below))
    span = counts[0].begin_us, counts[-1].end_us
    hours = history.counts(site, "PT1H", *span, len(counts) * _HOURS_OF[interval])
    every = _Sums([(hour.begin_us, hour.count) for hour in hours])
    told = _Sums(_parts(history, site, interval, counts, hours, below))
    return frozenset(
        count.begin_us
        for count in counts
        if _small(count.count, below)
        or _small(count.count - told.inside(count), below)
        or count.count != every.inside(count)
    )


class _Sums:
    """Sums over parts of intervals: (begin, count) in the order of time."""

    def __init__(self, parts: Sequence[tuple[int, int]]) -> None:
        self._begins = [begin for begin, _ in parts]
        self._sums = [0, *accumulate(count for _, count in parts)]

    def inside(self, count: Count) -> int:
        """The sum of the parts that begin in an interval."""
        first, behind = (bisect_left(self._begins, each) for each in (count.begin_us, count.end_us))
        return self._sums[behind] - self._sums[first]


def _small(count: int, below: int) -> bool:
    return 0 < count < below


def _parts(  # noqa: PLR0913, PLR0917 - what a span of one site is asked for by
    history: CountHistory,
    site: Site,
    interval: Resolution,
    counts: Sequence[Count],
    hours: Sequence[Count],
    below: int,
) -> list[tuple[int, int]]:
    """Of days their hours, of weeks their days: begin, and what is told of it."""
    told = [(hour.begin_us, 0 if _small(hour.count, below) else hour.count) for hour in hours]
    if interval == "P1D":
        return told
    span = counts[0].begin_us, counts[-1].end_us
    days = history.counts(site, "P1D", *span, len(counts) * _DAYS_OF_A_WEEK)
    untold, of_hours = hidden(history, site, "P1D", days, below), _Sums(told)
    return [(day.begin_us, of_hours.inside(day) if day.begin_us in untold else day.count) for day in days]
