"""`stadtfunk serve` for outside clients: the demo's city with some history, and an empty scratch instance."""

import contextlib
import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest
import requests
from live_service import LiveService
from servers import Mosquitto, wait_for

import stadtfunk
from devices.catalogue import load_catalogue
from devices.registry import load_registry
from devices.simulator.simulator import Kind, Simulator
from stadtfunk.publisher import Publisher

CITY = Path(stadtfunk.__file__).parent / "demo_city"


class Address:
    """A running service as clients know it: an address and, for operators, a token."""

    def __init__(self, base, token=None):
        self.base, self.token = base, token
        self.sta = f"{base}/sta/v1.1"

    def get(self, path, **options):
        return requests.get(path if path.startswith("http") else self.base + path, timeout=60, **options)

    def json(self, path):
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()


class DemoService(LiveService):
    """`stadtfunk serve` with the demo's own configuration."""

    def __init__(self, folder, broker):
        super().__init__(folder, "")
        shutil.copytree(CITY, folder / "city")
        self.config = folder / "city" / "city.toml"
        self._values = {
            "DEMO_CHIRPSTACK": broker,
            "DEMO_TTS": broker,
            "DEMO_FOLDER": str(folder),
            "DEMO_PORT": str(self.port),
            "DEMO_TOKEN_SHA256": hashlib.sha256(self.token.encode()).hexdigest(),
        }

    def start(self, **options):
        super().start(env={**os.environ, **self._values}, **options)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo's city after a storm, served to the public and to an operator."""
    with _city(tmp_path_factory.mktemp("demo")) as address:
        yield address


@pytest.fixture(scope="module")
def another_demo(tmp_path_factory):
    """One whose data a test may change."""
    with _city(tmp_path_factory.mktemp("another-demo")) as address:
        yield address


@contextlib.contextmanager
def _city(folder):
    broker = Mosquitto(folder / "mosquitto")
    service = DemoService(folder, broker.url)
    try:
        service.start()
        sent = _send_the_storm(broker.url)
        address = Address(f"http://127.0.0.1:{service.port}", service.token)
        wait_for(lambda: _arrived(address, sent), 120, f"{sent} uplinks in the store, see {service.log}")
        yield address
    finally:
        service.close()
        broker.stop()


def _send_the_storm(broker):
    """One storm that has just ended; the number of distinct uplinks."""
    simulator = Simulator(load_catalogue(), load_registry(CITY / "devices.csv"), seed=1)
    lasts_us = max(each.due_us for each in simulator.messages(0))
    sent = 0
    with Publisher(broker) as publisher:
        for each in simulator.messages(time.time_ns() // 1000 - lasts_us):
            publisher.publish(each.topic, each.payload)
            sent += each.kind is not Kind.DUPLICATE
        publisher.flush()
    return sent


def _arrived(address, sent):
    text = address.get("/metrics", headers={"Authorization": f"Bearer {address.token}"}).text
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    figures = {name: float(value) for name, _, value in lines}
    taken = figures["stadtfunk_journal_uplinks"] + figures["stadtfunk_journal_rejected"]
    return taken >= sent and figures["stadtfunk_store_uplinks_behind"] == 0


SCRATCH = """[city]
name = "Probestadt"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[sta]
write = true
"""


class OpenService(LiveService):
    """One without a token: whoever reaches it may write."""

    def __init__(self, folder, text):
        super().__init__(folder, text)
        config = self.config.read_text()
        self.config.write_text(config[: config.index("[[api.token]]")])

    def ready(self):
        if not self.runs:
            raise AssertionError(self.log.read_text()[-3000:])
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    """An empty instance of SensorThings that anybody may write to."""
    folder = tmp_path_factory.mktemp("scratch")
    service = OpenService(folder, SCRATCH.format(folder=folder))
    try:
        service.start()
        yield Address(f"http://127.0.0.1:{service.port}")
    finally:
        service.close()
