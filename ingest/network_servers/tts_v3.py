"""The Things Stack v3, JSON (`ttn.lorawan.v3.ApplicationUp` as protobuf writes it in JSON).

Source of the field names: lorawan-stack `api/ttn/lorawan/v3/messages.proto`, `metadata.proto`. Zero values
are left out (f_cnt 0, f_port 0, rssi 0, false), 64-bit integers are strings, unknown fields are skipped.
"""

import msgspec

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.device_event import MOST_DETAIL, DeviceEvent, EventKind
from ingest.event_time import choose
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


class _Ids(msgspec.Struct):
    device_id: str = ""
    dev_eui: str = ""
    dev_addr: str = ""


class _GatewayIds(msgspec.Struct):
    gateway_id: str = ""
    eui: str = ""


class _Rx(Reception):
    gateway_ids: _GatewayIds | None = None
    time: str | None = None
    gps_time: str | None = None


class _Lora(msgspec.Struct):
    bandwidth: UInt32 = 0
    spreading_factor: UInt8 = 0


class _DataRate(msgspec.Struct):
    lora: _Lora | None = None


class _Settings(msgspec.Struct):
    data_rate: _DataRate | None = None
    data_rate_index: UInt8 | None = None
    frequency: str = ""
    time: str | None = None


class _Versions(msgspec.Struct):
    brand_id: str = ""
    model_id: str = ""


class _UplinkMessage(msgspec.Struct):
    session_key_id: str = ""
    f_port: UInt8 = 0
    f_cnt: UInt32 = 0
    frm_payload: str | None = None
    decoded_payload: msgspec.Raw = msgspec.Raw()
    rx_metadata: list[_Rx] | None = None
    settings: _Settings | None = None
    received_at: str | None = None
    confirmed: bool = False
    app_s_key: msgspec.Raw = msgspec.Raw()
    version_ids: _Versions | None = None
    correlation_ids: list[str] | None = None


class _JoinAccept(msgspec.Struct):
    received_at: str | None = None


class _Downlink(msgspec.Struct):
    f_cnt: UInt32 = 0


class _Error(msgspec.Struct):
    namespace: str = ""
    name: str = ""


class _DownlinkFailed(msgspec.Struct):
    downlink: _Downlink | None = None
    error: _Error | None = None


class _Up(msgspec.Struct):
    end_device_ids: _Ids
    correlation_ids: list[str] | None = None
    received_at: str | None = None
    uplink_message: _UplinkMessage | None = None
    simulated: bool = False
    uplink_normalized: msgspec.Raw = msgspec.Raw()
    join_accept: _JoinAccept | None = None
    downlink_ack: _Downlink | None = None
    downlink_nack: _Downlink | None = None
    downlink_sent: msgspec.Raw = msgspec.Raw()
    downlink_failed: _DownlinkFailed | None = None
    downlink_queued: msgspec.Raw = msgspec.Raw()
    downlink_queue_invalidated: msgspec.Raw = msgspec.Raw()
    location_solved: msgspec.Raw = msgspec.Raw()
    service_data: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(_Up)
_NEEDED = frozenset({"dev_eui", "uplink_message", "f_cnt", "f_port", "frm_payload", "app_s_key"})
_OTHER_EVENTS = (
    "uplink_normalized",
    "downlink_sent",
    "downlink_queued",
    "downlink_queue_invalidated",
    "location_solved",
    "service_data",
)
_OF_THE_RECEPTION = "gs:uplink:"
_ENCRYPTED = "app_s_key is present: let The Things Stack decrypt the payload (switch its crypto bypass off)"
_NO_DEV_EUI = "no dev_eui: give the device one in The Things Stack's console"


def parse(message: Message) -> Found:
    """The uplink or event in one message."""
    if message.retain or message.topic.endswith("/up/normalized"):  # the same uplink comes on /up
        return Ignored("retained" if message.retain else "uplink_normalized")
    up = read_json(_decoder, message.payload, needed=_NEEDED)
    if isinstance(up, Rejected):
        return up
    sent = up.uplink_message
    return _event(message, up) if sent is None else _data(message, up, sent)


def _data(message: Message, up: _Up, sent: _UplinkMessage) -> Uplink | Rejected | Ignored:
    payload = _payload(sent)
    if not isinstance(payload, bytes):
        return payload
    dev_eui = _dev_eui(up)
    return dev_eui if isinstance(dev_eui, Rejected) else _uplink(message, up, sent, dev_eui, payload)


def _dev_eui(up: _Up) -> str | Rejected:
    text = up.end_device_ids.dev_eui
    return read_dev_eui(text) if text else Rejected("bad_dev_eui", _NO_DEV_EUI)


def _event(message: Message, up: _Up) -> DeviceEvent | Rejected | Ignored:
    time, ids = up.received_at, up.end_device_ids
    if up.join_accept is not None:
        kind, detail, error = EventKind.JOIN, f"DevAddr {ids.dev_addr}", False
        time = up.join_accept.received_at or time
    elif up.downlink_ack is not None:
        kind, detail, error = EventKind.ACK, f"downlink {up.downlink_ack.f_cnt} acknowledged", False
    elif up.downlink_nack is not None:
        kind, detail, error = EventKind.ACK, f"downlink {up.downlink_nack.f_cnt} not acknowledged", True
    elif up.downlink_failed is not None:
        fault = up.downlink_failed.error or _Error()
        kind, detail, error = EventKind.LOG, f"downlink failed: {fault.namespace}:{fault.name}", True
    else:
        return _other_event(up)
    dev_eui = _dev_eui(up)
    if isinstance(dev_eui, Rejected):
        return dev_eui
    when = choose(gps_us=(), server_us=rfc3339_us(time), gateway_us=None, arrived_us=message.arrived_us)
    return DeviceEvent(
        message.server, dev_eui, kind, when.time_us, message.arrived_us, detail[:MOST_DETAIL], error
    )


def _payload(sent: _UplinkMessage) -> bytes | Rejected | Ignored:
    if sent.frm_payload is None or sent.f_port == 0:
        return Ignored("mac_only")
    if given(sent.app_s_key):
        return Rejected("encrypted", _ENCRYPTED)
    return read_payload(sent.frm_payload)


def _other_event(up: _Up) -> Ignored | Rejected:
    for event in _OTHER_EVENTS:
        if given(getattr(up, event)):
            return Ignored(event)
    return Rejected("wrong_shape", "neither `uplink_message` nor another event of The Things Stack")


def _uplink(message: Message, up: _Up, sent: _UplinkMessage, dev_eui: str, payload: bytes) -> Uplink:
    rx_metadata = sent.rx_metadata or []
    settings = sent.settings or _Settings()
    lora = (settings.data_rate.lora if settings.data_rate else None) or _Lora()
    when = choose(
        gps_us=known(rfc3339_us(rx.gps_time) for rx in rx_metadata),
        server_us=rfc3339_us(sent.received_at or up.received_at),
        gateway_us=rfc3339_us(settings.time),
        arrived_us=message.arrived_us,
    )
    versions = sent.version_ids
    radio = Radio(
        data_rate=settings.data_rate_index,
        spreading_factor=lora.spreading_factor,
        bandwidth_hz=lora.bandwidth,
        frequency_hz=_hertz(settings.frequency),
        gateways=tuple(map(_gateway, rx_metadata)),
    )
    return uplink_of(
        message,
        when,
        radio,
        dev_eui=dev_eui,
        f_port=sent.f_port,
        f_cnt=sent.f_cnt,
        session=sent.session_key_id or up.end_device_ids.dev_addr,
        payload=payload,
        transport_id=_reception(up.correlation_ids) or _reception(sent.correlation_ids),
        device_name=up.end_device_ids.device_id,
        codec_hint=f"{versions.brand_id}/{versions.model_id}" if versions and versions.model_id else "",
        confirmed=sent.confirmed,
        simulated=up.simulated,
        decoded=given(sent.decoded_payload),
    )


def _reception(correlation_ids: list[str] | None) -> str:
    """The id that The Things Stack's gateway server gave this reception."""
    return next((each for each in correlation_ids or () if each.startswith(_OF_THE_RECEPTION)), "")


def _hertz(text: str) -> int | None:
    if text.isascii() and text.isdecimal() and len(text) <= len("4294967295"):
        return int(text)
    return None


def _gateway(rx: _Rx) -> Gateway:
    ids = rx.gateway_ids or _GatewayIds()
    return rx.gateway(ids.eui.lower() or ids.gateway_id, rfc3339_us(rx.time))


KIND = NetworkServerKind(
    kind="tts-v3",
    name="The Things Stack v3",
    mqtt="3.1.1",
    topics=tuple(
        f"v3/+/devices/+/{event}" for event in ("up", "join", "down/ack", "down/nack", "down/failed")
    ),
    qos0_remedy="The Things Stack knows no other: activate its Storage Integration and set storage = true",
    loss_window="Whatever is sent while we are away, unless storage = true fetches it afterwards, and beyond "
    "128 messages when we fall behind: The Things Stack publishes at QoS 0 only.",
    parse=parse,
)
