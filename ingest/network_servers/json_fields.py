"""What the JSON of all network servers has in common: bounded numbers, DevEUI, base64, JSON kept as it is."""

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from devices.measurement import Rejected

MAX_PAYLOAD = 255
"""Bytes; the PHY payload's length is one byte."""

UInt8 = Annotated[int, msgspec.Meta(ge=0, le=255)]
UInt32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]

_eui = re.compile(r"[0-9a-f]{16}").fullmatch
_NOTHING = (b"", b"null")


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


def known(times_us: Iterable[int | None]) -> Iterator[int]:
    """The times that could be read; they are read one by one, as far as somebody asks."""
    return (time_us for time_us in times_us if time_us is not None)


def given(raw: msgspec.Raw) -> bytes:
    """The JSON text of an optional field, b"" where it is missing or null."""
    text = bytes(raw)
    return b"" if text in _NOTHING else text
