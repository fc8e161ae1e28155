"""The codec of a device type that its maker's JavaScript reads, with a field map for the meaning."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from devices.decoded import Decoded, Frame
from devices.errors import DeviceTypeError, Fault
from devices.field_map import FieldMap
from devices.flat import plain_text
from devices.javascript.outcome import Outcome
from devices.javascript.sandbox import Sandbox, Source
from devices.measurement import Measurement, Rejected, Waiting
from devices.table_encoder import Values

WAITING = "codec_waiting"
"""Reason of an uplink whose codec could not be asked, or did not answer, through no fault of the uplink."""
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

    def decode_many(self, frames: Sequence[Frame], *, within_s: float = math.inf) -> list[Decoded | Rejected]:
        """What the codec and the map make of each frame, in their order; never raises.

        `Waiting` where the codec could not be asked, and where `within_s` seconds were not enough.
        """
        return [self.read(each) for each in self.outcomes(frames, within_s=within_s)]

    def outcomes(
        self, frames: Sequence[Frame], *, normalize: bool | None = None, within_s: float = math.inf
    ) -> list[Outcome]:
        """What the codec itself gives for each frame, in their order; never raises.

        `normalize`: ask for normalizeUplink too; if left out, where the map reads what it gives.
        """
        if normalize is None:
            normalize = self.field_map.normalizes
        return self._sandbox.run(self.source, frames, normalize=normalize, within_s=within_s)

    def read(self, outcome: Outcome) -> Decoded | Rejected:
        """What the map makes of what the codec gave."""
        if outcome.wait_s is not None:
            return Waiting(WAITING, plain_text("; ".join(outcome.errors))[:_MOST], outcome.wait_s)
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
