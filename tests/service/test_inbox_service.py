"""From an uplink nobody can place to its reading: registered over HTTP, without a restart."""

import json
import random
import time
import urllib.request
from dataclasses import replace

import pytest
from city import AlertSink, ServiceProcess, demo_registry, level_uplink
from servers import wait_for

from stadtfunk.publisher import Publisher

NEW = "70b3d57ed0ffff01"


@pytest.fixture
def service(tmp_path, mosquitto):
    sink = AlertSink()
    broker = mosquitto()
    service = ServiceProcess(tmp_path, demo_registry(), broker.url, f"sqlite:///{tmp_path}/readings.db", sink)
    service.broker_url = broker.url
    yield service
    service.stop()
    sink.close()


def post(service, path, body, kind):
    request = urllib.request.Request(f"http://127.0.0.1:{service.port}{path}", body, method="POST")
    request.add_header("Authorization", f"Bearer {service.token}")
    request.add_header("Content-Type", kind)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def levels(service, station):
    items = service.get("/api/v1/readings/latest?limit=10000")[0]["items"]
    return [
        each["value"] for each in items if (each["station"], each["property"]) == (station, "water_level")
    ]


def history(service, station):
    path = f"/api/v1/readings?station={station}&property=water_level"
    return [each["value"] for each in service.get(path)[0]["items"]]


def test_a_device_that_was_unknown_is_read_as_soon_as_it_is_registered(service):
    service.start()
    gauge = next(each for each in demo_registry().devices.values() if each.type == "decentlab-dl-mbx")
    unknown = replace(gauge, dev_eui=NEW, sensor_height_cm=300.0)
    with Publisher(service.broker_url) as publisher:
        for f_cnt, level_cm in enumerate((40, 42, 44)):
            publisher.publish(*level_uplink(unknown, level_cm, f_cnt, random.Random(f_cnt)))
            time.sleep(0.01)
        publisher.flush()
    wait_for(lambda: service.get("/api/v1/admin/inbox")[0]["items"], 120, "the inbox")
    wait_for(lambda: service.get("/api/v1/admin/inbox")[0]["items"][0]["count"] == 3, 120, "three uplinks")
    # a busy service has no time for every type at once, and goes on when it is asked again
    wait_for(lambda: service.get("/api/v1/admin/inbox")[0]["items"][0]["guesses"], 120, "a guess")
    [item] = service.get("/api/v1/admin/inbox")[0]["items"]
    assert (item["device"], item["guesses"][0]["type"]) == (NEW, "decentlab-dl-mbx")
    row = {
        "dev_eui": NEW,
        "type": item["guesses"][0]["type"],
        "station": "neuer-pegel",
        "lat": 50.99,
        "lon": 7.1,
    }
    head, values = ",".join([*row, "sensor_height_cm"]), ",".join([*map(str, row.values()), "300"])
    dry = post(
        service, "/api/v1/admin/devices/import?dry_run=true", f"{head}\n{values}\n".encode(), "text/csv"
    )
    assert (dry["errors"], levels(service, "neuer-pegel")) == ([], [])
    done = post(
        service,
        "/api/v1/admin/devices",
        json.dumps({**row, "sensor_height_cm": 300}).encode(),
        "application/json",
    )
    assert done["written"] == 1
    wait_for(lambda: levels(service, "neuer-pegel") == [44.0], 120, "its history as readings")
    assert service.get("/api/v1/admin/inbox")[0]["items"] == []
    wait_for(lambda: history(service, "neuer-pegel") == [40.0, 42.0, 44.0], 120, "the store")
