"""ChirpStack v4, JSON (`integration.UplinkEvent` as protobuf writes it in JSON) or Protobuf.

Source of the field names: chirpstack `api/proto/integration/integration.proto` and `api/proto/gw/gw.proto`.
A missing field has its default (rssi 0, fPort 0), unknown fields are skipped.
"""

import msgspec

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.device_event import DeviceEvent, EventKind
from ingest.event_time import choose, gps_duration_us
from ingest.network_servers.chirpstack_events import Head, event_kind, event_of, not_for_us
from ingest.network_servers.chirpstack_protobuf import as_json, is_protobuf
from ingest.network_servers.json_fields import (
    UInt8,
    UInt32,
    given,
    known,
    read_dev_eui,
    read_payload,
)
from ingest.network_servers.kind import Found, Ignored, NetworkServerKind
from ingest.network_servers.lenient import read_json
from ingest.network_servers.radio import Radio, Reception, uplink_of
from ingest.uplink import Gateway, Message, Uplink


class _Rx(Reception, rename="camel"):
    gateway_id: str = ""
    gw_time: str | None = None
    time: str | None = None  # its name up to 4.2
    ns_time: str | None = None
    time_since_gps_epoch: str | None = None


class _Lora(msgspec.Struct, rename="camel"):
    bandwidth: UInt32 = 0
    spreading_factor: UInt8 = 0


class _Modulation(msgspec.Struct):
    lora: _Lora | None = None


class _Tx(msgspec.Struct):
    frequency: UInt32 = 0
    modulation: _Modulation | None = None


class _Device(msgspec.Struct, rename="camel"):
    dev_eui: str
    device_name: str = ""
    device_profile_name: str = ""


class _AnyEvent(msgspec.Struct, rename="camel"):
    device_info: _Device
    time: str | None = None
    dev_addr: str = ""


class _UpEvent(msgspec.Struct, rename="camel"):
    device_info: _Device
    deduplication_id: str = ""
    time: str | None = None
    dev_addr: str = ""
    dr: UInt8 = 0
    f_cnt: UInt32 = 0
    f_port: UInt8 = 0
    confirmed: bool = False
    data: str | None = None
    object: msgspec.Raw = msgspec.Raw()
    rx_info: list[_Rx] | None = None
    tx_info: _Tx | None = None
    join_server_context: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(_UpEvent)
_event_decoder = msgspec.json.Decoder(_AnyEvent)
_NEEDED = frozenset({"f_cnt", "f_port", "data", "join_server_context"})
_ENCRYPTED = "the application session key is with the join server: let ChirpStack decrypt the payload"


def parse(message: Message) -> Found:
    """The uplink or event in one message. Identity comes from the payload: the topic is configurable."""
    if ignored := not_for_us(message):
        return ignored
    kind = event_kind(message.topic)
    text = message.payload
    if is_protobuf(text):
        json = as_json(kind or "up", text)
        if isinstance(json, Rejected):
            return json
        text = json
    return _up(message, text) if kind is None else _event(message, kind, text)


def _event(message: Message, kind: EventKind, text: bytes) -> DeviceEvent | Rejected:
    event = read_json(_event_decoder, text)
    if isinstance(event, Rejected):
        return event
    return event_of(message, kind, text, Head(event.device_info.dev_eui, event.dev_addr, event.time))


def _up(message: Message, text: bytes) -> Uplink | Rejected | Ignored:
    up = read_json(_decoder, text, needed=_NEEDED)
    if isinstance(up, Rejected):
        return up
    payload = _payload(up)
    if not isinstance(payload, bytes):
        return payload
    dev_eui = read_dev_eui(up.device_info.dev_eui)
    if isinstance(dev_eui, Rejected):
        return dev_eui
    return _uplink(message, up, dev_eui, payload)


def _payload(up: _UpEvent) -> bytes | Rejected | Ignored:
    if up.data is None or up.f_port == 0:
        return Ignored("mac_only")
    if given(up.join_server_context):
        return Rejected("encrypted", _ENCRYPTED)
    return read_payload(up.data)


def _uplink(message: Message, up: _UpEvent, dev_eui: str, payload: bytes) -> Uplink:
    rx_info = up.rx_info or []
    gateways = tuple(map(_gateway, rx_info))
    when = choose(
        gps_us=known(gps_duration_us(rx.time_since_gps_epoch) for rx in rx_info),
        # where nsTime is missing (older versions), `time` is the clock ChirpStack chose
        server_us=min(known(rfc3339_us(rx.ns_time) for rx in rx_info), default=rfc3339_us(up.time)),
        gateway_us=next((gateway.time_us for gateway in gateways if gateway.time_us is not None), None),
        arrived_us=message.arrived_us,
    )
    tx = up.tx_info or _Tx()
    lora = (tx.modulation.lora if tx.modulation else None) or _Lora()
    radio = Radio(up.dr, lora.spreading_factor, lora.bandwidth, tx.frequency, gateways)
    return uplink_of(
        message,
        when,
        radio,
        dev_eui=dev_eui,
        f_port=up.f_port,
        f_cnt=up.f_cnt,
        session=up.dev_addr,
        payload=payload,
        transport_id=up.deduplication_id,
        device_name=up.device_info.device_name,
        codec_hint=up.device_info.device_profile_name,
        confirmed=up.confirmed,
        decoded=given(up.object),
    )


def _gateway(rx: _Rx) -> Gateway:
    return rx.gateway(rx.gateway_id, rfc3339_us(rx.gw_time or rx.time))


KIND = NetworkServerKind(
    kind="chirpstack-v4",
    name="ChirpStack v4",
    mqtt="5",
    topics=tuple(f"application/+/device/+/event/{event}" for event in ("up", *EventKind)),
    qos0_remedy="set qos=1 under [integration.mqtt] in chirpstack.toml",
    loss_window="QoS 1: none, while the broker keeps our session (7 days, and what it may queue). QoS 0, "
    "ChirpStack's default: whatever is sent while we or the broker are away.",
    parse=parse,
)
