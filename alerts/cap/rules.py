"""The rules of CAP 1.2 that its schema misses, and those of the schema whose breach is met most.

What follows from the standard's text (chapters 3.2 and 3.3) and is not in the XSD: references of an Update,
closed polygons, an end after the beginning. The first thing wrong is worth a look, so all of it is listed.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, ElementTree

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d")
_NAME = re.compile(r"[^\s,<&]+")
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_ALERT = (
    *("identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses"),
    *("code", "note", "references", "incidents", "info"),
)
_INFO = (
    *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience"),
    *("eventCode", "effective", "onset", "expires", "senderName", "headline", "description", "instruction"),
    *("web", "contact", "parameter", "resource", "area"),
)
_AREA = ("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling")
_REQUIRED = {
    "alert": ("identifier", "sender", "sent", "status", "msgType", "scope"),
    "info": ("category", "event", "urgency", "severity", "certainty"),
    "area": ("areaDesc",),
}
_MANY = {"code", "info", "category", "responseType", "eventCode", "parameter", "resource", "area"}
_MANY |= {"polygon", "circle", "geocode"}
_WORDS = {
    "status": {"Actual", "Exercise", "System", "Test", "Draft"},
    "msgType": {"Alert", "Update", "Cancel", "Ack", "Error"},
    "scope": {"Public", "Restricted", "Private"},
    "urgency": {"Immediate", "Expected", "Future", "Past", "Unknown"},
    "severity": {"Extreme", "Severe", "Moderate", "Minor", "Unknown"},
    "certainty": {"Observed", "Likely", "Possible", "Unlikely", "Unknown"},
    "category": {
        *("Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra"),
        *("CBRNE", "Other"),
    },
    "responseType": {
        *("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"),
    },
}
_FOLLOWS = {"Update", "Cancel", "Ack", "Error"}
_FOREIGN = ("2.49.0.0.276.0.DWD", "opendata@dwd.de", "CAP@dwd.de")
_LEAST_POSITIONS = 4
_PARTS = 3


def check(xml: bytes) -> list[str]:
    """What is wrong with a document, in words; empty when it may be published. Never raises."""
    try:
        root = ElementTree.fromstring(xml, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as fault:
        return [f"not an XML document: {fault or type(fault).__name__}"]
    if root.tag != f"{{{NAMESPACE}}}alert":
        return [f"the root is {root.tag}, not alert of {NAMESPACE}"]
    return list(_alert(root))


def _alert(root: Element) -> Iterator[str]:
    yield from _form(root, "alert", _ALERT)
    for name in ("identifier", "sender"):
        text = _text(root, name)
        if text and not _NAME.fullmatch(text):
            yield f"{name} {text!r} has a space, a comma, < or &"
        if any(text.startswith(each) for each in _FOREIGN):
            yield f"{name} {text!r} is the Deutscher Wetterdienst's: use the city's own"
    sent = _time(root, "sent")
    yield from _times(root, ("sent",))
    scope, message = _text(root, "scope"), _text(root, "msgType")
    if scope == "Restricted" and not _text(root, "restriction"):
        yield "scope Restricted without restriction"
    if scope == "Private" and not _text(root, "addresses"):
        yield "scope Private without addresses"
    yield from _references(root, message, sent)
    infos = _all(root, "info")
    if message in {"Alert", "Update"} and not infos:
        yield f"{message} without info"
    languages = [_text(each, "language").lower() for each in infos]
    for language in sorted({each for each in languages if each and languages.count(each) > 1}):
        yield f"two info blocks in {language}"
    for number, info in enumerate(infos, 1):
        for problem in _info(info, sent):
            yield f"info {number}: {problem}"
    yield from _alike(infos)


def _info(info: Element, sent: datetime | None) -> Iterator[str]:
    yield from _form(info, "info", _INFO)
    language = _text(info, "language")
    if not language:
        yield "language is missing (a reader then takes it for en-US)"
    elif not _LANGUAGE.fullmatch(language):
        yield f"language {language!r} is no language tag"
    yield from _validity(info, sent)
    yield from (f"{name} is missing" for name in ("headline", "senderName") if not _text(info, name))
    areas = _all(info, "area")
    if not areas:
        yield "no area"
    for number, area in enumerate(areas, 1):
        for problem in _area(area):
            yield f"area {number}: {problem}"
    for name in ("parameter", "eventCode"):
        for pair in _all(info, name):
            if not (_text(pair, "valueName") and _text(pair, "value")):
                yield f"{name} without name or value"


def _validity(info: Element, sent: datetime | None) -> Iterator[str]:
    yield from _times(info, ("effective", "onset", "expires"))
    expires, onset = _time(info, "expires"), _time(info, "onset")
    if not _text(info, "expires"):
        yield "expires is missing: nothing says when it ends"
    if expires and sent and expires <= sent:
        yield "expires is not after sent"
    if expires and onset and expires <= onset:
        yield "expires is not after onset"


def _area(area: Element) -> Iterator[str]:
    yield from _form(area, "area", _AREA)
    if not (_all(area, "polygon") or _all(area, "circle") or _all(area, "geocode")):
        yield "has neither polygon nor circle nor geocode"
    for polygon in _all(area, "polygon"):
        yield from _polygon((polygon.text or "").split())
    for pair in _all(area, "geocode"):
        name, value = _text(pair, "valueName"), _text(pair, "value")
        if not (name and value):
            yield "geocode without name or value"
        elif name == "ARS" and not re.fullmatch(r"\d{12}", value):
            yield f"ARS {value!r} has not twelve digits"


def _polygon(pairs: Sequence[str]) -> Iterator[str]:
    if len(pairs) < _LEAST_POSITIONS:
        yield "polygon has fewer than four positions"
        return
    if pairs[0] != pairs[-1]:
        yield f"polygon is not closed: it begins at {pairs[0]} and ends at {pairs[-1]}"
    for pair in pairs:
        try:
            lat, lon = (float(each) for each in pair.split(","))
        except ValueError:
            yield f'polygon has {pair!r}, not "latitude,longitude"'
            return
        if not (abs(lat) <= 90 and abs(lon) <= 180):  # noqa: PLR2004 - degrees
            yield f"polygon has {pair!r}, which is not on Earth"
            return


def _references(root: Element, message: str, sent: datetime | None) -> Iterator[str]:
    own = _text(root, "identifier")
    references = _text(root, "references").split()
    if message in _FOLLOWS and not references:
        yield f"{message} without references"
    if message == "Alert" and references:
        yield "Alert with references: an Update has them"
    for each in references:
        parts = each.split(",")
        if len(parts) != _PARTS or not all(parts):
            yield f'reference {each!r} is not "sender,identifier,sent"'
            continue
        if not _TIME.fullmatch(parts[2]) or _moment(parts[2]) is None:
            yield f"reference {each!r}: {parts[2]!r} is no time such as 2026-07-14T18:30:00-00:00"
            continue
        if parts[1] == own:
            yield "references name the document itself"
        before = _moment(parts[2])
        if sent and before and before > sent:
            yield f"reference {each!r} is later than the document"
    if len(set(references)) < len(references):
        yield "references name a document twice"


def _alike(infos: Sequence[Element]) -> Iterator[str]:
    """Translations say the same: an aggregator reads only one of them."""
    for name in ("category", "responseType", "urgency", "severity", "certainty", "expires"):
        if len({tuple(each.text for each in _all(info, name)) for info in infos}) > 1:
            yield f"{name} differs between the languages"


def _form(element: Element, kind: str, order: Sequence[str]) -> Iterator[str]:
    """Names, order and number of the children, and the words the schema lists."""
    last, counts = 0, dict.fromkeys(order, 0)
    for child in element:
        if child.tag == _SIGNATURE and kind == "alert":
            last = len(order)
            continue
        namespace, _, name = str(child.tag).rpartition("}")
        if namespace[1:] != NAMESPACE or name not in counts:
            yield f"{kind} has no element {child.tag}"
            continue
        counts[name] += 1
        if order.index(name) < last:
            yield f"{name} stands too late in {kind}"
        last = max(last, order.index(name))
        yield from _word(name, child)
    for name in _REQUIRED[kind]:
        if not counts[name]:
            yield f"{name} is missing"
    for name, count in counts.items():
        if count > 1 and name not in _MANY:
            yield f"{name} stands {count} times"


def _word(name: str, element: Element) -> Iterator[str]:
    text = (element.text or "").strip()
    if name in _WORDS and text not in _WORDS[name]:
        yield f"{name} {text!r} is none of {', '.join(sorted(_WORDS[name]))}"
    elif not text and not len(element):
        yield f"{name} is empty"


def _times(element: Element, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        text = _text(element, name)
        if text and (not _TIME.fullmatch(text) or _moment(text) is None):
            hint = ": UTC is -00:00, not Z" if text.endswith("Z") else ""
            yield f"{name} {text!r} is no time such as 2026-07-14T18:30:00-00:00{hint}"


def _time(element: Element, name: str) -> datetime | None:
    text = _text(element, name)
    return _moment(text) if _TIME.fullmatch(text) else None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _text(element: Element, name: str) -> str:
    child = element.find(f"{{{NAMESPACE}}}{name}")
    return "" if child is None else (child.text or "").strip()


def _all(element: Element, name: str) -> list[Element]:
    return element.findall(f"{{{NAMESPACE}}}{name}")
