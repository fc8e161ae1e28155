"""What goes into a codec, and all that comes out of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from devices.measurement import Measurement, Rejected


@dataclass(frozen=True, slots=True)
class Frame:
    """One uplink's payload as a codec sees it. `received_us`: µs since the epoch, UTC, by the server."""

    f_port: int
    payload: bytes
    received_us: int = 0


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a codec made of one frame.

    `unmapped`: decoded fields that are no observed property here, by path; `warnings`: what the codec itself
    had to say. Both are kept with the uplink and shown to operators.
    """

    measurements: tuple[Measurement, ...]
    unmapped: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()


def decode_each(
    decode: Callable[[int, bytes], tuple[Measurement, ...] | Rejected], frames: Sequence[Frame]
) -> list[Decoded | Rejected]:
    """Each frame by a codec that reads one at a time, leaves nothing unmapped and warns of nothing."""
    found = (decode(each.f_port, each.payload) for each in frames)
    return [each if isinstance(each, Rejected) else Decoded(each) for each in found]
