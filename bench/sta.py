"""SensorThings and the native API over HTTP, made anew, beside a bare route that returns the same bytes."""

import http.client
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import orjson
from report import Report, run

from api.rfc3339 import format_us
from ingest.reading import READING, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.sqlite_store import SqliteStore

STATIONS = 2_500
PROPERTIES = ("water_level", "water_temperature", "air_temperature", "relative_humidity")
READINGS = 2_000_000
INTERVAL_US = 600_000_000
GOAL = 2.0
HERE = Path(__file__).parent
_LONGEST_S = 20.0
_CITY = """
[city]
name = "Teststadt"
ars = "053780004004"
[[network_server]]
name = "bench"
kind = "chirpstack-v4"
url = "mqtt://127.0.0.1:{nobody}"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[devices]
file = "devices.csv"
[api]
port = {port}
requests_per_minute = 0
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A server and the one connection to it."""

    process: int
    client: http.client.HTTPConnection

    def body(self, path: str) -> bytes:
        """The body of an answer."""
        try:
            self.client.request("GET", path)
            answer = self.client.getresponse()
        except ConnectionError:  # it was silent for so long that the server has hung up
            self.client.close()
            self.client.request("GET", path)
            answer = self.client.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body[:500])
        return body

    def timed_ms(self, path: str) -> float:
        begin = time.perf_counter()
        self.body(path)
        return (time.perf_counter() - begin) * 1e3

    def cpu_ms(self) -> float:
        """CPU time of all threads of the server."""
        spent = 0
        for task in Path(f"/proc/{self.process}/task").iterdir():
            with suppress(OSError):  # a thread that has just ended
                spent += int((task / "schedstat").read_text().split()[0])
        return spent / 1e6


def measure(scale: float) -> Report:
    """2 million readings (--scale 10: 20 million) of 10,000 Datastreams at 2,500 Things."""
    report = Report("sta", "SensorThings and native API, made anew, one connection, SQLite store")
    stations = max(25, round(STATIONS * min(1.0, scale)))
    series = stations * len(PROPERTIES)
    steps = max(150, round(READINGS * scale / series))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        end_us = time.time_ns() // 1000 // INTERVAL_US * INTERVAL_US
        fill(folder, stations, steps, end_us)
        report.notes.append(f"{steps * series:,} readings of {series:,} Datastreams at {stations:,} Things")
        api, bare, nobody = (free_port() for _ in range(3))
        (folder / "city.toml").write_text(_CITY.format(folder=folder, port=api, nobody=nobody))
        (folder / "bare").mkdir()
        with (
            server([str(HERE / "anew.py"), str(folder / "city.toml")], api, folder / "api.log") as ours,
            server(
                [str(HERE / "bare.py"), str(folder / "bare"), str(bare)], bare, folder / "b.log"
            ) as theirs,
        ):
            begin = time.perf_counter()
            ours.body("/sta/v1.1/Things?$top=1")
            report.add("the first request, which makes the tables", time.perf_counter() - begin, "s", goal=2)
            for number, (what, path, times) in enumerate(questions(ours, stations, end_us)):
                compare(report, ours, theirs, folder / "bare", number, what, path, times)
    report.notes.append("CPU of the whole server process; the goal is twice that of the bare route")
    return report


def questions(ours: Asked, stations: int, end_us: int) -> Iterator[tuple[str, str, int]]:
    """What is asked: its name, its address, how often."""
    station = f"station-{stations // 2}"
    day = quote(format_us(end_us - 86_400_000_000))
    yield "latest of one station, native", f"/api/v1/readings/latest?station={station}", 500
    begin = quote(format_us(end_us - 1_000 * INTERVAL_US))
    readings = f"/api/v1/readings?station={station}&limit=1000&from={begin}"
    yield "1,000 readings, native", readings, 300
    found = orjson.loads(
        ours.body("/sta/v1.1/Datastreams?$top=1&$filter=" + quote("properties/property eq 'water_level'"))
    )
    stream = found["value"][0]["@iot.id"]
    observations = f"/sta/v1.1/Datastreams({stream})/Observations?$top=1000"
    by_day = f"{observations}&$filter=phenomenonTime%20ge%20{day}"
    yield "24 h of one Datastream", f"{by_day}&$orderby=phenomenonTime%20desc", 300
    yield "the same as dataArray", f"{by_day}&$resultFormat=dataArray&$select=phenomenonTime,result", 300
    yield (
        "$filter over all Datastreams",
        "/sta/v1.1/Datastreams?$top=100&$count=true&$filter="
        + quote("properties/serviceName eq 'GL_STA_Pegel' and substringof('Station 12', Thing/name)"),
        50,
    )
    yield (
        "latest Observations of 1,000 Things",
        "/sta/v1.1/Things?$top=1000&$select=name&$expand="
        + quote("Datastreams($select=name;$expand=Observations($top=1;$orderby=phenomenonTime desc))"),
        10,
    )
    yield "newest 100 of all Observations", "/sta/v1.1/Observations?$orderby=phenomenonTime%20desc", 20
    yield "first 100 of all Observations", "/sta/v1.1/Observations", 100
    yield "how many Observations", "/sta/v1.1/Observations?$top=1&$count=true", 3


def compare(  # noqa: PLR0913, PLR0917 - what a row of the table is made of
    report: Report, ours: Asked, theirs: Asked, folder: Path, number: int, what: str, path: str, times: int
) -> None:
    """One question, asked of both by turns."""
    body = ours.body(path)
    (folder / str(number)).write_bytes(body)
    theirs.body(f"/{number}")
    before = ours.cpu_ms(), theirs.cpu_ms()
    took: list[float] = []
    until = time.perf_counter() + _LONGEST_S
    while len(took) < times and (time.perf_counter() < until or not took):
        took.append(ours.timed_ms(path))
        theirs.body(f"/{number}")
    cpu, bare = ((now.cpu_ms() - then) / len(took) for now, then in zip((ours, theirs), before, strict=True))
    took.sort()
    report.add(what, cpu, "CPU ms", goal=GOAL * bare, baseline=("bare route, same bytes", bare))
    report.add(f"{what}, median", took[len(took) // 2], "ms")
    report.add(f"{what}, p99", took[min(len(took) - 1, len(took) * 99 // 100)], "ms")
    report.add(f"{what}, one after another", 1000 * len(took) / sum(took), "requests/s", "more")
    report.notes.append(f"{what}: {len(body):,} bytes, {len(took)} times")


def fill(folder: Path, stations: int, steps: int, end_us: int) -> None:
    """The devices, a journal that has numbered their series, and `steps` readings of each."""
    places = [(50.9 + i % 50 / 500, 7.0 + i // 50 / 500) for i in range(stations)]
    rows = [
        f"{i:016x},decentlab-dl-mbx,station-{i},Station {i},{lat:.4f},{lon:.4f},yes"
        for i, (lat, lon) in enumerate(places)
    ]
    (folder / "devices.csv").write_text("\n".join(["dev_eui,type,station,name,lat,lon,public", *rows]) + "\n")
    series = [Series(f"station-{i}", name, "", f"{i:016x}") for i in range(stations) for name in PROPERTIES]
    journal = SqliteJournal(folder / "journal.db")
    journal.number(series)
    journal.close()
    store = SqliteStore(folder / "readings.db")
    batch = np.zeros(len(series), READING)
    batch["series"] = np.arange(len(series))
    batch["quality"], batch["time_us"], batch["value"] = 1, end_us, 20.0
    store.write(series, batch)
    store.close()
    with closing(sqlite3.connect(folder / "readings.db")) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(
            "WITH RECURSIVE steps(n) AS (SELECT ? UNION ALL SELECT n - 1 FROM steps WHERE n > 1)"
            " INSERT INTO readings"
            " SELECT s.number, ? - steps.n * ?, 20 + (s.number * 7 + steps.n) % 97 / 10.0, 1"
            " FROM series AS s CROSS JOIN steps",
            (steps - 1, end_us, INTERVAL_US),
        )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(script: list[str], port: int, log: Path) -> Iterator[Asked]:
    """A process that listens at a port of loopback."""
    with (
        log.open("wb") as output,
        subprocess.Popen([sys.executable, *script], stdout=output, stderr=output) as process,
    ):
        try:
            end = time.monotonic() + 120
            while time.monotonic() < end and process.poll() is None:
                with (
                    suppress(OSError),
                    closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as it,
                ):
                    it.connect()
                    break
                time.sleep(0.1)
            else:
                raise RuntimeError(f"{script} did not start: {log.read_text()[-2000:]}")
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as client:
                yield Asked(process.pid, client)
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    run(measure)
