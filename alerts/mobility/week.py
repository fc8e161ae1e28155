"""A typical week of every counting site, learned as the quarters of an hour go by.

For each kind of day (Monday to Sunday, public holidays apart) and each quarter of the wall clock a small ring
keeps what was counted on the newest DAYS such days, each value under its day: a corrected count takes the
place of what it corrects, one that comes again changes nothing, and the order in which days arrive is
nowhere in the state. Only quarters of at least TEACHES completeness are kept; one that a correction makes
incomplete is taken out.

What is typical of a quarter is asked of the days before it. With fewer than KNOWN of them the days of the
same kind answer together: Monday to Friday each other, holidays and Sundays each other; Saturdays have only
themselves. The hour that an autumn night has twice teaches the first time; the hour that a spring night does
not have teaches nothing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alerts.kernels.rows import Bools, Floats, Ints, Rows, Slots, rounds
from alerts.mobility.calendar import DAY_TYPES, QUARTERS, SATURDAY, SUNDAY, Slot

DAYS = 8
KNOWN = 3
TEACHES = 0.9
QUANTILES = (0.1, 0.5, 0.9)

ROW = np.dtype(
    [
        ("day", "<u2", (QUARTERS, DAYS)),
        ("count", "<u2", (QUARTERS, DAYS)),
        ("speed", "u1", (QUARTERS, DAYS)),
    ]
)
"""One kind of day at one site, newest day first: days since 1970 (0: none), vehicles, km/h (0: not known)."""

_MOST_COUNT, _MOST_SPEED, _LAST_DAY = 65_535, 255, 65_535
_FAMILY = np.array([0] * SATURDAY + [SATURDAY, SUNDAY, SUNDAY])
_LIKE: Bools = _FAMILY[:, None] == _FAMILY
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Lessons:
    """What some different sites counted in a quarter each: `site`, where in the calendar, and the values.

    `speed` km/h, NaN where none is known. `teaches`: the quarter is complete.
    """

    site: Slots
    slot: Slot
    count: Ints
    speed: Floats
    teaches: Bools


def teach(rows: Rows, lessons: Lessons) -> Slots:
    """Keep the values; changes `rows` (site * DAY_TYPES + kind of day) in place, returns the changed ones."""
    slot, site = lessons.slot, lessons.site
    sane = ~slot.again & (slot.day > 0) & (slot.day <= _LAST_DAY)
    row = site * DAY_TYPES + slot.type
    kept = np.flatnonzero(sane)
    for part in rounds(row[kept] * QUARTERS + slot.quarter[kept]):
        at = kept[part]
        _put(
            rows,
            row[at],
            slot.quarter[at],
            (slot.day[at], lessons.count[at], lessons.speed[at], lessons.teaches[at]),
        )
    return np.unique(row[kept])


def _put(rows: Rows, row: Slots, quarter: Ints, values: tuple[Ints, Ints, Floats, Bools]) -> None:
    day, count, speed, teaches = values
    known_day = rows["day"][row, quarter].astype(np.int64)
    known_day[known_day == day[:, None]] = 0
    new_day = np.where(teaches, day, 0)[:, None]
    new_count = np.clip(count, 0, _MOST_COUNT)[:, None]
    new_speed = np.clip(np.nan_to_num(np.rint(speed)), 0, _MOST_SPEED)[:, None]
    days = np.concatenate([known_day, new_day], axis=1)
    newest = np.argsort(-days, axis=1, kind="stable")[:, :DAYS]
    empty = np.take_along_axis(days, newest, axis=1) == 0
    for name, new in (("day", new_day), ("count", new_count), ("speed", new_speed)):
        both = np.concatenate([rows[name][row, quarter], new], axis=1)
        if name == "day":
            both = days
        rows[name][row, quarter] = np.where(empty, 0, np.take_along_axis(both, newest, axis=1))


def typical(rows: Rows, site: Slots, slot: Slot) -> Floats:
    """The QUANTILES of a quarter's counts on the days before: (sites, 3), NaN where too few are known."""
    own = _before(rows, site[:, None] * DAY_TYPES + slot.type[:, None], slot)
    found = _quantiles(own, QUANTILES)
    few = np.flatnonzero((~np.isnan(own)).sum(axis=1) < KNOWN)
    if len(few):
        part = slot.at(few)
        every = site[few, None] * DAY_TYPES + np.arange(DAY_TYPES)
        like = _before(rows, every, part)
        like[~np.repeat(_LIKE[part.type], DAYS, axis=1)] = np.nan
        found[few] = _quantiles(like, QUANTILES)
        unknown = (~np.isnan(like)).sum(axis=1) < KNOWN
        found[few[unknown]] = np.nan
    return found


def _before(rows: Rows, row: Slots, slot: Slot) -> Floats:
    """Counts of the same quarter on days before: (sites, kinds of day * DAYS), NaN where there is none."""
    quarter = slot.quarter[:, None]
    day = rows["day"][row, quarter]
    known = (day > 0) & (day < slot.day[:, None, None])
    return np.where(known, rows["count"][row, quarter], np.nan).reshape(len(row), -1)


def high(rows: Rows, field: str, site: Slots, share: float, least: int) -> Floats:
    """What a share of everything known of a site's `count` or `speed` does not exceed: (sites,).

    Zeros say nothing of how much is much; NaN where fewer than `least` other values are known.
    """
    found = np.full(len(site), np.nan)
    for begin in range(0, len(site), _AT_ONCE):
        part = site[begin : begin + _AT_ONCE]
        row = part[:, None] * DAY_TYPES + np.arange(DAY_TYPES)
        values = np.sort(rows[field][row].reshape(len(part), -1), axis=1)
        zeros = (values == 0).sum(axis=1)
        count = values.shape[1] - zeros
        at = np.minimum(
            zeros + np.floor(share * np.maximum(count - 1, 0)).astype(np.int64), values.shape[1] - 1
        )
        chosen = values[np.arange(len(part)), at].astype(np.float64)
        found[begin : begin + _AT_ONCE] = np.where(count >= least, chosen, np.nan)
    return found


def _quantiles(values: Floats, shares: tuple[float, ...]) -> Floats:
    """Quantiles of each line's numbers, interpolated between neighbours; NaN for a line without any."""
    ordered = np.sort(values, axis=1)  # NaN last
    count = (~np.isnan(values)).sum(axis=1)
    found: npt.NDArray[np.float64] = np.empty((len(values), len(shares)))
    line = np.arange(len(values))
    for i, share in enumerate(shares):
        at = share * np.maximum(count - 1, 0)
        below = np.floor(at).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        low = ordered[line, below]
        found[:, i] = low + (ordered[line, above] - low) * (at - below)
    return found
