"""Forecasts of car parks on weeks that were held out. By itself: the table of the docs. [SEED [LEARN]]."""

import sys

import numpy as np
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

    def __init__(self, days):
        self.error = np.abs(days["error"].astype(np.float64))
        came = days["predicted"][:, :, AS_NOW] + days["error"][:, :, AS_NOW]
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
