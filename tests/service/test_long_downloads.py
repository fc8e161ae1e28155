"""A million readings out of a live service: what it holds does not grow with what it sends."""

import urllib.request
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from live_service import LiveService

from ingest.journal import Accepted
from ingest.reading import READING, Measured, Series
from ingest.sqlite_journal import SqliteJournal
from ingest.sqlite_store import SqliteStore
from ingest.uplink import TimeSource, Uplink

READINGS = 1_000_000
T0 = 1_700_000_000_000_000
MINUTE = 60_000_000
SERIES = Series("bruecke", "water_level", "", "70b3d57ed0000001")
MOST_GROWTH_MB = 60
CITY = """
[city]
name = "Bergisch Gladbach"
[journal]
url = "sqlite://{folder}/journal.db"
[store]
url = "sqlite://{folder}/store.db"
[[device]]
dev_eui = "70b3d57ed0000001"
type = "decentlab-dl-mbx"
station = "bruecke"
lat = 50.98
lon = 7.1
public = true
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    fill(folder)
    service = LiveService(folder, CITY.format(folder=folder))
    service.start()
    yield service
    service.close()


def fill(folder):
    journal, store = SqliteJournal(folder / "journal.db"), SqliteStore(folder / "store.db")
    uplink = Uplink(
        server="stadtwerke",
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
    journal.append([Accepted(uplink, (Measured(SERIES, T0, 1.0, 1),), (1, -1))])
    for start in range(0, READINGS, 100_000):
        readings = np.zeros(100_000, READING)
        readings["time_us"] = T0 + (start + np.arange(100_000)) * MINUTE
        readings["value"] = np.arange(100_000) % 977 / 10
        readings["quality"] = 1
        store.write([SERIES], readings)
    store.close()
    journal.close()


def rss_mb(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def download(service, form, file, **params):
    """Fetches the whole span; gives how far the service grew at its worst meanwhile (MB)."""
    more = "".join(f"&{name}={value}" for name, value in params.items())
    address = (
        f"http://127.0.0.1:{service.port}/api/v1/readings?limit=all&from=2023-01-01T00:00:00Z&f={form}{more}"
    )
    before = peak = rss_mb(service.pid)
    with urllib.request.urlopen(address, timeout=300) as answer, file.open("wb") as out:
        while part := answer.read(1 << 18):
            out.write(part)
            peak = max(peak, rss_mb(service.pid))
    return peak - before


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_million_readings_take_no_more_memory_than_a_few(service, tmp_path, form):
    # what is loaded once, such as the library for Parquet, is no growth
    download(service, form, tmp_path / "first", to="2023-12-20T00:00:00Z")
    file = tmp_path / "whole"
    assert download(service, form, file) < MOST_GROWTH_MB
    if form == "csv":
        with file.open("rb") as lines:
            assert sum(1 for _ in lines) == READINGS + 1
    else:
        whole = pq.ParquetFile(file)
        assert whole.metadata.num_rows == READINGS
        assert whole.metadata.num_row_groups > 10


def test_two_years_of_hours_take_no_more_memory_than_a_few(service, tmp_path):
    download(service, "csv", tmp_path / "first", interval="PT1H", to="2023-12-20T00:00:00Z")
    assert download(service, "csv", tmp_path / "whole", interval="PT1H") < MOST_GROWTH_MB
    lines = (tmp_path / "whole").read_text().splitlines()
    assert len(lines) == 1 + READINGS // 60 + 1
    assert {line.rsplit(",", 1)[1] for line in lines[2:-1]} == {"1.0"}
