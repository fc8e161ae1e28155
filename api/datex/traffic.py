"""Counts of vehicles and bicycles as DATEX II v3: a MeasuredDataPublication, and the table of its sites.

The JSON form of DATEX II 3.5: names of XML attributes end in `G`, members that choose a class begin with its
namespace, enumerations are objects with `value` (https://docs.datex2.eu/).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.mobility.counted import Resolution, Site
from alerts.mobility.counting import SiteCounts
from api.datex.creator import creator
from api.formats import Item
from api.mobility.counts import MINUTES, SPEED, may_count, newest_counts
from api.rfc3339 import format_us
from api.visibility import View

_TABLE = "stadtfunk-counters"
_RESOLUTIONS: tuple[Resolution, ...] = ("PT15M", "PT1H")
_VEHICLES: Mapping[str, str] = {"vehicle_count": "anyVehicle", "bicycle_count": "bicycle"}
"""What is published, and as what: DATEX II knows no people on foot."""
_SIDES: Mapping[str, str] = {"in": "inboundTowardsTown", "out": "outboundFromTown"}
_HEADER = {"confidentiality": {"value": "noRestriction"}, "informationStatus": {"value": "real"}}
_SECOND_US = 1_000_000
_HOUR_MIN = 60


@dataclass(frozen=True, slots=True)
class _Counter:
    """One direction or class at a station.

    Its flow has the index `number` * 2 + 1; the next is its speed's, whether it is measured or not.
    """

    number: int
    counts: SiteCounts
    interval: Resolution

    @property
    def site(self) -> Site:
        return self.counts.site


def measured_data(view: View) -> Item:
    """The newest finished quarter (hour, where quarters are not public) of every counter on the map."""
    found = []
    stations = list(_stations(view))
    version = _version(view, stations)
    for station, counters in stations:
        measured = [
            (each, item) for each in counters for item in newest_counts(view, each.counts, each.interval)
        ]
        if measured:
            found.append((station, measured))
    newest = max((item["time"] for _, measured in found for _, item in measured), default=_changed(view))
    return _payload(
        "roaMeasuredDataPublication",
        {
            **_head(view, newest),
            "measurementSiteTableReference": [_reference("MeasurementSiteTable", _TABLE, version)],
            "headerInformation": _HEADER,
            "siteMeasurements": [_measurements(station, measured, version) for station, measured in found],
        },
    )


def site_table(view: View) -> Item:
    """Where is counted, and what each index of the measured data means."""
    stations = list(_stations(view))
    version = _version(view, stations)
    sites = [_site(view, station, counters, version) for station, counters in stations]
    return _payload(
        "roaMeasurementSiteTablePublication",
        {
            **_head(view, _changed(view)),
            "headerInformation": _HEADER,
            "measurementSiteTable": [{"idG": _TABLE, "versionG": version, "measurementSite": sites}],
        },
    )


def _stations(view: View) -> Iterator[tuple[str, list[_Counter]]]:
    """What this caller sees of each station on the map."""
    counts: dict[str, list[_Counter]] = {}
    for each in sorted(view.services.traffic(), key=lambda each: each.site):
        site = each.site
        if site.property not in _VEHICLES or site.property not in view.properties:
            continue
        station = view.stations.get(site.station)
        told = [interval for interval in _RESOLUTIONS if may_count(view, site.property, interval)]
        if station is not None and station.lat is not None and station.lon is not None and told:
            here = counts.setdefault(site.station, [])
            here.append(_Counter(len(here), each, told[0]))
    yield from sorted(counts.items())


def _measurements(station: str, measured: Sequence[tuple[_Counter, Item]], version: str) -> Item:
    """`measurementTimeDefault` is the newest interval's; a quantity of another one says so itself."""
    _, newest = max(measured, key=lambda each: str(each[1]["time"]))
    default = _time(newest)
    quantities = []
    for counter, item in measured:
        time = {} if _time(item) == default else {"measurementOrCalculationTime": _time(item)}
        for index, data in _data(counter, item, time):
            single = {"roaSinglePhysicalQuantity": {"basicData": data}}
            quantities.append({"index": index, "physicalQuantity": single})
    return {
        "measurementSiteReference": _reference("MeasurementSite", station, version),
        "measurementTimeDefault": default,
        "physicalQuantity": quantities,
    }


def _data(counter: _Counter, item: Item, time: Item) -> Iterator[tuple[int, Item]]:
    if item["value"] is not None:
        flow: dict[str, Any] = {
            "vehicleFlowRate": round(item["value"] * _HOUR_MIN / MINUTES[item["interval"]])
        }
        if item["completeness"] < 1:
            reason = f"nur zu {item['completeness']:.0%} beobachtet"
            flow |= {"dataError": True, "reasonForDataError": _german(reason)}
        yield counter.number * 2 + 1, {"roaTrafficFlow": {**time, "vehicleFlow": flow}}
    if item["speed_mean_kmh"] is not None:
        speed = {**time, "averageVehicleSpeed": {"speed": item["speed_mean_kmh"]}}
        yield counter.number * 2 + 2, {"roaTrafficSpeed": speed}


def _site(view: View, id_: str, counters: Sequence[_Counter], version: str) -> Item:
    station = view.stations[id_]
    place = {"latitude": station.lat, "longitude": station.lon}
    return {
        "idG": id_,
        "versionG": version,
        "measurementSiteName": _german(station.name),
        "measurementSiteIdentification": id_,
        "measurementSpecificCharacteristics": [
            {
                "index": each.number * 2 + n,
                "measurementSpecificCharacteristics": _characteristics(view, each, kind),
            }
            for each in counters
            for n, kind in _kinds(view, each)
        ],
        "measurementSiteLocation": {
            "locPointLocation": {
                "coordinatesForDisplay": place,
                "pointByCoordinates": {"pointCoordinates": place},
            }
        },
    }


def _kinds(view: View, counter: _Counter) -> Iterator[tuple[int, str]]:
    yield 1, "trafficFlow"
    if counter.counts.speeds and view.live(SPEED):
        yield 2, "trafficSpeed"


def _characteristics(view: View, counter: _Counter, kind: str) -> Item:
    direction = counter.site.channel.partition("/")[0]
    # at the gate of a car park `in` is not towards the town
    on_a_road = view.stations[counter.site.station].capacity is None
    side = {"measurementSide": {"value": _SIDES[direction]}} if on_a_road and direction in _SIDES else {}
    return {
        "specificMeasurementValueType": {"value": kind},
        "period": MINUTES[counter.interval] * 60,
        **side,
        "specificVehicleCharacteristics": {"vehicleType": [{"value": _VEHICLES[counter.site.property]}]},
    }


def _time(item: Item) -> Item:
    return {
        "timeMeaning": {"value": "endTime"},
        "timeValue": item["time"],
        "period": {"startOfPeriod": item["begin"], "endOfPeriod": item["time"]},
    }


def _payload(name: str, publication: Item) -> Item:
    return {"payload": {"versionG": "3.5", "modelBaseVersionG": "3", name: publication}}


def _head(view: View, time: str) -> dict[str, Any]:
    return {"lang": "de", "publicationTime": time, "publicationCreator": creator(view.services.city)}


def _reference(class_: str, id_: str, version: str) -> Item:
    return {"targetClass": class_, "idG": id_, "versionG": version}


def _changed(view: View) -> str:
    return format_us(view.services.static_us())


def _version(view: View, stations: Sequence[tuple[str, Sequence[_Counter]]]) -> str:
    """Another whenever the list of stations is, or a counter is heard for the first time: indexes follow."""
    counters = sum(len(each) for _, each in stations)
    return f"{view.services.static_us() // _SECOND_US}.{counters}"


def _german(text: str) -> Item:
    return {"values": [{"lang": "de", "value": text}]}
