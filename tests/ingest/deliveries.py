"""Waiting for what a consumer hands over."""

import json
import time

from uplink_messages import EUI, chirpstack

TOPIC = f"application/app/device/{EUI}/event/up"


def url(port):
    return f"mqtt://127.0.0.1:{port}"


def body(**changes):
    return json.dumps(chirpstack(**changes)).encode()


def collect(sink, count, timeout_s=60.0):
    """The next deliveries with together at least `count` messages."""
    deliveries = []
    end = time.monotonic() + timeout_s
    while sum(len(d.messages) for d in deliveries) < count:
        assert time.monotonic() < end, f"{deliveries} within {timeout_s} s"
        deliveries += sink.take(10_000, 0.1)
    return deliveries


def payloads(deliveries):
    return [message.payload for delivery in deliveries for message in delivery.messages]


def nothing_comes(sink, for_s=0.4):
    return not sink.take(1, for_s)
