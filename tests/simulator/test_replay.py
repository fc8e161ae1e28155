"""A recording goes out as it came in."""

import argparse
import base64
import json
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from stadtfunk.demo_broker import demo_broker
from stadtfunk.errors import ConfigError
from stadtfunk.replay import Recorded, add_arguments, paced, read, run


def replay(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with demo_broker(tmp_path_factory.mktemp("broker")) as addresses:
        yield addresses


class Listener:
    def __init__(self, url, topics, protocol=mqtt.MQTTv311):
        host, port = url.removeprefix("mqtt://").split(":")
        self.got = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _c, _d, message: self.got.append((message.topic, message.payload))
        self._client.connect(host, int(port))
        self._client.loop_start()
        assert self._subscribed.wait(60)

    def wait_for(self, count):
        until = time.monotonic() + 60
        while len(self.got) < count and time.monotonic() < until:
            time.sleep(0.01)
        return self.got

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture(params=["mqtt_311", "mqtt_5"])
def listener(broker, request):
    protocol = mqtt.MQTTv5 if request.param == "mqtt_5" else mqtt.MQTTv311
    listener = Listener(getattr(broker, request.param), ["replay/#"], protocol)
    yield listener
    listener.close()


def test_every_kind_of_payload_arrives_byte_by_byte(broker, listener, tmp_path, capsys):
    recording = tmp_path / "messages.jsonl"
    text = '{"fCnt": 1.50,  "name": "Strunde"}'  # JSON keeps its own spelling
    lines = [
        '{"time": "2026-07-14T12:00:00Z", "topic": "replay/a", "payload": "Gänse ✓"}',
        f'{{"time": "2026-07-14T12:00:00.2+00:00", "topic": "replay/b", "payload": {text}, "qos": 0}}',
        "",
        '{"time": "2026-07-14T14:00:00.3+02:00", "topic": "replay/c", "payload": {"base64": "/wAK"}}',
        '{"topic": "replay/d", "payload": "", "qos": 1, "retain": false, "extra": 1}',
    ]
    recording.write_text("\n".join(lines), encoding="utf-8")
    assert replay(recording, "--broker", broker.mqtt_311, "--speed", "100") == 0
    assert listener.wait_for(4) == [
        ("replay/a", "Gänse ✓".encode()),
        ("replay/b", text.encode()),
        ("replay/c", b"\xff\x00\n"),
        ("replay/d", b""),
    ]
    assert "4 messages published" in capsys.readouterr().out


def test_more_messages_than_may_be_in_flight_arrive_in_order(broker, listener, tmp_path):
    recording = tmp_path / "many.jsonl"
    recording.write_text(
        "\n".join(json.dumps({"topic": "replay/many", "payload": {"i": i}}) for i in range(1500))
    )
    assert replay(recording, "--broker", broker.mqtt_311, "--speed", "0") == 0
    assert [json.loads(payload)["i"] for _, payload in listener.wait_for(1500)] == list(range(1500))


@pytest.mark.parametrize(
    "fault",
    [
        ('{"topic": "a/b"', "line 2"),
        ('{"payload": "x"}', "topic"),
        ('{"topic": "a/+", "payload": "x"}', "no topic to publish"),
        ('{"topic": "a", "payload": "x", "qos": 3}', "qos 3"),
        ('{"topic": "a", "payload": "x", "time": "2026-07-14T12:00:00"}', "no offset"),
        ('{"topic": "a", "payload": "x", "time": "yesterday"}', "yesterday"),
        ('{"topic": "a", "payload": {"base64": "?"}}', "line 2"),
        ('{"topic": "a\\u0001b", "payload": "x"}', "no topic to publish"),  # mosquitto hangs up on it
        (json.dumps({"topic": "x" * 65_536, "payload": "x"}), "no topic to publish"),
        ('{"topic": "a", "payload": ' + "[" * 100_000 + "]" * 100_000 + "}", "recursion"),
        ('{"topic": "a", "payload": "\udcff"}', "line 2"),
    ],
)
def test_a_bad_line_is_named_and_the_others_still_go_out(broker, listener, tmp_path, capsys, fault):
    line, why = fault
    recording = tmp_path / "bad.jsonl"
    good = '{"topic": "replay/good", "payload": "1"}'
    recording.write_text(f"{good}\n{line}\n{good}\n", errors="surrogateescape")
    assert replay(recording, "--broker", broker.mqtt_311) == 1
    shown = capsys.readouterr()
    assert "line 2" in shown.err
    assert why in shown.err
    assert "2 messages published, 1 lines skipped" in shown.out
    assert len(listener.wait_for(2)) == 2


@pytest.mark.parametrize("url", ["mqtt://127.0.0.1:1", "http://127.0.0.1:80", "mqtt://127.0.0.1:seven"])
def test_a_broker_that_cannot_be_used_is_named_with_a_remedy(tmp_path, url):
    recording = tmp_path / "empty.jsonl"
    recording.write_text("")
    with pytest.raises(ConfigError, match=url.partition("://")[2]) as caught:
        replay(recording, "--broker", url)
    assert caught.value.faults[0].remedy


def test_a_password_is_not_shown(tmp_path):
    recording = tmp_path / "empty.jsonl"
    recording.write_text("")
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:1") as caught:
        replay(recording, "--broker", "mqtt://anna:hush@127.0.0.1:1")
    assert "hush" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(broker):
    with pytest.raises(ConfigError, match=r"/nowhere/x\.jsonl"):
        replay("/nowhere/x.jsonl", "--broker", broker.mqtt_311)


def test_the_rhythm_is_the_recordings_divided_by_the_speed():
    messages = [Recorded(float(second), "t", b"", 1, retain=False) for second in (100, 101, 100.5, 104)]
    began = time.monotonic()
    moments = [time.monotonic() - began for _ in paced(messages, speed=20)]
    # not earlier than asked; an earlier time does not wait
    for moment, least in zip(moments, (0, 0.05, 0.05, 0.2), strict=True):
        assert moment >= least - 0.001


@given(st.binary(), st.text())
def test_what_was_written_as_bytes_or_text_is_read_back(blob, text):
    lines = [
        json.dumps({"topic": "t", "payload": {"base64": base64.b64encode(blob).decode()}}),
        json.dumps({"topic": "t", "payload": text.encode("utf-8", "replace").decode()}),
    ]
    first, second = read(lines)
    assert first.payload == blob
    assert second.payload == text.encode("utf-8", "replace")
