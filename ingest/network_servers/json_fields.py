"""What the JSON of all network servers has in common: bounded numbers, DevEUI, base64, JSON kept as it is."""

import binascii
import math
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, TypeVar

import msgspec

from devices.measurement import Rejected

MAX_PAYLOAD = 255
"""Bytes; the PHY payload's length is one byte."""

UInt8 = Annotated[int, msgspec.Meta(ge=0, le=255)]
UInt32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]

_T = TypeVar("_T")
_eui = re.compile(r"[0-9a-f]{16}").fullmatch
_MOST_MHZ = 10_000
_NOTHING = (b"", b"null")


def read_json(decoder: msgspec.json.Decoder[_T], payload: bytes) -> _T | Rejected:
    """The message in its Struct, or `malformed_json`, or `wrong_shape` with the path to the fault."""
    try:
        if not payload.isascii():
            payload.decode()  # msgspec does not look inside the strings it skips
        return decoder.decode(payload)
    except msgspec.ValidationError as fault:
        return Rejected("wrong_shape", str(fault))
    except RecursionError:
        return Rejected("malformed_json", "nested too deeply")
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        return Rejected("malformed_json", str(fault))


def read_dev_eui(text: str) -> str | Rejected:
    """A DevEUI as 16 lower-case hex digits, or `bad_dev_eui`."""
    eui = text.lower()
    return eui if _eui(eui) else Rejected("bad_dev_eui", f"{text[:40]!r} is not 16 hex digits")


def read_payload(text: str) -> bytes | Rejected:
    """The bytes of a base64 payload, or `bad_payload_encoding`, `empty_payload`, `oversized_payload`."""
    try:
        payload = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as fault:
        return Rejected("bad_payload_encoding", str(fault))
    return payload_of(payload)


def read_hex_payload(text: str) -> bytes | Rejected:
    """The bytes of a payload in hex, or the rejections of `read_payload`."""
    try:
        payload = binascii.a2b_hex(text)
    except ValueError as fault:
        return Rejected("bad_payload_encoding", str(fault))
    return payload_of(payload)


def payload_of(payload: bytes) -> bytes | Rejected:
    """An application payload of a length that LoRaWAN knows, or `empty_payload`, `oversized_payload`."""
    if not payload:
        return Rejected("empty_payload", "an application port, and not one byte")
    if len(payload) > MAX_PAYLOAD:
        return Rejected("oversized_payload", f"{len(payload)} bytes, at most {MAX_PAYLOAD}")
    return payload


class Location(msgspec.Struct):
    """Where a gateway stands, WGS 84; an empty one is as good as none."""

    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None


def read_place(location: Location | None) -> tuple[float | None, float | None, float | None]:
    """Latitude, longitude, altitude. One of the first two alone: the other is a zero that was left out."""
    if location is None or (location.latitude is None and location.longitude is None):
        return None, None, None
    return location.latitude or 0.0, location.longitude or 0.0, location.altitude or 0.0


def finite(value: float | None) -> float | None:
    """A number that is one; texts in place of numbers can be read as NaN and infinite."""
    return value if value is not None and math.isfinite(value) else None


def hertz(megahertz: float | None) -> int | None:
    """A frequency in MHz as whole Hz; None for what is none."""
    if megahertz is None or not 0 < megahertz < _MOST_MHZ:
        return None
    return round(megahertz * 1_000_000)


def known(times_us: Iterable[int | None]) -> Iterator[int]:
    """The times that could be read; they are read one by one, as far as somebody asks."""
    return (time_us for time_us in times_us if time_us is not None)


def given(raw: msgspec.Raw) -> bytes:
    """The JSON text of an optional field, b"" where it is missing or null."""
    text = bytes(raw)
    return b"" if text in _NOTHING else text
