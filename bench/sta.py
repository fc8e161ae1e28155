"""SensorThings and the native API over real HTTP, beside a bare route that returns the same bytes."""

import http.client
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
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
SERIES = STATIONS * len(PROPERTIES)
READINGS = 2_000_000
INTERVAL_US = 600_000_000
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
"""


def measure(scale: float) -> Report:
    """2 million readings (--scale 10: 20 million) of 10,000 Datastreams at 2,500 Things."""
    report = Report("sta", "SensorThings and native API, one connection, SQLite store")
    steps = max(150, round(READINGS * scale / SERIES))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        end_us = time.time_ns() // 1000 // INTERVAL_US * INTERVAL_US
        fill(folder, steps, end_us)
        report.notes.append(f"{steps * SERIES:,} readings of {SERIES:,} Datastreams")
        api, bare, nobody = (free_port() for _ in range(3))
        (folder / "city.toml").write_text(_CITY.format(folder=folder, port=api, nobody=nobody))
        (folder / "bare").mkdir()
        serve = [sys.executable, "-m", "stadtfunk", "serve", "--config", str(folder / "city.toml")]
        with (
            server(serve, api, folder / "api.log"),
            server(
                [sys.executable, str(HERE / "bare.py"), str(folder / "bare"), str(bare)],
                bare,
                folder / "bare.log",
            ),
            closing(http.client.HTTPConnection("127.0.0.1", api, timeout=60)) as client,
            closing(http.client.HTTPConnection("127.0.0.1", bare, timeout=60)) as other,
        ):
            begin = time.perf_counter()
            ask(client, "/sta/v1.1/Things?$top=1")
            report.add("the first request, which makes the tables", time.perf_counter() - begin, "s", goal=2)
            for number, (what, path, times, goal_ms) in enumerate(questions(client, end_us)):
                compare(report, client, other, folder / "bare", number, what, path, times, goal_ms)
    return report


def questions(client: http.client.HTTPConnection, end_us: int) -> Iterator[tuple[str, str, int, float]]:
    """What is asked: its name, its address, how often, and the goal for the median in ms."""
    day = quote(format_us(end_us - 86_400_000_000))
    yield "latest of one station, native", "/api/v1/readings/latest?station=station-1200", 200, 5
    yield (
        "1,000 readings, native",
        "/api/v1/readings?station=station-1200&property=water_level&limit=1000",
        100,
        20,
    )
    found = orjson.loads(
        ask(client, "/sta/v1.1/Datastreams?$top=1&$filter=" + quote("properties/property eq 'water_level'"))
    )
    stream = found["value"][0]["@iot.id"]
    observations = f"/sta/v1.1/Datastreams({stream})/Observations?$top=1000"
    yield (
        "24 h of one Datastream",
        f"{observations}&$orderby=phenomenonTime%20desc&$filter=phenomenonTime%20ge%20{day}",
        100,
        20,
    )
    yield (
        "the same as dataArray",
        f"{observations}&$resultFormat=dataArray&$select=result&$filter=phenomenonTime%20ge%20{day}",
        100,
        20,
    )
    yield (
        "$filter over 10,000 Datastreams",
        "/sta/v1.1/Datastreams?$top=100&$count=true&$filter="
        + quote("properties/serviceName eq 'GL_STA_Pegel' and substringof('Station 12', Thing/name)"),
        20,
        100,
    )
    yield (
        "latest Observations of 1,000 Things",
        "/sta/v1.1/Things?$top=1000&$select=name&$expand="
        + quote("Datastreams($select=name;$expand=Observations($top=1;$orderby=phenomenonTime desc))"),
        5,
        2_000,
    )
    yield "newest 100 of all Observations", "/sta/v1.1/Observations?$orderby=phenomenonTime%20desc", 5, 1_000
    yield "first 100 of all Observations", "/sta/v1.1/Observations", 50, 50
    yield "how many Observations", "/sta/v1.1/Observations?$top=1&$count=true", 3, 10_000


def compare(  # noqa: PLR0913, PLR0917 - what a row of the table is made of
    report: Report,
    client: http.client.HTTPConnection,
    other: http.client.HTTPConnection,
    folder: Path,
    number: int,
    what: str,
    path: str,
    times: int,
    goal_ms: float,
) -> None:
    """One question, asked of both by turns."""
    body = ask(client, path)
    (folder / str(number)).write_bytes(body)
    ask(other, f"/{number}")
    ours, theirs = [], []
    until = time.perf_counter() + _LONGEST_S
    while len(ours) < times and (time.perf_counter() < until or not ours):
        ours.append(timed(client, path))
        theirs.append(timed(other, f"/{number}"))
    ours.sort()
    theirs.sort()
    median, bare = ours[len(ours) // 2], theirs[len(theirs) // 2]
    report.add(f"{what}, median", median, "ms", goal=goal_ms, baseline=("bare route, same bytes", bare))
    report.add(f"{what}, p99", ours[min(len(ours) - 1, len(ours) * 99 // 100)], "ms")
    report.add(f"{what}, at a time", 1000 * len(ours) / sum(ours), "requests/s", "more")
    report.notes.append(f"{what}: {len(body):,} bytes, {len(ours)} times")


def timed(client: http.client.HTTPConnection, path: str) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    ask(client, path)
    return (time.perf_counter() - begin) * 1e3


def ask(client: http.client.HTTPConnection, path: str) -> bytes:
    """The body of an answer."""
    client.request("GET", path)
    answer = client.getresponse()
    body = answer.read()
    assert answer.status == 200, (path, answer.status, body[:500])
    return body


def fill(folder: Path, steps: int, end_us: int) -> None:
    """The devices, a journal that has numbered their series, and `steps` readings of each."""
    places = [(50.9 + i % 50 / 500, 7.0 + i // 50 / 500) for i in range(STATIONS)]
    rows = [
        f"{i:016x},decentlab-dl-mbx,station-{i},Station {i},{lat:.4f},{lon:.4f},yes"
        for i, (lat, lon) in enumerate(places)
    ]
    (folder / "devices.csv").write_text("\n".join(["dev_eui,type,station,name,lat,lon,public", *rows]) + "\n")
    series = [Series(f"station-{i}", name, "", f"{i:016x}") for i in range(STATIONS) for name in PROPERTIES]
    journal = SqliteJournal(folder / "journal.db")
    journal.number(series)
    journal.close()
    store = SqliteStore(folder / "readings.db")
    batch = np.zeros(SERIES, READING)
    batch["series"] = np.arange(SERIES)
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
def server(command: list[str], port: int, log: Path) -> Iterator[None]:
    """A process that listens at a port of loopback."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            end = time.monotonic() + 120
            while time.monotonic() < end and process.poll() is None:
                try:
                    with socket.create_connection(("127.0.0.1", port), 0.2):
                        break
                except OSError:
                    time.sleep(0.1)
            else:
                raise RuntimeError(f"{command[1:]} did not start: {log.read_text()[-2000:]}")
            yield
        finally:
            process.terminate()
            process.wait(30)


if __name__ == "__main__":
    run(measure)
