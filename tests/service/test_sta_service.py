"""A whole service: uplinks come in, and stand as SensorThings entities, over HTTP and MQTT."""

import random
import threading

import pytest
from city import demo_registry, level_uplink, write_csv
from fastapi.testclient import TestClient
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from servers import wait_for

from devices.registry import Registry
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings

CITY = """
[city]
name = "Teststadt"
[[network_server]]
name = "chirpstack"
kind = "chirpstack-v4"
url = "{broker}"
[journal]
url = "sqlite:///{folder}/journal.db"
[store]
url = "sqlite:///{folder}/readings.db"
[devices]
file = "devices.csv"
[api]
url = "https://pegel.example.org/"
[sta]
mqtt = "mqtt://stadtfunk:secret@127.0.0.1:{port}"
"""


@pytest.fixture
def gauge():
    return next(
        each
        for each in demo_registry().devices.values()
        if each.type == "decentlab-dl-mbx" and each.stages_cm and each.public
    )


def test_an_uplink_becomes_an_observation(tmp_path, mosquitto, gauge):
    broker = mosquitto(users={"stadtfunk": "secret"})
    write_csv(Registry({gauge.dev_eui: gauge}, {}), tmp_path / "devices.csv")
    (tmp_path / "city.toml").write_text(CITY.format(broker=broker.url, folder=tmp_path, port=broker.port))
    service = Service(load_settings(tmp_path / "city.toml"))
    service.start()
    heard = []
    client = Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("stadtfunk", "secret")
    subscribed = threading.Event()
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = lambda _, __, message: heard.append(message.topic)
    try:
        wait_for(lambda: all(health.ok for health in service.health().values()), what=service.health())
        assert service.health()["sensorthings updates"].ok
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        client.subscribe("v1.1/#")
        assert subscribed.wait(60)
        topic, payload = level_uplink(gauge, 33.0, 1, random.Random(1))
        broker.publish(topic, payload)
        api = TestClient(service.app(), base_url="http://pegel.example.org")
        found = wait_for(lambda: api.get("/sta/v1.1/Observations?$filter=result eq 33").json()["value"], 120)
        datastream = api.get(f"{found[0]['@iot.selfLink']}/Datastream").json()
        assert datastream["properties"]["property"] == "water_level"
        own = f"v1.1/Datastreams({datastream['@iot.id']})/Observations"
        wait_for(lambda: own in heard)
        root = api.get("/sta/v1.1").json()["serverSettings"]
        assert f"mqtt://127.0.0.1:{broker.port}" in str(root)
        assert "secret" not in str(root)
        assert gauge.dev_eui not in api.get("/sta/v1.1/Datastreams?$expand=Thing,Sensor,Observations").text
    finally:
        client.loop_stop()
        client.disconnect()
        service.stop()
