"""One thread per channel: takes the channel's queue in order, repeats what failed, waits for nobody else."""

import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from alerts.delivery.channels import Channel, Outcome
from alerts.delivery.deliveries import Deliveries
from alerts.delivery.delivery import Due
from alerts.delivery.grouping import News, Waiting, due_us, step_of
from alerts.delivery.stages import Delivery, Stage
from alerts.warning import ABOUT_THE_FIRST
from ingest.health import Health

_IDLE_S = 1.0
_FAULT_S = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed attempt is repeated: after `first_s`, doubled each time up to `most_s`, less up to half.

    These seconds are real ones; `give_up_s` is the age of the event by the service's clock.
    """

    first_s: float = 2.0
    most_s: float = 300.0
    give_up_s: float = 86_400.0

    def pause_s(self, attempts: int) -> float:
        """Seconds before the next attempt after this many."""
        pause = min(self.most_s, self.first_s * 2.0 ** min(attempts - 1, 30))
        # spread, so that many deliveries do not all come back in the same moment
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing


@dataclass(slots=True)
class ChannelStats:
    """Attempts since the start, by outcome."""

    sent: int = 0
    refused: int = 0
    unknown: int = 0
    misconfigured: int = 0
    skipped: int = 0


class ChannelWorker:
    """Works off one channel's queue. A step never tried goes first, after the older steps of its episode.

    So an alert does not wait behind what the channel refused, and an episode arrives in its order; an older
    step that fails holds nothing up, and is superseded when a newer one of its episode arrives. Of a warning
    of the city the latest step alone is tried: what stands counts, not how it came about.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything is injected
        self,
        channel: Channel,
        stages: Sequence[Stage],
        deliveries: Deliveries,
        retry: Retry,
        stopping: threading.Event,
        clock: Callable[[], int],
    ) -> None:
        self.channel = channel
        self.stats = ChannelStats()
        self.health = Health(ok=True)
        self._stages = stages
        self._deliveries = deliveries
        self._retry = retry
        self._stopping = stopping
        self._clock = clock
        self._woken = threading.Event()
        self._lock = threading.Lock()
        # event -> (group, monotonic time of its next attempt)
        self._paused: dict[str, tuple[str, float]] = {}
        # monotonic time before which the channel wants nothing at all
        self._held_until = 0.0
        self._thread = threading.Thread(target=self._run, name=f"outbox-{channel.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread after `stopping` was set."""
        self._woken.set()
        self._thread.join(timeout_s)

    def arrived(self, groups: Collection[str]) -> None:
        """There is something new about these episodes or incidents: what is older need not wait longer."""
        with self._lock:
            for event, (group, _) in list(self._paused.items()):
                if group in groups:
                    del self._paused[event]
        self._woken.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                delivery, wait_s = self._next()
                if delivery is not None:
                    self._deliver(delivery)
                    continue
            except Exception as fault:  # noqa: BLE001 - the thread survives whatever it is
                self.health = Health(ok=False, detail=f"{type(fault).__name__}: {fault}")
                wait_s = _FAULT_S
                # a log that cannot be written must not end the thread
                with suppress(OSError, ValueError):
                    _log.exception("channel_worker_failed", channel=self.channel.name)
            self._woken.wait(wait_s)

    def _next(self) -> tuple[Delivery | None, float]:
        held_s = self._held_until - time.monotonic()
        if held_s > 0:
            return None, min(held_s, _IDLE_S)
        queue = self._deliveries.queue(self.channel.name)
        groups = self._groups(queue)
        latest = {entry.group: entry for entry in queue if entry.of_the_city}
        ready = [
            entry
            for entry in queue
            if entry is groups.get(entry.group)
            or (entry.weight is None and latest.get(entry.group, entry) is entry)
        ]
        now = time.monotonic()
        with self._lock:
            waiting = {entry.event for entry in queue}
            self._paused = {event: pause for event, pause in self._paused.items() if event in waiting}
            due = [entry for entry in ready if self._paused.get(entry.event, ("", now))[1] <= now]
            wait_s = min((when - now for _, when in self._paused.values()), default=_IDLE_S)
        fresh = {entry.group for entry in due if entry.attempts == 0}
        due.sort(key=lambda entry: (entry.kind not in ABOUT_THE_FIRST, entry.group not in fresh, entry.seq))
        return (self._delivery(due[0], queue) if due else None), min(max(wait_s, 0.0), _IDLE_S)

    def _groups(self, queue: Sequence[Due]) -> dict[str, Due]:
        """The newest entry of every incident that the channel is to be told of now."""
        heard = self._deliveries.heard(self.channel.name) if any(each.weight for each in queue) else {}
        now = self._clock()
        waiting: dict[str, list[Due]] = {}
        for entry in queue:
            if entry.weight:
                waiting.setdefault(entry.group, []).append(entry)
        return {
            group: entries[-1]
            for group, entries in waiting.items()
            # a clock that was put back must not hold anything up
            if now >= due_us(_waiting(entries), it := heard.get(group)) or (it and now < it.sent_us)
        }

    def _delivery(self, due: Due, queue: Sequence[Due]) -> Delivery:
        # should anything below raise, this one must not come up again at once
        self._pause(due)
        name = self.channel.name
        delivery = Delivery(due, self.channel, self._deliveries.warning(due, name))
        if due.weight is None:
            return delivery
        heard = self._deliveries.heard(name).get(due.group)
        incident = self._deliveries.incidents([due.group]).get(due.group)
        if incident is None:
            # the warning alone is better than nothing
            return replace(delivery, heard=heard)
        step = step_of(_waiting([each for each in queue if each.group == due.group]), heard)
        return replace(delivery, news=News(step, due.event, incident), heard=heard)

    def _deliver(self, delivery: Delivery) -> None:
        due = delivery.due
        for stage in self._stages:
            delivery = stage.run(delivery)
        if delivery.outcome is not None:
            self._note(due, delivery.outcome)

    def _pause(self, due: Due, *, anew: bool = False) -> None:
        """`anew`: not where arrived() has ended its pause meanwhile."""
        with self._lock:
            if anew and due.event not in self._paused:
                return
            pause_s = self._retry.pause_s(due.attempts + 1)
            self._paused[due.event] = (due.group, time.monotonic() + pause_s)

    def _note(self, due: Due, outcome: Outcome) -> None:
        setattr(self.stats, outcome.status, getattr(self.stats, outcome.status) + 1)
        self._held_until = time.monotonic() + outcome.wait_s
        if outcome.status == "skipped":
            return
        if outcome.status == "sent":
            self.health = Health(ok=True)
        else:
            self._pause(due, anew=True)
            self.health = Health(ok=False, detail=f"{outcome.status}: {outcome.detail}")
        with suppress(OSError, ValueError):
            _log.info(
                "delivery",
                channel=self.channel.name,
                event_id=due.event,
                outcome=outcome.status,
                attempt=due.attempts + 1,
                detail=outcome.detail,
            )


def _waiting(entries: Sequence[Due]) -> list[Waiting]:
    return [Waiting(each.kind, each.weight) for each in entries if each.weight]
