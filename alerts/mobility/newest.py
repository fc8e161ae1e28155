"""The last 24 hours of every site, as the kernels of counts and speeds have them.

site_counts() copies some arrays and no more, for whoever holds the reader up meanwhile. Cells are made of
them when somebody asks, of all sites at once, and become objects where they are served.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np

from alerts.kernels.curve_row import MARK_US
from alerts.kernels.rows import Bools, Floats, Ints, Rows, Slots, rounds
from alerts.mobility.counted import Count, Site
from alerts.mobility.counting import KEPT_MARKS, CountsPlan, SiteCounts
from alerts.mobility.speeds import SpeedsPlan

SHOWN_MARKS = 24 * 12 + 12
_CELLS = SHOWN_MARKS - 2
_MEAN, _V85 = range(2)


@dataclass(frozen=True, slots=True)
class Shown:
    """Which series make up which site, for one plan.

    `site`: its number in `sites`, of each series of counts, -1 for one that is not used. `speeds`: the series
    of mean speeds and of what 85 % keep to that the same device reports there, shape (2, series), -1: none.
    """

    sites: Sequence[Site]
    site: Slots
    speeds: Slots


def shown(plan: CountsPlan, speeds: SpeedsPlan) -> Shown:
    """What site_counts() takes, for two plans."""
    number: dict[Site, int] = {}
    for site in plan.sites:
        if site is not None:
            number.setdefault(site, len(number))
    kinds = speeds.v85.tolist()
    reported = {
        key: slot for slot, key in enumerate(zip(speeds.sites, speeds.devices, kinds, strict=True)) if key[0]
    }
    every = list(zip(plan.sites, plan.devices, strict=True))
    return Shown(
        sites=tuple(number),
        site=np.array([-1 if site is None else number[site] for site in plan.sites], np.int64),
        speeds=np.array(
            [[reported.get((*each, v85), -1) for each in every] for v85 in (False, True)], np.int64
        ),
    )


def site_counts(counts: Rows, plan: CountsPlan, speeds: Rows, which: Shown) -> tuple[SiteCounts, ...]:
    """Every site's counts and speeds, copied: what is handed out never changes."""
    head = counts["head"][: len(which.site)]
    used = np.flatnonzero((which.site >= 0) & plan.present & (head["pushes"] > 0))
    if not len(used):
        return ()
    newest = np.zeros(len(which.sites), np.int64)
    np.maximum.at(newest, which.site[used], head["time"][used])
    # who was taken away has counted, too, as long as that is shown
    shown_us = newest[which.site[used]] - SHOWN_MARKS * MARK_US
    used = used[plan.standing[used] | (head["time"][used] > shown_us)]
    head = head[used]
    _, first, site = np.unique(which.site[used], return_index=True, return_inverse=True)
    # in the order of their first series
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    site = place[site]
    newest = newest[which.site[used][first[order]]]
    reported = which.speeds[:, used]
    cells = _Cells(
        site,
        newest,
        (
            _Ring(head["time"], head["total"], counts["ring"][used]),
            _Ring(head["time"], head["covered"], counts["cover"][used]),
        ),
        np.where(plan.standing[used], np.iinfo(np.int64).max, -(-head["time"] // MARK_US)),
        tuple(_speeds(speeds, each) for each in reported),
    )
    measured = np.bincount(site, reported[_MEAN] >= 0) > 0
    return tuple(
        SiteCounts(which.sites[number], at, FiveMinutes(cells, i), speeds=speed)
        for i, (number, at, speed) in enumerate(
            zip(which.site[used][first[order]].tolist(), newest.tolist(), measured.tolist(), strict=True)
        )
    )


@dataclass(frozen=True, slots=True)
class _Ring:
    """Running totals of some series at UTC marks: time of the newest reading (µs), total then, and before."""

    time: Ints
    total: Ints
    ring: Ints

    def at(self, marks: Ints) -> Ints:
        """The totals at marks, (series, marks).

        After the newest reading it is the total, before what is kept the oldest.
        """
        head = (self.time // MARK_US)[:, None]
        k = np.maximum(marks, head - KEPT_MARKS + 1)
        at = np.take_along_axis(self.ring, k % KEPT_MARKS, axis=1)
        return np.where(k > head, self.total[:, None], at)


@dataclass(frozen=True, slots=True)
class _Speeds:
    """What series reported: which series of counts it is of, the newest cell, sums and weights of cells."""

    of: Slots
    mark: Ints
    sum: Ints
    weight: Ints

    def at(self, marks: Ints) -> Floats:
        """Mean speeds (km/h) of cells, (series, cells), NaN where none is known."""
        place = marks % KEPT_MARKS
        weight = np.take_along_axis(self.weight, place, axis=1)
        newest = self.mark[:, None]
        heard = (marks <= newest) & (marks > newest - KEPT_MARKS) & (weight > 0)
        tenths = np.take_along_axis(self.sum, place, axis=1)
        kmh: Floats = np.where(heard, tenths / (10.0 * np.maximum(weight, 1)), np.nan)
        return kmh


def _speeds(rows: Rows, slots: Slots) -> _Speeds:
    of = np.flatnonzero(slots >= 0)
    slots = slots[of]
    return _Speeds(of, rows["mark"][slots], rows["sum"][slots], rows["weight"][slots])


@dataclass(frozen=True)
class _Columns:
    """Cells by site and time, the oldest first: shape (sites, cells). `head`: mark at the end of the last.

    `begin`: the first of which anything was heard. `kmh`: mean and 85 %, NaN where none is known.
    """

    head: Ints
    begin: Ints
    count: Ints
    share: Floats
    kmh: tuple[Floats, ...]


class _Cells:
    """The cells of all sites, made when they are first asked for."""

    def __init__(
        self,
        site: Slots,
        newest: Ints,
        rings: tuple[_Ring, _Ring],
        until: Ints,
        speeds: tuple[_Speeds, ...],
    ) -> None:
        self._site = site
        self._newest = newest
        self._rings = rings
        self._until = until
        self._speeds = speeds

    @cached_property
    def columns(self) -> _Columns:
        """Counts, completeness and speeds of all sites."""
        head = -(-self._newest // MARK_US)
        marks = (head[:, None] + np.arange(-_CELLS, 1))[self._site]
        totals, spoken = (ring.at(marks) for ring in self._rings)
        passed, seconds = np.diff(totals), np.diff(spoken)
        count = self._summed(passed).astype(np.int64)
        devices = np.maximum(self._summed(self._there(totals, spoken, marks)), 1)
        share = np.clip(self._summed(seconds) / (devices * MARK_US / 1e6), 0, 1).round(3)
        heard = (share > 0) | (count != 0)
        # nothing was heard of the site before
        begin = np.where(heard.any(axis=1), heard.argmax(axis=1), _CELLS)
        kmh = tuple(self._mean(passed, each, marks[:, :-1]) for each in self._speeds)
        return _Columns(head, begin, count, share, kmh)

    def _there(self, totals: Ints, spoken: Ints, marks: Ints) -> Bools:
        """Which devices are missed where they do not speak: from their first cell until taken away."""
        told = (np.diff(totals) != 0) | (np.diff(spoken) > 0)
        told[:, 0] |= (totals[:, 0] != 0) | (spoken[:, 0] > 0)
        there: Bools = np.maximum.accumulate(told, axis=1) & (marks[:, :-1] < self._until[:, None])
        return there

    def _mean(self, passed: Ints, speeds: _Speeds, marks: Ints) -> Floats:
        """Speeds of all devices by the vehicles each counted."""
        kmh = speeds.at(marks[speeds.of])
        known = ~np.isnan(kmh)
        passed = passed[speeds.of]
        vehicles = self._summed(np.where(known, passed, 0), speeds.of)
        sums = self._summed(np.where(known, kmh * passed, 0.0), speeds.of)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: Floats = np.where(vehicles != 0, sums / vehicles, np.nan)
        return mean

    def _summed(self, values: Ints | Floats | Bools, of: Slots | None = None) -> Floats:
        """Of all devices of a site, one after the other."""
        site = self._site if of is None else self._site[of]
        found: Floats = np.zeros((len(self._newest), values.shape[1]))
        for part in rounds(site):
            found[site[part]] += values[part]
        return found


class FiveMinutes(Sequence[Count]):
    """The cells of one site, oldest first and without a gap; each a Count when it is asked for."""

    def __init__(self, cells: _Cells, site: int) -> None:
        self._cells = cells
        self._site = site

    def __len__(self) -> int:
        return _CELLS - int(self._cells.columns.begin[self._site])

    @overload
    def __getitem__(self, index: int) -> Count: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Count]: ...
    def __getitem__(self, index: int | slice) -> Count | Sequence[Count]:
        at = range(len(self))[index]
        if isinstance(at, int):
            return self._made(range(at, at + 1))[0]
        return self._made(at)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def _made(self, at: range) -> tuple[Count, ...]:
        if at.step < 0:
            return self._made(at[::-1])[::-1]
        columns, site = self._cells.columns, self._site
        begin = int(columns.begin[site])
        places = range(begin + at.start, begin + at.stop, at.step)
        first = int(columns.head[site]) - _CELLS
        part = slice(places.start, places.stop, places.step)
        values = [each[site, part].tolist() for each in (columns.count, columns.share, *columns.kmh)]
        return tuple(
            Count(
                (first + k) * MARK_US,
                (first + k + 1) * MARK_US,
                count,
                share,
                None,
                None if mean != mean else mean,  # noqa: PLR0124 - NaN
                None if most != most else most,  # noqa: PLR0124 - NaN
            )
            for k, count, share, mean, most in zip(places, *values, strict=True)
        )
