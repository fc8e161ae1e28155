"""Adds devices to the CSV list that people edit: checked as the list is, all or nothing."""

import csv
import fcntl
import glob
import hashlib
import io
import os
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from devices.device_list import DeviceRow, Located, RawRow, csv_rows, delimiter_of, located_rows
from devices.errors import ChangedListError, ClosedListError, Fault, RegistryError
from devices.registry import Registry, registry_of
from devices.whole_file import beginning, beside, sync

MOST_ROWS = 5_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_FORMULA = re.compile(r"[=@]|[+-](?![\d\s./()-]*$)")
_REMEDY_FILE = "name a CSV file in the configuration, [devices] file = 'devices.csv'; [[device]] may stay"
_REMEDY_WRITE = (
    "make the file and its folder writable for the service; mount the folder into a container, not the file"
)
Further: TypeAlias = Callable[[Registry], Iterable[Fault]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What adding some rows would do. `version` names the list they were checked against."""

    rows: tuple[DeviceRow, ...]
    faults: tuple[Fault, ...]
    version: str


class Registration:
    """The CSV file behind `[devices] file`, to add to. Thread-safe; other processes wait for each other.

    `further`: faults of a registry beyond its own. `added` is called after each change.
    """

    def __init__(  # noqa: PLR0913 - what the list is checked with
        self,
        file: Path | None,
        tables: Sequence[Mapping[str, Any]] = (),
        *,
        catalogue: Collection[str],
        tables_file: str = "city.toml",
        further: Further = lambda _: (),
        added: Callable[[], object] = lambda: None,
    ) -> None:
        self._file = file
        self._tables = [(tables_file, f"[[device]] {i}", table) for i, table in enumerate(tables, 1)]
        self._tables_file = tables_file
        self._catalogue = catalogue
        self._further = further
        self._added = added
        self._lock = threading.Lock()

    def read(self, name: str, data: bytes) -> list[RawRow]:
        """The rows of a CSV import, `name` for its faults. Raises RegistryError."""
        rows = csv_rows(name, data)
        if not rows:
            raise RegistryError(Fault(name, "file", "has no rows", "write a row for each device"))
        if len(rows) > MOST_ROWS:
            problem = f"has {len(rows)} rows, more than {MOST_ROWS}"
            raise RegistryError(Fault(name, "file", problem, "import it in parts"))
        return rows

    def check(self, rows: Sequence[RawRow]) -> Checked:
        """What adding the rows would do; writes nothing. Raises ClosedListError."""
        file = self._open()
        with _as_closed(file):
            return self._check(file, file.read_bytes(), rows)[0]

    def add(self, rows: Sequence[RawRow], version: str | None = None) -> Checked:
        """Write the rows at the end of the list, all or none.

        `version`: of the list they were checked against, None where that does not matter. The old list stays
        beside the new one as `.bak`. Raises RegistryError with the faults of the rows, ClosedListError,
        ChangedListError.
        """
        file = self._open()
        with self._lock, _as_closed(file), _alone(file.parent):
            _tidy(file)
            old = file.read_bytes()
            if version is not None and version != _version(old):
                raise _changed(file)
            checked, before = self._check(file, old, rows)
            if checked.faults:
                raise RegistryError(*checked.faults)
            new = _appended(file, old, checked.rows)
            if [each.row for each in _located(file, new)] != [*before, *checked.rows]:
                problem = "would not read back as meant with these rows"
                raise ClosedListError(
                    Fault(str(file), "file", problem, "look at its last lines, then its first")
                )
            _replace(file, old, new)
        self._added()
        return Checked(checked.rows, (), _version(new))

    def _open(self) -> Path:
        if self._file is None:
            problem = "the devices stand in the configuration, which is not written to"
            raise ClosedListError(Fault(self._tables_file, "[devices] file", problem, _REMEDY_FILE))
        if self._file.suffix.lower() == ".toml":
            problem = "a TOML list is not written to: comments and order would be lost"
            raise ClosedListError(Fault(str(self._file), "file", problem, _REMEDY_FILE))
        return self._file.resolve()

    def _check(self, file: Path, old: bytes, rows: Sequence[RawRow]) -> tuple[Checked, list[DeviceRow]]:
        """What the rows are, and those that stand in the file."""
        own = _located(file, old)
        known, faults = located_rows(self._tables)
        try:
            registry_of([*known, *own], faults, catalogue=self._catalogue)
        except RegistryError as error:
            raise ClosedListError(*error.faults) from error
        new, faults = located_rows(rows)
        faults += [fault for each in new for fault in _unwritable(each)]
        try:
            registry = registry_of([*known, *own, *new], faults, catalogue=self._catalogue)
            faults = list(self._further(registry))
        except RegistryError as error:
            faults = list(error.faults)
        checked = Checked(tuple(each.row for each in new), tuple(faults), _version(old))
        return checked, [each.row for each in own]


def _located(file: Path, data: bytes) -> list[Located]:
    try:
        located, faults = located_rows(csv_rows(str(file), data))
    except RegistryError as error:
        raise ClosedListError(*error.faults) from error
    if faults:
        raise ClosedListError(*faults)
    return located


def _unwritable(located: Located) -> Iterator[Fault]:
    for column, value in located.row:
        if not isinstance(value, str):
            continue
        if "\n" in value or "\r" in value:
            remedy = "close the quotation mark it begins with, or write it as one line"
            yield located.fault(column, "goes on over several lines", remedy)
        elif _CONTROL.search(value):
            yield located.fault(column, "has a control character", "leave it out")
        elif _FORMULA.match(value):
            remedy = "begin it with a letter or a digit"
            yield located.fault(column, "is a formula for the spreadsheet that opens the list", remedy)


def _appended(file: Path, old: bytes, rows: Sequence[DeviceRow]) -> bytes:
    """The list with more rows; every byte that stood in it stays, but columns it lacks join its header."""
    encoding = "utf-8"
    try:
        text = old.decode(encoding)
    except UnicodeDecodeError:
        encoding = "cp1252"
        text = old.decode(encoding, errors="surrogateescape")
    delimiter = delimiter_of(text.removeprefix("\ufeff"))
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = list(io.StringIO(text, newline=""))
    at, header = _header(lines, delimiter)
    cells = [_cells(row) for row in rows]
    columns = [
        name for name in DeviceRow.model_fields if name not in header and any(name in each for each in cells)
    ]
    if columns:
        line = lines[at].rstrip("\r\n")
        lines[at] = delimiter.join([line, *columns]) + (lines[at][len(line) :] or newline)
    if not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter, lineterminator=newline)
    writer.writerows([each.get(name, "") for name in (*header, *columns)] for each in cells)
    try:
        return ("".join(lines)).encode(encoding, "surrogateescape") + written.getvalue().encode(encoding)
    except UnicodeEncodeError as error:
        problem = f"{error.object[error.start]!r} cannot be written in its encoding, {encoding}"
        raise ClosedListError(Fault(str(file), "file", problem, "save the list as CSV UTF-8")) from error


def _header(lines: Sequence[str], delimiter: str) -> tuple[int, list[str]]:
    """Index of the header's line, and its columns: the first row that is neither empty nor a comment."""
    reader = csv.reader(lines, delimiter=delimiter)
    for cells in reader:
        if any(cell.strip("\ufeff \t") for cell in cells) and not cells[0].lstrip("\ufeff \t").startswith(
            "#"
        ):
            return reader.line_num - 1, [cell.strip("\ufeff \t").lower() for cell in cells]
    raise AssertionError("a list that was read has a header")


def _cells(row: DeviceRow) -> dict[str, str]:
    """What stands in a row, column to text; what it leaves out has no column."""
    cells = {}
    for column, value in row:
        if isinstance(value, bool):
            cells[column] = "true" if value else "false"
        elif isinstance(value, tuple):
            cells[column] = ";".join(map(_number, value))
        elif isinstance(value, float | int):
            cells[column] = _number(value)
        else:
            cells[column] = value or ""
    return {column: text for column, text in cells.items() if text}


def _number(value: float) -> str:
    return str(value).removesuffix(".0")


def _replace(file: Path, old: bytes, new: bytes) -> None:
    """Put the new list where the old one is, in one step; the old one stays beside it."""
    beside(file, old).replace(file.with_name(f"{file.name}.bak"))
    fresh = beside(file, new)
    try:
        if file.read_bytes() != old:
            raise _changed(file)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    sync(file.parent)


def _tidy(file: Path) -> None:
    """Remove what a service left that was killed while it wrote. Nobody else writes now."""
    for left in file.parent.glob(f"{glob.escape(beginning(file))}*"):
        left.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time. The folder is locked, since the file is another one after each change."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _as_closed(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ClosedListError(
            Fault(str(file), "file", error.strerror or str(error), _REMEDY_WRITE)
        ) from error


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _changed(file: Path) -> ChangedListError:
    return ChangedListError(
        Fault(str(file), "file", "has changed since the rows were checked", "check them again")
    )
