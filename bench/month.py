"""A simulated month of forty sensors through the reader of traffic and parking, judged against its truth."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from report import Report, run

sys.path.append(str(Path(__file__).parents[1] / "tests" / "mobility"))

from month_run import Judged, Reading, drift, heard_at, judged, uncounted

from devices.simulator.mobility.month import Month, Place, month
from devices.simulator.mobility.town import LOTS, STREETS

LEAST_DAYS = 4
ON_TIME = {street.station for street in STREETS if street.on_time}
ONE_BY_ONE = {street.station for street in STREETS if street.counts == "event"}


def measure(scale: float) -> Report:
    """Sums beside the truth, drift with and without correction, CPU time of the reader."""
    report = Report("month", "a month of forty sensors: losses of 5 %, repeated and late uplinks, resets")
    town = month(1, max(LEAST_DAYS, round(31 * scale)))
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        with Reading(town, Path(folder)) as reading:
            filled_s = time.process_time() - began
            began = time.process_time()
            reading.drain()
            read_s = time.process_time() - began
            rate, kept = reading.uplinks / read_s, reading.uplinks / filled_s
            what = f"reader, {len(town.registry.devices)} devices, {reading.uplinks:,} uplinks"
            report.add(what, rate, "uplinks/s", "more", baseline=("into the journal", kept))
            sums(report, town, reading)
            parking(report, town, reading)
    report.notes += [
        "complete: every minute of the hour is spoken for by regular readings",
        "on time: readings at the hour's edges; others: a counter's rise is spread evenly between readings",
        "running totals: all hours of a counter added up, but for who passed while it began anew",
    ]
    return report


def sums(report: Report, town: Month, reading: Reading):
    """Hours of every site beside the truth."""
    hours = [each for each in judged(town, reading.counts, "PT1H") if each.site.station not in ONE_BY_ONE]
    share = np.concatenate([each.complete for each in hours]).mean()
    report.add("hours that are complete", float(100 * share), "%", "more")
    for name, some in (
        ("on time", [each for each in hours if each.site.station in ON_TIME]),
        ("others", [each for each in hours if each.site.station not in ON_TIME]),
    ):
        wrong = np.concatenate([np.abs(each.count - each.truth)[each.complete] for each in some])
        slack = np.concatenate([each.slack[each.complete] for each in some])
        exact = wrong == 0 if name == "on time" else wrong <= slack
        what = "equal to the truth" if name == "on time" else "within the passings at their edges"
        report.add(f"complete hours, {name}, {what}", float(100 * exact.mean()), "%", "more", goal=100)
        if wrong.any():
            truth = np.concatenate([each.truth[each.complete] for each in some])
            report.add(f"complete hours, {name}, mean error", float(100 * wrong.sum() / truth.sum()), "%")
    fitting = [adds_up(town, each) for each in hours if each.kept]
    report.add("running totals that add up", float(100 * np.mean(fitting)), "%", "more", goal=100)
    possible = [(each.count >= 0) & (each.count <= each.most) for each in hours]
    report.add("hours that are possible", float(100 * np.concatenate(possible).mean()), "%", "more", goal=100)


def adds_up(town: Month, each: Judged):
    place = Place(each.site.station, each.site.property, each.site.channel)
    truth = town.counts(place, [heard_at(town, place)[0], each.end[-1]])[0] - uncounted(town, place)
    return abs(each.count.sum() - truth) <= each.slack[-1]


def parking(report: Report, town: Month, reading: Reading):
    """Taken spaces beside the truth."""
    for lot in LOTS:
        found = reading.occupancy(lot.station, "PT15M")
        within = [0 <= each.last <= each.most <= each.capacity for each in found]
        assert all(within), lot.station
        if lot.told_by == "counters":
            each = drift(town, reading, lot.station)
            base = ("counters kept within 0 and the capacity", each.counters_off)
            report.add(f"{lot.station}, mean error", max(each.off, 0.01), "cars", baseline=base)
            report.notes.append(str(each))
        else:
            ends = [each.end_us for each in found]
            error = np.abs([each.last for each in found] - town.occupied(lot.station, ends))
            report.add(f"{lot.station}, mean error", max(float(error.mean()), 0.01), "cars")


if __name__ == "__main__":
    run(measure)
