"""What a network server tells of a device beside its uplinks."""

from dataclasses import dataclass
from enum import StrEnum

MOST_DETAIL = 300
_DEV_STATUS_MAX = 254


class EventKind(StrEnum):
    """What happened: it joined, answered a status request, caused a log entry, acknowledged a downlink."""

    JOIN = "join"
    STATUS = "status"
    LOG = "log"
    ACK = "ack"


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """One event. `dev_eui` is 16 lower-case hex digits; times are microseconds since the epoch, UTC.

    `battery_percent` and `margin_db` (SNR of the last downlink minus what it takes, dB) come with a status;
    no battery level with `external_power`, or when the device cannot tell. `error`: something for people to
    look at.
    """

    server: str
    dev_eui: str
    kind: EventKind
    time_us: int
    arrived_us: int
    detail: str = ""
    error: bool = False
    battery_percent: float | None = None
    margin_db: int | None = None
    external_power: bool = False


def battery_percent(raw: int) -> float | None:
    """Percent of what DevStatusAns says, 1 to 254 (LoRaWAN L2 1.0.4, 5.5); None for 0 and 255."""
    return None if not 0 < raw <= _DEV_STATUS_MAX else round(raw / _DEV_STATUS_MAX * 100, 1)
