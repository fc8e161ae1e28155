"""How an uplink was received, as most network servers tell it, and the Uplink that is made of it."""

from dataclasses import dataclass
from typing import TypedDict, Unpack

import msgspec

from ingest.event_time import EventTime
from ingest.network_servers.lenient import Figure
from ingest.uplink import Gateway, Message, Uplink

_MOST_MHZ = 10_000


class Location(msgspec.Struct):
    """Where a gateway stands, WGS 84; an empty one is as good as none."""

    latitude: Figure | None = None
    longitude: Figure | None = None
    altitude: Figure | None = None


class Reception(msgspec.Struct):
    """One gateway's part in an uplink: dBm, dB. What is left out is zero."""

    rssi: Figure = 0.0
    snr: Figure = 0.0
    location: Location | None = None

    def gateway(self, id_: str, time_us: int | None) -> Gateway:
        """It, by the gateway's name and clock. Of a place one of two alone: the other is a zero left out."""
        place = self.location
        if place is None or (place.latitude is None and place.longitude is None):
            return Gateway(id_, self.rssi, self.snr, time_us)
        lat, lon, altitude = (each or 0.0 for each in (place.latitude, place.longitude, place.altitude))
        return Gateway(id_, self.rssi, self.snr, time_us, lat, lon, altitude)


@dataclass(frozen=True, slots=True)
class Radio:
    """How it was sent, and who heard it. 0: not told."""

    data_rate: int | None = None
    spreading_factor: int | None = 0
    bandwidth_hz: int | None = 0
    frequency_hz: int | None = 0
    gateways: tuple[Gateway, ...] = ()


class Sent(TypedDict, total=False):
    """What an Uplink has beside its times and its radio part."""

    dev_eui: str
    f_port: int
    f_cnt: int
    session: str
    payload: bytes
    transport_id: str
    device_name: str
    codec_hint: str
    confirmed: bool
    simulated: bool
    decoded: bytes


def uplink_of(message: Message, when: EventTime, radio: Radio, **sent: Unpack[Sent]) -> Uplink:
    """The uplink in a message."""
    return Uplink(
        server=message.server,
        received_us=when.received_us,
        arrived_us=message.arrived_us,
        time_us=when.time_us,
        time_source=when.source,
        data_rate=radio.data_rate,
        spreading_factor=radio.spreading_factor or None,
        bandwidth_hz=radio.bandwidth_hz or None,
        frequency_hz=radio.frequency_hz or None,
        gateways=radio.gateways,
        **sent,
    )


def hertz(megahertz: float | None) -> int | None:
    """A frequency in MHz as whole Hz; None for what is none."""
    if megahertz is None or not 0 < megahertz < _MOST_MHZ:
        return None
    return round(megahertz * 1_000_000)
