import json

import pytest
from uplink_messages import EUI, NOW_US, RAIN, message, rfc3339, thingpark

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.network_servers import PARSERS, Ignored
from ingest.uplink import Gateway, TimeSource, Uplink

parse = PARSERS["actility"].parse


def test_what_the_documentation_shows(captures):
    body = (captures / "thingpark_up_docs.json").read_bytes()
    arrived = rfc3339_us("2024-12-17T09:16:57Z")
    time = rfc3339_us("2024-12-17T09:16:55.911Z")
    uplink = parse(message(body, arrived_us=arrived))
    assert json.loads(uplink.decoded) == {"temperature": 24, "batteryVoltage": 3017}
    assert uplink == Uplink(
        server="stadtwerke",
        dev_eui="0018b20000000bee",
        f_port=1,
        f_cnt=368,
        session="040006cc",
        payload=bytes.fromhex("9e184856043000211770baae0bc9"),
        received_us=time,
        arrived_us=arrived,
        time_us=time,
        time_source=TimeSource.SERVER,
        confirmed=True,
        spreading_factor=7,
        frequency_hz=868_500_000,
        gateways=(Gateway("10001273", -84.0, 9.75, lat=47.934113, lon=1.196017),),
        decoded=uplink.decoded,
    )


def as_texts(value):
    if isinstance(value, dict):
        return {key: as_texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_texts(inner) for inner in value]
    return str(value) if isinstance(value, int | float) else value


def test_numbers_may_be_texts():
    body = thingpark(f_cnt=7, MType=4)
    assert isinstance(parse(message(body)), Uplink)
    assert parse(message(as_texts(body))) == parse(message(body))


@pytest.mark.parametrize("customer", [{"name": None}, '{"alr": {"pro": "LORA/Generic"}}', "", None, [1], {}])
def test_what_a_subscriber_fills_in_never_costs_an_uplink(customer):
    uplink = parse(message(thingpark(CustomerData=customer, DriverCfg=customer)))
    assert (uplink.payload, uplink.device_name, uplink.codec_hint) == (RAIN, "", "")
    named = thingpark(CustomerData={"name": "Pegel"}, DriverCfg={"id": "actility:x:1", "app": {}})
    assert (parse(message(named)).device_name, parse(message(named)).codec_hint) == ("Pegel", "actility:x:1")


def test_the_root_can_be_switched_off():
    body = thingpark(f_cnt=7)
    assert isinstance(parse(message(body)), Uplink)
    assert parse(message(body["DevEUI_uplink"])) == parse(message(body))


def test_a_late_frame_has_the_time_of_its_reception():
    hours_ago = NOW_US - 5 * 3_600_000_000
    uplink = parse(message(thingpark(time_us=hours_ago, Late=1)))
    assert (uplink.time_us, uplink.received_us, uplink.arrived_us) == (hours_ago, hours_ago, NOW_US)


def test_every_gateway_counts_once():
    others = [{"Lrrid": "10001273", "LrrRSSI": -84}, {"Lrrid": "20", "LrrRSSI": "-99.5", "LrrSNR": "NaN"}]
    best = Gateway("10001273", -84.0, 9.75, lat=47.9, lon=1.2)
    assert parse(message(thingpark(Lrrs={"Lrr": others}))).gateways == (best, Gateway("20", -99.5))
    assert parse(message(thingpark(Lrrs={"Lrr": others[1]}))).gateways == (best, Gateway("20", -99.5))
    assert parse(message(thingpark(Lrrs=None))).gateways == (best,)


@pytest.mark.parametrize(
    "changes", [{"payload_hex": None}, {"payload_hex": ""}, {"f_port": 0}, {"FPort": "0"}]
)
def test_uplinks_without_application_data_are_ignored(changes):
    assert parse(message(thingpark(**changes))) == Ignored("mac_only")


@pytest.mark.parametrize("root", ["DevEUI_downlink_Sent", "DevEUI_location", "DevEUI_multicast_summary"])
def test_other_messages_are_no_uplinks(root):
    assert isinstance(parse(message({root: {"DevEUI": EUI, "Time": rfc3339(NOW_US)}})), Ignored)


def test_what_a_broker_kept_is_ignored():
    assert parse(message(thingpark(), retain=True)) == Ignored("retained")


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        (thingpark(PayloadEncryption="1"), "encrypted", "AppSKey"),
        (thingpark(payload_hex="0"), "bad_payload_encoding", ""),
        (thingpark(payload_hex="zz"), "bad_payload_encoding", ""),
        (thingpark(payload=bytes(256)), "oversized_payload", "256"),
        (thingpark(dev_eui="12"), "bad_dev_eui", "12"),
        (thingpark(FCntUp="many"), "wrong_shape", "FCntUp"),
        ({"temperature": 21}, "wrong_shape", "DevEUI"),
        (b"not JSON", "malformed_json", ""),
    ],
)
def test_rejections_say_why(body, reason, says):
    found = parse(message(body))
    assert isinstance(found, Rejected)
    assert found.reason == reason
    assert says in found.detail


def test_a_payload_is_what_it_says():
    assert parse(message(thingpark(dev_eui=EUI))).payload == RAIN
