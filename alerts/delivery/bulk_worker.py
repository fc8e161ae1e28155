"""The threads of one way: they take recipients off the most urgent mailing, hand over, record."""

import heapq
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from alerts.delivery.bulk import BulkLine, BulkWay, Bulletin, Handed
from alerts.delivery.channel_worker import Retry
from alerts.delivery.mailings import Mailing, Mailings
from alerts.errors import DeliveriesError, MailError
from alerts.scale import ReadIn, rank
from alerts.subscriptions.audiences import Recipient
from alerts.subscriptions.contact import ContactChannel
from alerts.subscriptions.subscriptions import Subscriptions
from ingest.health import Health

PAUSE = Retry(first_s=1.0, most_s=60.0)
"""When a service that cannot be used at all is tried again."""
RETRY = Retry(first_s=5.0, most_s=300.0)
"""When an address that is not taken for now is tried again."""
QUIET_S = 30.0
"""How often it is looked whether quiet hours are over."""
_IDLE_S = 1.0
_RATE_S = 10.0
_STREAK = 50
_log = structlog.get_logger(__name__)

MakeBulletin = Callable[[Mailing, ReadIn], Bulletin]


@dataclass(slots=True)
class BulkStats:
    """Handed over since the start, by outcome (see bulk.Handed)."""

    sent: int = 0
    refused: int = 0
    later: int = 0
    unknown: int = 0
    lost: int = 0


@dataclass(slots=True)
class _Run:
    """A mailing on this way. `pending`: tell now; `later`: (monotonic time, id); `held`: in quiet hours."""

    mailing: Mailing
    planned: bool = False
    planning: bool = False
    pending: deque[int] = field(default_factory=deque)
    later: list[tuple[float, int]] = field(default_factory=list)
    attempts: Counter[int] = field(default_factory=Counter)
    held: set[int] = field(default_factory=set)
    look_s: float = 0.0
    leased: int = 0

    @property
    def urgency(self) -> tuple[int, int]:
        return -rank(self.mailing.severity), self.mailing.id

    @property
    def waiting(self) -> int:
        return len(self.pending) + len(self.later) + len(self.held) + self.leased

    def take(self, count: int, now_s: float) -> list[int]:
        while self.later and self.later[0][0] <= now_s:
            self.pending.append(heapq.heappop(self.later)[1])
        return [self.pending.popleft() for _ in range(min(count, len(self.pending)))]


class BulkWorker:
    """Hands the mailings of one way over, by as many threads as it has lines.

    The more severe mailing goes first, whenever it comes. A mailing begins when nobody is being told of an
    earlier step of its episode any more, so that steps arrive in their order.
    """

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        name: ContactChannel,
        way: BulkWay,
        mailings: Mailings,
        subscriptions: Subscriptions,
        bulletin: MakeBulletin,
        *,
        clock: Callable[[], int],
        stopping: threading.Event,
        pause: Retry = PAUSE,
        retry: Retry = RETRY,
        quiet_s: float = QUIET_S,
    ) -> None:
        self.name = name
        self.stats = BulkStats()
        self._way = way
        self._mailings = mailings
        self._subscriptions = subscriptions
        self._bulletin = bulletin
        self._clock = clock
        self._stopping = stopping
        self._pause = pause
        self._retry = retry
        self._quiet_s = quiet_s
        self._changed = threading.Condition()
        self._runs: dict[int, _Run] = {}
        # episode -> mailings of which somebody is being told at this moment
        self._leases: Counter[tuple[str, int]] = Counter()
        self._until_s = 0.0
        self._failures = 0
        self._fault = ""
        self._streak = 0
        self._rates: deque[tuple[float, int]] = deque()
        self._owed: list[tuple[int, dict[int, Handed | None]]] = []
        # thread -> its connection
        self._lines: dict[str, BulkLine] = {}
        self._threads = [
            threading.Thread(target=self._run, name=f"mass-{name}-{i}", daemon=True) for i in range(way.lines)
        ]

    def start(self) -> None:
        """Take up what a former run left."""
        for mailing in self._mailings.open(self.name):
            self.add(mailing)
        for thread in self._threads:
            thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the threads after `stopping` was set."""
        with self._changed:
            self._changed.notify_all()
        started = [thread for thread in self._threads if thread.ident is not None]
        for share in (0.7, 0.3):
            end = time.monotonic() + share * timeout_s
            for thread in started:
                thread.join(max(0.0, end - time.monotonic()))
            # who still waits for an answer waits no longer, and writes down what it knows
            for line in tuple(self._lines.values()):
                line.close()

    def add(self, mailing: Mailing) -> None:
        """One more mailing; it takes the place of the earlier ones of its episode."""
        with self._changed:
            self._runs = {
                id_: run for id_, run in self._runs.items() if run.mailing.what.id != mailing.what.id
            }
            self._runs[mailing.id] = _Run(mailing)
            self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """Recipients still to be told, held back ones too."""
        with self._changed:
            return sum(run.waiting for run in self._runs.values())

    @property
    def rate(self) -> float:
        """Messages a second that were taken, over the last 10 s."""
        with self._changed:
            since = time.monotonic() - _RATE_S
            return sum(count for at_s, count in self._rates if at_s >= since) / _RATE_S

    @property
    def health(self) -> Health:
        """Not well while the service cannot be used, or takes nothing."""
        with self._changed:
            if self._fault:
                return Health(ok=False, detail=self._fault)
            if self._streak >= _STREAK:
                detail = f"none of the last {self._streak} messages was taken; they are tried again"
                return Health(ok=False, detail=detail)
            return Health(ok=True)

    def _run(self) -> None:
        me = threading.current_thread().name
        while not self._stopping.is_set():
            try:
                run, ids = self._next()
                if run is None:
                    continue
                if not ids:
                    self._plan(run)
                    continue
                line = self._lines.get(me) or self._connected(run, ids)
                if line is not None:
                    self._lines[me] = line
                    self._hand_over(line, run, ids)
            except Exception as fault:  # noqa: BLE001 - the thread survives whatever it is
                if self._stopping.is_set():
                    break
                self._failed(f"{type(fault).__name__}: {fault}", progressed=False)
                with suppress(OSError, ValueError):
                    _log.exception("mass_mail_failed", way=self.name)
        if me in self._lines:
            self._lines[me].close()

    def _next(self) -> tuple[_Run | None, Sequence[int]]:
        """Whom to tell of what; nobody: a mailing to be planned; None: nothing now, after a wait."""
        with self._changed:
            now_s = time.monotonic()
            if self._until_s > now_s:
                self._changed.wait(min(_IDLE_S, self._until_s - now_s))
                return None, ()
            over: list[_Run] = []
            try:
                for run in sorted(self._runs.values(), key=lambda each: each.urgency):
                    if self._over(run):
                        over.append(run)
                    elif run.planning or self._earlier(run.mailing):
                        continue
                    elif not run.planned or (run.held and run.look_s <= now_s):
                        run.planning = True
                        return run, ()
                    elif ids := run.take(self._way.batch, now_s):
                        run.leased += len(ids)
                        self._leases[run.mailing.what.id, run.mailing.id] += 1
                        return run, ids
            finally:
                for run in over:
                    self._close(run)
            due_s = min(
                (run.later[0][0] for run in self._runs.values() if run.later), default=now_s + _IDLE_S
            )
            self._changed.wait(min(_IDLE_S, max(due_s - now_s, 0.001)))
            return None, ()

    def _earlier(self, mailing: Mailing) -> bool:
        return any(
            count and episode == mailing.what.id and id_ < mailing.id
            for (episode, id_), count in self._leases.items()
        )

    def _over(self, run: _Run) -> bool:
        if run.leased or run.planning:
            return False
        return (run.planned and not run.waiting) or self._clock() >= run.mailing.until_us

    def _close(self, run: _Run) -> None:
        self._mailings.end(run.mailing.id, self.name, "expired" if run.waiting or not run.planned else "done")
        if self._runs.get(run.mailing.id) is run:
            del self._runs[run.mailing.id]

    def _plan(self, run: _Run) -> None:
        mailing = run.mailing
        try:
            if mailing.ends:
                heard = self._mailings.told(mailing.what.id)
                found = self._subscriptions.audiences.of_end(mailing.what, self.name, heard, self._clock())
            else:
                found = self._subscriptions.audiences.of(mailing.what, self.name, self._clock())
            if run.planned:
                with self._changed:
                    woken = [id_ for id_ in found.told if id_ in run.held]
                    run.pending.extend(woken)
                    run.held.difference_update(woken)
                return
            handled = self._mailings.handled(mailing.id)
            self._mailings.wanted(mailing.id, self.name, len(handled.union(found.told, found.held)))
            with self._changed:
                run.pending.extend(id_ for id_ in found.told if id_ not in handled)
                run.held.update(id_ for id_ in found.held if id_ not in handled)
                run.planned = True
        finally:
            with self._changed:
                run.planning = False
                run.look_s = time.monotonic() + self._quiet_s
                self._changed.notify_all()

    def _connected(self, run: _Run, ids: Sequence[int]) -> BulkLine | None:
        try:
            return self._way.connect()
        except MailError as fault:
            self._failed(str(fault), progressed=False)
            self._done(run, dict.fromkeys(ids))
            return None

    def _hand_over(self, line: BulkLine, run: _Run, ids: Sequence[int]) -> None:
        outcomes: dict[int, Handed | None] = dict.fromkeys(ids)
        fault = ""
        try:
            recipients = self._subscriptions.audiences.opened(ids)
            gone = set(ids).difference(each.id for each in recipients)
            for id_ in gone:  # left in the meantime
                del outcomes[id_]
            self._begin(run.mailing.id, list(outcomes))
            for language, group in _by_language(recipients):
                line.send(self._bulletin(run.mailing, language), group, outcomes.__setitem__)
        except MailError as error:
            fault = str(error)
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
            raise
        finally:
            progressed = "sent" in outcomes.values()
            if fault:
                self._failed(fault, progressed=progressed)
            elif progressed:
                self._well()
            self._record(run.mailing.id, outcomes)
            self._done(run, outcomes, len(ids))

    def _begin(self, mailing: int, ids: Sequence[int]) -> None:
        try:
            self._mailings.begin(mailing, ids)
        except DeliveriesError:
            # a full disk must not swallow a warning: a repetition after a crash beats a loss
            with suppress(OSError, ValueError):
                _log.exception("mass_mail_begin_not_recorded", way=self.name)

    def _record(self, mailing: int, outcomes: dict[int, Handed | None]) -> None:
        with self._changed:
            owed, self._owed = [*self._owed, (mailing, outcomes)], []
        while owed:
            try:
                self._mailings.record(owed[0][0], self.name, owed[0][1], self._clock())
            except DeliveriesError:
                with suppress(OSError, ValueError):
                    _log.exception("mass_mail_not_recorded", way=self.name)
                with self._changed:
                    self._owed = [*owed, *self._owed]
                return
            owed.pop(0)

    def _done(self, run: _Run, outcomes: dict[int, Handed | None], leased: int | None = None) -> None:
        now_s = time.monotonic()
        with self._changed:
            run.leased -= len(outcomes) if leased is None else leased
            key = (run.mailing.what.id, run.mailing.id)
            self._leases[key] -= 1
            if not self._leases[key]:
                del self._leases[key]
            for id_, outcome in outcomes.items():
                if outcome is None:
                    run.pending.append(id_)
                    continue
                setattr(self.stats, outcome, getattr(self.stats, outcome) + 1)
                self._streak = self._streak + 1 if outcome in {"later", "unknown"} else 0
                if outcome in {"later", "unknown"}:
                    run.attempts[id_] += 1
                    pause_s = self._retry.pause_s(run.attempts[id_])
                    heapq.heappush(run.later, (now_s + pause_s, id_))
            self._rates.append((now_s, list(outcomes.values()).count("sent")))
            while self._rates[0][0] < now_s - _RATE_S:
                self._rates.popleft()
            self._changed.notify_all()

    def _failed(self, fault: str, *, progressed: bool) -> None:
        """The service cannot be used: all wait, unless this connection has just worked."""
        with self._changed:
            self._fault = "" if progressed else fault
            if progressed:
                self._failures = 0
            elif self._until_s <= time.monotonic():  # else another line has found out already
                self._failures += 1
                self._until_s = time.monotonic() + self._pause.pause_s(self._failures)
        with suppress(OSError, ValueError):
            _log.warning("mass_mail_interrupted", way=self.name, fault=fault, failures=self._failures)

    def _well(self) -> None:
        with self._changed:
            self._failures, self._fault = 0, ""


def _by_language(recipients: Sequence[Recipient]) -> list[tuple[ReadIn, list[Recipient]]]:
    groups: dict[ReadIn, list[Recipient]] = {}
    for each in recipients:
        groups.setdefault(each.language, []).append(each)
    return list(groups.items())
