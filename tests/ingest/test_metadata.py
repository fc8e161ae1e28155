"""What is told beside an uplink (signal, gateways, clocks, names) never costs the uplink."""

import copy
import json
import re

import pytest
from chirpstack_api.integration import integration_pb2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from uplink_messages import (
    EUI,
    NOW_US,
    RAIN,
    chirpstack,
    chirpstack_v3,
    element_iot,
    everynet,
    helium,
    loriot,
    message,
    multitech,
    rfc3339,
    thingpark,
    tts,
)

from ingest.journal_record import pack_uplinks, unpack_uplinks
from ingest.network_servers import PARSERS
from ingest.uplink import Uplink

NOW = rfc3339(NOW_US)
PLACE = {"latitude": 51.0, "longitude": 7.0, "altitude": 80}
V3_RX = {"gatewayID": "0016c001f1237a90", "rssi": -80, "loRaSNR": 7.8, "location": PLACE, "time": NOW}
WHOLE = {
    "chirpstack-v4": chirpstack(
        f_cnt=7,
        object={"t": 21.5},
        rxInfo=[
            {
                "gatewayId": "0016c001f1237a90",
                "gwTime": NOW,
                "nsTime": NOW,
                "timeSinceGpsEpoch": "1462878464.981566256s",
                "rssi": -102,
                "snr": -12,
                "location": PLACE,
            },
            {"gatewayId": "0016c001f1237a91", "time": NOW},
        ],
    ),
    "chirpstack-v3": chirpstack_v3(
        f_cnt=7,
        object={"t": 21.5},
        objectJSON="{}",
        devAddr="AUIKYQ==",
        publishedAt=NOW,
        confirmedUplink=False,
        tags={"deviceProfileName": "rain"},
        rxInfo=[V3_RX, {**V3_RX, "timeSinceGPSEpoch": "1462878464.981566256s"}],
        txInfo={
            "frequency": 868100000,
            "dr": 4,
            "loRaModulationInfo": {"bandwidth": 125, "spreadingFactor": 7},
        },
    ),
    "tts-v3": tts(
        f_cnt=7,
        confirmed=False,
        decoded_payload={"t": 21.5},
        version_ids={"brand_id": "decentlab", "model_id": "dl-tbrg"},
        rx_metadata=[
            {
                "gateway_ids": {"gateway_id": "gw", "eui": "24E124FFFEF2F8C3"},
                "rssi": -52,
                "snr": 14.2,
                "time": NOW,
                "gps_time": NOW,
                "location": PLACE,
            }
        ],
        settings={
            "data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 8}},
            "data_rate_index": 3,
            "frequency": "868100000",
            "time": NOW,
        },
    ),
    "actility": thingpark(f_cnt=7, DriverCfg={"id": "decentlab"}),
    "loriot": loriot("gw", f_cnt=7, bat=254),
    "helium": helium(f_cnt=7, decoded={"payload": {"t": 21.5}, "status": "success"}),
    "element-iot": element_iot(f_cnt=7),
    "everynet": everynet(f_cnt=7),
    "multitech": multitech(f_cnt=7),
}
THE_UPLINK = {
    "chirpstack-v4": {("deviceInfo",), ("deviceInfo", "devEui"), ("data",), ("fCnt",), ("fPort",)},
    "chirpstack-v3": {("devEUI",), ("data",), ("fCnt",), ("fPort",)},
    "tts-v3": {
        ("end_device_ids",),
        ("end_device_ids", "dev_eui"),
        ("uplink_message",),
        *(("uplink_message", key) for key in ("f_port", "f_cnt", "frm_payload")),
    },
    "actility": {
        ("DevEUI_uplink",),
        *(
            ("DevEUI_uplink", key)
            for key in ("DevEUI", "FPort", "FCntUp", "payload_hex", "PayloadEncryption")
        ),
    },
    "loriot": {("cmd",), ("EUI",), ("port",), ("fcnt",), ("data",)},
    "helium": {("dev_eui",), ("port",), ("fcnt",), ("payload",)},
    "element-iot": {
        ("payload",),
        ("meta",),
        ("meta", "frame_count_up"),
        ("meta", "frame_port"),
        *(("device", "interfaces", 0, "opts", "device_eui")[:depth] for depth in range(1, 6)),
    },
    "everynet": {
        ("type",),
        ("meta",),
        ("meta", "device"),
        ("params",),
        *(("params", key) for key in ("port", "counter_up", "payload")),
    },
    "multitech": {("deveui",), ("port",), ("fcnt",), ("data",)},
}
"""Of each what makes it an uplink: of which device, on which port, which count and which bytes."""
COUNTS = {"fCnt", "f_cnt", "FCntUp", "fcnt", "counter_up", "frame_count_up"}

_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["NaN", "-inf", "1e999", "", "0", "true", NOW, "9999-12-31T23:59:59-14:00"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def paths(value, path=()):
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


def put(body, path, value):
    *parents, last = path
    for key in parents:
        body = body[key]
    body[last] = value


def same_uplink(kind, body, **how):
    found = PARSERS[kind].parse(message(body, **how))
    assert isinstance(found, Uplink), found
    assert (found.dev_eui, found.f_port, found.f_cnt, found.payload) == (EUI, 1, 7, RAIN)
    assert found.time_us <= NOW_US + 601_000_000
    assert unpack_uplinks(pack_uplinks([found])) == [found]
    return found


def test_every_kind_is_here():
    assert WHOLE.keys() == THE_UPLINK.keys() == PARSERS.keys()
    for kind, body in WHOLE.items():
        assert THE_UPLINK[kind] - {("DevEUI_uplink", "PayloadEncryption")} <= set(paths(body))
        uplink = same_uplink(kind, body)
        assert uplink.gateways
        assert uplink.gateways[0].rssi is not None


@pytest.mark.parametrize("kind", PARSERS)
@given(data=st.data())
def test_no_other_field_costs_an_uplink(kind, data):
    body = copy.deepcopy(WHOLE[kind])
    beside = sorted(set(paths(body)) - THE_UPLINK[kind], key=repr)
    chosen = data.draw(st.lists(st.sampled_from(beside), min_size=1, max_size=4))
    for path in sorted(chosen, key=len, reverse=True):
        put(body, path, data.draw(_json))
    same_uplink(kind, body)


@pytest.mark.parametrize("kind", PARSERS)
def test_nor_does_any_one_alone(kind):
    for path in set(paths(WHOLE[kind])) - THE_UPLINK[kind]:
        for value in (None, True, -1, 1e300, 10**30, "", "strong", [], [[]], [5], {}, {"a": {}}):
            body = copy.deepcopy(WHOLE[kind])
            put(body, path, value)
            same_uplink(kind, body)


@pytest.mark.parametrize("kind", PARSERS)
def test_a_number_that_no_float_can_hold_costs_nothing(kind):
    text = json.dumps(WHOLE[kind])
    huge = re.sub(r'("(?:rssi|LrrRSSI)": )[-0-9.]+', r"\g<1>1e999", text)
    assert huge != text
    same_uplink(kind, huge.encode())


def test_only_what_is_wrong_is_lost():
    body = copy.deepcopy(WHOLE["chirpstack-v4"])
    body["rxInfo"][0]["rssi"] = "strong"
    body["rxInfo"].insert(1, 5)
    body["txInfo"]["modulation"]["lora"]["bandwidth"] = -1
    body["deviceInfo"]["deviceName"] = ["x"]
    uplink, whole = same_uplink("chirpstack-v4", body), same_uplink("chirpstack-v4", WHOLE["chirpstack-v4"])
    assert [each.id for each in uplink.gateways] == [each.id for each in whole.gateways]
    assert (uplink.gateways[0].rssi, uplink.gateways[0].snr) == (0.0, -12.0)
    assert (uplink.spreading_factor, uplink.bandwidth_hz) == (12, None)
    assert uplink.device_name == ""
    assert (uplink.session, uplink.transport_id) == (whole.session, whole.transport_id)
    assert (uplink.time_us, uplink.decoded) == (whole.time_us, whole.decoded)


@pytest.mark.parametrize("kind", PARSERS)
@given(data=st.data())
def test_what_makes_an_uplink_is_named_where_it_is_wrong(kind, data):
    body = copy.deepcopy(WHOLE[kind])
    beside = sorted(set(paths(body)) - THE_UPLINK[kind], key=repr)
    put(body, data.draw(st.sampled_from([each for each in beside if len(each) < 3])), data.draw(_json))
    count = next(path for path in THE_UPLINK[kind] if path[-1] in COUNTS)
    put(body, count, -1)
    found = PARSERS[kind].parse(message(body))
    assert found.reason == "wrong_shape"
    assert count[-1] in found.detail


def protobuf(**changes):
    body = {**WHOLE["chirpstack-v4"], **changes}
    return json_format.ParseDict(body, integration_pb2.UplinkEvent(), ignore_unknown_fields=True)


_seconds = st.integers(-(2**63), 2**63 - 1)
_nanos = st.integers(-(2**31), 2**31 - 1)
_any_float = st.floats(width=32)


@given(_seconds, _nanos, _any_float, st.floats())
def test_no_field_of_an_event_in_protobuf_costs_the_uplink(seconds, nanos, snr, number):
    event = protobuf()
    for time in (event.time, event.rx_info[0].gw_time, event.rx_info[1].ns_time):
        time.seconds, time.nanos = seconds, nanos
    since = event.rx_info[0].time_since_gps_epoch
    since.seconds, since.nanos = seconds, nanos
    event.rx_info[0].snr = snr
    event.rx_info[1].location.latitude = number
    event.object.fields["t"].number_value = number
    event.object.fields["nothing"].SetInParent()
    uplink = same_uplink("chirpstack-v4", event.SerializeToString())
    assert [each.id for each in uplink.gateways] == ["0016c001f1237a90", "0016c001f1237a91"]
    assert uplink.gateways[0].rssi == -102
    assert uplink.frequency_hz == 867300000
