"""Congestions of street segments: when they begin and end.

A segment is as its worst site is. It is congested when two quarters of an hour in a row are slow or a jam,
from the beginning of the first; it is over when two quarters in a row are not, or nothing is known in them,
as of the end of the last that was. What is told depends on the quarters alone, so a replay tells the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerts.kernels.rows import Ints, Rows, Slots
from alerts.lifecycle import stamp
from alerts.mobility.calendar import QUARTER_US
from alerts.mobility.flow import SLOW, STATES, UNKNOWN
from alerts.mobility.segments import Street
from alerts.mobility.states import Congestion, Segment

IN_A_ROW = 2

ROW = np.dtype(
    [
        ("time", "<i8"),
        ("since", "<i8"),
        ("began", "<i8"),
        ("ended", "<i8"),
        ("speed", "<f8"),
        ("state", "u1"),
        ("bad", "u1"),
        ("good", "u1"),
        ("open", "u1"),
        ("worst", "u1"),
    ]
)
"""End of the newest quarter, begin of its state; begin of the first and end of the last congested quarter,
how many of each kind came in a row, whether a congestion is in force, its worst state. Speed 0: none."""


@dataclass(frozen=True, slots=True)
class SegmentsPlan:
    """`sites[slot]`: the flow's rows that speak for `streets[slot]`.

    `settle` µs: so long after a quarter its sites are all judged.
    """

    streets: Sequence[Street]
    sites: Sequence[Slots]
    settle: Ints


def step(rows: Rows, plan: SegmentsPlan, flow: Rows, slots: Slots, end_us: int) -> list[Congestion]:
    """Take the quarter that ends at `end_us`, which the sites of these segments are judged by in `flow`.

    Changes `rows` in place. Returns congestions that have begun, become worse or ended. Quarters come in
    their order; one that is left out is one of which nothing is known.
    """
    found: list[Congestion] = []
    for slot in slots.tolist():
        row, street = rows[slot], plan.streets[slot]
        if end_us <= row["time"]:
            continue
        missed = min((end_us - int(row["time"])) // QUARTER_US - 1, IN_A_ROW) if row["time"] else 0
        for k in range(missed, 0, -1):
            found += _quarter(row, street.id, end_us - k * QUARTER_US, UNKNOWN)
        sites = plan.sites[slot]
        sites = sites[flow["judged"][sites] == end_us]
        known = sites[flow["state"][sites] != UNKNOWN]
        state = int(flow["state"][known].max()) if len(known) else UNKNOWN
        row["speed"] = _speed(flow[known])
        found += _quarter(row, street.id, end_us, state)
        rows[slot] = row
    return found


def segments(rows: Rows, plan: SegmentsPlan, closed_us: int) -> tuple[Segment, ...]:
    """Every segment now; unknown where quarters up to `closed_us` are over and nothing is known of them."""
    found = []
    for row, street in zip(rows[: len(plan.streets)], plan.streets, strict=True):
        heard = bool(row["time"])
        known = bool(heard and row["state"] != UNKNOWN and closed_us - int(row["time"]) <= QUARTER_US)
        found.append(
            Segment(
                id=street.id,
                name=street.name,
                line=street.line,
                state=STATES[int(row["state"]) if known else UNKNOWN],
                since_us=int(row["since"]) if known else None,
                time_us=int(row["time"]) if heard else None,
                speed_kmh=float(row["speed"]) or None if known else None,
            )
        )
    return tuple(found)


def _quarter(row: np.void, segment: str, end_us: int, state: int) -> list[Congestion]:
    begin_us = end_us - QUARTER_US
    if state != row["state"] or not row["time"]:
        row["since"] = begin_us
    row["time"], row["state"] = end_us, state
    if state >= SLOW:
        if not (row["open"] or row["bad"]):
            row["began"], row["worst"] = begin_us, UNKNOWN
        worse = bool(state > row["worst"])
        row["worst"] = max(state, int(row["worst"]))
        row["bad"], row["good"], row["ended"] = min(int(row["bad"]) + 1, IN_A_ROW), 0, end_us
        begins = not row["open"] and row["bad"] == IN_A_ROW
        row["open"] = row["open"] or begins
        return [_told(row, segment, None)] if begins or (row["open"] and worse) else []
    row["bad"], row["good"] = 0, min(int(row["good"]) + 1, IN_A_ROW)
    if row["open"] and row["good"] == IN_A_ROW:
        row["open"] = 0
        return [_told(row, segment, int(row["ended"]))]
    return []


def _told(row: np.void, segment: str, end_us: int | None) -> Congestion:
    begin_us = int(row["began"])
    return Congestion(f"{segment}.{stamp(begin_us)}", segment, begin_us, end_us, STATES[int(row["worst"])])


def _speed(sites: Rows) -> float:
    """Mean speed of what passed the sites that measured one, 0 for none."""
    measured = sites[sites["speed"] > 0]
    count = measured["count"].sum()
    return float((measured["speed"] * measured["count"]).sum() / count) if count else 0.0
