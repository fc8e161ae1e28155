"""A small city of real parts, with things in it that the public must never see."""

import functools
import math
import threading
import time
from dataclasses import dataclass, field

from alerts.audit import AuditLog
from alerts.board import WarningBoard
from alerts.delivery.delivery import Receipt
from alerts.engine import Engine
from alerts.event import Event
from alerts.incidents.board import IncidentBoard
from alerts.mobility.counted import Count, Site
from alerts.mobility.counting import SiteCounts
from alerts.mobility.states import CarPark
from alerts.rules import load_rules
from alerts.texts.texts import Texts
from api.app import create_app
from api.services import City, Services, TokenHash
from api.tokens import hash_token
from devices.catalogue import load_catalogue
from devices.measurement import Rejected
from devices.properties import observed_properties
from devices.registry import load_registry
from ingest.health import Health
from ingest.inbox import Inbox
from ingest.journal import Accepted, Refused
from ingest.latest import LatestValues
from ingest.neighbours.official_warning import Official, OfficialWarning
from ingest.reading import Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.sqlite_store import SqliteStore
from ingest.uplink import Gateway, Message, TimeSource, Uplink

MINUTE = 60_000_000
T0 = 1_784_053_800_000_000  # 2026-07-14T18:30:00Z
TOKEN = "a-token-of-this-test"
RAIN, LEVEL, PARK, COUNTER, SECRET = (f"70b3d57ed000000{i}" for i in range(1, 6))
RAIN_TYPE, LEVEL_TYPE, PARK_TYPE = "decentlab-dl-tbrg", "decentlab-dl-mbx", "bosch-tps110"
COUNTER_TYPE = "parametric-pcr2"
DEVICES = [
    {"dev_eui": RAIN, "type": RAIN_TYPE, "station": "regen-gierath", "name": "Regen Gierath", "public": True},
    {
        "dev_eui": LEVEL,
        "type": LEVEL_TYPE,
        "station": "strunde-gierath",
        "name": 'Strunde, "Gierath"',
        "public": True,
        "stages_cm": [40, 60],
        "water": "Strunde",
    },
    {"dev_eui": PARK, "type": PARK_TYPE, "station": "p-markt", "name": "Parkplatz Markt", "public": True},
    {"dev_eui": COUNTER, "type": COUNTER_TYPE, "station": "z-haupt", "name": "Hauptstraße", "public": True},
    {
        "dev_eui": SECRET,
        "type": LEVEL_TYPE,
        "station": "geheim-pegel",
        "name": "Geheimer Pegel",
        "public": False,
        "note": "geheime-notiz",
    },
]
SECRETS = (
    RAIN,
    LEVEL,
    PARK,
    COUNTER,
    SECRET,
    "geheim",
    "Geheim",
    "battery",
    TOKEN,
    hash_token(TOKEN),
    "gw-kirchturm",
)


OFFICIAL = Official(
    (
        OfficialWarning(
            identifier="2.49.0.0.276.0.DWD.PVW.1786001640000.dbb327c5.DEU",
            kind="warning",
            code=62,
            level=3,
            severity="Severe",
            sender="Deutscher Wetterdienst",
            sent_us=T0 - MINUTE,
            onset_us=T0,
            expires_us=T0 + 90 * MINUTE,
            event="HEFTIGER STARKREGEN",
            headline="Amtliche UNWETTERWARNUNG vor HEFTIGEM STARKREGEN",
            description="Es tritt <b>heftiger</b> Starkregen auf.",
            instruction="",
            areas=("Stadt Bergisch Gladbach",),
        ),
    ),
    T0,
)


@functools.cache
def catalogue():
    return load_catalogue()


def registry():
    return load_registry(
        None, [{"lat": 50.98 + i / 100, "lon": 7.1 + i / 50, **row} for i, row in enumerate(DEVICES)]
    )


@dataclass
class Town:
    """A small city of real parts: journal, store, latest values, board; its clock stands still."""

    folder: object
    name: str = "Bergisch Gladbach"
    tokens: tuple = (TokenHash("leitstelle", hash_token(TOKEN)),)
    now_us: int = T0
    health: dict = field(
        default_factory=lambda: {"journal": Health(True), "intake": Health(True, "geheim 12/s")}
    )
    parks: tuple = ()
    counts: tuple = ()
    receipts: tuple = tuple(
        Receipt(f"event-{seq}", channel, seq, "an-episode", "raise", seq, "sent", 1, 0, "", seq, seq, seq)
        for seq in (3, 2, 1)
        for channel in ("feuerwehr", "leitstelle")
    )
    changes: dict = field(default_factory=dict)

    def __post_init__(self):
        self.registry = registry()
        self.journal = SqliteJournal(self.folder / f"{self.name}.journal.db")
        self.store = SqliteStore(self.folder / f"{self.name}.store.db")
        self.latest = LatestValues(self.journal, self.store, pause_s=0.05)
        self.board = WarningBoard(lambda: self.now_us)
        self.incidents = IncidentBoard()
        self.engine = Engine(self.journal, load_rules(), lambda: self.registry, lambda: self.now_us)
        self.texts = Texts(lambda id_: self.registry.stations[id_].name, "Europe/Berlin", self.name)
        self.audit = AuditLog(self.folder / f"{self.name}.audit.db", lambda: self.now_us)
        self._f_cnt = 0

    def services(self):
        known = {
            "city": City(
                self.name,
                "053780004004",
                license="http://dcat-ap.de/def/licenses/dl-zero-de/2.0",
                attribution="Stadt Bergisch Gladbach",
            ),
            "registry": lambda: self.registry,
            "properties": observed_properties(),
            "catalogue": catalogue(),
            "store": self.store,
            "latest": self.latest,
            "journal": self.journal,
            "board": self.board,
            "incidents": self.incidents,
            "decide": self.engine.decide,
            "texts": self.texts,
            "parking": lambda: self.parks,
            "traffic": lambda: self.counts,
            "deliveries": lambda limit, after: [
                each
                for each in self.receipts
                if after is None or (-after[0], after[1]) < (-each.seq, each.channel)
            ][:limit],
            "health": lambda: self.health,
            "metrics": lambda: b"stadtfunk_uplinks_total 1\n",
            "clock": lambda: self.now_us,
            "official": lambda: OFFICIAL,
            "official_public": True,
            "tokens": self.tokens,
            "audit": self.audit,
            "inbox": Inbox(self.journal, lambda: self.registry, catalogue(), budget_s=60.0),
        }
        return Services(**(known | self.changes))

    def app(self, **options):
        return create_app(self.services(), **options)

    def measure(self, dev_eui, time_us, *values):
        """One uplink: (property, value[, channel[, quality]]) each; into the journal and the store."""
        self.keep(self.uplink(dev_eui, time_us, *values))

    def keep(self, *accepted):
        before = self.journal.last_seq()
        self.journal.append(accepted)
        self.store.write(self.journal.series(), self.journal.read(before, len(accepted))[1])

    def uplink(self, dev_eui, time_us, *values):
        self._f_cnt += 1
        station = next((d["station"] for d in DEVICES if d["dev_eui"] == dev_eui), "geheim-unbekannt")
        readings = []
        for name, value, *rest in values:
            channel, quality = (rest + ["", 1][len(rest) :])[:2]
            number = math.nan if value is None else value
            readings.append(Measured(Series(station, name, channel, dev_eui), time_us, number, quality))
        uplink = Uplink(
            server="stadtwerke",
            dev_eui=dev_eui,
            f_port=1,
            f_cnt=self._f_cnt,
            session="00",
            payload=b"\x01\x02",
            received_us=time_us,
            arrived_us=time_us,
            time_us=time_us,
            time_source=TimeSource.SERVER,
            gateways=(Gateway("gw-kirchturm", -101.0, 5.5),),
        )
        return Accepted(uplink, tuple(readings), (self._f_cnt, -self._f_cnt))

    def refuse(self, reason, payload=b"{}"):
        self._f_cnt += 1
        message = Message("stadtwerke", "application/geheim/up", payload, 1, False, T0 + self._f_cnt)
        self.journal.append([], [Refused(message, Rejected(reason, "why"), (self._f_cnt,))])

    def warn(self, station, level=3, kind="raise", *, at_us=None, **changes):
        """One event of the engine; the episode is `starkregen:STATION:1` unless said otherwise."""
        known = {
            "episode": f"starkregen:{station}:1",
            "time_us": self.now_us if at_us is None else at_us,
            "measure": "dwd_starkregen",
            "window_min": 60,
            "value": 31.24,
            "rule": "starkregen",
            "reason": "sum 31.24 mm > 25 mm",
            "audience": "public",
        } | changes
        event = Event(f"{known['episode']}:{kind}:{level}", station=station, kind=kind, level=level, **known)
        self.board.apply([event])


def fill(town):
    """Two hours of everything, and things the public must never see."""
    uplinks = []
    for i in range(24):
        at = T0 - (24 - i) * 5 * MINUTE
        uplinks += [
            town.uplink(RAIN, at, ("precipitation", i / 10), ("battery_voltage", 3.6)),
            town.uplink(LEVEL, at, ("water_level", 30 + 1.1 * i), ("battery_voltage", 3.6)),
            town.uplink(SECRET, at, ("water_level", 77.0)),
        ]
    town.keep(
        *uplinks,
        town.uplink(LEVEL, T0, ("water_level", None, "", 9)),
        town.uplink(COUNTER, T0, ("vehicle_count", 100.0, "in"), ("vehicle_count", 90.0, "out")),
        town.uplink(PARK, T0, ("parking_occupied", 1.0)),
        town.uplink("70b3d57ed00000ff", T0, ("water_level", 1.0)),
    )
    town.refuse("unknown_device", b'{"devEui":"70b3d57ed00000aa"}')
    town.parks = (
        CarPark("p-markt", "spaces", 40, 12, 28, T0, T0, 40, 40),
        CarPark("geheim-pegel", "spaces", 4, 1, 3, None, None, 4, 0),
    )
    town.counts = tuple(
        SiteCounts(
            Site(station, "vehicle_count", channel),
            T0,
            tuple(
                Count(T0 - (n + 1) * 5 * MINUTE, T0 - n * 5 * MINUTE, 10 + n, 1.0)
                for n in reversed(range(24))
            ),
        )
        for station, channel in (("z-haupt", "in"), ("z-haupt", "out"), ("geheim-pegel", "in"))
    )
    town.warn("regen-gierath")
    town.warn("geheim-pegel")
    town.warn(
        "strunde-gierath",
        1,
        audience="staff",
        measure="water_level",
        window_min=None,
        value=44.0,
        episode="level:geheim:1",
    )


def follow(latest):
    """Start what follows the journal, and wait until all who listen have been told what stands there."""
    told = threading.Event()
    leave = latest.listen(lambda _: told.set())
    latest.start()
    assert told.wait(120), "waited in vain"
    leave()
    wait_for(lambda: latest.health.ok)


def wait_for(condition, seconds=120.0):

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
