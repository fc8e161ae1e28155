"""Rain counters that jump by more than can rain: no rain, but staff hear of it where it would have warned.

The curve keeps such a value aside until the next one decides (see curve.py). A counter that was exchanged
looks the same; then staff have heard once of what was not rain.
"""

import numpy as np

from alerts.event import Event
from alerts.kernels import curve
from alerts.kernels.curve_row import Amounts, CurvePlan
from alerts.kernels.rows import Rows
from alerts.lifecycle import Subject, stamp

FIELDS = [("refused", "<i8"), ("refused_level", "u1")]
"""Of a rain row: newest jump, and the level that was told."""
MEASURE = "precipitation"
HOLD_US = 3_600_000_000
"""After so long without a jump the next one is told anew."""


def told(  # noqa: PLR0913, PLR0917 - what one decision rests on
    rows: Rows,
    plan: CurvePlan,
    readings: Amounts,
    hour_um: tuple[int, ...],
    subjects: list[Subject],
    since_us: int,
) -> list[tuple[int, Event]]:
    """Events of the readings that the curve has just put aside, with their positions.

    `hour_um`: depths (µm) from which on one hour's rain has level 2, 3 and 4. `subjects`: of each reading's
    gauge. Changes `refused` in `rows`.
    """
    slot, time, amount = readings
    head = rows["head"][slot]
    aside = plan.counter[slot] & (head["suspect_time"] == time) & (head["suspect"] == amount)
    jump = amount - head["last"]
    found: list[tuple[int, Event]] = []
    for i in np.flatnonzero(aside & (jump >= hour_um[0]) & (time > rows["refused"][slot])).tolist():
        row, at = rows[slot[i]], int(time[i])
        level = 1 + sum(int(jump[i]) >= limit for limit in hour_um)
        if at - row["refused"] > HOLD_US:
            row["refused_level"] = 0
        row["refused"] = at
        if level > row["refused_level"] and subjects[i].rule:
            row["refused_level"] = level
            minutes = (at - int(head["time"][i])) / 60_000_000
            found.append((i, _event(subjects[i], at, level, int(jump[i]), minutes, since_us)))
    return found


def _event(  # noqa: PLR0913, PLR0917 - an event has that many parts
    subject: Subject, time: int, level: int, jump_um: int, minutes: float, since_us: int
) -> Event:
    fresh = time >= since_us
    place = f"{subject.place}.{MEASURE}.{stamp(time)}.unverified"
    return Event(
        id=f"{place}.{level}" + ("" if fresh else ".history"),
        episode=place,
        time_us=time,
        station=subject.station,
        kind="unverified",
        measure=MEASURE,
        level=level,
        window_min=None,
        value=jump_um / 1000,
        rule=subject.rule,
        reason=f"the counter rose by {jump_um / 1000:g} mm in {minutes:g} min, more than can rain",
        audience="staff" if fresh else None,
    )


def rest(rows: Rows, plan: CurvePlan, readings: Amounts) -> None:
    """Take what counters show while somebody works at them: no rain, and where the next reading goes on."""
    for slot, time, amount in zip(*(each.tolist() for each in readings), strict=True):
        curve.restart(rows[slot], plan, slot, time, amount)
