import itertools

import pytest
import servers

from ingest.influx_store import InfluxStore
from ingest.sqlite_store import SqliteStore


@pytest.fixture(scope="session")
def influxd(tmp_path_factory):
    server = servers.influxd(tmp_path_factory.mktemp("influxd"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def victoria_metrics(tmp_path_factory):
    binary = servers.program("victoria-metrics")
    folder = tmp_path_factory.mktemp("victoria-metrics")
    port = servers.free_port()
    server = servers.HttpServer(
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
