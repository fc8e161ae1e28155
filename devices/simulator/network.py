"""Envelopes: an uplink as ChirpStack v4 and The Things Stack v3 publish it over MQTT (JSON).

Field by field as real servers write them: ChirpStack emits top-level defaults and omits defaults inside
`rxInfo`; The Things Stack omits zero values, writes EUIs in capitals and the frequency as a string.
"""

import base64
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from devices.registry import InstalledDevice
from devices.simulator.storm import metres_between

CHIRPSTACK_APPLICATION = "5b0e7d4c-2a66-4c0f-9d1e-5374616474fa"
TTS_APPLICATION = "stadtfunk-demo"
TTS_TENANT = "stadtwerke"

_GPS_EPOCH_US = 315_964_800_000_000
_LEAP_SECONDS_US = 18_000_000
_CHANNELS_HZ = tuple(range(867_100_000, 868_500_001, 200_000))
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_BANDWIDTH_HZ = 125_000
_SLOWEST_SF = 12
_TENANT_ID = "8a3c1f04-6d1b-4f0e-a6d4-4265726769fa"


@dataclass(frozen=True, slots=True)
class GatewaySite:
    """A fictitious gateway. `gps`: its clock follows GPS, so its receptions carry GPS time."""

    eui: str
    name: str
    lat: float
    lon: float
    altitude: int
    gps: bool


GATEWAYS = (
    GatewaySite("00005eef100000f1", "gw-rathaus", 50.9922, 7.1297, 118, gps=True),
    GatewaySite("00005eef100000f2", "gw-bensberg", 50.9640, 7.1600, 186, gps=True),
    GatewaySite("00005eef100000f3", "gw-gierath", 50.9866, 7.1003, 84, gps=False),
    GatewaySite("00005eef100000f4", "gw-herkenrath", 50.9862, 7.1905, 221, gps=False),
)


@dataclass(frozen=True, slots=True)
class Reception:
    """One gateway's copy of a frame. `rssi` dBm, `snr` dB."""

    gateway: GatewaySite
    rssi: int
    snr: float


@dataclass(frozen=True, slots=True)
class Radio:
    """How one transmission went through the air."""

    spreading_factor: int
    channel: int
    receptions: Sequence[Reception]

    @property
    def frequency_hz(self) -> int:
        """Carrier frequency (EU868)."""
        return _CHANNELS_HZ[self.channel]


@dataclass(frozen=True, slots=True)
class Session:
    """What a device got when it joined."""

    dev_addr: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One data uplink. `received_us`: by the network server, µs since the epoch, UTC.

    `decoded`: the object its own codec made of the payload.
    """

    device: InstalledDevice
    session: Session
    f_port: int
    f_cnt: int
    payload: bytes
    received_us: int
    radio: Radio
    decoded: Mapping[str, Any] | None


def join(rng: Random) -> Session:
    """A session with a DevAddr of an experimental network (NwkID 0x00)."""
    key = base64.b64encode(rng.randbytes(16)).decode()
    return Session(dev_addr=f"{rng.getrandbits(25):08x}", key_id=key)


def radio(rng: Random, lat: float, lon: float) -> Radio:
    """Receptions by the gateways in reach (log-distance path loss with fading), at least one."""
    heard = []
    for site in GATEWAYS:
        distance = max(metres_between(lat, lon, site.lat, site.lon), 50.0)
        rssi = round(-38.0 - 27.0 * math.log10(distance / 10.0) + rng.gauss(0, 4))
        snr = max(-19.0, min(12.0, (rssi + 117) / 2 + rng.gauss(0, 1.5)))
        heard.append(Reception(site, max(rssi, -136), round(snr * 4) / 4))
    heard.sort(key=lambda reception: -reception.rssi)
    best = heard[0]
    factor = min(_SLOWEST_SF, max(7, round(8 - best.snr / 2.5)))
    strong = [reception for reception in heard[1:] if reception.rssi > best.rssi - 22]
    return Radio(factor, rng.randrange(len(_CHANNELS_HZ)), [best, *strong])


def message_id(rng: Random) -> str:
    """A fresh UUID, as a network server gives each frame it has processed."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def chirpstack_v4(frame: Frame, message: str) -> tuple[str, bytes]:
    """Topic and JSON of an `up` event of ChirpStack v4; `message`: its deduplicationId."""
    device = frame.device
    body: dict[str, Any] = {
        "deduplicationId": message,
        "time": _offset_time(frame.received_us),
        "deviceInfo": {
            "tenantId": _TENANT_ID,
            "tenantName": "Stadtwerke (fiktiv)",
            "applicationId": CHIRPSTACK_APPLICATION,
            "applicationName": "Stadtfunk Demo",
            "deviceProfileId": str(uuid.uuid5(uuid.UUID(_TENANT_ID), device.type)),
            "deviceProfileName": device.type,
            "deviceName": device.name,
            "devEui": device.dev_eui,
            "deviceClassEnabled": "CLASS_A",
            "tags": {},
        },
        "devAddr": frame.session.dev_addr,
        "adr": True,
        "dr": _SLOWEST_SF - frame.radio.spreading_factor,
        "fCnt": frame.f_cnt,
        "fPort": frame.f_port,
        "confirmed": False,
        "data": base64.b64encode(frame.payload).decode(),
    }
    if frame.decoded is not None:
        body["object"] = dict(frame.decoded)
    body["rxInfo"] = [_rx_info(frame, reception) for reception in frame.radio.receptions]
    body["txInfo"] = {
        "frequency": frame.radio.frequency_hz,
        "modulation": {
            "lora": {
                "bandwidth": _BANDWIDTH_HZ,
                "spreadingFactor": frame.radio.spreading_factor,
                "codeRate": "CR_4_5",
            }
        },
    }
    body["regionConfigId"] = "eu868"
    return chirpstack_topic(device.dev_eui), to_json(body)


def _rx_info(frame: Frame, reception: Reception) -> dict[str, Any]:
    site = reception.gateway
    # Protobuf's JSON omits numbers that are zero.
    signal = {"rssi": reception.rssi, "snr": reception.snr, "channel": frame.radio.channel}
    info: dict[str, Any] = {
        "gatewayId": site.eui,
        "uplinkId": 1 + (frame.received_us // 1000 + frame.f_cnt) % (2**32 - 1),
        "gwTime": _offset_time(frame.received_us - 210_000),
        "nsTime": _offset_time(frame.received_us - 40_000),
        **{key: value for key, value in signal.items() if value},
        "location": {"latitude": site.lat, "longitude": site.lon, "altitude": float(site.altitude)},
        "context": base64.b64encode((frame.received_us % 2**32).to_bytes(4, "big")).decode(),
        "crcStatus": "CRC_OK",
    }
    if site.gps:
        gps_us = _end_of_airtime(frame) - _GPS_EPOCH_US + _LEAP_SECONDS_US
        info["timeSinceGpsEpoch"] = f"{gps_us // 1_000_000}.{gps_us % 1_000_000:06d}000s"
    return info


def tts_v3(frame: Frame, message: str) -> tuple[str, bytes]:
    """Topic and JSON of an uplink message of The Things Stack v3; `message`: its correlation id."""
    device = frame.device
    device_id = tts_device_id(device)
    settings: dict[str, Any] = {
        "data_rate": {
            "lora": {
                "bandwidth": _BANDWIDTH_HZ,
                "spreading_factor": frame.radio.spreading_factor,
                "coding_rate": "4/5",
            }
        },
        "frequency": str(frame.radio.frequency_hz),
        "timestamp": frame.received_us % 2**32,
    }
    uplink: dict[str, Any] = {
        "session_key_id": frame.session.key_id,
        "f_port": frame.f_port,
        "f_cnt": frame.f_cnt,
        "frm_payload": base64.b64encode(frame.payload).decode(),
        "decoded_payload": dict(frame.decoded) if frame.decoded else None,
        "rx_metadata": [_rx_metadata(frame, reception) for reception in frame.radio.receptions],
        "settings": settings,
        "received_at": _zulu_time(frame.received_us),
        "consumed_airtime": f"{_AIRTIME_US[frame.radio.spreading_factor] / 1e6:.6f}s",
        "version_ids": {
            "brand_id": device.type.partition("-")[0],
            "model_id": device.type.partition("-")[2],
            "hardware_version": "1.0",
            "firmware_version": "1.0",
            "band_id": "EU_863_870",
        },
        "network_ids": {
            "net_id": "000013",
            "ns_id": "00005EEF100000E1",
            "tenant_id": TTS_TENANT,
            "cluster_id": "eu1",
            "cluster_address": "eu1.cloud.thethings.example",
        },
    }
    body = {
        "end_device_ids": {
            "device_id": device_id,
            "application_ids": {"application_id": TTS_APPLICATION},
            "dev_eui": device.dev_eui.upper(),
            "join_eui": "00005EEF100000E0",
            "dev_addr": frame.session.dev_addr.upper(),
        },
        "correlation_ids": [f"gs:uplink:{message}"],
        "received_at": _zulu_time(frame.received_us + 205_000),
        "uplink_message": {key: value for key, value in uplink.items() if value},
    }
    return tts_topic(device_id), to_json(body)


def _rx_metadata(frame: Frame, reception: Reception) -> dict[str, Any]:
    site = reception.gateway
    signal = {"rssi": reception.rssi, "channel_rssi": reception.rssi, "snr": reception.snr}
    signal["channel_index"] = frame.radio.channel
    metadata: dict[str, Any] = {
        "gateway_ids": {"gateway_id": site.name, "eui": site.eui.upper()},
        "timestamp": frame.received_us % 2**32,
        **{key: value for key, value in signal.items() if value},
        "location": {
            "latitude": site.lat,
            "longitude": site.lon,
            "altitude": site.altitude,
            "source": "SOURCE_REGISTRY",
        },
        "uplink_token": base64.b64encode(f"{site.name}:{frame.received_us}".encode()).decode(),
        "received_at": _zulu_time(frame.received_us - 25_000),
    }
    if site.gps:
        metadata["gps_time"] = metadata["time"] = _zulu_time(_end_of_airtime(frame))
    return metadata


def chirpstack_topic(dev_eui: str) -> str:
    """Where ChirpStack publishes a device's uplinks."""
    return f"application/{CHIRPSTACK_APPLICATION}/device/{dev_eui}/event/up"


def tts_topic(device_id: str) -> str:
    """Where The Things Stack publishes a device's uplinks."""
    return f"v3/{TTS_APPLICATION}@{TTS_TENANT}/devices/{device_id}/up"


def tts_device_id(device: InstalledDevice) -> str:
    """The name a device goes by in The Things Stack."""
    return f"eui-{device.dev_eui}"


def to_json(body: Mapping[str, Any]) -> bytes:
    """Compact UTF-8 JSON, as servers send it."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


_AIRTIME_US = {7: 61_696, 8: 113_152, 9: 205_824, 10: 370_688, 11: 741_376, 12: 1_482_752}
"""About 20 bytes at 125 kHz, by spreading factor."""


def _end_of_airtime(frame: Frame) -> int:
    return frame.received_us - 250_000


def _offset_time(time_us: int) -> str:
    return f"{_UNIX + timedelta(microseconds=time_us):%Y-%m-%dT%H:%M:%S.%f}000+00:00"


def _zulu_time(time_us: int) -> str:
    return f"{_UNIX + timedelta(microseconds=time_us):%Y-%m-%dT%H:%M:%S.%f}000Z"
