"""What a consumer says when its broker is away, says no, or cannot be trusted."""

import gc
import json
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from deliveries import TOPIC, collect, payloads, url
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from servers import wait_for

from ingest.broker import Broker, read_broker_url
from ingest.consumer import Consumer, ServerConfig
from ingest.errors import BrokerError
from ingest.hand_over import HandOver
from ingest.network_servers import PARSERS


@pytest.mark.parametrize("kind", ["chirpstack-v4", "tts-v3"])
def test_a_refused_login_is_visible_and_tried_again(mosquitto, consume, kind):
    broker = mosquitto(users={"stadtfunk": "right"})
    consumer = consume(f"mqtt://stadtfunk:wrong@127.0.0.1:{broker.port}", kind=kind, wait=False)
    wait_for(lambda: "password" in consumer.health.detail.lower(), what=consumer.health)
    assert not consumer.health.ok
    assert "url" in consumer.health.detail
    assert "wrong" not in consumer.health.detail
    tries = consumer._number
    wait_for(lambda: consumer._number > tries + 1)
    assert consumer.stats.connections == 0


def test_a_right_login_works(mosquitto, consume):
    broker = mosquitto(users={"stadtfunk": "p@ss:w/rd"})
    consumer = consume(f"mqtt://stadtfunk:p%40ss%3Aw%2Frd@127.0.0.1:{broker.port}")
    broker.publish(TOPIC, "x")
    assert payloads(collect(consumer._sink, 1)) == [b"x"]


def test_a_broker_that_is_not_there_is_named_and_found_later(mosquitto, consume):
    broker = mosquitto()
    broker.stop()
    consumer = consume(broker.url, wait=False)
    wait_for(lambda: "nothing listens there" in consumer.health.detail)
    broker.start()
    wait_for(lambda: consumer.health.ok)


def test_an_unknown_host_is_named(consume):
    consumer = consume("mqtt://no-such-host.invalid", wait=False)
    wait_for(lambda: "host name not found" in consumer.health.detail)


def test_a_port_that_speaks_something_else_is_named(consume, mosquitto, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def mute():
            with suppress(OSError):  # the end
                while True:
                    server.accept()[0].close()

        thread = threading.Thread(target=mute)
        thread.start()
        consumer = consume(url(server.getsockname()[1]), wait=False)
        wait_for(lambda: "closed before it answered" in consumer.health.detail)
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_qos_0_is_named_with_its_remedy(mosquitto, consume):
    broker = mosquitto()
    consumer = consume(broker.url)
    assert "QoS" not in consumer.health.detail
    broker.publish(TOPIC, "a", "b", qos=0)
    [first, *_] = deliveries = collect(consumer._sink, 2)
    assert not any(delivery.packet_ids for delivery in deliveries)
    assert first.messages[0].qos == 0
    assert consumer.stats.qos0_seen == 2
    assert consumer.health.ok
    assert "qos=1" in consumer.health.detail


def test_the_same_client_twice_is_named(mosquitto, consume):
    broker = mosquitto()
    first = consume(broker.url)
    said = []
    second = consume(broker.url)
    wait_for(lambda: said.append(first.health.detail + second.health.detail) or "client_id" in said[-1])


def test_a_refused_subscription_is_named(mosquitto, consume, tmp_path):
    """Mosquitto's dynamic security plugin is what can refuse a SUBSCRIBE."""
    plugin = next(Path("/usr/lib").glob("**/mosquitto_dynamic_security.so"), None)
    if plugin is None:
        pytest.skip("mosquitto's dynamic security plugin is not installed: apt-get install mosquitto")
    rules = tmp_path / "dynamic-security.json"
    access = {
        "publishClientSend": True,
        "publishClientReceive": True,
        "subscribe": False,
        "unsubscribe": True,
    }
    anonymous = {"groupname": "all", "roles": [{"rolename": "some"}]}
    role = {"rolename": "some", "acls": [{"acltype": "subscribePattern", "topic": "mine/#", "allow": True}]}
    rules.write_text(
        json.dumps(
            {
                "defaultACLAccess": access,
                "clients": [],
                "groups": [anonymous],
                "roles": [role],
                "anonymousGroup": "all",
            }
        )
    )
    rules.chmod(0o600)
    broker = mosquitto(lines=[f"plugin {plugin}", f"plugin_opt_config_file {rules}"])
    consumer = consume(broker.url, topics=("theirs/#", "mine/#"), wait=False)
    wait_for(lambda: "subscription refused" in consumer.health.detail)
    assert not consumer.health.ok
    assert "theirs/#" in consumer.health.detail
    assert "mine/#" not in consumer.health.detail
    broker.publish("mine/x", "still comes")
    assert payloads(collect(consumer._sink, 1)) == [b"still comes"]


# paho leaves a socket whose handshake failed to the garbage collector
LEFT_TO_GC = "ignore:unclosed <ssl.SSLSocket:ResourceWarning"


@pytest.fixture
def left_to_gc():
    """Ask for it first: it collects when the consumers have ended, and not in the test of somebody else."""
    yield
    gc.collect()


def test_tls(mosquitto, consume, certificate):
    cert, key = certificate
    broker = mosquitto(lines=[f"certfile {cert}", f"keyfile {key}"])
    consumer = consume(f"mqtts://127.0.0.1:{broker.port}", ca_file=cert)
    sent = [f"{i}" * 200 for i in range(300)]
    client = Client(CallbackAPIVersion.VERSION2)
    client.tls_set_context(ssl.create_default_context(cafile=cert))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    for info in [client.publish(TOPIC, each, qos=1) for each in sent]:
        info.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()
    assert payloads(collect(consumer._sink, 300)) == [each.encode() for each in sent]


@pytest.mark.filterwarnings(LEFT_TO_GC)
def test_a_certificate_nobody_vouches_for_is_named(left_to_gc, mosquitto, consume, certificate):
    cert, key = certificate
    broker = mosquitto(lines=[f"certfile {cert}", f"keyfile {key}"])
    consumer = consume(f"mqtts://127.0.0.1:{broker.port}", wait=False)
    wait_for(lambda: "not trusted" in consumer.health.detail)
    assert "ca_file" in consumer.health.detail


@pytest.mark.filterwarnings(LEFT_TO_GC)
def test_tls_to_a_port_without_is_named(left_to_gc, mosquitto, consume):
    broker = mosquitto()
    consumer = consume(f"mqtts://127.0.0.1:{broker.port}", wait=False)
    wait_for(lambda: "TLS" in consumer.health.detail)


def test_urls():
    assert read_broker_url("mqtt://host") == Broker("host", 1883, tls=False)
    assert read_broker_url("mqtts://u:p%40@host") == Broker("host", 8883, tls=True, user="u", password="p@")
    assert "secret" not in repr(read_broker_url("mqtt://u:secret@host"))
    for bad in ("http://host", "mqtt://", "mqtt://host:x", "host", ""):
        with pytest.raises(BrokerError, match="write mqtt://"):
            read_broker_url(bad)
    for bad in (
        "mqtt://u:secret/x@host:1883",
        "mqtt://u:12/secret@host",
        "mqtt://u:s#secret@host",
        "mqtt://[secret",
    ):
        with pytest.raises(BrokerError, match="%2F") as fault:
            read_broker_url(bad)
        assert "secret" not in str(fault.value)


def test_a_configuration_that_cannot_work_is_an_error_at_once(tmp_path):
    def make(**changes):
        values = {"name": "a", "kind": PARSERS["chirpstack-v4"], "url": "mqtts://host", **changes}
        return Consumer(ServerConfig(**values), HandOver(), lambda: 0)

    with pytest.raises(BrokerError, match="ca_file"):
        make(ca_file=tmp_path / "none.pem")
    with pytest.raises(BrokerError, match="url"):
        make(url="host")
