"""DWD's official warnings as CAP 1.2: a ZIP of single XML files, areas by WARNCELLID.

The file is the full state: what is not in it any more is over. Event codes are those of DWD's CAP profile
2.1; the same code means an advance notice ("Vorabinformation") where urgency is Future, so both make the key.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.neighbours.fetch import Away, Body, Fetcher
from ingest.neighbours.fields import number
from ingest.neighbours.observed import MINUTE_US, Found, Observed
from ingest.neighbours.official_warning import Official, OfficialWarning, superseded
from ingest.neighbours.unzip import unzip

KIND = "dwd-cap"
STATION = "dwd"
PROPERTY = "official_rain_warning"
URL = (
    "https://opendata.dwd.de/weather/alerts/cap/COMMUNEUNION_DWD_STAT/"
    "Z_CAP_C_EDZW_LATEST_PVW_STATUS_PREMIUMDWD_COMMUNEUNION_DE.zip"
)
EVERY_S = 60.0
RAIN_LEVEL: Mapping[int, int] = {
    61: 2,
    62: 3,
    66: 4,  # Starkregen, heftiger, extrem heftiger
    63: 2,
    64: 3,
    65: 4,  # Dauerregen, ergiebiger, extrem ergiebiger
    **dict.fromkeys((42, 44, 45, 46, 48, 49), 3),  # schweres Gewitter mit heftigem Starkregen
    **dict.fromkeys((95, 96), 4),  # Gewitter mit extrem heftigem Starkregen
}
"""DWD's level by event code, of the events that name heavy or continuous rain."""
FRESH_US = 30 * MINUTE_US
"""So long after the last answer what it said still counts; later nothing is known."""

_NAMESPACE = "{urn:oasis:names:tc:emergency:cap:1.2}"
_REPEAT_US = 10 * MINUTE_US
_MOST_BYTES = 32 << 20
_MOST_UNPACKED = 128 << 20
_MOST_FILES = 5_000
_LEVELS = {"Minor": 1, "Moderate": 2, "Severe": 3, "Extreme": 4}
_FOOT_M = 0.3048
_EVERYWHERE_M = (0, 3000)


def warncells(ars: str) -> tuple[str, str]:
    """Warn cells of a municipality and its district, from its twelve-digit Regionalschlüssel.

    A municipality's is 8 and its Gemeindeschlüssel (AGS), a district's 1 and its five digits with 000; the
    AGS is the ARS without the four digits of the association.
    """
    return f"8{ars[:5]}{ars[9:]}", f"1{ars[:5]}000"


def parse(body: bytes, cells: Collection[str]) -> tuple[tuple[OfficialWarning, ...], tuple[Rejected, ...]]:
    """The warnings for some cells, worst first, and what could not be read. Never raises on any bytes."""
    warnings: list[OfficialWarning] = []
    rejected: list[Rejected] = []
    gone: set[str] = set()
    for member in unzip(body, ".xml", most_files=_MOST_FILES, most_bytes=_MOST_UNPACKED):
        if isinstance(member, Rejected):
            rejected.append(member)
            continue
        found = _alert(*member, cells, gone)
        if isinstance(found, Rejected):
            rejected.append(found)
        else:
            warnings += found
    standing = [each for each in warnings if each.identifier not in gone]
    standing.sort(key=lambda each: (-each.level, each.onset_us, each.identifier))
    return tuple(standing), tuple(rejected)


def rain_level(official: Official, now_us: int) -> tuple[int, str]:
    """DWD's level for rain at a time, 0 without a warning, and the identifiers it rests on."""
    active = [each for each in official.warnings if each.kind == "warning" and each.covers(now_us)]
    level = max((RAIN_LEVEL.get(each.code, 0) for each in active), default=0)
    reasons = sorted({each.identifier for each in active if level and RAIN_LEVEL.get(each.code) == level})
    return level, " ".join(reasons)


def _alert(
    name: str, content: bytes, cells: Collection[str], gone: set[str]
) -> list[OfficialWarning] | Rejected:
    try:
        alert: Element = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as fault:
        return Rejected("bad_xml", f"{name[:80]}: {type(fault).__name__}: {fault}"[:200])
    sent_us = rfc3339_us(_text(alert, "sent"))
    if not _text(alert, "identifier") or sent_us is None:
        return Rejected("bad_cap", f"{name[:80]}: no identifier or no time")
    gone |= superseded(_text(alert, "references"))
    if _text(alert, "status") != "Actual" or _text(alert, "msgType") not in {"Alert", "Update"}:
        return []
    infos = alert.findall(f"{_NAMESPACE}info")
    german = [each for each in infos if _text(each, "language").lower().startswith("de")]
    warnings = []
    for info in german or infos:
        areas = [each for each in info.findall(f"{_NAMESPACE}area") if not _cells(each).isdisjoint(cells)]
        if areas and _text(info, "responseType") != "AllClear":
            warnings.append(_warning(alert, sent_us, info, areas))
    return warnings


def _warning(alert: Element, sent_us: int, info: Element, areas: Collection[Element]) -> OfficialWarning:
    onset_us = rfc3339_us(_text(info, "onset")) or rfc3339_us(_text(info, "effective"))
    codes = {
        _text(each, "valueName"): _text(each, "value") for each in info.findall(f"{_NAMESPACE}eventCode")
    }
    code = codes.get("II", "")
    return OfficialWarning(
        identifier=_text(alert, "identifier"),
        kind="advance_notice" if _text(info, "urgency") == "Future" else "warning",
        code=int(code) if re.fullmatch(r"\d{1,4}", code, re.ASCII) else 0,
        level=_LEVELS.get(_text(info, "severity"), 0),
        severity=_text(info, "severity"),
        sender=_text(info, "senderName") or _text(alert, "sender"),
        sent_us=sent_us,
        onset_us=sent_us if onset_us is None else onset_us,
        expires_us=rfc3339_us(_text(info, "expires")),
        event=_text(info, "event"),
        headline=_text(info, "headline"),
        description=_text(info, "description"),
        instruction=_text(info, "instruction"),
        areas=tuple(_text(each, "areaDesc") for each in areas),
        above_m=_metres(areas, "altitude", _EVERYWHERE_M[0], min),
        below_m=_metres(areas, "ceiling", _EVERYWHERE_M[1], max),
        web=_text(info, "web"),
    )


def _metres(
    areas: Collection[Element], tag: str, everywhere: int, widest: Callable[[list[int]], int]
) -> int | None:
    """Height that a warning is limited to, in m (CAP writes feet), None without a limit."""
    heights = [number(_text(each, tag)) for each in areas]
    given = [round(each * _FOOT_M) for each in heights if each is not None]
    if len(given) < len(heights):
        return None
    height = widest(given)
    return None if height == everywhere else height


def _cells(area: Element) -> set[str]:
    return {
        _text(each, "value")
        for each in area.findall(f"{_NAMESPACE}geocode")
        if _text(each, "valueName") == "WARNCELLID"
    }


def _text(element: Element, tag: str) -> str:
    return (element.findtext(f"{_NAMESPACE}{tag}") or "").strip()


class DwdCap:
    """The warnings for some cells, and DWD's level for rain there as a reading of the station `dwd`.

    A reading at every change and every ten minutes, as long as DWD has answered within `FRESH_US`.
    """

    name = KIND

    def __init__(self, cells: Collection[str], url: str = URL, every_s: float = EVERY_S) -> None:
        self.every_s = every_s
        self.official = Official()
        self._cells = frozenset(cells)
        self._url = url
        self._said: tuple[int, int] | None = None  # time, level

    def poll(self, fetch: Fetcher, now_us: int, newest: Mapping[str, int]) -> Found:  # noqa: ARG002 - a state has no past
        """Read the warnings anew where they changed; say the level for rain where it is time to."""
        answer = fetch.get(self._url, most_bytes=_MOST_BYTES)
        rejected: tuple[Rejected, ...] = ()
        if isinstance(answer, Body):
            warnings, rejected = parse(answer.content, self._cells)
            if rejected:
                # a file that cannot be read may hold the warning that matters: believe all of it or none
                fetch.forget(self._url)
                answer = Away(f"{self._url}: {rejected[0].reason}: {rejected[0].detail}"[:300])
            else:
                self.official = Official(warnings, now_us)
        elif not isinstance(answer, Away):
            self.official = Official(self.official.warnings, now_us)
        away = answer if isinstance(answer, Away) else None
        return Found(tuple(self._state(now_us)), rejected=rejected, away=away)

    def _state(self, now_us: int) -> Iterator[Observed]:
        if self.official.as_of_us is None or now_us - self.official.as_of_us > FRESH_US:
            return
        level, note = rain_level(self.official, now_us)
        if self._said and level == self._said[1] and abs(now_us - self._said[0]) < _REPEAT_US:
            return
        self._said = now_us, level
        yield Observed(STATION, now_us - now_us % 1_000_000, PROPERTY, float(level), note=note[:500])
