import itertools
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from ingest.influx_store import InfluxStore
from ingest.sqlite_store import SqliteStore

_INFLUXD = """
reporting-enabled = false
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A real server of this test run, that can be stopped and started again on the same port and files."""

    def __init__(self, command, port, alive, log):
        self.command = command
        self.port = port
        self._alive = f"http://127.0.0.1:{port}{alive}"
        self._log = log
        self._process = None

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(self._alive, timeout=1).close()
            except (urllib.error.URLError, OSError):
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(self._log.read_text()[-2000:]) from None
                time.sleep(0.05)
            else:
                return

    def stop(self):
        self._process.terminate()
        self._process.wait(10)


def _influxd(folder):
    binary = shutil.which("influxd")
    if binary is None:
        pytest.skip("influxd is not installed (Debian: influxdb)")
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(_INFLUXD.format(rpc=free_port(), port=port, folder=folder))
    return Server([binary, "-config", str(config)], port, "/ping", folder / "log")


@pytest.fixture(scope="session")
def influxd(tmp_path_factory):
    server = _influxd(tmp_path_factory.mktemp("influxd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_influxd(tmp_path):
    """One that the test may stop and start."""
    server = _influxd(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def victoria_metrics(tmp_path_factory):
    binary = shutil.which("victoria-metrics")
    if binary is None:
        pytest.skip("victoria-metrics is not installed (Debian: victoria-metrics)")
    folder = tmp_path_factory.mktemp("victoria-metrics")
    port = free_port()
    server = Server(
        [
            binary,
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-storageDataPath={folder}/data",
            "-retentionPeriod=100y",
            "-memory.allowedBytes=100MB",
        ],
        port,
        "/health",
        folder / "log",
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "influxdb1"])
def new_store(request, tmp_path):
    """Makes empty stores of one kind; hypothesis needs one per example."""
    server = request.getfixturevalue("influxd") if request.param == "influxdb1" else None
    opened = []
    numbers = itertools.count()

    def make():
        number = next(numbers)
        if server is None:
            store = SqliteStore(tmp_path / f"readings-{number}.db")
        else:
            store = InfluxStore(f"influxdb1://127.0.0.1:{server.port}/{tmp_path.name}-{number}")
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(new_store):
    return new_store()
