"""Histories as CSV: `time,station,property,value`, parsed a few megabytes at a time with numpy.

Lines in the usual form (RFC 3339 in whole seconds, plain decimals, no quotes) are taken by the thousand; any
other line goes through the csv module alone. What cannot be read is named with its line number and skipped.
"""

import csv
import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from devices.instant import rfc3339_us
from ingest.errors import HistoryError
from ingest.reading import READING, Readings

COLUMNS = ("time", "station", "property", "value")

Resolve = Callable[[str, str], int | str]
"""Number of a (station, property), or why there is none."""
Complain = Callable[[int, str], None]
"""Hears of a line that is skipped: its number, from 1, and what is wrong with it."""

_BLOCK = 4 << 20
_LONGEST_LINE = 1 << 20
_LONGEST_KEY = 64
_MOST_DIGITS = 15  # as an integer and divided by a power of ten they are the nearest double
_LARGEST = 1e12
_UNJUDGED = 2
_SECONDS = 19  # characters of a time without its offset
_ZULU, _OFFSET = 20, 25
_DAY = 86_400
_GZIP = b"\x1f\x8b"

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]
_Words = npt.NDArray[np.uint64]


def read_csv(
    path: Path,
    resolve: Resolve,
    complain: Complain,
    progress: Callable[[int], object] = lambda _: None,
) -> Iterator[Readings]:
    """The file's readings in its order, quality 2 (not evaluated), `seq` the line; gzip is recognised.

    `progress` hears how many bytes of the file have been read. Raises HistoryError when there is no such
    table in it.
    """
    keys = _Keys(resolve)
    line = 1
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            blocks = _blocks(gzip.GzipFile(fileobj=raw) if packed else raw)
            first = next(blocks, b"")
            head, _, rest = first.partition(b"\n")
            _check_header(path, head)
            for block in itertools.chain([rest], blocks):
                if block:
                    readings, faults = _parse(block, line + 1, keys)
                    for number, fault in faults:
                        complain(number, fault)
                    line += block.count(b"\n")
                    yield readings
                progress(raw.tell())
    except (OSError, EOFError, zlib.error) as fault:  # gzip's errors are among them
        raise HistoryError(f"{path}: cannot be read: {fault}") from fault


def _blocks(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Whole lines, each with its end."""
    rest = b""
    while new := file.read(_BLOCK):
        cut = new.rfind(b"\n") + 1
        if cut:
            yield rest + new[:cut]
            rest = new[cut:]
        else:
            rest += new
            if len(rest) > _LONGEST_LINE + _BLOCK:
                raise HistoryError("a line of more than a megabyte: this is no CSV file")
    if rest:
        yield rest + b"\n"


def _check_header(path: Path, head: bytes) -> None:
    text = head.decode("utf-8-sig", "replace").strip()
    names = tuple(name.strip().strip('"').lower() for name in text.split(","))
    if names != COLUMNS:
        raise HistoryError(
            f"{path}, line 1: the header is {text[:80]!r}: write {','.join(COLUMNS)} and put commas between "
            "the columns"
        )


class _Keys:
    """`station,property` as it stands in the file -> series number, or -1 and the reason."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._known: dict[bytes, int] = {}
        self._reasons: list[str] = []
        self._hash: _Words = np.zeros(0, np.uint64)
        self._words: _Words = np.zeros((0, _LONGEST_KEY // 8), np.uint64)
        self._length: _Ints = np.zeros(0, np.int64)
        self._series: _Ints = np.zeros(0, np.int64)

    def one(self, station: str, name: str) -> int | str:
        """Number or reason of one key."""
        return self._resolve(station.strip(), name.strip())

    def many(self, data: _Bytes, begin: _Ints, length: _Ints) -> _Ints:
        """Number of each key; what is not known has -1 - (index of its reason)."""
        width = max(8, int(length.max(initial=0)) + 7 & ~7)
        at = np.arange(width)
        text = data[np.minimum(begin[:, None] + at, len(data) - 1)]
        text[at >= length[:, None]] = 0
        words = np.ascontiguousarray(text).view(np.uint64)
        found, missed = self._look_up(words, length)
        if missed.any():
            here = np.flatnonzero(missed).tolist()
            names = [text[i, : length[i]].tobytes() for i in here]
            self._add(sorted(set(names) - self._known.keys()))
            found[here] = [self._known[name] for name in names]
        return found

    def reason(self, number: int) -> str:
        """Why a key has this negative number."""
        return self._reasons[-1 - number]

    def _look_up(self, words: _Words, length: _Ints) -> tuple[_Ints, _Bools]:
        if not len(self._hash):
            return np.zeros(len(words), np.int64), np.ones(len(words), np.bool_)
        hashed = _hashed(words)
        at = np.minimum(np.searchsorted(self._hash, hashed), len(self._hash) - 1)
        same = (self._hash[at] == hashed) & (self._length[at] == length)
        same &= (self._words[at, : words.shape[1]] == words).all(axis=1)
        return self._series[at], ~same

    def _add(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            station, _, name = key.decode("utf-8", "replace").partition(",")
            number = self.one(station, name)
            if isinstance(number, str):
                self._reasons.append(number)
                number = -len(self._reasons)
            self._known[key] = number
        words = np.frombuffer(b"".join(each.ljust(_LONGEST_KEY, b"\0") for each in self._known), np.uint64)
        words = words.reshape(len(self._known), -1)
        hashed = _hashed(words)
        order = np.argsort(hashed)
        self._hash, self._words = hashed[order], words[order]
        self._length = np.array([len(each) for each in self._known], np.int64)[order]
        self._series = np.array(list(self._known.values()), np.int64)[order]


def _hashed(words: _Words) -> _Words:
    """One number a row; columns of zeros at the end change nothing."""
    hashed = np.zeros(len(words), np.uint64)
    for number, column in enumerate(words.T):
        mixed = column * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
        hashed += mixed * np.uint64(2 * number + 0xC2B2AE3D27D4EB4F)
    return hashed


def _parse(block: bytes, line: int, keys: _Keys) -> tuple[Readings, list[tuple[int, str]]]:
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    begins = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    stops = ends - ((data[np.maximum(ends - 1, 0)] == ord("\r")) & (ends > begins))
    commas = np.flatnonzero(data == ord(","))
    first = np.searchsorted(commas, begins)
    usual = np.searchsorted(commas, ends) - first == len(COLUMNS) - 1
    usual[np.searchsorted(ends, np.flatnonzero(data == ord('"')))] = False
    rows = np.flatnonzero(usual)
    one, two, three = (commas[first[rows] + i] for i in range(3))
    time_us, good = _times(data, begins[rows], one - begins[rows])
    value, numeric = _values(data, three + 1, stops[rows] - three - 1)
    good &= numeric & (three - one - 1 <= _LONGEST_KEY) & (two > one)
    rows, one, three, time_us, value = rows[good], one[good], three[good], time_us[good], value[good]
    readings = np.zeros(len(begins), READING)
    readings["seq"] = line + np.arange(len(begins))
    readings["quality"] = _UNJUDGED
    readings["series"] = -1
    readings["time_us"][rows] = time_us
    readings["value"][rows] = value
    series = keys.many(data, one + 1, three - one - 1)
    readings["series"][rows] = series
    faults = [(line + int(rows[i]), keys.reason(int(series[i]))) for i in np.flatnonzero(series < 0).tolist()]
    usual[:] = False
    usual[rows] = True
    for i in np.flatnonzero(~usual).tolist():
        text = block[begins[i] : stops[i]].decode("utf-8", "replace")
        if not text.strip():
            continue
        try:
            readings["time_us"][i], readings["series"][i], readings["value"][i] = _row(text, keys)
        except ValueError as fault:
            faults.append((line + i, str(fault)))
    return readings[readings["series"] >= 0], sorted(faults)


def _row(text: str, keys: _Keys) -> tuple[int, int, float]:
    """One line by itself. Raises ValueError with what is wrong."""
    try:
        cells = next(csv.reader([text], strict=True))
    except (csv.Error, StopIteration) as fault:
        raise ValueError(f"is no line of a CSV file: {fault}") from fault
    if len(cells) != len(COLUMNS):
        raise ValueError(f"has {len(cells)} columns, not {len(COLUMNS)}")
    time_us = read_time(cells[0])
    if not cells[3].strip():
        raise ValueError("has no value")
    try:
        value = float(cells[3])
    except ValueError:
        raise ValueError(f"value {cells[3][:40]!r} is no number") from None
    if not abs(value) < _LARGEST:
        raise ValueError(f"value {cells[3][:40]!r} is no number that can be measured")
    number = keys.one(cells[1], cells[2])
    if isinstance(number, str):
        raise ValueError(number)  # noqa: TRY004 - it is the reason, not a type
    return time_us, number, value


def read_time(text: str) -> int:
    """RFC 3339 with offset as µs since the epoch. Raises ValueError with what is wrong."""
    time_us = rfc3339_us(text.strip())
    if time_us is None and rfc3339_us(f"{text.strip()}Z") is not None:
        raise ValueError(f"time {text[:40]!r} has no offset, such as +01:00 or Z")
    if time_us is None:
        raise ValueError(f"time {text[:40]!r} is not RFC 3339, such as 2026-07-14T18:05:00+02:00")
    if time_us < 0:
        raise ValueError(f"time {text[:40]!r} is before 1970")
    return time_us


def _times(data: _Bytes, begin: _Ints, length: _Ints) -> tuple[_Ints, _Bools]:
    """µs since the epoch of times like 2026-07-14T18:05:00+02:00 or ...Z, and which ones are like that."""
    text = data[np.minimum(begin[:, None] + np.arange(_OFFSET), len(data) - 1)]
    digit = text - np.uint8(ord("0"))

    def number(at: int, digits: int) -> _Ints:
        total = np.zeros(len(text), np.int64)
        for column in range(at, at + digits):
            total = total * 10 + digit[:, column]
        return total

    def sign(at: int, *signs: str) -> _Bools:
        return np.isin(text[:, at], [ord(each) for each in signs])

    def digits(*places: int) -> _Bools:
        found: _Bools = (digit[:, places] <= 9).all(axis=1)  # noqa: PLR2004 - the last digit
        return found

    year, month, day = number(0, 4), number(5, 2), number(8, 2)
    hour, minute, second = number(11, 2), number(14, 2), number(17, 2)
    good = digits(0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18)
    good &= sign(4, "-") & sign(7, "-") & sign(10, "T", "t", " ") & sign(13, ":") & sign(16, ":")
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    in_month = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])[np.clip(month, 0, 12)]
    in_month = in_month + (leap & (month == 2))  # noqa: PLR2004 - February
    good &= (year > 1970) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= in_month)  # noqa: PLR2004 - dates
    good &= (hour <= 23) & (minute <= 59) & (second <= 59)  # noqa: PLR2004 - of a clock
    zulu = (length == _ZULU) & sign(_SECONDS, "Z", "z")
    east = sign(_SECONDS, "+")
    shifted = (length == _OFFSET) & (east | sign(_SECONDS, "-")) & digits(20, 21, 23, 24) & sign(22, ":")
    off_hour, off_minute = number(20, 2), number(23, 2)
    shifted &= (off_hour <= 23) & (off_minute <= 59)  # noqa: PLR2004 - of a clock
    offset = np.where(shifted, off_hour * 60 + off_minute, 0) * np.where(east, 60, -60)
    # days by the calendar that begins in March, where the leap day is the last
    late = month <= 2  # noqa: PLR2004 - January and February belong to the year before
    years = year - late
    in_year = (153 * (month + np.where(late, 9, -3)) + 2) // 5 + day - 1
    days = years * 365 + years // 4 - years // 100 + years // 400 + in_year - 719_468
    seconds = days * _DAY + hour * 3600 + minute * 60 + second - offset
    return seconds * 1_000_000, good & (zulu | shifted)


def _values(data: _Bytes, begin: _Ints, length: _Ints) -> tuple[npt.NDArray[np.float64], _Bools]:
    """Plain decimals, and which ones are that."""
    width = min(int(length.max(initial=0)), _MOST_DIGITS + 2)
    mantissa = np.zeros(len(begin), np.int64)
    decimals = np.zeros(len(begin), np.int64)
    count = np.zeros(len(begin), np.int64)
    dotted = np.zeros(len(begin), np.bool_)
    minus = np.zeros(len(begin), np.bool_)
    good = (length > 0) & (length <= width)
    for column in range(width):
        inside = column < length
        sign = data[np.minimum(begin + column, len(data) - 1)]
        digit = sign - np.uint8(ord("0"))
        is_digit = inside & (digit <= 9)  # noqa: PLR2004 - the last digit
        is_dot = inside & (sign == ord(".")) & ~dotted
        is_minus = inside & (sign == ord("-")) if column == 0 else np.zeros(len(begin), np.bool_)
        good &= ~inside | is_digit | is_dot | is_minus
        mantissa = np.where(is_digit, mantissa * 10 + digit, mantissa)
        count += is_digit
        decimals += is_digit & dotted
        dotted |= is_dot
        minus |= is_minus
    good &= (count > 0) & (count <= _MOST_DIGITS)
    good &= mantissa < int(_LARGEST) * 10 ** np.minimum(decimals, 6)
    value = mantissa / 10.0 ** np.minimum(decimals, _MOST_DIGITS)
    return np.where(minus, -value, value), good
