"""The list of what really happened (calls, flooded cellars): an independent judge of warnings."""

import csv
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.backtest.verification import Happened
from ingest.errors import HistoryError

_BEGIN = ("begin", "time")


def read_happened(
    path: Path, zone: str, stations: Collection[str], complain: Callable[[int, str], None]
) -> Iterator[Happened]:
    """Rows of `time` or `begin`, optionally `end`, `station`, `text`; commas or semicolons between them.

    A time without an offset is in the city's zone. A row that cannot be read goes to `complain` with its line
    number. Raises HistoryError when there is no such table.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise HistoryError(f"{path}: cannot be read: {fault}") from fault
    lines = text.splitlines()
    head = lines[0] if lines else ""
    rows = csv.DictReader(lines, delimiter=";" if ";" in head else ",", skipinitialspace=True)
    names = [name.strip().lower() for name in rows.fieldnames or ()]
    begin = next((name for name in _BEGIN if name in names), None)
    if begin is None:
        raise HistoryError(
            f"{path}, line 1: the header is {head[:80]!r}: it needs time, or begin and end, and may have "
            "station and text"
        )
    rows.fieldnames = names
    for row in rows:
        try:
            yield _happened({key: (row.get(key) or "").strip() for key in names}, begin, zone, stations)
        except ValueError as fault:
            complain(rows.line_num, str(fault))


def _happened(row: dict[str, str], begin: str, zone: str, stations: Collection[str]) -> Happened:
    begin_us = _time(row[begin], zone)
    end_us = _time(row["end"], zone) if row.get("end") else begin_us
    if end_us < begin_us:
        raise ValueError("ends before it begins")
    station = row.get("station", "")
    if station and station not in stations:
        raise ValueError(f"station {station[:40]!r} is not in the configuration")
    return Happened(begin_us, end_us, station, row.get("text", ""))


def _time(text: str, zone: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"time {text[:40]!r} is not ISO 8601, such as 2026-07-14T18:05:00+02:00") from None
    local = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return round(local.timestamp() * 1_000_000)
