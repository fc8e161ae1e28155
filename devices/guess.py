"""Which device types read the payloads of an unknown device, and how much that says."""

import random
import re
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from devices.catalogue import DeviceType
from devices.decoded import Decoded, Frame
from devices.measurement import Measurement, Quality, Rejected
from devices.table_codec import TableCodec

MOST_FRAMES = 50
_RANDOM = 48
_CHANGED = 64
_LIMITS = frozenset({"codec_timeout", "codec_memory", "codec_crash"})
_BELIEVED = {Quality.GOOD, Quality.NOT_EVALUATED, Quality.MISSING}
_WORD = re.compile(r"[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Guess:
    """A device type that reads every payload.

    `named`: what the network server's words (device name, profile) say: "model", "maker" or "".
    `readings` values within the sensor's limits, `failed` outside them, `missing` without a value, over
    `frames` different payloads. `strictness` 0..1: the share of random payloads of the same lengths, on the
    same ports, that the type would not believe; near 0 its reading these payloads says little. `heeded` 0..1:
    the share of their bytes that count, since changing one changes the values or has the type refuse.
    `seen`: so many of the type's properties have a value in one of the payloads. `newest`: what it reads from
    the newest payload that has readings.
    """

    type: DeviceType
    named: str
    readings: int
    failed: int
    missing: int
    frames: int
    strictness: float
    heeded: float
    seen: int
    newest: tuple[Measurement, ...]

    @property
    def fit(self) -> float:
        """0..1: the share of values within limits, by the share of bytes they come from.

        Half of it where anything would pass.
        """
        share = self.readings / (self.readings + self.failed)
        return round(share * self.heeded * (1 + self.strictness) / 2, 2)

    @property
    def rank(self) -> tuple[int, float, float, float]:
        """Larger is better.

        What the words name, the fit, the share of its properties that it sends, good readings per payload.
        """
        named = ("", "maker", "model").index(self.named)
        sends = self.seen / len(self.type.properties) if self.type.properties else 0.0
        return named, self.fit, sends, round(self.readings / self.frames, 1)

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
        parts.append(f"{round(100 * self.heeded)} % of the bytes count")
        parts.append(f"{self.seen} of the {len(self.type.properties)} things it measures are there")
        share = round(100 * (1 - self.strictness))
        if share == 0:
            parts.append("no random payload of this length would pass")
        else:
            parts.append(f"{share} % of random payloads of this length would pass as well")
        if self.named:
            parts.append(f"the network server's words name the {self.named}")
        return ", ".join(parts)


class Unread:
    """Payloads that a script did not read, by script: no later search runs it on them. Bounded."""

    def __init__(self, most: int = 20_000) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, int, bytes], None] = OrderedDict()

    def add(self, type_: DeviceType, frame: Frame) -> None:
        """The script of this type does not read the frame; the oldest are forgotten."""
        self._known[type_.sha256, frame.f_port, frame.payload] = None
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def among(self, type_: DeviceType, frames: Iterable[Frame]) -> bool:
        """Whether the script is known not to read one of them."""
        return any((type_.sha256, each.f_port, each.payload) in self._known for each in frames)


class Search:
    """Which types read all of the frames, worked out step by step. Not thread-safe.

    `frames`: newest first; the newest `MOST_FRAMES` different ones are looked at. `words`: what the network
    server calls the device and its profile. A type whose codec is a script of a maker (slow, and hundreds of
    them in a repository) is tried only where the words name it, after the others, and one payload a step:
    such a step may take as long as a sandbox allows. With the first payload that it does not read it is out.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        types: Iterable[DeviceType],
        words: Iterable[str] = (),
        unread: Unread | None = None,
    ) -> None:
        tried = _different(frames)
        said = [_spelt(each) for each in words if each]
        self._unread = Unread() if unread is None else unread
        self._found: list[Guess] = []
        chosen = [(each, _named(each, said)) for each in types] if tried else []
        chosen.sort(key=lambda each: each[1] != "model")
        self._tables = deque(
            self._judge(each, tried, named) for each, named in chosen if not _is_script(each)
        )
        self._scripts = deque(
            self._judge(each, tried, named) for each, named in chosen if named and _is_script(each)
        )

    @property
    def found(self) -> list[Guess]:
        """The types found so far, best first; equal ones by id."""
        return sorted(self._found, key=lambda each: (*(-part for part in each.rank), each.type.id))

    @property
    def untried(self) -> int:
        """Types of which nothing is known yet, or not all."""
        return len(self._tables) + len(self._scripts)

    def go_on(self, enough: Callable[[], bool] = lambda: False, *, scripts: bool = True) -> None:
        """Take steps until it is `enough`, or nothing is left; without `scripts` none of a script."""
        for left in (self._tables, self._scripts) if scripts else (self._tables,):
            while left and not enough():
                try:
                    next(left[0])
                except StopIteration as done:
                    left.popleft()
                    if done.value is not None:
                        self._found.append(done.value)

    def _judge(
        self, type_: DeviceType, frames: Sequence[Frame], named: str
    ) -> Generator[None, None, Guess | None]:
        """None where the type does not read all frames, or nothing believable from them."""
        if self._unread.among(type_, frames):
            return None
        decoded: list[Decoded] = []
        for part in _parts(type_, frames):
            yield
            for frame, each in zip(part, type_.decode_many(part), strict=True):
                if isinstance(each, Rejected):
                    if _is_script(type_) and each.reason not in _LIMITS:
                        self._unread.add(type_, frame)
                    return None
                decoded.append(each)
        qualities = [each.quality for one in decoded for each in one.measurements]
        failed = sum(quality not in _BELIEVED for quality in qualities)
        missing = qualities.count(Quality.MISSING)
        readings = len(qualities) - failed - missing
        if not readings or readings < failed:
            return None
        strictness = yield from _strictness(type_, frames)
        heeded = yield from _heeded(type_, frames, decoded)
        with_value = {
            each.property for one in decoded for each in one.measurements if each.quality != Quality.MISSING
        }
        return Guess(
            type=type_,
            named=named,
            readings=readings,
            failed=failed,
            missing=missing,
            frames=len(frames),
            strictness=strictness,
            heeded=heeded,
            seen=len(with_value & set(type_.properties)),
            newest=next(each.measurements for each in decoded if each.measurements),
        )


def guess(frames: Sequence[Frame], types: Iterable[DeviceType], words: Iterable[str] = ()) -> list[Guess]:
    """The types that read all of the frames, best first: a search to its end."""
    search = Search(frames, types, words)
    search.go_on()
    return search.found


def _is_script(type_: DeviceType) -> bool:
    return not isinstance(type_.codec, TableCodec)


def _parts(type_: DeviceType, frames: Sequence[Frame]) -> Iterator[Sequence[Frame]]:
    """What to decode at once: of a table the first alone, since most types are out after it."""
    if _is_script(type_):
        yield from ([each] for each in frames)
    else:
        yield from filter(None, (frames[:1], frames[1:]))


def _decoded(type_: DeviceType, frames: Sequence[Frame]) -> Generator[None, None, list[Decoded | Rejected]]:
    """What the type makes of the first frames, up to one with which it ran into a limit, without that."""
    found: list[Decoded | Rejected] = []
    for part in _parts(type_, frames):
        yield
        for each in type_.decode_many(part):
            if isinstance(each, Rejected) and each.reason in _LIMITS:
                return found
            found.append(each)
    return found


def _strictness(type_: DeviceType, frames: Sequence[Frame]) -> Generator[None, None, float]:
    """Share of random payloads like these that the type rejects or finds outside its limits."""
    draw = random.Random(0)  # noqa: S311 - the same payloads every time, so that ranks stay
    shapes = [(each.f_port, len(each.payload)) for each in frames]
    tried = [Frame(port, draw.randbytes(length)) for port, length in draw.choices(shapes, k=_RANDOM)]
    found = yield from _decoded(type_, tried)
    return sum(not _believed(each) for each in found) / len(found) if found else 0.0


def _heeded(
    type_: DeviceType, frames: Sequence[Frame], decoded: Sequence[Decoded]
) -> Generator[None, None, float]:
    """Share of the bytes whose complement gives other values or none."""
    draw = random.Random(0)  # noqa: S311 - the same bytes every time, so that ranks stay
    places = [(i, at) for i, each in enumerate(frames) for at in range(len(each.payload))]
    if len(places) > _CHANGED:
        places = draw.sample(places, _CHANGED)
    found = yield from _decoded(type_, [_changed(frames[i], at) for i, at in places])
    kept = sum(
        isinstance(new, Decoded) and new.measurements == decoded[i].measurements
        for (i, _), new in zip(places, found, strict=False)
    )
    return 1 - kept / len(found) if found else 0.0


def _changed(frame: Frame, at: int) -> Frame:
    payload = bytearray(frame.payload)
    payload[at] ^= 0xFF
    return Frame(frame.f_port, bytes(payload), frame.received_us)


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
