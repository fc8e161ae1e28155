"""Which counts of people are too small to be told, and which larger ones would tell them by a difference."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate

from alerts.mobility.counted import Count, Resolution, Site
from api.mobility.history import CountHistory

HOURS: Mapping[Resolution, int] = {"P1D": 366, "P1W": 53}
"""Of longer intervals, which need their hours looked at: how many at a time."""
_HOURS_OF: Mapping[Resolution, int] = {"P1D": 25, "P1W": 7 * 24 + 1}
_DAYS_OF_A_WEEK = 8


def hidden(
    history: CountHistory, interval: Resolution, counts: Mapping[Site, Sequence[Count]], below: int
) -> Mapping[Site, frozenset[int]]:
    """Begins of those intervals that are not told, by site; `interval` is an hour or longer.

    A count of 1 up to below - 1 is not told. Of an hour that is not told the day's count without the other
    hours would tell it: a day is told only if what its hours have not told is nothing or at least `below`,
    and a week likewise of what its days, and the hours of untold days, have not told.
    """
    counts = {site: some for site, some in counts.items() if some}
    if not counts or interval not in HOURS:
        return {
            site: frozenset(count.begin_us for count in some if _small(count.count, below))
            for site, some in counts.items()
        }
    parts = _parts(history, interval, counts, below)
    return {
        site: frozenset(
            count.begin_us
            for count in some
            if _small(count.count, below) or _small(count.count - parts[site].inside(count), below)
        )
        for site, some in counts.items()
    }


class _Told:
    """What is told of parts of intervals: (begin, count) in the order of time."""

    def __init__(self, parts: Sequence[tuple[int, int]]) -> None:
        self._begins = [begin for begin, _ in parts]
        self._sums = [0, *accumulate(count for _, count in parts)]

    def inside(self, count: Count) -> int:
        """The sum of the parts that begin in an interval."""
        first, behind = (bisect_left(self._begins, each) for each in (count.begin_us, count.end_us))
        return self._sums[behind] - self._sums[first]


def _small(count: int, below: int) -> bool:
    return 0 < count < below


def _parts(
    history: CountHistory, interval: Resolution, counts: Mapping[Site, Sequence[Count]], below: int
) -> Mapping[Site, _Told]:
    """What is told of the hours of days, and of the days of weeks."""
    spans = {site: (some[0].begin_us, some[-1].end_us) for site, some in counts.items()}
    many = sum(map(len, counts.values()))
    hours = _all_of(history, "PT1H", spans, many * _HOURS_OF[interval])
    told = {
        site: _Told([(hour.begin_us, 0 if _small(hour.count, below) else hour.count) for hour in some])
        for site, some in hours.items()
    }
    if interval == "P1D":
        return told
    days = _all_of(history, "P1D", spans, many * _DAYS_OF_A_WEEK)
    untold = hidden(history, "P1D", days, below)
    return {
        site: _Told(
            [
                (day.begin_us, told[site].inside(day) if day.begin_us in untold[site] else day.count)
                for day in some
            ]
        )
        for site, some in days.items()
    }


def _all_of(
    history: CountHistory, interval: Resolution, spans: Mapping[Site, tuple[int, int]], most: int
) -> Mapping[Site, Sequence[Count]]:
    found = history.counts_of({(site, interval): span for site, span in spans.items()}, most)
    return {site: found.get((site, interval), ()) for site in spans}
