"""Simulated deliveries as our own parsers see them."""

from ingest.network_servers import PARSERS
from ingest.uplink import Message

START_US = 1_784_030_512_345_678  # 2026-07-14, 14:01:52 in Bergisch Gladbach
MINUTE_US = 60_000_000


def as_message(delivery):
    kind = "tts-v3" if delivery.topic.startswith("v3/") else "chirpstack-v4"
    return Message(kind, delivery.topic, delivery.payload, 1, retain=False, arrived_us=delivery.due_us)


def parse(delivery):
    message = as_message(delivery)
    return PARSERS[message.server].parse(message)
