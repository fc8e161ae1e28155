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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from alerts.kernels.rows import Bools, Floats, Ints, Rows, rounds
from alerts.mobility.calendar import QUARTER_US, QUARTERS
from alerts.mobility.forecast_days import (
    AHEAD,
    AS_LAST_WEEK,
    AS_NOW,
    DAYS,
    LEARNED,
    Memory,
    Place,
    Slots,
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
_BLOCK = QUARTERS // BLOCKS
_MINUTES = tuple(15 * ahead for ahead in AHEAD)
_OFFSETS = np.array([0, *(-ahead for ahead in AHEAD), *AHEAD])
"""Moments that a sample has to do with, in quarters of an hour from it."""
_NOW_AND_THEN = [0, *range(1 + len(AHEAD), 1 + 2 * len(AHEAD))]
_STALE_US = 2 * QUARTER_US


class Samples(NamedTuple):
    """Car parks at quarters of an hour; one of a moment known already replaces it.

    Slot, time (µs, a multiple of 15 min), spaces taken, capacity, and how complete (0..1) what is known is.
    """

    park: Ints
    time: Ints
    occupied: Floats
    capacity: Ints
    completeness: Floats

    def part(self, which: Ints | Bools) -> "Samples":
        """Some of them."""
        park, time, occupied, capacity, completeness = self
        return Samples(park[which], time[which], occupied[which], capacity[which], completeness[which])


@dataclass(frozen=True, slots=True)
class ForecastPlan:
    """The car parks in the order of their slots, and the city's clock and days."""

    stations: Sequence[str]
    slots: Slots

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

    @property
    def errors(self) -> Mapping[ForecastMethod, float]:
        """Mean absolute error by method, where anything was scored."""
        found = zip(METHOD_NAMES, (self.mae, self.mae_as_now, self.mae_as_last_week), strict=True)
        return {method: error for method, error in found if error is not None}


def step(days: Rows, parks: Rows, plan: ForecastPlan, samples: Samples) -> Ints:
    """Take samples in their order; changes `days` and `parks` in place. Returns the slots of changed days.

    A sample that comes late or corrects one replaces what was seen and the errors of the forecasts that
    meant it; forecasts issued then stand, but for those of the newest moment, which are made anew. How far
    the intervals reach follows from what was heard first.
    """
    memory = Memory(days, plan.slots)
    changed = [np.zeros(0, np.int64)]
    good = (samples.completeness >= LEAST_COMPLETE) & (samples.occupied >= 0) & (samples.time > 0)
    for part in rounds(samples.park):
        use = part[good[part]]
        if len(use):
            changed += _take(memory, parks, samples.part(use))
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
        # few spaces taken are many free
        free, most, least = (int(row["capacity"]) - round(float(n)) for n in row["expected"][ahead])
        method = METHOD_NAMES[row["method"][ahead]]
        found.append(Expected(minutes, int(row["newest"]), free, least, most, method))
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


def _take(memory: Memory, parks: Rows, samples: Samples) -> list[Ints]:
    """Samples of different car parks."""
    times = samples.time[:, None] + _OFFSETS * QUARTER_US
    every = memory.place(np.broadcast_to(samples.park[:, None], times.shape), times)
    day = every.day[:, 0]
    for i in np.flatnonzero(day > parks["fitted"][samples.park]).tolist():
        park = int(samples.park[i])
        fit(memory.rows[park * DAYS : (park + 1) * DAYS], parks[park], int(day[i]))
    kept = memory.open(_column(every, 0))
    if not kept.all():
        samples, every = samples.part(kept), every.part(kept)
    now = _column(every, 0)
    memory.rows["occupied"][now.slot, now.quarter] = samples.occupied
    memory.rows["mark"][now.slot, now.quarter] = now.mark
    issued = _column(every, slice(1, 1 + len(AHEAD)))
    _came(memory, parks, samples, issued)
    newest = samples.time >= parks["newest"][samples.park]
    if newest.any():
        _issue(memory, parks, samples.part(newest), every.part(newest))
    return [now.slot, issued.slot[memory.known(issued)]]


def _column(place: Place, which: int | slice | list[int]) -> Place:
    return Place(*(each[:, which] for each in place))


def _came(memory: Memory, parks: Rows, samples: Samples, issued: Place) -> None:
    """What came of the forecasts that meant this moment: of every horizon one, issued before."""
    rows = memory.rows
    at, horizon = (issued.slot, issued.quarter), np.arange(len(AHEAD))
    came = samples.occupied[:, None]
    before = rows["error"][*at, :, horizon]
    there = memory.known(issued)
    error = came[:, :, None] - rows["predicted"][*at, :, horizon]
    rows["error"][*at, :, horizon] = _same_nan(np.where(there[:, :, None], error, before))
    low, high = rows["low"][*at, horizon], rows["high"][*at, horizon]
    # a correction is no second outcome
    told = there & np.isnan(before[:, :, AS_NOW]) & np.isfinite(low)
    where = samples.park[:, None], horizon, day_class(issued.kind), issued.quarter // _BLOCK
    beyond = np.stack([came < low, came > high], axis=-1)
    shift = parks["shift"][where]
    moved = np.minimum(np.maximum(shift + _STEP * (MISS - beyond), _LEAST), _MOST)
    parks["shift"][where] = np.where(told[:, :, None], moved, shift)


def _issue(memory: Memory, parks: Rows, samples: Samples, every: Place) -> None:
    """Forecasts from the newest moment."""
    rows, park, now = memory.rows, samples.park, samples.occupied[:, None]
    place, earlier = _column(every, 0), _column(every, 1 + AHEAD.index(_TREND))
    then = _column(every, slice(1 + len(AHEAD), None))
    at = place.slot, place.quarter
    typical = memory.typical(park, _column(every, _NOW_AND_THEN))
    anomaly = now[:, 0] - typical[:, 0]
    trend = anomaly - np.where(memory.known(earlier), rows["anomaly"][earlier.slot, earlier.quarter], np.nan)
    trend = np.where(np.isnan(trend), 0.0, trend)
    change = typical[:, 1:] - typical[:, :1]
    weights = parks["weights"][park]
    learned = now + weights[..., 0] * change
    learned += weights[..., 1] * anomaly[:, None] + weights[..., 2] * trend[:, None]
    last_week = memory.last_week(park[:, None], then)
    most = samples.capacity[:, None]
    predicted = np.stack([learned, np.broadcast_to(now, learned.shape), last_week], axis=-1)
    predicted = np.minimum(np.maximum(np.rint(predicted), 0), most[:, :, None])
    method = parks["method"][park].astype(np.int64)
    middle = np.take_along_axis(predicted, method[:, :, None], axis=-1)[:, :, 0]
    shift = parks["shift"][park, :, day_class(place.kind), place.quarter // _BLOCK]
    low, high = _interval(memory.errors(park, place, method, _AROUND, _LEAST_ERRORS), MISS + shift)
    # until the week is known none is published, a baseline neither
    middle = np.where(np.isfinite(learned), middle, np.nan)
    low = np.maximum(middle + np.minimum(low, 0), 0)
    high = np.minimum(middle + np.maximum(high, 0), most)
    rows["anomaly"][at], rows["trend"][at], rows["change"][at] = _same_nan(anomaly), trend, _same_nan(change)
    rows["predicted"][at] = _same_nan(predicted.transpose(0, 2, 1))
    rows["low"][at], rows["high"][at] = _same_nan(low), _same_nan(high)
    parks["newest"][park], parks["capacity"][park] = samples.time, samples.capacity
    parks["expected"][park] = _same_nan(np.stack([middle, low, high], axis=-1))


def _same_nan(values: Floats) -> Floats:
    """Every NaN with the same bits: which of two goes on depends on how many are added at once."""
    return np.where(np.isnan(values), np.nan, values)


def _interval(errors: Floats, miss: Floats) -> tuple[Floats, Floats]:
    """Order statistics of each horizon's n errors that leave a share `miss` of n + 1 beyond both ends.

    Shapes (car parks, horizons, errors) and (car parks, horizons, 2); NaN where there are too few errors.
    """
    ordered = np.sort(errors, axis=-1)
    count = (~np.isnan(ordered)).sum(axis=-1)
    last = np.maximum(count - 1, 0)
    outside = np.floor(miss * (count + 1)[..., None]).astype(np.int64) - 1
    ends = np.stack([outside[..., 0], last - outside[..., 1]], axis=-1)
    ends = np.minimum(np.maximum(ends, 0), last[..., None])
    found = np.take_along_axis(ordered, ends, axis=-1)
    found = np.where((count >= _LEAST_ERRORS)[..., None], found, np.nan)
    return found[..., 0], found[..., 1]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
