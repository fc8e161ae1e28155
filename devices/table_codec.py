"""The codec of a device type that a field table describes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from devices.decoded import Decoded, Frame, decode_each
from devices.errors import DeviceTypeError, Fault
from devices.format import TypeFile
from devices.measurement import Measurement, Rejected
from devices.readout import Readout
from devices.table_decoder import compile_frame
from devices.table_encoder import Values, encode_frame
from devices.table_plan import (
    FieldPlan,
    FlaggedPlan,
    MatchPlan,
    OptionalPlan,
    Plan,
    RecordsPlan,
    TlvPlan,
    inside,
    plan_type,
    walk,
)

Group = tuple[Readout, ...]


class TableCodec:
    """Decodes and encodes by a field table, compiled once."""

    def __init__(self, file: Path, type_file: TypeFile) -> None:
        self.id = type_file.id
        self.frames = plan_type(str(file), type_file)
        self._decoders = {port: compile_frame(frame) for port, frame in self.frames.items()}
        self._any = self._decoders.pop(None, None)

    def decode(self, f_port: int, payload: bytes) -> tuple[Measurement, ...] | Rejected:
        """The measurements of one uplink; never raises on any bytes."""
        decoder = self._decoders.get(f_port, self._any)
        if decoder is None:
            return Rejected("unknown_fport", f"fPort {f_port}")
        if not payload:
            return Rejected("empty_payload", f"fPort {f_port}")
        return decoder(payload)

    def decode_many(
        self,
        frames: Sequence[Frame],
        *,
        within_s: float = math.inf,  # noqa: ARG002 - a table needs microseconds
    ) -> list[Decoded | Rejected]:
        """What `decode` makes of each frame, in their order."""
        return decode_each(self.decode, frames)

    def encode(self, f_port: int, values: Values) -> bytes:
        """The payload that decodes to these values; raises DeviceTypeError where there is none."""
        frame = self.frames.get(f_port) or self.frames.get(None)
        if frame is None or not frame.steps:
            ports = ", ".join(str(port) for port, each in self.frames.items() if each.steps)
            raise DeviceTypeError(
                Fault(self.id, f"fPort {f_port}", "carries no readings", f"readings come on fPort {ports}")
            )
        return encode_frame(self.id, frame, values)

    def readouts(self) -> Iterator[Readout]:
        """Every observed property of every frame, in file order."""
        for frame in self.frames.values():
            yield from walk(frame.steps)

    def variants(self, f_port: int) -> tuple[tuple[Group, ...], ...]:
        """What a frame may carry: for each kind of frame its groups, the first of which is always there."""
        frame = self.frames.get(f_port) or self.frames.get(None)
        return tuple(_variants(frame.steps)) if frame and frame.steps else ()


def _variants(plan: Plan) -> list[tuple[Group, ...]]:
    variants: list[tuple[Group, ...]] = [((),)]
    for step in plan:
        if isinstance(step, FieldPlan):
            if step.readout is not None:
                variants = [((*each[0], step.readout), *each[1:]) for each in variants]
            continue
        if isinstance(step, MatchPlan):
            inner = [*(plan for _, _, plan in step.cases), step.otherwise]
            branches = [branch for each in inner if each is not None for branch in _variants(each)]
            variants = [((*a[0], *b[0]), *a[1:], *b[1:]) for a in variants for b in branches]
            continue
        optional = _optional(step)
        variants = [(*each, *optional) for each in variants]
    return variants


def _optional(step: FlaggedPlan | TlvPlan | OptionalPlan | RecordsPlan) -> list[Group]:
    return [group for plan in inside(step) if (group := tuple(walk(plan)))]


def summarise(codec: TableCodec) -> tuple[tuple[str, ...], Mapping[str, float], frozenset[str]]:
    """Properties in file order, the moduli of the counters, and the required properties of a codec."""
    readouts = list(codec.readouts())
    return (
        tuple(dict.fromkeys(each.property for each in readouts)),
        {each.property: each.wrap for each in readouts if each.wrap is not None},
        frozenset(each.property for each in readouts if each.required),
    )
