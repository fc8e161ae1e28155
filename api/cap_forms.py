"""CAP documents in other forms: an Atom feed, JSON as the NINA warn app's, GeoJSON.

The JSON follows what https://nina.api.bund.dev describes for warnung.bund.de, so that programs made for it
can read a city's own warnings from a neutral address.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from defusedxml import ElementTree

from alerts.cap.document import NAMESPACE, Document
from alerts.cap.publisher import Listed, nina_id

ATOM = "http://www.w3.org/2005/Atom"
CAP_TYPE = "application/cap+xml"

_LISTS = {"code", "info", "category", "responseType", "eventCode", "parameter", "area", "geocode", "polygon"}
_SECOND_US = 1_000_000


def atom(listed: Sequence[Listed], city: str, base: str, changed_us: int) -> bytes:
    """The feed (RFC 4287): one entry a warning, its latest document, newest first."""
    feed = ET.Element("feed", xmlns=ATOM)
    _text(feed, "id", _urn(f"{base}/cap/feed.atom"))
    _text(feed, "title", f"Warnungen der Stadt {city}")
    _text(feed, "updated", _rfc3339(max((each.latest.sent_us for each in listed), default=changed_us)))
    author = ET.SubElement(feed, "author")
    _text(author, "name", city)
    ET.SubElement(feed, "link", rel="self", type="application/atom+xml", href=f"{base}/cap/feed.atom")
    for each in listed:
        _entry(feed, each, base)
    made: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return made


def cap_json(document: Document) -> dict[str, Any]:
    """A document as NINA's JSON: CAP's names, lists where CAP allows several, the id that its updates share.

    Without polygons and signature: those have addresses of their own.
    """
    found = _object(_read(document))
    return {**found, "identifier": nina_id(document)}


def dashboard(listed: Sequence[Listed]) -> list[dict[str, Any]]:
    """What is in force, as NINA's overview of a region. No exercises: this form has no mark for them."""
    return [_overview(each) for each in listed if each.in_force and each.latest.status == "Actual"]


def features(documents: Sequence[Document]) -> dict[str, Any]:
    """Areas of documents as GeoJSON (RFC 7946); an area without a polygon has no geometry."""
    return {"type": "FeatureCollection", "features": [one for each in documents for one in _features(each)]}


def _entry(feed: ET.Element, listed: Listed, base: str) -> None:
    document = listed.latest
    root = _read(document)
    info = root.find(f"{{{NAMESPACE}}}info")
    entry = ET.SubElement(feed, "entry")
    _text(entry, "id", _urn(document.reference))
    _text(entry, "title", _of(info, "headline"))
    _text(entry, "updated", _rfc3339(document.sent_us))
    _text(entry, "published", _rfc3339(listed.documents[0].sent_us))
    for term, scheme in ((document.status, "status"), (document.message, "msgType")):
        ET.SubElement(entry, "category", term=term, scheme=f"{NAMESPACE}:{scheme}")
    state = "in_force" if listed.in_force else "ended"
    ET.SubElement(entry, "category", term=state, scheme="urn:stadtfunk:status")
    link = f"{base}/cap/{document.identifier}.xml"
    ET.SubElement(entry, "link", rel="alternate", type=CAP_TYPE, href=link)
    _text(entry, "summary", _of(info, "description") or _of(info, "headline"))


def _overview(listed: Listed) -> dict[str, Any]:
    document, id_ = listed.latest, nina_id(listed.latest)
    infos = cap_json(document)["info"]
    titles = {each["language"].partition("-")[0]: each["headline"] for each in infos}
    first = infos[0]
    geocodes = [pair["value"] for area in first["area"] for pair in area.get("geocode", [])]
    return {
        "id": id_,
        "payload": {
            "version": document.number,
            "type": "UPDATE" if len(listed.documents) > 1 else "ALERT",
            "id": id_,
            "hash": uuid.uuid5(uuid.NAMESPACE_URL, document.reference).hex,
            "data": {
                "headline": first["headline"],
                "provider": "STADT",
                "severity": first["severity"],
                "urgency": first["urgency"],
                "msgType": document.message,
                "transKeys": {"event": first["event"]},
                "area": {"type": "ARS", "data": ",".join(dict.fromkeys(geocodes))},
            },
        },
        "i18nTitle": titles,
        "sent": _offset(document.sent_us),
        "onset": first["onset"],
        "expires": first["expires"],
    }


def _features(document: Document) -> Iterator[dict[str, Any]]:
    root = _read(document)
    info = root.find(f"{{{NAMESPACE}}}info")
    if info is None:
        return
    for number, area in enumerate(info.findall(f"{{{NAMESPACE}}}area")):
        rings = [_ring(each.text or "") for each in area.findall(f"{{{NAMESPACE}}}polygon")]
        yield {
            "type": "Feature",
            "properties": {
                "warnId": nina_id(document),
                "areaId": number,
                "areaDesc": _of(area, "areaDesc"),
                "identifier": document.identifier,
                "status": document.status,
                "msgType": document.message,
                "severity": _of(info, "severity"),
                "event": _of(info, "event"),
                "headline": _of(info, "headline"),
                "sent": _offset(document.sent_us),
                "expires": _offset(document.expires_us),
            },
            "geometry": {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
            if rings
            else None,
        }


def _ring(text: str) -> list[list[float]]:
    pairs = [each.split(",") for each in text.split()]
    return [[float(lon), float(lat)] for lat, lon in pairs]


def _object(element: ET.Element) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for child in element:
        namespace, _, name = str(child.tag).rpartition("}")
        if namespace[1:] != NAMESPACE or name == "polygon":
            continue
        value = _object(child) if len(child) else (child.text or "").strip()
        if name in {"sent", "onset", "expires"} and isinstance(value, str):
            value = value.replace("-00:00", "+00:00")
        if name in _LISTS:
            made.setdefault(name, []).append(value)
        else:
            made[name] = value
    return made


def _read(document: Document) -> ET.Element:
    root: ET.Element = ElementTree.fromstring(document.xml, forbid_dtd=True)
    return root


def _of(element: ET.Element | None, name: str) -> str:
    return "" if element is None else element.findtext(f"{{{NAMESPACE}}}{name}") or ""


def _text(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _urn(text: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, text).urn


def _rfc3339(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // _SECOND_US, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _offset(time_us: int) -> str:
    return _rfc3339(time_us).replace("Z", "+00:00")
