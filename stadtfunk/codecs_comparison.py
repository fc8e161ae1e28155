"""Two versions of a device type side by side: over recorded payloads, and what their field maps mean."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isclose
from typing import Any, Final

from devices.catalogue import DeviceType
from devices.decoded import Decoded, Frame
from devices.flat import TooManyFieldsError, flat
from devices.javascript.codec import JavascriptCodec, all_data
from devices.javascript.outcome import Outcome
from devices.measurement import Rejected
from devices.properties import observed_properties
from stadtfunk.codecs_meaning import meaning


class _Absent:
    """In the place of a value that is not there: no value of a codec is the same."""


ABSENT: Final = _Absent()


@dataclass(slots=True)
class Difference:
    """One field or reading that two versions say differently: in how many uplinks, and the first of them.

    `ratio`: new by old where that is the same in all of them; `note`: what else is to be said of it.
    """

    kind: str
    name: str
    old: Any
    new: Any
    payload: bytes
    note: str = ""
    count: int = 0
    ratio: float | None = None
    _ratios: list[float | None] = field(default_factory=list)

    def add(self, old: Any, new: Any) -> None:
        """One more uplink that differs in it."""
        self.count += 1
        self._ratios.append(_ratio(old, new))
        first = self._ratios[0]
        same = first is not None and all(each is not None and isclose(each, first) for each in self._ratios)
        self.ratio = first if same else None

    def __str__(self) -> str:
        """One line."""
        ratio = f", always {self.ratio:.6g} times" if self.ratio is not None else ""
        old = "not there" if self.old is ABSENT else _shown(self.old)
        change = f"{old} -> {'gone' if self.new is ABSENT else _shown(self.new)}"
        example = f"e.g. {self.payload.hex()}"
        note = f"{self.note}; " if self.note else ""
        return line(self.kind, f"{self.name}: {change} ({note}in {self.count} uplinks{ratio}, {example})")


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two versions of a type: over some uplinks, and in the meaning of their maps.

    `meaning`: a line for everything the maps say differently. `unseen`: a line for every mapped field that is
    in no recorded payload, empty where the codec's text is the same.
    """

    uplinks: int
    meaning: Sequence[str]
    differences: Sequence[Difference]
    unseen: Sequence[str] = ()

    @property
    def same(self) -> bool:
        """Whether recorded payloads were compared, and no field, value, unit or meaning differs."""
        return bool(self.uplinks) and not self.meaning and not self.differences

    @property
    def verdict(self) -> str:
        """One line."""
        if not self.uplinks:
            maps = "the maps differ" if self.meaning else "the maps mean the same"
            return (
                f"not compared: no recorded payload of this type, so nothing is known of its values; {maps}"
            )
        if self.meaning or self.differences:
            return "not the same: see each line above"
        rest = f", as far as recorded: {len(self.unseen)} mapped fields are not" if self.unseen else ""
        return f"the same in all fields, readings and meaning{rest}"


def compared(old: DeviceType, new: DeviceType, frames: Sequence[Frame]) -> Comparison:
    """Both versions over the same frames; every difference in field, value, unit and meaning."""
    before, after = _codec(old), _codec(new)
    # both are asked the same, or what one map does not read would seem gone
    normalize = before.field_map.normalizes or after.field_map.normalizes
    required = before.field_map.required | after.field_map.required
    found: dict[tuple[str, str], Difference] = {}
    given: set[str] = set()
    outcomes = (each.outcomes(frames, normalize=normalize) for each in (before, after))
    for frame, one, other in zip(frames, *outcomes, strict=True):
        fields = _fields(one), _fields(other)
        given.update(*fields)
        rows = (("field", *fields), ("reading", _readings(before, one), _readings(after, other)))
        for kind, left, right in rows:
            for name in [*left, *(each for each in right if each not in left)]:
                a, b = left.get(name, ABSENT), right.get(name, ABSENT)
                if _equal(a, b) or (
                    kind == "reading" and name.endswith(_QUALITY) and (a is ABSENT or b is ABSENT)
                ):  # said with the reading
                    continue
                note = "required" if kind == "reading" and b is ABSENT and _property(name) in required else ""
                known = found.setdefault((kind, name), Difference(kind, name, a, b, frame.payload, note))
                known.add(a, b)
    said = meaning((old, before.field_map), (new, after.field_map), given)
    same_text = before.source.sha256 == after.source.sha256
    return Comparison(len(frames), said.changes, list(found.values()), () if same_text else said.unseen)


def line(kind: str, text: str) -> str:
    """One line for a terminal."""
    # names and texts are the codec's: none may write over what the operator decides by
    return "".join(each if each.isprintable() else "?" for each in f"{kind:8} {text}")


def _codec(device_type: DeviceType) -> JavascriptCodec:
    if not isinstance(device_type.codec, JavascriptCodec):
        raise TypeError(device_type.id)
    return device_type.codec


def _fields(outcome: Outcome) -> Mapping[str, Any]:
    said = {"(errors)": "; ".join(outcome.errors), "(warnings)": "; ".join(outcome.warnings)}
    try:
        found = flat(all_data(outcome))
    except TooManyFieldsError:
        found, said["(fields)"] = {}, "too many"
    return {**found, **{name: text for name, text in said.items() if text}}


def _readings(codec: JavascriptCodec, outcome: Outcome) -> Mapping[str, Any]:
    read: Decoded | Rejected = codec.read(outcome)
    if isinstance(read, Rejected):
        return {"(rejected)": read.reason}
    rows: dict[str, Any] = {}
    for each in read.measurements:
        channel = f"/{each.channel}" if each.channel else ""
        unit = observed_properties()[each.property].unit
        rows[f"{each.property}{channel} in {unit}"] = each.value
        if each.value is not None:
            rows[f"{each.property}{channel}{_QUALITY}"] = f"{int(each.quality)} {each.quality.name.lower()}"
        if each.time_us is not None:
            when = _EPOCH + timedelta(microseconds=each.time_us)
            rows[f"{each.property}{channel} measured at"] = when.isoformat()
    return rows


def _property(reading: str) -> str:
    return reading.partition(" ")[0].partition("/")[0]


_QUALITY = " quality"
_EPOCH = datetime.fromtimestamp(0, UTC)


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def _ratio(old: Any, new: Any) -> float | None:
    numbers = [each for each in (old, new) if isinstance(each, int | float) and not isinstance(each, bool)]
    return numbers[1] / numbers[0] if len(numbers) == 2 and numbers[0] else None  # noqa: PLR2004 - a pair


def _shown(value: Any) -> str:
    """As JSON has it, so that the text "30" is told from the number; a missing reading is null."""
    if isinstance(value, float):
        return f"{value:.10g}"
    return json.dumps(value, ensure_ascii=False)[:100]
