"""Messages shaped like the captures, field by field."""

import base64
import itertools
import json
import uuid
from datetime import UTC, datetime

from ingest.uplink import Message

NOW_US = 1_780_000_000_000_000  # 2026-05-28T20:26:40Z
CHIRPSTACK_TOPIC = "application/app/device/{}/event/up"
TTS_TOPIC = "v3/city@ttn/devices/{}/up"
EUI = "a84041ffff000001"
_TOPIC = CHIRPSTACK_TOPIC.format(EUI)
RAIN = bytes.fromhex("0202f8000300040258409a00000c54")  # Decentlab DL-TBRG: 0.4 mm in 600 s

_counter = itertools.count(1)


def rfc3339(time_us):
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")


def chirpstack(dev_eui=EUI, payload=RAIN, f_cnt=None, f_port=1, time_us=NOW_US, **changes):
    """The JSON object of a ChirpStack v4 uplink event."""
    return {
        "deduplicationId": str(uuid.uuid4()),
        "time": rfc3339(time_us),
        "deviceInfo": {
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
            "applicationId": "app",
            "deviceProfileName": "profile",
            "deviceName": f"device-{dev_eui}",
            "devEui": dev_eui,
            "tags": {},
        },
        "devAddr": "01087309",
        "adr": True,
        "dr": 0,
        "fCnt": next(_counter) if f_cnt is None else f_cnt,
        "fPort": f_port,
        "confirmed": False,
        "data": base64.b64encode(payload).decode(),
        "rxInfo": [
            {
                "gatewayId": "0016c001f1237a90",
                "uplinkId": 1615525998,
                "nsTime": rfc3339(time_us),
                "rssi": -102,
                "snr": -12,
                "location": {},
                "crcStatus": "CRC_OK",
            }
        ],
        "txInfo": {
            "frequency": 867300000,
            "modulation": {"lora": {"bandwidth": 125000, "spreadingFactor": 12, "codeRate": "CR_4_5"}},
        },
        "regionConfigId": "eu868",
        **changes,
    }


def tts(dev_eui=EUI, payload=RAIN, f_cnt=None, f_port=1, time_us=NOW_US, **changes):
    """The JSON object of a The Things Stack v3 uplink message; `changes` are those of `uplink_message`."""
    return {
        "end_device_ids": {
            "device_id": f"device-{dev_eui}",
            "application_ids": {"application_id": "city"},
            "dev_eui": dev_eui.upper(),
            "dev_addr": "27FD483F",
        },
        "correlation_ids": [f"gs:uplink:{uuid.uuid4()}"],
        "received_at": rfc3339(time_us + 200_000),
        "uplink_message": {
            "session_key_id": "AZdgUOigXtnCMxmdIcruZA==",
            "f_port": f_port,
            "f_cnt": next(_counter) if f_cnt is None else f_cnt,
            "frm_payload": base64.b64encode(payload).decode(),
            "rx_metadata": [
                {"gateway_ids": {"gateway_id": "gw", "eui": "24E124FFFEF2F8C3"}, "rssi": -52, "snr": 14.2}
            ],
            "settings": {
                "data_rate": {"lora": {"bandwidth": 125000, "spreading_factor": 8, "coding_rate": "4/5"}},
                "frequency": "868100000",
            },
            "received_at": rfc3339(time_us),
            **changes,
        },
    }


def message(body, server="stadtwerke", topic=_TOPIC, arrived_us=NOW_US, **changes):
    """A message as the consumer makes it; `body` is JSON or bytes."""
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    values = {"qos": 1, "retain": False, **changes}
    return Message(server, topic, payload, arrived_us=arrived_us, **values)


def chirpstack_v3(dev_eui=EUI, payload=RAIN, f_cnt=None, f_port=1, time_us=NOW_US, **changes):
    """The JSON object of a ChirpStack v3 uplink as its default marshaler, json_v3, writes it."""
    return {
        "applicationID": "156",
        "deviceName": f"device-{dev_eui}",
        "devEUI": dev_eui,
        "rxInfo": [
            {
                "gatewayID": "0016c001f1237a90",
                "name": "roof",
                "time": rfc3339(time_us),
                "rssi": -80,
                "loRaSNR": 7.8,
                "location": {"latitude": 51.0, "longitude": 7.0, "altitude": 80},
            }
        ],
        "txInfo": {"frequency": 868100000, "dr": 4},
        "adr": False,
        "fCnt": next(_counter) if f_cnt is None else f_cnt,
        "fPort": f_port,
        "data": base64.b64encode(payload).decode(),
        **changes,
    }


def thingpark(dev_eui=EUI, payload=RAIN, f_cnt=None, f_port=1, time_us=NOW_US, **changes):
    """The JSON object of a ThingPark uplink; `changes` are those of `DevEUI_uplink`."""
    return {
        "DevEUI_uplink": {
            "Time": rfc3339(time_us),
            "DevEUI": dev_eui.upper(),
            "FPort": f_port,
            "FCntUp": next(_counter) if f_cnt is None else f_cnt,
            "MType": 2,
            "payload_hex": payload.hex(),
            "LrrRSSI": -84.0,
            "LrrSNR": 9.75,
            "SpFact": 7,
            "Lrrid": "10001273",
            "Late": 0,
            "LrrLAT": 47.9,
            "LrrLON": 1.2,
            "Lrrs": {"Lrr": [{"Lrrid": "10001273", "LrrRSSI": -84.0, "LrrSNR": 9.75}]},
            "CustomerData": {"name": f"device-{dev_eui}", "tags": []},
            "DevAddr": "040006CC",
            "Frequency": 868.5,
            "PayloadEncryption": 0,
            **changes,
        }
    }


def loriot(cmd="rx", *, dev_eui=EUI, payload=RAIN, f_cnt=None, f_port=1, time_us=NOW_US, **changes):  # noqa: PLR0913 - a frame has so many
    """One half of LORIOT's uplink."""
    signal = {
        "freq": 868500000,
        "dr": "SF12 BW125 4/5",
        "gws": [{"rssi": -130, "snr": 1.2, "gweui": "B827EBFFFE112233", "lat": 51.0, "lon": 7.0}],
    }
    return {
        "cmd": cmd,
        "EUI": dev_eui.upper(),
        "ts": time_us // 1000,
        "ack": False,
        "fcnt": next(_counter) if f_cnt is None else f_cnt,
        "port": f_port,
        "data": payload.hex(),
        **(signal if cmd == "gw" else {"bat": 254}),
        **changes,
    }


def helium(dev_eui=EUI, payload=RAIN, f_cnt=None, f_port=1, time_us=NOW_US, **changes):
    """Helium's legacy uplink."""
    return {
        "app_eui": "6948A4B59F4666AD",
        "dev_eui": dev_eui.upper(),
        "devaddr": "B5A44869",
        "fcnt": next(_counter) if f_cnt is None else f_cnt,
        "hotspots": [
            {
                "frequency": 868.0999755859375,
                "id": "11KHJW1ePkfhLYptMwKyDzn4opLc62daahbi35uxhH3wwi7p6xr",
                "name": "icy-fiery-hippo",
                "reported_at": time_us // 1000,
                "rssi": -54,
                "snr": 9.8,
                "spreading": "SF9BW125",
                "status": "success",
            }
        ],
        "id": "7c523974-4ce7-4a92-948b-55171a6e4d77",
        "uuid": str(uuid.uuid4()),
        "name": "Test Me",
        "payload": base64.b64encode(payload).decode(),
        "port": f_port,
        "reported_at": time_us // 1000,
        **changes,
    }


def everynet(dev_eui=EUI, payload=RAIN, f_cnt=None, f_port=1, time_us=NOW_US, **changes):
    """Everynet's uplink with its radio part; `changes` are those of `params`."""
    return {
        "type": "uplink",
        "meta": {
            "device": dev_eui,
            "device_addr": "040005BA",
            "gateway": "FF0106DE",
            "time": time_us / 1e6,
        },
        "params": {
            "rx_time": time_us / 1e6,
            "port": f_port,
            "counter_up": next(_counter) if f_cnt is None else f_cnt,
            "payload": base64.b64encode(payload).decode(),
            "encrypted_payload": "AQIDBA==",
            "radio": {
                "modulation": {"type": "LORA", "spreading": 7, "bandwidth": 125000, "coderate": "4/5"},
                "hardware": {"rssi": -85.0, "snr": 10.5, "gps": {"lat": 46.5, "lng": 2.2, "alt": 0}},
                "freq": 868.1,
            },
            **changes,
        },
    }


def multitech(dev_eui=EUI, payload=RAIN, f_cnt=None, f_port=1, time_us=NOW_US, **changes):
    """The uplink of a MultiTech Conduit's own network server."""
    return {
        "tmst": 4293983404,
        "freq": 868.3,
        "modu": "LORA",
        "datr": "SF12BW125",
        "codr": "4/5",
        "lsnr": 10.2,
        "rssi": -27,
        "size": len(payload),
        "fcnt": next(_counter) if f_cnt is None else f_cnt,
        "port": f_port,
        "data": base64.b64encode(payload).decode(),
        "appeui": "7d-75-27-ad-d1-d2-f7-08",
        "deveui": "-".join(dev_eui[i : i + 2] for i in range(0, 16, 2)),
        "ack": False,
        "gweui": "00-80-00-00-a0-00-63-c3",
        "time": rfc3339(time_us),
        **changes,
    }


def element_iot(dev_eui=EUI, payload=RAIN, f_cnt=None, f_port=1, time_us=NOW_US, **changes):
    """A packet of ELEMENT IoT with its device; `changes` are those of the packet."""
    return {
        "id": str(uuid.uuid4()),
        "packet_type": "up",
        "transceived_at": rfc3339(time_us),
        "payload_encoding": "binary",
        "payload": payload.hex(),
        "meta": {
            "frame_count_up": next(_counter) if f_cnt is None else f_cnt,
            "frame_port": f_port,
            "confirm": False,
            "frequency": 868.5,
            "gateway_stats": [{"router_id": 1, "router_id_hex": "3030303037303736", "rssi": -51, "snr": 7.5}],
            "lns_packet_uuid": str(uuid.uuid4()),
            "region_meta": {"bandwidth": 125, "spreadingfactor": 9},
        },
        "device": {
            "name": f"device-{dev_eui}",
            "interfaces": [{"opts": {"device_eui": dev_eui.upper(), "device_address": "260B1234"}}],
        },
        **changes,
    }
