"""Congestions: when they begin and end, on street segments and at counting sites that belong to none.

A place is as the worst of its sites is. It is congested from the beginning of the first of the quarters of an
hour that are slow or a jam, once they have lasted for a quarter by speeds, for two by counts alone. It is
over when for two quarters it was not, or nothing is known of them, as of the end of the last that was. What
is told depends on the readings and their order alone, so a replay tells the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerts.kernels.rows import Ints, Rows, Slots
from alerts.lifecycle import stamp
from alerts.mobility.calendar import QUARTER_US
from alerts.mobility.flow import BY_SPEED, SLOW, STATES, UNKNOWN
from alerts.mobility.segments import Street
from alerts.mobility.states import Congestion, Segment

BEGINS_US = (2 * QUARTER_US, QUARTER_US)
"""So long it is slow before that is told: by counts alone, by speeds."""
ENDS_US = 2 * QUARTER_US

ROW = np.dtype(
    [
        ("time", "<i8"),
        ("since", "<i8"),
        ("began", "<i8"),
        ("ended", "<i8"),
        ("speed", "<f8"),
        ("state", "u1"),
        ("slow", "u1"),
        ("open", "u1"),
        ("worst", "u1"),
    ]
)
"""End of the newest quarter known, begin of its state; begin of the first and end of the last congested
quarter, whether the newest is one, whether a congestion is in force, its worst state. Speed 0: none."""


@dataclass(frozen=True, slots=True)
class PlacesPlan:
    """Slots are `streets`, then places of one site each; `ids` of all.

    The flow's row `site[k]` speaks for `place[k]`. `settle` µs: so long after a quarter the sites of a place
    are judged by counts.
    """

    streets: Sequence[Street]
    ids: Sequence[str]
    place: Slots
    site: Slots
    settle: Ints


def step(rows: Rows, plan: PlacesPlan, flow: Rows, time: int) -> list[Congestion]:
    """Take the states of the flow as they are at a time (µs). Times come in their order.

    Changes `rows` in place. Returns congestions that have begun, become worse or ended.
    """
    count = len(plan.ids)
    row: Rows = rows[:count]
    site = flow[plan.site]
    heard = time - site["judged"] < QUARTER_US + plan.settle[plan.place]
    heard &= site["state"] != UNKNOWN
    place, site = plan.place[heard], site[heard]
    state = np.full(count, UNKNOWN)
    np.maximum.at(state, place, site["state"])
    newest = np.zeros(count, np.int64)
    np.maximum.at(newest, place, site["judged"])
    _remember(row, place, site, state, newest)
    slow, was_open = state >= SLOW, row["open"] > 0
    bad = site["state"] >= SLOW
    first, last = np.full(count, np.iinfo(np.int64).max), np.zeros(count, np.int64)
    np.minimum.at(first, place[bad], site["judged"][bad] - QUARTER_US)
    np.maximum.at(last, place[bad], site["judged"][bad])
    measured = np.zeros(count, np.int64)
    measured[place[bad & (site["basis"] == BY_SPEED)]] = 1
    new = slow & ~was_open & (row["slow"] == 0)
    row["began"] = np.where(new, first, row["began"])
    worst = np.where(new, UNKNOWN, row["worst"])
    row["worst"] = np.where(slow, np.maximum(worst, state), worst)
    row["ended"] = np.where(slow, last, row["ended"])
    row["slow"] = slow
    begins = slow & ~was_open & (row["ended"] - row["began"] >= np.array(BEGINS_US)[measured])
    # of what nothing is known nothing will come any more
    known_to = np.where(state != UNKNOWN, newest, time - plan.settle)
    ends = was_open & ~slow & (known_to - row["ended"] >= ENDS_US)
    row["open"] = (was_open | begins) & ~ends
    told = begins | ends | (was_open & slow & (state > worst))
    return [_told(row[slot], plan.ids[slot], over=bool(ends[slot])) for slot in np.flatnonzero(told).tolist()]


def segments(rows: Rows, plan: PlacesPlan) -> tuple[Segment, ...]:
    """Every street segment now."""
    found = []
    for row, street in zip(rows[: len(plan.streets)], plan.streets, strict=True):
        known = row["state"] != UNKNOWN
        found.append(
            Segment(
                id=street.id,
                name=street.name,
                line=street.line,
                state=STATES[int(row["state"])],
                since_us=int(row["since"]) if known else None,
                time_us=int(row["time"]) or None,
                speed_kmh=float(row["speed"]) or None if known else None,
            )
        )
    return tuple(found)


def _remember(row: Rows, place: Slots, site: Rows, state: Ints, newest: Ints) -> None:
    """The state of places, and the mean speed of what passed the sites that measured one."""
    known = state != UNKNOWN
    row["since"] = np.where(known & (state != row["state"]), newest - QUARTER_US, row["since"])
    row["time"] = np.where(known, newest, row["time"])
    row["state"] = state
    vehicles = np.where(site["speed"] > 0, site["count"], 0)
    passed, sums = np.zeros(len(row)), np.zeros(len(row))
    np.add.at(passed, place, vehicles)
    np.add.at(sums, place, vehicles * site["speed"])
    row["speed"] = sums / np.maximum(passed, 1)


def _told(row: np.void, place: str, *, over: bool) -> Congestion:
    begin_us = int(row["began"])
    end_us = int(row["ended"]) if over else None
    return Congestion(f"{place}.{stamp(begin_us)}", place, begin_us, end_us, STATES[int(row["worst"])])
