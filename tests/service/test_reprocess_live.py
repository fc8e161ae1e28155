"""`stadtfunk reprocess` beside a service that goes on living, killed and started again, until it is done."""

import fcntl
import json
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from city import AlertSink
from level_codecs import sha256
from live_service import LiveService
from servers import wait_for

sys.path.append(str(Path(__file__).parents[1] / "ingest"))

from uplink_messages import CHIRPSTACK_TOPIC, chirpstack

from devices.javascript.sandbox import Sandbox
from devices.registry import RegistryFile
from ingest.decoding import Decoding
from ingest.dedup import keys
from ingest.influx_store import InfluxStore
from ingest.journal import Accepted
from ingest.sqlite_journal import SqliteJournal
from ingest.sqlite_store import SqliteStore
from ingest.store import Query
from ingest.uplink import TimeSource, Uplink
from stadtfunk.javascript_types import city_catalogue, javascript_types_of
from stadtfunk.settings_file import load_settings

QUIET, HIGH = "a84041ffff000001", "a84041ffff000002"
MINUTE_US = 60_000_000
HISTORY = 5_000
CODEC = """function decodeUplink(input) {
  var b = input.bytes;
  return {data: {level: b[0] << 8 | b[1], battery: b[2], at: input.recvTime.getTime() / 1000 - 60 * b[3]}};
}"""
HEAD = f"""
maker = "Acme"
model = "L1"
names = {{ de = "Pegel", en = "Level" }}
theme = "level"
interval_s = 60
codec_sha256 = "{sha256(CODEC)}"
"""
WRONG = f"""{HEAD}
[[field]]
path = "level"
property = "water_level"
unit = "cm"
[[field]]
path = "battery"
property = "battery_voltage"
unit = "V"
scale = 0.1
"""
RIGHT = f"""{HEAD}
time = "at"
[[field]]
path = "level"
property = "water_level"
unit = "cm"
scale = 10
[[field]]
path = "battery"
property = "battery_level"
unit = "%"
"""
CITY = """
[city]
name = "Teststadt"
[[network_server]]
name = "chirpstack"
kind = "chirpstack-v4"
url = "{broker}"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "{store}"
[devices]
types = ["types"]
[[alerts.channel]]
name = "sink"
url = "{sink}"
"""
DEVICE = """
[[device]]
dev_eui = "{0}"
type = "acme-l1"
station = "{1}"
lat = 51.0
lon = 7.0
stages_cm = [100.0, 200.0]
"""


def payload(level, age=0):
    return level.to_bytes(2) + bytes([36, age])


class Town(LiveService):
    def __init__(self, folder, broker, store_url, sink):
        (folder / "types").mkdir()
        (folder / "types" / "acme-l1.js").write_text(CODEC)
        text = CITY.format(broker=broker.url, folder=folder, store=store_url, sink=sink.url)
        devices = DEVICE.format(QUIET, "quiet") + DEVICE.format(HIGH, "high")
        super().__init__(folder, text + devices)
        self.broker = broker
        self.journal = SqliteJournal(folder / "journal.db")
        self.f_cnt = HISTORY

    def close(self):
        super().close()
        self.journal.close()

    def means(self, field_map):
        (self.folder / "types" / "acme-l1.toml").write_text(field_map)

    def decode(self, uplinks):
        """All of them by the types and devices as they are in the files now."""
        settings = load_settings(self.config)
        with Sandbox() as sandbox:
            catalogue = city_catalogue(settings, javascript_types_of(settings, sandbox))
            registry = RegistryFile(None, settings.device, catalogue=catalogue)
            return Decoding(registry, catalogue, sandbox_s=600).readings_of(uplinks)

    def history(self):
        """Days of it, as a service of before took it; what a logger sends again falls on a time of before."""
        begin_us = time.time_ns() // 1000 - 2 * HISTORY * MINUTE_US
        uplinks = []
        for n in range(HISTORY):
            time_us = begin_us + n * MINUTE_US
            sent = payload(20 + n % 11, n * 7 % 5)
            uplinks.append(
                Uplink("chirpstack", QUIET, 1, n, "01087309", sent, *[time_us] * 3, TimeSource.SERVER)
            )
        read = self.decode(uplinks)
        for start in range(0, HISTORY, 500):
            self.journal.append([Accepted(*each, keys(each[0])) for each in read[start : start + 500]])

    def send(self, level, dev_eui=QUIET, age=0):
        self.f_cnt += 1
        body = chirpstack(dev_eui, payload(level, age), self.f_cnt, time_us=time.time_ns() // 1000)
        self.broker.publish(CHIRPSTACK_TOPIC.format(dev_eui), json.dumps(body))

    def caught_up(self):
        last = self.journal.last_seq()
        return min(self.journal.cursor(part) for part in ("store", "engine")) >= last

    def reprocess(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "stadtfunk", "reprocess", "--config", self.config, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def reprocess_and_kill(self, later_s):
        process = self.reprocess()
        wait_for(lambda: self.book() or process.poll() is not None, 120)
        time.sleep(later_s)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def fresh(self):
        """All raw uplinks decoded at once: what the store should hold, and what codecs say beside it."""
        found, notes = {}, []
        for uplink, readings in self.decode([row[1] for row in self.journal.uplinks(0, 10**6)]):
            notes.append(uplink.codec_notes)
            for each in readings:  # the last one counts
                found[each.series.station, each.series.property, each.time_us] = each.value
        return found, notes

    def book(self):
        """Whether a run of `reprocess` is under way, as its file has it."""
        file = self.folder / "reprocess.db"
        if not file.exists():
            return False
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            try:
                return connection.execute("SELECT page_end FROM runs").fetchone() is not None
            except sqlite3.OperationalError:
                return False

    def events(self):
        return [row for _, row in self.journal.events(0, 10_000)]


@pytest.fixture(params=["sqlite", "influxdb1"])
def town_and_store(request, tmp_path, mosquitto):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/readings.db"
    else:
        server = request.getfixturevalue("own_influxd")
        url = f"influxdb1://127.0.0.1:{server.port}/city"
    sink = AlertSink()
    town = Town(tmp_path, mosquitto(), url, sink)
    store = InfluxStore(url) if request.param == "influxdb1" else SqliteStore(tmp_path / "readings.db")
    yield town, store, sink
    town.close()
    store.close()
    sink.close()


def held(store):
    return {
        (point.series.station, point.series.property, point.time_us): point.value
        for each in store.latest()
        for point in store.query(Query((each.series,), limit=10**6))
    }


def test_killed_interrupted_twice_at_once_while_uplinks_come(town_and_store):  # noqa: PLR0915 - one life of a city
    town, store, sink = town_and_store
    town.means(WRONG)
    town.history()
    town.start()
    town.send(150, HIGH)
    town.send(30)
    wait_for(lambda: sink.messages("high"), 120, "an alert about the high water")
    wait_for(town.caught_up, 120, "the readers")
    told, events = len(sink.received), town.events()
    wrong = held(store)
    assert len(wrong) == 2 * HISTORY + 4

    # corrected: decimetres, a battery in percent, and the time that the payload says
    town.stop()
    town.means(RIGHT)
    town.start()
    position = town.journal.cursor("engine")
    quiet = threading.Event()

    def go_on():
        while not quiet.wait(0.05):
            town.send(3, age=3)
            town.send(15, HIGH)

    life = threading.Thread(target=go_on)
    life.start()
    try:
        for later_s in (0.0, 0.7):  # in the middle of whatever it does just then
            town.reprocess_and_kill(later_s)
        asked = town.reprocess("--restart")
        line = asked.stderr.readline()
        assert re.fullmatch(r"reprocess: decoded 2000 of \d+ uplinks\n", line), line
        asked.send_signal(signal.SIGINT)
        out, err = asked.communicate(timeout=120)
        assert asked.returncode == 1, err
        assert "start again with the same arguments to go on" in err
        both = [town.reprocess("--restart") for _ in range(2)]
        for each in both:
            _, err = each.communicate(timeout=120)
            assert each.returncode == 0 or "another `stadtfunk reprocess` is at work" in err
        assert 0 in [each.returncode for each in both]
        with (town.folder / "reprocess.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            refused = town.reprocess()
            _, err = refused.communicate(timeout=120)
        assert (refused.returncode, "another `stadtfunk reprocess` is at work" in err) == (1, True), err
        last = town.reprocess()
        out, err = last.communicate(timeout=120)
        assert (last.returncode, "Traceback" in err) == (0, False), err
        assert "done: " in out
    finally:
        quiet.set()
        life.join()
    wait_for(town.caught_up, 120, "the readers")
    fresh, notes = town.fresh()
    assert len(fresh) > HISTORY
    assert held(store) == fresh
    assert [row[1].codec_notes for row in town.journal.uplinks(0, 10**6)] == notes
    assert not any(what == "battery_voltage" for _, what, _ in fresh)
    assert town.journal.cursor("engine") >= position
    assert town.events() == events
    assert len(sink.received) == told
