"""`stadtfunk reprocess`, a process of its own beside the parts of a service, into a real InfluxDB 1.x."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import numpy as np
import pytest
from servers import wait_for

from alerts.engine import Engine
from alerts.rules import load_rules
from devices.catalogue import load_catalogue
from devices.registry import RegistryFile
from ingest.decoding import Decoding
from ingest.dedup import keys
from ingest.influx_store import InfluxStore
from ingest.journal import Accepted
from ingest.reading import READING, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.sqlite_store import SqliteStore
from ingest.store import Query
from ingest.store_writer import StoreWriter
from ingest.uplink import TimeSource, Uplink
from stadtfunk.cli import main

EUI = "a84041ffff000001"
MINUTE_US = 60_000_000
TYPE = """
name: toy_level
version: 1
endian: big
maker: Toy
model: Level
names: {{de: Pegel, en: Level}}
theme: level
interval_s: 60
source: made up for a test
ports:
  1:
    fields:
      - {{name: level, type: u16, property: water_level, unit: cm, mult: {scale}}}
{more}
"""
BATTERY = "      - {name: battery, type: u8, property: battery_voltage, unit: V, mult: 0.1}"
PERCENT = "      - {name: battery, type: u8, property: battery_level, unit: '%'}"
CONFIG = """
[city]
name = "Teststadt"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "{store}"
[devices]
types = ["types"]
[[device]]
dev_eui = "{eui}"
type = "toy-level"
station = "pegel"
lat = 51.0
lon = 7.0
stages_cm = [100.0, 200.0]
"""


class Town:
    """Configuration, journal and store; the codec reads cm, then somebody finds that it is dm."""

    def __init__(self, folder, store_url, store):
        self.folder, self.store = folder, store
        (folder / "types").mkdir()
        self.config = folder / "city.toml"
        self.config.write_text(CONFIG.format(folder=folder, store=store_url, eui=EUI))
        self.codec(1, BATTERY)
        self.journal = SqliteJournal(folder / "journal.db")
        self.begin_us = time.time_ns() // 1000 - 60 * 24 * 60 * MINUTE_US

    def codec(self, scale, more):
        (self.folder / "types" / "toy-level.yaml").write_text(TYPE.format(scale=scale, more=more))

    def catalogue(self):
        return load_catalogue(self.folder / "types")

    def registry(self):
        device = {"dev_eui": EUI, "type": "toy-level", "station": "pegel", "lat": 51.0, "lon": 7.0}
        tables = [device | {"stages_cm": [100.0, 200.0]}]
        return RegistryFile(None, tables, catalogue=self.catalogue())

    def record(self, first, last, level=30):
        decoding = Decoding(self.registry(), self.catalogue())
        for start in range(first, last, 500):
            uplinks = [self.uplink(n, level) for n in range(start, min(start + 500, last))]
            self.journal.append([Accepted(each, decoding.readings(each), keys(each)) for each in uplinks])

    def uplink(self, number, level):
        time_us = self.begin_us + number * MINUTE_US
        payload = level.to_bytes(2) + bytes([36])
        return Uplink(
            "stadtwerke", EUI, 1, number, "s", payload, time_us, time_us, time_us, TimeSource.SERVER
        )

    def readers(self):
        registry = self.registry()
        engine = Engine(
            self.journal,
            load_rules(),
            lambda: registry.current,
            lambda: time.time_ns() // 1000,
            catalogue=self.catalogue(),
        )
        return StoreWriter(self.journal, self.store), engine

    def catch_up(self, engine):
        wait_for(lambda: self.journal.cursor("engine") >= self.journal.last_seq(), 120, engine.health)
        wait_for(lambda: self.journal.cursor("store") >= self.journal.last_seq(), 120, "the store writer")

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "stadtfunk", "reprocess", "--config", self.config, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def position(self):
        file = self.folder / "reprocess.db"
        if not file.exists():
            return 0
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:
            try:
                row = connection.execute("SELECT max(after) FROM runs").fetchone()
            except sqlite3.OperationalError:
                return 0
        return row[0] or 0

    def held(self):
        """Property -> values, of everything in the store."""
        found = {}
        for each in self.store.latest():
            points = self.store.query(Query((each.series,), limit=10**6))
            found[each.series.property] = [point.value for point in points]
        return found


@pytest.fixture(params=["sqlite", "influxdb1"])
def town(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/readings.db"
        store = SqliteStore(tmp_path / "readings.db")
    else:
        server = request.getfixturevalue("own_influxd")
        url = f"influxdb1://127.0.0.1:{server.port}/city"
        store = InfluxStore(url)
    town = Town(tmp_path, url, store)
    yield town
    store.close()
    town.journal.close()


def test_killed_in_the_middle_beside_the_service_and_gone_on(town):
    count = 5_000
    writer, engine = town.readers()
    town.record(0, count)
    writer.start()
    engine.start()
    try:
        town.catch_up(engine)
        assert town.journal.events(0, 1000) == []
        assert town.held() == {"water_level": [30.0] * count, "battery_voltage": [pytest.approx(3.6)] * count}
        town.codec(10, PERCENT)

        killed = town.start()
        wait_for(lambda: town.position() or killed.poll() is not None, 120, "a first page")
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
        town.record(count, count + 10, 3)  # life goes on, with the new codec

        code, out, err = town.run()
        assert (code, err.count("Traceback")) == (0, 0), err
        assert f"{count} of" in err or f"{count + 10} of" in err
        assert (
            f"done: {count + 10} uplinks decoded; readings: {count} changed, {count} removed, {count} added; "
            "uplinks: 0 rejected now, 0 accepted now"
        ) in out
        town.catch_up(engine)
        assert town.held() == {
            "water_level": [300.0] * count + [30.0] * 10,
            "battery_level": [36.0] * (count + 10),
        }
        assert town.journal.events(0, 1000) == [], "nobody is alerted about the past"
    finally:
        engine.stop()
        writer.stop()
    # nor after a restart
    writer, engine = town.readers()
    engine.start()
    wait_for(lambda: engine.stats.batches or engine.cursor == town.journal.last_seq(), 120, engine.health)
    engine.stop()
    assert town.journal.events(0, 1000) == []

    code, out, err = town.run()
    assert code == 0, err
    assert f"done: {count + 10} uplinks decoded; readings: 0 changed, 0 removed, 0 added" in out


def test_dry_run_and_usage(tmp_path, capsys):
    store = SqliteStore(tmp_path / "readings.db")
    town = Town(tmp_path, f"sqlite:///{tmp_path}/readings.db", store)
    config = ["reprocess", "--config", str(town.config)]
    town.record(0, 3)
    town.codec(10, BATTERY)
    assert main([*config, "--dry-run", "--device", EUI.upper()]) == 0
    out = capsys.readouterr().out
    assert f"{EUI} water_level: 3 changed, 0 removed, 0 added\n" in out
    assert "  30 (quality 1) -> 300 (quality 1)" in out
    assert "would change: 3 uplinks decoded; readings: 3 changed, 0 removed, 0 added" in out
    assert not (tmp_path / "reprocess.db").exists()

    assert main([*config, "--device", "a84041ffff0000ff"]) == 1
    assert "not in the list of devices" in capsys.readouterr().err
    for wrong in (["--device", "12"], ["--from", "2026-07-14T00:00:00"]):
        with pytest.raises(SystemExit) as left:
            main([*config, *wrong])
        assert left.value.code == 2
    town.journal.close()
    store.close()


def test_influxdb_keeps_nothing_of_a_value_that_is_missing_now(own_influxd):
    store = InfluxStore(f"influxdb1://127.0.0.1:{own_influxd.port}/city")
    plain, inlet = Series("s", "vehicle_count", "", EUI), Series("s", "vehicle_count", "in", EUI)
    rows = [(1, n, 1, 10**15 + t, 5.0) for n in (0, 1) for t in range(6)]
    store.write((plain, inlet), np.array(rows, READING))
    store.delete(plain, [(10**15 + 1, 10**15 + 2), (10**15 + 4, 10**15 + 4)])
    left = [(point.series.channel, point.time_us - 10**15) for point in store.query(Query((plain, inlet)))]
    assert sorted(left) == [("", 0), ("", 3), ("", 5), *(("in", t) for t in range(6))]
    store.write((plain,), np.array([(1, 0, 9, 10**15 + 1, np.nan)], READING))
    query = urllib.parse.urlencode({"q": "SELECT * FROM vehicle_count", "db": "city", "epoch": "u"})
    answer = urllib.request.urlopen(f"http://127.0.0.1:{own_influxd.port}/query?{query}", timeout=10).read()
    (result,) = json.loads(answer)["results"][0]["series"]
    at = result["columns"].index("value")
    assert [row[at] for row in result["values"] if row[0] == 10**15 + 1 and row[1] is None] == [None]
    store.close()
