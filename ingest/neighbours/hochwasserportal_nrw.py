"""NRW's Hochwasserportal (LANUK): raw levels of the last days in one ZIP. Licence DL-DE-Zero-2.0.

Its times are +01:00 all year. Old stations stay listed with old values. Some stations have placeholder
numbers, one of them twice: those are not taken.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.neighbours.fetch import Away, Body, Fetcher, Unchanged
from ingest.neighbours.fields import degrees, number, objects, text
from ingest.neighbours.observed import HOUR_US, LOOK_BACK_US, Found, Observed, Place, ascending
from ingest.neighbours.unzip import unzip

KIND = "hochwasserportal-nrw"
URL = "https://www.hochwasserportal.nrw/data"
EVERY_S = 300.0
PLACEHOLDER = re.compile(r"12345\d*")
_VALUES = "/downloads/messwerte.zip"
_STATIONS = "/internet/layers/10/index.json"
_MOST_BYTES = 16 << 20
_MOST_UNPACKED = 96 << 20
_DESCRIBE_US = HOUR_US
_STEP = re.compile(r"(\d{1,2})m\.")


def parse_values(body: bytes, wanted: Collection[str], since_us: int) -> Found:
    """Values of the stations wanted, later than a time, from `station_no;time;value` (cm). Never raises."""
    observed: list[Observed] = []
    rejected: list[Rejected] = []
    numbers = b"|".join(re.escape(each.encode()) for each in sorted(wanted))
    row = re.compile(rb"^(" + numbers + rb");([^;\r\n]+);([^;\r\n]*)", re.MULTILINE)
    for member in unzip(body, ".txt", most_files=20, most_bytes=_MOST_UNPACKED):
        if isinstance(member, Rejected):
            rejected.append(member)
            continue
        for match in row.finditer(member[1]) if wanted else ():
            foreign, time, value = (each.decode("ascii", "replace") for each in match.groups())
            time_us, level = _time_us(time), number(value)
            if time_us is None or level is None:
                rejected.append(Rejected("no_value", f"{foreign}: {time} {value}"[:200]))
            elif time_us > since_us:
                observed.append(Observed(foreign, time_us, "water_level", level))
    observed.sort(key=lambda each: each.time_us)
    return Found(tuple(observed), rejected=tuple(rejected))


def parse_stations(body: bytes, wanted: Collection[str]) -> Found:
    """Descriptions of the stations wanted, by station number. Never raises."""
    stations = objects(body)
    if isinstance(stations, Rejected):
        return Found(rejected=(stations,))
    of_us = {
        (_key(each), number_): each
        for each in stations
        if (number_ := text(each.get("station_no"))) in wanted
    }
    count = Counter(number_ for _, number_ in of_us)
    return Found(
        places=tuple(_place(number_, each) for (_, number_), each in of_us.items() if count[number_] == 1),
        rejected=tuple(
            Rejected("ambiguous_station", f"{number_} stands for {n} stations")
            for number_, n in count.items()
            if n > 1
        ),
    )


def _key(station: Mapping[str, Any]) -> tuple[str, str]:
    return str(station.get("station_id")), str(station.get("site_no"))


def _time_us(time: str) -> int | None:
    return rfc3339_us(time) or rfc3339_us(f"{time}+01:00")


def _place(foreign: str, station: Mapping[str, Any]) -> Place:
    step = _STEP.match(text(station.get("ts_shortname")))
    info = [_mark(station.get(f"LANUV_Info_{n}")) for n in (1, 2, 3)]
    return Place(
        foreign=foreign,
        name=text(station.get("station_name")).replace("_", " ") or foreign,
        lat=degrees(station.get("station_latitude"), 90),
        lon=degrees(station.get("station_longitude"), 180),
        water=text(station.get("WTO_OBJECT")),
        stages_cm=ascending(*info) or ascending(_mark(station.get("LANUV_MHW"))),
        interval_s=60.0 * int(step[1]) if step and int(step[1]) else None,
    )


def _mark(value: object) -> float | None:
    return number(value) or None


class HochwasserportalNrw:
    """The stations with these numbers."""

    name = KIND

    def __init__(self, foreign: Collection[str], url: str = URL, every_s: float = EVERY_S) -> None:
        self.every_s = every_s
        self._foreign = frozenset(foreign)
        self._url = url.rstrip("/")
        self._described_us: int | None = None
        self._ambiguous: frozenset[str] = frozenset()

    def poll(self, fetch: Fetcher, now_us: int, newest: Mapping[str, int]) -> Found:  # noqa: ARG002 - all values come anyway
        """The values of the last day, and once an hour what the stations are."""
        stations = self._describe(fetch, now_us)
        answer = fetch.get(self._url + _VALUES, most_bytes=_MOST_BYTES)
        if isinstance(answer, Away):
            return Found(places=stations.places, rejected=stations.rejected, away=answer)
        if isinstance(answer, Unchanged):
            return stations
        values = parse_values(answer.content, self._foreign - self._ambiguous, now_us - LOOK_BACK_US)
        away = None
        if values.rejected and not values.observed:
            fetch.forget(self._url + _VALUES)
            away = Away(f"{self._url}{_VALUES}: {values.rejected[0].detail}"[:300])
        return Found(values.observed, stations.places, stations.rejected + values.rejected, away)

    def _describe(self, fetch: Fetcher, now_us: int) -> Found:
        if self._described_us is not None and abs(now_us - self._described_us) < _DESCRIBE_US:
            return Found()
        url = self._url + _STATIONS
        answer = fetch.get(url, most_bytes=_MOST_BYTES)
        if isinstance(answer, Away):
            return Found(rejected=(Rejected("not_described", answer.detail),))
        self._described_us = now_us
        if not isinstance(answer, Body):
            return Found()
        found = parse_stations(answer.content, self._foreign)
        if not found.places:
            fetch.forget(url)
        self._ambiguous = frozenset(
            why.detail.partition(" ")[0] for why in found.rejected if why.reason == "ambiguous_station"
        )
        return found
