"""PEGELONLINE, the gauges of the federal waterways (WSV), REST API v2. Licence DL-DE-Zero-2.0.

One request for all gauges: newest value, marks, announced faults; one more a gauge where values are missing.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from devices.instant import rfc3339_us
from devices.measurement import Quality, Rejected
from ingest.neighbours.fetch import Away, Body, Fetcher
from ingest.neighbours.fields import degrees, number, objects, table, tables, text
from ingest.neighbours.observed import LOOK_BACK_US, MINUTE_US, Found, Observed, Place, ascending

KIND = "pegelonline"
URL = "https://www.pegelonline.wsv.de/webservices/rest-api/v2"
EVERY_S = 300.0
_MOST_BYTES = 8 << 20
_DOUBTED = {"commented", "out-dated"}
_FLOOD_MARKS = ("M_I", "M_II", "M_III", "M_IV")
_WITH = "timeseries=W&includeTimeseries=true&includeCurrentMeasurement=true&includeCharacteristicValues=true"
_GAP_US = 40 * MINUTE_US


def parse_stations(body: bytes, wanted: Collection[str]) -> Found:
    """Newest values and descriptions of the gauges wanted (by uuid or number). Never raises."""
    stations = objects(body)
    if isinstance(stations, Rejected):
        return Found(rejected=(stations,))
    observed: list[Observed] = []
    places: list[Place] = []
    rejected: list[Rejected] = []
    for station in stations:
        foreign = _wanted_as(station, wanted)
        if foreign is None:
            continue
        level = next(
            (each for each in tables(station.get("timeseries")) if each.get("shortname") == "W"), None
        )
        if level is None or level.get("unit") != "cm":
            unit = text(level.get("unit")) if level else "none"
            rejected.append(Rejected("no_level_in_cm", f"{foreign}: unit {unit}"))
            continue
        places.append(_place(foreign, station, level))
        now = table(level.get("currentMeasurement"))
        doubt = announced(level) or (state if (state := text(now.get("stateMnwMhw"))) in _DOUBTED else "")
        value = _observed(foreign, now, doubt)
        if isinstance(value, Rejected):
            rejected.append(value)
        else:
            observed.append(value)
    return Found(tuple(observed), tuple(places), tuple(rejected))


def parse_measurements(body: bytes, foreign: str, doubt: str = "") -> Found:
    """Values of one gauge, oldest first; `doubt`: the fault announced for it. Never raises."""
    rows = objects(body)
    if isinstance(rows, Rejected):
        return Found(rejected=(rows,))
    read = [_observed(foreign, row, doubt) for row in rows]
    return Found(
        observed=tuple(each for each in read if isinstance(each, Observed)),
        rejected=tuple(each for each in read if isinstance(each, Rejected)),
    )


def announced(level: Mapping[str, Any]) -> str:
    """The fault that the source announces for a gauge, "" without one."""
    comment = table(level.get("comment"))
    return text(comment.get("shortDescription")) or text(comment.get("longDescription"))


def _wanted_as(station: Mapping[str, Any], wanted: Collection[str]) -> str | None:
    for key in ("uuid", "number"):
        found = text(station.get(key)).lower()
        if found and found in wanted:
            return found
    return None


def _observed(foreign: str, row: Mapping[str, Any], doubt: str) -> Observed | Rejected:
    time_us, value = rfc3339_us(text(row.get("timestamp"))), number(row.get("value"))
    if time_us is None or value is None:
        return Rejected("no_value", f"{foreign}: time or value is missing")
    quality = Quality.SUSPECT if doubt else Quality.GOOD
    return Observed(foreign, time_us, "water_level", value, quality, doubt)


def _place(foreign: str, station: Mapping[str, Any], level: Mapping[str, Any]) -> Place:
    marks = {
        text(each.get("shortname")): number(each.get("value"))
        for each in tables(level.get("characteristicValues"))
        if each.get("unit") == "cm"
    }
    zero = table(level.get("gaugeZero"))
    minutes = number(level.get("equidistance"))
    return Place(
        foreign=foreign,
        name=text(station.get("longname")).title() or foreign,
        lat=degrees(station.get("latitude"), 90),
        lon=degrees(station.get("longitude"), 180),
        water=text(table(station.get("water")).get("longname")).title(),
        gauge_zero_m=number(zero.get("value")) if text(zero.get("unit")).startswith("m") else None,
        stages_cm=ascending(*map(marks.get, _FLOOD_MARKS)) or ascending(marks.get("MHW")),
        interval_s=60 * minutes if minutes and minutes > 0 else None,
    )


class PegelOnline:
    """The gauges with these uuids or numbers."""

    name = KIND

    def __init__(self, foreign: Collection[str], url: str = URL, every_s: float = EVERY_S) -> None:
        self.every_s = every_s
        self._foreign = sorted(foreign)
        self._url = url.rstrip("/")
        self._missing_us: dict[str, int] = {}

    def poll(self, fetch: Fetcher, now_us: int, newest: Mapping[str, int]) -> Found:
        """Newest values, and the ones between where more than two of them are missing."""
        ids = quote(",".join(self._foreign), safe=",")
        url = f"{self._url}/stations.json?ids={ids}&{_WITH}"
        answer = fetch.get(url, most_bytes=_MOST_BYTES)
        if isinstance(answer, Away):
            return Found(away=answer)
        if not isinstance(answer, Body):
            return Found()
        found = parse_stations(answer.content, self._foreign)
        if found.rejected and not found.places:
            fetch.forget(url)
            return Found(rejected=found.rejected, away=Away(f"{url}: {found.rejected[0].detail}"[:300]))
        before = [self._before(fetch, each, now_us, newest.get(each.foreign)) for each in found.observed]
        return Found(
            observed=tuple(value for each in before for value in each.observed) + found.observed,
            places=found.places,
            rejected=found.rejected + tuple(value for each in before for value in each.rejected),
        )

    def _before(self, fetch: Fetcher, now: Observed, now_us: int, newest: int | None) -> Found:
        since_us = max(self._missing_us.get(now.foreign, newest or 0), now_us - LOOK_BACK_US)
        if now.time_us - since_us <= _GAP_US:
            return Found()
        self._missing_us[now.foreign] = since_us
        start = quote(datetime.fromtimestamp(since_us // 1_000_000, UTC).isoformat())
        url = f"{self._url}/stations/{quote(now.foreign)}/W/measurements.json?start={start}"
        answer = fetch.get(url, most_bytes=_MOST_BYTES)
        fetch.forget(url)  # the address holds a time: it is never asked again
        if not isinstance(answer, Body):
            return Found(rejected=(Rejected("history_missing", getattr(answer, "detail", url)),))
        del self._missing_us[now.foreign]
        doubt = now.note if now.note not in _DOUBTED else ""
        found = parse_measurements(answer.content, now.foreign, doubt)
        return Found(tuple(_between(found.observed, since_us, now.time_us)), rejected=found.rejected)


def _between(values: Collection[Observed], since_us: int, until_us: int) -> Iterator[Observed]:
    for each in sorted(values, key=lambda value: value.time_us):
        if since_us < each.time_us < until_us:
            yield each
