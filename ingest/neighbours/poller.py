"""Asks the neighbours in turn, each on its own schedule, and hands what is new to the intake.

A source that is away is asked less and less often and shows in its health; nothing else changes.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from devices.registry import Registry
from ingest.hand_over import Delivery, HandOver
from ingest.health import Health
from ingest.neighbours.dwd_cap import DwdCap
from ingest.neighbours.fetch import Fetcher
from ingest.neighbours.observed import HOUR_US, LOOK_BACK_US, Found, Observed, Source
from ingest.neighbours.official_warning import Official
from ingest.neighbours.places import load_places, save_places
from ingest.neighbours.sources import Neighbour, neighbour_registry
from ingest.neighbours.uplinks import to_message

_SLOWEST_S = 900.0
_LOOK_S = 0.5
_STOP_S = 1.5
_OLD_US = 3 * HOUR_US
_JITTER = random.SystemRandom()
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class NeighbourStats:
    """Of one source since the start. `newest_us`: time of its newest value, 0 without one."""

    requests: int = 0
    unchanged: int = 0
    failures: int = 0
    values: int = 0
    rejected: int = 0
    newest_us: int = 0


@dataclass(slots=True)
class _Asked:
    """One source and where we stand with it. `due`: monotonic seconds; `taken`: value and flag by time."""

    neighbour: Neighbour
    source: Source
    fetch: Fetcher
    due: float = 0.0
    failed: int = 0
    reached_us: int | None = None
    fault: str = ""
    why: str = ""
    values: int = 0
    rejected: int = 0
    newest: dict[str, int] = field(default_factory=dict)
    taken: dict[str, dict[int, tuple[float, int]]] = field(default_factory=dict)


class Neighbours:
    """All sources of a city, in one thread. `join` takes their stations, first at once, then as they change.

    `file` keeps what they say of their stations; `clock` gives µs since the epoch, UTC.
    """

    def __init__(
        self,
        neighbours: Sequence[Neighbour],
        hand_over: HandOver,
        join: Callable[[Registry], None],
        clock: Callable[[], int],
        file: Path,
    ) -> None:
        self._neighbours = tuple(neighbours)
        self._hand_over = hand_over
        self._join = join
        self._clock = clock
        self._file = file
        self._stopping = threading.Event()
        self._asked = [
            _Asked(each, each.source(), Fetcher(each.user_agent, give_up=self._stopping))
            for each in self._neighbours
        ]
        self._places = load_places(file) if self._neighbours else {}
        # not waited for at the end: it holds nothing that is not asked again
        self._thread = threading.Thread(target=self._run, name="neighbours", daemon=True)
        if self._neighbours:
            join(neighbour_registry(self._neighbours, self._places))

    def start(self) -> None:
        """Begin to ask."""
        if self._asked:
            self._thread.start()

    def stop(self) -> None:
        """Stop asking; a request under way is left."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    @property
    def health(self) -> Mapping[str, Health]:
        """By source: whether it answers, and which of its stations have no new values."""
        return {f"neighbour {each.source.name}": self._health(each) for each in self._asked}

    @property
    def stats(self) -> Mapping[str, NeighbourStats]:
        """By source."""
        return {
            each.source.name: NeighbourStats(
                requests=each.fetch.stats.requests,
                unchanged=each.fetch.stats.unchanged,
                failures=each.fetch.stats.failures,
                values=each.values,
                rejected=each.rejected,
                newest_us=max(each.newest.values(), default=0),
            )
            for each in self._asked
        }

    def official(self) -> Official | None:
        """The official warnings as they stand; None when no source of them is configured."""
        return next((each.source.official for each in self._asked if isinstance(each.source, DwdCap)), None)

    def ask_all(self) -> None:
        """Ask every source once, now."""
        for each in self._asked:
            self._ask(each)

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            for each in self._asked:
                if time.monotonic() >= each.due and not self._stopping.is_set():
                    self._ask(each)
        for each in self._asked:
            each.fetch.close()

    def _ask(self, asked: _Asked) -> None:
        now_us = self._clock()
        try:
            found = asked.source.poll(asked.fetch, now_us, dict(asked.newest))
            self._take(asked, found, now_us)
        except Exception as fault:  # noqa: BLE001 - a source's fault is its own
            _log.exception("neighbour_failed", source=asked.source.name)
            self._missed(asked, f"{type(fault).__name__}: {fault}"[:300], 0.0)
            return
        if found.away is not None:
            self._missed(asked, found.away.detail, found.away.pause_s)
            return
        if asked.fault:
            _log.info("neighbour_back", source=asked.source.name)
        asked.fault, asked.failed, asked.reached_us = "", 0, now_us
        asked.due = time.monotonic() + asked.source.every_s * _JITTER.uniform(1.0, 1.1)

    def _missed(self, asked: _Asked, fault: str, pause_s: float) -> None:
        if not asked.fault:
            _log.warning("neighbour_away", source=asked.source.name, fault=fault)
        asked.fault = fault
        longest = max(_SLOWEST_S, asked.source.every_s)
        back_off = min(asked.source.every_s * 2 ** min(asked.failed, 10), longest) * _JITTER.uniform(1.0, 1.3)
        asked.failed += 1
        asked.due = time.monotonic() + max(back_off, pause_s)

    def _take(self, asked: _Asked, found: Found, now_us: int) -> None:
        asked.rejected += len(found.rejected)
        why = found.rejected[0].reason + ": " + found.rejected[0].detail if found.rejected else ""
        if why and why != asked.why:
            _log.warning("neighbour_values_rejected", source=asked.source.name, first=why)
        asked.why = why
        self._describe(asked, found)
        new = [each for each in found.observed if self._is_new(asked, each, now_us)]
        if not new:
            return
        messages = [to_message(asked.neighbour.kind, each, now_us) for each in new]
        if not self._hand_over.put(Delivery(messages, _Nobody(), 0, ()), self._stopping):
            return
        asked.values += len(new)
        for each in new:
            asked.taken.setdefault(each.foreign, {})[each.time_us] = (each.value, int(each.quality))
            asked.newest[each.foreign] = max(each.time_us, asked.newest.get(each.foreign, 0))
        for times in asked.taken.values():
            for time_us in [each for each in times if each <= now_us - LOOK_BACK_US]:
                del times[time_us]

    def _describe(self, asked: _Asked, found: Found) -> None:
        said = {(asked.neighbour.kind, each.foreign): each for each in found.places}
        if said.items() <= self._places.items():
            return
        self._places |= said
        self._join(neighbour_registry(self._neighbours, self._places))
        save_places(self._file, self._places)

    def _is_new(self, asked: _Asked, each: Observed, now_us: int) -> bool:
        if each.time_us <= now_us - LOOK_BACK_US or each.foreign not in asked.neighbour.stations_of:
            return False
        known = asked.taken.get(each.foreign, {}).get(each.time_us)
        return known != (each.value, int(each.quality))

    def _health(self, asked: _Asked) -> Health:
        if asked.fault:
            since = (
                "never reached" if asked.reached_us is None else f"last reached {_clock(asked.reached_us)}"
            )
            return Health(ok=False, detail=f"{asked.fault}; {since}; the city's own sensors go on")
        if asked.reached_us is None:
            return Health(ok=True, detail="not asked yet")
        now_us = self._clock()
        lines = [asked.why] if asked.why else []
        for id_, foreign in asked.neighbour.stations.items():
            newest = asked.newest.get(foreign)
            if newest is None:
                lines.append(f"{id_}: no value of the last 24 hours")
            elif now_us - newest > _OLD_US:
                lines.append(f"{id_}: newest value of {_clock(newest)}")
        return Health(ok=True, detail="; ".join(lines)[:1000])


class _Nobody:
    """Nobody waits for an acknowledgement: what is lost is asked for again."""

    def ack(self, delivery: Delivery) -> None:
        """Nothing to do."""


def _clock(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
