"""Two cities in one process know nothing of each other."""

import random

import pytest
from city import demo_registry, level_uplink, write_csv
from fastapi.testclient import TestClient
from servers import wait_for

from devices.registry import Registry
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings
from stadtfunk.tokens import new_token

CITY = """
[city]
name = "{name}"
[[network_server]]
name = "chirpstack-{name}"
kind = "chirpstack-v4"
url = "{broker}"
topics = ["{name}/application/+/device/+/event/up"]
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[devices]
file = "devices.csv"
[[api.token]]
name = "test"
hash = "sha256:{digest}"
"""


@pytest.fixture
def gauges():
    return [
        each
        for each in demo_registry().devices.values()
        if each.type == "decentlab-dl-mbx" and each.stages_cm
    ][:2]


@pytest.fixture
def city(tmp_path, mosquitto):
    """Starts and stops services; each has gauge, folder, token and topics of its own at the same broker."""
    broker = mosquitto()
    running = []

    def start(name, gauge):
        folder = tmp_path / name
        folder.mkdir()
        write_csv(Registry({gauge.dev_eui: gauge}, {}), folder / "devices.csv")
        token, digest = new_token()
        (folder / "city.toml").write_text(
            CITY.format(name=name, broker=broker.url, folder=folder, digest=digest)
        )
        service = Service(load_settings(folder / "city.toml"))
        running.append(service)
        service.start()
        wait_for(lambda: all(health.ok for health in service.health().values()), what=service.health())
        client = TestClient(service.app(), headers={"Authorization": f"Bearer {token}"})

        def publish(*levels):
            rng = random.Random(name)
            for number, level in enumerate(levels):
                topic, payload = level_uplink(gauge, level, number, rng)
                broker.publish(f"{name}/{topic}", payload)

        return service, client, publish

    def stop(service):
        running.remove(service)
        service.stop()

    yield start, stop
    for each in running:
        each.stop()


def test_two_services_do_not_meet(city, gauges):
    start, stop = city
    flooded, calm = gauges
    one, one_api, publish_one = start("bach", flooded)
    two, two_api, publish_two = start("dorf", calm)
    publish_one(flooded.stages_cm[0] + 3)
    publish_two(calm.stages_cm[0] - 20, calm.stages_cm[0] - 20)
    wait_for(lambda: one.journal.counts().stored == 1)
    wait_for(lambda: two.journal.counts().stored == 2)
    wait_for(lambda: one_api.get("/api/v1/warnings").json()["items"])
    wait_for(lambda: len(two_api.get("/api/v1/readings/latest").json()["items"]) > 0)
    assert two_api.get("/api/v1/warnings").json()["items"] == []
    stations = [
        {item["station"] for item in api.get("/api/v1/readings/latest").json()["items"]}
        for api in (one_api, two_api)
    ]
    assert stations == [{flooded.station}, {calm.station}]
    wait_for(lambda: "stadtfunk_uplinks_accepted_total 1.0" in one_api.get("/metrics").text)
    wait_for(lambda: "stadtfunk_uplinks_accepted_total 2.0" in two_api.get("/metrics").text)
    stolen = {"Authorization": one_api.headers["Authorization"]}
    assert two_api.get("/metrics", headers=stolen).status_code in {401, 403}
    stop(one)
    publish_two(*[calm.stages_cm[0] - 19] * 3)
    wait_for(lambda: two.journal.counts().stored > 2, what="the other service goes on")
