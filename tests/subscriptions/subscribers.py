"""A city of two areas and three gauges, and its file of subscriptions."""

import sqlite3
from dataclasses import dataclass, field

from alerts.areas import parse_areas
from alerts.scale import shipped_scale
from alerts.subscriptions.contact import contact
from alerts.subscriptions.subscription import Choices, Place
from alerts.subscriptions.subscriptions import Subscriptions
from alerts.subscriptions.vault import Vault
from alerts.subscriptions.words import Links, Words
from devices.registry import load_registry

HOUR = 3_600_000_000
DAY = 24 * HOUR
T0 = 1_793_448_000_000_000  # 2026-10-31T12:00:00Z
KEY, OTHER_KEY = "ab" * 32, "cd" * 32
ANNA = contact("email", "anna@example.org")
DEVICES = [
    {"station": "pegel", "name": "Kippemühle", "lat": 50.98, "lon": 7.1, "stages_cm": [40, 60]},
    {"station": "regen", "name": "Gierath", "lat": 50.98, "lon": 7.1},
    {"station": "fern", "name": "Fern", "lat": 51.08, "lon": 7.1, "stages_cm": [40, 60]},
]


def square(lat, lon, size=0.005):
    west, east, south, north = lon - size, lon + size, lat - size, lat + size
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


def area(id_, lat, lon, stations, name=""):
    return {
        "type": "Feature",
        "properties": {"id": id_, "name": name or id_.title(), "stations": stations},
        "geometry": {"type": "Polygon", "coordinates": square(lat, lon)},
    }


AREAS = parse_areas(
    {
        "type": "FeatureCollection",
        "features": [
            area("gierath", 50.98, 7.1, ["pegel", "regen"]),
            area("oben", 51.08, 7.1, ["fern"]),
        ],
    },
    "areas.geojson",
)
REGISTRY = load_registry(
    None,
    [
        {"dev_eui": f"70b3d57ed000000{i}", "type": "decentlab-dl-mbx", "public": True, **row}
        for i, row in enumerate(DEVICES)
    ],
)


def words(areas=AREAS, city="Stadt Teststadt"):
    def station_name(id_):
        return REGISTRY.stations[id_].name if id_ in REGISTRY.stations else ""

    return Words(city, areas, shipped_scale(), station_name, Links("https://warn.example"))


@dataclass
class Desk:
    """The file and its clock; `tell()` hands over what is due, without a thread."""

    folder: object
    key: str = KEY
    old: tuple = ()
    options: dict = field(default_factory=dict)
    now_us: int = T0
    areas: object = AREAS

    def __post_init__(self):
        self.path = self.folder / "subscriptions.db"
        self.open()

    def open(self):
        options = {"mails_an_hour": 100, "proof_days": 30} | self.options
        self.file = Subscriptions(
            self.path,
            Vault(self.key, self.old),
            lambda: self.now_us,
            areas=self.areas,
            registry=lambda: REGISTRY,
            timezone="Europe/Berlin",
            **options,
        )

    def reopen(self, **changes):
        self.file.close()
        for name, value in changes.items():
            setattr(self, name, value)
        self.open()

    def mails(self):
        """What waits to be sent: [(kind, address, token to confirm)]; takes it off the queue."""
        found = self.file.mails.due(1000)
        for each in found:
            self.file.mails.done(each)
        return [(each.mail.kind, each.mail.contact.address, each.mail.token) for each in found]

    def subscribe(self, who=ANNA, *places, **choices):
        """Ask and confirm; the token to look after it."""
        self.mails()
        self.file.ask(who, Choices(places or (Place("area", "gierath"),), **choices), "de-1")
        ((_, _, token),) = self.mails()
        manage = self.file.confirm(token)
        self.mails()
        return manage

    def rows(self, sql, *values):
        with sqlite3.connect(self.path) as connection:
            found = connection.execute(sql, values).fetchall()
        connection.close()
        return found

    def bytes(self):
        """Everything that lies on the disk."""
        return b"".join(each.read_bytes() for each in self.folder.iterdir() if each.is_file())
