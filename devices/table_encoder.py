"""Writes the payload that decodes to given values: the inverse of devices.table_decoder, by the same plan."""

import itertools
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from devices.errors import DeviceTypeError, Fault
from devices.readout import Clock, Readout
from devices.table_plan import (
    LENGTH,
    FieldPlan,
    FlaggedPlan,
    FramePlan,
    MatchPlan,
    OptionalPlan,
    Plan,
    RecordsPlan,
    TlvPlan,
    clock_of,
    walk,
)

Key = tuple[str, str, int | None]
"""Property, channel, and the time in the payload, None where it has none."""
Values = Mapping[str | tuple[str, str], float | None] | Mapping[str | tuple[str, str] | Key, float | None]
_FLOATS = {2: "e", 4: "f", 8: "d"}


class _Impossible(Exception):  # noqa: N818 - caught in this module, where cases are tried in turn
    def __init__(self, key: str, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.key, self.problem, self.remedy = key, problem, remedy


def encode_frame(type_id: str, frame: FramePlan, values: Values) -> bytes:
    """The payload for `values`: property or (property, channel) -> value in the property's unit.

    Of a value that the payload dates, (property, channel, µs since 1970). None: the device has none. Raises
    DeviceTypeError naming the value that cannot be sent.
    """
    wanted: dict[Key, float | None] = {
        (key, "", None) if isinstance(key, str) else (*key, None)[:3]: value for key, value in values.items()
    }
    reported = {each.key for each in walk(frame.steps) if each.required == "report"}
    absent = frozenset(key for key, value in wanted.items() if value is None and key[:2] in reported)
    writer = _Writer(wanted, absent)
    try:
        writer.enter(frame.steps)
        writer.write(frame.steps)
        writer.check_all_used(frame.steps)
    except _Impossible as error:
        raise DeviceTypeError(Fault(type_id, error.key, error.problem, error.remedy)) from error
    return bytes(writer.out)


def _float_layout(step: FieldPlan) -> str:
    return ("<" if step.little else ">") + _FLOATS[step.size]


def _cases(step: MatchPlan) -> Iterator[tuple[int, Plan]]:
    """Each case with a value that chooses it."""
    for low, _, plan in step.cases:
        yield low, plan
    if step.otherwise is not None:
        free = next(
            value
            for value in itertools.count()
            if not any(low <= value <= high for low, high, _ in step.cases)
        )
        yield free, step.otherwise


def _chosen(step: MatchPlan, value: int) -> Plan | None:
    return next((plan for low, high, plan in step.cases if low <= value <= high), step.otherwise)


def _label(key: Key | tuple[str, str]) -> str:
    return "/".join(part for part in key[:2] if part)


@dataclass(slots=True)
class _Writer:
    """`absent`: what the frame says has no value by not carrying it."""

    values: Mapping[Key, float | None]
    absent: frozenset[Key]
    out: bytearray = field(default_factory=bytearray)
    pos: int = 0
    used: set[Key] = field(default_factory=set)
    variables: dict[str, tuple[int, FieldPlan]] = field(default_factory=dict)
    times: dict[str, int | None] = field(default_factory=dict)
    error: float = 0.0

    def enter(self, plan: Plan) -> None:
        """Takes the time that a plan gives its values, where it may come but once."""
        clock = clock_of(plan)
        if clock is not None:
            self.times[clock.variable] = next(iter(self._times(plan, clock)), None)

    def _times(self, plan: Plan, clock: Clock) -> list[int | None]:
        """The times of what is still to be said that a plan can say and date."""
        keys = {each.key for each in walk(plan) if each.clock == clock}
        unsaid = (key for key in self.values if key not in self.used and key[:2] in keys)
        return list(dict.fromkeys(key[2] for key in unsaid if not (key[2] is None and clock.required)))

    def _key(self, readout: Readout) -> Key:
        clock = readout.clock
        return *readout.key, None if clock is None else self.times.get(clock.variable)

    def write(self, plan: Plan, later: frozenset[tuple[str, str]] = frozenset()) -> None:
        """`later`: what steps after this plan can still say."""
        for i, step in enumerate(plan):
            if isinstance(step, FieldPlan):
                self._field(step)
            elif isinstance(step, FlaggedPlan):
                self._flagged(step)
            elif isinstance(step, MatchPlan):
                self._match(step, later | {each.key for each in walk(plan[i + 1 :])})
            elif isinstance(step, OptionalPlan):
                if self._wanted(step.rest):
                    self.write(step.rest, later)
            elif isinstance(step, RecordsPlan):
                self._records(step)
            else:
                self._tlv(step)

    def check_all_used(self, plan: Plan) -> None:
        for key in self.values:
            if key not in self.used | self.absent:
                names = ", ".join(dict.fromkeys(_label(each.key) for each in walk(plan)))
                raise _Impossible(_label(key), "no place for it in this frame", f"the frame carries {names}")

    def says_all(self, later: frozenset[tuple[str, str]]) -> bool:
        """Whether nothing is left that `later` cannot say."""
        return all(key in self.used or key in self.absent or key[:2] in later for key in self.values)

    def _field(self, step: FieldPlan) -> None:
        raw: float = 0
        if step.readout is not None:
            raw = self._raw(step)
        elif step.clock is not None:
            raw = self._clock(step.clock)
        if step.wire is not None:
            self.variables[step.name] = (self.pos, step)
        self._put(self.pos, step, raw)
        self.pos += step.advance
        self._reserve(self.pos)

    def _raw(self, step: FieldPlan) -> float:
        readout = step.readout
        if readout is None:
            return 0
        key = self._key(readout)
        if key not in self.values:
            raise _Impossible(_label(key), "no value given", "this frame always carries it")
        self.used.add(key)
        value = self.values[key]
        if value is None:
            if readout.sentinels:
                return min(readout.sentinels)
            if readout.floating:
                return math.nan
            raise _Impossible(_label(readout.key), "the device cannot say that it has none", "give a value")
        try:
            raw = readout.raw(value)
        except (ValueError, OverflowError) as error:
            remedy = "give what the device can send"
            raise _Impossible(_label(readout.key), str(error), remedy) from error
        if readout.floating:
            raw = struct.unpack(_float_layout(step), self._packed_float(step, raw))[0]
        self.error += abs(readout.value(raw) - value)
        return raw

    def _clock(self, clock: Clock) -> int:
        try:
            return clock.raw(self.times.get(clock.variable))
        except ValueError as error:
            raise _Impossible("time", str(error), "give what the device can send") from error

    def _put(self, pos: int, step: FieldPlan, raw: float) -> None:
        self._reserve(pos + step.size)
        if step.wire is None:
            return
        endian: Literal["little", "big"] = "little" if step.little else "big"
        if step.wire.code == "f":
            packed = self._packed_float(step, raw)
        elif step.wire.ranges:
            held = int.from_bytes(self.out[pos : pos + step.size], endian)
            packed = (held | step.wire.place(int(raw))).to_bytes(step.size, endian)
        else:
            packed = int(raw).to_bytes(step.size, endian, signed=step.wire.code == "s")
            if step.wire.words and not step.little:
                packed = packed[2:] + packed[:2]
        self.out[pos : pos + step.size] = packed

    @staticmethod
    def _packed_float(step: FieldPlan, raw: float) -> bytes:
        try:
            return struct.pack(_float_layout(step), raw)
        except OverflowError as error:
            raise _Impossible(step.name, f"{raw} is too large", "give what the device can send") from error

    def _reserve(self, size: int) -> None:
        if len(self.out) < size:
            self.out.extend(bytes(size - len(self.out)))

    def _wanted(self, plan: Plan) -> bool:
        """Whether a part that may be absent has something to say.

        Where all it could say is that there is no value, it says so if it can, and else by its absence.
        """
        logs = {each.key for each in walk(plan) if each.clock and each.clock.variable not in self.times}
        if any(key[:2] in logs and key[2] is not None and key not in self.used for key in self.values):
            return True
        readouts = [each for each in walk(plan) if self._key(each) not in self.used]
        given = [each for each in readouts if self._key(each) in self.values]
        if any(self.values[self._key(each)] is not None for each in given):
            return True
        whole = bool(given) and len(given) == len(readouts)
        return whole and all(each.sentinels or each.floating for each in given)

    def _flagged(self, step: FlaggedPlan) -> None:
        pos, variable = self.variables[step.variable]
        for bit, plan in step.groups:
            self.enter(plan)
            if self._wanted(plan):
                self.put_bits(pos, variable, 1 << bit)
                self.write(plan)

    def put_bits(self, pos: int, step: FieldPlan, raw: int) -> None:
        endian: Literal["little", "big"] = "little" if step.little else "big"
        placed = raw if step.wire is None else step.wire.place(raw)
        held = int.from_bytes(self.out[pos : pos + step.size], endian) | placed
        self.out[pos : pos + step.size] = held.to_bytes(step.size, endian)

    def _match(self, step: MatchPlan, later: frozenset[tuple[str, str]]) -> None:
        """The case that says, most nearly, everything still unsaid that nothing after it can say."""
        failed: _Impossible | None = None
        best: _Writer | None = None
        for value, plan in _cases(step):
            attempt = replace(
                self,
                out=bytearray(self.out),
                used=set(self.used),
                variables=dict(self.variables),
                times=dict(self.times),
            )
            try:
                if step.variable != LENGTH:
                    attempt.put_bits(*self.variables[step.variable], value)
                attempt.enter(plan)
                attempt.write(plan, later)
            except _Impossible as error:
                failed = failed or error
                continue
            other_length = step.variable == LENGTH and _chosen(step, len(attempt.out)) is not plan
            if other_length or not attempt.says_all(later):
                continue
            if best is None or attempt.error < best.error:
                best = attempt
            if best.error == self.error:
                break
        if best is None:
            raise failed or _Impossible(
                step.variable, "no case carries these values together", "see the type file"
            )
        self.out, self.pos, self.used = best.out, best.pos, best.used
        self.variables, self.times, self.error = best.variables, best.times, best.error

    def _tlv(self, step: TlvPlan) -> None:
        endian: Literal["little", "big"] = "little" if step.little else "big"
        for tag, plan in step.cases:
            for _ in self._each_time(plan):
                self._reserve(self.pos)
                self.out[self.pos :] = tag + bytes(step.length_size)
                self.pos += len(tag) + step.length_size
                start = self.pos
                self.write(plan)
                if step.length_size:
                    length = (self.pos - start).to_bytes(step.length_size, endian)
                    self.out[start - step.length_size : start] = length

    def _records(self, step: RecordsPlan) -> None:
        for _ in self._each_time(step.record):
            self.write(step.record)

    def _each_time(self, plan: Plan) -> Iterator[None]:
        """As often as a plan is to be written: once for each time of its values, where it dates them."""
        clock = clock_of(plan)
        if clock is None:
            if self._wanted(plan):
                yield
            return
        for time_us in self._times(plan, clock):
            self.times[clock.variable] = time_us
            if self._wanted(plan):
                yield
        self.times.pop(clock.variable, None)
