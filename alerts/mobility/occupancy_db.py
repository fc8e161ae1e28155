"""The history of car parks in mobility.db: occupancy, corrections, what people counted.

An hour and a day are made anew from the finer ones in the transaction that changes them: a write that is
repeated changes nothing. Hours follow UTC, days the city's time.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import Literal, NamedTuple

import structlog

from alerts.mobility.car_park import Concluded, HandCount
from alerts.mobility.local_time import DAY_US, LocalTime
from alerts.mobility.states import Correction, Occupancy
from ingest.sqlite_file import SqliteFile

_OCCUPANCY = (
    "CREATE TABLE occupancy (station TEXT, level INTEGER, begin_us INTEGER, end_us INTEGER NOT NULL, "
    "mean REAL NOT NULL, most INTEGER NOT NULL, last INTEGER NOT NULL, capacity INTEGER NOT NULL, "
    "completeness REAL NOT NULL, PRIMARY KEY (station, level, begin_us)) WITHOUT ROWID"
)
_CORRECTIONS = (
    "CREATE TABLE correction (station TEXT, time_us INTEGER, reason TEXT, before INTEGER NOT NULL, "
    "after INTEGER NOT NULL, detail TEXT NOT NULL, PRIMARY KEY (station, time_us, reason)) WITHOUT ROWID"
)
_COUNTED = (
    "CREATE TABLE counted (number INTEGER PRIMARY KEY AUTOINCREMENT, station TEXT NOT NULL, "
    "time_us INTEGER NOT NULL, occupied INTEGER NOT NULL, by TEXT NOT NULL, after_seq INTEGER NOT NULL)"
)
SCHEMA = (_OCCUPANCY, _CORRECTIONS, _COUNTED)
OccupancyResolution = Literal["PT15M", "PT1H", "P1D"]
LEAST_DAYS = 3

_QUARTERS, HOURS, _DAYS = range(3)
_LEVELS: Mapping[str, int] = {"PT15M": _QUARTERS, "PT1H": HOURS, "P1D": _DAYS}
_HOUR_US = 3_600_000_000
_QUARTER = "INSERT OR REPLACE INTO occupancy VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?)"
_WEIGHT = "completeness * (end_us - begin_us)"
_FINER = "FROM occupancy WHERE station = ?1 AND level = ?4 - 1 AND begin_us >= ?2 AND begin_us < ?3"
_NEWEST = f"{_FINER} ORDER BY begin_us DESC LIMIT 1"
COARSER = (
    f"INSERT OR REPLACE INTO occupancy SELECT ?1, ?4, ?2, ?3, sum(mean * {_WEIGHT}) / sum({_WEIGHT}), "
    f"max(most), (SELECT last {_NEWEST}), (SELECT capacity {_NEWEST}), sum({_WEIGHT}) / (?3 - ?2) {_FINER} "
    "HAVING count(*)"
)
_CORRECTION = (
    "INSERT INTO correction VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "before = excluded.before, after = excluded.after, detail = excluded.detail"
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeepOccupancy:
    """For how many days what is kept, None for ever. At least LEAST_DAYS each."""

    quarters: int | None = 400
    hours: int | None = None
    days: int | None = None
    corrections: int | None = 400


class Waiting(NamedTuple):
    """A count by hand, and after which uplink it is taken."""

    after_seq: int
    counted: HandCount


class OccupancyDb:
    """Writes and reads the history of car parks; all but occupancy() and corrections() is one thread's.

    Every method raises MobilityError.
    """

    def __init__(self, file: SqliteFile, local: LocalTime, keep: KeepOccupancy) -> None:
        self._file = file
        self._local = local
        self._keep = keep
        self._purged = 0

    def write(self, connection: sqlite3.Connection, told: Concluded) -> None:
        """Put quarters in place, sum anew what they belong to, and note corrections."""
        connection.executemany(
            _QUARTER,
            [
                (station, *(getattr(each, name) for name in Occupancy.__slots__))
                for station, each in told.quarters
            ],
        )
        hours = {(station, each.begin_us // _HOUR_US * _HOUR_US) for station, each in told.quarters}
        days = {(station, *self._local.day(begin)) for station, begin in hours}
        connection.executemany(
            COARSER, [(station, begin, begin + _HOUR_US, HOURS) for station, begin in sorted(hours)]
        )
        connection.executemany(COARSER, [(*each, _DAYS) for each in sorted(days)])
        for each in told.corrections:
            known = connection.execute(
                "SELECT 1 FROM correction WHERE station = ? AND time_us = ? AND reason = ?",
                (each.station, each.time_us, each.reason),
            ).fetchone()
            connection.execute(
                _CORRECTION,
                (each.station, each.time_us, each.reason, each.before, each.after, each.detail),
            )
            if known is None:
                _log.info(
                    "car_park_corrected",
                    station=each.station,
                    time_us=each.time_us,
                    reason=each.reason,
                    before=each.before,
                    after=each.after,
                )

    def occupancy(
        self, station: str, resolution: OccupancyResolution, from_us: int, to_us: int, limit: int
    ) -> tuple[Occupancy, ...]:
        """Intervals that begin from `from_us` on and before `to_us`, oldest first.

        Those in which nobody was heard are left out; the running hour and day are as far as they are known.
        """
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT begin_us, end_us, mean, most, last, capacity, completeness FROM occupancy "
                "WHERE station = ? AND level = ? AND begin_us >= ? AND begin_us < ? "
                "ORDER BY begin_us LIMIT ?",
                (station, _LEVELS[resolution], from_us, to_us, limit),
            ).fetchall()
        return tuple(
            Occupancy(begin, end, round(mean, 2), most, last, capacity, round(min(complete, 1.0), 3))
            for begin, end, mean, most, last, capacity, complete in rows
        )

    def corrections(
        self, station: str | None, from_us: int, limit: int, before: tuple[int, str, str] | None = None
    ) -> tuple[Correction, ...]:
        """Corrections from a time on, of one car park or of all, newest first.

        `before`: on from the (time_us, station, reason) of the last one seen.
        """
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT station, time_us, before, after, reason, detail FROM correction "
                "WHERE (?1 IS NULL OR station = ?1) AND time_us >= ?2 "
                "AND (?4 IS NULL OR (time_us, station, reason) < (?4, ?5, ?6)) "
                "ORDER BY time_us DESC, station DESC, reason DESC LIMIT ?3",
                (station, from_us, limit, *(before or (None, None, None))),
            ).fetchall()
        return tuple(starmap(Correction, rows))

    def add(self, count: HandCount, after_seq: int) -> HandCount:
        """Keep what a person counted; returns it with its number."""
        with self._file.write() as connection:
            (number,) = connection.execute(
                "INSERT INTO counted (station, time_us, occupied, by, after_seq) VALUES (?, ?, ?, ?, ?) "
                "RETURNING number",
                (count.station, count.time_us, count.occupied, count.by, after_seq),
            ).fetchone()
        return count._replace(number=number)

    def counted(self, since_seq: int) -> list[Waiting]:
        """What people counted after an uplink, in the order in which it was taken."""
        with self._file.read() as connection:
            rows = connection.execute(
                "SELECT after_seq, number, station, time_us, occupied, by FROM counted "
                "WHERE after_seq >= ? ORDER BY after_seq, number",
                (since_seq,),
            ).fetchall()
        return [Waiting(row[0], HandCount(*row[1:])) for row in rows]

    def purge(self, now_us: int) -> None:
        """Once a day, delete what is kept no longer."""
        day = now_us // DAY_US
        if day == self._purged:
            return
        self._purged = day
        keep = (self._keep.quarters, self._keep.hours, self._keep.days)
        with self._file.write() as connection:
            for level, days in enumerate(keep):
                if days is not None:
                    connection.execute(
                        "DELETE FROM occupancy WHERE level = ? AND begin_us < ?",
                        (level, _horizon(days, now_us)),
                    )
            if self._keep.corrections is not None:
                horizon = _horizon(self._keep.corrections, now_us)
                connection.execute("DELETE FROM correction WHERE time_us < ?", (horizon,))
                connection.execute("DELETE FROM counted WHERE time_us < ?", (horizon,))


def _horizon(days: int, now_us: int) -> int:
    return now_us - max(days, LEAST_DAYS) * DAY_US
