"""Counts of intervals as a caller may see them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from alerts.mobility.channels import lane_of
from alerts.mobility.counted import Asked, Count, Resolution, Site
from alerts.mobility.counting import SiteCounts
from api.formats import Item
from api.mobility.small_counts import HOURS, hidden
from api.rfc3339 import format_us
from api.visibility import View

MINUTES: Mapping[Resolution, int] = {"PT5M": 5, "PT15M": 15, "PT1H": 60, "P1D": 1440, "P1W": 10_080}
"""Of a usual one: days and weeks follow the city's clocks."""
FEWEST_VEHICLES = 3
"""Of fewer the public does not hear how fast they were: it would be somebody's speed."""
SPEED = "vehicle_speed"
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_QUARTER_US = 900_000_000
_NEWEST_OF_US = 16 * _DAY_US
"""Among so many days is a whole week that has finished."""


class Part(NamedTuple):
    """Some intervals of a site."""

    site: Site
    interval: Resolution
    counts: Sequence[Count]


def may_count(view: View, property_: str, interval: Resolution) -> bool:
    """Whether this caller sees counts of this length: as long or longer than the public may know them.

    What passed between two readings is spread over the time between, so a count of long ago can follow from a
    reading of now: with a delay there are none. Days and weeks of the city's clocks and coarser intervals of
    UTC would tell, by their difference, what passed in the hours between: then there are no days either.
    """
    if view.operator is not None:
        return True
    rule = view.services.rule(property_)
    if rule.suppress_below and MINUTES[interval] < MINUTES["PT1H"]:
        return False
    length_us = min(MINUTES[interval], MINUTES["PT1H"]) * 60_000_000
    return not rule.delay_us and (not rule.coarsen_us or length_us % rule.coarsen_us == 0)


def newest_counts(view: View, each: SiteCounts, interval: Resolution) -> list[Item]:
    """The newest finished interval of a site, none where none is; an hour long at most."""
    newest = each.last_closed(MINUTES[interval])
    return count_items(view, [Part(each.site, interval, [newest])]) if newest is not None else []


def newest_parts(view: View, asked: Sequence[Asked], recent: Mapping[Site, SiteCounts]) -> list[Part]:
    """The newest finished interval of each, where there is one; `recent` has all of these sites."""
    from_us = view.services.clock() - _NEWEST_OF_US
    longer = {
        (site, interval): (from_us, over_us(view, recent[site]))
        for site, interval in asked
        if MINUTES[interval] > MINUTES["PT1H"]
    }
    kept = view.services.history.counts_of(longer, len(longer) * _NEWEST_OF_US // _DAY_US) if longer else {}
    found = []
    for site, interval in asked:
        newest = (
            next(reversed(kept.get((site, interval), ())), None)
            if (site, interval) in longer
            else recent[site].last_closed(MINUTES[interval])
        )
        if newest is not None:
            found.append(Part(site, interval, [newest]))
    return found


def parts_between(
    view: View,
    asked: Mapping[Asked, int],
    to_us: int,
    limit: int,
    recent: Mapping[Site, SiteCounts],
) -> tuple[list[Part], bool]:
    """At most `limit` finished intervals, and whether there are others behind the last of them.

    Those that begin at the time said of each or later and end at `to_us` or earlier, oldest first: what is
    kept, and behind it what `recent` has. An interval is finished when the site's newest reading is not older
    than its end, or a quarter of an hour after it.
    """
    spans = {
        each: (from_us, min(to_us, over_us(view, recent.get(each[0])))) for each, from_us in asked.items()
    }
    kept = view.services.history.counts_of(spans, limit + 1)
    parts: list[Part] = []
    for (site, interval), from_us in asked.items():
        room = most = limit - sum(len(part.counts) for part in parts)
        if view.services.rule(site.property).suppress_below and interval in HOURS:
            most = min(room, HOURS[interval])
        counts = list(kept.get((site, interval), ()))
        if len(counts) <= most and site in recent and MINUTES[interval] <= MINUTES["PT1H"]:
            behind_us = counts[-1].end_us if counts else from_us
            counts += recent[site].closed(MINUTES[interval], behind_us, to_us)
        if counts[:most]:
            parts.append(Part(site, interval, counts[:most]))
        if len(counts) > most:
            return parts, True
    return parts, False


def over_us(view: View, recent: SiteCounts | None) -> int:
    """Up to when the intervals of a site are finished."""
    return max(view.services.clock() - _QUARTER_US, recent.newest_us if recent is not None else 0)


def count_items(view: View, parts: Sequence[Part]) -> list[Item]:
    """What is told of them."""
    small = {} if view.operator is not None else _small(view, parts)
    return [
        dict(_members(view, part.site, part.interval, count, suppressed=count.begin_us in untold))
        for part in parts
        for untold in (small.get((part.site, part.interval), frozenset()),)
        for count in part.counts
    ]


def _small(view: View, parts: Sequence[Part]) -> Mapping[Asked, frozenset[int]]:
    """Begins of those that are not told; all sites at a time that have the same to be looked at."""
    alike: dict[tuple[Resolution, int], dict[Site, Sequence[Count]]] = {}
    for site, interval, counts in parts:
        if below := view.services.rule(site.property).suppress_below:
            alike.setdefault((interval, below), {})[site] = counts
    return {
        (site, interval): begins
        for (interval, below), counts in alike.items()
        for site, begins in hidden(view.services.history, interval, counts, below).items()
    }


def _members(
    view: View, site: Site, interval: Resolution, count: Count, *, suppressed: bool
) -> Iterator[tuple[str, object]]:
    lane = lane_of(site.channel)
    quick = view.live(SPEED) and (view.operator is not None or count.count >= FEWEST_VEHICLES)
    yield "station", site.station
    yield "property", site.property
    yield "channel", site.channel
    yield "direction", lane.direction
    yield "vehicle_class", lane.vehicle_class
    yield "interval", interval
    yield "begin", format_us(count.begin_us)
    yield "time", format_us(count.end_us)
    yield "value", None if suppressed else round(view.rounded(site.property, count.count))
    yield "suppressed", suppressed
    yield "completeness", round(count.completeness, 3)
    yield "corrected", None if count.corrected_us is None else format_us(count.corrected_us)
    yield "speed_mean_kmh", _speed(view, count.speed_kmh) if quick else None
    yield "speed_v85_kmh", _speed(view, count.v85_kmh) if quick else None


def _speed(view: View, value: float | None) -> float | None:
    return None if value is None else round(view.rounded(SPEED, value), 1)
