"""A drill: a recorded event played as an exercise, marked from end to end.

The readings go through the same code as a backtest's, from memory and apart from everything live. What it
concludes enters the journal as events with `exercise`, ids that begin with "exercise." and the time of the
drill. Residents hear nothing of it unless somebody released it by name, and a real alarm ends it at once.
"""

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import structlog

from alerts.backtest.backtest import backtest, settle, spacing_of, with_missing_rows
from alerts.board import WarningBoard
from alerts.catchments import Catchments
from alerts.errors import DrillBusyError, DrillError
from alerts.event import PREEMPTED, RELEASED_DRILL, Event, to_row
from alerts.kostra.kostra import Kostra
from alerts.lifecycle import stamp
from alerts.rules import Rules
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from devices.catalogue import DeviceType
from devices.properties import observed_properties
from devices.registry import Registry
from ingest.errors import Fenced, HistoryError
from ingest.journal import Journal
from ingest.reading import READING, Readings, Series
from ingest.readings_csv import read_csv

PART = "drill"
MAX_BYTES = 8 << 20
MAX_SPEED = 3600.0
MAX_HOURS = 12.0
MAX_DAYS = 31

_FINISHED = "exercise ended: all readings played"
_RESTARTED = "exercise ended: the service was restarted"
_STOPPED = "exercise ended: the service stops"
# a part's cursor says which uplinks it still needs: this one needs none
_NEEDS_NO_UPLINK = (1 << 63) - 1
_RISES = ("raise", "escalate")
_MINUTE_US = 60_000_000
_POLL_S = 0.2
_AGAIN_S = 0.5
_STOP_S = 1.9
_SHOWN_COMPLAINTS = 20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DrillStatus:
    """A drill as it is now. Times µs since the epoch, UTC; `until_us` is its expected end. `released_by`: who
    released it to the public, "" nobody. `played` of `readings`; `skipped` lines of the file, the first of
    them named in `complaints`. `reason`: why it ended, "" while it runs."""  # noqa: D205, D209 - one thought

    id: str
    started_by: str
    released_by: str
    speed: float
    started_us: int
    until_us: int
    readings: int
    played: int
    events: int
    skipped: int
    complaints: tuple[str, ...]
    ended_us: int | None
    reason: str

    @property
    def running(self) -> bool:
        """Not ended."""
        return self.ended_us is None


@dataclass(frozen=True, slots=True)
class _Recording:
    """A file's readings in the order of time, from devices made for them."""

    readings: Readings
    series: tuple[Series, ...]
    registry: Registry
    skipped: int
    complaints: tuple[str, ...]


@dataclass(slots=True)
class _Drill:
    """What runs, or ran last. Only its own thread changes `status` and `pending`."""

    recording: _Recording
    status: DrillStatus
    first_us: int
    pending: list[Event] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    reason: str = ""

    def end(self, reason: str) -> None:
        """Ask it to end; the first reason counts."""
        if not self.ending.is_set():
            self.reason = reason
            self.ending.set()

    def when(self, time_us: int) -> int:
        """The drill's time of a recorded one."""
        return self.status.started_us + round((time_us - self.first_us) / self.status.speed)


class _Ended(Exception):  # noqa: N818 - a way out of the readings, not a mistake
    pass


class Drills:
    """One drill at a time. `tell` is called after each commit; what a former run left is ended at start().

    `board` must know the journal's events before start().
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a drill is judged by
        self,
        journal: Journal,
        board: WarningBoard,
        rules: Rules,
        registry: Callable[[], Registry],
        clock: Callable[[], int],
        tell: Callable[[], None],
        *,
        catalogue: Mapping[str, DeviceType] | None = None,
        kostra: Kostra | None = None,
        catchments: Catchments | None = None,
    ) -> None:
        self._journal = journal
        self._board = board
        self._rules = rules
        self._registry = registry
        self._clock = clock
        self._tell = tell
        self._catalogue = catalogue or {}
        self._kostra = kostra
        self._catchments = catchments
        self._lock = threading.Lock()
        self._drill: _Drill | None = None
        self._thread: threading.Thread | None = None
        self._leave: Callable[[], None] = lambda: None
        self._fence = 0
        self._stopping = threading.Event()

    @property
    def status(self) -> DrillStatus | None:
        """Of the drill that runs, else of the last one since the start; None before the first."""
        drill = self._drill
        return drill.status if drill else None

    def start(self) -> None:
        """End what a former run left, then watch for real alarms."""
        self._fence = self._journal.load(PART).fence
        left = [each for each in self._board.snapshot().in_force if each.exercise]
        now = self._clock()
        self._commit([_cleared(each, now, _RESTARTED) for each in left])
        if left:
            _log.warning("drill_left_over", episodes=len(left))
            self._tell()
        self._leave = self._board.listen(self._heed)

    def stop(self) -> None:
        """End the drill that runs; its warnings are cleared before this returns."""
        self._stopping.set()
        self._leave()
        drill, thread = self._drill, self._thread
        if drill is not None:
            drill.end(_STOPPED)
        if thread is not None:
            thread.join(_STOP_S)

    def begin(self, csv: bytes, *, by: str, speed: float = 60.0, release: str = "") -> DrillStatus:
        """Start a drill with recorded readings, `time,station,property,value` as for a backtest.

        `by`: who starts it; `release`: who released it to the public, "" for staff only. Raises DrillError
        for what cannot be played, DrillBusyError while another one runs or a real alarm is in force.
        """
        if not 0 < speed <= MAX_SPEED:
            raise DrillError(f"speed is {speed:g}: choose more than 0 and at most {MAX_SPEED:g}")
        if len(csv) > MAX_BYTES:
            raise DrillError(f"more than {MAX_BYTES >> 20} MB: cut the recording to the event")
        recording = _read(csv, self._registry(), self._catalogue)
        with self._lock:
            self._check_free()
            drill = self._made(recording, by, speed, release)
            self._drill = drill
            self._thread = threading.Thread(target=self._run, args=(drill,), name="drill", daemon=False)
            # a real alarm between the look above and here has ended it already
            if self._alarm() is not None:
                drill.end(PREEMPTED)
            self._thread.start()
        _log.warning("drill_started", id=drill.status.id, by=by, released_by=release, speed=speed)
        return drill.status

    def end(self, by: str) -> DrillStatus | None:
        """End the drill that runs, wait until its warnings are cleared; None when there never was one."""
        drill, thread = self._drill, self._thread
        if drill is None or thread is None:
            return None
        drill.end(f"exercise ended: by {by}")
        thread.join(_STOP_S)
        return drill.status

    def _check_free(self) -> None:
        if self._stopping.is_set():
            raise DrillBusyError("the service stops")
        if self._drill is not None and self._drill.status.running:
            raise DrillBusyError("a drill is running: end it first")
        alarm = self._alarm()
        if alarm is not None:
            raise DrillBusyError(f"a real warning is in force ({alarm.id}): no drill meanwhile")

    def _alarm(self) -> Warning | None:
        return next((each for each in self._board.snapshot().in_force if _is_alarm(each)), None)

    def _made(self, recording: _Recording, by: str, speed: float, release: str) -> _Drill:
        now = self._clock()
        times = recording.readings["time_us"]
        first = int(times[0])
        if int(times[-1]) - first > MAX_DAYS * 24 * 60 * _MINUTE_US:
            raise DrillError(f"it spans more than {MAX_DAYS} days: cut the recording to the event")
        lasts_us = (int(times[-1]) - first) / speed
        if lasts_us > MAX_HOURS * 60 * _MINUTE_US:
            hours = lasts_us / 60 / _MINUTE_US
            raise DrillError(
                f"it would last {hours:.0f} hours, at most {MAX_HOURS:g} are allowed: choose a higher speed "
                "or cut the recording to the event"
            )
        status = DrillStatus(
            id=f"{stamp(now)}-{now % 1_000_000:06d}",
            started_by=by,
            released_by=release,
            speed=speed,
            started_us=now,
            until_us=now + round(lasts_us),
            readings=len(recording.readings),
            played=0,
            events=0,
            skipped=recording.skipped,
            complaints=recording.complaints,
            ended_us=None,
            reason="",
        )
        return _Drill(recording, status, first)

    def _heed(self, changed: Sequence[Warning]) -> None:
        """A real warning that rises ends the drill. Called with the board's lock held: only a flag is set."""
        drill = self._drill
        if drill is not None and any(_is_alarm(each) and each.history[-1].kind in _RISES for each in changed):
            drill.end(PREEMPTED)

    def _run(self, drill: _Drill) -> None:
        recording = drill.recording
        try:
            for event in backtest(
                self._rules,
                recording.registry,
                recording.series,
                self._paced(drill),
                catalogue=self._catalogue,
                kostra=self._kostra,
                catchments=self._catchments,
            ):
                drill.pending.append(event)
            self._flush(drill)
            drill.end(_FINISHED)
        except _Ended:
            pass
        except Fenced:
            _log.exception("drill_fenced")
            drill.end("exercise ended: another process has this journal")
        except Exception as fault:  # noqa: BLE001 - whatever it is, no exercise may stay in force
            _log.exception("drill_failed")
            drill.end(f"exercise ended: it failed: {fault!r}")
        self._close(drill)

    def _paced(self, drill: _Drill) -> Iterator[Readings]:
        """A minute of the recording at a time, when it is due; what the last one meant is told before."""
        recording = drill.recording
        everything = with_missing_rows(
            [recording.readings], recording.series, recording.registry, int(recording.readings["time_us"][-1])
        )
        for readings in everything:
            minute = readings["time_us"] // _MINUTE_US
            for part in np.split(readings, np.flatnonzero(np.diff(minute)) + 1):
                self._flush(drill)
                self._wait(drill, drill.when(int(part["time_us"][0])))
                yield part
                played = int(np.searchsorted(recording.readings["time_us"], part["time_us"][-1], "right"))
                drill.status = replace(drill.status, played=played)

    def _wait(self, drill: _Drill, due_us: int) -> None:
        while (wait_us := due_us - self._clock()) > 0 and not drill.ending.is_set():
            drill.ending.wait(min(_POLL_S, wait_us / 1e6))
        if drill.ending.is_set():
            raise _Ended

    def _flush(self, drill: _Drill) -> None:
        events, drill.pending = drill.pending, []
        if drill.ending.is_set():
            raise _Ended
        if events:
            self._commit([_marked(event, drill) for event in events])
            drill.status = replace(drill.status, events=drill.status.events + len(events))
            self._tell()

    def _close(self, drill: _Drill) -> None:
        """Clear what is in force; tried until it is durable or the service stops."""
        status = drill.status
        prefix = f"{_prefix(status.id)}."
        now = self._clock()
        while True:
            try:
                left = [each for each in self._board.snapshot().in_force if each.id.startswith(prefix)]
                end = _over(status.id, now, drill.reason)
                self._commit([*(_cleared(each, now, drill.reason) for each in left), end])
                self._tell()
                break
            except Fenced:
                break
            except Exception:  # noqa: BLE001 - no exercise may stay in force
                _log.exception("drill_not_cleared")
                if self._stopping.wait(_AGAIN_S):
                    break
        drill.status = replace(drill.status, ended_us=self._clock(), reason=drill.reason)
        _log.warning("drill_ended", id=status.id, reason=drill.reason, events=drill.status.events)

    def _commit(self, events: Sequence[Event]) -> None:
        self._journal.commit(PART, self._fence, _NEEDS_NO_UPLINK, events=[to_row(event) for event in events])


def _is_alarm(warning: Warning) -> bool:
    return not warning.exercise and warning.in_force and warning.audience is not None


def _prefix(drill: str) -> str:
    return f"exercise.{drill}"


def _marked(event: Event, drill: _Drill) -> Event:
    """The event as the exercise's: its ids, its times, its audience."""
    status = drill.status
    audience = event.audience
    if audience == "public" and not status.released_by:
        audience = "staff"
    prefix = f"{RELEASED_DRILL}{status.released_by}" if status.released_by else "exercise"
    return replace(
        event,
        id=f"{_prefix(status.id)}.{event.id}",
        episode=f"{_prefix(status.id)}.{event.episode}",
        incident=f"{_prefix(status.id)}.{event.incident}" if event.incident else "",
        time_us=drill.when(event.time_us),
        reason=f"{prefix}: {event.reason}",
        audience=audience,
        exercise=True,
    )


def _cleared(warning: Warning, time_us: int, reason: str) -> Event:
    return Event(
        id=f"{warning.id}.exercise-ended",
        episode=warning.id,
        time_us=max(time_us, warning.changed_us),
        station=warning.station,
        kind="clear",
        measure=warning.measure,
        level=0,
        window_min=None,
        value=None,
        rule=PART,
        reason=reason,
        incident=warning.incident,
        exercise=True,
    )


def _over(drill: str, time_us: int, reason: str) -> Event:
    """The end of the drill itself, whether a warning of it was in force or not."""
    return Event(
        id=f"{_prefix(drill)}.exercise-ended",
        episode=_prefix(drill),
        time_us=time_us,
        station="",
        kind="clear",
        measure="",
        level=0,
        window_min=None,
        value=None,
        rule=PART,
        reason=reason,
        exercise=True,
    )


def _read(csv: bytes, registry: Registry, catalogue: Mapping[str, DeviceType]) -> _Recording:
    """The recording of a file. Raises DrillError."""
    known = observed_properties()
    keys: dict[tuple[str, str], int] = {}
    complaints: list[str] = []
    skipped = 0

    def resolve(station: str, name: str) -> int | str:
        if station not in registry.stations:
            return f"station {station[:40]!r} is not installed here"
        if name not in known:
            return f"property {name[:40]!r} is not known"
        return keys.setdefault((station, name), len(keys))

    def complain(line: int, problem: str) -> None:
        nonlocal skipped
        skipped += 1
        if len(complaints) < _SHOWN_COMPLAINTS:
            complaints.append(f"line {line}: {problem}")

    with tempfile.TemporaryDirectory(prefix="stadtfunk-drill-") as folder:
        file = Path(folder) / "recording.csv"
        file.write_bytes(csv)
        try:
            parts = list(read_csv(file, resolve, complain))
        except HistoryError as fault:
            raise DrillError(str(fault).replace(str(file), "the recording")) from fault
    readings = np.concatenate([np.zeros(0, READING), *parts])
    if not len(readings):
        said = "; ".join(complaints[:3])
        raise DrillError(f"not one row can be played{f': {said}' if said else ''}")
    readings = readings[np.lexsort((readings["series"], readings["time_us"]))]
    names = list(keys)
    spacing = spacing_of([readings], len(names))
    made, series = settle(registry, names, spacing.interval_us, catalogue)
    return _Recording(readings, series, made, skipped, tuple(complaints))
