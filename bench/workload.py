"""A city for the benches: the demo's devices several times over, and the messages they send."""

import csv
import itertools
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from paho.mqtt import client as mqtt

from devices.catalogue import Catalogue
from devices.registry import RegistryFile, load_registry
from devices.simulator.simulator import Script, Simulator

DEVICES = Path(__file__).parents[1] / "stadtfunk" / "demo_city" / "devices.csv"
HOUR_US = 3_600_000_000
CONFIGURATION = """listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 0
max_inflight_messages 1000
log_dest none
"""


class Sent(NamedTuple):
    """One MQTT message and the kind of network server it comes from."""

    kind: str
    topic: str
    payload: bytes


def device_tables(copies: int) -> list[dict[str, str]]:
    """The demo's devices; each copy has DevEUIs, stations and waters of its own."""
    with DEVICES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    tables = []
    for copy in range(copies):
        for row in rows:
            own = {key: value for key, value in row.items() if value}
            own["dev_eui"] = f"{int(row['dev_eui'], 16) + (copy << 16):016x}"
            own["station"] = f"{row['station']}-{copy}"
            if "water" in own:
                own["water"] = f"{row['water']} {copy}"
            tables.append(own)
    return tables


def city(copies: int, catalogue: Catalogue) -> RegistryFile:
    return RegistryFile(None, device_tables(copies), catalogue=catalogue)


def messages(copies: int, catalogue: Catalogue, count: int) -> list[Sent]:
    """The last hours of a city, up to now: distinct uplinks, good and in order."""
    simulator = Simulator(
        catalogue,
        load_registry(None, device_tables(copies)),
        script=Script(duplicates=0, late=0, history_min=0, first_fault_min=1_000_000, length_min=100_000),
    )
    start_us = time.time_ns() // 1000 - 12 * HOUR_US
    stream = simulator.messages(start_us)
    return [
        Sent("tts-v3" if each.topic.startswith("v3/") else "chirpstack-v4", each.topic, each.payload)
        for each in itertools.islice(stream, count)
    ]


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A broker on a port of its own."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise SystemExit("mosquitto is missing; remedy: apt-get install mosquitto")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    file = folder / "mosquitto.conf"
    file.write_text(CONFIGURATION.format(port=port))
    with subprocess.Popen(
        [program, "-c", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as broker:
        try:
            wait(lambda: answers(port), "mosquitto does not listen")
            yield port
        finally:
            broker.terminate()


def answers(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0


def publish(port: int, sent: list[Sent]) -> None:
    """Everything at QoS 1; returns when the broker has it."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    last = None
    for each in sent:
        last = client.publish(each.topic, each.payload, qos=1)
    assert last is not None
    last.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()


def wait(condition, problem: str, timeout_s: float = 120) -> None:  # noqa: ANN001 - any callable
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(problem)
        time.sleep(0.01)
