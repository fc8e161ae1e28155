"""Counts of intervals as a caller may see them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from alerts.mobility.channels import lane_of
from alerts.mobility.counted import Count, Resolution, Site
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


class Part(NamedTuple):
    """Some intervals of one site. `more`: there may be others behind the last of them."""

    items: Sequence[Item]
    more: bool


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
    """The newest finished interval of a site, none where none is."""
    if MINUTES[interval] > MINUTES["PT1H"]:
        clock = view.services.clock()
        weeks = (clock - 15 * _DAY_US, clock)
        return list(counts_between(view, each.site, interval, weeks, 100, each).items)[-1:]
    return _items(view, each.site, interval, _finished(each, interval)[-1:])


def counts_between(  # noqa: PLR0913, PLR0917 - what a span of one site is asked for by
    view: View,
    site: Site,
    interval: Resolution,
    span_us: tuple[int, int],
    limit: int,
    recent: SiteCounts | None,
) -> Part:
    """Finished intervals that begin at span_us[0] or later and end at span_us[1] or earlier, oldest first.

    What is kept, and behind it what `recent` has. An interval is finished when the site's newest reading is
    not older than its end, or a quarter of an hour after it.
    """
    from_us = span_us[0]
    over_us = max(view.services.clock() - _QUARTER_US, recent.newest_us if recent is not None else 0)
    to_us = min(span_us[1], over_us)
    rule = view.services.rule(site.property)
    limit = min(limit, HOURS[interval]) if rule.suppress_below and interval in HOURS else limit
    kept = view.services.history.counts(site, interval, from_us, to_us, limit + 1)
    found = [count for count in kept if count.end_us <= to_us]
    if len(kept) <= limit and recent is not None and MINUTES[interval] <= MINUTES["PT1H"]:
        behind_us = found[-1].end_us if found else from_us
        found += [
            count
            for count in _finished(recent, interval)
            if count.begin_us >= behind_us and count.end_us <= to_us
        ]
    return Part(_items(view, site, interval, found[:limit]), len(found) > limit)


def _finished(each: SiteCounts, interval: Resolution) -> list[Count]:
    """The newest reading is not older than their end."""
    return [count for count in each.counts(MINUTES[interval]) if count.end_us <= each.newest_us]


def _items(view: View, site: Site, interval: Resolution, counts: Sequence[Count]) -> list[Item]:
    below = 0 if view.operator is not None else view.services.rule(site.property).suppress_below
    small = hidden(view.services.history, site, interval, counts, below) if below else frozenset()
    return [
        dict(_members(view, site, interval, count, suppressed=count.begin_us in small)) for count in counts
    ]


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
