"""A town in which much is not for everybody: not public, later, coarser, residents', staff's."""

import re
from contextlib import contextmanager

from alerts_areas import AREAS
from small_town import COUNTER, DEVICES, LEVEL, MINUTE, PARK, RAIN, SECRET, T0, TOKEN, Town, follow
from starlette.testclient import TestClient
from subscription_town import ANNA, subscribed, with_subscriptions
from told_roads import Roads, flow_state, segment, street
from warned_city import BASIS, warned

from alerts.areal_rain import HOURS, AreaRain
from alerts.cap.archive import CapArchive
from alerts.cap.publisher import CapPublisher
from alerts.mobility.counted import Count, Site
from alerts.mobility.counting import SiteCounts
from alerts.mobility.states import CarPark, Congestion
from alerts.outlook import LevelOutlook
from api.archive import Archive
from api.dcat.publisher import Publisher
from api.public_rule import PublicRule
from api.services import PushDoor
from api.sta.city import Cities
from api.tokens import hash_token
from ingest.hand_over import HandOver
from ingest.http_push import PushServer

HOUR = 60 * MINUTE
PUSH_TOKEN = "push-token-of-the-network-server"
UNKNOWN = "70b3d57ed00000aa"
RULES = {
    "water_level": PublicRule(delay_us=HOUR),
    "precipitation": PublicRule(coarsen_us=HOUR, license="https://licence.example/rain"),
    "precipitation_total": PublicRule(public=False),
    "vehicle_count": PublicRule(coarsen_us=HOUR, attribution="Verkehrsamt"),
    "battery_voltage": PublicRule(public=False),
    "relative_humidity": PublicRule(round_to=5.0),
    "people_count": PublicRule(suppress_below=5),
    "people_count_interval": PublicRule(suppress_below=5),
}
SHOWN = ("140.0137", "21.7")
"""Numbers that everybody may see."""
_NUMBERS = {
    "a battery": ["3.61803"],
    "a station that is not public": ["77.13579"],
    "what is not an hour old": [f"{150 + i}.0137" for i in range(13, 24)] + ["180.0137", "999.0137"],
    "what is rounded": ["55.5137"],
    "a single reading of an hour": [f"{0.5000137 + i / 1000:.12g}" for i in range(24)] + ["0.4990137"],
    "a running total": ["4711.25"],
    "five minutes of traffic": [str(7919 + n) for n in range(24)],
    "rain of an area this moment": ["86.42"],
    "how many people were counted": ["31337", "31339", "2.7137"],
}
_WORDS = [
    *(device["dev_eui"] for device in DEVICES),
    UNKNOWN,
    # when single readings of what is coarser were, and of what is not an hour old
    *("16:28:30", "18:28:30", "18:20:30"),
    *("geheim", "Geheim", "battery_voltage", "gw-kirchturm", "precipitation_total"),
    *(TOKEN, hash_token(TOKEN), PUSH_TOKEN, hash_token(PUSH_TOKEN), ANNA.address),
]


class Secrets:
    """What nobody may find in an answer; `more` is found out while the town is built."""

    def __init__(self, *more):
        words = "|".join(re.escape(word) for word in (*_WORDS, *more))
        numbers = "|".join(re.escape(each) for group in _NUMBERS.values() for each in group)
        # a number inside of another one is none
        self._pattern = re.compile(rf"{words}|(?<![\w.])(?:{numbers})(?!\w)", re.IGNORECASE)

    def found_in(self, text):
        return self._pattern.findall(text)


def outlook(station):
    known = {"rate": 1.0, "confidence": None, "rising": False, "least_rate": 1.0, "wave": None, "basin": None}
    if station != "strunde-gierath":
        return ()
    return (LevelOutlook(station=station, place="", time_us=T0, level=999.0137, marks=(), **known),)


def areal_rain(stations):
    seen = AreaRain(86.42, 86.42, len(stations), 1.0)
    return {area.id: (seen,) * len(HOURS) for area in AREAS.areas} if stations else {}


def roads():
    """Segments and directions of every quarter, of which the public knows hours only."""
    return Roads(
        streets=(street("offen", "z-haupt"), street("geheim", "z-haupt", "geheim-pegel")),
        states=tuple(flow_state(station, count=7919) for station in ("z-haupt", "geheim-pegel")),
        now=(segment("offen"), segment("geheim")),
        told=(Congestion("geheim.1", "geheim", T0 - HOUR, None, "jam"),),
    )


def measure(town):
    old = T0 - 5 * 24 * HOUR
    town.measure(LEVEL, old, ("water_level", 140.0137), ("battery_voltage", 3.61803))
    town.measure(SECRET, old, ("water_level", 77.13579))
    town.measure(RAIN, T0 - 121 * MINUTE - MINUTE // 2, ("precipitation", 0.4990137))
    town.measure(RAIN, T0 - 120 * MINUTE, ("relative_humidity", 55.5137))
    town.measure(LEVEL, T0 - 9 * MINUTE - MINUTE // 2, ("water_level", 180.0137))
    for i in range(24):
        at = T0 - (24 - i) * 5 * MINUTE
        town.measure(RAIN, at, ("precipitation", 0.5000137 + i / 1000), ("battery_voltage", 3.61803))
        town.measure(RAIN, at, ("precipitation_total", 4711.25), ("air_temperature", 21.7))
        level = (140 if i < 13 else 150 + i) + 0.0137
        town.measure(LEVEL, at, ("water_level", level), ("battery_voltage", 3.61803))
        town.measure(SECRET, at, ("water_level", 77.13579), ("air_temperature", 77.13579))
    town.measure(COUNTER, T0 - MINUTE - MINUTE // 2, ("vehicle_count", 100.0, "in"))
    town.measure(PARK, T0, ("parking_occupied", 1.0))
    for n, total in enumerate((31337.0, 31339.0)):
        at = T0 - (30 - n * 10) * MINUTE
        town.measure(COUNTER, at, ("people_count", total, "in"), ("people_count_interval", 2.7137, "in"))


def more_secrets(town):
    """Everything that the public must not notice, after which the town looks as before."""
    for i in range(3):
        town.measure(LEVEL, T0 - i * MINUTE, ("water_level", 999.0137), ("rssi", -99.0))
        town.measure(RAIN, T0 - i * MINUTE, ("precipitation", 0.5010137), ("battery_voltage", 3.61803))
        town.measure(SECRET, T0 - i * MINUTE, ("water_level", 77.13579), ("no2", 77.13579))
    # long before all else
    town.measure(LEVEL, T0 - 240 * HOUR, ("battery_voltage", 3.61803), ("rssi", -99.0))
    town.measure(RAIN, T0 - 240 * HOUR, ("precipitation_total", 4711.25))
    town.measure(SECRET, T0 - 240 * HOUR, ("air_temperature", 77.13579))
    # the first of its kind at a station
    town.measure(PARK, T0, ("water_level", 999.0137), ("precipitation", 0.5010137))
    town.measure(COUNTER, T0, ("people_count", 31339.0, "in"), ("people_count_interval", 2.7137, "in"))
    town.measure(UNKNOWN, T0, ("water_level", 77.13579))
    town.refuse("unknown_device", f'{{"devEui":"{UNKNOWN}"}}'.encode())
    town.warn("geheim-pegel", 4, "escalate", episode="starkregen:geheim-pegel:1")
    town.warn(
        "strunde-gierath", 2, "escalate", audience="staff", episode="level:geheim:1", measure="water_level"
    )
    town.parks += (CarPark("geheim-pegel", "spaces", 9, 1, 8, T0, T0, 9, 9),)
    roads = town.changes["roads"]
    roads.states += (flow_state("geheim-pegel", "out", count=7920), flow_state("z-haupt", "out", count=7921))
    roads.told += (Congestion("offen.1", "offen", T0 - HOUR, None, "jam"),)


@contextmanager
def leaky_town(folder):
    """The town and what must not be found in it."""
    town = Town(folder)
    archive = CapArchive(folder / "cap.db")
    warnings = [
        warned("release", "update", areas=()),
        warned("propose", id_="warning.geheim", reason="geheim"),
    ]
    file = with_subscriptions(town)
    town.changes |= {
        "rules": RULES,
        "roads": roads(),
        "levels": outlook,
        "areal_rain": areal_rain,
        "sta": Cities(),
        "archive": Archive(folder / "archive"),
        "publisher": Publisher(contact_mail="offene-daten@city.example"),
        "city_warnings": lambda: warnings,
        "cap": CapPublisher(
            archive,
            lambda: BASIS,
            lambda: warnings[:1],
            town.board,
            town.texts,
            clock=lambda: town.now_us,
            public_stations=lambda: frozenset({"regen-gierath"}),
        ),
        "pushes": {
            "stadtwerke": PushDoor(
                PushServer("stadtwerke", HandOver(), lambda: town.now_us), hash_token(PUSH_TOKEN)
            )
        },
    }
    measure(town)
    town.parks = (
        CarPark("p-markt", "spaces", 40, 12, 28, T0, T0, 40, 40),
        CarPark("geheim-pegel", "spaces", 4, 1, 3, None, None, 4, 0),
    )
    town.counts = tuple(
        SiteCounts(
            Site(station, "vehicle_count", "in"),
            T0,
            tuple(
                Count(T0 - (n + 1) * 5 * MINUTE, T0 - n * 5 * MINUTE, 7919 + n, 1.0)
                for n in range(23, -1, -1)
            ),
        )
        for station in ("z-haupt", "geheim-pegel")
    )
    town.warn("regen-gierath")
    town.warn("geheim-pegel")
    episode = {"episode": "level:geheim:1", "measure": "water_level", "window_min": None, "value": 44.0}
    town.warn("strunde-gierath", 1, audience="staff", **episode)
    follow(town.latest)
    with TestClient(town.app()) as client:
        token = subscribed(client, file)
    try:
        yield town, Secrets(token, hash_token(token))
    finally:
        town.latest.stop()
        for each in (archive, file, town.store, town.journal, town.audit):
            each.close()
