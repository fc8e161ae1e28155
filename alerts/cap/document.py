"""Warnings as CAP 1.2 documents (OASIS Common Alerting Protocol, 1 July 2010), the city's own.

One document for each step that the public heard of: Alert on the release, Update on every change, Update with
responseType AllClear at the end, Cancel for what was wrong. A warning that expires ends by its `expires`.
Sections of the standard are named as "CAP 3.2.2".
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from xml.etree import ElementTree as ET

from alerts.areas import Area, Areas
from alerts.cap import words as cap_words
from alerts.cap.polygon import polygons
from alerts.city.city_warning import CityWarning, Decided
from alerts.city.register import RULE, signed_by
from alerts.event import CityStep, CityText, Severity
from alerts.scale import Language, Scale
from alerts.warning import Warning  # noqa: A004 - the field's word, see there

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
AFTER_END_US = 30 * 60_000_000
"""How long an all-clear or a cancellation itself is in force."""
NOTICE_US = 2 * 3600 * 1_000_000
"""How long a measurement notice is in force: nobody says until when."""

Status = Literal["Actual", "Exercise", "Test", "Draft"]
Scope = Literal["Public", "Restricted"]
Message = Literal["Alert", "Update", "Cancel"]

_SECOND_US = 1_000_000
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
# what XML 1.0 cannot hold, whatever a person pasted
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who issues. `sender`: unique, without spaces and commas, such as warnung@stadt.example; `languages` in
    the order of the blocks; `ars`: twelve digits, "" unknown."""  # noqa: D205, D209 - one thought

    sender: str
    name: str
    city: str
    ars: str = ""
    contact: str = ""
    web: str = ""
    languages: tuple[str, ...] = ("de", "en")


@dataclass(frozen=True, slots=True)
class Document:
    """One issued document. `warning`: the id of what it is about; `number`: its place among that one's
    documents; `covers`: how many steps of the warning it tells; `step`: of told_by(), "" of a notice. Times
    µs since the epoch, UTC, whole seconds. `hazards`: words of cap_words.HAZARDS."""  # noqa: D205, D209 - one thought

    identifier: str
    warning: str
    number: int
    covers: int
    sender: str
    status: Status
    message: Message
    scope: Scope
    sent_us: int
    expires_us: int
    ends: bool
    hazards: tuple[str, ...]
    xml: bytes
    step: str = ""

    @property
    def reference(self) -> str:
        """As a later document names it (CAP 3.2.1, references)."""
        return f"{self.sender},{self.identifier},{stamp(self.sent_us)}"


@dataclass(frozen=True, slots=True)
class Basis:
    """What documents are made from beside the warning: the areas, the scale's words, stations' names."""

    issuer: Issuer
    areas: Areas
    scale: Scale
    places: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Info:
    """What one document says, the same in every language but for the texts."""

    ends: bool
    severity: Severity
    hazards: tuple[str, ...]
    expected: bool
    onset_us: int
    expires_us: int
    areas: tuple[Area | str, ...]
    texts: Mapping[str, CityText]
    measured: Sequence[Warning]
    exercise: bool
    response: str
    urgency: str
    certainty: str
    by: str = ""


def stamp(time_us: int) -> str:
    """A time as CAP 1.2 wants it: whole seconds, UTC as -00:00 (CAP 3.3.2)."""
    moment = datetime.fromtimestamp(time_us // _SECOND_US, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S-00:00")


def safe_id(text: str) -> str:
    """An id of ours as it may stand in an identifier and in an address: no spaces, commas, < and &."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", text)
    return plain if plain == text else f"{plain}-{zlib.crc32(text.encode()):08x}"


def identifier(issuer: Issuer, warning: str, number: int, *, draft: bool = False) -> str:
    """The city's own numbering: ARS (or sender), the warning, its step."""
    whose = issuer.ars or safe_id(issuer.sender)
    return f"stadtfunk.{whose}.{safe_id(warning)}.{number}{'.draft' if draft else ''}"


def heard(warning: CityWarning) -> Iterator[tuple[int, Decided]]:
    """The steps that the public heard of and a document tells, with their numbers (from 1)."""
    released = False
    for number, each in enumerate(warning.steps, 1):
        released = released or each.step.action == "release"
        if released and each.step.action in {"release", "update", "all_clear", "cancel"}:
            yield number, each


def told_by(decided: Decided) -> str:
    """What tells a step from any other, of a journal that was set back too."""
    return f"{decided.event}@{decided.time_us}"


def city_document(  # noqa: PLR0913 - a step, what went before, what it rests on
    warning: CityWarning,
    number: int,
    before: Sequence[Document],
    basis: Basis,
    measured: Sequence[Warning] = (),
    *,
    draft: bool = False,
    numbered: int = 0,
) -> Document | None:
    """The document of one step (from 1) of heard(); None for the end of what was never issued.

    `before`: the documents already issued of this warning, oldest first. `measured`: the notices that it
    rests on. `draft`: for the control centre, not for the public. `numbered`: its number where it is not the
    step's.
    """
    decided = warning.steps[number - 1]
    step, action = decided.step, decided.step.action
    ends = action in {"all_clear", "cancel"}
    if ends and not before:
        return None
    in_force = step if not ends else _last_in_force(warning, number)
    hazards = _hazards(measured) or (before[-1].hazards if before else ())
    message: Message = "Cancel" if action == "cancel" else "Update" if before else "Alert"
    # a clock that was set back must not keep an update from its readers
    sent_us = max(decided.time_us, before[-1].sent_us if before else 0)
    expected = bool(measured) and all(each.measure in cap_words.EXPECTED for each in measured)
    info = _Info(
        ends=ends,
        severity="Minor" if ends else step.severity,
        hazards=hazards,
        expected=expected,
        onset_us=warning.released_us or sent_us,
        expires_us=sent_us + AFTER_END_US if ends else step.valid_until_us,
        areas=_areas(in_force.areas, basis.areas),
        texts=_texts(step, in_force),
        measured=() if ends else measured,
        exercise=warning.exercise,
        response={"all_clear": "AllClear", "cancel": "None"}.get(action, _RESPONSE[step.severity]),
        urgency="Past" if ends else "Expected" if expected else "Immediate",
        certainty="Observed" if ends or (measured and not expected) else "Likely",
        by=signed_by(warning.steps[:number]),
    )
    status: Status = "Exercise" if warning.exercise else "Draft" if draft else "Actual"
    return _document(
        basis,
        info,
        Heading(
            warning=warning.id,
            number=numbered or number,
            covers=number,
            status=status,
            message=message,
            scope="Restricted" if draft else "Public",
            sent_us=sent_us,
            incident=warning.incident,
            note=_note(warning, action, draft=draft),
            restriction=cap_words.DRAFT if draft else "",
            draft=draft,
            step=told_by(decided),
        ),
        before,
    )


_RESPONSE: Mapping[Severity, str] = {
    "Minor": "Monitor",
    "Moderate": "Prepare",
    "Severe": "Avoid",
    "Extreme": "Avoid",
}
"""CAP 3.2.2, responseType; what exactly to do stands in the instruction."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above the info blocks."""

    warning: str
    number: int
    covers: int
    status: Status
    message: Message
    scope: Scope
    sent_us: int
    incident: str = ""
    note: str = ""
    restriction: str = ""
    draft: bool = False
    step: str = ""


def notice_document(  # noqa: PLR0913 - a notice, what went before, who may read it
    notice: Warning,
    before: Sequence[Document],
    basis: Basis,
    *,
    texts: Mapping[str, CityText],
    sent_us: int,
    public: bool = False,
) -> Document | None:
    """A measurement notice as it stands: status Test and scope Restricted, or a public observation.

    Never an all-clear: falling values send nobody back into a cellar. In force for NOTICE_US unless it is
    issued again. None for the end of what was never issued.
    """
    ends = not notice.in_force
    if ends and not before:
        return None
    here = basis.areas.of(notice.station)
    info = _Info(
        ends=ends,
        severity=notice.severity,
        hazards=_hazards([notice]),
        expected=notice.measure in cap_words.EXPECTED,
        onset_us=notice.raised_us,
        expires_us=sent_us + (AFTER_END_US if ends else NOTICE_US),
        areas=here,
        texts=texts,
        measured=[notice],
        exercise=notice.exercise,
        response="None" if ends else "Monitor",
        # a value and no decision: nobody says how soon to act
        urgency="Past" if ends else "Unknown",
        certainty="Likely" if notice.measure in cap_words.EXPECTED else "Observed",
    )
    status: Status = "Exercise" if notice.exercise else "Actual" if public else "Test"
    heading = Heading(
        warning=notice.id,
        number=before[-1].number + 1 if before else 1,
        covers=len(notice.history),
        status=status,
        message="Update" if before else "Alert",
        scope="Public" if public else "Restricted",
        sent_us=sent_us,
        note=cap_words.NOTICE,
        restriction="" if public else cap_words.RESTRICTED,
    )
    return _document(basis, info, heading, before)


def _document(basis: Basis, info: _Info, heading: Heading, before: Sequence[Document]) -> Document:
    issuer = basis.issuer
    name = identifier(issuer, heading.warning, heading.number, draft=heading.draft)
    root = ET.Element("alert", xmlns=NAMESPACE)
    _add(root, "identifier", name)
    _add(root, "sender", issuer.sender)
    _add(root, "sent", stamp(heading.sent_us))
    _add(root, "status", heading.status)
    _add(root, "msgType", heading.message)
    _add(root, "scope", heading.scope)
    _add(root, "restriction", heading.restriction)
    _add(root, "note", heading.note)
    _add(root, "references", " ".join(each.reference for each in active(before, heading.sent_us)))
    _add(root, "incidents", safe_id(heading.incident) if heading.incident else "")
    for language in _languages(issuer, info.texts):
        _info(root, language, info, basis)
    return Document(
        identifier=name,
        warning=heading.warning,
        number=heading.number,
        covers=heading.covers,
        sender=issuer.sender,
        status=heading.status,
        message=heading.message,
        scope=heading.scope,
        sent_us=heading.sent_us // _SECOND_US * _SECOND_US,
        expires_us=info.expires_us // _SECOND_US * _SECOND_US,
        ends=info.ends,
        hazards=info.hazards,
        xml=ET.tostring(root, encoding="utf-8", xml_declaration=True),
        step=heading.step,
    )


def active(before: Sequence[Document], at_us: int) -> Sequence[Document]:
    """Predecessors that have not expired; the last one when all have, so that the thread does not break."""
    return [each for each in before if each.expires_us > at_us] or before[-1:]


def _info(root: ET.Element, language: str, info: _Info, basis: Basis) -> None:
    issuer, text = basis.issuer, info.texts[language]
    words = cap_words.WORDS["de" if language.startswith("de") else "en"]
    block = ET.SubElement(root, "info")
    _add(block, "language", cap_words.TAGS.get(language, language))
    # CAP 3.2.2 lists floods under Met ("Meteorological (inc. flood)"), landslides under Geo
    _add(block, "category", "Met" if info.hazards else "Safety")
    _add(block, "event", words.event(info.hazards))
    _add(block, "responseType", info.response)
    _add(block, "urgency", info.urgency)
    _add(block, "severity", info.severity)
    _add(block, "certainty", info.certainty)
    _add(block, "onset", stamp(info.onset_us))
    _add(block, "expires", stamp(info.expires_us))
    _add(block, "senderName", issuer.name)
    mark = words.exercise if info.exercise and not text.headline.startswith(words.exercise) else ""
    _add(block, "headline", f"{mark}: {text.headline}" if mark else text.headline)
    _add(block, "description", text.description)
    _add(block, "instruction", text.instruction)
    _add(block, "web", issuer.web)
    _add(block, "contact", issuer.contact)
    for name, value in _parameters(info, words, basis):
        _pair(block, "parameter", name, value)
    for area in info.areas or (None,):
        _area(block, area, words.language, issuer)


def _parameters(info: _Info, words: cap_words.Words, basis: Basis) -> Iterator[tuple[str, str]]:
    if info.by:
        yield (
            words.ended if info.ends else words.released,
            words.by_rule if info.by.startswith(RULE) else info.by,
        )
    for notice in info.measured:
        place = basis.places.get(notice.station, notice.station)
        level = basis.scale.text(notice.measure, notice.level, words.language)
        yield words.measured, words.value(place, notice.value, notice.measure, notice.window_min, level)
    if any(each.measure in cap_words.BY_DWD for each in info.measured):
        yield words.basis, words.by_dwd


def _area(block: ET.Element, area: Area | str | None, language: Language, issuer: Issuer) -> None:
    element = ET.SubElement(block, "area")
    if isinstance(area, Area):
        _add(element, "areaDesc", f"{issuer.city}: {area.names()[language]}")
        for ring in polygons(area.form):
            _add(element, "polygon", ring)
    else:
        _add(element, "areaDesc", f"{issuer.city}: {area}" if area else issuer.city)
    if issuer.ars:
        _pair(element, "geocode", "ARS", issuer.ars)


def _languages(issuer: Issuer, texts: Mapping[str, CityText]) -> list[str]:
    """Those the city wants of those there are; whatever there is rather than nothing."""
    usable = [each for each in texts if _LANGUAGE.fullmatch(each)]
    wanted = [each for each in issuer.languages if each in usable]
    return wanted or sorted(usable, key=lambda each: (each != "de", each))


def _last_in_force(warning: CityWarning, number: int) -> CityStep:
    """What was in force before an end: the end's own areas and texts may be left empty."""
    return next(
        each.step
        for each in reversed(warning.steps[: number - 1])
        if each.step.action in {"release", "update"}
    )


def _texts(step: CityStep, in_force: CityStep) -> Mapping[str, CityText]:
    if step is in_force:
        return step.texts
    ends = cap_words.CANCELLED if step.action == "cancel" else cap_words.ALL_CLEAR
    made = {
        language: CityText(f"{ends[short]}: {text.headline}", ends[f"{short}_more"], "")
        for language, text in in_force.texts.items()
        for short in ("de" if language.startswith("de") else "en",)
    }
    own = {
        each: text
        for each, text in step.texts.items()
        if text.headline.strip() and text != in_force.texts.get(each)
    }
    return {**made, **own}


def _areas(ids: Sequence[str], areas: Areas) -> tuple[Area | str, ...]:
    """An area that the city has taken from its file since then keeps its id; the ARS says where it is."""
    known = {each.id: each for each in areas.areas}
    return tuple(known.get(each, each) for each in ids)


def _hazards(measured: Sequence[Warning]) -> tuple[str, ...]:
    found = {cap_words.HAZARD_OF[each.measure] for each in measured if each.measure in cap_words.HAZARD_OF}
    return tuple(each for each in cap_words.HAZARDS if each in found)


def _note(warning: CityWarning, action: str, *, draft: bool) -> str:
    """CAP 3.2.1: the exercise's identifier, and why something is cancelled, stand in the note."""
    notes = [cap_words.DRAFT] if draft else []
    if warning.exercise:
        notes.append(f"{cap_words.WORDS['de'].exercise} / {cap_words.WORDS['en'].exercise}: {warning.id}")
    if action == "cancel":
        notes.append(f"{cap_words.CANCELLED['de']} / {cap_words.CANCELLED['en']}")
    return "; ".join(notes)


def _add(parent: ET.Element, name: str, text: str) -> None:
    clean = _NO_XML.sub("", text).strip()
    if clean:
        ET.SubElement(parent, name).text = clean


def _pair(parent: ET.Element, name: str, key: str, value: str) -> None:
    element = ET.SubElement(parent, name)
    _add(element, "valueName", key)
    _add(element, "value", value)
