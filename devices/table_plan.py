"""A device-type file with its meaning checked: units resolved, variables found, every number exact."""

import difflib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from devices.errors import DeviceTypeError, Fault
from devices.format import (
    FieldSpec,
    FlaggedNode,
    MatchNode,
    Node,
    RecordsNode,
    Tlv,
    TlvNode,
    TypeFile,
    WireType,
    wire_type,
)
from devices.instant import SECOND_US
from devices.properties import observed_properties
from devices.readout import Clock, Readout
from devices.units import conversion, ucum

LENGTH = "$length"
"""The variable that holds the number of bytes of the whole frame."""


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """Bytes on the wire. `wire` None: `size` bytes nobody reads. `advance`: how far the next field is.

    `rest`: all bytes to the end, which nobody reads either. `clock`: it dates the values of its plan.
    """

    name: str
    wire: WireType | None
    size: int
    advance: int
    little: bool
    readout: Readout | None = None
    rest: bool = False
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class FlaggedPlan:
    """(bit, fields) groups by the bits of a variable."""

    variable: str
    groups: tuple[tuple[int, "Plan"], ...]


@dataclass(frozen=True, slots=True)
class MatchPlan:
    """Cases by the value of a variable or LENGTH: (low, high) ranges, and what holds for the rest."""

    variable: str
    cases: tuple[tuple[int, int, "Plan"], ...]
    otherwise: "Plan | None"


@dataclass(frozen=True, slots=True)
class TlvPlan:
    """Cases by tag bytes; `length_size` bytes of length after the tag, 0: the case says."""

    tag_size: int
    length_size: int
    little: bool
    skip_unknown: bool
    cases: tuple[tuple[bytes, "Plan"], ...]


@dataclass(frozen=True, slots=True)
class OptionalPlan:
    """The end of a frame that some firmware leaves out."""

    rest: "Plan"


@dataclass(frozen=True, slots=True)
class RecordsPlan:
    """The same again until the payload ends."""

    record: "Plan"


Step = FieldPlan | FlaggedPlan | MatchPlan | TlvPlan | OptionalPlan | RecordsPlan
Plan = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class FramePlan:
    """What one fPort carries; no steps: no reading."""

    steps: Plan


def walk(plan: Plan) -> Iterator[Readout]:
    """Every readout of a plan, in file order."""
    for step in plan:
        if isinstance(step, FieldPlan):
            if step.readout is not None:
                yield step.readout
            continue
        for inner in inside(step):
            yield from walk(inner)


def inside(step: Step) -> Sequence[Plan]:
    """The plans a step may go into."""
    if isinstance(step, FlaggedPlan):
        return [inner for _, inner in step.groups]
    if isinstance(step, TlvPlan):
        return [inner for _, inner in step.cases]
    if isinstance(step, MatchPlan):
        return [
            *(inner for _, _, inner in step.cases),
            *(() if step.otherwise is None else (step.otherwise,)),
        ]
    if isinstance(step, OptionalPlan):
        return [step.rest]
    if isinstance(step, RecordsPlan):
        return [step.record]
    return ()


def clock_of(plan: Plan) -> Clock | None:
    """What dates the values of a plan, if it has such a field."""
    for step in plan:
        clock = step.clock if isinstance(step, FieldPlan) else None
        if clock is None and isinstance(step, OptionalPlan):
            clock = clock_of(step.rest)
        if clock is not None:
            return clock
    return None


def plan_type(file: str, type_file: TypeFile) -> dict[int | None, FramePlan]:
    """Frames by fPort (None: any). Raises DeviceTypeError with every fault found."""
    planner = _Planner(file, type_file.endian == "little")
    frames: dict[int | None, FramePlan] = {}
    if type_file.fields:
        frames[None] = FramePlan(planner.plan(type_file.fields, "fields", {}))
    for port, frame in type_file.ports.items():
        frames[port] = FramePlan(planner.plan(frame.fields, f"ports.{port}.fields", {}))
    planner.check_wraps(readout for frame in frames.values() for readout in walk(frame.steps))
    if planner.faults:
        raise DeviceTypeError(*planner.faults)
    return frames


@dataclass(slots=True)
class _Planner:
    file: str
    little: bool
    faults: list[Fault] = field(default_factory=list)

    def fault(self, key: str, problem: str, remedy: str) -> None:
        self.faults.append(Fault(self.file, key, problem, remedy))

    def plan(
        self,
        nodes: Sequence[Node],
        path: str,
        variables: dict[str, WireType],
        clock: Clock | None = None,
        *,
        many: bool = False,
    ) -> Plan:
        """`clock`: what dates the values around these nodes; `many`: they may come several times a frame."""
        own = self._clock(nodes, path, many=many)
        return self._plan(nodes, path, variables, own or clock)

    def _clock(self, nodes: Sequence[Node], path: str, *, many: bool) -> Clock | None:
        times = [(i, each) for i, each in enumerate(nodes) if isinstance(each, FieldSpec) and each.time]
        for i, spec in times[1:]:
            self.fault(f"{path}.{i} ({spec.name}).time", "a second time beside these values", "remove one")
        for i, spec in times[:1]:
            wire = wire_type(spec.type)
            slope, offset = _line(spec.steps)
            if wire is None or wire.code == "f" or slope <= 0:
                self.fault(f"{path}.{i} ({spec.name}).type", "is no whole number that grows", "correct it")
                continue
            c = math.lcm(slope.denominator, offset.denominator)
            low, high = _raw_bounds(wire)
            return Clock(
                variable=f"{spec.name} of {path}",
                a=int(slope * c) * SECOND_US,
                b=int(offset * c) * SECOND_US,
                c=c,
                raw_low=int(low),
                raw_high=int(high),
                sentinels=frozenset({0, *spec.sentinels}),
                required=bool(spec.required),
                many=many,
            )
        return None

    def _plan(
        self, nodes: Sequence[Node], path: str, variables: dict[str, WireType], clock: Clock | None
    ) -> Plan:
        known = dict(variables)
        steps: list[Step] = []
        for i, node in enumerate(nodes):
            here = f"{path}.{i}"
            if isinstance(node, FlaggedNode):
                steps.append(self._flagged(node, f"{here}.flagged", known, clock))
            elif isinstance(node, MatchNode):
                self._last(node.match.field != LENGTH or i == len(nodes) - 1, f"{here}.match")
                steps.append(self._match(node, f"{here}.match", known, clock))
            elif isinstance(node, TlvNode):
                self._last(i == len(nodes) - 1, f"{here}.tlv")
                steps.append(self._tlv(node.tlv, f"{here}.tlv", known, clock))
            elif isinstance(node, RecordsNode):
                self._last(i == len(nodes) - 1, f"{here}.records")
                steps.append(self._records(node, f"{here}.records", known))
            elif node.optional and i:
                rest = (node.model_copy(update={"optional": False}), *nodes[i + 1 :])
                return (*steps, OptionalPlan(self._plan(rest, f"{path}[{i}:]", known, clock)))
            else:
                key = f"{here} ({node.name})"
                self._last(node.length != "remaining" or i == len(nodes) - 1, f"{key}.length")
                step = self._field(node, key, clock)
                if step.wire is not None and not node.time:
                    known[node.name] = step.wire
                steps.append(step)
        return tuple(steps)

    def _last(self, last: bool, key: str) -> None:
        if not last:
            self.fault(key, "reads to the end of the payload", "put it last")

    def _variable(self, name: str, key: str, known: Mapping[str, WireType]) -> str:
        if name == LENGTH:
            return LENGTH
        plain = name.removeprefix("$")
        if plain not in known:
            remedy = f"name a field before it: {', '.join(known) or 'there is none'}"
            self.fault(f"{key}.field", f"no field {plain} before this", remedy)
        elif known[plain].code != "u":
            self.fault(f"{key}.field", f"{plain} is no unsigned integer", "choose by an unsigned field")
        return plain

    def _flagged(
        self, node: FlaggedNode, key: str, known: dict[str, WireType], clock: Clock | None
    ) -> FlaggedPlan:
        variable = self._variable(node.flagged.field, key, known)
        if variable in known:
            for i, group in enumerate(node.flagged.groups):
                if group.bit >= 8 * known[variable].size:
                    problem = f"{variable} has only {8 * known[variable].size} bits"
                    self.fault(f"{key}.groups.{i}.bit", problem, "count from 0")
        return FlaggedPlan(
            variable,
            tuple(
                (group.bit, self.plan(group.fields, f"{key}.groups.{i}.fields", known, clock))
                for i, group in enumerate(node.flagged.groups)
            ),
        )

    def _match(self, node: MatchNode, key: str, known: dict[str, WireType], clock: Clock | None) -> MatchPlan:
        variable = self._variable(node.match.field, key, known)
        cases: list[tuple[int, int, Plan]] = []
        otherwise: Plan | None = None
        for case, fields in node.match.cases.items():
            inner = self.plan(fields, f"{key}.cases.{case}", known, clock)
            if case == "_":
                otherwise = inner
                continue
            bounds = _bounds(case)
            if bounds is None:
                self.fault(f"{key}.cases.{case}", "no case", "write a number, 2..5, or _ for the rest")
            else:
                cases.append((*bounds, inner))
        return MatchPlan(variable, tuple(cases), otherwise)

    def _records(self, node: RecordsNode, key: str, known: dict[str, WireType]) -> RecordsPlan:
        record = self.plan(node.records, key, known, many=True)
        clock = clock_of(record)
        if clock is None or not clock.required:
            problem = "records that nothing dates cannot be told apart"
            self.fault(key, problem, "give a field time: unix_s and required: true")
        return RecordsPlan(record)

    def _tlv(self, tlv: Tlv, key: str, known: dict[str, WireType], clock: Clock | None) -> TlvPlan:
        sizes = [int(each.type[1:]) // 8 for each in tlv.tag_fields] or [tlv.tag_size or 1]
        cases: dict[bytes, Plan] = {}
        for case, fields in tlv.cases.items():
            inner = self.plan(fields, f"{key}.cases.{case}", known, clock, many=True)
            tag = self._tag(case, sizes, bool(tlv.tag_fields))
            if tag is None:
                remedy = "write the tag, or a list with one number for each of the tag_fields"
                self.fault(f"{key}.cases.{case}", "no tag", remedy)
            elif tag in cases:
                self.fault(f"{key}.cases.{case}", f"tag {tag.hex()} stands twice", "remove one of them")
            else:
                cases[tag] = inner
        return TlvPlan(sum(sizes), tlv.length_size, self.little, tlv.unknown == "skip", tuple(cases.items()))

    def _tag(self, case: int | str | tuple[int, ...], sizes: Sequence[int], fields: bool) -> bytes | None:
        parts: Sequence[int]
        if isinstance(case, str):
            numbers = re.findall(r"0[xX][0-9a-fA-F]+|\d+", case)
            if not re.fullmatch(r"\[?[\s,0-9a-fA-FxX]+\]?", case) or not numbers:
                return None
            parts = [int(each, 0) for each in numbers]
        else:
            parts = (case,) if isinstance(case, int) else case
        endian: Literal["little", "big"] = "little" if fields and self.little else "big"
        try:
            return b"".join(part.to_bytes(size, endian) for part, size in zip(parts, sizes, strict=True))
        except (OverflowError, ValueError):
            return None

    def _field(self, spec: FieldSpec, key: str, clock: Clock | None) -> FieldPlan:
        wire = wire_type(spec.type)
        if wire is None:
            size = spec.length if isinstance(spec.length, int) else 0
            return FieldPlan(spec.name, None, size, size, self.little, rest=spec.length == "remaining")
        if spec.type == "bool" or spec.bit is not None:
            bit = spec.bit or 0
            wire = wire.model_copy(update={"ranges": ((bit, bit),)})
        if wire.ranges and wire.code != "u":
            self.fault(f"{key}.type", "a bit range needs an unsigned type", "use u8, u16, u24 or u32")
        advance = 0 if wire.ranges else wire.size
        if spec.consume is not None:
            advance = spec.consume
        little = self.little if wire.endian is None else wire.endian == "little"
        if spec.time:
            name = spec.name if clock is None else clock.variable
            return FieldPlan(name, wire, wire.size, advance, little, clock=clock)
        readout = None if spec.property is None else self._readout(spec, wire, key, clock)
        return FieldPlan(spec.name, wire, wire.size, advance, little, readout)

    def _readout(self, spec: FieldSpec, wire: WireType, key: str, clock: Clock | None) -> Readout | None:
        known = observed_properties()
        observed = known.get(spec.property or "")
        if observed is None:
            close = difflib.get_close_matches(spec.property or "", list(known), n=1)
            remedy = f"did you mean {close[0]}?" if close else "see devices/properties.toml"
            self.fault(f"{key}.property", f"unknown property {spec.property}", remedy)
            return None
        if spec.unit is None and observed.unit != "1":
            self.fault(
                f"{key}.unit", "is missing", f"write the unit the maker gives, such as {observed.unit}"
            )
            return None
        unit = ucum(spec.unit or "1")
        converted = conversion(unit, observed.unit)
        if converted is None:
            problem = f"{unit} cannot become {observed.unit}, the unit of {observed.name}"
            self.fault(f"{key}.unit", problem, "correct the unit or the property")
            return None
        if observed.kind == "counter" and spec.wrap is None:
            remedy = "write the count at which the device starts again at 0, in the field's unit"
            self.fault(f"{key}.wrap", "a counter needs it", remedy)
        into, shift = converted
        slope, offset = _line(spec.steps)
        slope, offset = slope * into, offset * into + shift
        if slope == 0:
            self.fault(f"{key}.mult", "makes every value the same", "correct it")
            return None
        c = math.lcm(slope.denominator, offset.denominator)
        lookup, default = self._lookup(spec, key, into, shift)
        low, high = sorted(_float(Fraction(str(each)) * into + shift) for each in spec.valid_range or ()) or (
            -math.inf,
            math.inf,
        )
        raw_low, raw_high = _raw_bounds(wire)
        return Readout(
            key=(observed.name, spec.channel),
            property=observed.name,
            channel=spec.channel,
            a=int(slope * c),
            b=int(offset * c),
            c=c,
            raw_low=raw_low,
            raw_high=raw_high,
            low=low,
            high=high,
            sentinels=frozenset(spec.sentinels),
            lookup=lookup,
            default=default,
            strict=isinstance(spec.lookup, tuple),
            wrap=None if spec.wrap is None else _float(Fraction(str(spec.wrap)) * into),
            required="report" if spec.required == "report" else "reject" if spec.required else "",
            floating=wire.code == "f",
            clock=clock,
        )

    def _lookup(
        self, spec: FieldSpec, key: str, into: Fraction, shift: Fraction
    ) -> tuple[dict[int, float] | None, float | None]:
        if spec.lookup is None:
            return None, None
        if spec.steps:
            self.fault(
                f"{key}.lookup", "add, mult and div beside a lookup", "write the values into the table"
            )
        rows = dict(enumerate(spec.lookup)) if isinstance(spec.lookup, tuple) else dict(spec.lookup)
        numbers: dict[int | str, float] = {}
        for raw, value in rows.items():
            if isinstance(value, str):
                remedy = f"write {raw}: NUMBER, or leave out property"
                self.fault(f"{key}.lookup.{raw}", f"{value!r} is no number for a property", remedy)
            else:
                numbers[raw] = _float(Fraction(str(value)) * into + shift)
        default = numbers.pop("default", None)
        return {raw: value for raw, value in numbers.items() if isinstance(raw, int)}, default

    def check_wraps(self, readouts: Iterator[Readout]) -> None:
        wraps: dict[str, float] = {}
        for each in readouts:
            if each.wrap is not None and wraps.setdefault(each.property, each.wrap) != each.wrap:
                problem = f"{each.property} wraps at {wraps[each.property]} and at {each.wrap}"
                self.fault(each.property, problem, "give both the same wrap")


def _line(steps: Sequence[tuple[str, Fraction]]) -> tuple[Fraction, Fraction]:
    slope, offset = Fraction(1), Fraction(0)
    for op, by in steps:
        if op == "add":
            offset += by
        elif op == "mult":
            slope, offset = slope * by, offset * by
        else:
            slope, offset = slope / by, offset / by
    return slope, offset


def _raw_bounds(wire: WireType) -> tuple[float, float]:
    if wire.code == "f":
        return -math.inf, math.inf
    if wire.code == "s":
        return -(2 ** (wire.bits - 1)), 2 ** (wire.bits - 1) - 1
    return 0, 2**wire.bits - 1


def _bounds(case: int | str) -> tuple[int, int] | None:
    if isinstance(case, int):
        return case, case
    match = re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)(?:\.\.(0x[0-9a-fA-F]+|\d+))?", case)
    if not match:
        return None
    low = int(match[1], 0)
    return low, int(match[2], 0) if match[2] else low


def _float(number: Fraction) -> float:
    return number.numerator / number.denominator
