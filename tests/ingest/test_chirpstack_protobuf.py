"""The same event in JSON and in Protobuf is the same uplink."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from chirpstack_api.integration import integration_pb2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from uplink_messages import EUI, NOW_US, RAIN, chirpstack, message, rfc3339

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.network_servers import PARSERS, Ignored
from ingest.uplink import Uplink

parse = PARSERS["chirpstack-v4"].parse


def protobuf(body):
    """What ChirpStack would have published with json=false."""
    event = json_format.ParseDict(body, integration_pb2.UplinkEvent(), ignore_unknown_fields=True)
    return event.SerializeToString()


WHOLE = protobuf(chirpstack(f_cnt=7, object={"t": 21.5}))


def same(body, **changes):
    one, other = parse(message(body, **changes)), parse(message(protobuf(body), **changes))
    if isinstance(one, Uplink):
        assert isinstance(other, Uplink)
        assert json.loads(one.decoded or b"0") == json.loads(other.decoded or b"0")
        other = replace(other, decoded=one.decoded)
    assert other == one
    return one


def test_captures(captures):
    for name in ("gps_gateway", "lht65n"):
        body = json.loads((captures / f"chirpstack_v4_up_real_{name}.json").read_text())
        assert isinstance(same(body, arrived_us=rfc3339_us("2026-09-01T00:00:00Z")), Uplink)


_coordinate = st.floats(-90, 90)
_location = st.fixed_dictionaries(
    {}, optional={"latitude": _coordinate, "longitude": _coordinate, "altitude": _coordinate}
).map(lambda place: {key: value for key, value in place.items() if value})  # ChirpStack leaves zeros out
_float32 = st.floats(-30, 30, width=32).filter(lambda value: value)
_time = st.integers(NOW_US - 10**9, NOW_US + 10**6).map(rfc3339)
_rx = st.fixed_dictionaries(
    {},
    optional={
        "gatewayId": st.text("0123456789abcdef", min_size=1, max_size=16),
        "rssi": st.integers(-150, -1),
        "snr": _float32.map(lambda value: float(f"{value:.3g}")),
        "gwTime": _time,
        "nsTime": _time,
        "timeSinceGpsEpoch": st.integers(1, 2 * 10**9).map(lambda s: f"{s}.000123s"),
        "location": _location,
    },
)
_object = st.dictionaries(
    st.text(min_size=1, max_size=5),
    st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5) | st.lists(st.booleans(), max_size=2),
    min_size=1,
    max_size=3,
)


@given(
    payload=st.binary(max_size=260),
    f_port=st.integers(0, 255),
    changes=st.fixed_dictionaries(
        {
            "fCnt": st.integers(0, 2**32 - 1),
            "confirmed": st.booleans(),
            "dr": st.integers(0, 15),
            "devAddr": st.sampled_from(["", "01087309"]),
            "deduplicationId": st.sampled_from(["", "89c5cfb6-6c5e-4776-8ed6-f1e27244ffd1"]),
            "rxInfo": st.lists(_rx, max_size=3),
        },
        optional={
            "time": _time,
            "object": _object,
            "joinServerContext": st.fixed_dictionaries({"sessionKeyId": st.just("ab")}),
            "txInfo": st.just({}),
        },
    ),
)
def test_any_event(payload, f_port, changes):
    same(chirpstack(payload=payload, f_port=f_port, **changes))


def test_it_is_an_uplink():
    uplink = parse(message(protobuf(chirpstack(f_cnt=70_000))))
    assert (uplink.dev_eui, uplink.payload, uplink.f_cnt, uplink.time_us) == (EUI, RAIN, 70_000, NOW_US)
    assert uplink.gateways[0].rssi == -102


def test_an_event_without_a_deduplication_id_begins_with_another_byte():
    body = protobuf(chirpstack(deduplicationId=""))
    assert body[:1] == b"\x12"
    assert parse(message(body)).payload == RAIN


def test_white_space_before_json_is_no_protobuf():
    assert parse(message(b"\n " + json.dumps(chirpstack()).encode())).payload == RAIN


@given(st.sampled_from([b"\x0a", b"\x12", b"\x1a"]).flatmap(lambda head: st.binary().map(head.__add__)))
def test_whatever_looks_like_protobuf_is_answered(payload):
    assert isinstance(parse(message(payload)), Uplink | Rejected | Ignored)


@given(data=st.data())
def test_damaged_events_are_answered(data):
    payload = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 5))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(parse(message(bytes(payload))), Uplink | Rejected | Ignored)


@pytest.mark.parametrize("payload", [b"\x0a\xff", b"\x0a\x24" + b"\xff" * 36, b"\x12\x00\x12"])
def test_damaged_events_are_refused(payload):
    assert parse(message(payload)).reason in {"malformed_protobuf", "wrong_shape"}


def test_protobuf_is_loaded_only_when_it_comes():
    code = (
        "import sys, ingest.network_servers as n\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('google', 'grpc', 'chirpstack_api')]\n"
        "from ingest.uplink import Message\n"
        "n.PARSERS['chirpstack-v4'].parse(Message('a', 't', b'\\x0a\\x00', 1, False, 0))\n"
        "assert 'google.protobuf' in sys.modules and 'grpc' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
