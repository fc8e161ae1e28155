"""History decoded again: the journal's uplinks by the codecs and the list of devices as they are now.

First the journal: readings that differ are replaced, page by page, behind every reader; nobody sees them
again, so nothing is judged twice and nobody is alerted. Then the store, at the points that have moved.
Last the refused uplinks that decode now. Every step can be repeated; the book says where to go on.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import NamedTuple

import numpy as np

from devices.javascript.codec import WAITING
from devices.measurement import Rejected
from ingest.decoding import KILLED, Decoding, Read, refusal_notes
from ingest.dedup import keys
from ingest.journal import Accepted, Corrected, Journal, RejectedRow, accept_still_refused
from ingest.journal_record import pack_reading, unpack_readings
from ingest.reading import Measured, Readings, Series
from ingest.reprocess_book import Book, Moved
from ingest.reprocess_report import Report
from ingest.settling import Settling
from ingest.uplink import Uplink

PAGE = 2000
_REFUSED_PAGE = 200
_POLL_S = 0.2
_NOT_THE_PAYLOADS_FAULT = KILLED | {"unknown_device", "unknown_type", "decoder_error", WAITING}
"""Reasons that say nothing about an uplink: what was read from it once stays."""

_Value = tuple[float, int]
_Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which uplinks: of some devices (none: of all), with from_us <= their event time < to_us."""

    devices: frozenset[str] = frozenset()
    from_us: int | None = None
    to_us: int | None = None

    def __contains__(self, uplink: object) -> bool:
        return (
            isinstance(uplink, Uplink)
            and (not self.devices or uplink.dev_eui in self.devices)
            and (self.from_us is None or uplink.time_us >= self.from_us)
            and (self.to_us is None or uplink.time_us < self.to_us)
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """`stage` is "decode", "wait", "store" or "refused"; `done` of `total` uplinks."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found; `marked` as in Settling.

    It was not all when it was `interrupted`, or where uplinks are `unread`: the store writer or the rule
    engine has still to go past them.
    """

    report: Report
    interrupted: bool = False
    unread: int = 0
    marked: int = 0


class _Row(NamedTuple):
    seq: int
    uplink: Uplink
    readings: Readings


@dataclass(slots=True)
class _Page:
    """What decoding some uplinks again comes to."""

    end: int
    report: Report
    corrected: list[Corrected] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)


class Reprocess:
    """One run over a journal that may be in use.

    `young_us`: refused uplinks from this event time on are left to the service, which may alert about them.
    `told` hears of progress; `stopping` says when to stop after a page; `patience_s`: so long it waits for
    readers that do not get on.
    """

    def __init__(  # noqa: PLR0913 - everything it works with is given to it
        self,
        journal: Journal,
        decoding: Decoding,
        selection: Selection,
        *,
        young_us: int,
        stopping: Callable[[], bool] = lambda: False,
        told: Callable[[Progress], object] = lambda _: None,
        patience_s: float = 30.0,
        page: int = PAGE,
    ) -> None:
        self._journal = journal
        self._decoding = decoding
        self._selection = selection
        self._young_us = young_us
        self._stopping = stopping
        self._told = told
        self._patience_s = patience_s
        self._page = page
        self._previewing = False
        self._series: list[Series] = list(journal.series())
        self._numbers = {series: number for number, series in enumerate(self._series)}
        self._target = journal.last_seq()
        self._first = next((seq for seq, *_ in journal.uplinks(0, 1)), 1)

    def preview(self) -> Outcome:
        """What would change; nothing does. Raises IngestError."""
        self._previewing = True
        report = Report()
        after = 0
        while after < self._target and not self._stopping():
            page = self._decode_page(after, self._target, report)
            after, report = page.end, page.report
            self._tell("decode", after)
        self._take_refused(report)
        return Outcome(report, interrupted=self._stopping())

    def run(self, book: Book, run: str, basis: str, settling: Settling, *, anew: bool = False) -> Outcome:
        """Correct journal and store, and take what decodes now. Raises IngestError.

        A run of the same name that was interrupted goes on while `basis`, what it decodes with, is the same.
        """
        position = book.open(run, basis, anew=anew)
        report, after, end = position.report, position.after, position.page_end
        while after < self._target and not self._stopping():
            limit = end or self._wait(after)
            if limit <= after:
                break
            page = self._decode_page(after, limit, report, whole=end is not None)
            # a page that was under way: what it has corrected already, it would no longer find
            report = position.page_report if end and position.page_report else page.report
            book.begin_page(run, page.end, report, page.moved)
            self._journal.correct(page.corrected)
            after, end = page.end, None
            book.end_page(run, after, report)
            self._tell("decode", after)
        settled = settling.run()
        if self._stopping() or not settled:
            return Outcome(report, interrupted=True, marked=settling.marked)
        self._take_refused(report)
        unread = max(self._target - after, 0)
        if not unread and not self._stopping():
            book.close_run(run)
        return Outcome(report, self._stopping(), unread, settling.marked)

    def _wait(self, after: int) -> int:
        """Up to where uplinks may be corrected: every reader has gone past. Waits while readers get on."""
        done = self._journal.done()
        until = time.monotonic() + self._patience_s
        while done <= after and not self._stopping() and time.monotonic() < until:
            self._tell("wait", after)
            time.sleep(_POLL_S)
            done = self._journal.done()
        return min(done, self._target)

    def _decode_page(self, after: int, limit: int, report: Report, *, whole: bool = False) -> _Page:
        """Decode the uplinks from a seq to another, or the first so many of them."""
        rows = takewhile(lambda row: row[0] <= limit, self._journal.uplinks(after, limit - after))
        found = [_Row(*row) for row in (rows if whole else islice(rows, self._page))]
        full = not whole and len(found) == self._page
        page = _Page(found[-1].seq if full else limit, report)
        chosen = [row for row in found if row.uplink in self._selection]
        results = self._read(row.uplink for row in chosen)
        self._learn(each.series for read in results if not isinstance(read, Rejected) for each in read[1])
        for row, read in zip(chosen, results, strict=True):
            page.report.uplinks += 1
            self._compare(page, row, read)
        return page

    def _read(self, uplinks: Iterable[Uplink]) -> list[Read | Rejected]:
        return self._decoding.readings_of(list(uplinks))

    def _compare(self, page: _Page, row: _Row, read: Read | Rejected) -> None:
        if isinstance(read, Rejected):
            if read.reason in _NOT_THE_PAYLOADS_FAULT:
                page.report.kept += 1
                return
            if len(row.readings):
                page.report.note_rejected(row.uplink.dev_eui, read.reason)
            read = replace(row.uplink, codec_notes=refusal_notes(read)), ()
        uplink, decoded = read
        readings = self._readings(row.seq, decoded)
        noted = uplink.codec_notes != row.uplink.codec_notes
        page.report.noted += noted
        same = readings.tobytes() == row.readings.tobytes()
        if noted or not same:
            page.corrected.append(Corrected(row.seq, uplink, readings))
        if same:
            return
        before, after = _points(row.readings), _points(readings)
        for point in sorted(before.keys() | after.keys()):
            if _bits(old := before.get(point)) == _bits(new := after.get(point)):
                continue
            series = self._series[point[0]]
            what = f"{series.property}/{series.channel}" if series.channel else series.property
            page.report.note(row.uplink.dev_eui, what, point[1], old, new)
            value = None if new is None or not np.isfinite(new[0]) else new[0]
            page.moved.append(Moved(*point, new[1] if new else None, value))

    def _learn(self, series: Iterable[Series]) -> None:
        """Numbers for series that the journal has none for yet; from the journal where they shall stay."""
        unknown = list(dict.fromkeys(each for each in series if each not in self._numbers))
        if not unknown:
            return
        if self._previewing:
            self._series += unknown
        else:
            self._journal.number(unknown)
            self._series += self._journal.series(len(self._series))
        self._numbers = {each: number for number, each in enumerate(self._series)}

    def _readings(self, seq: int, decoded: Sequence[Measured]) -> Readings:
        """Readings as the journal keeps them."""
        return unpack_readings(
            b"".join(
                pack_reading(seq, self._numbers[each.series], each.quality, each.time_us, each.value)
                for each in decoded
            )
        )

    def _take_refused(self, report: Report) -> None:
        """Refused uplinks that decode now, a page at a time, the newest page first."""
        before: int | None = None
        while not self._stopping():
            rows = self._journal.rejected(limit=_REFUSED_PAGE, before=before)
            self._take_page(rows, report)
            if len(rows) < _REFUSED_PAGE:
                return
            before = rows[-1].id
            self._told(
                Progress("refused", report.accepted, report.accepted + self._journal.counts().rejected)
            )

    def _take_page(self, rows: Sequence[RejectedRow], report: Report) -> None:
        chosen = [(row.id, row.uplink) for row in reversed(rows) if row.uplink in self._selection]
        results = self._read(uplink for _, uplink in chosen if uplink is not None)
        ids: list[int] = []
        accepted: list[Accepted] = []
        for (number, _), read in zip(chosen, results, strict=True):
            if isinstance(read, Rejected):
                continue
            uplink, decoded = read
            if max([uplink.time_us, *(each.time_us for each in decoded)]) >= self._young_us:
                report.waiting += 1
                continue
            ids.append(number)
            accepted.append(Accepted(uplink, decoded, keys(uplink)))
        report.accepted += (
            len(ids) if self._previewing else accept_still_refused(self._journal, ids, accepted)
        )

    def _tell(self, stage: str, after: int) -> None:
        total = max(self._target - self._first + 1, 0)
        self._told(Progress(stage, min(max(after - self._first + 1, 0), total), total))


def _points(readings: Readings) -> dict[_Point, _Value]:
    """What one uplink says, by series and time; said twice, the last counts."""
    return {(series, time_us): (value, quality) for _, series, quality, time_us, value in readings.tolist()}


def _bits(value: _Value | None) -> tuple[bytes, int] | None:
    return None if value is None else (np.float64(value[0]).tobytes(), value[1])
