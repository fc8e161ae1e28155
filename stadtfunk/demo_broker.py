"""The demo's MQTT broker: rumqttd in a child process, on loopback, on free ports."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from iotcore import Broker

_HOST = "127.0.0.1"
_LISTENER = """
[{version}.demo]
name = "{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{version}.demo.connections]
connection_timeout_ms = 60000
max_payload_size = 1048576
max_inflight_count = 200
"""
# Its log of messages lives in memory: at most 10 segments of 10 MB for each subscription.
_ROUTER = """id = 0
[router]
id = 0
max_connections = 20
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10
"""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the broker listens: one URL for MQTT 3.1.1, one for MQTT 5; both see every message."""

    mqtt_311: str
    mqtt_5: str


@contextmanager
def demo_broker(folder: Path) -> Iterator[Addresses]:
    """A running broker; its configuration is written into `folder`."""
    ports = _free_ports(2)
    listeners = [
        _LISTENER.format(version=version, host=_HOST, port=port)
        for version, port in zip(("v4", "v5"), ports, strict=True)
    ]
    config = folder / "broker.toml"
    config.write_text(_ROUTER + "".join(listeners), encoding="utf-8")
    broker = Broker(config_path=str(config))
    with deaf_to_ctrl_c():
        broker.start()
    try:
        yield Addresses(*(f"mqtt://{_HOST}:{port}" for port in ports))
    finally:
        broker.stop()


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """A child started in here outlives Ctrl-C, so that the service can take its leave."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((_HOST, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
