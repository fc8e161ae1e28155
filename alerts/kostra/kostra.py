"""KOSTRA-DWD: how much rain falls how rarely at a place, and the Starkregenindex that follows from it.

A table holds depths hN (mm) by duration and return period for one cell of DWD's grid. KOSTRA-DWD-2020 (DOI
10.5676/DWD/KOSTRA-DWD-2020, CC BY 4.0): cells of 5 km in EPSG:3035. The Starkregenindex SRI 1-12 (Schmitt et
al., Korrespondenz Wasserwirtschaft 2/2018; DWA-M 119): SRI 1-7 begin at the depths of 1, 3, 10, 20, 30, 50
and 100 years, SRI 8-12 at 1.2, 1.4, 1.6, 2.2 and 2.8 times that of 100 years. LOWER-BOUND convention: SRI n
as soon as the depth reaches its bound (>=).
"""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

from alerts.errors import AlertsConfigError
from alerts.kostra.etrs89_laea import project
from devices.errors import Fault
from devices.simulator.storm import KOSTRA_2010R

DURATIONS_MIN = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 540, 720, 1080, 1440, 2880, 4320)
RETURN_PERIODS_A = (1, 2, 3, 5, 10, 20, 30, 50, 100)
SRI = tuple(range(1, 13))
SRI_YEARS = (1, 3, 10, 20, 30, 50, 100)
"""Return periods (a) at which SRI 1-7 begin."""
SRI_PERCENT = (120, 140, 160, 220, 280)
"""Per cent of the 100-year depth at which SRI 8-12 begin."""
CELL_M = 5000
OUTDATED = "KOSTRA-DWD-2010R"
UNKNOWN = "KOSTRA-DWD, version not stated"

_LEFT, _TOP = 3_600_000, 3_800_000
_VERSION = re.compile(r"KOSTRA[-_]DWD[-_](2010R|2020)", re.IGNORECASE)
_MOST_MM = 2000
# The shipped table is for Bergisch Gladbach: its four cells, and its Regionalschlüssel for stations without
# coordinates
_SHIPPED_CELLS = frozenset({139103, 138103, 139104, 140104})
_SHIPPED_ARS = "053780004004"


@dataclass(frozen=True, slots=True)
class DepthTable:
    """Depths of one cell. `depths[duration_min][return_period_a]`: mm; `cell`: INDEX_RC, None not stated."""

    version: str
    depths: Mapping[int, Mapping[int, float]] = field(hash=False)
    cell: int | None = None

    def sri_bounds(self, duration_min: int) -> tuple[int, ...]:
        """Depths (µm) from which on SRI 1 to 12 hold; empty for a duration that the table lacks."""
        row = self.depths.get(duration_min)
        if row is None:
            return ()
        last = round(row[SRI_YEARS[-1]] * 1000)
        # rounded up: a bound is reached, not nearly reached
        return (
            *(round(row[years] * 1000) for years in SRI_YEARS),
            *(-(-last * percent // 100) for percent in SRI_PERCENT),
        )

    def years(self, duration_min: int, depth_mm: float) -> int:
        """The longest return period (a) whose depth is reached; 0 for none."""
        row = self.depths.get(duration_min, {})
        return max((years for years, mm in row.items() if depth_mm >= mm), default=0)


@dataclass(frozen=True, slots=True)
class Kostra:
    """Which table a place has: the one for all, else its imported cell's, else the shipped one for its area.

    `ars`: the city's Regionalschlüssel, which stands for a station without coordinates.
    """

    everywhere: DepthTable | None = None
    cells: Mapping[int, DepthTable] = field(default_factory=dict)
    ars: str | None = None

    def of(self, lat: float | None, lon: float | None) -> DepthTable | None:
        """The table of a place in degrees; None when there is none for it."""
        if self.everywhere is not None:
            return self.everywhere
        if lat is None or lon is None:
            if len(self.cells) == 1:
                return next(iter(self.cells.values()))
            return shipped_table() if not self.cells and self.ars == _SHIPPED_ARS else None
        cell = cell_of(lat, lon)
        if cell in self.cells:
            return self.cells[cell]
        return shipped_table() if cell in _SHIPPED_CELLS else None


def cell_of(lat: float, lon: float) -> int:
    """INDEX_RC of the 5 km cell of KOSTRA-DWD-2020 that a place in degrees lies in."""
    return cell_at(*project(lat, lon))


def cell_at(x: float, y: float) -> int:
    """INDEX_RC of the cell at easting and northing (m, EPSG:3035)."""
    column, row = int((x - _LEFT) // CELL_M), int((_TOP - y) // CELL_M)
    return row * 1000 + column


def centre_of(cell: int) -> tuple[float, float]:
    """Easting and northing (m, EPSG:3035) of a cell's centre."""
    row, column = divmod(cell, 1000)
    return _LEFT + (column + 0.5) * CELL_M, _TOP - (row + 0.5) * CELL_M


def version_in(text: str) -> str | None:
    """The version that a file's name or comment states first."""
    found = _VERSION.search(text)
    return f"KOSTRA-DWD-{found[1].upper()}" if found else None


@cache
def shipped_table() -> DepthTable:
    """KOSTRA-DWD-2010R for Bergisch Gladbach: superseded, for demo and tests."""
    return next(iter(_Reader(KOSTRA_2010R).tables().values()))


def load_kostra(file: Path | None = None, ars: str | None = None) -> Kostra:
    """Tables of a CSV file: D_min,HN_001A,... for all stations, with a column `cell` one for each cell.

    Without a file only the shipped table. Raises AlertsConfigError with all faults in it.
    """
    if file is None:
        return Kostra(ars=ars)
    tables = _Reader(file).tables()
    if None in tables:
        return Kostra(everywhere=tables[None], ars=ars)
    return Kostra(cells={cell: table for cell, table in tables.items() if cell is not None}, ars=ars)


def write_tables(tables: Iterable[DepthTable], version: str) -> str:
    """The file that load_kostra() reads, with the source that the licence asks for."""
    lines = [
        f"# {version}: depths hN in mm by cell (INDEX_RC of EPSG:3035), duration (min), return period (a)",
        f"# Source: Deutscher Wetterdienst, {version}, CC BY 4.0. Imported by `stadtfunk kostra import`.",
        ",".join(("cell", "D_min", *(f"HN_{years:03d}A" for years in RETURN_PERIODS_A))),
    ]
    for table in sorted(tables, key=lambda table: table.cell or 0):
        for duration, row in sorted(table.depths.items()):
            depths = ",".join(f"{row[years]:g}" for years in RETURN_PERIODS_A)
            lines.append(f"{table.cell},{duration},{depths}")
    return "\n".join(lines) + "\n"


class _Reader:
    """One CSV file of tables, with every fault in it."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._faults: list[Fault] = []

    def tables(self) -> dict[int | None, DepthTable]:
        try:
            text = self._file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self._fault("file", f"cannot be read: {error}", "give a readable CSV file")
            raise AlertsConfigError(*self._faults) from error
        comments = [line for line in text.splitlines() if line.startswith("#")]
        version = version_in("\n".join(comments)) or version_in(self._file.name) or UNKNOWN
        depths: dict[int | None, dict[int, dict[int, float]]] = {}
        for number, row in self._rows(text):
            self._take(depths, number, row)
        if not depths and not self._faults:
            self._fault("file", "holds no depths", "give rows such as 60,16.6,22.1,...")
        tables = {cell: DepthTable(version, table, cell) for cell, table in depths.items()}
        self._faults += [fault for table in tables.values() for fault in faults_of(table, str(self._file))]
        if self._faults:
            raise AlertsConfigError(*self._faults)
        return tables

    def _rows(self, text: str) -> Iterator[tuple[int, Mapping[str, str]]]:
        numbered = [
            (number, line)
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and not line.startswith("#")
        ]
        if not numbered:
            return
        delimiter = ";" if ";" in numbered[0][1] else ","
        rows = csv.DictReader((line for _, line in numbered), delimiter=delimiter)
        names = rows.fieldnames or ()
        wanted = ["D_min", *(f"HN_{years:03d}A" for years in RETURN_PERIODS_A)]
        missing = [name for name in wanted if name not in names]
        if missing:
            self._fault("line 1", f"no column {', '.join(missing)}", f"columns: {','.join(wanted)}")
            return
        for (number, _), row in zip(numbered[1:], rows, strict=False):
            yield number, row

    def _take(
        self, depths: dict[int | None, dict[int, dict[int, float]]], number: int, row: Mapping[str, str]
    ) -> None:
        try:
            cell = int(row["cell"]) if row.get("cell") else None
            duration = float(row["D_min"].replace(",", "."))
            found = {years: float(row[f"HN_{years:03d}A"].replace(",", ".")) for years in RETURN_PERIODS_A}
        except (ValueError, AttributeError, TypeError):
            self._fault(f"line {number}", "a value is missing or no number", "correct the line")
            return
        table = depths.setdefault(cell, {})
        if duration in table:
            self._fault(f"line {number}", f"duration {duration:g} min stands twice", "take one out")
        elif duration in DURATIONS_MIN:
            table[int(duration)] = found

    def _fault(self, key: str, problem: str, remedy: str) -> None:
        self._faults.append(Fault(str(self._file), key, problem, remedy))


def faults_of(table: DepthTable, file: str) -> Iterator[Fault]:
    """What no table of depths can say: it must rise with duration and return period."""
    where = "" if table.cell is None else f"cell {table.cell}, "
    for duration, row in sorted(table.depths.items()):
        depths = [row[years] for years in RETURN_PERIODS_A]
        if not all(0 < mm < _MOST_MM for mm in depths) or any(a > b for a, b in pairwise(depths)):
            problem = f"depths {depths} do not rise from above 0"
            yield Fault(file, f"{where}{duration} min", problem, "give mm, rarer rain being more")
    durations = sorted(table.depths)
    for shorter, longer in pairwise(durations):
        if any(table.depths[shorter][years] > table.depths[longer][years] for years in RETURN_PERIODS_A):
            problem = f"has less rain than {shorter} min"
            yield Fault(file, f"{where}{longer} min", problem, "give mm, longer rain being more")
