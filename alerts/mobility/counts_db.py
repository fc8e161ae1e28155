"""The history of counts in mobility.db: cells of five minutes and what is summed from them.

Every sum is made anew from the finer ones beneath it in the transaction that changes them: the sum of the
hours is the day, and a write that is repeated changes nothing. A quarter and an hour follow UTC, which is
right wherever local time differs from it by whole hours; days and weeks follow the city's time.
"""

import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, islice, starmap
from operator import itemgetter
from typing import NamedTuple

from alerts.mobility.cells import CELL_US, Cells, SpeedCells
from alerts.mobility.counted import Asked, Count, Resolution, Site
from alerts.mobility.counting import CountsPlan
from alerts.mobility.local_time import DAY_US, LocalTime
from alerts.mobility.speeds import SpeedsPlan
from ingest.sqlite_file import SqliteFile

SCHEMA = (
    """CREATE TABLE site (
        id INTEGER PRIMARY KEY, station TEXT NOT NULL, property TEXT NOT NULL, channel TEXT NOT NULL,
        settle_us INTEGER NOT NULL, UNIQUE (station, property, channel))""",
    """CREATE TABLE counter (
        id INTEGER PRIMARY KEY, site INTEGER NOT NULL, dev_eui TEXT NOT NULL,
        since_us INTEGER, until_us INTEGER, UNIQUE (site, dev_eui))""",
    """CREATE TABLE cell (
        site INTEGER, begin_us INTEGER, counter INTEGER,
        count INTEGER NOT NULL DEFAULT 0, seconds INTEGER NOT NULL DEFAULT 0,
        bridged INTEGER NOT NULL DEFAULT 0, kmh REAL, v85_kmh REAL,
        touched_us INTEGER NOT NULL, PRIMARY KEY (site, begin_us, counter)) WITHOUT ROWID""",
    """CREATE TABLE total (
        site INTEGER, level INTEGER, begin_us INTEGER, end_us INTEGER NOT NULL,
        count INTEGER NOT NULL, seconds INTEGER NOT NULL,
        bridged INTEGER NOT NULL, first INTEGER, last INTEGER,
        kmh_sum REAL, kmh_count INTEGER, v85_sum REAL, v85_count INTEGER,
        touched_us INTEGER NOT NULL, PRIMARY KEY (site, level, begin_us)) WITHOUT ROWID""",
)
"""A counter is a device of a site, whose first cell begins at `since_us`; `until_us` NULL: it stands there.

`first` and `last`: the bridged seconds of the first and the last five minutes of the interval. `kmh_sum` is
of speeds times counts, `kmh_count` of the counts that have a speed. `touched_us`: the newest time known when
a reading last changed it.
"""

_BEFORE = "count, seconds, bridged, first, last, kmh_sum, kmh_count, v85_sum, v85_count, touched_us"
_SUMS = (
    "sum(kmh * count), sum(iif(kmh IS NULL, 0, count)), "
    "sum(v85_kmh * count), sum(iif(v85_kmh IS NULL, 0, count)), max(touched_us)"
)
_COUNT = (
    "INSERT INTO cell (site, begin_us, counter, count, seconds, bridged, touched_us) "
    "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "count = excluded.count, seconds = excluded.seconds, bridged = excluded.bridged, "
    "touched_us = max(touched_us, excluded.touched_us)"
)
_SPEED = (
    "INSERT INTO cell (site, begin_us, counter, kmh, touched_us) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET kmh = excluded.kmh, touched_us = max(touched_us, excluded.touched_us)"
)
_V85 = _SPEED.replace("kmh", "v85_kmh")
_QUARTER = (
    "INSERT OR REPLACE INTO total SELECT ?1, 1, ?2, ?3, sum(count), sum(seconds), "  # noqa: S608 - a constant
    "sum(bridged), sum(iif(begin_us = ?2, bridged, 0)), sum(iif(begin_us = ?3 - ?4, bridged, 0)), "
    f"{_SUMS} FROM cell WHERE site = ?1 AND begin_us >= ?2 AND begin_us < ?3"
)
COARSER = (
    "INSERT OR REPLACE INTO total SELECT ?1, ?4, ?2, ?3, sum(count), sum(seconds), sum(bridged), "
    "sum(iif(begin_us = ?2, first, 0)), sum(iif(end_us = ?3, last, 0)), "
    "sum(kmh_sum), sum(kmh_count), sum(v85_sum), sum(v85_count), max(touched_us) FROM total "
    "WHERE site = ?1 AND level = ?4 - 1 AND begin_us >= ?2 AND begin_us < ?3"
)
_SITES = "SELECT id, settle_us, station, property, channel FROM site"
_OF_NAME = " WHERE station = ? AND property = ? AND channel = ?"
_COUNTERS = (
    "SELECT site, since_us, coalesce(until_us, 9223372036854775807) FROM counter WHERE since_us IS NOT NULL"
)
# +: by the index of the names, so that rows come in order and no more are read than are wanted
_OF_SITES = (
    "begin_us >= iif(s.id = ?2, ?3, ?4) AND begin_us < ?5 WHERE +s.id IN (SELECT value FROM json_each(?1)) "
)
_IN_ORDER = "s.station, s.property, s.channel, begin_us"
_OF_CELLS = (
    f"SELECT s.id, begin_us, begin_us + {CELL_US}, sum(count), sum(seconds), "  # noqa: S608 - a constant
    f"sum(bridged), sum(bridged), sum(bridged), {_SUMS} FROM site s CROSS JOIN cell c ON c.site = s.id AND "
    f"?6 = 0 AND {_OF_SITES} GROUP BY {_IN_ORDER} ORDER BY {_IN_ORDER}"
)
_OF_TOTALS = (
    f"SELECT s.id, begin_us, end_us, {_BEFORE} FROM site s "  # noqa: S608 - a constant
    f"CROSS JOIN total t ON t.site = s.id AND t.level = ?6 AND {_OF_SITES} ORDER BY {_IN_ORDER}"
)
_WHOLE = (
    "SELECT NOT EXISTS (SELECT 1 FROM total WHERE site = ?1 AND level = ?4 AND begin_us = ?2 AND "
    "(count, seconds, bridged) IS NOT (SELECT sum(count), sum(seconds), sum(bridged) FROM cell "
    "WHERE site = ?1 AND begin_us >= ?2 AND begin_us < ?3))"
)
_S = 1_000_000
_QUARTER_US, _HOUR_US = 900 * _S, 3600 * _S
_CELLS, _QUARTERS, HOURS, _DAYS, _WEEKS = range(5)
_LEVELS: Mapping[Resolution, int] = {
    "PT5M": _CELLS,
    "PT15M": _QUARTERS,
    "PT1H": HOURS,
    "P1D": _DAYS,
    "P1W": _WEEKS,
}
_LONGEST_US = (CELL_US, _QUARTER_US, _HOUR_US, DAY_US + _HOUR_US, 7 * DAY_US + _HOUR_US)
LEAST_DAYS = 37
"""A counter that speaks after a month of silence changes that month, and the week it began in."""


@dataclass(frozen=True, slots=True)
class Keep:
    """For how many days what is kept, None for ever. At least LEAST_DAYS each."""

    cells: int | None = 40
    quarters: int | None = 400
    hours: int | None = None
    days: int | None = None
    weeks: int | None = None

    def horizon_us(self, level: int, now_us: int) -> int | None:
        """Before when it goes."""
        days = (self.cells, self.quarters, self.hours, self.days, self.weeks)[level]
        return None if days is None else now_us - max(days, LEAST_DAYS) * DAY_US


class _Counter(NamedTuple):
    """Numbers of a site and of one device that counts there."""

    site: int
    counter: int


class _Row(NamedTuple):
    """One interval as it is kept; see SCHEMA."""

    begin_us: int
    end_us: int
    count_: int
    seconds: int
    bridged: int
    first: int
    last: int
    kmh_sum: float
    kmh_count: int
    v85_sum: float
    v85_count: int
    touched_us: int


class CountsDb:
    """Writes and reads the history of counts. `write` and `purge` belong to one thread, `counts` to any."""

    def __init__(self, file: SqliteFile, local: LocalTime, keep: Keep) -> None:
        self._file = file
        self._local = local
        self._keep = keep
        self._counts: list[_Counter | None] = []
        self._speeds: list[_Counter | None] = []
        self._since: dict[int, int] = {}
        self._v85: Sequence[bool] = ()
        self._purged = (0, 0)

    def arrange(self, counts: CountsPlan, speeds: SpeedsPlan) -> None:
        """Follow new plans. Raises MobilityError."""
        with self._file.write() as connection:
            self._counts = []
            for slot, (site, device) in enumerate(zip(counts.sites, counts.devices, strict=True)):
                settle = int(counts.settle[slot])
                self._counts.append(None if site is None else _numbers(connection, site, device, settle))
                if (mine := self._counts[-1]) is not None:
                    _stands(connection, mine, standing=bool(counts.standing[slot]))
            self._speeds = [
                None if site is None else _numbers(connection, site, device, 0)
                for site, device in zip(speeds.sites, speeds.devices, strict=True)
            ]
            rows = connection.execute("SELECT id, since_us FROM counter WHERE since_us IS NOT NULL")
            self._since = dict(rows.fetchall())
        self._v85 = speeds.v85.tolist()

    def write(self, connection: sqlite3.Connection, cells: Cells, speeds: SpeedCells) -> None:
        """Put cells in place and sum anew what they belong to.

        One whose neighbours are kept no longer is left out: the sums that are kept could not be made anew.
        """
        changed: set[tuple[int, int]] = set()
        rows, first = [], {}
        newest = max(int(cells.touched.max(initial=0)), int(speeds.touched.max(initial=0)))
        sums = _Sums(connection, self._local, self._keep.horizon_us(_CELLS, newest))
        for slot, mark, *rest in zip(*(each.tolist() for each in cells), strict=True):
            begin = mark * CELL_US
            if (mine := self._counts[slot]) is not None and sums.open(mine.site, begin):
                rows.append((mine.site, begin, mine.counter, *rest))
                changed.add((mine.site, begin))
                if begin < self._since.get(mine.counter, begin + 1):
                    self._since[mine.counter] = first[mine.counter] = begin
        connection.executemany(_COUNT, rows)
        connection.executemany(
            "UPDATE counter SET since_us = ? WHERE id = ?", [(since, id_) for id_, since in first.items()]
        )
        reported: tuple[list[tuple[float, ...]], list[tuple[float, ...]]] = ([], [])
        for slot, mark, kmh, touched in zip(*(each.tolist() for each in speeds), strict=True):
            begin = mark * CELL_US
            if (mine := self._speeds[slot]) is not None and sums.open(mine.site, begin):
                reported[self._v85[slot]].append((mine.site, begin, mine.counter, kmh, touched))
                changed.add((mine.site, begin))
        connection.executemany(_SPEED, reported[False])
        connection.executemany(_V85, reported[True])
        self._sum(connection, changed)

    def _sum(self, connection: sqlite3.Connection, changed: Iterable[tuple[int, int]]) -> None:
        """Sum anew what some (site, begin of a cell) belong to."""
        quarters = {(site, begin // _QUARTER_US * _QUARTER_US) for site, begin in changed}
        hours = {(site, begin // _HOUR_US * _HOUR_US) for site, begin in quarters}
        days = {(site, *self._local.day(begin)) for site, begin in hours}
        weeks = {(site, *self._local.week(begin)) for site, begin, _ in days}
        connection.executemany(
            _QUARTER, [(site, begin, begin + _QUARTER_US, CELL_US) for site, begin in quarters]
        )
        connection.executemany(COARSER, [(site, begin, begin + _HOUR_US, HOURS) for site, begin in hours])
        connection.executemany(COARSER, [(*each, _DAYS) for each in days])
        connection.executemany(COARSER, [(*each, _WEEKS) for each in weeks])

    def purge(self, now_us: int, sites: int = 20) -> bool:
        """Delete what is kept no longer, of some sites at a time; False when all are done for this hour.

        Raises MobilityError.
        """
        hour = now_us // _HOUR_US
        after = self._purged[1] if self._purged[0] == hour else 0
        if after < 0:
            return False
        with self._file.read() as connection:
            found = connection.execute("SELECT id FROM site WHERE id > ? ORDER BY id LIMIT ?", (after, sites))
            ids = [id_ for (id_,) in found]
        self._purged = (hour, ids[-1] if ids else -1)
        horizons = [self._keep.horizon_us(level, now_us) for level in range(5)]
        if not ids or not any(horizons):
            return bool(ids)
        with self._file.write() as connection:
            for level, horizon in enumerate(horizons):
                if horizon is None:
                    continue
                if level == _CELLS:
                    sql, mine = (
                        "DELETE FROM cell WHERE site = ? AND begin_us < ?",
                        [(id_, horizon) for id_ in ids],
                    )
                    connection.executemany(sql, mine)
                else:
                    sql = "DELETE FROM total WHERE site = ? AND level = ? AND begin_us < ?"
                    connection.executemany(sql, [(id_, level, horizon) for id_ in ids])
        return True

    def kept_from(self, resolution: Resolution, now_us: int) -> int | None:
        """From when on these are kept, None for ever."""
        return self._keep.horizon_us(_LEVELS[resolution], now_us)

    def sites(self) -> tuple[Site, ...]:
        """Every site of which something was counted. Raises MobilityError."""
        sql = (
            "SELECT station, property, channel FROM site WHERE id IN "
            "(SELECT site FROM counter WHERE since_us IS NOT NULL) ORDER BY 1, 2, 3"
        )
        with self._file.read() as connection:
            return tuple(starmap(Site, connection.execute(sql).fetchall()))

    def counts(
        self, site: Site, resolution: Resolution, from_us: int, to_us: int, limit: int
    ) -> tuple[Count, ...]:
        """Counts of the intervals that begin from `from_us` on and before `to_us`, oldest first.

        What nobody ever said anything about is left out; the running interval is there, with what is known.
        Raises MobilityError.
        """
        with self._file.read() as connection:
            found = _read(connection, _Places(connection, site), {site: (from_us, to_us)}, resolution)
            with closing(found):
                return tuple(count for _, count in islice(found, limit))

    def counts_of(
        self, spans: Mapping[Asked, tuple[int, int]], limit: int
    ) -> Mapping[Asked, Sequence[Count]]:
        """Intervals that begin at the first time of their span or later and end by the second.

        By site, then the shorter first, then oldest first; at most `limit` in all, those behind are left out.
        Raises MobilityError.
        """
        of_level: dict[Resolution, dict[Site, tuple[int, int]]] = {}
        for (site, resolution), span in spans.items():
            of_level.setdefault(resolution, {})[site] = span
        counts: dict[Asked, list[Count]] = {}
        with self._file.read() as connection, ExitStack() as opened:
            places = _Places(connection)
            found = [
                opened.enter_context(closing(_read(connection, places, asked, resolution)))
                for resolution, asked in of_level.items()
            ]
            whole = (each for each in merge(*found, key=_in_order) if each[1].end_us <= spans[each[0]][1])
            for each, count in islice(whole, limit):
                counts.setdefault(each, []).append(count)
        return counts


class _Sums:
    """Which sums of long ago can still be made anew: those of which every cell is there, or none yet."""

    def __init__(self, connection: sqlite3.Connection, local: LocalTime, horizon_us: int | None) -> None:
        self._connection = connection
        self._local = local
        self._horizon_us = horizon_us
        self._open: dict[tuple[int, int], bool] = {}

    def open(self, site: int, begin_us: int) -> bool:
        """Whether a cell of a site may be put in its place."""
        if self._horizon_us is None or begin_us >= self._horizon_us:
            return True
        week = self._local.week(begin_us)
        known = self._open.get((site, week[0]))
        if known is None:
            known = bool(self._connection.execute(_WHOLE, (site, *week, _WEEKS)).fetchone()[0])
            self._open[site, week[0]] = known
        return known


class _Places:
    """Sites by their numbers, all or one, and from when to when the counters of each stand there."""

    def __init__(self, connection: sqlite3.Connection, one: Site | None = None) -> None:
        name = () if one is None else (one.station, one.property, one.channel)
        rows = connection.execute(_SITES + (_OF_NAME if name else ""), name).fetchall()
        self.site = {id_: Site(*names) for id_, _, *names in rows}
        self.settle_us: Mapping[int, int] = {id_: settle for id_, settle, *_ in rows}
        self.counters: dict[int, list[tuple[int, int]]] = {}
        of_one = (next(iter(self.site), -1),) if name else ()
        for id_, since, until in connection.execute(_COUNTERS + (" AND site = ?" if name else ""), of_one):
            self.counters.setdefault(id_, []).append((since, until))


def _read(
    connection: sqlite3.Connection,
    places: _Places,
    spans: Mapping[Site, tuple[int, int]],
    resolution: Resolution,
) -> Generator[tuple[Asked, Count]]:
    """Intervals that begin in their site's span, in the order of sites and of time, as they are asked for."""
    wanted = {site: id_ for id_, site in places.site.items() if site in spans}
    if not wanted:
        return
    level = _LEVELS[resolution]
    first = min(wanted)
    # whether a guess goes over a bound is seen in the interval beside it
    bounds = (
        spans[first][0] - _LONGEST_US[level],
        min(from_us for from_us, _ in spans.values()) - _LONGEST_US[level],
        max(to_us for _, to_us in spans.values()) + _LONGEST_US[level],
    )
    sql = _OF_CELLS if level == _CELLS else _OF_TOTALS
    ids = json.dumps(list(wanted.values()))
    with closing(connection.execute(sql, (ids, wanted[first], *bounds, level))) as cursor:
        for id_, rows in groupby(cursor, itemgetter(0)):
            site, settle, counters = places.site[id_], places.settle_us[id_], places.counters.get(id_, ())
            from_us, to_us = spans[site]
            for before, row, after in _neighbours(_Row(*row[1:]) for row in rows):
                if row.begin_us >= to_us:
                    break
                if row.begin_us >= from_us:
                    count = _count(row, _known(before, row, after), counters, settle)
                    yield (site, resolution), count


def _in_order(found: tuple[Asked, Count]) -> tuple[Site, int]:
    (site, resolution), _ = found
    return site, _LEVELS[resolution]


def _neighbours(rows: Iterator[_Row]) -> Iterator[tuple[_Row | None, _Row, _Row | None]]:
    before, row = None, next(rows, None)
    while row is not None:
        after = next(rows, None)
        yield before, row, after
        before, row = row, after


def _known(before: _Row | None, row: _Row, after: _Row | None) -> int:
    """Of how many seconds the count is known: bridged ones too, where none goes over a bound."""
    guessed = row.first and before is not None and before.end_us == row.begin_us and before.last
    guessed = guessed or (row.last and after is not None and after.begin_us == row.end_us and after.first)
    return row.seconds if guessed else row.seconds + row.bridged


def _count(row: _Row, known: int, counters: Sequence[tuple[int, int]], settle: int) -> Count:
    there = sum(since < row.end_us and until > row.begin_us for since, until in counters) or 1
    length = there * (row.end_us - row.begin_us) // _S
    # times are of whole seconds here: so much may be missing at the two bounds
    complete = known >= length - 2 * there
    return Count(
        begin_us=row.begin_us,
        end_us=row.end_us,
        count=row.count_,
        completeness=1.0 if complete else round(known / length, 4),
        corrected_us=row.touched_us if row.touched_us > row.end_us + settle else None,
        speed_kmh=round(row.kmh_sum / row.kmh_count, 1) if row.kmh_count else None,
        v85_kmh=round(row.v85_sum / row.v85_count, 1) if row.v85_count else None,
    )


def _numbers(connection: sqlite3.Connection, site: Site, device: str, settle: int) -> _Counter:
    """The numbers of a site and its device, which get some when they have none."""
    (id_,) = connection.execute(
        "INSERT INTO site (station, property, channel, settle_us) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET settle_us = max(settle_us, excluded.settle_us) RETURNING id",
        (site.station, site.property, site.channel, settle),
    ).fetchone()
    (counter,) = connection.execute(
        "INSERT INTO counter (site, dev_eui) VALUES (?, ?) "
        "ON CONFLICT DO UPDATE SET site = excluded.site RETURNING id",
        (id_, device),
    ).fetchone()
    return _Counter(id_, counter)


def _stands(connection: sqlite3.Connection, mine: _Counter, *, standing: bool) -> None:
    """A device that was taken away is missing nowhere after its last cell.

    Where its cells are kept no longer, after the last quarter of an hour in which anything was counted there.
    """
    if standing:
        connection.execute(
            "UPDATE counter SET until_us = NULL WHERE id = ? AND until_us IS NOT NULL", (mine.counter,)
        )
    else:
        connection.execute(
            f"UPDATE counter SET until_us = coalesce((SELECT max(begin_us) + {CELL_US} FROM cell "  # noqa: S608 - a constant
            "WHERE site = ?1 AND counter = ?2), "
            "(SELECT max(end_us) FROM total WHERE site = ?1 AND level = ?3)) "
            "WHERE id = ?2 AND until_us IS NULL",
            (*mine, _QUARTERS),
        )
