"""The Lagemeldung: one page for the control centre (Leitstelle) on one step of a warning, as text and PDF.

A city that belongs to a Kreis cannot start MoWaS, NINA or cell broadcast itself. It tells the control centre
what is the matter, who decided what, and hands over a CAP draft.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from alerts.cap import words as cap_words
from alerts.cap.document import Basis
from alerts.city.city_warning import CityWarning, Decided
from alerts.city.register import DEFAULTS, rule_of
from alerts.event import CityAction, CityStep, CityText
from alerts.warning import Warning  # noqa: A004 - the field's word, see there

KINDS: dict[CityAction, str] = {
    "release": "WARNUNG DER STADT",
    "update": "AKTUALISIERUNG EINER WARNUNG",
    "all_clear": "ENTWARNUNG",
    "cancel": "ZURÜCKGEZOGENE WARNUNG",
    "expire": "ABGELAUFENE WARNUNG",
}
"""The steps that are reported."""

_SIZES = (10.5, 9.5, 8.5, 7.5, 6.5)
_LONGEST = 2500
_MOST_MEASURED = 12


@dataclass(frozen=True, slots=True)
class Situation:
    """One step and what is known at it. `draft`: the CAP draft's identifier, or "" and `problem` why."""

    warning: CityWarning
    decided: Decided
    measured: Sequence[Warning]
    draft: str
    problem: str
    timezone: str


def reported(warning: CityWarning) -> Iterator[tuple[int, Decided]]:
    """The steps that the control centre hears of, with their numbers: those that the public hears of, and
    that a warning has run out."""  # noqa: D205, D209 - one thought
    released = False
    for number, each in enumerate(warning.steps, 1):
        released = released or each.step.action == "release"
        if released and not warning.staff_only and each.step.action in KINDS:
            yield number, each


def title(situation: Situation, basis: Basis) -> str:
    """One line: what, where, how serious."""
    text = _text(situation)
    mark = "ÜBUNG ÜBUNG ÜBUNG - " if situation.warning.exercise else ""
    return f"{mark}Lagemeldung {basis.issuer.city}: {_kind(situation)} - {text.headline}"


def lines(situation: Situation, basis: Basis) -> list[tuple[str, str]]:
    """Label and text of every part of the page, in its order."""
    step, warning = situation.decided.step, situation.warning
    in_force, text = _in_force(situation), _text(situation)
    zone = ZoneInfo(situation.timezone)
    since = _when(warning.released_us or situation.decided.time_us, zone)
    made = situation.draft or f"nicht erstellt: {situation.problem or 'für diesen Schritt gibt es keinen'}"
    rows = [
        ("Art", _kind(situation)),
        ("Absender", basis.issuer.name),
        ("Erreichbar", basis.issuer.contact),
        ("Stand", _when(situation.decided.time_us, zone)),
        ("Warnung", f"{warning.id}, Ereignis {warning.incident or 'ohne'}"),
        ("Schwere", f"{basis.scale.word(in_force.severity, 'de')} ({in_force.severity})"),
        ("Gebiet", _areas(in_force, basis)),
        ("Gültig", f"seit {since} bis {_when(in_force.valid_until_us, zone)}"),
        ("Entscheidung", f"{_by(step.by)}{f': {step.reason}' if step.reason else ''}"),
        ("Überschrift", text.headline),
        ("Lage", text.description),
        ("Empfehlung", text.instruction),
        ("Messwerte", "\n".join(_measured(situation, basis)) or "keine zugeordnet"),
        ("CAP-Entwurf", made),
        ("Hinweis", "Die Stadt hat nicht über MoWaS ausgelöst. Messwerte sind eigene, ungeprüfte Messungen."),
    ]
    return [(label, value.strip()) for label, value in rows if value.strip()]


def text(situation: Situation, basis: Basis) -> str:
    """The page as plain text."""
    body = "\n".join(
        f"{label + ':':<14}{value.replace(chr(10), chr(10) + ' ' * 14)}"
        for label, value in lines(situation, basis)
    )
    head = title(situation, basis)
    return f"{head}\n{'=' * min(len(head), 78)}\n{body}\n"


def pdf(situation: Situation, basis: Basis) -> bytes:
    """The page as PDF: one page of A4, whatever a person wrote; what does not fit is cut with a sign."""
    for longest in (10**6, _LONGEST, _LONGEST // 2, _LONGEST // 4):
        for size in _SIZES:
            page = _page(situation, basis, size, longest)
            if page.pages_count == 1:
                return bytes(page.output())
    return bytes(_page(situation, basis, _SIZES[-1], _LONGEST // 10).output())


def _page(situation: Situation, basis: Basis, size: float, longest: int) -> FPDF:
    page = FPDF(format="A4")
    # the built-in fonts: nothing to install, and all that German needs
    page.core_fonts_encoding = "windows-1252"
    page.set_creation_date(datetime.fromtimestamp(situation.decided.time_us // 1_000_000, UTC))
    page.set_title(_latin(title(situation, basis)))
    page.set_lang("de-DE")
    page.set_margin(18)
    page.set_auto_page_break(auto=True, margin=14)
    page.add_page()
    page.set_font("Helvetica", "B", size + 3)
    head = _latin(_short(title(situation, basis), longest))
    page.multi_cell(0, None, head, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(2)
    for label, value in lines(situation, basis):
        page.set_font("Helvetica", "B", size)
        page.cell(30, size * 0.5, _latin(label))
        page.set_font("Helvetica", "", size)
        shown = _latin(_short(value, longest))
        page.multi_cell(0, size * 0.5, shown, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        page.ln(1)
    return page


def _short(value: str, longest: int) -> str:
    return value if len(value) <= longest else f"{value[: longest - 4]} [...]"


def _latin(value: str) -> str:
    return value.encode("cp1252", errors="replace").decode("cp1252")


def _kind(situation: Situation) -> str:
    kind = KINDS[situation.decided.step.action]
    return f"ÜBUNG: {kind}" if situation.warning.exercise else kind


def _in_force(situation: Situation) -> CityStep:
    """What was in force at the step: an end's own areas and texts may be empty."""
    found = situation.decided.step
    for each in situation.warning.steps:
        if each.step.action in {"release", "update"}:
            found = each.step
        if each.event == situation.decided.event:
            break
    return found


def _by(by: str) -> str:
    rule = rule_of(by)
    if not rule:
        return by or "ohne Namen"
    return "Vorgabe" if rule in DEFAULTS else f"Regel „{rule}“"


def _text(situation: Situation) -> CityText:
    texts = situation.decided.step.texts or _in_force(situation).texts
    return texts.get("de") or next(iter(texts.values()), CityText("ohne Text", "", ""))


def _areas(step: CityStep, basis: Basis) -> str:
    names = {area.id: area.name for area in basis.areas.areas}
    ars = f" (ARS {basis.issuer.ars})" if basis.issuer.ars else ""
    return f"{', '.join(names.get(each, each) for each in step.areas) or basis.issuer.city}{ars}"


def _measured(situation: Situation, basis: Basis) -> Iterator[str]:
    words = cap_words.WORDS["de"]
    for notice in situation.measured[:_MOST_MEASURED]:
        place = basis.places.get(notice.station, notice.station)
        level = basis.scale.text(notice.measure, notice.level, "de")
        yield words.value(place, notice.value, notice.measure, notice.window_min, level)
    if len(situation.measured) > _MOST_MEASURED:
        yield f"und {len(situation.measured) - _MOST_MEASURED} weitere"


def _when(time_us: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(time_us // 1_000_000, zone).strftime("%d.%m.%Y %H:%M %Z")
