import json

import pytest
from uplink_messages import EUI, NOW_US, TTS_TOPIC, message, rfc3339, tts

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.network_servers import PARSERS, Ignored
from ingest.uplink import Gateway, TimeSource, Uplink

parse = PARSERS["tts-v3"].parse
TOPIC = TTS_TOPIC.format("d")


def of(body, **changes):
    return parse(message(body, **{"server": "ttn", "topic": TOPIC, **changes}))


def test_capture(captures):
    body = (captures / "tts_v3_up_real_normalized.json").read_bytes()
    arrived = rfc3339_us("2025-07-24T11:51:28Z")
    assert of(body, arrived_us=arrived) == Uplink(
        server="ttn",
        dev_eui="647fda0000018263",
        f_port=10,
        f_cnt=1547,
        session="AZdgUOigXtnCMxmdIcruZA==",
        payload=bytes.fromhex("036700fd04685900ba0bd2"),
        received_us=rfc3339_us("2025-07-24T11:51:27.572703Z"),
        arrived_us=arrived,
        time_us=rfc3339_us("2025-07-24T11:51:27.535Z"),
        time_source=TimeSource.GPS,
        transport_id="gs:uplink:01K0Y4CA2KHRFHV9113D61QW6W",
        device_name="vivid-8263",
        codec_hint="tektelic/t00061xx-vivid",
        spreading_factor=8,
        bandwidth_hz=500_000,
        frequency_hz=904_600_000,
        gateways=(
            Gateway(
                "24e124fffef2f8c3",
                -52.0,
                14.2,
                rfc3339_us("2025-07-24T11:51:27.535Z"),
                30.2263929475762,
                -97.7599310874939,
                187.0,
            ),
        ),
        decoded=_text_of(body, b'"decoded_payload": '),
    )


def _text_of(body, key):
    start = body.index(key) + len(key)
    return body[start : body.index(b"}", start) + 1]


def test_zero_values_are_left_out():
    body = {
        "end_device_ids": {"dev_eui": EUI, "dev_addr": "27FD483F"},
        "uplink_message": {"f_port": 3, "frm_payload": "AA==", "rx_metadata": [{}], "settings": {}},
    }
    uplink = of(body)
    assert (uplink.f_cnt, uplink.session, uplink.simulated, uplink.confirmed) == (0, "27FD483F", False, False)
    assert uplink.gateways == (Gateway("", 0.0, 0.0),)
    assert (uplink.frequency_hz, uplink.spreading_factor) == (None, None)
    assert uplink.time_source is TimeSource.ARRIVAL


def test_time_is_the_network_servers_not_the_application_servers():
    uplink = of(tts(received_at=rfc3339(NOW_US - 1_500_000)))
    assert uplink.time_us == uplink.received_us == NOW_US - 1_500_000


def test_simulated_uplinks_are_flagged():
    assert of({**tts(), "simulated": True}).simulated
    assert not of(tts()).simulated


@pytest.mark.parametrize("frequency", ["x", "-1", "٣", "9" * 30, ""])
def test_a_strange_frequency_costs_no_uplink(frequency):
    assert of(tts(settings={"frequency": frequency})).frequency_hz is None


@pytest.mark.parametrize(
    "event",
    [
        "uplink_normalized",
        "downlink_sent",
        "downlink_queued",
        "location_solved",
        "service_data",
    ],
)
def test_other_events_are_ignored(event):
    assert of({"end_device_ids": {"dev_eui": EUI}, event: {"any": 1}}) == Ignored(event)


def test_normalized_copy_is_ignored():
    assert of(tts(), topic=f"{TOPIC}/normalized") == Ignored("uplink_normalized")


def test_retained_messages_are_ignored():
    assert of(tts(), retain=True) == Ignored("retained")


@pytest.mark.parametrize("changes", [{"f_port": 0}, {"frm_payload": None}])
def test_uplinks_without_application_data_are_ignored(changes):
    assert of(tts(**changes)) == Ignored("mac_only")


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (b"not json", "malformed_json", ""),
        (b"{}", "wrong_shape", "end_device_ids"),
        ({"end_device_ids": {}}, "wrong_shape", "uplink_message"),
        (tts(f_cnt=-1), "wrong_shape", "$.uplink_message.f_cnt"),
        (tts(frm_payload="A"), "bad_payload_encoding", ""),
        (tts(frm_payload=""), "empty_payload", ""),
        (tts(payload=bytes(256)), "oversized_payload", "256"),
        (tts(app_s_key={"key": "..."}), "encrypted", "app_s_key"),
        ({**tts(), "end_device_ids": {"device_id": "abp"}}, "bad_dev_eui", "no dev_eui"),
        ({**tts(), "end_device_ids": {"dev_eui": "zz"}}, "bad_dev_eui", "zz"),
    ],
)
def test_rejections_say_why(body, reason, says):
    rejected = of(body)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert says in rejected.detail


def test_the_decoded_object_is_kept_as_it_came():
    body = json.dumps(tts()).replace('"f_port"', '"decoded_payload": {"b": 1.50, "a": "ä"}, "f_port"')
    assert of(body.encode()).decoded == '{"b": 1.50, "a": "ä"}'.encode()
