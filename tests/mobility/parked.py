"""Cars that come and stay: series of car parks by a process of the tests' own, and a clock in UTC."""

import numpy as np

from alerts.kernels.rows import Table
from alerts.mobility.calendar import QUARTER_US, Slot
from alerts.mobility.forecast import PARK, ForecastPlan, Samples, step
from alerts.mobility.forecast_days import DAY, DAYS

DAY_US = 96 * QUARTER_US
MONDAY = 20_605 * DAY_US
"""1 June 2026, a Monday, UTC."""


def utc(time):
    day = time // DAY_US
    return Slot(day, (day + 3) % 7, time % DAY_US // QUARTER_US, np.zeros(len(time), np.bool_))


def visits(seed, weeks, capacity, per_day, *, stay_h=1.5, wildness=0.15):  # noqa: PLR0913 - a car park in a line
    """Spaces taken every quarter of an hour: Poisson arrivals by day and hour, exponential stays."""
    rng = np.random.default_rng(seed)
    hours = np.arange(96) / 4
    days = [
        np.exp(-(((hours - peak) / width) ** 2)) * size
        for peak, width, size in [(9, 2.5, 1.0)] * 4 + [(15, 3.5, 1.3), (11, 2, 1.6), (14, 5, 0.2)]
    ]
    taken = np.zeros(weeks * 7 * 96, np.int64)
    parked = 0
    for day in range(weeks * 7):
        shape = days[day % 7] / days[0].sum() * per_day * rng.lognormal(0, wildness)
        for quarter in range(96):
            parked -= rng.binomial(parked, 1 - np.exp(-0.25 / stay_h))
            parked = min(parked + rng.poisson(shape[quarter]), capacity)
            taken[day * 96 + quarter] = parked
    return taken


class Forecaster:
    """The kernel with its tables."""

    def __init__(self, stations=("loewe",), slots=utc):
        self.plan = ForecastPlan(stations, slots)
        self.days, self.parks = Table("forecast_day", DAY), Table("forecast", PARK)
        self.days.claim(self.plan.day_keys())
        self.parks.claim(list(stations))

    def step(self, samples):
        changed = step(self.days.rows, self.parks.rows, self.plan, samples)
        self.days.touch(changed)
        self.parks.touch(changed // DAYS)


def samples(park, time, taken, capacity=100, completeness=1.0):
    park, time, taken = np.broadcast_arrays(np.asarray(park), np.asarray(time), np.asarray(taken))
    return Samples(
        park.astype(np.int64),
        time.astype(np.int64),
        taken.astype(np.float64),
        np.broadcast_to(np.asarray(capacity), park.shape).astype(np.int64),
        np.broadcast_to(np.asarray(completeness), park.shape).astype(np.float64),
    )


def together(series, capacities, begin=MONDAY):
    """All car parks' samples in the order of time."""
    quarters = max(len(each) for each in series)
    time = begin + (1 + np.arange(quarters)) * QUARTER_US
    park = np.tile(np.arange(len(series)), quarters)
    taken = np.stack(series, axis=1).ravel()
    return samples(park, np.repeat(time, len(series)), taken, np.tile(capacities, quarters))
