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
    history: CountHistory, interval: Resolution, counts: Mapping[Site, Sequence[Count]], below: int
) -> Mapping[Site, frozenset[int]]:
    """Begins of those intervals that are not told, by site; `interval` is an hour or longer.

    A count of 1 up to below - 1 is not told. Of an hour that is not told the day's count without the other
    hours would tell it: a day is told only if what its hours have not told is nothing or at least `below`,
    and a week likewise of what its days, and the hours of untold days, have not told. Hours that are kept no
    longer may have been told, and nobody knows which: a day or week without all of its hours is not told.
    """
    counts = {site: some for site, some in counts.items() if some}
    if not counts or interval not in HOURS:
        return {
            site: frozenset(count.begin_us for count in some if _small(count.count, below))
            for site, some in counts.items()
        }
    spans = {site: (some[0].begin_us, some[-1].end_us) for site, some in counts.items()}
    many = sum(map(len, counts.values()))
    hours = _all_of(history, "PT1H", spans, many * _HOURS_OF[interval])
    told = {
        site: [(hour.begin_us, 0 if _small(hour.count, below) else hour.count) for hour in some]
        for site, some in hours.items()
    }
    if interval == "P1W":
        days = _all_of(history, "P1D", spans, many * _DAYS_OF_A_WEEK)
        told = _of_days(days, hidden(history, "P1D", days, below), told)
    return {
        site: _untold(some, _Sums([(hour.begin_us, hour.count) for hour in hours[site]]), told[site], below)
        for site, some in counts.items()
    }


def _untold(
    counts: Sequence[Count], hours: "_Sums", told: Sequence[tuple[int, int]], below: int
) -> frozenset[int]:
    """Of one site: begins of days or weeks, from all hours and what is told of their parts."""
    parts = _Sums(told)
    return frozenset(
        count.begin_us
        for count in counts
        if _small(count.count, below)
        or _small(count.count - parts.inside(count), below)
        or count.count != hours.inside(count)
    )


def _of_days(
    days: Mapping[Site, Sequence[Count]],
    untold: Mapping[Site, frozenset[int]],
    hours: Mapping[Site, Sequence[tuple[int, int]]],
) -> dict[Site, list[tuple[int, int]]]:
    """What is told of days: all of it, or what is told of the hours of one that is not told itself."""
    found = {}
    for site, some in days.items():
        of_hours, small = _Sums(hours[site]), untold.get(site, frozenset())
        found[site] = [
            (day.begin_us, of_hours.inside(day) if day.begin_us in small else day.count) for day in some
        ]
    return found


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


def _all_of(
    history: CountHistory, interval: Resolution, spans: Mapping[Site, tuple[int, int]], most: int
) -> Mapping[Site, Sequence[Count]]:
    found = history.counts_of({(site, interval): span for site, span in spans.items()}, most)
    return {site: found.get((site, interval), ()) for site in spans}
