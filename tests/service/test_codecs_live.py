"""Another codec, other types and devices, in a service that goes on living: nothing lost, nothing half."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from level_codecs import sha256
from live_service import LiveService
from servers import wait_for

sys.path.append(str(Path(__file__).parents[1] / "ingest"))

from uplink_messages import CHIRPSTACK_TOPIC, RAIN, chirpstack

from ingest.sqlite_journal import SqliteJournal
from stadtfunk.publisher import Publisher

ACME, GAUGE = "a84041ffff000001", "a84041ffff000002"
CODEC = """// {0}
function decodeUplink(input) {{
  var n = input.bytes[0] << 8 | input.bytes[1];
  return {{data: {{level: {0} * n, distance: {0} * n}}}};
}}"""
LEVEL_MAP = """
maker = "Acme"
model = "{1}"
names = {{ de = "Pegel", en = "Level" }}
interval_s = 600
codec_sha256 = "{0}"
[[field]]
path = "level"
property = "water_level"
unit = "cm"
[[field]]
path = "distance"
property = "water_distance"
unit = "mm"
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
url = "sqlite:///{folder}/readings.db"
[devices]
file = "devices.csv"
types = ["types"]
"""
DEVICES = f"dev_eui,type,station,lat,lon\n{ACME},acme-l1,bach,51,7\n{GAUGE},decentlab-dl-tbrg,dach,51,7\n"


class Town(LiveService):
    def __init__(self, folder, broker):
        (folder / "types").mkdir()
        (folder / "devices.csv").write_text(DEVICES)
        super().__init__(folder, CITY.format(broker=broker.url, folder=folder))
        self.publisher = Publisher(broker.url).__enter__()
        self.f_cnt = 0
        self.lay(CODEC.format(1))

    def close(self):
        super().close()
        self.publisher.close()

    def lay(self, codec, model="L1", pin=None):
        """Maker's files in the types' folder, as an update leaves them."""
        name = f"acme-{model.lower()}"
        (self.folder / "types" / f"{name}.js").write_text(codec)
        text = LEVEL_MAP.format(sha256(codec) if pin is None else pin, model)
        (self.folder / "types" / f"{name}.toml").write_text(text)

    def run(self, *command, more=()):
        command = [sys.executable, "-m", "stadtfunk", *command, "--config", self.config, *more]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    def try_to_activate(self):
        return self.run("codecs", "activate", more=("--yes", "acme-l1"))

    def activate(self, codec):
        self.lay(codec)
        done = self.try_to_activate()
        assert done.returncode == 0, done.stderr
        return done.stdout

    def send(self, dev_eui=ACME, payload=None):
        """The number it is known by; a level uplink carries it."""
        self.f_cnt += 1
        payload = self.f_cnt.to_bytes(2) if payload is None else payload
        body = chirpstack(dev_eui, payload, self.f_cnt, time_us=time.time_ns() // 1000)
        self.publisher.publish(CHIRPSTACK_TOPIC.format(dev_eui), json.dumps(body).encode())
        return self.f_cnt

    def factors(self):
        """By number of each uplink of ACME, in the journal's order: the factor of its two readings."""
        journal = SqliteJournal(self.folder / "journal.db")
        try:
            series = journal.series()
            found = {}
            for _, uplink, readings in journal.uplinks(0, 10**6, ACME):
                values = {series[row["series"]].property: float(row["value"]) for row in readings}
                assert values.keys() == {"water_level", "water_distance"}
                assert values["water_level"] == values["water_distance"]
                assert uplink.f_cnt not in found
                found[uplink.f_cnt] = values["water_level"] / uplink.f_cnt
            return found
        finally:
            journal.close()

    def refused(self):
        journal = SqliteJournal(self.folder / "journal.db")
        try:
            return dict(journal.counts().by_reason)
        finally:
            journal.close()

    def factor(self):
        """What an uplink that is sent now is read with."""
        number = self.send()
        wait_for(lambda: number in self.factors(), 120)
        return self.factors()[number]

    def part(self, name):
        return self.get("/readyz")["parts"][name]

    def lines(self, event):
        plain = re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text())
        return [line for line in plain.splitlines() if f" {event} " in line]

    def hang_up(self):
        self._process.send_signal(signal.SIGHUP)


@pytest.fixture
def town(tmp_path, mosquitto):
    town = Town(tmp_path, mosquitto())
    yield town
    town.close()


def test_activated_while_uplinks_pour_in(town):
    town.start()
    assert town.factor() == 1
    pid, quiet = town.pid, threading.Event()

    def pour():
        while not quiet.wait(0.01):
            town.send()
            if not town.f_cnt % 10:
                town.send(GAUGE, RAIN)

    life = threading.Thread(target=pour)
    life.start()
    try:
        said = town.activate(CODEC.format(2))
        assert "is in force, within seconds also in a running service" in said
        wait_for(lambda: 2 in town.factors().values(), 120)
        # the file alone changes nothing, also not when the service is asked to read it
        town.lay(CODEC.format(9))
        town.hang_up()
        wait_for(lambda: town.lines("types_reloaded"), 120)
        wait_for(lambda: not town.part("codecs")["ok"], 120)
        assert f"{sha256(CODEC.format(2))[:12]} stays in force" in town.part("codecs")["detail"]
        # twice quickly: the last one counts
        town.activate(CODEC.format(3))
        town.activate(CODEC.format(4))
        wait_for(lambda: 4 in town.factors().values(), 120)
    finally:
        quiet.set()
        life.join()
    last = town.send()
    wait_for(lambda: last in town.factors(), 120)
    wait_for(lambda: not town.refused(), 120)
    factors = town.factors()
    assert set(factors.values()) <= {1, 2, 3, 4}
    assert list(factors.values()) == sorted(factors.values())
    assert factors[last] == 4
    journal = SqliteJournal(town.folder / "journal.db")
    assert {uplink.f_cnt for _, uplink, _ in journal.uplinks(0, 10**6)} == set(range(1, last + 1))
    journal.close()
    assert (town.runs, town.pid) == (True, pid)
    wait_for(lambda: town.part("codecs")["ok"])
    changes = town.lines("type_in_force")
    assert sha256(CODEC.format(4))[:12] in changes[-1]
    assert len(changes) in {2, 3}, "one in a second may have passed unseen"
    # it is in force after a restart as well
    town.stop(signal.SIGKILL)
    town.start()
    assert town.factor() == 4


def test_nothing_that_is_broken_puts_the_old_version_out_of_force(town):
    town.start()
    assert town.factor() == 1
    types, codecs = town.folder / "types", town.folder / "codecs"
    good = (types / "acme-l1.js").read_bytes()
    for broken in ("function decodeUplink(", "var x = 1;", "for (;;);"):
        town.lay(broken)
        done = town.try_to_activate()
        assert (done.returncode, done.stdout) == (2, ""), broken
        assert "the codec cannot be loaded: " in done.stderr
    (types / "acme-l1.js").unlink()
    done = town.try_to_activate()
    assert (done.returncode, "no acme-l1.js beside it" in done.stderr) == (2, True)
    (types / "acme-l1.js").write_bytes(good)
    # a pointer that was not written by us, and one to what is not there
    pointer = codecs / "acme-l1.json"
    right = pointer.read_bytes()
    for wrong in (b"", b'{"codec": "00.js", "map": "00.toml"}', b"[" * 100_000):
        pointer.write_bytes(wrong)
        wait_for(lambda: not town.part("codecs")["ok"], 120)
        assert "acme-l1: not in force: " in town.part("codecs")["detail"]
        assert town.factor() == 1
        pointer.write_bytes(right)
        wait_for(lambda: town.part("codecs")["ok"], 120)
    # killed at any moment: the old one, or the new one
    town.lay(CODEC.format(2), pin="")
    command = [sys.executable, "-m", "stadtfunk", "codecs", "activate", "--config", town.config, "--yes"]
    for seconds in (0.8, 1.1, 1.4, 1.7):
        activating = subprocess.Popen([*command, "acme-l1"], stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        activating.kill()
        activating.wait()
        assert town.factor() in {1, 2}
        map_ = (types / "acme-l1.toml").read_text()
        assert map_ in {LEVEL_MAP.format(pin, "L1") for pin in ("", sha256(CODEC.format(2)))}
    town.activate(CODEC.format(3))
    wait_for(lambda: town.factor() == 3, 120)
    assert town.runs
    assert "Traceback" not in town.log.read_text()


def test_what_waited_for_a_codec_that_hangs_is_decoded_by_the_one_that_is_activated(town):
    # the old one is held back for a minute, then four
    town.lay("function decodeUplink() { return {data: {}}; } for (;;);")
    town.start()
    numbers = {town.send() for _ in range(5)}
    wait_for(lambda: town.refused() == {"codec_waiting": 5}, 120)
    town.activate(CODEC.format(2))
    wait_for(lambda: not town.refused(), 50)
    assert town.factors() == dict.fromkeys(numbers, 2)


def test_reprocess_right_after_an_activation_leaves_nothing_of_the_old_codec(town):
    town.start()
    for _ in range(3):
        town.factor()
    quiet = threading.Event()

    def pour():
        while not quiet.wait(0.05):
            town.send()

    life = threading.Thread(target=pour)
    life.start()
    try:
        town.activate(CODEC.format(2))
        done = town.run("reprocess")
    finally:
        quiet.set()
        life.join()
    assert done.returncode == 0, done.stderr
    last = town.send()
    wait_for(lambda: last in town.factors(), 120)
    assert set(town.factors().values()) == {2}


def test_a_new_type_and_its_device_at_a_hangup_and_faulty_ones_not(town):
    town.start()
    pid = town.pid
    other = "a84041ffff000003"
    # a device of a type that is not there yet: the old list stays
    (town.folder / "devices.csv").write_text(f"{DEVICES}{other},acme-l2,teich,51,7\n")
    wait_for(lambda: not town.part("devices")["ok"], 120)
    # a map with a fault: types of before stay, all of them
    town.lay(CODEC.format(5), "L2")
    map_ = town.folder / "types" / "acme-l2.toml"
    good = map_.read_text()
    map_.write_text(good.replace('unit = "mm"', 'unit = "kPa"'))
    town.hang_up()
    wait_for(lambda: town.lines("types_not_reloaded"), 120)
    wait_for(lambda: "kPa cannot become mm" in town.part("codecs")["detail"], 120)
    assert town.factor() == 1
    map_.write_text(good)
    for _ in range(200):
        town.hang_up()
    wait_for(lambda: town.part("codecs")["ok"] and town.part("devices")["ok"], 120)
    number = town.send(other)
    journal = SqliteJournal(town.folder / "journal.db")
    wait_for(lambda: [each for _, each, _ in journal.uplinks(0, 10, other)], 120)
    [(_, uplink, readings)] = journal.uplinks(0, 10, other)
    assert (uplink.f_cnt, [float(row["value"]) for row in readings]) == (number, [5 * number] * 2)
    # a table of the city's own, with which nothing of the old can be read: its devices are not there
    map_.unlink()
    (town.folder / "types" / "acme-l2.js").unlink()
    for each in (town.folder / "codecs").glob("acme-l2.json"):
        each.unlink()
    town.hang_up()
    wait_for(lambda: "unknown type acme-l2" in town.part("codecs")["detail"], 120)
    again = town.send(other)
    wait_for(lambda: again in [each.f_cnt for _, each, _ in journal.uplinks(0, 10, other)], 120)
    journal.close()
    assert (town.runs, town.pid, town.factor()) == (True, pid, 1)
    assert "Traceback" not in town.log.read_text()
    assert town.stop() == 0


def test_a_hangup_at_the_start_ends_nothing(town):
    with town.log.open("ab") as log:
        town._process = subprocess.Popen(
            [sys.executable, "-m", "stadtfunk", "serve", "--config", town.config], stdout=log, stderr=log
        )
    # as soon as it has a handler of its own: that stands in /proc as a bit
    status = Path(f"/proc/{town.pid}/status")
    caught = re.compile(r"^SigCgt:\s*([0-9a-f]+)$", re.MULTILINE)
    wait_for(lambda: int(caught.search(status.read_text())[1], 16) & 1, 120)
    town.hang_up()
    wait_for(town.ready, 180)
    wait_for(lambda: town.lines("types_reloaded"), 120)
    assert town.factor() == 1
    assert town.stop() == 0
