"""Observations of neighbours as messages, so that they take the way of every uplink into the journal.

The same observation makes the same bytes, so the intake drops it the second time; a corrected value is new.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import orjson

from devices.catalogue import DeviceType
from devices.decoded import Decoded, Frame, decode_each
from devices.errors import DeviceTypeError, Fault
from devices.instant import EARLIEST_US, rfc3339_us
from devices.measurement import Measurement, Quality, Rejected
from devices.properties import observed_properties
from devices.table_encoder import Values
from ingest.neighbours.dwd_cap import PROPERTY
from ingest.neighbours.fields import number, table, text
from ingest.neighbours.observed import MINUTE_US, Observed
from ingest.uplink import Message, TimeSource, Uplink

GAUGE, WARNINGS = "public-gauge", "official-warnings"
_AHEAD_US = 10 * MINUTE_US


def server(kind: str) -> str:
    """Name in place of a network server's; no network server's name has a space."""
    return f"neighbour {kind}"


def dev_eui(kind: str, foreign: str) -> str:
    """What stands for a DevEUI: 16 hex digits that follow from the source and its id of the station."""
    return hashlib.blake2b(f"{kind}\0{foreign}".encode(), digest_size=8).hexdigest()


def to_message(kind: str, observed: Observed, now_us: int) -> Message:
    """One observation as a message that arrived now."""
    time = datetime.fromtimestamp(observed.time_us // 1_000_000, UTC)
    body = {
        "id": observed.foreign,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "property": observed.property,
        "value": observed.value,
        "quality": int(observed.quality),
        **({"note": observed.note} if observed.note else {}),
    }
    return Message(
        server=server(kind),
        topic=dev_eui(kind, observed.foreign),
        payload=orjson.dumps(body),
        qos=1,
        retain=False,
        arrived_us=now_us,
    )


def parse(message: Message) -> Uplink | Rejected:
    """The uplink of `to_message`; never raises on any bytes."""
    body = _body(message.payload)
    if isinstance(body, Rejected):
        return body
    time_us = rfc3339_us(text(body.get("time")))
    if time_us is None or not EARLIEST_US <= time_us <= message.arrived_us + _AHEAD_US:
        return Rejected("time_not_plausible", text(body.get("time")))
    return Uplink(
        server=message.server,
        dev_eui=message.topic,
        f_port=1,
        f_cnt=0,
        session="",
        payload=message.payload,
        received_us=message.arrived_us,
        arrived_us=message.arrived_us,
        time_us=time_us,
        time_source=TimeSource.PAYLOAD,
    )


def neighbour_types() -> Mapping[str, DeviceType]:
    """The device types of neighbours, by id."""
    return MappingProxyType(
        {
            GAUGE: _type(GAUGE, "Öffentlicher Pegel", "Public gauge", "level", 900, "water_level"),
            WARNINGS: _type(WARNINGS, "Amtliche Warnungen", "Official warnings", "rain", 600, PROPERTY),
        }
    )


class _Codec:
    def decode(self, f_port: int, payload: bytes) -> tuple[Measurement, ...] | Rejected:  # noqa: ARG002 - the codec's protocol
        body = _body(payload)
        if isinstance(body, Rejected):
            return body
        name, value, quality = (
            text(body.get("property")),
            number(body.get("value")),
            number(body.get("quality")),
        )
        if name not in observed_properties() or value is None or quality not in set(Quality):
            return Rejected("bad_observation", "property, value or quality is missing or unknown")
        return (Measurement(name, value, Quality(int(quality))),)

    def decode_many(
        self,
        frames: Sequence[Frame],
        *,
        within_s: float = math.inf,  # noqa: ARG002 - the codec's protocol
    ) -> list[Decoded | Rejected]:
        return decode_each(self.decode, frames)

    def encode(self, f_port: int, values: Values) -> bytes:  # noqa: ARG002 - the codec's protocol
        raise DeviceTypeError(Fault("-", "type", "a neighbour is no device", "simulate a device"))


def _body(payload: bytes) -> Mapping[str, object] | Rejected:
    try:
        body = table(orjson.loads(payload))
    except orjson.JSONDecodeError as fault:
        return Rejected("bad_json", str(fault)[:200])
    return body or Rejected("bad_json", "an object was expected")


def _type(id_: str, name_de: str, name_en: str, theme: str, interval_s: float, name: str) -> DeviceType:  # noqa: PLR0913, PLR0917 - a row of a table
    return DeviceType(
        id=id_,
        maker="",
        model=id_,
        name_de=name_de,
        name_en=name_en,
        theme=theme,
        interval_s=interval_s,
        properties=(name,),
        sha256=hashlib.sha256(id_.encode()).hexdigest(),
        codec=_Codec(),
    )
