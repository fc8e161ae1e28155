"""An uplink as the network server delivered it."""

from dataclasses import dataclass
from enum import StrEnum


class TimeSource(StrEnum):
    """Where an uplink's event time comes from, best first."""

    PAYLOAD = "payload"
    GPS = "gps"
    SERVER = "server"
    GATEWAY = "gateway"
    ARRIVAL = "arrival"


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message as it arrived. `arrived_us`: microseconds since the epoch, UTC."""

    server: str
    topic: str
    payload: bytes
    qos: int
    retain: bool
    arrived_us: int


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway's reception. `rssi` dBm, `snr` dB, position WGS 84, altitude m."""

    id: str
    rssi: float | None = None
    snr: float | None = None
    time_us: int | None = None
    lat: float | None = None
    lon: float | None = None
    altitude: float | None = None


@dataclass(frozen=True, slots=True)
class Uplink:
    """A LoRaWAN data uplink, decrypted, deduplicated by the network server.

    `dev_eui` is 16 lower-case hex digits. `session` is what makes `f_cnt` unique (session key id, else
    DevAddr). Times are microseconds since the epoch, UTC: `received_us` by the network server, `arrived_us`
    by us, `time_us` the event time, chosen as `time_source` says.
    `decoded` is the network server's own decoded object as JSON bytes, b"" where there is none.
    `codec_notes` is what our codec said beside the readings, JSON {"unmapped": {...}, "warnings": [...],
    "time_source": "payload" where it dated its values}, b"" where that was nothing.
    """

    server: str
    dev_eui: str
    f_port: int
    f_cnt: int
    session: str
    payload: bytes
    received_us: int
    arrived_us: int
    time_us: int
    time_source: TimeSource
    transport_id: str = ""
    device_name: str = ""
    codec_hint: str = ""
    confirmed: bool = False
    simulated: bool = False
    data_rate: int | None = None
    spreading_factor: int | None = None
    bandwidth_hz: int | None = None
    frequency_hz: int | None = None
    gateways: tuple[Gateway, ...] = ()
    decoded: bytes = b""
    codec_notes: bytes = b""
