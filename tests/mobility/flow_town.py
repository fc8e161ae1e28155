"""Counting sites whose weeks a test writes down."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from alerts.mobility import flow, week
from alerts.mobility.calendar import DAY_TYPES, Calendar
from alerts.mobility.counted import Site
from alerts.mobility.flow import FlowPlan, Quarters

BERLIN = ZoneInfo("Europe/Berlin")
CALENDAR = Calendar("Europe/Berlin", "053780004004")
MONDAY = datetime(2026, 3, 9, tzinfo=BERLIN)
"""No Monday of the twelve weeks before was a holiday."""


def us(moment):
    return round(moment.timestamp()) * 1_000_000


def at(text, day=MONDAY):
    """Begin of a quarter on a day, `08:15`."""
    hour, minute = map(int, text.split(":"))
    return us(day.replace(hour=hour, minute=minute))


def plan(count=1, *, free_flow=(), vehicles=True):
    sites = [Site(f"s{i}", "vehicle_count" if vehicles else "people_count", "in") for i in range(count)]
    given = np.full(count, np.nan)
    given[: len(free_flow)] = free_flow
    return FlowPlan(sites, np.full(count, vehicles), given, CALENDAR)


def quarters(*rows):
    """(site, begin, count[, completeness[, speed]])."""
    full = [(*row, *(1.0, np.nan)[len(row) - 3 :]) for row in rows]
    site, begin, count, complete, speed = zip(*full, strict=True) if full else ((),) * 5
    return Quarters(
        np.array(site, np.int64),
        np.array(begin, np.int64),
        np.array(count, np.int64),
        np.array(complete, np.float64),
        np.array(speed, np.float64),
    )


@dataclass
class Town:
    """Flow and weeks of some sites."""

    plan: FlowPlan
    rows: np.ndarray = field(init=False)
    weeks: np.ndarray = field(init=False)

    def __post_init__(self):
        self.rows = np.zeros(len(self.plan.sites), flow.ROW)
        self.weeks = np.zeros(len(self.plan.sites) * DAY_TYPES, week.ROW)

    def hear(self, *rows):
        """States after these quarters."""
        return self.take(quarters(*rows))

    def take(self, batch):
        flow.step(self.rows, self.weeks, self.plan, batch)
        return [flow.STATES[state] for state in self.rows["state"].tolist()]

    def states(self, *rows):
        """State of site 0 after each of these quarters."""
        return [self.hear(row)[0] for row in rows]

    def whole(self):
        return self.rows.tobytes(), self.weeks.tobytes()


def demand(moment):
    """Vehicles a quarter on an ordinary day: quiet nights, two rush hours; fewer at weekends."""
    hour = moment.hour + moment.minute / 60
    rush = max(0.0, 1 - abs(hour - 8) / 2) + max(0.0, 1 - abs(hour - 17) / 2.5)
    day = 60 if 6 <= hour < 21 else 8
    share = 0.6 if moment.weekday() >= 5 else 1.0
    return round(share * (day + 100 * rush))


def learned(weeks=5, until=MONDAY, *, speed=np.nan, wobble=(0.9, 1.0, 1.1, 0.95, 1.05), **how):
    """A town of one site that knows the weeks before a day."""
    town = Town(plan(**how))
    moment = (until - timedelta(weeks=weeks)).astimezone(BERLIN)
    rows = []
    while moment < until:
        number = (until.date() - moment.date()).days // 7
        rows.append((0, us(moment), round(demand(moment) * wobble[number % len(wobble)]), 1.0, speed))
        moment = (moment.astimezone(ZoneInfo("UTC")) + timedelta(minutes=15)).astimezone(BERLIN)
    town.take(quarters(*rows))
    return town
