"""Free spaces expected in 15, 30 and 60 minutes: the learned week and the present deviation from it.

Spaces taken at the horizon = taken now + w1 (typical then - typical now) + w2 (taken now - typical now)
+ w3 (rise of that difference in half an hour). What is typical is the median of the same quarter of an hour
on the kept days of the same kind. The weights are fitted once a day to the car park's own past forecasts,
each with what was typical as known when it was issued.

The interval lies between quantiles of the errors that earlier forecasts of the same hours and class of day
made. Which quantiles follows adaptive conformal inference, each end by itself: after a miss the end goes
out, after a hit in, so that in the long run a tenth of the outcomes lies beyond either end however the errors
drift (Gibbs and Candès 2021, "Adaptive conformal inference under distribution shift", equation 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from alerts.kernels.rows import Floats, Ints, Rows, Slots, rounds
from alerts.mobility.forecast_days import (
    AHEAD,
    AS_LAST_WEEK,
    AS_NOW,
    DAYS,
    LEARNED,
    QUARTER_US,
    QUARTERS,
    Memory,
    Place,
    When,
    day_class,
)
from alerts.mobility.forecast_fit import FITTED, fit
from alerts.mobility.states import Expected, ForecastMethod

METHOD_NAMES: tuple[ForecastMethod, ...] = ("learned", "as_now", "as_last_week")

BLOCKS = 8
"""Parts of the day whose intervals adapt by themselves."""

PARK = np.dtype(
    [
        ("newest", "<i8"),
        ("capacity", "<i8"),
        ("expected", "<f8", (len(AHEAD), 3)),
        ("shift", "<f8", (len(AHEAD), 3, BLOCKS, 2)),
        *FITTED,
    ]
)
"""One car park: time (µs) of its newest sample; of that sample middle, low and high of the spaces taken, NaN
none; by how much the share beyond each end of the interval is aimed above MISS, by class of day and part of
the day; what was learned."""

MISS = 0.1
"""Share of the outcomes that may lie beyond either end: the interval holds 80 %."""
_STEP = 0.01
_MOST, _LEAST = 0.15, -0.09
LEAST_COMPLETE = 0.5
_LEAST_ERRORS = 40
_AROUND = 6
_TREND = 2
_MINUTES = tuple(15 * ahead for ahead in AHEAD)
_STALE_US = 2 * QUARTER_US


class Samples(NamedTuple):
    """Car parks at quarters of an hour; one of a moment known already replaces it.

    Slot, time (µs, a multiple of 15 min), spaces taken, capacity, and how complete (0..1) what is known is.
    """

    park: Slots
    time: Ints
    occupied: Floats
    capacity: Ints
    completeness: Floats


@dataclass(frozen=True, slots=True)
class ForecastPlan:
    """The car parks in the order of their slots, and the city's clock and days."""

    stations: Sequence[str]
    when: When

    def day_keys(self) -> list[str]:
        """Page keys of the days of all car parks."""
        return [f"{station}/{day}" for station in self.stations for day in range(DAYS)]


@dataclass(frozen=True, slots=True)
class ForecastScore:
    """How good the forecasts of one car park were at one horizon in the two weeks before a local date.

    `forecasts` scored; mean absolute errors in spaces of ours (`mae`) and of both baselines on the same
    moments, None where nothing was scored. `intervals` judged; `coverage` is the share of them that held what
    came, `width` their mean width in spaces. `published`: what is told now, "none" while a week is learned
    or errors are too few for an interval. `until_us`: newest sample.
    """

    station: str
    minutes: int
    forecasts: int
    mae: float | None
    mae_as_now: float | None
    mae_as_last_week: float | None
    intervals: int
    coverage: float | None
    width: float | None
    published: ForecastMethod | Literal["none"]
    until_us: int


def step(days: Rows, parks: Rows, plan: ForecastPlan, samples: Samples) -> Slots:
    """Take samples in their order; changes `days` and `parks` in place. Returns the slots of changed days.

    A sample that comes late or corrects one replaces what was seen and the errors of the forecasts that
    meant it; forecasts issued then stand, but for those of the newest moment, which are made anew.
    """
    memory = Memory(days, plan.when)
    changed = [np.zeros(0, np.int64)]
    good = (samples.completeness >= LEAST_COMPLETE) & (samples.occupied >= 0) & (samples.time > 0)
    for part in rounds(samples.park):
        use = part[good[part]]
        if len(use):
            changed += _take(memory, parks, Samples(*(each[use] for each in samples)))
    return np.unique(np.concatenate(changed))


def expected(parks: Rows, slot: int, now_us: int) -> tuple[Expected, ...]:
    """What is expected of a car park's free spaces; nothing while too little is known or once it is old."""
    row = parks[slot]
    if not row["fitted"] or now_us - row["newest"] > _STALE_US:
        return ()
    found = []
    for ahead, minutes in enumerate(_MINUTES):
        if np.isnan(row["expected"][ahead]).any():
            continue
        middle, low, high = (int(row["capacity"]) - round(float(n)) for n in row["expected"][ahead])
        method = METHOD_NAMES[row["method"][ahead]]
        found.append(Expected(minutes, int(row["newest"]), middle, high, low, method))
    return tuple(found)


def scores(parks: Rows, plan: ForecastPlan) -> tuple[ForecastScore, ...]:
    """How good every car park's forecasts were, by horizon."""
    found = []
    for slot, station in enumerate(plan.stations):
        row = parks[slot]
        for ahead, minutes in enumerate(_MINUTES) if row["fitted"] else ():
            told = not np.isnan(row["expected"][ahead]).any()
            mae = [_known(each) for each in row["mae"][ahead]]
            found.append(
                ForecastScore(
                    station=station,
                    minutes=minutes,
                    forecasts=int(row["scored"][ahead]),
                    mae=mae[LEARNED],
                    mae_as_now=mae[AS_NOW],
                    mae_as_last_week=mae[AS_LAST_WEEK],
                    intervals=int(row["judged"][ahead]),
                    coverage=_known(row["coverage"][ahead]),
                    width=_known(row["width"][ahead]),
                    published=METHOD_NAMES[row["method"][ahead]] if told else "none",
                    until_us=int(row["newest"]),
                )
            )
    return tuple(found)


def _take(memory: Memory, parks: Rows, samples: Samples) -> list[Slots]:
    """Samples of different car parks."""
    place = memory.place(samples.park, samples.time)
    for i in np.flatnonzero(place.day > parks["fitted"][place.park]).tolist():
        park = int(place.park[i])
        fit(memory.rows[park * DAYS : (park + 1) * DAYS], parks[park], int(place.day[i]))
    kept = memory.open(place)
    if not kept.all():
        samples = Samples(*(each[kept] for each in samples))
        place = Place(*(each[kept] for each in place))
    rows, at = memory.rows, (place.slot, place.quarter)
    rows["occupied"][at], rows["mark"][at] = samples.occupied, place.mark
    changed = [place.slot]
    for ahead, quarters in enumerate(AHEAD):
        changed.append(_came(memory, parks, samples, ahead, quarters))
    newest = samples.time >= parks["newest"][samples.park]
    if newest.any():
        _issue(
            memory,
            parks,
            Samples(*(each[newest] for each in samples)),
            Place(*(each[newest] for each in place)),
        )
    return changed


def _came(memory: Memory, parks: Rows, samples: Samples, ahead: int, quarters: int) -> Slots:
    """What came of the forecasts that meant this moment."""
    rows = memory.rows
    issued = memory.place(samples.park, samples.time - quarters * QUARTER_US)
    there = memory.known(issued)
    came, issued = samples.occupied[there], Place(*(each[there] for each in issued))
    at = issued.slot, issued.quarter
    first = np.isnan(rows["error"][:, :, AS_NOW, ahead][at])
    rows["error"][*at, :, ahead] = came[:, None] - rows["predicted"][*at, :, ahead]
    low, high = rows["low"][*at, ahead], rows["high"][*at, ahead]
    told = first & np.isfinite(low)
    where = issued.park, ahead, day_class(issued.kind), issued.quarter // (QUARTERS // BLOCKS)
    for side, beyond in enumerate((came < low, came > high)):
        shift = parks["shift"][*where, side]
        moved = np.clip(shift + _STEP * (MISS - beyond), _LEAST, _MOST)
        parks["shift"][*where, side] = np.where(told, moved, shift)
    return issued.slot


def _issue(memory: Memory, parks: Rows, samples: Samples, place: Place) -> None:
    """Forecasts from the newest moment."""
    rows, park, at = memory.rows, samples.park, (place.slot, place.quarter)
    now = samples.occupied
    parks["newest"][park], parks["capacity"][park] = samples.time, samples.capacity
    typical = memory.typical(place)
    anomaly = now - typical
    before = memory.place(park, samples.time - _TREND * QUARTER_US)
    earlier = np.where(memory.known(before), rows["anomaly"][before.slot, before.quarter], np.nan)
    rows["anomaly"][at] = anomaly
    rows["trend"][at] = trend = np.nan_to_num(anomaly - earlier, nan=0.0)
    for ahead, quarters in enumerate(AHEAD):
        then = memory.place(park, samples.time + quarters * QUARTER_US)
        change = memory.typical(then) - typical
        weights = parks["weights"][park, ahead]
        learned = now + weights[:, 0] * change + weights[:, 1] * anomaly + weights[:, 2] * trend
        predicted = np.stack([learned, now, memory.last_week(then)], axis=1)
        predicted = np.clip(np.rint(predicted), 0, samples.capacity[:, None])
        rows["change"][*at, ahead] = change
        rows["predicted"][*at, :, ahead] = predicted
        method = parks["method"][park, ahead].astype(np.int64)
        middle = predicted[np.arange(len(park)), method]
        shift = parks["shift"][park, ahead, day_class(place.kind), place.quarter // (QUARTERS // BLOCKS)]
        low, high = _interval(memory.errors(place, method, ahead, _AROUND), MISS + shift)
        low = np.clip(middle + np.minimum(low, 0), 0, samples.capacity)
        high = np.clip(middle + np.maximum(high, 0), 0, samples.capacity)
        # until the week is known none is published, a baseline neither
        told = np.isfinite(learned)
        low, high = np.where(told, low, np.nan), np.where(told, high, np.nan)
        rows["low"][*at, ahead], rows["high"][*at, ahead] = low, high
        parks["expected"][park, ahead] = np.stack([middle, low, high], axis=1)


def _interval(errors: Floats, miss: Floats) -> tuple[Floats, Floats]:
    """Order statistics that leave a share `miss` of n + 1 errors beyond the low and the high end.

    NaN where there are too few errors.
    """
    ordered = np.sort(errors, axis=1)
    count = (~np.isnan(ordered)).sum(axis=1)
    at = np.arange(len(ordered))
    enough = count >= _LEAST_ERRORS
    last = np.maximum(count - 1, 0)
    outside = np.floor(miss * (count + 1)[:, None]).astype(np.int64) - 1
    low = ordered[at, np.clip(outside[:, 0], 0, last)]
    high = ordered[at, np.clip(last - outside[:, 1], 0, last)]
    return np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
