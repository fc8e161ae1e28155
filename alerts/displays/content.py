"""What the displays of each area say about what is in force: an object for programs, a line for LEDs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerts.areas import Areas
from alerts.city.city_warning import CityWarning
from alerts.errors import TextError
from alerts.event import Severity
from alerts.scale import LANGUAGES, Scale, rank
from alerts.texts.text import Text, plain
from alerts.texts.texts import Texts
from alerts.warning import Warning, as_public  # noqa: A004 - the field's word, see there

CITY = "city"
"""The topic of the whole city; an area of this id is refused by `stadtfunk check`."""
CALM = "Keine Warnung"
LINE_LIMIT = 160
NOTICE = {
    "de": "Automatische Messwertmeldung, keine amtliche Warnung.",
    "en": "Automatic measurement notice, not an official warning.",
}
_EXERCISE = "ÜBUNG: "
_PUBLISHED = ("release", "update")
_SECOND_US = 1_000_000
# a column's character set is seldom larger than ISO 8859-1
_PLAIN = str.maketrans("\u201e\u201c\u201d\u201a\u2018\u2019\u2013\u2014", "\"\"\"'''--")


@dataclass(frozen=True, slots=True)
class Scene:
    """What the words are made from. `city`: its name; `public`: whether a station is, by its id."""

    areas: Areas
    texts: Texts
    scale: Scale
    zone: ZoneInfo
    city: str
    public: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in force. `areas`: ids of its areas, None for the whole city; times µs since the epoch, UTC.

    `headline` and `instruction` by language; `city`: it is a warning of the city, else a measurement notice.
    """

    id: str
    city: bool
    severity: Severity
    areas: tuple[str, ...] | None
    headline: Mapping[str, str]
    instruction: Mapping[str, str]
    issued_us: int
    valid_until_us: int
    exercise: bool


@dataclass(frozen=True, slots=True)
class Content:
    """What one area's two topics say. `until_us`: when the object, `line_until_us`: when the line is;
    None where nothing is in force."""  # noqa: D205, D209 - one thought

    body: Mapping[str, Any]
    line: str
    until_us: int | None
    line_until_us: int | None


def entries(
    city_warnings: Sequence[CityWarning], notices: Sequence[Warning], scene: Scene, now_us: int
) -> list[Entry]:
    """What the public is to see now: released warnings of the city first, each by severity, then newest.

    A notice of a station that is not public stays off the displays.
    """
    found = [_of_city(each) for each in city_warnings if each.in_force and each.public]
    public = (as_public(each) for each in notices if scene.public(each.station))
    found += [_of_notice(each, scene) for each in public if each is not None and each.in_force]
    found = [each for each in found if each.valid_until_us > now_us]
    return sorted(found, key=lambda each: (not each.city, -rank(each.severity), -each.issued_us, each.id))


def contents(found: Sequence[Entry], scene: Scene, now_us: int) -> dict[str, Content]:
    """By topic level: each area's id, and CITY for everything there is."""
    places = {CITY: {"de": scene.city, "en": scene.city}}
    places |= {each.id: dict(each.names()) for each in scene.areas.areas}
    return {
        id_: _content(
            {"area": id_, "name": names},
            [each for each in found if id_ == CITY or each.areas is None or id_ in each.areas],
            scene,
            now_us,
        )
        for id_, names in places.items()
    }


def _of_city(warning: CityWarning) -> Entry:
    published = [each.time_us for each in warning.steps if each.step.action in _PUBLISHED]
    texts = {language: text for language, text in warning.texts.items() if text.headline.strip()}
    return Entry(
        id=warning.id,
        city=True,
        severity=warning.severity,
        areas=warning.areas or None,
        headline={language: text.headline for language, text in texts.items()},
        instruction={language: text.instruction for language, text in texts.items() if text.instruction},
        issued_us=max(published, default=warning.proposed_us),
        valid_until_us=warning.valid_until_us,
        exercise=warning.exercise,
    )


def _of_notice(warning: Warning, scene: Scene) -> Entry:
    rendered = {language: _rendered(scene.texts, warning, language) for language in LANGUAGES}
    return Entry(
        id=warning.id,
        city=False,
        severity=warning.severity,
        areas=tuple(area.id for area in scene.areas.of(warning.station)),
        headline={language: text.title for language, text in rendered.items()},
        instruction={},
        issued_us=warning.changed_us,
        valid_until_us=warning.expires_us or 0,
        exercise=warning.exercise,
    )


def _rendered(texts: Texts, warning: Warning, language: Any) -> Text:
    try:
        return texts.render(warning, language)
    except TextError:
        return plain(warning)


def _content(place: Mapping[str, Any], here: Sequence[Entry], scene: Scene, now_us: int) -> Content:
    severity = max((each.severity for each in here), key=rank, default=None)
    items = [(each.city, _item(each, scene)) for each in here]
    body = {
        **place,
        "state": "warning" if here else "calm",
        **(_look(severity, scene.scale) if severity else _NO_LOOK),
        "warnings": [item for city, item in items if city],
        "notices": [{**item, "notice": NOTICE} for city, item in items if not city],
    }
    if not here:
        return Content(body, CALM, None, None)
    until_us = max(each.valid_until_us for each in here)
    return Content(body, line(here, scene, now_us), until_us, here[0].valid_until_us)


_NO_LOOK: Mapping[str, Any] = {"severity": None, "colour": None, "ink": None, "word": None}


def _look(severity: Severity, scale: Scale) -> dict[str, Any]:
    return {
        "severity": severity,
        "colour": scale.colour(severity),
        "ink": scale.ink(severity),
        "word": {language: scale.word(severity, language) for language in LANGUAGES},
    }


def _item(entry: Entry, scene: Scene) -> dict[str, Any]:
    return {
        "id": entry.id,
        "exercise": entry.exercise,
        **_look(entry.severity, scene.scale),
        "headline": dict(entry.headline),
        "instruction": dict(entry.instruction),
        "issued": stamp(entry.issued_us, scene.zone),
        "valid_until": stamp(entry.valid_until_us, scene.zone),
    }


def line(here: Sequence[Entry], scene: Scene, now_us: int) -> str:
    """The first of them in German, at most LINE_LIMIT characters, in the letters of ISO 8859-1.

    What kind of message it is and until when it holds are never cut off, the words between them are.
    """
    entry, more = here[0], len(here) - 1
    kind = (
        f"WARNUNG DER STADT ({scene.scale.word(entry.severity, 'de')})"
        if entry.city
        else "Messwertmeldung, keine amtliche Warnung"
    )
    until = datetime.fromtimestamp(entry.valid_until_us // _SECOND_US, UTC).astimezone(scene.zone)
    today = datetime.fromtimestamp(now_us // _SECOND_US, UTC).astimezone(scene.zone).date()
    foot = (
        f" Gilt bis {until:%H:%M} Uhr." if until.date() == today else f" Gilt bis {until:%d.%m. %H:%M} Uhr."
    )
    foot += f" (+{more} weitere)" if more else ""
    head = f"{_EXERCISE if entry.exercise else ''}{kind}: "
    said = _sentence(one_line(entry.headline.get("de") or next(iter(entry.headline.values()), "")))
    if said.startswith(_EXERCISE) and entry.exercise:
        said = said.removeprefix(_EXERCISE)
    room = LINE_LIMIT - len(head) - len(foot)
    instruction = one_line(entry.instruction.get("de", ""))
    for sentences in _shorter(instruction):
        if len(said) + 1 + len(sentences) <= room:
            said = f"{said} {sentences}"
            break
    return head + (said if len(said) <= room else said[: room - 3].rstrip() + "...") + foot


def _shorter(text: str) -> list[str]:
    """A text and its beginnings of whole sentences, longest first."""
    sentences = [each.strip().rstrip(".") + "." for each in text.split(". ") if each.strip()]
    return [" ".join(sentences[:count]) for count in range(len(sentences), 0, -1)]


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."


def one_line(text: str) -> str:
    """Text in the letters of ISO 8859-1, without line ends and doubled spaces."""
    letters = text.translate(_PLAIN).encode("latin-1", "ignore").decode("latin-1")
    return " ".join("".join(c if c.isprintable() else " " for c in letters).split())


def stamp(time_us: int, zone: ZoneInfo) -> str:
    """RFC 3339, whole seconds, in the city's time, so that a display needs no time zones to show the hour."""
    return datetime.fromtimestamp(time_us // _SECOND_US, UTC).astimezone(zone).isoformat()
