"""What ChirpStack, v3 and v4, tells of a device beside its uplinks.

Source of the field names: `api/proto/integration/integration.proto` of v4, of v3 `as/integration`. A field
that is missing has its default.
"""

from dataclasses import dataclass, replace
from typing import Annotated

import msgspec

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.device_event import MOST_DETAIL, DeviceEvent, EventKind
from ingest.event_time import choose
from ingest.network_servers.json_fields import UInt32, read_dev_eui
from ingest.network_servers.kind import Ignored
from ingest.network_servers.lenient import read_json
from ingest.uplink import Message

_Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]


class _Status(msgspec.Struct, rename="camel"):
    """`battery_level` in percent, `margin` in dB."""

    margin: Annotated[int, msgspec.Meta(ge=-128, le=127)] = 0
    external_power_source: bool = False
    battery_level_unavailable: bool = False
    battery_level: _Percent = 0.0


class _Ack(msgspec.Struct, rename="camel"):
    """Whether a downlink that wanted to be confirmed was."""

    acknowledged: bool = False
    f_cnt_down: UInt32 = 0
    f_cnt: UInt32 = 0  # its name in v3


class _Log(msgspec.Struct, rename="camel"):
    """`level` is INFO where it is missing. `type` and `error` are v3's names for `code` and `description`."""

    level: str | int = "INFO"
    code: str | int = ""
    description: str = ""
    type: str | int = ""
    error: str = ""


_status = msgspec.json.Decoder(_Status)
_ack = msgspec.json.Decoder(_Ack)
_log = msgspec.json.Decoder(_Log)
_ERROR = {"ERROR", 2}
_V3_LOG = "error"
_OTHER_EVENTS = frozenset({"txack", "location", "integration"})


def not_for_us(message: Message) -> Ignored | None:
    """Why a message tells us nothing, None where it may."""
    if message.retain:
        return Ignored("retained")
    last = message.topic.rpartition("/")[2]
    return Ignored(last) if last in _OTHER_EVENTS else None


def event_kind(topic: str) -> EventKind | None:
    """Of an event topic; None for uplinks, and for what says nothing about a device."""
    last = topic.rpartition("/")[2]
    if last == _V3_LOG:
        return EventKind.LOG
    return EventKind(last) if last in set(EventKind) else None


@dataclass(frozen=True, slots=True)
class Head:
    """What every event has. `time`: when ChirpStack says it was, RFC 3339."""

    dev_eui: str
    dev_addr: str = ""
    time: str | None = None


def event_of(message: Message, kind: EventKind, text: bytes, head: Head) -> DeviceEvent | Rejected:
    """A device's event from its JSON."""
    eui = read_dev_eui(head.dev_eui)
    if isinstance(eui, Rejected):
        return eui
    when = choose(gps_us=(), server_us=rfc3339_us(head.time), gateway_us=None, arrived_us=message.arrived_us)
    event = DeviceEvent(message.server, eui, kind, when.time_us, message.arrived_us)
    match kind:
        case EventKind.JOIN:
            return replace(event, detail=f"DevAddr {head.dev_addr}"[:MOST_DETAIL])
        case EventKind.STATUS:
            return _with_status(event, text)
        case EventKind.ACK:
            return _with_ack(event, text)
        case EventKind.LOG:
            return _with_log(event, text, error=message.topic.endswith(f"/{_V3_LOG}"))


def _with_status(event: DeviceEvent, text: bytes) -> DeviceEvent | Rejected:
    status = read_json(_status, text)
    if isinstance(status, Rejected):
        return status
    unknown = status.battery_level_unavailable or status.external_power_source
    return replace(
        event,
        battery_percent=None if unknown else round(status.battery_level, 1),
        margin_db=status.margin,
        external_power=status.external_power_source,
    )


def _with_ack(event: DeviceEvent, text: bytes) -> DeviceEvent | Rejected:
    ack = read_json(_ack, text)
    if isinstance(ack, Rejected):
        return ack
    said = "acknowledged" if ack.acknowledged else "not acknowledged"
    return replace(event, detail=f"downlink {ack.f_cnt_down or ack.f_cnt} {said}", error=not ack.acknowledged)


def _with_log(event: DeviceEvent, text: bytes, *, error: bool) -> DeviceEvent | Rejected:
    log = read_json(_log, text)
    if isinstance(log, Rejected):
        return log
    parts = (str(log.code or log.type), log.description or log.error)
    detail = ": ".join(filter(None, parts))[:MOST_DETAIL]
    return replace(event, detail=detail, error=error or log.level in _ERROR)
