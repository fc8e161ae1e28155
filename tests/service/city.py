"""A city for the end-to-end tests: the demo's devices several times, a service, a sink for alerts."""

import base64
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import pytest
from servers import free_port, wait_for

from devices.catalogue import load_catalogue
from devices.registry import InstalledDevice, Registry, load_registry
from devices.simulator.network import Frame, chirpstack_v4, join, message_id, radio
from devices.simulator.simulator import Kind, Script, Simulator
from stadtfunk.tokens import new_token

STOP_S = 60

COLUMNS = (
    "dev_eui",
    "type",
    "station",
    "name",
    "lat",
    "lon",
    "public",
    "interval_s",
    "gauge_zero_m",
    "sensor_height_cm",
    "stages_cm",
    "capacity",
    "water",
    "direction",
)


def demo_registry() -> Registry:
    return load_registry(Path(str(files("stadtfunk") / "demo_city" / "devices.csv")))


def copies_of(registry: Registry, copies: int) -> Registry:
    """The same places several times: other DevEUIs, other station ids."""
    devices = {}
    for n in range(copies):
        for device in registry.devices.values():
            eui = f"{int(device.dev_eui, 16) + (n << 24):016x}"
            devices[eui] = replace(
                device, dev_eui=eui, station=f"{device.station}-{n}", water=f"{device.water}{n}"
            )
    return replace(registry, devices=devices, stations={})


def write_csv(registry: Registry, path: Path) -> None:
    lines = [",".join(COLUMNS)]
    for device in registry.devices.values():
        row = []
        for column in COLUMNS:
            value = getattr(device, column)
            if isinstance(value, bool):
                row.append(str(value).lower())
            elif isinstance(value, tuple):
                row.append(";".join(f"{each:g}" for each in value))
            else:
                row.append("" if value is None else str(value))
        lines.append(",".join(row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def load(registry: Registry, messages: int, start_us: int, seed: int, *, onset_min: int = 5):
    """Messages with so many distinct uplinks, good and bad; the storm begins at `onset_min`."""
    simulator = Simulator(load_catalogue(), registry, seed, Script(history_min=0, onset_min=onset_min))
    drawn, uplinks = [], 0
    for delivery in simulator.messages(start_us):
        if uplinks >= messages:
            break
        drawn.append(delivery)
        uplinks += delivery.kind is not Kind.DUPLICATE
    return drawn


def expected_readings(registry: Registry, deliveries) -> dict:
    """(station, property, channel) -> how often which value, from the payloads alone."""
    catalogue = load_catalogue()
    expected = defaultdict(Counter)
    for delivery in deliveries:
        if delivery.kind is not Kind.UPLINK:
            continue
        body = json.loads(delivery.payload)
        if "deviceInfo" in body:
            eui, port, data = body["deviceInfo"]["devEui"], body["fPort"], body["data"]
        else:
            uplink = body["uplink_message"]
            eui, port, data = (
                body["end_device_ids"]["dev_eui"].lower(),
                uplink["f_port"],
                uplink["frm_payload"],
            )
        device = registry.devices[eui]
        decoded = catalogue[device.type].decode(port, base64.b64decode(data))
        for each in device.derive(decoded):
            expected[(device.station, each.property, each.channel)][each.value] += 1
    return expected


def level_uplink(
    device: InstalledDevice, level_cm: float, f_cnt: int, rng: random.Random
) -> tuple[str, bytes]:
    """Topic and payload of a gauge that reports this level now."""
    distance_mm = (device.sensor_height_cm - level_cm) * 10
    values = {"water_distance": distance_mm, "sample_count": 5, "battery_voltage": 3.0}
    frame = Frame(
        device=device,
        session=join(random.Random(1)),
        f_port=1,
        f_cnt=f_cnt,
        payload=load_catalogue()[device.type].encode(1, values),
        received_us=time.time_ns() // 1000,
        radio=radio(rng, device.lat, device.lon),
        decoded=None,
    )
    return chirpstack_v4(frame, message_id(rng))


class AlertSink:
    """An HTTP endpoint that apprise's json:// posts to; remembers when what came."""

    def __init__(self):
        self.received: list[tuple[float, dict]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                sink.received.append((time.time(), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def messages(self, word: str) -> list[tuple[float, dict]]:
        return [(at, body) for at, body in list(self.received) if word in json.dumps(body)]


class ServiceProcess:
    """`stadtfunk serve` as its own process, that can be killed and started again."""

    def __init__(self, folder: Path, registry: Registry, broker_url: str, store_url: str, sink: AlertSink):
        self.folder = folder
        self.sink = sink
        self.port = free_port()
        self.token, digest = new_token()
        self.config = folder / "city.toml"
        write_csv(registry, folder / "devices.csv")
        self.config.write_text(
            f"""
[city]
name = "Teststadt"
ars = "053780004004"
[[network_server]]
name = "chirpstack"
kind = "chirpstack-v4"
url = "{broker_url}"
topics = ["application/+/device/+/event/+"]
[[network_server]]
name = "tts"
kind = "tts-v3"
url = "{broker_url}"
topics = ["v3/+/devices/+/up"]
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "{store_url}"
[devices]
file = "devices.csv"
[[alerts.channel]]
name = "sink"
url = "{sink.url}"
[[api.token]]
name = "test"
hash = "sha256:{digest}"
[api]
port = {self.port}
""",
            encoding="utf-8",
        )
        self._process: subprocess.Popen | None = None

    def start(self, *, ready=True):
        with (self.folder / "service.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-m", "stadtfunk", "serve", "--config", self.config],
                stdout=log,
                stderr=log,
            )
        if ready:
            wait_for(self.ready, 180, f"the service, see {self.folder}/service.log")
        return self

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self, number=signal.SIGTERM) -> int:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGABRT)  # the fault handler writes where every thread is
            self._process.wait()
            pytest.fail(f"no end after {STOP_S} s:\n{(self.folder / 'service.log').read_text()[-12000:]}")

    def get(self, path: str, *, token=True):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        if token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read()), answer.headers

    def metrics(self) -> dict[str, float]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/metrics")
        request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
        }

    def pages(self, path: str):
        """Every item of a collection, following the Link headers."""
        while path:
            body, headers = self.get(path)
            yield from body["items"]
            following = [part for part in headers.get_all("Link", []) if 'rel="next"' in part]
            path = following[0].split("<")[1].split(">")[0] if following else ""
            path = path.replace(f"http://127.0.0.1:{self.port}", "")

    def ready(self):
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "service.log").read_text()[-3000:])
        try:
            body, _ = self.get("/readyz")
        except (urllib.error.URLError, OSError):
            return False
        return all(part["ok"] for part in body["parts"].values())


def seed_of_today() -> int:
    """STADTFUNK_TEST_SEED, else a new one; printed, so that a failure can be repeated."""
    seed = int(os.environ.get("STADTFUNK_TEST_SEED") or time.time_ns() % 1_000_000)
    sys.stdout.write(f"STADTFUNK_TEST_SEED={seed}\n")
    return seed
