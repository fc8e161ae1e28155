"""What a consumer gets from a real mosquitto, and what it acknowledges."""

import threading
import time

import pytest
from deliveries import TOPIC, collect, nothing_comes, payloads, url
from servers import wait_for
from uplink_messages import NOW_US

from ingest.consumer import BURST_BYTES
from ingest.hand_over import HandOver


def settled(consumer, consume, url, **options):
    """Whether the broker holds nothing any more for this consumer, which it ends."""
    consumer.stop()
    return nothing_comes(consume(url, **options)._sink)


@pytest.mark.parametrize("kind", ["chirpstack-v4", "tts-v3"])
def test_messages_arrive_in_order_and_are_kept_until_acknowledged(mosquitto, wire, consume, kind):
    broker = mosquitto()
    line = wire(broker)
    consumer = consume(url(line.port), kind=kind, topics=("up/#",))
    sent = [f"{i}".encode() for i in range(15)]
    broker.publish("up/x", *sent)
    first = collect(consumer._sink, 15)
    assert payloads(first) == sent
    [message, *_] = first[0].messages
    assert (message.server, message.topic, message.qos, message.retain) == ("stadtwerke", "up/x", 1, False)
    assert message.arrived_us == NOW_US

    line.cut()
    again = collect(consumer._sink, 15)
    assert payloads(again) == sent
    for delivery in again:
        delivery.acknowledge()
    wait_for(lambda: consumer.stats.acks == 15)

    assert consumer.stats.sessions_lost == 0
    assert settled(consumer, consume, url(line.port), kind=kind, topics=("up/#",))


def test_what_is_published_while_we_are_away_comes_later(mosquitto, consume):
    broker = mosquitto()
    consumer = consume(broker.url)
    consumer.stop()
    broker.publish(TOPIC, *(f"{i}" for i in range(200)))
    later = consume(broker.url)
    assert payloads(collect(later._sink, 200)) == [f"{i}".encode() for i in range(200)]


def test_a_late_acknowledgement_never_acknowledges_another_message(mosquitto, wire, consume):
    # without persistence the restarted broker counts its packet ids from 1 again
    broker = mosquitto(persistent=False)
    line = wire(broker)
    consumer = consume(url(line.port))
    broker.publish(TOPIC, "old")
    [old] = collect(consumer._sink, 1)
    broker.restart()
    wait_for(lambda: consumer.stats.connections == 2 and consumer.health.ok)
    assert consumer.stats.sessions_lost == 1
    broker.publish(TOPIC, "new")
    [new] = collect(consumer._sink, 1)
    assert list(new.packet_ids) == list(old.packet_ids)

    old.acknowledge()
    wait_for(lambda: consumer.stats.acks_void == 1)
    assert consumer.stats.acks == 0
    line.cut()
    assert payloads(collect(consumer._sink, 1)) == [b"new"]


def test_batches_of_acknowledgements_larger_than_the_brokers_window(mosquitto, consume):
    broker = mosquitto(lines=["max_inflight_messages 20"])
    consumer = consume(broker.url, kind="tts-v3", topics=("up",))
    broker.publish("up", *(f"{i}" for i in range(500)))
    got = []
    while len(got) < 500:
        deliveries = collect(consumer._sink, 1)
        got += payloads(deliveries)
        for delivery in deliveries:
            delivery.acknowledge()
    assert got == [f"{i}".encode() for i in range(500)]


@pytest.mark.parametrize("receive_maximum", [5, 100])
def test_unacknowledged_messages_are_bounded_by_receive_maximum(mosquitto, consume, receive_maximum):
    broker = mosquitto(lines=["max_inflight_messages 0"])
    consumer = consume(broker.url, receive_maximum=receive_maximum)
    broker.publish(TOPIC, *(f"{i}" for i in range(300)))
    assert len(payloads(collect(consumer._sink, receive_maximum))) == receive_maximum
    assert nothing_comes(consumer._sink)


def test_a_full_hand_over_holds_the_broker_back(mosquitto, consume):
    broker = mosquitto()
    sink = HandOver(most_messages=100)
    consumer = consume(broker.url, sink)
    threading.Thread(target=broker.publish, args=(TOPIC, *(["x" * 1000] * 3000)), daemon=True).start()
    wait_for(lambda: len(sink) >= 100)
    time.sleep(0.3)
    assert len(sink) < 100 + 256
    assert consumer.stats.messages < 100 + 2 * 256
    got = 0
    while got < 3000:
        for delivery in collect(sink, 1):
            got += len(delivery.messages)
            delivery.acknowledge()
    assert got == 3000


def test_a_consumer_that_waits_for_room_stops_at_once(mosquitto, consume):
    broker = mosquitto()
    sink = HandOver(most_messages=1)
    consumer = consume(broker.url, sink)
    broker.publish(TOPIC, *(["x"] * 2000))
    wait_for(lambda: len(sink) >= 1)
    consumer.stop()
    wait_for(lambda: not consumer._thread.is_alive())


def test_a_restarted_broker_is_found_again_and_has_kept_everything(mosquitto, consume):
    broker = mosquitto()
    consumer = consume(broker.url)
    broker.publish(TOPIC, "before")
    [delivery] = collect(consumer._sink, 1)
    delivery.acknowledge()
    wait_for(lambda: consumer.stats.acks == 1)
    away_s = consumer.stats.away_s
    broker.restart()
    wait_for(lambda: consumer.stats.connections == 2 and consumer.health.ok)
    assert consumer.stats.sessions_lost == 0
    assert consumer.stats.away_s > away_s
    broker.publish(TOPIC, "after")
    assert payloads(collect(consumer._sink, 1)) == [b"after"]


def test_retained_messages_say_so(mosquitto, consume):
    broker = mosquitto()
    broker.publish(TOPIC, "x", retain=True)
    [delivery] = collect(consume(broker.url)._sink, 1)
    assert delivery.messages[0].retain


def test_large_messages_are_handed_over_one_by_one(mosquitto, consume):
    broker = mosquitto()
    consumer = consume(broker.url)
    consumer.stop()
    broker.publish(TOPIC, *(bytes([i]) * (BURST_BYTES + 1) for i in range(8)))
    deliveries = collect(consume(broker.url)._sink, 8)
    assert [len(delivery.messages) for delivery in deliveries] == [1] * 8
