"""Parsers answer to anything at all, and what they call an uplink fits the journal."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uplink_messages import (
    NOW_US,
    chirpstack,
    chirpstack_v3,
    element_iot,
    everynet,
    helium,
    loriot,
    message,
    multitech,
    thingpark,
    tts,
)

from devices.measurement import Rejected
from ingest.dedup import keys
from ingest.device_event import DeviceEvent
from ingest.journal_record import pack_uplinks, unpack_uplinks
from ingest.network_servers import PARSERS, Ignored
from ingest.uplink import Uplink

CAPTURES = {
    "chirpstack-v4": chirpstack(f_cnt=7, object={"t": 21.5}),
    "chirpstack-v3": chirpstack_v3(f_cnt=7, object={"t": 21.5}, objectJSON="{}", devAddr="AUIKYQ=="),
    "tts-v3": tts(f_cnt=7),
    "actility": thingpark(f_cnt=7),
    "loriot": loriot("gw", f_cnt=7),
    "helium": helium(f_cnt=7),
    "element-iot": element_iot(f_cnt=7),
    "everynet": everynet(f_cnt=7),
    "multitech": multitech(f_cnt=7),
}

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


@st.composite
def changed(draw, body):
    """A real message in which one to three fields are something else, or gone."""
    body = json.loads(json.dumps(body))
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from([path for path in _paths(body) if path]))
        inner = body
        for key in parents:
            inner = inner[key]
        if draw(st.booleans()):
            inner[last] = draw(_json)
        else:
            del inner[last]
        if not body:
            break
    return body


def _check(kind, payload):
    found = PARSERS[kind].parse(message(payload))
    assert isinstance(found, Uplink | DeviceEvent | Rejected | Ignored)
    if isinstance(found, Uplink):
        assert unpack_uplinks(pack_uplinks([found])) == [found]
        assert all(-(2**63) <= key < 2**63 for key in keys(found))
        assert found.time_us <= NOW_US + 601_000_000
        json.loads(found.decoded or b"null")


@pytest.mark.parametrize("kind", PARSERS)
@given(payload=st.binary() | _json.map(lambda value: json.dumps(value).encode()))
def test_anything(kind, payload):
    _check(kind, payload)


@pytest.mark.parametrize("kind", PARSERS)
@given(data=st.data())
def test_real_messages_with_other_fields(kind, data):
    _check(kind, json.dumps(data.draw(changed(CAPTURES[kind]))).encode())


@pytest.mark.parametrize("kind", PARSERS)
@given(data=st.data())
def test_real_messages_with_other_bytes(kind, data):
    payload = bytearray(json.dumps(CAPTURES[kind]).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)) | st.just(len(payload)))
    _check(kind, bytes(payload[:cut]))
