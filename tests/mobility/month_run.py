"""The simulated month through the real reader: a journal with all that arrived, and how far it is from the truth."""

from dataclasses import dataclass

import numpy as np

from alerts.mobility.counted import Site
from alerts.mobility.engine import Mobility
from alerts.rules import load_rules
from devices.catalogue import load_catalogue
from devices.simulator.mobility.month import uplinks
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.uplink import TimeSource, Uplink

GOOD, MISSING = 1, 9
BATCH = 2000


def fill(journal, month, begin=0, end=None, batch=BATCH):
    """Every uplink that arrived into the journal, in the order of arrival; how many."""
    series = [Series(*stream) for stream in month.streams]
    count, waiting = 0, []
    for rows in uplinks(month.reports[begin:end]):
        waiting.append(_accepted(series, rows))
        count += 1
        if len(waiting) == batch:
            journal.append(waiting)
            waiting = []
    journal.append(waiting)
    return count


def _accepted(series, rows):
    first = rows[0]
    of = [series[number] for number in rows["stream"].tolist()]
    time_us, arrived_us = int(first["time_us"]), int(first["arrival_us"])
    raw = Uplink(
        server="ns",
        dev_eui=of[0].dev_eui,
        f_port=1,
        f_cnt=int(first["uplink"]),
        session="",
        payload=b"",
        received_us=time_us,
        arrived_us=arrived_us,
        time_us=time_us,
        time_source=TimeSource.SERVER,
    )
    values = rows["value"].tolist()
    return Accepted(
        raw,
        tuple(
            Measured(each, time_us, value, MISSING if np.isnan(value) else GOOD)
            for each, value in zip(of, values, strict=True)
        ),
        (),
    )


def reader(journal, month, rules=None, **how):
    """The reader over a journal, as after the month's end."""
    return Mobility(
        journal,
        rules or load_rules(),
        lambda: month.registry,
        lambda: month.end_us + 86_400_000_000,
        catalogue=load_catalogue(),
        **how,
    )


@dataclass(frozen=True)
class Judged:
    """One published count beside the truth. Arrays by interval, oldest first; edges µs since the epoch.

    `slack`: how many passed between the readings around each end of the interval. What a counter rose by
    between two readings is spread evenly over the time between, so no more than these can be put on the
    wrong side of an edge; none where a reading lies on it. `most`: all that the readings from before the
    interval to after it can speak of. `kept`: a running total, so that what a lost uplink said is in the next.
    """

    site: Site
    begin: np.ndarray
    end: np.ndarray
    count: np.ndarray
    completeness: np.ndarray
    corrected: np.ndarray
    truth: np.ndarray
    slack: np.ndarray
    most: np.ndarray
    kept: bool

    @property
    def complete(self):
        return self.completeness == 1


def judged(month, counts_of, resolution, sites=None):
    """Every site's published counts of a resolution; `counts_of(site, resolution)` gives them."""
    found = []
    for place in month.seen if sites is None else sites:
        site = Site(*place)
        counts = counts_of(site, resolution)
        begin, end, count, completeness, corrected = (
            np.array([getattr(each, name) or 0 for each in counts])
            for name in ("begin_us", "end_us", "count", "completeness", "corrected_us")
        )
        seen, heard = month.seen[place], heard_at(month, place)
        before_begin, after_begin = _around(heard, begin)
        before_end, after_end = _around(heard, end)
        found.append(
            Judged(
                site=site,
                begin=begin,
                end=end,
                count=count,
                completeness=completeness,
                corrected=corrected,
                truth=_passed(seen, begin, end),
                slack=_passed(seen, before_begin, after_begin) + _passed(seen, before_end, after_end),
                most=_passed(seen, before_begin, after_end),
                kept=_is_total(month, place),
            )
        )
    return found


def heard_at(month, place):
    """Times of the readings of a site that arrived and are no absurd ones, ascending."""
    numbers = [n for n, each in enumerate(month.streams) if _place(each) == place]
    rows = month.reports[np.isin(month.reports["stream"], numbers)]
    absurd = [each.begin_us for each in month.incidents if each.kind == "glitch"]
    return np.setdiff1d(rows["time_us"], absurd)


def uncounted(month, place):
    """How many passed around the resets of a counter: between the last reading before and the first after."""
    heard = heard_at(month, place)
    devices = {each.dev_eui for each in month.streams if _place(each) == place}
    resets = np.array(
        [each.begin_us for each in month.incidents if each.kind == "reset" and each.dev_eui in devices]
    )
    return int(_passed(month.seen[place], *_around(heard, resets)).sum()) if len(resets) else 0


def _place(stream):
    return stream.station, stream.property.removesuffix("_interval"), stream.channel


def _is_total(month, place):
    return any((each.station, each.property, each.channel) == place for each in month.streams)


def _around(heard, times):
    """The last reading at or before each time and the first at or after, else the time itself."""
    at = np.searchsorted(heard, times, "right") - 1
    after = np.searchsorted(heard, times, "left")
    return (
        np.where(at >= 0, heard[np.maximum(at, 0)], times),
        np.where(after < len(heard), heard[np.minimum(after, len(heard) - 1)], times),
    )


def _passed(seen, begin, end):
    return np.searchsorted(seen, end, "right") - np.searchsorted(seen, begin, "right")
