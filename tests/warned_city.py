"""A small city that warns: areas, steps of warnings, notices, everything a document is made from."""

from alerts.areas import parse_areas
from alerts.cap.document import Basis, Issuer, city_document, heard
from alerts.city.city_warning import fold
from alerts.event import CityStep, CityText, Event
from alerts.scale import shipped_scale
from alerts.warning import opened

MINUTE = 60_000_000
T0 = 1_784_053_800_000_000  # 2026-07-14T18:30:00Z
ARS = "053780004004"
ISSUER = Issuer(
    sender="warnung@stadt.example",
    name="Stadt Bergisch Gladbach",
    city="Bergisch Gladbach",
    ars=ARS,
    contact="Leitstelle der Stadt, 02202 0",
    web="https://stadt.example/warnung",
)
TEXTS = {
    "de": CityText(
        "Hochwasser der Strunde in Gierath",
        "Die Strunde steigt schnell.",
        "Keller und Tiefgaragen sofort verlassen. Obere Stockwerke aufsuchen.",
    ),
    "en": CityText(
        "Flood of the Strunde in Gierath",
        "The Strunde is rising fast.",
        "Leave cellars and underground car parks at once. Go to upper floors.",
    ),
}


def square(lat, lon, size=0.005):
    west, east, south, north = lon - size, lon + size, lat - size, lat + size
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def area(id_, name, coordinates, stations, kind="Polygon"):
    return {
        "type": "Feature",
        "properties": {"id": id_, "name": name, "name_en": f"{name} village", "stations": stations},
        "geometry": {"type": kind, "coordinates": coordinates},
    }


AREAS = parse_areas(
    {
        "type": "FeatureCollection",
        "features": [
            area("gierath", "Gierath", square(50.98, 7.1), ["strunde-gierath", "regen-gierath"]),
            area(
                "oben",
                "Oben & unten",
                [square(51.02, 7.18), square(51.05, 7.2)],
                ["oben-*"],
                kind="MultiPolygon",
            ),
        ],
    },
    "areas.geojson",
)
PLACES = {"strunde-gierath": "Pegel Gierath", "regen-gierath": "Regen Gierath"}
BASIS = Basis(ISSUER, AREAS, shipped_scale(), PLACES)


def step(number, action, *, minute=None, id_="w1", **changes):
    """One event of a warning; by default a minute after the one before."""
    known = {"severity": "Severe", "areas": ("gierath",), "texts": TEXTS, "valid_min": 180} | changes
    known = {"exercise": False, "reason": "Pegel steigt"} | known
    at = T0 + (number if minute is None else minute) * MINUTE
    city = CityStep(
        action,
        known["severity"],
        known["areas"],
        known["texts"],
        known.get("valid_until_us", at + known["valid_min"] * MINUTE),
        "A. Beispiel",
        known["reason"],
    )
    return Event(
        f"{id_}.{number}.{action}",
        id_,
        at,
        "",
        "city",
        "",
        0,
        None,
        None,
        "",
        "",
        incident="vorfall:1",
        exercise=known["exercise"],
        city=city,
    )


def warned(*actions, **changes):
    """A warning after these actions."""
    warning = None
    for number, action in enumerate(actions, 1):
        warning = fold(warning, step(number, action, **changes))
    return warning


def documents(warning, measured=(), *, draft=False, basis=BASIS):
    """All documents of a warning, as they would be issued one after the other."""
    issued = []
    for number, _ in heard(warning):
        made = city_document(warning, number, issued, basis, measured, draft=draft)
        if made is not None:
            issued.append(made)
    return issued


def notice(measure="water_level", station="strunde-gierath", level=3, value=152.4, **changes):
    """A notice in force."""
    known = {"window_min": None if measure == "water_level" else 60, "severity": "Severe"} | changes
    return opened(
        Event(
            f"{measure}:{station}:{level}",
            f"{measure}:{station}:1",
            T0,
            station,
            "raise",
            measure,
            level,
            known.pop("window_min"),
            value,
            "rule",
            "why",
            **({"audience": "public"} | known),
        )
    )
