"""What a city's Datastreams are called: units, types of Observations, names of services and layers."""

from functools import cache
from typing import NamedTuple

from api.sta.times import format_duration
from devices.properties import ObservedProperty

_OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0"
MEASUREMENT, COUNT, TRUTH = (
    f"{_OM}/OM_Measurement",
    f"{_OM}/OM_CountObservation",
    f"{_OM}/OM_TruthObservation",
)
SHAPES = {MEASUREMENT: 0, COUNT: 1, TRUTH: 2}
"""How a result is shown: as it is, as a whole number, as true or false."""

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


class Unit(NamedTuple):
    """A unit for people, and its symbol."""

    name: str
    symbol: str


_UNITS = {
    "1": Unit("Anzahl", "1"),
    "%": Unit("Prozent", "%"),
    "[ppm]": Unit("Teile je Million", "ppm"),
    "[ppb]": Unit("Teile je Milliarde", "ppb"),
    "mm": Unit("Millimeter", "mm"),
    "mm/h": Unit("Millimeter je Stunde", "mm/h"),
    "cm": Unit("Zentimeter", "cm"),
    "km": Unit("Kilometer", "km"),
    "s": Unit("Sekunde", "s"),
    "m/s": Unit("Meter je Sekunde", "m/s"),
    "km/h": Unit("Kilometer je Stunde", "km/h"),
    "m3/s": Unit("Kubikmeter je Sekunde", "m³/s"),
    "Cel": Unit("Grad Celsius", "°C"),
    "hPa": Unit("Hektopascal", "hPa"),
    "kPa": Unit("Kilopascal", "kPa"),
    "uS/cm": Unit("Mikrosiemens je Zentimeter", "µS/cm"),
    "deg": Unit("Grad", "°"),
    "W/m2": Unit("Watt je Quadratmeter", "W/m²"),
    "lx": Unit("Lux", "lx"),
    "dB": Unit("Dezibel", "dB"),
    "dB[mW]": Unit("Dezibel Milliwatt", "dBm"),
    "ug/m3": Unit("Mikrogramm je Kubikmeter", "µg/m³"),
    "V": Unit("Volt", "V"),
    "W": Unit("Watt", "W"),
    "mW": Unit("Milliwatt", "mW"),
    "W.h": Unit("Wattstunde", "Wh"),
}
_SERVICES = {
    "rain": "GL_STA_Niederschlag",
    "level": "GL_STA_Pegel",
    "weather": "GL_STA_Wetter",
    "climate": "GL_STA_Raumklima",
    "traffic": "GL_STA_Verkehrsmengen",
    "parking": "GL_STA_Parken",
    "air": "GL_STA_Luft",
    "soil": "GL_STA_Boden",
    "waste": "GL_STA_Abfall",
    "lighting": "GL_STA_Beleuchtung",
    "device": "GL_STA_Geraete",
}
"""By theme. Portals ask with these names, as they do in Hamburg."""
_LAYERS = {
    "vehicle_count": "Anzahl_Kfz_Zaehlstelle",
    "vehicle_count_interval": "Anzahl_Kfz_Zaehlstelle",
    "bicycle_count": "Anzahl_Raeder_Zaehlstelle",
    "bicycle_count_interval": "Anzahl_Raeder_Zaehlstelle",
    "people_count": "Anzahl_Personen_Zaehlstelle",
    "people_count_interval": "Anzahl_Personen_Zaehlstelle",
    "precipitation": "Niederschlag",
    "water_level": "Wasserstand",
    "parking_occupancy": "Belegte_Stellplaetze",
    "parking_free": "Freie_Stellplaetze",
}
_PLAIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "²": "2"}
)


def unit_of(property_: ObservedProperty) -> dict[str, str]:
    """The unitOfMeasurement; its definition is UCUM."""
    unit = _UNITS.get(property_.unit) or Unit(property_.unit, property_.unit)
    return {"name": unit.name, "symbol": unit.symbol, "definition": f"ucum:{property_.unit}"}


def observation_type(property_: ObservedProperty) -> str:
    """The observationType: a state of yes and no, a number of things, or a measurement."""
    if property_.kind == "state":
        return COUNT if property_.coded else TRUTH
    if property_.kind in {"count", "counter"} and property_.unit == "1":
        return COUNT
    return MEASUREMENT


def is_amount(property_: ObservedProperty) -> bool:
    """That a reading tells how much there was in the interval that ends at its time."""
    return property_.kind == "count"


def service_name(property_: ObservedProperty) -> str:
    """The serviceName that portals ask for."""
    return _SERVICES[property_.theme]


@cache
def layer_name(property_: ObservedProperty, interval_s: float | None) -> str:
    """The layerName: what is measured, and of amounts the interval: `Anzahl_Kfz_Zaehlstelle_15-Min`."""
    name = _LAYERS.get(property_.name) or "".join(
        each if each.isalnum() else "_" for each in property_.name_de.translate(_PLAIN)
    )
    if not is_amount(property_) or not interval_s:
        return name
    for length, word in ((_DAY_S, "Tag"), (_HOUR_S, "Stunde"), (_MINUTE_S, "Min")):
        if interval_s % length == 0:
            return f"{name}_{int(interval_s // length)}-{word}"
    return f"{name}_{interval_s:g}-Sek"


def duration(interval_s: float) -> str:
    """Seconds as an ISO 8601 duration with the largest unit that gives whole numbers: `PT15M`."""
    for length, head, unit in ((_DAY_S, "P", "D"), (_HOUR_S, "PT", "H"), (_MINUTE_S, "PT", "M")):
        if interval_s % length == 0:
            return f"{head}{int(interval_s // length)}{unit}"
    return format_duration(round(interval_s * 1_000_000))
