"""The city of `warn.py`: a configuration for `stadtfunk serve`, gauges of their own waters, uplinks."""

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from devices.catalogue import load_catalogue
from devices.registry import load_registry
from devices.simulator.network import Frame, chirpstack_v4, join, message_id, radio
from stadtfunk.tokens import new_token

KEY = "ab" * 32
PEOPLE_PLACE = "mitte"
MASS = "pegel-mitte"
"""The gauge whose area the residents have chosen."""
STAFF = "leitstelle@stadt.example"
SENSOR_HEIGHT_CM = 400.0
CALM_CM, HIGHEST_CM, EXTREME_CM = 20.0, 160.0, 175.0
"""The second is the highest of the four marks."""
_CITY = """
[city]
name = "Teststadt"
ars = "053780004004"
[[network_server]]
name = "bench"
kind = "chirpstack-v4"
url = "mqtt://127.0.0.1:{mqtt}"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[devices]
file = "devices.csv"
[alerts]
areas = "areas.geojson"
catchments = "catchments.toml"
[[alerts.channel]]
name = "control-room"
url = "mailto://127.0.0.1:{smtp}?from=stadtfunk@stadt.example&to={staff}"
[[alerts.channel]]
name = "half"
url = "json://127.0.0.1:{http}/half"
[[alerts.channel]]
name = "hangs"
url = "json://127.0.0.1:{http}/hangs"
[cap]
sender = "warnung@stadt.example"
[subscriptions]
key = "{key}"
smtp = "smtp://127.0.0.1:{smtp}"
sender = "warnungen@stadt.example"
url = "https://warn.example"
channels = ["email", "sms"]
sms = "json://127.0.0.1:{http}/hangs?+to={{to}}"
[[api.token]]
name = "bench"
hash = "sha256:{hash}"
[api]
port = {port}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Of the servers on loopback."""

    mqtt: int
    smtp: int
    http: int
    api: int


class City:
    """One gauge for everybody and `others`, each in a catchment and an area of its own."""

    def __init__(self, others: int) -> None:
        self.others = [f"pegel-{i:03}" for i in range(others)]
        tables = [_device(i, station) for i, station in enumerate((MASS, *self.others))]
        self._registry = load_registry(None, tables)
        self._tables = tables
        self._catalogue = load_catalogue()
        self._random = Random(1)
        self._session = join(self._random)
        self._by_station = {each.station: each for each in self._registry.devices.values()}
        self.stations = {each.dev_eui: each.station for each in self._registry.devices.values()}
        self.highest_cm = HIGHEST_CM
        self._counts = dict.fromkeys(self._by_station, 0)

    def write(self, folder: Path, ports: Ports) -> str:
        """city.toml and what it names; the operator's token."""
        token, digest = new_token()
        columns = list(self._tables[0])
        rows = [",".join(columns), *(",".join(str(each[c]) for c in columns) for each in self._tables)]
        (folder / "devices.csv").write_text("\n".join(rows) + "\n")
        stations = (MASS, *self.others)
        features = [_area(i, station) for i, station in enumerate(stations)]
        (folder / "areas.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        catchments = [f'[[catchment]]\nid = "w-{each}"\nstations = ["{each}"]\n' for each in stations]
        (folder / "catchments.toml").write_text("".join(catchments))
        text = _CITY.format(
            folder=folder,
            mqtt=ports.mqtt,
            smtp=ports.smtp,
            http=ports.http,
            port=ports.api,
            staff=STAFF,
            key=KEY,
            hash=digest,
        )
        (folder / "city.toml").write_text(text)
        return token

    def uplink(self, station: str, level_cm: float, ago_s: float = 0.0) -> tuple[str, bytes]:
        """Topic and payload of a gauge's uplink as ChirpStack publishes it."""
        device = self._by_station[station]
        self._counts[station] += 1
        distance_mm = (SENSOR_HEIGHT_CM - level_cm) * 10
        values = {"water_distance": distance_mm, "sample_count": 5, "battery_voltage": 3.0}
        return chirpstack_v4(
            Frame(
                device=device,
                session=self._session,
                f_port=1,
                f_cnt=self._counts[station],
                payload=self._catalogue[device.type].encode(1, values),
                received_us=time.time_ns() // 1000 - round(ago_s * 1e6),
                radio=radio(self._random, device.lat, device.lon),
                decoded=None,
            ),
            message_id(self._random),
        )

    def read(self, event: dict[str, Any]) -> tuple[str, float]:
        """Station and level (cm) of such an uplink, for the baseline."""
        device = self._registry.devices[event["deviceInfo"]["devEui"]]
        measured = self._catalogue[device.type].decode(event["fPort"], base64.b64decode(event["data"]))
        assert isinstance(measured, tuple), measured
        level = next(each.value for each in device.derive(measured) if each.property == "water_level")
        assert level is not None
        return device.station, level


def _device(number: int, station: str) -> dict[str, object]:
    return {
        "dev_eui": f"{0x70B3D57ED0000000 + number:016x}",
        "type": "decentlab-dl-mbx",
        "station": station,
        "name": f"Pegel {station}",
        "lat": 51.0 if station == MASS else round(50.2 + number * 0.002, 4),
        "lon": 7.1,
        "public": "true",
        "sensor_height_cm": SENSOR_HEIGHT_CM,
        "stages_cm": "40;80;120;160",
    }


def area_of(station: str) -> str:
    """The only area that a gauge warns."""
    return PEOPLE_PLACE if station == MASS else station


def _area(number: int, station: str) -> dict[str, object]:
    mass = station == MASS
    lat, lon, size = (51.0, 7.1, 0.1) if mass else (50.2 + number * 0.002, 8.0, 0.0009)
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    ring = [[round(lon + size * x, 5), round(lat + size * y, 5)] for x, y in corners]
    return {
        "type": "Feature",
        "properties": {"id": area_of(station), "name": station, "stations": [station]},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
