"""The simulated month through the real reader, and how far what it tells is from the truth."""

import bisect
from dataclasses import dataclass, replace

import numpy as np

from alerts.mobility.counted import Site
from alerts.mobility.counting import KNOTS
from alerts.mobility.database import FILE, open_database
from alerts.mobility.engine import Mobility
from alerts.rules import load_rules
from devices.catalogue import load_catalogue
from devices.simulator.mobility.month import Place, uplinks
from devices.simulator.mobility.sensors import EVENT, INTERVAL
from devices.simulator.mobility.town import STREETS
from ingest.journal import Accepted
from ingest.reading import Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.uplink import TimeSource, Uplink

GOOD, MISSING = 1, 9
BATCH = 2000
HOUR_US = 3_600_000_000
SETTLE_US = HOUR_US // 4
"""An interval is closed so long, and one interval of its device, after its end."""
EVERY_FIVE_MINUTES = {s.station for s in STREETS if s.on_time and s.interval_s == 300}
LATE_US = 600_000_000


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


class Reading:
    """The reader over a journal in a folder, as after the month's end; run by hand, and started again."""

    def __init__(self, month, folder, rules=None, **how):
        self._month, self._rules, self._how = month, rules or load_rules(), how
        self._catalogue = load_catalogue()
        self._folder = folder
        self.uplinks = 0
        self.seen_parking = []

    def __enter__(self):
        self._journal = SqliteJournal(self._folder / "journal.db")
        self.uplinks = fill(self._journal, self._month)
        self._open()
        return self

    def __exit__(self, *_):
        self._file.close()
        self._journal.close()

    def _open(self):
        self._file = open_database(self._folder / FILE)
        self.mobility = Mobility(
            self._journal,
            self._rules,
            lambda: self._month.registry,
            lambda: self._month.end_us + 24 * HOUR_US,
            self._file,
            zone=self._month.calendar.zone,
            catalogue=self._catalogue,
            **self._how,
        )

    def run(self, times=1_000_000):
        """So many steps; as if nothing had been committed but what is."""
        for _ in range(times):
            if not self.mobility.run_once():
                return
            self.seen_parking += self.mobility.parking()

    def drain(self):
        """To the end, and everything committed."""
        self.run()
        self.mobility.start()
        self.mobility.stop()

    def start_again(self):
        """What was not committed is forgotten."""
        self._file.close()
        self._open()

    def counts(self, site, resolution):
        """All that is told, of intervals that have ended."""
        found = self.mobility.counts(site, resolution, self._month.begin_us, self._month.end_us, 100_000)
        return [each for each in found if each.end_us <= self._month.end_us]

    def parking(self):
        return self.mobility.parking()

    def occupancy(self, station, resolution):
        return self.mobility.occupancy(station, resolution, self._month.begin_us, self._month.end_us, 100_000)


@dataclass(frozen=True)
class Judged:
    """One published count beside the truth. Arrays by interval, oldest first; edges µs since the epoch.

    `slack`: how many passed between the readings around each end of the interval. What a counter rose by
    between two readings is spread evenly over the time between, so no more than these can be put on the
    wrong side of an edge; none where a reading lies on it. `most`: all that the readings from before the
    interval to after it can speak of. `kept`: a running total: what a lost uplink said is in the next.
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
    """Times of the readings of a site that were taken, ascending: that arrived, and are not absurd."""
    numbers = [n for n, each in enumerate(month.streams) if _place(each) == place]
    if _is_total(month, place):
        numbers = [n for n in numbers if not month.streams[n].property.endswith(INTERVAL)]
    rows = month.reports[np.isin(month.reports["stream"], numbers)]
    absurd = [each.begin_us for each in month.incidents if each.kind == "glitch"]
    return np.setdiff1d(rows["time_us"], [*absurd, *too_late(rows)])


def too_late(rows):
    """Times of the readings of a stream that came after so many newer ones that their place is lost."""
    late = np.flatnonzero(rows["arrival_us"] - rows["time_us"] > LATE_US)
    return [
        int(rows["time_us"][i])
        for i in late.tolist()
        if len(np.unique(rows["time_us"][:i][rows["time_us"][:i] > rows["time_us"][i]])) >= KNOTS
        and rows["time_us"][i] not in rows["time_us"][:i]
    ]


def uncounted(month, place):
    """How many passed around the resets of a counter: between the last reading before and the first after."""
    heard = heard_at(month, place)
    devices = {each.dev_eui for each in month.streams if _place(each) == place}
    resets = np.array(
        [each.begin_us for each in month.incidents if each.kind == "reset" and each.dev_eui in devices]
    )
    return int(_passed(month.seen[place], *_around(heard, resets)).sum()) if len(resets) else 0


def _place(stream):
    return stream.station, stream.property.removesuffix(INTERVAL).removesuffix(EVENT), stream.channel


def _is_total(month, place):
    return any((each.station, each.property, each.channel) == place for each in month.streams)


def _around(heard, times):
    """The last reading at or before each time and the first at or after.

    Before the first a quarter of an hour, which it may speak for; after the last the time itself.
    """
    at = np.searchsorted(heard, times, "right") - 1
    after = np.searchsorted(heard, times, "left")
    return (
        np.where(at >= 0, heard[np.maximum(at, 0)], times - HOUR_US // 4),
        np.where(after < len(heard), heard[np.minimum(after, len(heard) - 1)], times),
    )


def _passed(seen, begin, end):
    return np.searchsorted(seen, end, "right") - np.searchsorted(seen, begin, "right")


def in_order(month):
    """The same uplinks, each once and at its time."""
    reports = month.reports[~month.reports["repeated"]]
    reports = reports[np.argsort(reports["time_us"], kind="stable")]
    reports["arrival_us"] = reports["time_us"]
    return replace(month, reports=reports)


def interval_us(month, place):
    """How often a site's device reports, as it is installed; an hour where nobody says."""
    (device,) = {each.dev_eui for each in month.streams if _place(each) == place}
    return round(1_000_000 * (month.registry.devices[device].interval_s or 3600))


def told(counts):
    """Counts without the note that they were corrected, and without those of which nothing is known."""
    return [replace(each, corrected_us=None) for each in counts if each.count or each.completeness]


def changed_late(month):
    """By site the hours that readings changed after they were closed: surely, and possibly.

    Of a site whose readings come on time every five minutes, a late one surely changes the hour that its five
    minutes lie in: they were not covered before. Any reading may change the hours between its neighbours. The
    former by begin, with the time of the newest reading then.
    """
    watermark = np.maximum.accumulate(month.reports["time_us"])
    found = {}
    for place in month.seen:
        sure, possible = {}, set()
        closed_us = SETTLE_US + interval_us(month, place)
        numbers = [n for n, each in enumerate(month.streams) if _place(each) == place]
        if _is_total(month, place):
            numbers = [n for n in numbers if not month.streams[n].property.endswith(INTERVAL)]
        known = []
        for i in np.flatnonzero(np.isin(month.reports["stream"], numbers)).tolist():
            time_us, newest = int(month.reports["time_us"][i]), int(watermark[i])
            at = bisect.bisect_left(known, time_us)
            if at < len(known) and known[at] == time_us:
                continue
            before = known[at - 1] if at else time_us - HOUR_US
            after = known[at] if at < len(known) else time_us
            known.insert(at, time_us)
            for begin in range(before // HOUR_US * HOUR_US, after, HOUR_US):
                if begin + HOUR_US + closed_us <= newest:
                    possible.add(begin)
            five_minutes = HOUR_US // 12
            begin = (time_us - 1) // HOUR_US * HOUR_US
            regular = at and time_us - before >= five_minutes and time_us % five_minutes == 0
            if regular and place[0] in EVERY_FIVE_MINUTES and begin + HOUR_US + closed_us <= newest:
                sure[begin] = newest
        found[place] = sure, possible
    return found


@dataclass(frozen=True)
class Drift:
    """How far the taken spaces that are told are from the truth at the ends of the quarters of an hour.

    `counters_per_day`, `per_day`: cars by which the mere counters, and what is told, come away from the truth
    in a day (least squares; the counters' number is not even kept within the car park). `counters_off`: mean
    error of who adds up what the counters report and stays between 0 and the capacity. `off`, `worst`: mean
    and greatest error of what is told, `corrections` in all. Errors are those from the third day on, where
    both counters were heard, and have in them what came and went since the counters' last word.
    """

    station: str
    capacity: int
    counters_per_day: float
    counters_off: float
    per_day: float
    off: float
    worst: int
    corrections: int

    def __str__(self):
        return (
            f"{self.station} ({self.capacity} spaces): counters alone drift {self.counters_per_day:+.1f} "
            f"cars a day and are {self.counters_off:.1f} off when kept within the car park; corrected "
            f"{self.per_day:+.2f} a day, {self.off:.1f} off, at worst {self.worst}; "
            f"{self.corrections} corrections"
        )


def drift(month, reading, station):
    """What the counters of a car park drift, with and without correction."""
    capacity = month.stays[station].capacity
    told = reading.occupancy(station, "PT15M")
    ends = np.array([each.end_us for each in told])
    truth = month.occupied(station, ends)
    ways = [month.seen[station, "vehicle_count", way] for way in ("in", "out")]
    came, left = (_passed(each, month.begin_us, ends) for each in ways)
    error = np.array([each.last for each in told]) - truth
    later = (ends > month.midnights[2]) & np.array([each.completeness == 1 for each in told])
    return Drift(
        station=station,
        capacity=capacity,
        counters_per_day=_slope(ends, came - left - truth),
        counters_off=float(np.abs(_kept_within(month, station, ends, capacity) - truth)[later].mean()),
        per_day=_slope(ends[later], error[later]),
        off=float(np.abs(error[later]).mean()),
        worst=int(np.abs(error[later]).max()),
        corrections=len(reading.mobility.corrections(station, month.begin_us, 10_000)),
    )


def _kept_within(month, station, ends, capacity):
    """What one has who adds up what the counters report and never leaves the car park's bounds."""
    times, steps = [], []
    for way, sign in (("in", 1), ("out", -1)):
        place = Place(station, "vehicle_count", way)
        heard = heard_at(month, place)
        times.append(heard[1:])
        steps.append(sign * month.counts(place, heard))
    times, steps = np.concatenate(times), np.concatenate(steps)
    order = np.argsort(times, kind="stable")
    number, after = 0, [0]
    for step in steps[order].tolist():
        number = min(max(number + step, 0), capacity)
        after.append(number)
    return np.array(after)[np.searchsorted(times[order], ends, "right")]


def _slope(times_us, values):
    return float(np.polyfit((times_us - times_us[0]) / 86_400e6, values, 1)[0])
