"""How uplinks and readings look inside a journal row.

Uplinks are msgpack arrays in field order, without names: a third of the size. So the order of the fields of
Uplink, Gateway and Message is a file format: new fields go to the end and have a default.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from struct import Struct
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.errors import JournalError
from ingest.reading import READING, Readings
from ingest.uplink import Gateway, Message, TimeSource, Uplink

_UPLINK = tuple(field.name for field in fields(Uplink))
_TIME_SOURCE = _UPLINK.index("time_source")
_GATEWAYS = _UPLINK.index("gateways")
_uplink_fields = attrgetter(*_UPLINK)
_gateway_fields = attrgetter(*(field.name for field in fields(Gateway)))
_message_fields = attrgetter(*(field.name for field in fields(Message)))
_ONE = b"\x91"  # the head of an array with one item
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[list[Any]]).decode
_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


class _Head(msgspec.Struct, array_like=True):
    server: str
    dev_eui: str


_heads = msgspec.msgpack.Decoder(list[_Head]).decode
pack_reading = Struct("<qiBqd").pack
"""One READING record from seq, series, quality, time_us, value."""


def pack_uplinks(uplinks: Iterable[Uplink]) -> bytes:
    """Bytes of some uplinks."""
    rows = []
    for uplink in uplinks:
        row = _uplink_fields(uplink)
        if row[_GATEWAYS]:
            row = (*row[:_GATEWAYS], tuple(map(_gateway_fields, row[_GATEWAYS])), *row[_GATEWAYS + 1 :])
        rows.append(row)
    return _encode(rows)


def unpack_uplinks(blob: bytes) -> list[Uplink]:
    """Uplinks of `pack_uplinks`. Raises JournalError when the bytes are damaged."""
    return [_uplink(row) for row in _rows(blob)]


def change_uplinks(
    blob: bytes, dev_euis: Collection[str], change: Callable[[Uplink], Uplink | None]
) -> tuple[bytes, list[Uplink]]:
    """Bytes with other uplinks where `change` gives one, and those; it is asked for those of some devices.

    The others are not even unpacked. Raises JournalError when the bytes are damaged.
    """
    changed: list[Uplink] = []
    try:
        rows, heads = _split(blob), _heads(blob)
    except msgspec.DecodeError as fault:
        raise _damaged(fault) from fault
    for i, head in enumerate(heads):
        if head.dev_eui in dev_euis:
            [uplink] = unpack_uplinks(_ONE + bytes(rows[i]))
            other = change(uplink)
            if other is not None:
                rows[i] = msgspec.Raw(pack_uplinks([other])[len(_ONE) :])
                changed.append(other)
    return (_encode(rows), changed) if changed else (blob, changed)


def pack_message(message: Message) -> bytes:
    """Bytes of one MQTT message."""
    return _encode([_message_fields(message)])


def unpack_message(blob: bytes) -> Message:
    """Message of `pack_message`. Raises JournalError when the bytes are damaged."""
    return Message(*_rows(blob)[0])


def unpack_readings(blob: bytes) -> Readings:
    """Readings in seq order, read-only."""
    return np.frombuffer(blob, READING)


def pack_keys(keys: Iterable[Sequence[int]]) -> bytes:
    """Dedup keys of some uplinks, one after the other."""
    return np.fromiter((key for some in keys for key in some), np.int64).tobytes()


def unpack_keys(blobs: Iterable[bytes]) -> npt.NDArray[np.int64]:
    """Dedup keys of many rows."""
    return np.frombuffer(b"".join(blobs), np.int64)


def _rows(blob: bytes) -> list[list[Any]]:
    try:
        return _decode(blob)
    except msgspec.DecodeError as fault:
        raise _damaged(fault) from fault


def _damaged(fault: Exception) -> JournalError:
    return JournalError(f"a journal row is damaged ({fault}): restore the journal from a backup")


def _uplink(row: list[Any]) -> Uplink:
    row[_TIME_SOURCE] = TimeSource(row[_TIME_SOURCE])
    if len(row) > _GATEWAYS:
        row[_GATEWAYS] = tuple(Gateway(*gateway) for gateway in row[_GATEWAYS])
    return Uplink(*row)
