"""Forecasts of car parks on weeks that were held out. By itself: the tables of the docs. [SEED [LEARN]]."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from month_run import Reading
from parked import Forecaster, samples

from alerts.mobility.calendar import QUARTER_US, Calendar
from alerts.mobility.forecast_days import AHEAD, AS_LAST_WEEK, AS_NOW, DAYS, LEARNED
from devices.simulator.mobility.month import weeks

MINUTES = tuple(15 * ahead for ahead in AHEAD)
BERGISCH_GLADBACH = "053780004004"
BY_DAY = slice(7 * 4, 20 * 4)
ALWAYS = slice(None)


class Judged:
    """Of one car park on some days: errors by method and horizon, and what lay in the interval."""

    def __init__(self, days, truth=None):
        predicted = days["predicted"].astype(np.float64)
        came = predicted[:, :, AS_NOW] + days["error"][:, :, AS_NOW]
        if truth is not None:
            meant = days["mark"][:, :, None].astype(np.int64) + np.array(AHEAD)
            came = np.where(np.isfinite(came), truth(meant * QUARTER_US), np.nan)
        self.error = np.abs(predicted - came[:, :, None])
        self.issued = np.isfinite(came) & np.isfinite(days["low"])
        self.inside = (days["low"] <= came) & (came <= days["high"])
        self.width = days["high"] - days["low"]

    def mae(self, method, ahead):
        known = np.isfinite(self.error[:, :, :, ahead]).all(axis=2)
        return float(self.error[:, :, method, ahead][known].mean())

    def coverage(self, ahead, hours=ALWAYS):
        return float(self.inside[:, hours, ahead][self.issued[:, hours, ahead]].mean())

    def mean_width(self, ahead, hours=ALWAYS):
        return float(self.width[:, hours, ahead][self.issued[:, hours, ahead]].mean())


def simulated(seed=1, learn=8):
    """Every car park of the town, truly taken spaces at every quarter of an hour, in the held-out weeks."""
    month, begin_us = weeks(seed, learn)
    times = np.arange(month.begin_us, month.end_us, QUARTER_US)
    stations = tuple(month.stays)
    calendar = Calendar("Europe/Berlin", BERGISCH_GLADBACH)
    forecaster = Forecaster(stations, calendar.slots)
    forecaster.step(
        samples(
            np.tile(np.arange(len(stations)), len(times)),
            np.repeat(times, len(stations)),
            np.stack([month.occupied(each, times) for each in stations], axis=1).ravel(),
            np.tile([month.stays[each].capacity for each in stations], len(times)),
        )
    )
    first = calendar.slots(np.array([begin_us])).day[0]
    rows = forecaster.days.rows.reshape(-1, DAYS)
    return {station: Judged(rows[park][rows["day"][park] >= first]) for park, station in enumerate(stations)}


def reported(seed=1, learn=8):
    """What the reader told of the reports in the held-out weeks: beside what it told then, and the truth.

    By station: judged by what was told, judged by the truth, how far what was told was off on average.
    """
    month, begin_us = weeks(seed, learn)
    with tempfile.TemporaryDirectory() as folder, Reading(month, Path(folder)) as reading:
        reading.drain()
        forecasts = reading.mobility._machine._forecasts
        rows, slots = forecasts._days.rows.reshape(-1, DAYS), forecasts._slot
        first = Calendar("Europe/Berlin", BERGISCH_GLADBACH).slots(np.array([begin_us])).day[0]
        for station in month.stays:
            days = rows[slots[station]]
            days = days[days["day"] >= first]

            def truth(times, station=station):
                return month.occupied(station, times.ravel()).reshape(times.shape)

            off = np.abs(days["occupied"] - truth(days["mark"].astype(np.int64) * QUARTER_US))
            yield station, Judged(days), Judged(days, truth), float(np.nanmean(off))


def reported_table(found):
    for station, told, truth, off in found:
        for ahead, minutes in enumerate(MINUTES):
            judged = (
                ", ".join(f"{each.mae(method, ahead):.2f}" for method in (LEARNED, AS_NOW, AS_LAST_WEEK))
                + f" | {each.coverage(ahead, BY_DAY):.1%}"
                for each in (told, truth)
            )
            yield f"| {station} | {minutes} | {' | '.join(judged)} | {off:.1f} |\n"


def table(found):
    for station, judged in found.items():
        for ahead, minutes in enumerate(MINUTES):
            mae = [judged.mae(method, ahead) for method in (LEARNED, AS_NOW, AS_LAST_WEEK)]
            coverage = judged.coverage(ahead), judged.coverage(ahead, BY_DAY)
            yield (
                f"| {station} | {minutes} | "
                + " | ".join(f"{each:.2f}" for each in mae)
                + " | "
                + " | ".join(f"{each:.1%}" for each in coverage)
                + f" | {judged.mean_width(ahead, BY_DAY):.1f} |\n"
            )


if __name__ == "__main__":
    sys.stdout.writelines(table(simulated(*map(int, sys.argv[1:]))))
    sys.stdout.writelines(reported_table(reported(*map(int, sys.argv[1:]))))
