"""A design storm: an Euler Typ II Modellregen from a KOSTRA table, moving over the city."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path

BLOCK_MIN = 5
MINUTE_US = 60_000_000
BLOCK_US = BLOCK_MIN * MINUTE_US

KOSTRA_2010R = Path(__file__).with_name("kostra_dwd_2010r_bergisch_gladbach.csv")
"""Depths hN of KOSTRA-DWD-2010R for Bergisch Gladbach; the rain rules read the same file."""
_PEAK_BEGINS = 0.3
_METRES_PER_DEGREE = 111_195.0


@cache
def design_depths(return_period_a: int, table: Path = KOSTRA_2010R) -> Mapping[int, float]:
    """Depth hN (mm) by duration (min) for one return period (years) of a KOSTRA table."""
    column = f"HN_{return_period_a:03d}A"
    lines = (line for line in table.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    rows = csv.DictReader(lines)
    if column not in (rows.fieldnames or ()):
        raise ValueError(f"{table.name} has no return period of {return_period_a} years")
    return {int(row["D_min"]): float(row[column]) for row in rows}


def euler_type_2(depths: Mapping[int, float], duration_min: int) -> tuple[int, ...]:
    """Rain in tenths of a millimetre for each block of five minutes.

    Euler Typ II (DWA-A 118): the heaviest block begins at three tenths of the duration, rounded down to whole
    blocks; the next heaviest stand before it, ascending, the others after it, descending. So for every
    duration of the table the heaviest window has exactly the table's depth. Between durations the depth is
    interpolated linearly.
    """
    if duration_min not in depths or duration_min % BLOCK_MIN:
        raise ValueError(f"the table has no duration of {duration_min} min")
    known = [(0, 0), *((d, round(depths[d] * 10)) for d in sorted(depths) if d <= duration_min)]
    blocks: list[int] = []
    for (d0, h0), (d1, h1) in pairwise(known):
        count = (d1 - d0) // BLOCK_MIN
        whole, rest = divmod(h1 - h0, count)
        blocks += [whole + (i < rest) for i in range(count)]
    before = int(_PEAK_BEGINS * len(blocks) + 1e-9)
    return (*reversed(blocks[: before + 1]), *blocks[before + 1 :])


@dataclass(frozen=True, slots=True)
class Rain:
    """The rain at one place: cumulative tenths of a millimetre by blocks since the onset of the storm."""

    delay_min: int
    factor: float
    totals: Sequence[int]

    def total(self, minutes: float) -> int:
        """Tenths of a millimetre that have fallen up to `minutes` after the onset (whole blocks)."""
        block = math.floor((minutes - self.delay_min) / BLOCK_MIN)
        return self.totals[max(0, min(block, len(self.totals) - 1))]


@dataclass(frozen=True, slots=True)
class Storm:
    """One design rain whose core moves along a track: weaker beside it, later the farther along it.

    `core_lat`, `core_lon`: a point of the track (degrees), where the onset counts from and the rain is
    the design rain itself. `heading_deg`: where it moves to, clockwise from north.
    """

    blocks: Sequence[int]
    core_lat: float
    core_lon: float
    heading_deg: float = 75.0
    speed_m_per_min: float = 300.0
    half_width_m: float = 3_000.0

    def at(self, lat: float, lon: float) -> Rain:
        """The rain at a place; the factor is 1 on the track and falls off beside it (Gaussian)."""
        east = (lon - self.core_lon) * _METRES_PER_DEGREE * math.cos(math.radians(self.core_lat))
        north = (lat - self.core_lat) * _METRES_PER_DEGREE
        heading = math.radians(self.heading_deg)
        along = east * math.sin(heading) + north * math.cos(heading)
        beside = east * math.cos(heading) - north * math.sin(heading)
        factor = round(math.exp(-((beside / self.half_width_m) ** 2)), 2)
        delay = round(along / self.speed_m_per_min / BLOCK_MIN) * BLOCK_MIN
        totals = tuple(round(total * factor) for total in accumulate(self.blocks, initial=0))
        return Rain(delay_min=delay, factor=factor, totals=totals)


def metres_between(lat_a: float, lon_a: float, lat_b: float, lon_b: float) -> float:
    """Distance of two places of one city (equirectangular)."""
    east = (lon_b - lon_a) * math.cos(math.radians((lat_a + lat_b) / 2))
    return math.hypot(east, lat_b - lat_a) * _METRES_PER_DEGREE
