"""Required properties that stay away: the device reports, but without what it is there for.

A codec or a firmware can drop a value and give the others, without error: the rain gauge falls silent and
nothing else does. So, of each device whose type requires properties, the uplinks in a row that lack one are
counted; after `DeviceType.required_missing` of them staff are told, and again when it is back. An uplink
without any reading says nothing (a configuration frame), and so does one that is older than what people are
still told about. A value outside its range is there; one that the device itself calls missing is not.

One more reader of the journal, with a cursor and a state page of its own; nothing waits for it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import numpy as np
import structlog

from alerts.event import Event, Kind, to_row
from alerts.lifecycle import stamp
from devices.catalogue import DeviceType
from devices.registry import Registry
from ingest.errors import Fenced, JournalError
from ingest.health import Health
from ingest.journal import Journal
from ingest.reading import Readings, Series

PART = "required"
PAGE = "required/state"
MEASURE = "property"
RULE = "watchdog"
MAX_AGE_US = 2 * 3_600_000_000
_UPLINKS = 20_000
_AGAIN_S = 2.0
_WAIT_S = 0.5
_STOP_S = 1.9
_MOST_BITS = 62
_log = structlog.get_logger(__name__)


class _Row(msgspec.Struct):
    """One device that lacks something now: uplinks in a row, since when, what the latest lacked."""

    count: int
    since_us: int
    station: str
    lacks: list[str]
    told: bool = False


@dataclass(frozen=True, slots=True)
class _Watched:
    dev_eui: str
    station: str
    required: tuple[str, ...]
    after: int


class RequiredWatch:
    """Reads, counts, commits. `tell` is called when there are new events; `clock`: µs since the epoch."""

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        journal: Journal,
        registry: Callable[[], Registry],
        catalogue: Mapping[str, DeviceType],
        clock: Callable[[], int],
        tell: Callable[[], None],
        *,
        max_age_us: int = MAX_AGE_US,
    ) -> None:
        self._journal = journal
        self._registry = registry
        self._catalogue = catalogue
        self._clock = clock
        self._tell = tell
        self._max_age_us = max_age_us
        self._rows: dict[str, _Row] = {}
        self._cursor = 0
        self._fence: int | None = None
        self._series: list[Series] = []
        self._arranged: Registry | None = None
        self._watched: list[_Watched] = []
        self._device_of = np.empty(0, np.int64)
        self._bit_of = np.empty(0, np.int64)
        self._need = np.empty(0, np.int64)
        self._fault = "not started"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="required-watch", daemon=True)

    @property
    def away(self) -> Mapping[str, str]:
        """Per device that staff were told of: what it lacks."""
        return {eui: ", ".join(row.lacks) for eui, row in self._rows.copy().items() if row.told}

    @property
    def health(self) -> Health:
        """Not ok while a device lacks what it is there for."""
        if self._fault:
            return Health(ok=False, detail=self._fault)
        said = [
            f"{row.station} ({eui}): {', '.join(row.lacks)} missing since {stamp(row.since_us)}"
            for eui, row in self._rows.copy().items()
            if row.told
        ]
        return Health(ok=not said, detail="; ".join(said)[:1000])

    def start(self) -> None:
        """Begin where the last one stopped."""
        self._fault = ""
        self._thread.start()

    def stop(self) -> None:
        """End within 2 s."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        self._fault = "stopped"

    def run_once(self) -> int:
        """Read, count, commit; return how many uplinks there were. Raises JournalError."""
        fence = self._load() if self._fence is None else self._fence
        last, readings = self._journal.read(self._cursor, _UPLINKS)
        if last == self._cursor:
            return 0
        self._arrange(readings)
        events = self._step(readings)
        state = {PAGE: msgspec.json.encode(self._rows)}
        new = self._journal.commit(PART, fence, last, state, [to_row(each) for each in events])
        done, self._cursor = last - self._cursor, last
        if new:
            _log.warning("required_property", events=[each.id for each in new])
            self._tell()
        return done

    def _load(self) -> int:
        part = self._journal.load(PART)
        self._rows = {}
        if page := part.state.get(PAGE):
            with suppress(msgspec.DecodeError):  # counted anew: at worst staff are told a few uplinks later
                self._rows = msgspec.json.decode(page, type=dict[str, _Row])
        self._cursor, self._fence = part.cursor, part.fence
        return part.fence

    def _arrange(self, readings: Readings) -> None:
        """Which series belong to a watched device, and which of its required properties each is."""
        registry = self._registry()
        unknown = len(readings) and int(readings["series"].max()) >= len(self._series)
        if unknown:
            self._series += self._journal.series(len(self._series))
        if not unknown and registry is self._arranged:
            return
        self._arranged = registry
        self._watched = []
        for device in registry.devices.values():
            type_ = self._catalogue.get(device.type)
            if type_ is not None and type_.required and device.watched:
                required = tuple(sorted(type_.required))[:_MOST_BITS]
                self._watched.append(
                    _Watched(device.dev_eui, device.station, required, type_.required_missing)
                )
        number = {each.dev_eui: i for i, each in enumerate(self._watched)}
        self._device_of = np.array([number.get(each.dev_eui, -1) for each in self._series], np.int64)
        bits = {
            (each.dev_eui, name): 1 << i for each in self._watched for i, name in enumerate(each.required)
        }
        self._bit_of = np.array(
            [bits.get((each.dev_eui, each.property), 0) for each in self._series], np.int64
        )
        self._need = np.array([(1 << len(each.required)) - 1 for each in self._watched], np.int64)
        for eui in self._rows.keys() - number.keys():  # taken out of the list of devices
            del self._rows[eui]

    def _step(self, readings: Readings) -> list[Event]:
        since_us = self._clock() - self._max_age_us
        device = self._device_of[readings["series"]]
        mine = device >= 0
        readings, device = readings[mine], device[mine]
        if not len(readings):
            return []
        starts = np.flatnonzero(np.diff(readings["seq"], prepend=-1))
        there = np.where(np.isnan(readings["value"]), 0, self._bit_of[readings["series"]])
        times = np.maximum.reduceat(readings["time_us"], starts)
        recent = times >= since_us  # of a whole uplink: its readings may have times of their own
        seen, times, device = (
            np.bitwise_or.reduceat(there, starts)[recent],
            times[recent],
            device[starts][recent],
        )
        lacking = self._need[device] & ~seen
        troubled = {number for number, each in enumerate(self._watched) if each.dev_eui in self._rows}
        troubled.update(device[lacking != 0].tolist())
        events: list[Event] = []
        for i in np.flatnonzero(np.isin(device, list(troubled))).tolist():
            events += self._uplink(self._watched[device[i]], int(times[i]), int(lacking[i]))
        return events

    def _uplink(self, watched: _Watched, time_us: int, lacking: int) -> Sequence[Event]:
        row = self._rows.get(watched.dev_eui)
        if not lacking:
            if row is None:
                return ()
            del self._rows[watched.dev_eui]
            return (_event(watched, row, "property_back", time_us),) if row.told else ()
        if row is None:
            row = self._rows[watched.dev_eui] = _Row(0, time_us, watched.station, [])
        row.count += 1
        row.lacks = [name for i, name in enumerate(watched.required) if lacking >> i & 1]
        if row.told or row.count < watched.after:
            return ()
        row.told = True
        return (_event(watched, row, "property_missing", time_us),)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                idle = self.run_once() == 0
                self._fault = ""
                if idle:
                    self._journal.wait(self._cursor, _WAIT_S)
            except Fenced:
                self._fault = "another process has taken over this journal"
                return
            except Exception as fault:  # noqa: BLE001 - the thread survives whatever it is
                self._fault = f"{type(fault).__name__}: {fault}"
                # what was not committed is counted again, from the last state
                self._fence = None
                if not isinstance(fault, JournalError):
                    with suppress(OSError, ValueError):
                        _log.exception("required_watch_failed")
                self._stopping.wait(_AGAIN_S)


def _event(watched: _Watched, row: _Row, kind: Kind, time_us: int) -> Event:
    episode = f"{watched.station}.{watched.dev_eui}.{MEASURE}.{stamp(row.since_us)}"
    lacks = ", ".join(row.lacks)
    words = "is back, was missing" if kind == "property_back" else f"missing in {row.count} uplinks in a row,"
    return Event(
        id=f"{episode}.{kind.removeprefix('property_')}",
        episode=episode,
        time_us=time_us,
        station=watched.station,
        kind=kind,
        measure=MEASURE,
        level=0,
        window_min=None,
        value=float(row.count),
        rule=RULE,
        reason=f"{lacks} {words} since {stamp(row.since_us)}: device {watched.dev_eui}",
        audience="staff",
        reference=lacks,
        severity="Moderate",
    )
