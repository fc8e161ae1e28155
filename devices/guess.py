"""Which device types read the payloads of an unknown device, and how much that says."""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devices.catalogue import DeviceType
from devices.decoded import Decoded, Frame
from devices.measurement import Measurement, Quality, Rejected
from devices.table_codec import TableCodec

MOST_FRAMES = 50
_RANDOM = 48
_BELIEVED = {Quality.GOOD, Quality.NOT_EVALUATED, Quality.MISSING}
_WORD = re.compile(r"[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Guess:
    """A device type that reads every payload.

    `named`: what the network server's words (device name, profile) say: "model", "maker" or "".
    `readings` values within the sensor's limits, `failed` outside them, `missing` without a value, over
    `frames` different payloads. `strictness` 0..1: the share of random payloads of the same lengths, on the
    same ports, that the type would not believe; near 0 its reading these payloads says little.
    `newest`: what it reads from the newest payload that has readings.
    """

    type: DeviceType
    named: str
    readings: int
    failed: int
    missing: int
    frames: int
    strictness: float
    newest: tuple[Measurement, ...]

    @property
    def fit(self) -> float:
        """0..1: the share of values there and within limits; half of it where anything would pass."""
        share = self.readings / (self.readings + self.failed + self.missing)
        return round(share * (1 + self.strictness) / 2, 2)

    @property
    def rank(self) -> tuple[int, float, float]:
        """Larger is better: what the words name, the fit, good readings per payload."""
        return ("", "maker", "model").index(self.named), self.fit, round(self.readings / self.frames, 1)

    @property
    def reason(self) -> str:
        """Why, in words of plain English."""
        parts = [f"reads all {self.frames} payloads" if self.frames > 1 else "reads the only payload"]
        good = self.readings + self.failed
        if self.failed:
            parts.append(f"{self.readings} of {good} values are within the sensor's limits")
        else:
            parts.append(f"{_values(good)}, all within the sensor's limits")
        if self.missing:
            parts.append(f"{_values(self.missing)} missing")
        share = round(100 * (1 - self.strictness))
        if share == 0:
            parts.append("no random payload of this length would pass")
        else:
            parts.append(f"{share} % of random payloads of this length would pass as well")
        if self.named:
            parts.append(f"the network server's words name the {self.named}")
        return ", ".join(parts)


def guess(frames: Sequence[Frame], types: Iterable[DeviceType], words: Iterable[str] = ()) -> list[Guess]:
    """The types that read all of the frames, best first; equal ones by id.

    `frames`: newest first; the newest `MOST_FRAMES` different ones are looked at. `words`: what the network
    server calls the device and its profile. A type whose codec is a script of a maker (slow, and hundreds of
    them in a repository) is tried only where the words name it.
    """
    tried = _different(frames)
    said = [_spelt(each) for each in words if each]
    found = []
    for each in types:
        named = _named(each, said)
        if isinstance(each.codec, TableCodec) or named:
            judged = _judge(each, tried, named)
            if judged is not None:
                found.append(judged)
    return sorted(found, key=lambda each: (*(-part for part in each.rank), each.type.id))


def _judge(type_: DeviceType, frames: Sequence[Frame], named: str) -> Guess | None:
    """None where the type does not read all frames, or nothing believable from them."""
    # the first alone: most types are out after it
    decoded: list[Decoded] = []
    for part in (frames[:1], frames[1:]):
        for each in type_.decode_many(part) if part else ():
            if isinstance(each, Rejected):
                return None
            decoded.append(each)
    qualities = [each.quality for one in decoded for each in one.measurements]
    failed = sum(quality not in _BELIEVED for quality in qualities)
    missing = qualities.count(Quality.MISSING)
    readings = len(qualities) - failed - missing
    if not readings or readings < failed:
        return None
    newest = next(each.measurements for each in decoded if each.measurements)
    return Guess(type_, named, readings, failed, missing, len(frames), _strictness(type_, frames), newest)


def _strictness(type_: DeviceType, frames: Sequence[Frame]) -> float:
    """Share of random payloads like these that the type rejects or finds outside its limits."""
    draw = random.Random(0)  # noqa: S311 - the same payloads every time, so that ranks stay
    shapes = [(each.f_port, len(each.payload)) for each in frames]
    tried = [Frame(port, draw.randbytes(length)) for port, length in draw.choices(shapes, k=_RANDOM)]
    return sum(not _believed(each) for each in type_.decode_many(tried)) / _RANDOM


def _believed(decoded: Decoded | Rejected) -> bool:
    if isinstance(decoded, Rejected):
        return False
    qualities = {each.quality for each in decoded.measurements}
    return Quality.GOOD in qualities and qualities <= _BELIEVED


def _different(frames: Sequence[Frame]) -> list[Frame]:
    """Equal payloads on one port once: a hundred of them say no more."""
    first: dict[tuple[int, bytes], Frame] = {}
    for each in frames:
        first.setdefault((each.f_port, each.payload), each)
        if len(first) == MOST_FRAMES:
            break
    return list(first.values())


def _named(type_: DeviceType, said: Sequence[str]) -> str:
    if any(_spelt(type_.model) in each for each in said):
        return "model"
    return "maker" if any(_spelt(type_.maker) in each for each in said) else ""


def _spelt(text: str) -> str:
    """Letters and digits as words of a line: "EM310-UDL", "em310_udl" and "EM310 UDL" are one spelling."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def _values(count: int) -> str:
    return f"{count} value" if count == 1 else f"{count} values"
