"""A store that does not answer holds a request no longer than the request may last."""

import socket
import sqlite3

import pytest

from api.sta.city_points import Loader
from api.sta.errors import TooManyError
from api.sta.source import Scope
from ingest.influx_store import InfluxStore
from ingest.reading import Series


def test_who_waits_for_a_silent_store_is_told_to_narrow(monkeypatch):
    monkeypatch.setattr("api.sta.city_points.LONGEST_S", 0.3)
    series = Series("pegel", "water_level", "", "70b3d57ed0000001")
    with socket.create_server(("127.0.0.1", 0)) as silent, sqlite3.connect(":memory:") as connection:
        store = InfluxStore(f"influxdb1://127.0.0.1:{silent.getsockname()[1]}/city")
        with pytest.raises(TooManyError, match="too long"):
            Loader(connection, store).load({series: (0, 0)}, Scope())
        store.close()
    connection.close()
