"""When an uplink happened: which of its clocks to believe.

Times are integer microseconds since the epoch, UTC. Best first: GPS time of a gateway, the network server's
receive time, a gateway's own clock, our arrival. Gateways without GPS send 1970, the eighties or half an hour
ahead, so nothing may be later than the server's receive time by more than a second. (A ChirpStack capture has
its GPS time 0.62 s after the server's.)
"""

from collections.abc import Iterable
from dataclasses import dataclass

from devices.instant import EARLIEST_US, SECOND_US
from ingest.uplink import TimeSource

LATER_THAN_SERVER_US = SECOND_US
SERVER_AHEAD_US = 600 * SECOND_US
GATEWAY_APART_US = 30 * SECOND_US

_GPS_EPOCH_S = 315_964_800  # 1980-01-06T00:00:00Z
_LEAP_SECONDS = 18  # GPS - UTC since 2017-01-01 (IERS Bulletin C 52)


@dataclass(frozen=True, slots=True)
class EventTime:
    """The time chosen, where it comes from, and the network server's receive time, made plausible."""

    time_us: int
    source: TimeSource
    received_us: int


def choose(
    gps_us: Iterable[int], server_us: int | None, gateway_us: int | None, arrived_us: int
) -> EventTime:
    """The best time that can be believed. `gps_us`: one for each gateway that has GPS."""
    server_fits = server_us is not None and EARLIEST_US <= server_us <= arrived_us + SERVER_AHEAD_US
    received_us = server_us if server_fits and server_us is not None else arrived_us
    for time_us in gps_us:
        if EARLIEST_US <= time_us <= received_us + LATER_THAN_SERVER_US:
            return EventTime(time_us, TimeSource.GPS, received_us)
    if server_fits:
        return EventTime(received_us, TimeSource.SERVER, received_us)
    if server_us is None and gateway_us is not None:
        apart_us = gateway_us - received_us
        if -GATEWAY_APART_US <= apart_us <= LATER_THAN_SERVER_US:
            return EventTime(gateway_us, TimeSource.GATEWAY, received_us)
    return EventTime(arrived_us, TimeSource.ARRIVAL, received_us)


def payload_time_fits(time_us: int, received_us: int) -> bool:
    """Whether a time that the device itself wrote into its payload can be believed."""
    return EARLIEST_US <= time_us <= received_us + LATER_THAN_SERVER_US


def gps_duration_us(text: str | None) -> int | None:
    """Time of a duration since the GPS epoch as protobuf writes it in JSON ("1462878464.981566256s")."""
    if not text or text[-1] != "s":
        return None
    whole, _, fraction = text[:-1].partition(".")
    if not (whole.isascii() and whole.isdecimal() and len(whole) <= len("9999999999")):
        return None
    if fraction and not (fraction.isascii() and fraction.isdecimal()):
        return None
    return (int(whole) + _GPS_EPOCH_S - _LEAP_SECONDS) * SECOND_US + int(f"{fraction[:6]:0<6}")
