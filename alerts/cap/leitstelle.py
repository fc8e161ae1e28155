"""Hands each step of a warning over to the control centre: into a folder, by e-mail, by HTTP; once, durably.

Each place has its own thread and queue in cap.db: one that hangs does not delay another. A step that failed
is tried again before the next one goes, so that the steps arrive in their order.
"""

import base64
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import structlog
import urllib3

from alerts.cap import lagemeldung
from alerts.cap.archive import CapArchive, HandOver, HandOverStatus, Report
from alerts.cap.document import Basis, safe_id, told_by
from alerts.cap.publisher import CapPublisher
from alerts.city.city_warning import CityWarning
from alerts.delivery.channels import AppriseSender, Channel
from alerts.errors import AlertsConfigError, CapError
from alerts.texts.text import Text
from devices.errors import Fault
from ingest.health import Health

_REFUSALS = frozenset({400, 406, 409, 413, 415, 422})
_PATIENCE = 5
"""So often a report that is refused is tried before the later ones go on without it."""
MOST_AGE_US = 24 * 3600 * 1_000_000
"""What could not be handed over for so long is told no more, but for what still holds, and for the end of
what a place was told."""
_ENDS = frozenset({"all_clear", "cancel", "expire"})
_POLL_S = 0.5
_STOP_S = 1.9
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt; "" when it was taken, else why not. `refused`: this report, not the way."""

    problem: str = ""
    refused: bool = False


class Place(Protocol):
    """Somewhere a report goes."""

    name: str

    def give(self, report: Report, stopping: threading.Event, /) -> Outcome:
        """Hand one report over. Never raises; returns soon once `stopping` is set."""


class Folder:
    """Files in a folder that the control centre watches: the page as text and PDF, the CAP draft.

    The draft comes last and whole, so that who waits for it finds the page beside it.
    """

    def __init__(self, folder: Path) -> None:
        self.name = "folder"
        self._folder = folder

    def give(self, report: Report, _: threading.Event, /) -> Outcome:
        """Hand one report over; again means the same files."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for name, content in _files(report):
                _write(self._folder / name, content)
        except OSError as fault:
            return Outcome(f"{fault.strerror or fault}")
        return Outcome()


class Mail:
    """An e-mail through an apprise address, with the page and the draft attached."""

    def __init__(self, url: str) -> None:
        self.name = "mail"
        self._sender = AppriseSender(Channel("leitstelle", url))

    def give(self, report: Report, stopping: threading.Event, /) -> Outcome:
        """Hand one report over."""
        try:
            with tempfile.TemporaryDirectory(prefix="lagemeldung-", ignore_cleanup_errors=True) as folder:
                files = [Path(folder) / name for name, _ in _files(report)]
                for file, (_, content) in zip(files, _files(report), strict=True):
                    file.write_bytes(content)
                text = Text(report.title, report.text)
                outcome = self._sender.send(text, warns=True, stopping=stopping, attach=files)
        except OSError as fault:
            return Outcome(f"{fault.strerror or fault}")
        return Outcome("" if outcome.status == "sent" else f"{outcome.status}: {outcome.detail}")


class Post:
    """An HTTP POST of one JSON object: text as it is, PDF and CAP draft in base64.

    The header Idempotency-Key is the step: who has it already need not take it again.
    """

    def __init__(self, url: str, token: str = "", timeout_s: float = 20.0) -> None:
        self.name = "http"
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            remedy = "write https://host/path"
            raise AlertsConfigError(Fault("[leitstelle]", "url", "is no address", remedy))
        self._url = url
        self._headers = {"Content-Type": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(timeout=timeout_s, retries=False)

    def give(self, report: Report, _: threading.Event, /) -> Outcome:
        """Hand one report over; taken when the answer is 2xx."""
        body = {
            "id": report.event,
            "title": report.title,
            "text": report.text,
            "pdf": base64.b64encode(report.pdf).decode(),
            "cap": base64.b64encode(report.cap).decode() or None,
        }
        headers = {**self._headers, "Idempotency-Key": safe_id(report.event)}
        try:
            answer = self._pool.request("POST", self._url, json=body, headers=headers)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
            return Outcome(type(fault).__name__)
        taken = answer.status // 100 == 2  # noqa: PLR2004 - 2xx
        return Outcome("" if taken else f"answered {answer.status}", answer.status in _REFUSALS)


class Leitstelle:
    """Follows the city's warnings and hands every reported step to every place.

    `pauses_s`: how long to wait after the first, second ... failed attempt; the last one goes on. start() and
    stop() once each.
    """

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        publisher: CapPublisher,
        basis: Callable[[], Basis],
        city_warnings: Callable[[], Sequence[CityWarning]],
        places: Sequence[Place],
        *,
        clock: Callable[[], int],
        timezone: str,
        pauses_s: Sequence[float] = (2.0, 5.0, 15.0, 30.0, 60.0),
    ) -> None:
        self._publisher = publisher
        self._archive: CapArchive = publisher.archive
        self._basis = basis
        self._city_warnings = city_warnings
        self._places = places
        self._clock = clock
        self._timezone = timezone
        self._pauses_s = pauses_s
        self._stopping = threading.Event()
        self._fault = Health(ok=True)
        self._by_place: dict[str, Health] = {each.name: Health(ok=True) for each in places}
        self._threads = [
            threading.Thread(target=self._collect, name="leitstelle", daemon=True),
            *(
                threading.Thread(
                    target=self._serve, args=(each,), name=f"leitstelle-{each.name}", daemon=True
                )
                for each in places
            ),
        ]

    def start(self) -> None:
        """Take up what a former run left, then follow."""
        if self._places:
            for each in self._threads:
                each.start()

    def stop(self) -> None:
        """End within 2 s; what is under way is repeated at the next start."""
        self._stopping.set()
        for each in self._threads:
            if each.ident is not None:
                each.join(_STOP_S / len(self._threads))

    @property
    def health(self) -> Mapping[str, Health]:
        """Each place by its last attempt."""
        return {name: health if self._fault.ok else self._fault for name, health in self._by_place.items()}

    def report(self) -> None:
        """Queue the steps that are not yet. Raises CapError."""
        self._publisher.refresh()
        for warning in self._city_warnings():
            for number, decided in lagemeldung.reported(warning):
                if not self._archive.reported(decided.event):
                    self._archive.hand_over(
                        self._report(warning, number), [each.name for each in self._places], self._clock()
                    )

    def _report(self, warning: CityWarning, number: int) -> Report:
        decided, basis = warning.steps[number - 1], self._basis()
        draft = next(
            (each for each in self._archive.of(warning.id, draft=True) if each.step == told_by(decided)), None
        )
        situation = lagemeldung.Situation(
            warning=warning,
            decided=decided,
            measured=self._publisher.measured(warning),
            draft=draft.identifier if draft else "",
            problem=self._publisher.problem(warning, number),
            timezone=self._timezone,
        )
        return Report(
            event=decided.event,
            name=self._publisher.name(warning, number),
            title=lagemeldung.title(situation, basis),
            text=lagemeldung.text(situation, basis),
            pdf=lagemeldung.pdf(situation, basis),
            cap=draft.xml if draft else b"",
        )

    def _collect(self) -> None:
        while not self._stopping.is_set():
            try:
                self.report()
                self._fault = Health(ok=True)
            except Exception as fault:  # noqa: BLE001 - the thread survives whatever it is
                self._fault = Health(ok=False, detail=f"{type(fault).__name__}: {fault}")
                with suppress(OSError, ValueError):
                    _log.exception("leitstelle_failed")
            self._stopping.wait(_POLL_S)

    def _serve(self, place: Place) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                given = self._give(place)
            except CapError as fault:
                given = False
                self._by_place[place.name] = Health(ok=False, detail=str(fault))
            if given is None:
                self._stopping.wait(_POLL_S)
                continue
            failures = 0 if given else failures + 1
            if failures:
                self._stopping.wait(self._pauses_s[min(failures, len(self._pauses_s)) - 1])

    def _give(self, place: Place) -> bool | None:
        """One attempt: whether it was taken, None when nothing waits."""
        waiting = self._archive.next_for(place.name)
        if waiting is None:
            return None
        entry, report = waiting
        if self._outlived(entry):
            problem = "given up: too old"
            self._archive.note(entry, "failed", problem, self._clock())
            with suppress(OSError, ValueError):
                _log.warning("hand_over", place=place.name, report=report.name, problem=problem)
            return True
        outcome = place.give(report, self._stopping)
        taken = not outcome.problem
        given_up = outcome.refused and entry.attempts + 1 >= _PATIENCE
        status: HandOverStatus = "sent" if taken else "failed" if given_up else "pending"
        self._archive.note(entry, status, outcome.problem, self._clock())
        detail = "" if taken else f"{report.name}: {outcome.problem}"
        self._by_place[place.name] = Health(ok=taken, detail=detail)
        with suppress(OSError, ValueError):
            _log.info("hand_over", place=place.name, report=report.name, problem=outcome.problem)
        return taken

    def _outlived(self, entry: HandOver) -> bool:
        if self._clock() - entry.created_us <= MOST_AGE_US:
            return False
        warnings = [each for each in self._city_warnings() if each.in_force]
        if any(step.event == entry.event for each in warnings for step in each.steps):
            return False
        # an event of the office is named warning.number.action
        warning, _, action = entry.event.rsplit(".", 2)
        told = {each.rsplit(".", 2)[0] for each in self._archive.taken(entry.place)}
        return action not in _ENDS or warning not in told


def _files(report: Report) -> list[tuple[str, bytes]]:
    files = [(f"{report.name}.txt", report.text.encode()), (f"{report.name}.pdf", report.pdf)]
    return [*files, (f"{report.name}.cap.xml", report.cap)] if report.cap else files


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all: who watches the folder must not read half a file."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o640)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
