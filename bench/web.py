"""HTTP: the latest value and 1,000 readings, beside a bare route of Starlette with the same bytes ready."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import structlog
import uvicorn
from report import Report, best, run
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp
from workload import wait

from ingest.journal import Accepted
from ingest.reading import READING, Measured, Series
from ingest.uplink import TimeSource, Uplink
from stadtfunk.serve import bind
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

T0 = 1_784_000_000_000_000
MINUTE = 60_000_000
SERIES = Series("bruecke", "water_level", "", "70b3d57ed0000001")
CITY = """
[city]
name = "Bergisch Gladbach"
[[device]]
dev_eui = "70b3d57ed0000001"
type = "decentlab-dl-mbx"
station = "bruecke"
public = true
lat = 50.98
lon = 7.1

[api]
requests_per_minute = 0
"""
LATEST = "/api/v1/readings/latest?station=bruecke&property=water_level"
HISTORY = "/api/v1/readings?station=bruecke&from=2026-07-01T00:00:00Z&limit=1000"
GOAL = 2.0
RUNS = 5


def measure(scale: float) -> Report:
    """Server CPU of each request on a kept connection, one client; with the byte cache and without."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    report = Report("web", "reading over HTTP, one uvicorn worker, one kept connection")
    requests = max(50, round(3_000 * scale))
    with tempfile.TemporaryDirectory() as name:
        service = filled(Path(name))
        cached, plain = service.app(), service.app(kept_s=0.0)
        bodies = {}
        with serving(cached) as ask:
            for what in (LATEST, HISTORY):
                bodies[what] = ask(what, 1)[1]
        for what, title in ((LATEST, "latest value"), (HISTORY, "1,000 readings")):
            figures = {}
            for kind, app in (("bare", bare(bodies[what])), ("cached", cached), ("made anew", plain)):
                with serving(app) as ask:
                    ask(what, max(10, requests // 10))
                    few = requests if kind != "made anew" else max(20, requests // 20)
                    figures[kind] = best(RUNS, lambda ask=ask, what=what, few=few: ask(what, few)[0])
            ratio = figures["cached"] / figures["bare"]
            report.add(f"{title}, times a bare route", ratio, "x", goal=GOAL)
            baseline = ("bare Starlette route", figures["bare"])
            report.add(f"{title}, byte cache", figures["cached"], "CPU µs", baseline=baseline)
            report.add(f"{title}, made anew", figures["made anew"], "CPU µs", baseline=baseline)
            report.notes.append(f"{title}: {len(bodies[what]):,} bytes")
        service.latest.stop()
        service.stop()
    report.notes.append("CPU of the thread of the server; ten percent of the requests before count not")
    return report


def bare(body: bytes) -> Starlette:
    async def ready(_: Request) -> Response:
        return Response(body, media_type="application/json", headers={"ETag": '"1"'})

    return Starlette(routes=[Route("/{path:path}", ready)])


def filled(folder: Path) -> Service:
    """A service with readings of one station, of which only the newest values run."""
    (folder / "city.toml").write_text(CITY)
    service = Service(load_settings(folder / "city.toml"), lambda: T0 + 1000 * MINUTE)
    uplink = Uplink(
        server="bench",
        dev_eui=SERIES.dev_eui,
        f_port=1,
        f_cnt=1,
        session="00",
        payload=b"\x01",
        received_us=T0,
        arrived_us=T0,
        time_us=T0,
        time_source=TimeSource.SERVER,
        gateways=(),
    )
    service.journal.append([Accepted(uplink, (Measured(SERIES, T0, 1.0, 1),), (1, -1))])
    readings = np.zeros(1_000, READING)
    readings["time_us"] = T0 + np.arange(1_000) * MINUTE
    readings["value"] = np.arange(1_000) / 10
    readings["quality"] = 1
    service.store.write([SERIES], readings)
    service.latest.start()
    wait(lambda: bool(service.latest.latest()), "no latest value")
    return service


@contextmanager
def serving(app: ASGIApp) -> Iterator["Client"]:
    """A client of a server with this application in a thread of its own."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, server_header=False))
    with bind("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), name="server")
        thread.start()
        wait(lambda: server.started, "the server does not start")
        client = Client(listener.getsockname()[1], thread)
        try:
            yield client
        finally:
            client.close()
            server.should_exit = True
            thread.join()


class Client:
    """One connection that stays open."""

    def __init__(self, port: int, thread: threading.Thread) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._stat = Path(f"/proc/self/task/{thread.native_id}/schedstat")

    def __call__(self, address: str, times: int) -> tuple[float, bytes]:
        """CPU µs of the server's thread for each request, and the last body."""
        request = f"GET {address} HTTP/1.1\r\nHost: city\r\n\r\n".encode()
        before = self._cpu_us()
        body = b""
        for _ in range(times):
            self._socket.sendall(request)
            body = self._answer()
        return (self._cpu_us() - before) / times, body

    def close(self) -> None:
        self._socket.close()

    def _cpu_us(self) -> float:
        return int(self._stat.read_text().split()[0]) / 1e3

    def _answer(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(1 << 16)
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        parts, got = [body], len(body)
        while got < length:
            parts.append(self._socket.recv(1 << 18))
            got += len(parts[-1])
        return b"".join(parts)


if __name__ == "__main__":
    run(measure)
