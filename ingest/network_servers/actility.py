"""Actility ThingPark (`DevEUI_uplink`), as ThingPark X and ThingPark Enterprise publish it.

Source of the field names: docs.thingpark.com, ThingPark X, uplink and notification message. Numbers may be
texts, the root object can be switched off, a list of one gateway may come as that gateway alone.
`Time` is the base station's, which the network server keeps in time; `Late` frames waited in a base station
without a backhaul and have the time of their reception.
"""

import re
from dataclasses import replace

import msgspec

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.device_event import MOST_DETAIL, DeviceEvent, EventKind, battery_percent
from ingest.event_time import choose
from ingest.network_servers.json_fields import (
    UInt8,
    UInt32,
    given,
    read_dev_eui,
    read_hex_payload,
)
from ingest.network_servers.kind import Found, Ignored, NetworkServerKind
from ingest.network_servers.lenient import Figure, read_json
from ingest.network_servers.radio import Radio, hertz, uplink_of
from ingest.uplink import Gateway, Message, Uplink


class _Lrr(msgspec.Struct):
    id: str | None = msgspec.field(name="Lrrid", default="")
    rssi: Figure | None = msgspec.field(name="LrrRSSI", default=None)
    snr: Figure | None = msgspec.field(name="LrrSNR", default=None)


class _Lrrs(msgspec.Struct):
    lrr: list[_Lrr] | _Lrr | None = msgspec.field(name="Lrr", default=None)


class _Named(msgspec.Struct):
    name: str = ""
    id: str = ""


class _Up(msgspec.Struct):
    dev_eui: str = msgspec.field(name="DevEUI")
    time: str | None = msgspec.field(name="Time", default=None)
    f_port: UInt8 = msgspec.field(name="FPort", default=0)
    f_cnt: UInt32 = msgspec.field(name="FCntUp", default=0)
    payload: str | None = msgspec.field(name="payload_hex", default=None)
    dev_addr: str | None = msgspec.field(name="DevAddr", default="")
    encrypted: bool = msgspec.field(name="PayloadEncryption", default=False)
    m_type: UInt8 | None = msgspec.field(name="MType", default=None)
    spreading_factor: UInt8 | None = msgspec.field(name="SpFact", default=None)
    frequency_mhz: Figure | None = msgspec.field(name="Frequency", default=None)
    lrr_id: str | None = msgspec.field(name="Lrrid", default="")
    rssi: Figure | None = msgspec.field(name="LrrRSSI", default=None)
    snr: Figure | None = msgspec.field(name="LrrSNR", default=None)
    lat: Figure | None = msgspec.field(name="LrrLAT", default=None)
    lon: Figure | None = msgspec.field(name="LrrLON", default=None)
    lrrs: _Lrrs | str | None = msgspec.field(name="Lrrs", default=None)
    # a subscriber fills them in; in older versions they are texts
    customer: _Named | str | None = msgspec.field(name="CustomerData", default=None)
    driver: _Named | str | None = msgspec.field(name="DriverCfg", default=None)
    object: msgspec.Raw = msgspec.field(name="payload", default=msgspec.Raw())


class _Notification(msgspec.Struct):
    dev_eui: str = msgspec.field(name="DevEUI")
    type: str = msgspec.field(name="Type", default="")
    time: str | None = msgspec.field(name="Time", default=None)
    dev_addr: str = msgspec.field(name="DevAddr", default="")
    var1: str | int = msgspec.field(name="Var1", default="")
    var2: str | int = msgspec.field(name="Var2", default="")


class _Root(msgspec.Struct):
    uplink: _Up | None = msgspec.field(name="DevEUI_uplink", default=None)
    notification: _Notification | None = msgspec.field(name="DevEUI_notification", default=None)
    downlink_sent: msgspec.Raw = msgspec.field(name="DevEUI_downlink_Sent", default=msgspec.Raw())
    downlink_rejected: msgspec.Raw = msgspec.field(name="DevEUI_downlink_Rejected", default=msgspec.Raw())
    multicast: msgspec.Raw = msgspec.field(name="DevEUI_multicast_summary", default=msgspec.Raw())
    location: msgspec.Raw = msgspec.field(name="DevEUI_location", default=msgspec.Raw())


_root = msgspec.json.Decoder(_Root, strict=False)
_bare = msgspec.json.Decoder(_Up, strict=False)
_NEEDED = frozenset({"uplink", "f_port", "f_cnt", "payload", "encrypted"})
_OTHER_EVENTS = ("downlink_sent", "downlink_rejected", "multicast", "location")
_KINDS = {"join": EventKind.JOIN, "devstatusans": EventKind.STATUS, "reset": EventKind.LOG}
_number = re.compile(r"-?[0-9]{1,3}").fullmatch
_CONFIRMED_UP = 4  # LoRaWAN L2 1.0.4, table 2: MType
_ENCRYPTED = (
    "PayloadEncryption is 1: give ThingPark the AppSKey, or let it decrypt for this application server"
)


def parse(message: Message) -> Found:
    """The uplink or event in one message."""
    if message.retain:
        return Ignored("retained")
    root = read_json(_root, message.payload, needed=_NEEDED)
    if isinstance(root, Rejected):
        return root
    if root.uplink is not None:
        return _data(message, root.uplink)
    if root.notification is not None:
        return _event(message, root.notification)
    return _other(message, root)


def _other(message: Message, root: _Root) -> Uplink | Rejected | Ignored:
    for event in _OTHER_EVENTS:
        if given(getattr(root, event)):
            return Ignored(event)
    bare = read_json(_bare, message.payload, needed=_NEEDED)
    return bare if isinstance(bare, Rejected) else _data(message, bare)


def _event(message: Message, notification: _Notification) -> DeviceEvent | Rejected | Ignored:
    kind = _KINDS.get(notification.type)
    if kind is None:
        return Ignored("notification")
    dev_eui = read_dev_eui(notification.dev_eui)
    if isinstance(dev_eui, Rejected):
        return dev_eui
    when = choose(
        gps_us=(), server_us=rfc3339_us(notification.time), gateway_us=None, arrived_us=message.arrived_us
    )
    event = DeviceEvent(message.server, dev_eui, kind, when.time_us, message.arrived_us)
    if kind is not EventKind.STATUS:
        what = f"DevAddr {notification.dev_addr}" if kind is EventKind.JOIN else f"{notification.var1}"
        return replace(event, detail=what[:MOST_DETAIL])
    battery, margin = _small(notification.var1), _small(notification.var2)
    return replace(
        event,
        battery_percent=None if battery is None else battery_percent(battery),
        margin_db=margin,
        external_power=battery == 0,
    )


def _small(value: str | int) -> int | None:
    """A number of at most three digits, for which a text may stand."""
    match = _number(str(value))
    return int(match[0]) if match else None


def _data(message: Message, up: _Up) -> Uplink | Rejected | Ignored:
    payload = _payload(up)
    if not isinstance(payload, bytes):
        return payload
    dev_eui = read_dev_eui(up.dev_eui)
    return dev_eui if isinstance(dev_eui, Rejected) else _uplink(message, up, dev_eui, payload)


def _payload(up: _Up) -> bytes | Rejected | Ignored:
    if not up.payload or up.f_port == 0:
        return Ignored("mac_only")
    if up.encrypted:
        return Rejected("encrypted", _ENCRYPTED)
    return read_hex_payload(up.payload)


def _uplink(message: Message, up: _Up, dev_eui: str, payload: bytes) -> Uplink:
    when = choose(gps_us=(), server_us=rfc3339_us(up.time), gateway_us=None, arrived_us=message.arrived_us)
    radio = Radio(
        spreading_factor=up.spreading_factor,
        frequency_hz=hertz(up.frequency_mhz),
        gateways=tuple(_gateways(up)),
    )
    return uplink_of(
        message,
        when,
        radio,
        dev_eui=dev_eui,
        f_port=up.f_port,
        f_cnt=up.f_cnt,
        session=(up.dev_addr or "").lower(),
        payload=payload,
        device_name=up.customer.name if isinstance(up.customer, _Named) else "",
        codec_hint=up.driver.id if isinstance(up.driver, _Named) else "",
        confirmed=up.m_type == _CONFIRMED_UP,
        decoded=given(up.object),
    )


def _gateways(up: _Up) -> list[Gateway]:
    """All that heard it, the best first, which alone has a position."""
    lrr = up.lrrs.lrr if isinstance(up.lrrs, _Lrrs) else None
    heard = lrr if isinstance(lrr, list) else [lrr] if lrr else []
    others = [Gateway(each.id, each.rssi, each.snr) for each in heard if each.id and each.id != up.lrr_id]
    if not up.lrr_id:
        return others
    return [Gateway(up.lrr_id, up.rssi, up.snr, lat=up.lat, lon=up.lon), *others]


KIND = NetworkServerKind(
    kind="actility",
    name="Actility ThingPark",
    mqtt="3.1.1",
    topics=("mqtt/things/+/uplink",),
    qos0_remedy="set QoS 1 in the MQTT connection of ThingPark X",
    loss_window="QoS 1: none, while the broker keeps our session and what it may queue. QoS 0: whatever is "
    "sent while we or the broker are away.",
    parse=parse,
)
