import csv
import io

import pytest
from small_town import RAIN, T0, TOKEN
from starlette.testclient import TestClient

from ingest.device_event import DeviceEvent, EventKind
from ingest.device_event_log import DeviceEventLog
from ingest.loss_book import LossBook
from ingest.uplink import TimeSource, Uplink

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client(city, tmp_path):
    log = DeviceEventLog(tmp_path / "device_events.db")
    log.append(
        [
            (1, DeviceEvent("ns", RAIN, EventKind.JOIN, T0, T0 + 1, "DevAddr 01087309")),
            (2, DeviceEvent("ns", RAIN, EventKind.STATUS, T0 + 5, T0 + 6, "", False, 71.5, 9)),
            (3, DeviceEvent("ns", RAIN, EventKind.LOG, T0 + 7, T0 + 8, "UPLINK_CODEC: no", True)),
            (4, DeviceEvent("ns", "ff" * 8, EventKind.JOIN, T0 + 9, T0 + 9)),
        ]
    )
    city.changes["device_events"] = log
    with TestClient(city.app(), headers=HEADERS) as client:
        yield client
    log.close()


def test_newest_first_page_by_page(client):
    first = client.get("/api/v1/admin/events?limit=3")
    items = first.json()["items"]
    assert [item["kind"] for item in items] == ["join", "log", "status"]
    assert items[2] == {
        "id": 2,
        "time": "2026-07-14T18:30:00.000005Z",
        "device": RAIN,
        "kind": "status",
        "error": False,
        "detail": "",
        "battery_percent": 71.5,
        "external_power": False,
        "margin_db": 9,
        "server": "ns",
        "arrived": "2026-07-14T18:30:00.000006Z",
    }
    rest = client.get(first.links["next"]["url"])
    assert [item["id"] for item in rest.json()["items"]] == [1]
    assert "next" not in rest.links


def test_of_one_device_or_kind(client):
    dashed = "-".join(RAIN[i : i + 2] for i in range(0, 16, 2)).upper()
    assert len(client.get(f"/api/v1/admin/events?device={dashed}").json()["items"]) == 3
    assert [i["id"] for i in client.get("/api/v1/admin/events?kind=join").json()["items"]] == [4, 1]
    assert client.get("/api/v1/admin/events?kind=nonsense").status_code == 422
    assert client.get("/api/v1/admin/events?f=csv").text.splitlines()[1].startswith("4,")


def test_devices_show_the_last_of_each(client):
    [rain] = [each for each in client.get("/api/v1/admin/devices").json()["items"] if each["device"] == RAIN]
    assert rain["last_join"] == "2026-07-14T18:30:00Z"
    assert rain["battery_percent"] == 71.5
    assert rain["last_error"] == "2026-07-14T18:30:00.000007Z UPLINK_CODEC: no"


def test_without_events_it_is_an_empty_list(city):
    with TestClient(city.app(), headers=HEADERS) as client:
        assert client.get("/api/v1/admin/events").json()["items"] == []
        device = client.get("/api/v1/admin/devices").json()["items"][0]
        assert device["last_join"] is device["battery_percent"] is device["last_error"] is None


def test_devices_show_how_well_each_is_heard(city, tmp_path):
    book = LossBook(tmp_path / "reception.db", lambda: city.registry, lambda: T0 + 60_000_000)
    book.hear(
        [
            Uplink("ns", RAIN, 1, f_cnt, "a", b"", T0 + f_cnt, T0 + f_cnt, T0, TimeSource.SERVER)
            for f_cnt in (1, 2, 5)
        ]
    )
    city.changes["losses"] = book.losses
    names = ["uplinks_24h", "lost_24h", "uplinks_7d", "lost_7d"]
    with TestClient(city.app(), headers=HEADERS) as client:
        devices = client.get("/api/v1/admin/devices").json()["items"]
        rows = list(csv.DictReader(io.StringIO(client.get("/api/v1/admin/devices?f=csv").text)))
    book.close()
    for each, row in zip(devices, rows, strict=True):
        expected = [3, 2, 3, 2] if each["device"] == RAIN else [None] * 4
        assert [each[name] for name in names] == expected
        assert [row[name] for name in names] == ["" if e is None else str(e) for e in expected]
    assert len(devices) > 1
