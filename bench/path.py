"""The whole path of an uplink: receive at QoS 1, journal, decode, rules, store; beside the usual Python."""

import base64
import gc
import json
import sqlite3
import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import structlog
from paho.mqtt import client as mqtt
from report import Report, run
from workload import Sent, city, messages, mosquitto, publish, wait

from alerts.engine import Engine
from alerts.rules import load_rules
from devices.catalogue import Catalogue, load_catalogue
from ingest.consumer import Consumer, ServerConfig
from ingest.decoding import Decoding
from ingest.dedup import keys
from ingest.hand_over import HandOver
from ingest.journal import Accepted
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake
from ingest.sqlite_journal import SqliteJournal
from ingest.sqlite_store import SqliteStore
from ingest.store_writer import StoreWriter
from ingest.uplink import Message, Uplink

T = TypeVar("T")
COPIES = 17
KINDS = ("chirpstack-v4", "tts-v3")
GOAL = 5_000
LESS = "usual Python, stores only"
SAME = "usual Python, same job"
RAIN_LIMITS = ((60, 15), (360, 20), (720, 25), (1440, 30), (2880, 40), (4320, 60))
RUNS = 3
STAGES = {
    "mqtt": "receive and acknowledge",
    "intake": "parse, dedup, decode, journal",
    "rule-engine": "rules",
    "store-writer": "store",
}


def clock() -> int:
    return time.time_ns() // 1000


def measure(scale: float) -> Report:
    """Draining a backlog of 20,000 uplinks (1,037 devices) through every part, by QoS 1 with manual ack."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    report = Report("path", "receive, journal, decode, rules, store; ChirpStack v4 and TTS v3 at QoS 1")
    catalogue = load_catalogue()
    sent = messages(COPIES, catalogue, max(1000, round(20_000 * scale)))
    gc.collect()
    gc.freeze()  # as `stadtfunk serve` does; the usual Python below gains as much
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with mosquitto(folder) as port:
            drained = [drain(folder / f"run-{i}", port, catalogue, sent) for i in range(RUNS)]
            few = sent[: max(500, len(sent) // 4)]
            stores_only = [UsualPython(folder / f"usual-{i}") for i in range(2)]
            usual = min(drain_usual(each, port, few) for each in stores_only)
            whole = [UsualPythonSameJob(folder / f"same-{i}", catalogue) for i in range(2)]
            same = min(drain_usual(each, port, few) for each in whole)
        alone = stages_alone(folder / "alone", catalogue, sent)
    cpu, wall, shares = min(drained, key=lambda each: each[0])
    report.add(
        "whole path", 1e6 / cpu, "uplinks/s per core", "more", goal=GOAL, baseline=(SAME, 1e6 / same[0])
    )
    report.add("whole path", cpu, "CPU µs/uplink", goal=1e6 / GOAL, baseline=(SAME, same[0]))
    report.add("whole path", cpu, "CPU µs/uplink", baseline=(LESS, usual[0]))
    report.add("whole path, wall clock", wall, "uplinks/s", "more", baseline=(SAME, same[1]))
    for stage, share in shares.items():
        report.add(f"  share: {stage}", 100 * share, "%")
    for stage, each in alone.items():
        report.add(f"  alone: {stage}", each, "CPU µs/uplink")
    devices = len({each.topic for each in sent})
    size = statistics.mean(len(each.payload) for each in sent)
    report.notes += [
        f"{len(sent):,} uplinks of {devices:,} devices, {size:.0f} bytes on average, waiting in mosquitto",
        f"shares and figures of the best of {RUNS} runs by CPU",
        '"alone": one thread, no other part running, no garbage collection',
        f"{LESS}: stock paho, json, a dict, an INSERT and commit a message, acknowledged before stored",
        f"{SAME}: in that style with dedup, our decoders, deques of rain sums, an INSERT a reading, late ack",
    ]
    return report


def drain(
    folder: Path, port: int, catalogue: Catalogue, sent: Sequence[Sent]
) -> tuple[float, float, dict[str, float]]:
    """CPU µs per uplink, uplinks per second of wall clock, and each stage's share of the CPU."""
    folder.mkdir()
    registry = city(COPIES, catalogue)
    journal = SqliteJournal(folder / "journal.db")
    store = SqliteStore(folder / "readings.db")
    intake = Intake(journal, registry, catalogue, {kind: PARSERS[kind].parse for kind in KINDS}, clock)
    engine = Engine(journal, load_rules(None), lambda: registry.current, clock, catalogue=catalogue)
    writer = StoreWriter(journal, store)
    make_sessions(port, folder.name)
    publish(port, list(sent))
    consumers = [consumer(kind, port, folder.name, intake) for kind in KINDS]
    before, begin = time.process_time(), time.perf_counter()
    for part in (writer, engine, intake, *consumers):
        part.start()
    wait(lambda: journal.last_seq() >= len(sent), "the journal does not fill")
    wait(lambda: engine.cursor >= len(sent), "the engine does not catch up")
    assert writer.drain(60)
    cpu, wall = time.process_time() - before, time.perf_counter() - begin
    threads = cpu_of_threads()
    for part in (*consumers, intake, engine, writer):
        part.stop()
    counts = journal.counts()
    assert (counts.stored, counts.rejected) == (len(sent), 0), counts
    journal.close()
    store.close()
    shares = dict.fromkeys(STAGES.values(), 0.0)
    for name, seconds in threads.items():
        stage = next((s for prefix, s in STAGES.items() if name.startswith(prefix)), None)
        if stage is not None:
            shares[stage] += seconds / cpu
    shares["everything else"] = 1 - sum(shares.values())
    return cpu * 1e6 / len(sent), len(sent) / wall, shares


def make_sessions(port: int, run_name: str) -> None:
    """Connect once, so that the broker keeps what comes afterwards."""
    for kind in KINDS:
        first = Consumer(server(kind, port, run_name), HandOver(), clock)
        first.start()
        wait(lambda c=first: c.health.ok, f"{kind}: no connection")
        time.sleep(0.2)
        first.stop()


def server(kind: str, port: int, run_name: str) -> ServerConfig:
    return ServerConfig(kind, PARSERS[kind], f"mqtt://127.0.0.1:{port}", client_id=f"bench-{run_name}-{kind}")


def consumer(kind: str, port: int, run_name: str, intake: Intake) -> Consumer:
    return Consumer(server(kind, port, run_name), intake.hand_over, clock)


def cpu_of_threads() -> dict[str, float]:
    """CPU seconds of each of our threads, as the kernel counted them (Linux)."""
    found: dict[str, float] = {}
    for thread in threading.enumerate():
        file = Path(f"/proc/self/task/{thread.native_id}/schedstat")
        if file.exists():
            found[thread.name] = found.get(thread.name, 0.0) + int(file.read_text().split()[0]) / 1e9
    return found


def stages_alone(folder: Path, catalogue: Catalogue, sent: Sequence[Sent]) -> dict[str, float]:
    """CPU µs per uplink of each stage by itself, in one thread, batches of 1,000."""
    folder.mkdir()
    registry = city(COPIES, catalogue)
    now = clock()
    raw = [Message(each.kind, each.topic, each.payload, 1, False, now) for each in sent]
    found: dict[str, float] = {}

    def timed(stage: str, task: Callable[[], T]) -> T:
        gc.disable()  # a full collection would fall upon any one stage
        begin = time.thread_time()
        result = task()
        found[stage] = (time.thread_time() - begin) * 1e6 / len(sent)
        gc.enable()
        return result

    parsed = timed("parse", lambda: [PARSERS[each.server].parse(each) for each in raw])
    uplinks = [each for each in parsed if isinstance(each, Uplink)]
    marks = timed("dedup keys", lambda: [keys(each) for each in uplinks])
    decoding = Decoding(registry, catalogue)
    readings = timed("decode", lambda: [decoding.readings(each) for each in uplinks])
    accepted = [
        Accepted(uplink, each, mark)
        for uplink, each, mark in zip(uplinks, readings, marks, strict=True)
        if isinstance(each, tuple)
    ]
    assert len(accepted) == len(sent)
    journal = SqliteJournal(folder / "journal.db")
    batches = [accepted[i : i + 1000] for i in range(0, len(accepted), 1000)]
    timed("journal", lambda: [journal.append(batch) for batch in batches])
    engine = Engine(
        journal, load_rules(None), lambda: registry.current, clock, catalogue=catalogue, batch_uplinks=1000
    )
    timed("rules", lambda: all_of(engine.run_once))
    store = SqliteStore(folder / "readings.db")
    series = journal.series()

    def write() -> None:
        cursor = 0
        while (step := journal.read(cursor, 1000))[0] != cursor:
            cursor = step[0]
            store.write(series, step[1])

    timed("store", write)
    journal.close()
    store.close()
    return found


def all_of(step: Callable[[], int]) -> None:
    while step():
        pass


class UsualPython:
    """What one writes first: a callback, json, a dict, a row and a commit for each message."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.client_id = f"bench-{folder.name}"
        self.messages = 0
        self.database = sqlite3.connect(folder / "usual.db", check_same_thread=False)
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute(
            "CREATE TABLE uplinks(time TEXT, device TEXT, port INTEGER, payload TEXT, data TEXT)"
        )

    def on_message(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        time_, device, port, payload, data = fields_of(message.payload)
        row = (time_, device, port, payload.hex(), json.dumps(data))
        self.database.execute("INSERT INTO uplinks VALUES(?, ?, ?, ?, ?)", row)
        self.database.commit()
        self.messages += 1


class UsualPythonSameJob(UsualPython):
    """The same style for the whole job: duplicates, decoding, rain sums, a row a reading, then the ack."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        super().__init__(folder)
        self.catalogue = catalogue
        self.devices = city(COPIES, catalogue).current.devices
        self.seen: set[tuple[str, str, bytes]] = set()
        self.rain: dict[str, list[deque[tuple[datetime, float]]]] = {}
        self.database.execute("CREATE TABLE readings(time TEXT, station TEXT, property TEXT, value REAL)")

    def on_message(self, client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        time_, device, port, payload, data = fields_of(message.payload)
        if (device, time_, payload) not in self.seen:
            self.seen.add((device, time_, payload))
            row = (time_, device, port, payload.hex(), json.dumps(data))
            self.database.execute("INSERT INTO uplinks VALUES(?, ?, ?, ?, ?)", row)
            installed = self.devices[device]
            decoded = self.catalogue[installed.type].decode(port, payload)
            assert isinstance(decoded, tuple), decoded
            for each in installed.derive(decoded):
                if each.property == "precipitation":
                    self.judge(device, datetime.fromisoformat(time_), each.value or 0.0)
                reading = (time_, installed.station, each.property, each.value)
                self.database.execute("INSERT INTO readings VALUES(?, ?, ?, ?)", reading)
            self.database.commit()
        client.ack(message.mid, message.qos)
        self.messages += 1

    def judge(self, device: str, now: datetime, depth: float) -> None:
        windows = self.rain.setdefault(device, [deque() for _ in RAIN_LIMITS])
        for window, (minutes, limit) in zip(windows, RAIN_LIMITS, strict=True):
            window.append((now, depth))
            while window[0][0] <= now - timedelta(minutes=minutes):
                window.popleft()
            if sum(each for _, each in window) > limit:
                pass  # a warning would go out here


def fields_of(message: bytes) -> tuple[str, str, int, bytes, object]:
    """Time, DevEUI, fPort, payload and decoded object of a ChirpStack or TTS message."""
    data = json.loads(message)
    if "deviceInfo" in data:
        payload = base64.b64decode(data["data"])
        return data["time"], data["deviceInfo"]["devEui"], data.get("fPort", 0), payload, data.get("object")
    up = data["uplink_message"]
    device = data["end_device_ids"]["dev_eui"].lower()
    payload = base64.b64decode(up["frm_payload"])
    return up["received_at"], device, up.get("f_port", 0), payload, up.get("decoded_payload")


def drain_usual(usual: UsualPython, port: int, sent: Sequence[Sent]) -> tuple[float, float]:
    """CPU µs a message and messages per second of wall clock, from the same kind of backlog."""
    manual = isinstance(usual, UsualPythonSameJob)
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=usual.client_id, clean_session=False, manual_ack=manual
    )
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe([("application/#", 1), ("v3/#", 1)])
    assert subscribed.wait(10)
    client.disconnect()
    client.loop_stop()
    publish(port, list(sent))
    client.on_message = usual.on_message
    before, begin = time.process_time(), time.perf_counter()
    client.connect("127.0.0.1", port)
    client.loop_start()
    wait(lambda: usual.messages >= len(sent), "the usual Python does not finish", 300)
    cpu, wall = time.process_time() - before, time.perf_counter() - begin
    client.disconnect()
    client.loop_stop()
    usual.database.close()
    return cpu * 1e6 / len(sent), len(sent) / wall


if __name__ == "__main__":
    run(measure)
