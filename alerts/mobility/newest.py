"""The last 24 hours of every site, as the kernels of counts and speeds have them."""

from collections.abc import Mapping, Sequence

import numpy as np

from alerts.kernels.curve_row import MARK_US
from alerts.kernels.rows import Floats, Ints, Rows
from alerts.mobility import speeds
from alerts.mobility.counted import Count, Site
from alerts.mobility.counting import KEPT_MARKS, CountsPlan, SiteCounts
from alerts.mobility.speeds import SpeedsPlan

SHOWN_MARKS = 24 * 12 + 12


def site_counts(
    counts: Rows, plan: CountsPlan, speed: Rows, speeds_plan: SpeedsPlan
) -> tuple[SiteCounts, ...]:
    """Every site's counts and speeds, copied: what is handed out never changes."""
    slots: dict[Site, list[int]] = {}
    for slot, site in enumerate(plan.sites):
        if site is not None and plan.standing[slot] and counts["head"]["pushes"][slot]:
            slots.setdefault(site, []).append(slot)
    reported = {
        (site, device, v85): speed[slot]
        for slot, (site, device, v85) in enumerate(
            zip(speeds_plan.sites, speeds_plan.devices, speeds_plan.v85.tolist(), strict=True)
        )
        if site is not None
    }
    return tuple(
        _of_site(site, counts[of_site], [plan.devices[slot] for slot in of_site], reported)
        for site, of_site in slots.items()
    )


def _of_site(
    site: Site,
    rows: Rows,
    devices: Sequence[str],
    reported: Mapping[tuple[Site, str, bool], np.void],
) -> SiteCounts:
    """`rows` are those of its `devices`; `reported`: speeds by site, device and whether 85 % keep to them."""
    newest = int(rows["head"]["time"].max())
    head = -(-newest // MARK_US)
    marks = np.arange(head - SHOWN_MARKS + 2, head + 1)
    passed = np.stack([np.diff(_at_marks(row, "ring", "total", marks)) for row in rows])
    count = passed.sum(axis=0)
    seconds = np.sum([np.diff(_at_marks(row, "cover", "covered", marks)) for row in rows], axis=0)
    share = np.clip(seconds / (len(rows) * MARK_US / 1e6), 0, 1).round(3)
    kmh, v85 = (
        _mean(passed, [reported.get((site, device, kind)) for device in devices], marks[:-1])
        for kind in (False, True)
    )
    # nothing was heard of the site before
    heard = np.flatnonzero((share > 0) | (count != 0))
    begin = int(heard[0]) if len(heard) else len(count)
    return SiteCounts(
        site=site,
        newest_us=newest,
        five_minutes=tuple(
            Count(start, start + MARK_US, number, part, None, mean, most)
            for start, number, part, mean, most in zip(
                (marks[begin:-1] * MARK_US).tolist(),
                count[begin:].tolist(),
                share[begin:].tolist(),
                kmh[begin:],
                v85[begin:],
                strict=True,
            )
        ),
        speeds=any((site, device, False) in reported for device in devices),
    )


def _mean(passed: Ints, rows: Sequence[np.void | None], marks: Ints) -> Sequence[float | None]:
    """Speeds (km/h) of all devices by the vehicles each counted; `passed` has shape (devices, cells)."""
    if all(row is None for row in rows):
        return [None] * len(marks)
    none = np.full(len(marks), np.nan)
    kmh: Floats = np.stack([none if row is None else speeds.at_marks(row, marks) for row in rows])
    vehicles = np.where(np.isnan(kmh), 0, passed).sum(axis=0)
    sums = np.nansum(kmh * passed, axis=0)
    return [
        total / many if many else None for total, many in zip(sums.tolist(), vehicles.tolist(), strict=True)
    ]


def _at_marks(row: np.void, ring: str, total: str, marks: Ints) -> Ints:
    """The running total at UTC marks; after the newest reading the total, before what is kept the oldest."""
    head = int(row["head"]["time"]) // MARK_US
    k = np.maximum(marks, head - KEPT_MARKS + 1)
    kept: Ints = row[ring][k % KEPT_MARKS].astype(np.int64)
    return np.where(k > head, int(row["head"][total]), kept)
