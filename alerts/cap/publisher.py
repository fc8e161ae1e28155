"""Issues CAP documents as warnings change: made, checked by our rules, signed, kept, and only then shown.

A document that fails is not published; it is logged and shown in the health, and people are told by the other
channels all the same. The next step of its warning is then issued as if the failed one had not been.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from alerts.board import WarningBoard
from alerts.cap import rules as cap_rules
from alerts.cap.archive import CapArchive
from alerts.cap.document import (
    Basis,
    Document,
    city_document,
    heard,
    identifier,
    notice_document,
    safe_id,
)
from alerts.cap.numbering import due, numbers
from alerts.cap.signature import Signer
from alerts.city.city_warning import CityWarning
from alerts.errors import CapError, TextError
from alerts.event import CityText
from alerts.scale import LANGUAGES
from alerts.texts.text import plain
from alerts.texts.texts import Texts
from alerts.warning import Warning  # noqa: A004 - the field's word, see there
from ingest.health import Health

Notices = Literal["off", "restricted", "public"]

_RENEW_US = 30 * 60_000_000
_POLL_S = 0.5
_STOP_S = 1.9
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """One warning in the feed: its documents, oldest first, at least one."""

    documents: tuple[Document, ...]
    in_force: bool

    @property
    def latest(self) -> Document:
        """The document in force, or the one that ended it."""
        return self.documents[-1]


class CapPublisher:
    """Follows the city's warnings and, where the configuration wants it, the measurement notices.

    `basis` is asked for each document; `public_stations`: ids of those that everyone may see. start()
    and stop() run a thread that issues
    documents without anybody asking for them.
    """

    def __init__(  # noqa: PLR0913 - everything is injected
        self,
        archive: CapArchive,
        basis: Callable[[], Basis],
        city_warnings: Callable[[], Sequence[CityWarning]],
        board: WarningBoard,
        texts: Texts,
        *,
        clock: Callable[[], int],
        public_stations: Callable[[], frozenset[str]] = frozenset,
        signer: Signer | None = None,
        notices: Notices = "restricted",
        drafts: bool = False,
    ) -> None:
        self.archive = archive
        self.basis = basis
        self._city_warnings = city_warnings
        self._board = board
        self._texts = texts
        self.clock = clock
        self._public_stations = public_stations
        self._signer = signer
        self._notices = notices
        self._drafts = drafts
        self._lock = threading.Lock()
        self._listed: tuple[Listed, ...] = ()
        self._changed_us = clock()
        self._failed: dict[str, str] = {}
        self._issued: dict[tuple[str, bool], list[Document]] = {}
        self._fault = Health(ok=True)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cap", daemon=True)

    def start(self) -> None:
        """Issue what happened meanwhile, then follow."""
        self._thread.start()

    def stop(self) -> None:
        """End within 2 s."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    @property
    def health(self) -> Health:
        """Not ok while a document of a listed warning could not be published."""
        if not self._fault.ok:
            return self._fault
        if self._failed:
            name, problem = next(iter(self._failed.items()))
            more = f" and {len(self._failed) - 1} more" if len(self._failed) > 1 else ""
            return Health(ok=False, detail=f"not published: {name}{more}: {problem}")
        if self._signer is not None and self._signer.expired(self.clock()):
            return Health(ok=False, detail="[cap] certificate has ended: renew it")
        return Health(ok=True)

    def listed(self) -> tuple[Listed, ...]:
        """Warnings in force and ended in the last 24 hours that have a document, newest first."""
        self.refresh()
        return self._listed

    @property
    def changed_us(self) -> int:
        """When the list changed last."""
        return self._changed_us

    def document(self, name: str) -> Document | None:
        """A document that was issued at any time; drafts for the control centre too."""
        self.refresh()
        return self.archive.document(name)

    def problem(self, warning: CityWarning, number: int) -> str:
        """Why a step has no draft, "" when nothing is known against it."""
        return self._failed.get(self.name(warning, number, draft=True), "")

    def name(self, warning: CityWarning, number: int, *, draft: bool = False) -> str:
        """The identifier of the document of a step (from 1), whether there is one or not."""
        numbered = numbers(warning, self.archive.of(warning.id, draft=draft))[number - 1]
        return identifier(self.basis().issuer, warning.id, numbered, draft=draft)

    def refresh(self) -> None:
        """Issue what is due. Never raises: what fails is told by the health."""
        with self._lock:
            try:
                self._issue()
                self._fault = Health(ok=True)
            except CapError as fault:
                self._fault = Health(ok=False, detail=str(fault))

    def measured(self, warning: CityWarning) -> list[Warning]:
        """The public notices in force in a warning's areas: what it rests on."""
        areas, public = self.basis().areas, self._public_stations()
        wanted = {area for each in warning.steps for area in each.step.areas}
        return [
            notice
            for notice in self._board.snapshot().in_force
            if notice.audience == "public"
            and notice.exercise == warning.exercise
            and notice.station in public
            and (not wanted or wanted & {area.id for area in areas.of(notice.station)})
        ]

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.refresh()
            except Exception as fault:  # noqa: BLE001 - the thread survives whatever it is
                self._fault = Health(ok=False, detail=f"{type(fault).__name__}: {fault}")
                _log.exception("cap_failed")
            self._stopping.wait(_POLL_S)

    def _issue(self) -> None:
        basis, listed = self.basis(), []
        names: set[str] = set()
        for warning in self._city_warnings():
            if not warning.public:
                continue
            for draft in (False, True) if self._drafts else (False,):
                documents = self._issue_city(warning, basis, names, draft=draft)
                if documents and not draft:
                    listed.append(Listed(tuple(documents), warning.in_force))
        if self._notices != "off":
            listed += self._issue_notices(basis, names)
        kept = {each.latest.warning for each in listed}
        self._issued = {key: each for key, each in self._issued.items() if key[0] in kept}
        self._failed = {name: problem for name, problem in self._failed.items() if name in names}
        listed.sort(key=lambda each: (-each.latest.sent_us, each.latest.identifier))
        if tuple(listed) != self._listed:
            self._listed = tuple(listed)
            self._changed_us = self.clock()

    def _issue_city(
        self, warning: CityWarning, basis: Basis, names: set[str], *, draft: bool
    ) -> list[Document]:
        documents = self._documents(warning.id, draft=draft)
        numbered = [0, *numbers(warning, documents)]
        wanted = due(warning, documents)
        for number, _ in heard(warning):
            name = identifier(basis.issuer, warning.id, numbered[number], draft=draft)
            names.add(name)
            if number not in wanted or name in self._failed:
                continue
            made = city_document(
                warning,
                number,
                documents,
                basis,
                self.measured(warning),
                draft=draft,
                numbered=numbered[number],
            )
            if made is not None and (issued := self._publish(made, draft=draft)):
                documents.append(issued)
        return documents

    def _issue_notices(self, basis: Basis, names: set[str]) -> list[Listed]:
        listed, public, now_us = [], self._notices == "public", self.clock()
        stations = self._public_stations()
        for notice in self._board.snapshot().warnings:
            if notice.audience is None:
                continue
            shown = public and notice.audience == "public" and notice.station in stations
            documents = self._documents(notice.id)
            due = (
                not documents
                or documents[-1].covers < len(notice.history)
                or (notice.in_force and documents[-1].expires_us < now_us + _RENEW_US)
            )
            number = documents[-1].number + 1 if documents else 1
            name = identifier(basis.issuer, notice.id, number)
            names.add(name)
            if due and name not in self._failed:
                made = notice_document(
                    notice, documents, basis, texts=self._said(notice), sent_us=now_us, public=shown
                )
                if made is not None and (issued := self._publish(made, draft=False)):
                    documents.append(issued)
            if documents:
                listed.append(Listed(tuple(documents), notice.in_force))
        return listed

    def _documents(self, warning: str, *, draft: bool = False) -> list[Document]:
        """Issued so far; the list is appended to when the archive has one more."""
        if (warning, draft) not in self._issued:
            self._issued[warning, draft] = self.archive.of(warning, draft=draft)
        return self._issued[warning, draft]

    def _publish(self, made: Document, *, draft: bool) -> Document | None:
        problems = cap_rules.check(made.xml)
        try:
            if not problems and self._signer is not None:
                made = replace(made, xml=self._signer.sign(made.xml))
        except CapError as fault:
            problems = [str(fault)]
        if problems:
            self._failed[made.identifier] = "; ".join(problems)
            _log.error("cap_not_published", identifier=made.identifier, problems=problems)
            return None
        self.archive.keep(made, draft=draft)
        # notices for operators alone come by the dozen in a storm
        say = _log.info if made.scope == "Public" else _log.debug
        say(
            "cap_published", identifier=made.identifier, message=made.message, status=made.status, draft=draft
        )
        return made

    def _said(self, notice: Warning) -> Mapping[str, CityText]:
        said: dict[str, CityText] = {}
        for language in LANGUAGES:
            try:
                text = self._texts.render(notice, language)
            except TextError:
                text = plain(notice)
            said[language] = CityText(text.title, text.body, "")
        return said


def nina_id(document: Document) -> str:
    """The id that all documents of one warning share."""
    return safe_id(document.warning)
