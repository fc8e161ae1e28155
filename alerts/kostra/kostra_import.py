"""DWD's published KOSTRA-DWD-2020 files into small tables for some cells.

Two shapes are read, loose, in folders or in ZIP files: ESRI ASCII grids, one for each duration and return
period (`Hn_KOSTRA-DWD-2020_D00060_T100.asc`), and CSV tables with a row for each cell (`INDEX_RC`, `HN_001A`
... `HN_100A`), the duration in a column `D_min` or in the file's name (`D00060`). Other files are left alone.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alerts.errors import AlertsConfigError
from alerts.kostra.kostra import (
    CELL_M,
    DURATIONS_MIN,
    OUTDATED,
    RETURN_PERIODS_A,
    UNKNOWN,
    DepthTable,
    cell_at,
    centre_of,
    faults_of,
    version_in,
)
from devices.errors import Fault

_GRID = re.compile(r"^hn.*_D(\d{5})_T(\d{3})\.asc$", re.IGNORECASE)
_DURATION = re.compile(r"_D(\d{5})", re.IGNORECASE)
_DEPTH = re.compile(r"^HN_(\d{3})A_?$", re.IGNORECASE)
_HEADER_LINES = 6
_METRE = 1.0


def import_cells(sources: Sequence[Path], cells: Sequence[int]) -> list[DepthTable]:
    """A table for every cell (INDEX_RC). Raises AlertsConfigError with all faults found."""
    taken = _Taken(tuple(cells))
    for source in sources:
        try:
            for name, text in _texts(source):
                taken.take(name, text)
        except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
            taken.fault(
                str(source), "file", f"cannot be read: {error}", "give DWD's files, folders or ZIP files"
            )
    return taken.tables(", ".join(map(str, sources)))


@dataclass(slots=True)
class _Taken:
    """What has been found so far: mm by cell, duration and return period."""

    cells: Sequence[int]
    depths: dict[tuple[int, int, int], float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def fault(self, file: str, key: str, problem: str, remedy: str) -> None:
        self.faults.append(Fault(file, key, problem, remedy))

    def take(self, name: str, text: str) -> None:
        """One file, if it is one of KOSTRA's."""
        found = _GRID.match(Path(name).name)
        if found:
            duration, years = int(found[1]), int(found[2])
            if duration in DURATIONS_MIN and years in RETURN_PERIODS_A and self._version(name):
                self._grid(name, text, duration, years)
        elif name.lower().endswith(".csv"):
            self._table(name, text)

    def _version(self, name: str) -> bool:
        version = version_in(Path(name).name) or UNKNOWN
        if version == OUTDATED:
            self.fault(name, "file", f"{OUTDATED} has another grid", "import KOSTRA-DWD-2020")
            return False
        self.versions.setdefault(version, name)
        return True

    def _grid(self, name: str, text: str, duration: int, years: int) -> None:
        try:
            grid = _Grid.read(text)
            for cell in self.cells:
                depth = grid.at(*centre_of(cell))
                if depth is not None:
                    self.depths[cell, duration, years] = depth
        except (ValueError, KeyError, IndexError) as error:
            self.fault(
                name, "file", f"is no ESRI ASCII grid of KOSTRA-DWD-2020: {error}", "download it again"
            )

    def _table(self, name: str, text: str) -> None:
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            return
        delimiter = max(";,\t", key=lines[0].count)
        rows = csv.DictReader(lines, delimiter=delimiter)
        names = [each.strip() for each in rows.fieldnames or ()]
        rows.fieldnames = names
        columns = {each: int(m[1]) for each in names if (m := _DEPTH.match(each))}
        cell_column = next((each for each in ("INDEX_RC", "cell") if each in names), None)
        in_name = _DURATION.search(Path(name).name)
        if not columns or cell_column is None or not (in_name or "D_min" in names):
            return
        if not self._version(name):
            return
        for number, row in enumerate(rows, 2):
            try:
                if int(row[cell_column]) in self.cells:
                    duration = (
                        round(_number(row["D_min"]))
                        if "D_min" in names
                        else int(in_name[1] if in_name else 0)
                    )
                    for column, years in columns.items():
                        self.depths[int(row[cell_column]), duration, years] = _number(row[column])
            except (ValueError, TypeError, AttributeError):
                self.fault(name, f"row {number}", "a value is missing or no number", "download it again")

    def tables(self, sources: str) -> list[DepthTable]:
        """One for each cell, complete; raises AlertsConfigError."""
        if len(self.versions) > 1:
            both = " and ".join(f"{version} ({name})" for version, name in self.versions.items())
            self.fault(sources, "version", f"the files are of {both}", "import one version at a time")
        found: list[DepthTable] = []
        for cell in self.cells:
            mine = {key: depth for key, depth in self.depths.items() if key[0] == cell}
            if not mine:
                remedy = "give the files of KOSTRA-DWD-2020; the cell must lie in Germany"
                self.fault(sources, f"cell {cell}", "has no depths", remedy)
                continue
            lacking = [
                f"{duration} min, {years} a"
                for duration in DURATIONS_MIN
                for years in RETURN_PERIODS_A
                if (cell, duration, years) not in mine
            ]
            if lacking:
                some = "; ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")  # noqa: PLR2004 - enough to see what is meant
                self.fault(
                    sources,
                    f"cell {cell}",
                    f"lacks {some}",
                    "give the files of all durations and return periods",
                )
                continue
            table = DepthTable(next(iter(self.versions), UNKNOWN), self._by_duration(mine), cell)
            self.faults += faults_of(table, sources)
            found.append(table)
        if self.faults:
            raise AlertsConfigError(*self.faults)
        return found

    @staticmethod
    def _by_duration(mine: Mapping[tuple[int, int, int], float]) -> Mapping[int, Mapping[int, float]]:
        return {
            duration: {years: mine[cell, duration, years] for years in RETURN_PERIODS_A}
            for duration in DURATIONS_MIN
            for cell in {key[0] for key in mine}
        }


@dataclass(frozen=True, slots=True)
class _Grid:
    """`rows` from the north; `left`, `top`: its corner (m, EPSG:3035)."""

    left: float
    top: float
    columns: int
    nothing: float
    rows: Sequence[str]

    @classmethod
    def read(cls, text: str) -> "_Grid":
        lines = text.splitlines()
        head = dict(line.lower().split() for line in lines[:_HEADER_LINES])
        cell = float(head["cellsize"])
        rows = lines[_HEADER_LINES : _HEADER_LINES + int(head["nrows"])]
        if len(rows) != int(head["nrows"]):
            raise ValueError(f"{len(rows)} rows, the header says {head['nrows']}")
        half = 0.0 if "xllcorner" in head else cell / 2
        left = float(head.get("xllcorner") or head["xllcenter"]) - half
        bottom = float(head.get("yllcorner") or head["yllcenter"]) - half
        top = bottom + cell * len(rows)
        x, y = centre_of(cell_at(left + cell / 2, top - cell / 2))
        if max(abs(cell - CELL_M), abs(x - left - cell / 2), abs(y - top + cell / 2)) > _METRE:
            raise ValueError("its cells are not those of 5 km in EPSG:3035")
        return cls(left, top, int(head["ncols"]), float(head["nodata_value"]), rows)

    def at(self, x: float, y: float) -> float | None:
        """The value (mm) at a place; None outside and where there is none."""
        column, row = int((x - self.left) // CELL_M), int((self.top - y) // CELL_M)
        if not (0 <= column < self.columns and 0 <= row < len(self.rows)):
            return None
        value = _number(self.rows[row].split()[column])
        return None if value == self.nothing else value


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _texts(source: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every grid and table in a file, folder or ZIP file."""
    if source.is_dir():
        for file in sorted(source.rglob("*")):
            if file.is_file():
                yield from _texts(file)
    elif source.suffix.lower() == ".zip":
        with zipfile.ZipFile(source) as archive:
            for name in sorted(archive.namelist()):
                if name.lower().endswith((".asc", ".csv")):
                    with io.TextIOWrapper(archive.open(name), encoding="utf-8-sig") as member:
                        yield f"{source.name}/{name}", member.read()
    elif source.suffix.lower() in {".asc", ".csv"}:
        yield str(source), source.read_text(encoding="utf-8-sig")
    elif not source.exists():
        raise FileNotFoundError("no such file")
