"""Compiles a plan into closures over struct operations: no name is looked up while an uplink is decoded."""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from devices.measurement import Measurement, Quality, Rejected
from devices.readout import Clock, Read, Refused, reader
from devices.table_plan import (
    LENGTH,
    FieldPlan,
    FlaggedPlan,
    FramePlan,
    MatchPlan,
    OptionalPlan,
    Plan,
    RecordsPlan,
    Step,
    TlvPlan,
    clock_of,
    inside,
    walk,
)

_LOGGED = "$logged"
"""The variable that is there when a frame had values of another time."""
Decode = Callable[[bytes], tuple[Measurement, ...] | Rejected]
_Out = list[Measurement]
_Variables = dict[str, int]
_Run = Callable[[bytes, int, _Out, _Variables], int]

_CODES = {("u", 1): "B", ("u", 2): "H", ("u", 4): "I", ("u", 8): "Q", ("s", 1): "b", ("s", 2): "h"} | {
    ("s", 4): "i", ("s", 8): "q", ("f", 2): "e", ("f", 4): "f", ("f", 8): "d",
}  # fmt: skip


def compile_frame(frame: FramePlan) -> Decode:
    """A function from payload to measurements or a rejection; it raises on no bytes."""
    if not frame.steps:
        return _no_reading
    referenced = _referenced(frame.steps)
    run = _chain(_steps(frame.steps, referenced))
    by_length = LENGTH in referenced
    readouts = list(walk(frame.steps))
    required = {each.key: each.required for each in readouts if each.required}
    clock = clock_of(frame.steps)
    of_now = [each.key for each in readouts if each.clock in {None, clock}]
    most = len(of_now)
    may_repeat = len(set(of_now)) < most

    def decode(payload: bytes) -> tuple[Measurement, ...] | Rejected:
        out: _Out = []
        variables: _Variables = {LENGTH: len(payload)} if by_length else {}
        try:
            end = run(payload, 0, out, variables)
        except (struct.error, IndexError):
            return Rejected("payload_too_short", f"{len(payload)} bytes: {payload.hex()}")
        except Refused as refused:
            return refused.rejected
        if end != len(payload):
            return _wrong_length(end, payload)
        logged = _LOGGED in variables
        if may_repeat or logged:
            out = _first_of_each(out)
        if required and out and (logged or len(out) < most):
            checked = _with_required(out, required)
            if isinstance(checked, Rejected):
                return checked
            out = checked
        if clock is not None:
            _date(out, 0, clock, variables)
        return tuple(out)

    return decode


def _wrong_length(end: int, payload: bytes) -> Rejected:
    if end > len(payload):
        return Rejected("payload_too_short", f"{len(payload)} bytes: {payload.hex()}")
    return Rejected("trailing_bytes", f"{end} bytes read, {len(payload)} came: {payload.hex()}")


def _no_reading(payload: bytes) -> tuple[Measurement, ...]:  # noqa: ARG001 - any bytes will do
    return ()


def _first_of_each(out: _Out) -> _Out:
    """An alarm often says again what the report before it said: one value for each series."""
    first: dict[tuple[str, str, int | None], Measurement] = {}
    for each in out:
        first.setdefault((each.property, each.channel, each.time_us), each)
    return list(first.values())


def _with_required(out: _Out, required: Mapping[tuple[str, str], str]) -> _Out | Rejected:
    """What must be there is asked of the values of now, not of those logged beside them or alone."""
    present = {(each.property, each.channel) for each in out if each.time_us is None}
    if not present:
        return out
    for (property_, channel), manner in required.items():
        if (property_, channel) not in present:
            if manner == "reject":
                return Rejected("missing_required", property_)
            out.append(Measurement(property_, None, Quality.MISSING, channel))
    return out


def _date(out: _Out, start: int, clock: Clock, variables: _Variables) -> None:
    """Gives the values from `start` on their time, except those that have one."""
    raw = variables.pop(clock.variable, None)
    variables[_LOGGED] = 1
    time_us = None if raw is None else clock.time_us(raw)
    if time_us is not None:
        dated = [each if each.time_us is not None else replace(each, time_us=time_us) for each in out[start:]]
    elif clock.required:
        dated = [each for each in out[start:] if each.time_us is not None]
    else:
        return
    out[start:] = dated


def _referenced(plan: Plan) -> set[str]:
    names = {step.variable for step in plan if isinstance(step, FlaggedPlan | MatchPlan)}
    names |= {step.clock.variable for step in plan if isinstance(step, FieldPlan) and step.clock}
    return names.union(*(_referenced(inner) for step in plan for inner in inside(step)))


def _chain(runs: Sequence[_Run]) -> _Run:
    if len(runs) == 1:
        return runs[0]

    def chain(payload: bytes, pos: int, out: _Out, variables: _Variables) -> int:
        for run in runs:
            pos = run(payload, pos, out, variables)
        return pos

    return chain


def _list(plan: Plan, referenced: set[str]) -> _Run:
    """A plan inside a frame, which may date its values itself."""
    run = _chain(_steps(plan, referenced))
    clock = clock_of(plan)
    if clock is None:
        return run

    def dated(payload: bytes, pos: int, out: _Out, variables: _Variables) -> int:
        start = len(out)
        pos = run(payload, pos, out, variables)
        _date(out, start, clock, variables)
        return pos

    return dated


def _steps(plan: Plan, referenced: set[str]) -> list[_Run]:
    runs: list[_Run] = []
    plain: list[FieldPlan] = []

    def flush() -> None:
        if plain:
            runs.append(_plain(tuple(plain), referenced))
            plain.clear()

    for step in plan:
        if isinstance(step, FieldPlan) and _is_plain(step):
            if plain and plain[-1].little != step.little:
                flush()
            plain.append(step)
            continue
        flush()
        runs.append(_structure(step, referenced))
    flush()
    return runs


def _structure(step: Step, referenced: set[str]) -> _Run:
    if isinstance(step, FieldPlan):
        return _bits(step, referenced)
    if isinstance(step, FlaggedPlan):
        return _flagged(step, referenced)
    if isinstance(step, MatchPlan):
        return _match(step, referenced)
    if isinstance(step, OptionalPlan):
        return _optional(step, referenced)
    if isinstance(step, RecordsPlan):
        return _records(step, referenced)
    return _tlv(step, referenced)


def _is_plain(step: FieldPlan) -> bool:
    return step.advance == step.size and not step.rest and (step.wire is None or not step.wire.ranges)


def _plain(fields: Sequence[FieldPlan], referenced: set[str]) -> _Run:
    """Neighbouring whole fields as one struct."""
    layout = "<" if fields[0].little else ">"
    readers: list[tuple[int, Read]] = []
    named: list[tuple[int, str]] = []
    index = 0
    for each in fields:
        if each.wire is None or (each.readout is None and each.name not in referenced):
            layout += f"{each.size}x"
            continue
        code = None if each.wire.words else _CODES.get((each.wire.code, each.size))
        layout += code or f"{each.size}s"
        if each.readout is not None:
            read = reader(each.readout)
            readers.append((index, read if code else _from_bytes(each, read)))
        if each.name in referenced:
            named.append((index, each.name))
        index += 1
    packed = struct.Struct(layout)
    unpack_from, size = packed.unpack_from, packed.size
    little = "little" if fields[0].little else "big"

    def run(payload: bytes, pos: int, out: _Out, variables: _Variables) -> int:
        raw = unpack_from(payload, pos)
        for i, read in readers:
            measurement = read(raw[i])
            if measurement is not None:
                out.append(measurement)
        for i, name in named:
            value = raw[i]
            variables[name] = int.from_bytes(value, little) if isinstance(value, bytes) else value  # type: ignore[arg-type]  # one of two literals
        return pos + size

    return run


def _from_bytes(field: FieldPlan, read: Read) -> Read:
    signed = field.wire is not None and field.wire.code == "s"
    if field.wire is not None and field.wire.words and not field.little:
        return lambda raw: read(int.from_bytes(raw[2:] + raw[:2], "big", signed=signed))
    if field.little:
        return lambda raw: read(int.from_bytes(raw, "little", signed=signed))
    return lambda raw: read(int.from_bytes(raw, "big", signed=signed))


def _bits(field: FieldPlan, referenced: set[str]) -> _Run:
    """Bit ranges, which stand still unless they say `consume`."""
    if field.rest:
        return lambda payload, pos, out, variables: max(pos, len(payload))  # noqa: ARG005 - one signature
    if field.wire is None:
        advance_only = field.advance
        return lambda payload, pos, out, variables: pos + advance_only  # noqa: ARG005 - one signature
    size, advance, name = field.size, field.advance, field.name
    ranges = field.wire.ranges or ((0, 8 * size - 1),)
    (low, mask), *more = [(low, (1 << (high - low + 1)) - 1) for low, high in ranges]
    endian = "little" if field.little else "big"
    signed = field.wire.code == "s"
    read = None if field.readout is None else reader(field.readout)
    keep = name in referenced

    def run(payload: bytes, pos: int, out: _Out, variables: _Variables) -> int:
        held = payload[pos : pos + size]
        if len(held) < size:
            raise IndexError
        whole = int.from_bytes(held, endian, signed=signed)  # type: ignore[arg-type]  # one of two literals
        raw = whole if signed else whole >> low & mask
        for shift, part in more:
            raw = raw << part.bit_length() | whole >> shift & part
        if read is not None:
            measurement = read(raw)
            if measurement is not None:
                out.append(measurement)
        if keep:
            variables[name] = raw
        return pos + advance

    return run


def _flagged(step: FlaggedPlan, referenced: set[str]) -> _Run:
    groups = [(1 << bit, _list(plan, referenced)) for bit, plan in step.groups]
    variable = step.variable

    def run(payload: bytes, pos: int, out: _Out, variables: _Variables) -> int:
        flags = variables[variable]
        for mask, group in groups:
            if flags & mask:
                pos = group(payload, pos, out, variables)
        return pos

    return run


def _match(step: MatchPlan, referenced: set[str]) -> _Run:
    exact = {low: _list(plan, referenced) for low, high, plan in step.cases if low == high}
    ranges = [(low, high, _list(plan, referenced)) for low, high, plan in step.cases if low != high]
    otherwise = None if step.otherwise is None else _list(step.otherwise, referenced)
    variable = step.variable

    def run(payload: bytes, pos: int, out: _Out, variables: _Variables) -> int:
        value = variables[variable]
        case = exact.get(value)
        if case is None:
            case = next((each for low, high, each in ranges if low <= value <= high), otherwise)
        if case is None:
            raise Refused("unknown_frame", f"{variable} is {value}: {payload.hex()}")
        return case(payload, pos, out, variables)

    return run


def _optional(step: OptionalPlan, referenced: set[str]) -> _Run:
    rest = _chain(_steps(step.rest, referenced))

    def run(payload: bytes, pos: int, out: _Out, variables: _Variables) -> int:
        return pos if pos == len(payload) else rest(payload, pos, out, variables)

    return run


def _records(step: RecordsPlan, referenced: set[str]) -> _Run:
    record = _list(step.record, referenced)

    def run(payload: bytes, pos: int, out: _Out, variables: _Variables) -> int:
        while pos < len(payload):
            begun, pos = pos, record(payload, pos, out, variables)
            if pos <= begun:
                break
        return pos

    return run


def _with_readings(step: TlvPlan) -> set[bytes]:
    """Tags with values that would contradict each other if they came twice; dated ones do not."""
    return {tag for tag, plan in step.cases if clock_of(plan) is None and any(walk(plan))}


def _tlv(step: TlvPlan, referenced: set[str]) -> _Run:
    cases = {tag: _list(plan, referenced) for tag, plan in step.cases}
    once = _with_readings(step)
    tag_size, length_size, skip = step.tag_size, step.length_size, step.skip_unknown
    endian = "little" if step.little else "big"

    def run(payload: bytes, pos: int, out: _Out, variables: _Variables) -> int:
        end = len(payload)
        seen: set[bytes] = set()
        while pos < end:
            tag = payload[pos : pos + tag_size]
            pos += tag_size
            if pos > end:
                raise IndexError
            if tag in seen:
                raise Refused("repeated_tag", f"{tag.hex()}: {payload.hex()}")
            seen.update(once & {tag})
            case = cases.get(tag)
            if case is None and not skip:
                raise Refused("unknown_tag", f"{tag.hex()} at byte {pos - tag_size}: {payload.hex()}")
            if not length_size:
                if case is None:
                    return end
                pos = case(payload, pos, out, variables)
                continue
            start = pos + length_size
            stop = start + int.from_bytes(payload[pos:start], endian)  # type: ignore[arg-type]  # one of two literals
            if stop > end or start > end:
                raise IndexError
            if case is not None and case(payload[start:stop], 0, out, variables) != stop - start:
                raise Refused("bad_payload", f"length of {tag.hex()}: {payload.hex()}")
            pos = stop
        return pos

    return run
