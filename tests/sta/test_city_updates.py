"""New Observations over MQTT, at a real broker: the public's, as the API shows them, none twice."""

import contextlib
import threading
from dataclasses import replace

import orjson
import paho.mqtt.client as mqtt
import pytest
from city_town import view_of
from paho.mqtt.enums import CallbackAPIVersion
from servers import wait_for
from small_town import LEVEL, MINUTE, RAIN, SECRET, SECRETS, T0, Town

from api.public_rule import PublicRule
from api.sta import city_updates
from api.sta.city import Cities
from api.sta.city_updates import CityUpdates
from ingest.broker import read_broker_url
from ingest.store_writer import StoreWriter

BASE = "https://pegel.example.org/sta/v1.1"


class Ear:
    """Hears everything at a broker: Observations, and in `catalogue` all else."""

    def __init__(self, port):
        self.heard = []
        self.catalogue = []
        self._ready = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _, __, message: self._kind(message).append(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(60)

    def _kind(self, message):
        return self.heard if message.topic.endswith("/Observations") else self.catalogue

    def results(self, topic="v1.1/Observations"):
        return [orjson.loads(each.payload)["result"] for each in self.heard if each.topic == topic]

    def close(self):
        self._client.loop_stop()
        self._client.disconnect()


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path)
    writer = StoreWriter(town.journal, town.store)
    writer.start()
    yield town
    writer.stop()
    town.store.close()
    town.journal.close()
    town.audit.close()


@contextlib.contextmanager
def updates_of(town, broker):
    updates = CityUpdates(
        read_broker_url(broker.url), "test", town.journal, Cities(), lambda: view_of(town), BASE
    )
    updates.start()
    yield updates
    updates.stop()


@contextlib.contextmanager
def ear_at(broker):
    ear = Ear(broker.port)
    yield ear
    ear.close()


def measured(town, minute, value, dev_eui=LEVEL, name="water_level"):
    town.journal.append([town.uplink(dev_eui, T0 + minute * MINUTE, (name, value))])


def test_what_is_new_and_public_is_told_as_the_api_shows_it(town, mosquitto):
    broker = mosquitto()
    measured(town, -5, 1.0)
    with ear_at(broker) as ear, updates_of(town, broker) as updates:
        wait_for(lambda: updates.health.ok)
        measured(town, 0, 66.0, SECRET)
        measured(town, 0, 3.6, LEVEL, "battery_voltage")
        measured(town, 1, 42.5)
        measured(town, 2, 0.7, RAIN, "precipitation")
        wait_for(lambda: len(ear.heard) >= 4)
        wait_for(lambda: updates.published == 2)
    assert ear.results() == [42.5, 0.7]
    level = orjson.loads(ear.heard[0].payload)
    assert level["phenomenonTime"] == "2026-07-14T18:31:00Z"
    assert level["@iot.selfLink"] == f"{BASE}/Observations({level['@iot.id']})"
    assert not [each for each in ear.heard if each.retain]
    own = {each.topic for each in ear.heard} - {"v1.1/Observations"}
    assert len(own) == 2
    assert all(each.startswith("v1.1/Datastreams(") and each.endswith(")/Observations") for each in own)
    told = str([message.payload for message in (*ear.heard, *ear.catalogue)])
    assert not [each for each in SECRETS if each in told]


def test_what_is_coarser_is_not_told_and_what_is_public_later_is_told_then(town, mosquitto):
    hour = 60 * MINUTE
    town.changes["rules"] = {
        "water_level": PublicRule(coarsen_us=hour),
        "water_temperature": PublicRule(delay_us=hour),
        "precipitation": PublicRule(round_to=0.5),
    }
    broker = mosquitto()
    with ear_at(broker) as ear, updates_of(town, broker) as updates:
        wait_for(lambda: updates.health.ok)
        town.now_us = T0 + 10 * hour
        # the second ends an hour that is over
        measured(town, 20, 1.0)
        measured(town, 30, 2.0)
        measured(town, 9 * 60 - 1, 3.0, LEVEL, "water_temperature")
        measured(town, 9 * 60 + 5, 4.0, LEVEL, "water_temperature")
        measured(town, 31, 0.7, RAIN, "precipitation")
        wait_for(lambda: sorted(ear.results()) == [0.5, 3.0])
        town.now_us += 4 * MINUTE
        measured(town, 32, 1.2, RAIN, "precipitation")
        wait_for(lambda: len(ear.results()) == 3)
        assert 4.0 not in ear.results()
        town.now_us += 2 * MINUTE
        wait_for(lambda: sorted(ear.results()) == [0.5, 1.0, 3.0, 4.0])
        wait_for(lambda: len(ear.heard) == 8)
    assert updates.published == 4


def test_a_broker_that_was_away_hears_what_it_missed_and_nothing_twice(town, mosquitto):
    broker = mosquitto()
    with updates_of(town, broker) as updates:
        wait_for(lambda: updates.health.ok)
        measured(town, 0, 1.0)
        wait_for(lambda: updates.published == 1)
        broker.stop()
        measured(town, 1, 2.0)
        wait_for(lambda: not updates.health.ok)
        broker.start()
        with ear_at(broker) as ear:
            wait_for(lambda: updates.health.ok, 120)
            measured(town, 2, 3.0)
            wait_for(lambda: 3.0 in ear.results())
    assert updates.published == 3
    assert ear.results() in ([2.0, 3.0], [3.0])


def test_of_more_than_can_wait_the_newest_are_told(town, mosquitto, monkeypatch):
    monkeypatch.setattr(city_updates, "MOST_BEHIND", 3)
    broker = mosquitto()
    broker.stop()
    with updates_of(town, broker) as updates:
        wait_for(lambda: not updates.health.ok)
        for minute in range(10):
            measured(town, minute, float(minute))
        wait_for(lambda: len(list(town.store.latest())) == 1 and town.store.latest()[0].value == 9.0)
        broker.start()
        wait_for(lambda: updates.published == 3, 120)
        assert updates.skipped == 7


def test_what_the_device_list_changes_is_told_and_nothing_else(town, mosquitto, monkeypatch):
    monkeypatch.setattr(city_updates, "_LOOK_S", 0.0)
    broker = mosquitto()
    measured(town, 0, 1.0)
    wait_for(town.store.latest)
    with ear_at(broker) as ear, updates_of(town, broker) as updates:
        wait_for(lambda: updates.health.ok)
        measured(town, 1, 2.0)
        wait_for(lambda: 2.0 in ear.results())
        assert not ear.catalogue
        stations = dict(town.registry.stations)
        stations["strunde-gierath"] = replace(stations["strunde-gierath"], name="Strunde, neu")
        stations["geheim-pegel"] = replace(stations["geheim-pegel"], name="geheim, neu")
        town.registry = replace(town.registry, stations=stations)
        wait_for(
            lambda: len([each for each in ear.catalogue if each.topic.startswith("v1.1/Datastreams")]) == 2
        )
        wait_for(lambda: len(ear.catalogue) == 8)
    things = [each for each in ear.catalogue if each.topic.startswith("v1.1/Things")]
    assert {orjson.loads(each.payload)["name"] for each in things} == {"Strunde, neu"}
    [number] = {orjson.loads(each.payload)["@iot.id"] for each in things}
    assert {each.topic for each in things} == {"v1.1/Things", f"v1.1/Things({number})"}
    told = {each.topic.partition("(")[0] for each in ear.catalogue}
    assert told == {f"v1.1/{each}" for each in ("Things", "Locations", "FeaturesOfInterest", "Datastreams")}
    assert "geheim" not in str([each.payload for each in ear.catalogue])
