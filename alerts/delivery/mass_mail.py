"""Tells residents who subscribed: every step that the public is to know becomes a mailing to thousands.

A thread reads the journal's events; each way (e-mail, SMS, ...) has threads of its own that hand over. What
stands in mailings.db survives every end of the process.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from alerts.city.city_warning import CityWarning
from alerts.city.city_warning import fold as fold_city
from alerts.delivery.bulk import BulkWay, Bulletin
from alerts.delivery.bulk_worker import PAUSE, QUIET_S, RETRY, BulkStats, BulkWorker
from alerts.delivery.channel_worker import Retry
from alerts.delivery.city_messages import PUBLIC, told_as
from alerts.delivery.mailing_texts import MailingTexts
from alerts.delivery.mailings import Mailing, Mailings, MailingSummary, NewMailing
from alerts.delivery.replaced_journal import replaced
from alerts.event import PREEMPTED, Event, from_row
from alerts.scale import ReadIn, rank
from alerts.subscriptions.contact import ContactChannel
from alerts.subscriptions.mail_queue import DAY_US
from alerts.subscriptions.subscriptions import Subscriptions
from alerts.warning import Warning, as_public, fold  # noqa: A004 - the field's word, see there
from ingest.health import Health
from ingest.journal import EventRow, Journal

DEFAULT_RECEIPTS_DAYS = 14
MOST_AGE_US = DAY_US
"""After so long nobody is told of a step any more."""
_PAGE = 500
_POLL_S = 0.5
_FAULT_S = 1.0
_STOP_S = 1.9
_PRUNE_S = 3600.0
_BULLETINS = 64
_ENDS = frozenset({"clear", "all_clear", "cancel", "expire"})
_log = structlog.get_logger(__name__)

OpenWays = Callable[[threading.Event], Mapping[ContactChannel, BulkWay]]


class MassMail:
    """Tells every subscriber of a step by the channel they chose.

    `path`: mailings.db beside the journal. `ways` is given the event that says that the service stops. Raises
    DeliveriesError for the file.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - everything is injected
        self,
        journal: Journal,
        path: Path,
        subscriptions: Subscriptions,
        texts: MailingTexts,
        ways: OpenWays,
        clock: Callable[[], int],
        *,
        receipts_days: int = DEFAULT_RECEIPTS_DAYS,
        pause: Retry = PAUSE,
        retry: Retry = RETRY,
        quiet_s: float = QUIET_S,
    ) -> None:
        self._journal = journal
        self._texts = texts
        self._clock = clock
        self._receipts_us = receipts_days * DAY_US
        self._stopping = threading.Event()
        self._woken = threading.Event()
        self._fault = ""
        self._pruned_s = float("-inf")
        self._bulletins: dict[tuple[int, ReadIn], Bulletin] = {}
        self._mailings = Mailings(path)
        self._workers = [
            BulkWorker(
                name,
                way,
                self._mailings,
                subscriptions,
                self._bulletin,
                clock=clock,
                stopping=self._stopping,
                pause=pause,
                retry=retry,
                quiet_s=quiet_s,
            )
            for name, way in ways(self._stopping).items()
        ]
        self._thread = threading.Thread(target=self._run, name="mass-mail", daemon=True)

    def start(self) -> None:
        """Take up what a former run left, then follow the journal."""
        self._find_position()
        if interrupted := self._mailings.recover():
            _log.warning("mailings_interrupted", recipients=interrupted)
        for worker in self._workers:
            worker.start()
        self._thread.start()

    def stop(self) -> None:
        """End within 2 s; whoever has no receipt is told after the next start."""
        self._stopping.set()
        self._woken.set()
        end = time.monotonic() + _STOP_S
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        for worker in self._workers:
            worker.join(max(0.0, end - time.monotonic()))
        self._mailings.close()

    def wake(self) -> None:
        """There are new events; callable from any thread, returns at once."""
        self._woken.set()

    @property
    def health(self) -> Mapping[str, Health]:
        """The reader and each way by its name."""
        return {
            "mass_mail": Health(not self._fault, self._fault),
            **{f"mass_mail {worker.name}": worker.health for worker in self._workers},
        }

    @property
    def stats(self) -> Mapping[ContactChannel, BulkStats]:
        """By way, since the start."""
        return {worker.name: worker.stats for worker in self._workers}

    @property
    def waiting(self) -> Mapping[ContactChannel, int]:
        """Recipients still to be told, by way."""
        return {worker.name: worker.waiting for worker in self._workers}

    @property
    def rates(self) -> Mapping[ContactChannel, float]:
        """Messages a second that were taken lately, by way."""
        return {worker.name: worker.rate for worker in self._workers}

    def summaries(self, limit: int = 100, before: int | None = None) -> Sequence[MailingSummary]:
        """Mailings and how far they are, newest first; `before`: the id to go on from."""
        return self._mailings.summaries(limit, before)

    def _find_position(self) -> None:
        if replaced(self._journal, self._mailings.position()):
            self._mailings.rewind()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                more = self._read()
                if time.monotonic() - self._pruned_s >= _PRUNE_S:
                    self._mailings.prune(self._clock() - self._receipts_us)
                    self._pruned_s = time.monotonic()
                self._fault = ""
            except Exception as fault:  # noqa: BLE001 - the thread survives whatever it is
                self._fault = f"{type(fault).__name__}: {fault}"
                with suppress(OSError, ValueError):
                    _log.exception("mass_mail_failed")
                self._stopping.wait(_FAULT_S)
                continue
            if not more:
                self._woken.wait(_POLL_S)

    def _read(self) -> bool:
        """One page of events into mailings; True when there may be more."""
        page = self._journal.events(self._mailings.position()[0], _PAGE)
        if not page:
            return False
        events = [event for _, row in page if (event := _readable(row)) is not None]
        known = self._mailings.episodes({each.episode for each in events})
        new, changed = steps(events, known)
        last, row = page[-1]
        names = [worker.name for worker in self._workers]
        made = self._mailings.expand((last, row.id), new, changed, names, self._clock())
        for mailing in made:
            for worker in self._workers:
                worker.add(mailing)
        return len(page) == _PAGE

    def _bulletin(self, mailing: Mailing, language: ReadIn) -> Bulletin:
        key = (mailing.id, language)
        known = self._bulletins.get(key)
        if known is None:
            known = self._texts.bulletin(mailing, language)
            # threads may render it twice; that is all that can happen
            if len(self._bulletins) >= _BULLETINS:
                self._bulletins = {}
            self._bulletins[key] = known
        return known


def steps(
    events: Sequence[Event], known: Mapping[str, Warning | CityWarning]
) -> tuple[list[NewMailing], dict[str, Warning | CityWarning]]:
    """What residents are to be told of, oldest first, and the episodes that changed."""
    new: list[NewMailing] = []
    changed: dict[str, Warning | CityWarning] = {}
    for event in events:
        before = changed.get(event.episode) or known.get(event.episode)
        after: Warning | CityWarning | None
        if event.city is not None:
            if isinstance(before, Warning):
                continue
            after = fold_city(before, event)
        elif isinstance(before, CityWarning):
            continue
        else:
            after = fold(before, event)
        if after is None or after is before:
            continue
        changed[event.episode] = after
        made = _city_step(after, event) if isinstance(after, CityWarning) else _notice_step(after, event)
        if made is not None:
            new.append(made)
    return new, changed


def _city_step(warning: CityWarning, event: Event) -> NewMailing | None:
    """None for what only staff know of: proposals, what was declined, exercises."""
    if event.city is None or told_as(warning) not in PUBLIC or not warning.public or warning.exercise:
        return None
    ends = warning.ended_us is not None
    said = [each.step.severity for each in warning.steps if each.step.action in {"release", "update"}]
    until_us = event.time_us + MOST_AGE_US if ends else warning.valid_until_us
    severity = max(said, key=rank)
    return NewMailing(event.id, event.city.action, ends, severity, event.time_us, until_us, warning)


def _notice_step(warning: Warning, event: Event) -> NewMailing | None:
    """None for what the public does not know of."""
    if warning.exercise or event.reason == PREEMPTED:
        return None
    public = as_public(warning)
    if public is None or public.history[-1].event != event.id:
        return None
    ends = event.kind in _ENDS
    until_us = event.time_us + MOST_AGE_US
    return NewMailing(event.id, event.kind, ends, public.peak_severity, event.time_us, until_us, public)


def _readable(row: EventRow) -> Event | None:
    try:
        return from_row(row)
    except msgspec.DecodeError as fault:
        with suppress(OSError, ValueError):
            _log.error("event_unreadable", event_id=row.id, fault=str(fault))
        return None
