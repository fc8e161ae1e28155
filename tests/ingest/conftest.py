import subprocess
from pathlib import Path

import pytest
from servers import Wire, program, wait_for
from uplink_messages import NOW_US

from ingest.consumer import Consumer, ServerConfig
from ingest.hand_over import HandOver
from ingest.network_servers import PARSERS

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture
def captures():
    """Folder of uplinks captured from real network servers."""
    folder = SHARED / "data" / "uplinks"
    if not folder.is_dir():
        pytest.skip(f"no captures: {folder} is not there")
    return folder


@pytest.fixture
def consume(monkeypatch):
    """Starts consumers; they end with the test."""
    monkeypatch.setattr("ingest.consumer.PAUSE_S", (0.02, 0.2))
    started = []

    def start(url, sink=None, *, kind="chirpstack-v4", name="stadtwerke", **more):
        wait, connected = more.pop("wait", True), more.pop("connected", lambda _: None)
        consumer = Consumer(
            ServerConfig(name, PARSERS[kind], url, **more),
            HandOver() if sink is None else sink,
            lambda: NOW_US,
            connected,
        )
        started.append(consumer)
        consumer.start()
        if wait:
            wait_for(lambda: consumer.health.ok, what=consumer.health)
        return consumer

    yield start
    for each in started:
        each.stop()
        wait_for(lambda each=each: not each._thread.is_alive())


@pytest.fixture
def wire():
    wires = []

    def between(broker):
        wires.append(Wire(broker.port))
        return wires[-1]

    yield between
    for each in wires:
        each.close()


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for 127.0.0.1: (certificate, key)."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            program("openssl"),
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            key,
            "-out",
            cert,
        ],
        check=True,
        capture_output=True,
    )
    return cert, key
