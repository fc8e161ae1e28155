"""Heartbeats at a real HTTP server and a real broker: they say what the engine does, not that we answer."""

import json

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from second_place import BlockedEngine, SecondPlace, now_us
from servers import Wire, wait_for

from alerts.liveness.heartbeat import HeartbeatConfig, Pulse, heartbeat
from alerts.liveness.progress import EngineWatch
from ingest.health import Health


class Heard:
    def __init__(self, port, topic="stadtfunk/heartbeat/zweiter"):
        self.bodies, self.expiries = [], []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(topic, 1)
        self._client.loop_start()

    def wait(self, count):
        wait_for(lambda: len(self.bodies) >= count, 120, f"{count} heartbeats, heard {self.bodies}")

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client, _userdata, message):
        self.expiries.append(getattr(message.properties, "MessageExpiryInterval", None))
        self.bodies.append(json.loads(message.payload))


@pytest.fixture
def blockable(journal):
    blockable = BlockedEngine(journal)
    yield blockable
    blockable.stop()


@pytest.fixture
def place():
    place = SecondPlace()
    yield place
    place.close()


@pytest.fixture
def beating(blockable, journal):
    """Starts heartbeats of an engine that counts as stuck after a second, at first after a minute."""
    running = []

    def beat(kind, url, every_s=300.0, **options):
        watch = EngineWatch(blockable.engine, journal)
        blockable.watches.append(watch)
        channels = {"leitung": Health(ok=False, detail="smtp://secret")}
        config = HeartbeatConfig("zweiter", kind, url, every_s, **options)
        running.append(heartbeat(config, lambda: Pulse(watch.progress(), channels, now_us())))
        running[-1].start()
        return running[-1]

    yield beat
    for each in running:
        each.stop()


def test_a_webhook_carries_the_engine_s_progress(beating, place):
    beat = beating("webhook", place.url, every_s=0.5)
    wait_for(lambda: len(place.received) >= 3)
    path, body = place.received[0]
    assert path == "/ping/a-secret"
    assert body["name"] == "zweiter"
    assert body["ok"] is True
    assert body["engine"] == {
        "newest_reading": None,
        "uplinks_behind": 0,
        "since_step_s": pytest.approx(0, abs=60),
    }
    assert body["channels"] == {"leitung": False}
    assert "secret" not in json.dumps(body)
    assert beat.health.ok


def test_a_hanging_engine_is_told_at_once_and_so_is_its_return(beating, place, blockable):
    beating("ping", place.url)
    wait_for(lambda: place.received)
    blockable.block()
    wait_for(lambda: len(place.received) >= 2)
    path, body = place.received[1]
    assert path == "/ping/a-secret/fail"
    assert body["ok"] is False
    assert body["problem"].startswith("the engine has finished no step for ")
    blockable.free.set()
    wait_for(lambda: len(place.received) >= 3)
    assert place.received[2][0] == "/ping/a-secret"


def test_a_webhook_says_that_the_engine_hangs(beating, place, blockable):
    beating("webhook", place.url)
    wait_for(lambda: place.received)
    blockable.block()
    wait_for(lambda: place.received[-1][1]["ok"] is False)
    assert place.paths() == ["/ping/a-secret"] * 2


def test_an_engine_that_takes_nothing_though_uplinks_wait_does_not_advance(journal, blockable):
    class Behind:
        def last_seq(self):
            return 7

    seconds = [0.0]
    watch = EngineWatch(blockable.engine, Behind(), stuck_s=60.0, monotonic=lambda: seconds[0])
    assert watch.progress().ok
    seconds[0] = 59
    assert watch.progress().ok
    assert watch.progress().lag == 7
    seconds[0] = 61
    assert watch.progress().problem == "7 uplinks wait, and the engine has taken none for 61 s"


def test_the_engine_s_own_health_shows_that_it_hangs(blockable, monkeypatch):
    monkeypatch.setattr("alerts.engine.STUCK_S", 0.5)
    wait_for(lambda: blockable.engine.health.ok)
    blockable.block()
    wait_for(lambda: not blockable.engine.health.ok)
    assert "no step finished" in blockable.engine.health.detail


def test_a_place_that_refuses_or_is_away_shows_without_its_address(beating, place):
    place.status = 500
    beat = beating("ping", place.url)
    wait_for(lambda: beat.health == Health(ok=False, detail="answered 500"))
    place.status = 302
    other = beating("ping", "http://127.0.0.1:9/a-secret")
    wait_for(lambda: not other.health.ok)
    assert "secret" not in other.health.detail


def test_a_place_that_hangs_delays_neither_the_others_nor_the_stop(beating, place):
    place.hanging = True
    slow = beating("webhook", place.url)
    other = SecondPlace()
    try:
        beating("webhook", other.url)
        wait_for(lambda: other.received and place.received)
        slow.stop()
        assert slow.health.detail == "not sent yet", "it did not wait for the request, which fails after ten"
    finally:
        other.close()


def test_a_heartbeat_by_mqtt_says_when_the_engine_hangs_and_when_we_die(beating, mosquitto, blockable):
    broker = mosquitto()
    wire = Wire(broker.port)
    heard = Heard(broker.port)
    try:
        beat = beating("mqtt", f"mqtt://127.0.0.1:{wire.port}")
        heard.wait(1)
        assert heard.bodies[0]["ok"] is True
        assert heard.expiries[0] == 900
        wait_for(lambda: beat.health.ok)
        blockable.block()
        heard.wait(2)
        assert heard.bodies[1]["problem"].startswith("the engine has finished no step")
        wire.close()
        heard.wait(3)
        assert heard.bodies[2] == {"name": "zweiter", "ok": False, "problem": "the connection ended"}
    finally:
        heard.close()


def test_a_stopped_service_takes_its_heartbeat_back(beating, mosquitto):
    broker = mosquitto()
    heard = Heard(broker.port, "b/c")
    try:
        beat = beating("mqtt", broker.url, topic="b/c")
        heard.wait(1)
        beat.stop()
        heard.wait(2)
        assert heard.bodies[1]["problem"] == "the service was stopped"
    finally:
        heard.close()
