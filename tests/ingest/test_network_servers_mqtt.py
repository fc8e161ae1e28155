"""Each kind of network server by the topics usual for it, against a real mosquitto."""

import json

import pytest
from servers import wait_for
from uplink_messages import (
    EUI,
    NOW_US,
    chirpstack,
    chirpstack_v3,
    helium,
    multitech,
    rfc3339,
    thingpark,
    tts,
)

from devices.catalogue import load_catalogue
from devices.registry import RegistryFile
from ingest.device_event_log import DeviceEventLog
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake

DEVICE = {"dev_eui": EUI, "type": "decentlab-dl-tbrg", "station": "rain", "lat": 51.0, "lon": 7.0}
UPLINKS = {
    "chirpstack-v4": (f"application/1/device/{EUI}/event/up", chirpstack),
    "chirpstack-v3": (f"application/1/device/{EUI}/event/up", chirpstack_v3),
    "tts-v3": ("v3/city@ttn/devices/rain/up", tts),
    "actility": (f"mqtt/things/{EUI.upper()}/uplink", thingpark),
    "helium": ("helium/7c523974-4ce7-4a92-948b-55171a6e4d77/rx", helium),
    "multitech": ("lora/a8-40-41-ff-ff-00-00-01/up", multitech),
}


@pytest.fixture
def events(tmp_path):
    log = DeviceEventLog(tmp_path / "device_events.db")
    yield log
    log.close()


@pytest.fixture
def take_in(journal, events):
    started = []

    def start(kind):
        intake = Intake(
            journal,
            RegistryFile(None, [DEVICE]),
            load_catalogue(),
            {"stadtwerke": PARSERS[kind].parse},
            lambda: NOW_US,
            record=events.append,
        )
        started.append(intake)
        intake.start()
        return intake

    yield start
    for each in started:
        each.stop()


@pytest.mark.parametrize("kind", UPLINKS)
def test_uplinks_come_by_the_usual_topics(mosquitto, consume, take_in, journal, kind):
    broker = mosquitto()
    intake = take_in(kind)
    consumer = consume(broker.url, intake.hand_over, kind=kind)
    topic, uplink = UPLINKS[kind]
    broker.publish(topic, *(json.dumps(uplink(f_cnt=n)) for n in range(5)))
    wait_for(lambda: intake.stats.messages == 5)
    assert (journal.counts().stored, journal.counts().rejected) == (5, 0)
    wait_for(lambda: consumer.stats.acks == 5)


def test_events_of_chirpstack_come_by_the_usual_topics(mosquitto, consume, take_in, events):
    broker = mosquitto()
    intake = take_in("chirpstack-v4")
    consumer = consume(broker.url, intake.hand_over)
    body = json.dumps({"deviceInfo": {"devEui": EUI}, "time": rfc3339(NOW_US), "batteryLevel": 50})
    for event in ("join", "status", "log", "ack", "txack", "location"):
        broker.publish(f"application/1/device/{EUI}/event/{event}", body)
    broker.publish(f"application/1/device/{EUI}/event/up", json.dumps(chirpstack()))
    wait_for(lambda: consumer.stats.acks == 5)
    assert intake.stats.accepted == 1
    assert [each.kind.value for _, each in events.recent(10)] == ["ack", "log", "status", "join"]
    assert not intake.stats.ignored
