"""ChirpStack v3 in both its forms: `json_v3`, its default, and protobuf written as JSON.

Source of the field names: chirpstack-application-server v3 `internal/integration/models/models.go` and
chirpstack-api v3 `as/integration/integration.proto`, `gw/gw.proto`. `json_v3` has EUIs in hex and no DevAddr;
the other form has bytes in base64, also EUIs, the decoded object as a text of JSON, bandwidths in kHz.
Neither has an id of the reception; the server's time, `publishedAt`, came with 3.17 and only in the second.
"""

import binascii
from contextlib import suppress

import msgspec

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.device_event import DeviceEvent, EventKind
from ingest.event_time import choose, gps_duration_us
from ingest.network_servers.chirpstack_events import Head, event_kind, event_of, not_for_us
from ingest.network_servers.json_fields import (
    UInt8,
    UInt32,
    given,
    known,
    read_dev_eui,
    read_payload,
)
from ingest.network_servers.kind import Found, Ignored, NetworkServerKind
from ingest.network_servers.lenient import Figure, read_json
from ingest.network_servers.radio import Radio, Reception, uplink_of
from ingest.uplink import Gateway, Message, Uplink


class _Rx(Reception):
    gateway_id: str = msgspec.field(name="gatewayID", default="")
    time: str | None = None
    gps: str | None = msgspec.field(name="timeSinceGPSEpoch", default=None)
    snr: Figure = msgspec.field(name="loRaSNR", default=0.0)


class _Lora(msgspec.Struct, rename="camel"):
    bandwidth: UInt32 = 0  # kHz
    spreading_factor: UInt8 = 0


class _Tx(msgspec.Struct):
    frequency: UInt32 = 0
    dr: UInt8 | None = None
    lora: _Lora | None = msgspec.field(name="loRaModulationInfo", default=None)


class _AnyEvent(msgspec.Struct, rename="camel"):
    dev_eui: str = msgspec.field(name="devEUI")
    dev_addr: str = ""
    published_at: str | None = None


class _UpEvent(msgspec.Struct, rename="camel"):
    dev_eui: str = msgspec.field(name="devEUI")
    dev_addr: str = ""
    device_name: str = ""
    device_profile_name: str = ""
    rx_info: list[_Rx] | None = None
    tx_info: _Tx | None = None
    dr: UInt8 | None = None
    f_cnt: UInt32 = 0
    f_port: UInt8 = 0
    data: str | None = None
    confirmed_uplink: bool = False
    published_at: str | None = None
    object: msgspec.Raw = msgspec.Raw()
    object_json: str = msgspec.field(name="objectJSON", default="")
    tags: dict[str, str] | None = None


_decoder = msgspec.json.Decoder(_UpEvent)
_event_decoder = msgspec.json.Decoder(_AnyEvent)
_NEEDED = frozenset({"f_cnt", "f_port", "data"})
_EUI_BASE64, _DEV_ADDR_BASE64 = 12, 8
_PROFILE = "deviceProfileName"


def parse(message: Message) -> Found:
    """The uplink or event in one message. Identity comes from the payload: the topic is configurable."""
    if ignored := not_for_us(message):
        return ignored
    kind = event_kind(message.topic)
    return _up(message) if kind is None else _event(message, kind)


def _event(message: Message, kind: EventKind) -> DeviceEvent | Rejected:
    event = read_json(_event_decoder, message.payload)
    if isinstance(event, Rejected):
        return event
    dev_eui, dev_addr = _hex(event.dev_eui, _EUI_BASE64), _hex(event.dev_addr, _DEV_ADDR_BASE64)
    return event_of(message, kind, message.payload, Head(dev_eui, dev_addr, event.published_at))


def _up(message: Message) -> Uplink | Rejected | Ignored:
    up = read_json(_decoder, message.payload, needed=_NEEDED)
    if isinstance(up, Rejected):
        return up
    if up.data is None or up.f_port == 0:
        return Ignored("mac_only")
    payload = read_payload(up.data)
    if isinstance(payload, Rejected):
        return payload
    dev_eui = read_dev_eui(_hex(up.dev_eui, _EUI_BASE64))
    if isinstance(dev_eui, Rejected):
        return dev_eui
    return _uplink(message, up, dev_eui, payload)


def _uplink(message: Message, up: _UpEvent, dev_eui: str, payload: bytes) -> Uplink:
    rx_info = up.rx_info or []
    gateways = tuple(map(_gateway, rx_info))
    when = choose(
        gps_us=known(gps_duration_us(rx.gps) for rx in rx_info),
        server_us=rfc3339_us(up.published_at),
        gateway_us=next(known(gateway.time_us for gateway in gateways), None),
        arrived_us=message.arrived_us,
    )
    tx = up.tx_info or _Tx()
    lora = tx.lora or _Lora()
    data_rate = up.dr if tx.dr is None else tx.dr
    radio = Radio(data_rate, lora.spreading_factor, lora.bandwidth * 1000, tx.frequency, gateways)
    return uplink_of(
        message,
        when,
        radio,
        dev_eui=dev_eui,
        f_port=up.f_port,
        f_cnt=up.f_cnt,
        session=_hex(up.dev_addr, _DEV_ADDR_BASE64),
        payload=payload,
        device_name=up.device_name,
        codec_hint=up.device_profile_name or (up.tags or {}).get(_PROFILE, ""),
        confirmed=up.confirmed_uplink,
        decoded=given(up.object) or _json_text(up.object_json),
    )


def _hex(text: str, base64_length: int) -> str:
    """An EUI or DevAddr in hex: of base64 where it is as long as that, else as it is."""
    if len(text) == base64_length and text.endswith("="):
        with suppress(ValueError):
            return binascii.a2b_base64(text, strict_mode=True).hex()
    return text


def _json_text(text: str) -> bytes:
    """The text's bytes if they are JSON, else none."""
    with suppress(msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        content = text.encode()
        msgspec.json.decode(content)
        return content
    return b""


def _gateway(rx: _Rx) -> Gateway:
    return rx.gateway(_hex(rx.gateway_id, _EUI_BASE64), rfc3339_us(rx.time))


KIND = NetworkServerKind(
    kind="chirpstack-v3",
    name="ChirpStack v3",
    mqtt="3.1.1",
    topics=(
        *(f"application/+/device/+/event/{event}" for event in ("up", "join", "status", "ack", "error")),
        "application/+/device/+/rx",
    ),
    qos0_remedy="set qos=1 under [application_server.integration.mqtt] in chirpstack-application-server.toml",
    loss_window="QoS 1: none, while the broker keeps our session and what it may queue. QoS 0, "
    "ChirpStack's default: whatever is sent while we or the broker are away.",
    parse=parse,
)
