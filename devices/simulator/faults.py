"""Uplinks nobody should send: what a broker delivers when something upstream is broken."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from devices.simulator.network import (
    Frame,
    chirpstack_topic,
    chirpstack_v4,
    message_id,
    tts_device_id,
    tts_topic,
    tts_v3,
)

UNKNOWN_DEV_EUI = "00005eef100000ee"
_TOO_LONG = 600
"""Bytes: more than any LoRaWAN frame carries (242 at the fastest data rate)."""
_HUGE = 100_000

Fault = Callable[[Frame, Random], tuple[str, bytes]]


def truncated(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """JSON that ends in the middle."""
    topic, body = chirpstack_v4(frame, message_id(rng))
    return topic, body[: len(body) // 2]


def wrong_types(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """A counter that is a word, a payload that is a list."""
    return _changed(frame, rng, {"fCnt": "seven", "data": [1, 2, 3], "rxInfo": "none"})


def unknown_device(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """A sound uplink of a device nobody has registered."""
    _, body = chirpstack_v4(frame, message_id(rng))
    strange = body.replace(frame.device.dev_eui.encode(), UNKNOWN_DEV_EUI.encode())
    return chirpstack_topic(UNKNOWN_DEV_EUI), strange


def empty(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """No MQTT payload at all."""
    return chirpstack_topic(f"{frame.device.dev_eui[:-4]}{rng.getrandbits(16):04x}"), b""


def oversized(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """A LoRaWAN payload longer than any frame."""
    return _changed(frame, rng, {"data": base64.b64encode(rng.randbytes(_TOO_LONG)).decode()})


def huge(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """A message far longer than any network server's."""
    return _changed(frame, rng, {"object": {"log": "x" * _HUGE}})


def garbage(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """Bytes that are no text."""
    return chirpstack_topic(frame.device.dev_eui), b"\xff\xfe" + rng.randbytes(64)


def not_an_object(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """JSON, but a list."""
    return chirpstack_topic(frame.device.dev_eui), f"[{rng.getrandbits(32)}, null]".encode()


def bad_base64(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """A payload that is no base64."""
    return _changed(frame, rng, {"data": "*** no base64 ***"})


def not_a_number(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """NaN and infinities, which are no JSON."""
    topic, body = chirpstack_v4(frame, message_id(rng))
    return topic, body.replace(b'"rxInfo":[{', b'"rxInfo":[{"rssi":NaN,"snr":-Infinity,', 1)


def wrong_length(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """A payload its device type cannot have sent."""
    return _changed(frame, rng, {"data": base64.b64encode(b"\xa5").decode(), "fPort": 222})


def no_dev_eui(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """An uplink of The Things Stack that does not say whose it is."""
    topic, body = tts_v3(frame, message_id(rng))
    value = json.loads(body)
    del value["end_device_ids"]["dev_eui"]
    return topic, json.dumps(value).encode()


def encrypted(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """An uplink of The Things Stack that nobody has decrypted."""
    topic, body = tts_v3(frame, message_id(rng))
    value = json.loads(body)
    value["uplink_message"]["app_s_key"] = {"kek_label": "", "encrypted_key": rng.randbytes(8).hex()}
    return topic, json.dumps(value).encode()


def wrong_types_tts(frame: Frame, rng: Random) -> tuple[str, bytes]:
    """An uplink of The Things Stack whose message is a number."""
    body = {"end_device_ids": {"dev_eui": 7}, "uplink_message": rng.getrandbits(16)}
    return tts_topic(tts_device_id(frame.device)), json.dumps(body).encode()


FAULTS: Sequence[Fault] = (
    truncated,
    wrong_types,
    unknown_device,
    empty,
    oversized,
    huge,
    garbage,
    not_an_object,
    bad_base64,
    not_a_number,
    wrong_length,
    no_dev_eui,
    encrypted,
    wrong_types_tts,
)


def _changed(frame: Frame, rng: Random, change: Mapping[str, Any]) -> tuple[str, bytes]:
    topic, body = chirpstack_v4(frame, message_id(rng))
    return topic, json.dumps({**json.loads(body), **change}).encode()
