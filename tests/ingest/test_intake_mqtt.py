"""Consumers, intake and journal together, against a real mosquitto."""

import json
import threading

import pytest
from deliveries import TOPIC, body, nothing_comes, url
from servers import wait_for
from uplink_messages import EUI, NOW_US, TTS_TOPIC, tts

from devices.catalogue import load_catalogue
from devices.registry import RegistryFile
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake

DEVICE = {"dev_eui": EUI, "type": "decentlab-dl-tbrg", "station": "rain", "lat": 51.0, "lon": 7.0}


@pytest.fixture
def take_in(journal):
    """Starts an intake for two network servers; it ends with the test, before the consumers do."""
    started = []

    def start(journal=journal):
        parsers = {"stadtwerke": PARSERS["chirpstack-v4"].parse, "ttn": PARSERS["tts-v3"].parse}
        intake = Intake(journal, RegistryFile(None, [DEVICE]), load_catalogue(), parsers, lambda: NOW_US)
        started.append(intake)
        intake.start()
        return intake

    yield start
    for each in started:
        each.stop()


class Gate:
    """The journal, whose appends wait while the gate is closed."""

    def __init__(self, journal):
        self._journal = journal
        self.open = threading.Event()

    def append(self, accepted, refused=()):
        self.open.wait(60)
        return self._journal.append(accepted, refused)

    def __getattr__(self, name):
        return getattr(self._journal, name)


def test_nothing_is_acknowledged_before_the_journal_has_it(mosquitto, wire, consume, take_in, journal):
    broker = mosquitto()
    line = wire(broker)
    gate = Gate(journal)
    intake = take_in(gate)
    consumer = consume(url(line.port), intake.hand_over)
    broker.publish(TOPIC, *(body() for _ in range(30)))
    wait_for(lambda: consumer.stats.messages == 30)
    assert consumer.stats.acks == 0
    line.cut()
    wait_for(lambda: consumer.stats.messages == 60, what="the broker delivers everything again")
    assert consumer.stats.acks == 0
    gate.open.set()
    wait_for(lambda: consumer.stats.acks == 30)
    assert consumer.stats.acks_void == 30
    assert journal.counts().stored == 30
    assert intake.stats.duplicates == 30
    intake.stop()
    consumer.stop()
    assert nothing_comes(consume(url(line.port))._sink)


def test_two_network_servers_at_once_with_duplicates(mosquitto, consume, take_in, journal):
    one, other = mosquitto(), mosquitto()
    intake = take_in()
    consume(one.url, intake.hand_over)
    consume(other.url, intake.hand_over, kind="tts-v3", name="ttn")
    here = [body() for _ in range(400)]
    there = [json.dumps(tts()).encode() for _ in range(400)]
    threads = [
        threading.Thread(target=one.publish, args=(TOPIC, *here, *here[:40])),
        threading.Thread(target=other.publish, args=(TTS_TOPIC.format("d"), *there[:40], *there)),
    ]
    for thread in threads:
        thread.start()
    wait_for(lambda: intake.stats.messages == 880)
    for thread in threads:
        thread.join()
    counts = journal.counts()
    assert (counts.stored, counts.rejected, intake.stats.duplicates) == (800, 0, 80)
    assert {uplink.server for _, uplink, _ in journal.uplinks()} == {"stadtwerke", "ttn"}


def test_a_refused_login_at_one_server_does_not_stop_the_other(mosquitto, consume, take_in, journal):
    locked, free = mosquitto(users={"a": "b"}), mosquitto()
    intake = take_in()
    refused = consume(url(locked.port), intake.hand_over, kind="tts-v3", name="ttn", wait=False)
    consume(free.url, intake.hand_over)
    free.publish(TOPIC, body())
    wait_for(lambda: journal.counts().stored == 1)
    wait_for(lambda: not refused.health.ok and "password" in refused.health.detail, what=refused.health)
