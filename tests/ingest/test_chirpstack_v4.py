import json
from dataclasses import asdict

import pytest
from uplink_messages import EUI, NOW_US, RAIN, chirpstack, message, rfc3339

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.network_servers import PARSERS, Ignored
from ingest.uplink import Gateway, TimeSource

parse = PARSERS["chirpstack-v4"].parse


def test_capture_with_gps(captures):
    body = (captures / "chirpstack_v4_up_real_gps_gateway.json").read_bytes()
    arrived = rfc3339_us("2026-05-15T11:07:27Z")
    assert asdict(parse(message(body, arrived_us=arrived))) == {
        "server": "stadtwerke",
        "dev_eui": "ac1f09fffe1acbd5",
        "f_port": 2,
        "f_cnt": 1,
        "session": "002a6b34",
        "payload": bytes.fromhex("6a06fab90261038d0b5d0c25"),
        "received_us": rfc3339_us("2026-05-15T11:07:26.361459Z"),
        "arrived_us": arrived,
        "time_us": rfc3339_us("2026-05-15T11:07:26.981566Z"),
        "time_source": TimeSource.GPS,
        "transport_id": "89c5cfb6-6c5e-4776-8ed6-f1e27244ffd1",
        "device_name": "EndDevice1",
        "codec_hint": "EndDevice",
        "confirmed": False,
        "simulated": False,
        "data_rate": 0,
        "spreading_factor": 12,
        "bandwidth_hz": 125_000,
        "frequency_hz": 867_300_000,
        "gateways": (
            {
                "id": "0016c001f1237a90",
                "rssi": -99.0,
                "snr": -3.0,
                "time_us": rfc3339_us("2026-05-15T11:07:25.981337Z"),
                "lat": 56.17145033333333,
                "lon": 10.192099833333334,
                "altitude": 88.0,
            },
        ),
        "decoded": b"",
        "codec_notes": b"",
    }


def test_capture_without_gateway_times_and_with_a_decoded_object(captures):
    body = (captures / "chirpstack_v4_up_real_lht65n.json").read_bytes()
    arrived = rfc3339_us("2026-08-27T14:39:45Z")
    uplink = parse(message(body, arrived_us=arrived))
    assert uplink.f_cnt == 0
    assert uplink.time_us == uplink.received_us == rfc3339_us("2026-08-27T14:39:44.530852Z")
    assert uplink.time_source is TimeSource.SERVER
    assert uplink.gateways == (Gateway("2cf7f11081400088", -102.0, -12.0),)
    assert json.loads(uplink.decoded) == json.loads(body)["object"]


def test_what_is_missing_has_its_default():
    body = {
        "deviceInfo": {"devEui": EUI.upper()},
        "fPort": 1,
        "data": "AA==",
        "rxInfo": [{"location": {}}, {"location": {"latitude": 51.0}}],
        "object": None,
    }
    uplink = parse(message(body))
    assert uplink.dev_eui == EUI
    assert (uplink.f_cnt, uplink.data_rate, uplink.transport_id, uplink.decoded) == (0, 0, "", b"")
    assert uplink.gateways == (
        Gateway("", 0.0, 0.0),
        Gateway("", 0.0, 0.0, lat=51.0, lon=0.0, altitude=0.0),
    )
    assert (uplink.time_us, uplink.time_source) == (NOW_US, TimeSource.ARRIVAL)


def test_earliest_reception_counts():
    rx_info = [
        {"nsTime": rfc3339(NOW_US)},
        {"nsTime": rfc3339(NOW_US - 70_000)},
        {"nsTime": "not a time", "gwTime": "1970-01-01T00:00:00Z"},
    ]
    uplink = parse(message(chirpstack(time="2055-01-01T00:00:00Z", rxInfo=rx_info)))
    assert uplink.time_us == uplink.received_us == NOW_US - 70_000


@pytest.mark.parametrize("event", ["txack", "location", "integration"])
def test_other_events_are_ignored(event):
    topic = f"application/app/device/{EUI}/event/{event}"
    assert parse(message({"deviceInfo": {"devEui": EUI}}, topic=topic)) == Ignored(event)


def test_retained_messages_are_ignored():
    assert parse(message(chirpstack(), retain=True)) == Ignored("retained")


@pytest.mark.parametrize("changes", [{"f_port": 0}, {"data": None}, {"f_port": 0, "data": ""}])
def test_uplinks_without_application_data_are_ignored(changes):
    assert parse(message(chirpstack(**changes))) == Ignored("mac_only")


def test_a_topic_of_ones_own_is_fine():
    assert parse(message(chirpstack(), topic="anything/at/all")).dev_eui == EUI


def _with(path, value):
    body = chirpstack()
    *parents, last = path
    inner = body
    for key in parents:
        inner = inner[key]
    inner[last] = value
    return body


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (b"", "malformed_json", "truncated"),
        (b"{", "malformed_json", "truncated"),
        (b"\x0a\x24protobuf", "malformed_protobuf", ""),
        (b'{"deviceInfo": {"devEui": "\xff"}}', "malformed_json", "utf-8"),
        (json.dumps(chirpstack()).encode()[:-1] + b', "x": NaN}', "malformed_json", "invalid"),
        (json.dumps(chirpstack()).encode()[:-1] + b', "object": {"x": Infinity}}', "malformed_json", ""),
        (b'{"x": ' + b"[" * 60_000, "malformed_json", "deep"),
        (b"[]", "wrong_shape", "Expected `object`, got `array`"),
        (b"{}", "wrong_shape", "deviceInfo"),
        (_with(["fCnt"], "7"), "wrong_shape", "$.fCnt"),
        (_with(["fCnt"], 2**32), "wrong_shape", "$.fCnt"),
        (_with(["fPort"], 256), "wrong_shape", "$.fPort"),
        (_with(["fPort"], -1), "wrong_shape", "$.fPort"),
        (_with(["deviceInfo", "devEui"], "0102"), "bad_dev_eui", "0102"),
        (_with(["deviceInfo", "devEui"], "g" * 16), "bad_dev_eui", "gggg"),
        (_with(["deviceInfo", "devEui"], "\N{ARABIC-INDIC DIGIT ZERO}" * 16), "bad_dev_eui", ""),
        (_with(["data"], "***="), "bad_payload_encoding", ""),
        (_with(["data"], "AAA"), "bad_payload_encoding", ""),
        (_with(["data"], "ä"), "bad_payload_encoding", ""),
        (_with(["data"], ""), "empty_payload", ""),
        (chirpstack(payload=bytes(256)), "oversized_payload", "256"),
        (chirpstack(joinServerContext={"sessionKeyId": "ab"}), "encrypted", "ChirpStack"),
    ],
)
def test_rejections_say_why(body, reason, says):
    rejected = parse(message(body))
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert says in rejected.detail


def test_largest_payload_is_taken():
    assert len(parse(message(chirpstack(payload=bytes(255)))).payload) == 255
    assert parse(message(chirpstack(payload=RAIN))).payload == RAIN
