"""The codec of a device type that its maker's JavaScript reads, with a field map for the meaning."""

from collections.abc import Mapping, Sequence
from typing import Any

from devices.decoded import Decoded, Frame
from devices.errors import DeviceTypeError, Fault
from devices.field_map import FieldMap
from devices.flat import plain_text
from devices.javascript.sandbox import Outcome, Sandbox, Source
from devices.measurement import Measurement, Rejected
from devices.table_encoder import Values

_KILLED = ("timeout", "memory", "crash")
_MOST = 500


class JavascriptCodec:
    """Runs the codec text in the sandbox and reads what it gives by the map."""

    def __init__(self, id_: str, sandbox: Sandbox, source: Source, field_map: FieldMap) -> None:
        self.id = id_
        self.source = source
        self.field_map = field_map
        self._sandbox = sandbox

    def decode(self, f_port: int, payload: bytes) -> tuple[Measurement, ...] | Rejected:
        """The measurements of one uplink; never raises. A codec that asks for the time is told 1970."""
        [decoded] = self.decode_many([Frame(f_port, payload)])
        return decoded if isinstance(decoded, Rejected) else decoded.measurements

    def decode_many(self, frames: Sequence[Frame]) -> list[Decoded | Rejected]:
        """What the codec and the map make of each frame, in their order; never raises."""
        return [self.read(each) for each in self.outcomes(frames)]

    def outcomes(self, frames: Sequence[Frame], *, normalize: bool | None = None) -> list[Outcome]:
        """What the codec itself gives for each frame, in their order; never raises.

        `normalize`: ask for normalizeUplink too; if left out, where the map reads what it gives.
        """
        if normalize is None:
            normalize = self.field_map.normalizes
        return self._sandbox.run(self.source, frames, normalize=normalize) if frames else []

    def read(self, outcome: Outcome) -> Decoded | Rejected:
        """What the map makes of what the codec gave."""
        if outcome.errors:
            return _rejected(outcome.errors)
        if not isinstance(outcome.data, dict):
            return Rejected("codec_error", "the codec gave neither an object nor an error")
        return self.field_map.read(all_data(outcome), outcome.warnings)

    def encode(self, f_port: int, values: Values) -> bytes:
        """Nothing: such a codec reads only. Raises DeviceTypeError."""
        problem = f"{len(values)} values for fPort {f_port}: a JavaScript codec only reads"
        raise DeviceTypeError(Fault(self.id, "codec", problem, "encode with a type that has a field table"))


def all_data(outcome: Outcome) -> Mapping[str, Any]:
    """What the codec gave, empty where it failed; with `normalized`, where normalizeUplink was asked."""
    data: Mapping[str, Any] = outcome.data if isinstance(outcome.data, dict) else {}
    return data if outcome.normalized is None else {**data, "normalized": outcome.normalized}


def _rejected(errors: Sequence[str]) -> Rejected:
    kind = errors[0].partition(":")[0]
    reason = f"codec_{kind}" if len(errors) == 1 and kind in _KILLED else "codec_error"
    return Rejected(reason, plain_text("; ".join(errors))[:_MOST])
