"""A network server's JSON, read by the paths of a mapping file. What no path can say needs its own module."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from devices.instant import rfc3339_us
from devices.measurement import Rejected
from ingest.event_time import choose
from ingest.network_servers.json_fields import (
    read_dev_eui,
    read_hex_payload,
    read_payload,
)
from ingest.network_servers.kind import Ignored, NetworkServerKind
from ingest.network_servers.lenient import figure, read_json
from ingest.network_servers.mapping_file import MappingFile
from ingest.network_servers.radio import Radio, hertz, uplink_of
from ingest.uplink import Gateway, Message, Uplink

_PER_UNIT: Mapping[str, int] = {"unix_s": 1_000_000, "unix_ms": 1_000, "unix_us": 1}
_MOST_US = 10**17  # the year 5138
_MOST_PORT, _MOST_COUNT = 255, 2**32 - 1
_YES = {"true", "1"}
_MHZ: Mapping[str, float] = {"Hz": 1e-6, "MHz": 1.0}
_data_rate = re.compile(r"SF(\d{1,2})\s*BW(\d{1,4})").match
# float: a number too large for one is infinite, and no reason to refuse the message
_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=float)
_ENCRYPTED = "the payload is still encrypted: let the network server decrypt it"


def mapped_kind(mapping: MappingFile, kind: str = "json") -> NetworkServerKind:
    """A kind of network server that a mapping describes."""
    return NetworkServerKind(
        kind=kind,
        name=mapping.name,
        mqtt="3.1.1",
        topics=mapping.topics,
        qos0_remedy=mapping.qos0_remedy,
        loss_window="QoS 1: none, while the broker keeps our session and what it may queue. QoS 0: whatever "
        "is sent while we or the broker are away.",
        parse=_Parser(mapping).parse,
    )


class _WrongError(Exception):
    """What stands at a path cannot be used; ends one parse and never leaves it."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(rejected.detail)
        self.rejected = rejected


@dataclass(frozen=True, slots=True)
class _Parser:
    mapping: MappingFile

    def parse(self, message: Message) -> Uplink | Rejected | Ignored:
        """The uplink in one message."""
        if message.retain:
            return Ignored("retained")
        body = read_json(_decoder, message.payload)
        if isinstance(body, Rejected):
            return body
        for path, values in self.mapping.when.items():
            found = _at(body, path)
            # True is 1 and 1.0 in Python, and another thing in JSON
            if not any(
                found == each and isinstance(found, bool) == isinstance(each, bool) for each in values
            ):
                return Ignored("no_uplink")
        try:
            return self._uplink(message, body)
        except _WrongError as wrong:
            return wrong.rejected

    def _uplink(self, message: Message, body: Mapping[str, Any]) -> Uplink | Rejected | Ignored:
        paths = self.mapping.uplink
        f_port = _whole(body, paths.f_port, _MOST_PORT) or 0
        payload = self._payload(body)
        if payload is None or f_port == 0:
            return Ignored("mac_only")
        if isinstance(payload, Rejected):
            return payload
        dev_eui = read_dev_eui(re.sub("[-:]", "", _text(body, paths.dev_eui)))
        if isinstance(dev_eui, Rejected):
            return dev_eui
        gateways = tuple(self._gateways(body))
        time_us = _time(body, paths.time, paths.time_form)
        when = choose(
            gps_us=(time_us,) if time_us is not None and paths.time_of == "gps" else (),
            server_us=time_us if paths.time_of == "server" else None,
            gateway_us=time_us
            if paths.time_of == "gateway"
            else next((each.time_us for each in gateways if each.time_us is not None), None),
            arrived_us=message.arrived_us,
        )
        f_cnt = _whole(body, paths.f_cnt, _MOST_COUNT)
        session = _together(body, paths.session).lower()
        if time_us is not None and (f_cnt is None or not session):
            # without a counter, or a session that makes it unique, the server's time tells two uplinks apart
            session = f"{session}@{time_us}"
        elif f_cnt is None:
            session = f"{session}@{message.arrived_us}"
        spreading, bandwidth = self._modulation(body)
        frequency = _number(body, paths.frequency)
        radio = Radio(
            data_rate=_small(body, paths.data_rate, _MOST_PORT),
            spreading_factor=spreading,
            bandwidth_hz=bandwidth,
            frequency_hz=None if frequency is None else hertz(frequency * _MHZ[paths.frequency_unit]),
            gateways=gateways,
        )
        return uplink_of(
            message,
            when,
            radio,
            dev_eui=dev_eui,
            f_port=f_port,
            f_cnt=f_cnt or 0,
            session=session,
            payload=payload,
            transport_id=_together(body, paths.transport_id),
            device_name=_text(body, paths.device_name),
            codec_hint=_text(body, paths.codec_hint),
            confirmed=str(_first(body, paths.confirmed)).lower() in _YES,
            decoded=_json(_first(body, paths.decoded)),
        )

    def _payload(self, body: Mapping[str, Any]) -> bytes | Rejected | None:
        paths = self.mapping.uplink
        found = _first(body, paths.payload)
        if found is None or found == "":
            return Rejected("encrypted", _ENCRYPTED) if _first(body, paths.encrypted) else None
        if not isinstance(found, str):
            return _wrong(paths.payload, "a text was expected")
        return (read_hex_payload if paths.payload_encoding == "hex" else read_payload)(found)

    def _modulation(self, body: Mapping[str, Any]) -> tuple[int | None, int | None]:
        paths = self.mapping.uplink
        if match := _data_rate(_text(body, paths.data_rate_text)):
            return int(match[1]), int(match[2]) * 1000
        spreading = _small(body, paths.spreading_factor, _MOST_PORT)
        return spreading, _small(body, paths.bandwidth_hz, _MOST_COUNT)

    def _gateways(self, body: Mapping[str, Any]) -> Iterator[Gateway]:
        paths = self.mapping.gateways
        if paths is None:
            return
        receptions = _first(body, paths.list) if paths.list else [body]
        for each in receptions if isinstance(receptions, list) else ():
            if isinstance(each, dict):
                gateway = Gateway(
                    id=_text(each, paths.id).lower(),
                    rssi=_number(each, paths.rssi),
                    snr=_number(each, paths.snr),
                    time_us=_time(each, paths.time, paths.time_form),
                    lat=_number(each, paths.lat),
                    lon=_number(each, paths.lon),
                    altitude=_number(each, paths.altitude),
                )
                if gateway != _NOBODY:
                    yield gateway


_NOBODY = Gateway("")


def _at(body: Any, path: str) -> Any:
    """What stands at a path, None for nothing."""
    for part in path.split("."):
        if isinstance(body, dict):
            body = body.get(part)
        elif isinstance(body, list) and part.isascii() and part.isdecimal() and len(part) <= len("999"):
            body = body[int(part)] if int(part) < len(body) else None
        else:
            return None
    return body


def _first(body: Any, paths: Sequence[str]) -> Any:
    for path in paths:
        if (found := _at(body, path)) is not None:
            return found
    return None


def _wrong(paths: Sequence[str], problem: str) -> Rejected:
    return Rejected("wrong_shape", f"{' or '.join(paths)}: {problem}")


def _text(body: Any, paths: Sequence[str]) -> str:
    """A text, or a number as it is written; "" for nothing and for anything else."""
    found = _first(body, paths)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def _together(body: Any, paths: Sequence[str]) -> str:
    """Everything that stands at the paths; "" where one of them has nothing: half an id is none."""
    parts = [_text(body, (path,)) for path in paths]
    return " ".join(parts) if all(parts) else ""


def _number(body: Any, paths: Sequence[str]) -> float | None:
    """A number, also in a text; None for nothing and for what is none: signal is no reason to refuse."""
    return figure(_first(body, paths))


def _small(body: Any, paths: Sequence[str], most: int) -> int | None:
    """A whole number from 0 to `most`; None for nothing and for anything else."""
    number = _number(body, paths)
    fits = number is not None and number.is_integer() and 0 <= number <= most
    return int(number) if fits and number is not None else None


def _whole(body: Any, paths: Sequence[str], most: int) -> int | None:
    """As `_small`, where anything else is a reason to refuse the uplink."""
    number = _small(body, paths, most)
    if number is None and _first(body, paths) is not None:
        raise _WrongError(_wrong(paths, f"a whole number from 0 to {most} was expected"))
    return number


def _time(body: Any, paths: Sequence[str], form: str) -> int | None:
    if form == "rfc3339":
        found = _first(body, paths)
        return rfc3339_us(found) if isinstance(found, str) else None
    number = _number(body, paths)
    if number is None or math.fabs(number * _PER_UNIT[form]) > _MOST_US:
        return None
    return round(number * _PER_UNIT[form])


def _json(value: Any) -> bytes:
    return b"" if value is None else msgspec.json.encode(value)
