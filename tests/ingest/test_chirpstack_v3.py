import base64
import json

import pytest
from uplink_messages import EUI, NOW_US, RAIN, chirpstack_v3, message, rfc3339

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.network_servers import PARSERS, Ignored
from ingest.uplink import Gateway, TimeSource, Uplink

parse = PARSERS["chirpstack-v3"].parse


def test_capture_of_the_default_form(captures):
    body = (captures / "chirpstack_v3_up_json_v3.json").read_bytes()
    arrived = rfc3339_us("2019-03-07T20:43:02.5Z")
    uplink = parse(message(body, arrived_us=arrived))
    assert json.loads(uplink.decoded) == json.loads(body)["object"]
    heard = rfc3339_us("2019-03-07T20:43:02Z")
    assert uplink == Uplink(
        server="stadtwerke",
        dev_eui="2222222222222222",
        f_port=1,
        f_cnt=0,
        session="",
        payload=bytes.fromhex("04660003670a00018801a2b1f6960800 0362"),
        received_us=arrived,
        arrived_us=arrived,
        time_us=heard,
        time_source=TimeSource.GATEWAY,
        device_name="Device_2",
        data_rate=4,
        frequency_hz=868_100_000,
        gateways=(Gateway("2222222222222222", -80.0, 7.8, heard, 10.248639, 10.248639, 0.0),),
        decoded=uplink.decoded,
    )


def test_capture_of_protobuf_as_json(captures):
    body = (captures / "chirpstack_v3_up_real_protobufjson.json").read_bytes()
    arrived = rfc3339_us("2022-07-11T10:44:41Z")
    heard = rfc3339_us("2022-07-11T10:44:40.458589Z")
    assert parse(message(body, arrived_us=arrived)) == Uplink(
        server="stadtwerke",
        dev_eui="b0b353fffe40366a",
        f_port=3,
        f_cnt=300,
        session="01420a61",
        payload=bytes.fromhex("0000038d"),
        received_us=arrived,
        arrived_us=arrived,
        time_us=heard,
        time_source=TimeSource.GATEWAY,
        device_name="B0B353FFFE40366A",
        codec_hint="Innotas Wasserzähler Aufsatz",
        confirmed=True,
        data_rate=5,
        spreading_factor=7,
        bandwidth_hz=125_000,
        frequency_hz=868_100_000,
        gateways=(
            Gateway("7276ff002e080244", -98.0, 8.2, heard, 53.55903244018555, 9.893827438354492, 37.0),
        ),
    )


def test_both_forms_give_the_same_device_and_payload():
    one = parse(message(chirpstack_v3(f_cnt=7)))
    eui = base64.b64encode(bytes.fromhex(EUI)).decode()
    other = parse(message(chirpstack_v3(f_cnt=7, devEUI=eui, dr=4, txInfo={"frequency": 868100000})))
    assert (one.dev_eui, one.payload, one.data_rate) == (EUI, RAIN, 4)
    assert other == one


def test_the_servers_time_counts_where_it_is_given():
    uplink = parse(message(chirpstack_v3(time_us=NOW_US - 90_000_000, publishedAt=rfc3339(NOW_US - 500_000))))
    assert (uplink.time_us, uplink.time_source) == (NOW_US - 500_000, TimeSource.SERVER)
    assert uplink.received_us == NOW_US - 500_000


def test_gps_time_is_the_best():
    rx = {"gatewayID": "AwMDAwMDAwM=", "time": None, "timeSinceGPSEpoch": "1464035200.250s"}
    uplink = parse(message(chirpstack_v3(rxInfo=[rx], publishedAt=rfc3339(NOW_US))))
    assert uplink.time_source is TimeSource.GPS
    assert uplink.time_us == NOW_US - 17_750_000
    assert uplink.gateways == (Gateway("0303030303030303", 0.0, 0.0),)


def test_a_decoded_object_in_a_text_is_taken_if_it_is_json():
    text = '{"level": 12}'
    assert parse(message(chirpstack_v3(objectJSON=text))).decoded == text.encode()
    assert parse(message(chirpstack_v3(objectJSON="{level"))).decoded == b""


@pytest.mark.parametrize("event", ["join", "status", "ack", "txack", "error", "location"])
def test_other_events_are_no_uplinks(event):
    topic = f"application/1/device/{EUI}/event/{event}"
    assert not isinstance(parse(message({"devEUI": EUI}, topic=topic)), Uplink)


def test_what_a_broker_kept_is_ignored():
    assert parse(message(chirpstack_v3(), retain=True)) == Ignored("retained")


@pytest.mark.parametrize("changes", [{"f_port": 0}, {"data": None}])
def test_uplinks_without_application_data_are_ignored(changes):
    assert parse(message(chirpstack_v3(**changes))) == Ignored("mac_only")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"devEUI": "0102"}, "bad_dev_eui"),
        ({"devEUI": "not base64!="}, "bad_dev_eui"),
        ({"devEUI": "AAAAAAAAAAA"}, "bad_dev_eui"),
        ({"data": "***"}, "bad_payload_encoding"),
        ({"fCnt": -1}, "wrong_shape"),
        ({"fPort": 256}, "wrong_shape"),
        ({"payload": bytes(256)}, "oversized_payload"),
    ],
)
def test_rejections_say_why(changes, reason):
    found = parse(message(chirpstack_v3(**changes)))
    assert isinstance(found, Rejected)
    assert found.reason == reason
