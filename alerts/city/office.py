"""The office: what the city warns of. Rules propose, a named person decides, the journal keeps every step.

One reader of the journal's events and one writer of its own. A decision is durable before its maker hears of
it; what the rules do follows from the journal and the time alone (see due.py), so that a restart goes on.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import msgspec
import structlog

from alerts.areas import Areas
from alerts.city import plain_words
from alerts.city.city_warning import CityWarning
from alerts.city.due import Deskwork
from alerts.city.order import Order
from alerts.city.order_check import check
from alerts.city.register import Register
from alerts.city.release import Releases
from alerts.city.situation import Writer, Written
from alerts.city.steps import Steps
from alerts.errors import AlertsError
from alerts.event import Event, Severity, from_row, to_row
from ingest.errors import Fenced
from ingest.health import Health
from ingest.journal import Journal
from ingest.listeners import Listeners

PART = "city-office"
KEPT_US = 24 * 3_600_000_000
"""How long a warning that ended or was declined stays in the list."""
_NEEDS_NO_UPLINK = (1 << 63) - 1
_PAGE = 1000
_POLL_S = 0.5
_BACK_OFF_S = (0.2, 5.0)
_STOP_S = 1.9
_PASSES = 8
_log = structlog.get_logger(__name__)

Listener = Callable[[Sequence[CityWarning]], None]


class CityOffice:
    """Every warning of the city. start() follows the journal in a thread of its own; decide() from any.

    `write` makes texts; where it fails there are plain ones. `tell` is called after each commit, without
    locks.
    """

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        journal: Journal,
        releases: Releases,
        areas: Areas,
        clock: Callable[[], int],
        *,
        write: Writer = plain_words.write,
        tell: Callable[[], None] = lambda: None,
    ) -> None:
        self._journal = journal
        self._areas = areas
        self._clock = clock
        self._tell = tell
        self._register = Register()
        self._desk = Deskwork(self._register, releases, areas)
        self._steps = Steps(self._register, self._desk, releases, areas, write)
        # over everything that is folded and committed; what is handed out is an immutable snapshot
        self._lock = threading.RLock()
        self._warnings: Mapping[str, CityWarning] = MappingProxyType({})
        self._listeners: Listeners[Sequence[CityWarning]] = Listeners("city_listener_failed")
        self._cursor = 0
        self._fence = 0
        self._fault = ""
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="city-office", daemon=False)

    @property
    def health(self) -> Health:
        """Not ok while warnings cannot be proposed or decided."""
        return Health(ok=not self._fault, detail=self._fault)

    def start(self) -> None:
        """Know what the journal holds, then follow it."""
        with self._lock:
            self._fence = self._journal.load(PART).fence
            # before the first decision as well: no uplink is kept for this part
            self._journal.commit(PART, self._fence, _NEEDS_NO_UPLINK)
            self._catch_up()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what was decided is durable."""
        self._stopping.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def wake(self) -> None:
        """The journal has new events; returns at once."""
        self._wake.set()

    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call back with the changed warnings, in the thread that changed them; keep it short.

        Returns what ends the listening.
        """
        return self._listeners.add(callback)

    def warnings(self) -> tuple[CityWarning, ...]:
        """Proposed, in force, and ended or declined in the last 24 hours; the latest change first."""
        since = self._clock() - KEPT_US
        found = [each for each in self._warnings.values() if each.open or (each.ended_us or 0) > since]
        return tuple(sorted(found, key=lambda each: (each.changed_us, each.open, each.id), reverse=True))

    def get(self, id_: str) -> CityWarning | None:
        """One of warnings()."""
        return next((each for each in self.warnings() if each.id == id_), None)

    def draft(
        self, severity: Severity, areas: tuple[str, ...], incident: str = "", valid_min: float | None = None
    ) -> Written:
        """The texts that a warning would be proposed with now. Raises OrderRefusedError."""
        now = self._clock()
        order = Order("propose", "-", "-", now, "", incident, severity, areas, None, valid_min)
        check(order, self._areas, now)
        with self._lock:
            return self._steps.draft(order)

    def run_once(self) -> int:
        """Read what is new and take the steps that are due; how many. Raises JournalError."""
        taken = 0
        with self._lock:
            self._catch_up()
            for _ in range(_PASSES):
                now = self._clock()
                events = [self._steps.of_due(each, now) for each in self._desk.due(now)]
                if not events:
                    break
                taken += self._commit(events)
            self._register.forget(self._clock())
        if taken:
            self._tell()
        return taken

    def decide(self, order: Order) -> CityWarning:
        """Carry out a person's order; the warning after it, which is durable.

        Raises OrderRefusedError, and JournalError when it could not be kept: then nothing was decided.
        """
        now = self._clock()
        order = replace(order, by=order.by.strip(), reason=order.reason.strip())
        check(order, self._areas, now)
        with self._lock:
            self._catch_up()
            twice = self._steps.clicked_twice(order)
            if twice is not None:
                return twice
            event = self._steps.of_order(order)
            self._commit([event])
            after = self._register.warnings[event.episode]
        _log.info("city_warning", id=after.id, action=order.action, by=order.by, status=after.status)
        self._wake.set()
        self._tell()
        return after

    def _catch_up(self) -> None:
        changed: dict[str, CityWarning] = {}
        while page := self._journal.events(self._cursor, _PAGE):
            for number, row in page:
                self._cursor = number
                try:
                    event = from_row(row)
                except msgspec.DecodeError:
                    # the board of warnings names it in the log
                    continue
                after = self._register.take(number, event)
                if after is not None:
                    changed[after.id] = after
        if changed:
            self._warnings = MappingProxyType(dict(self._register.warnings))
            self._listeners.tell(tuple(changed.values()))

    def _commit(self, events: Sequence[Event]) -> int:
        rows = [to_row(event) for event in events]
        new = self._journal.commit(PART, self._fence, _NEEDS_NO_UPLINK, events=rows)
        self._catch_up()
        if len(new) < len(rows):
            known = {row.id for row in new}
            missing = next(row.id for row in rows if row.id not in known)
            raise AlertsError(f"the journal holds another step {missing}: it was not taken")
        return len(new)

    def _run(self) -> None:
        pause = _BACK_OFF_S[0]
        while not self._stopping.is_set():
            self._wake.wait(_POLL_S)
            self._wake.clear()
            if self._stopping.is_set():
                return
            try:
                self.run_once()
                self._fault, pause = "", _BACK_OFF_S[0]
            except Fenced as fault:
                self._fault = f"another process has taken over the city's warnings: {fault}"
                _log.error("city_office_fenced", fault=str(fault))
                return
            except Exception as fault:  # noqa: BLE001 - the loop goes on, and says so in its health
                self._fault = f"warnings of the city are not proposed: {fault!r}"
                _log.exception("city_office_failed")
                self._stopping.wait(pause)
                pause = min(2 * pause, _BACK_OFF_S[1])
