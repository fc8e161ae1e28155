"""`stadtfunk codecs compare` and `activate`: another version of a codec, seen at work before it counts."""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path
from typing import Any

from devices.catalogue import DeviceType
from devices.decoded import Decoded, Frame
from devices.errors import DevicesError, DeviceTypeError, Fault
from devices.field_map import parse_map
from devices.flat import flat
from devices.javascript.codec import JavascriptCodec
from devices.javascript.outcome import Outcome
from devices.javascript.sandbox import Sandbox
from devices.javascript.shelf import Pair, Shelf
from devices.javascript.type_files import Candidate
from devices.measurement import Rejected
from devices.properties import observed_properties
from devices.registry import load_registry
from ingest.errors import IngestError
from ingest.sqlite_file import sqlite_path
from ingest.sqlite_journal import open_journal
from stadtfunk.errors import ConfigError, StartError
from stadtfunk.javascript_types import city_catalogue, javascript_types_of, shelf_of
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings

LAST = 200
_PIN = re.compile(r"""(?m)^(codec_sha256\s*=\s*)(["'])[0-9a-f]*\2""")
_GONE = "gone"
_MOST_SHOWN = 60


@dataclass(slots=True)
class Difference:
    """One field or reading that two versions say differently: in how many uplinks, and the first of them.

    `ratio`: new by old where that is the same in all of them.
    """

    kind: str
    name: str
    old: Any
    new: Any
    payload: bytes
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
        change = f"{_shown(self.old)} -> {_shown(self.new)}"
        example = f"e.g. {self.payload.hex()}"
        line = f"{self.kind:8} {self.name}: {change} (in {self.count} uplinks{ratio}, {example})"
        # names and texts are the codec's: none may write over what the operator decides by
        return "".join(each if each.isprintable() else "?" for each in line)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two versions of a type over some uplinks."""

    uplinks: int
    units: Sequence[str]
    differences: Sequence[Difference]

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.units and not self.differences


def compared(old: DeviceType, new: DeviceType, frames: Sequence[Frame]) -> Comparison:
    """Both versions over the same frames; every difference in field, value and unit."""
    before, after = _codec(old), _codec(new)
    found: dict[tuple[str, str], Difference] = {}
    for frame, one, other in zip(frames, before.outcomes(frames), after.outcomes(frames), strict=True):
        rows = (
            ("field", _fields(one), _fields(other)),
            ("reading", _readings(before, one), _readings(after, other)),
        )
        for kind, left, right in rows:
            for name in [*left, *(each for each in right if each not in left)]:
                a, b = left.get(name, _GONE), right.get(name, _GONE)
                if not _equal(a, b):
                    known = found.setdefault((kind, name), Difference(kind, name, a, b, frame.payload))
                    known.add(a, b)
    return Comparison(len(frames), [*_units(before, after)], list(found.values()))


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`compare` and `activate` of the group `stadtfunk codecs`."""
    for name, run, summary in (
        (
            "compare",
            compare,
            "decode the last recorded payloads with the codec in force and with the new one",
        ),
        ("activate", activate, "compare, then put the new codec in force"),
    ):
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(run=run)
        sub.add_argument("--config", type=Path, required=True, metavar="city.toml")
        sub.add_argument("--last", type=int, default=LAST, metavar="N", help=f"payloads (default {LAST})")
        sub.add_argument("type", metavar="TYPE", help="a device type with a JavaScript codec and a field map")
        if name == "activate":
            sub.add_argument("--yes", action="store_true", help="also when something differs, without asking")


def compare(args: argparse.Namespace) -> int:
    """Print every difference; 0 none, 1 some, 2 usage."""
    change = _change(args)
    if change is None:
        return 2
    if change.in_force is None:
        print(f"{args.type}: nothing is in force yet; the service begins with the text at hand")
        return 0
    return 0 if _print(args.type, change).same else 1


def activate(args: argparse.Namespace) -> int:
    """Compare, print, ask where something differs, put in force; 0 done, 1 not, 2 usage."""
    change = _change(args)
    if change is None:
        return 2
    candidate = change.candidate
    if change.in_force is not None:
        if candidate.agrees and candidate.pair == change.in_force:
            print(f"{args.type}: is in force already")
            return 0
        comparison = _print(args.type, change)
        sure = comparison.uplinks and comparison.same
        if not (sure or args.yes or _confirmed()):
            print("not activated; --yes activates it all the same", file=sys.stderr)
            return 1
    pair = _pinned(candidate)
    try:
        if pair.map != candidate.pair.map:
            candidate.map_file.write_bytes(pair.map.encode())
        change.shelf.activate(args.type, pair)
    except OSError as error:
        print(f"not activated: {error}", file=sys.stderr)
        return 1
    print(f"{args.type}: {pair.codec_sha256} is in force; restart the service, then `stadtfunk reprocess`")
    return 0


@dataclass(frozen=True, slots=True)
class _Change:
    candidate: Candidate
    in_force: Pair | None
    shelf: Shelf
    comparison: Comparison | None


def _change(args: argparse.Namespace) -> _Change | None:
    """What is in force, what lies in the files, and what differs; None: no such type, said already."""
    settings = load_settings(args.config)
    sandbox = Sandbox()
    try:
        scripts = javascript_types_of(settings, sandbox)
        catalogue = city_catalogue(settings, scripts)
        candidate = scripts.candidates.get(args.type)
        if candidate is None or catalogue.get(args.type) is None:
            known = ", ".join(sorted(scripts.candidates)) or "there is none"
            print(f"no JavaScript codec with a field map {args.type!r}: {known}", file=sys.stderr)
            return None
        shelf = shelf_of(settings)
        in_force = shelf.activated(args.type)
        comparison = None
        if in_force is not None:
            old = scripts.build(args.type, str(shelf.folder), in_force)
            new = scripts.build(args.type, str(candidate.map_file), candidate.pair)
            comparison = compared(old, new, recorded(settings, catalogue, args.type, args.last))
        return _Change(candidate, in_force, shelf, comparison)
    except DevicesError as error:
        raise ConfigError(*error.faults) from error
    finally:
        sandbox.stop()


def recorded(settings: Settings, catalogue: Mapping[str, DeviceType], type_id: str, last: int) -> list[Frame]:
    """The last payloads of a type's devices, also those its codec refused; the same number of each device."""
    registry = load_registry(
        settings.devices.file and settings.path(settings.devices.file),
        settings.device,
        catalogue=catalogue,
        tables_file=str(settings.source),
    )
    euis = [eui for eui, each in registry.devices.items() if each.type == type_id][: max(last, 1)]
    if not euis or not sqlite_path(settings.journal.url).exists():
        return []
    each_last = -(-last // len(euis))
    found = []
    try:
        journal = open_journal(settings.journal.url)
        for eui in euis:
            found += [uplink for _, uplink, _ in journal.latest_uplinks(each_last, eui)]
            refused = journal.rejected(each_last, dev_eui=eui)
            found += [row.uplink for row in refused if row.uplink is not None]
        journal.close()
    except IngestError as error:
        raise StartError(str(error)) from error
    found.sort(key=lambda uplink: uplink.received_us, reverse=True)
    return [Frame(each.f_port, each.payload, each.received_us) for each in found[:last]]


def _print(type_id: str, change: _Change) -> Comparison:
    comparison, in_force = change.comparison, change.in_force
    if comparison is None or in_force is None:  # only together
        raise ValueError(type_id)
    new = change.candidate.pair.codec_sha256
    print(f"{type_id}: in force {in_force.codec_sha256}")
    print(f"{type_id}: at hand  {new}{' (the same text)' if new == in_force.codec_sha256 else ''}")
    print(f"{comparison.uplinks} recorded uplinks, {len(comparison.differences)} fields and readings differ")
    for line in (*comparison.units, *comparison.differences[:_MOST_SHOWN]):
        print(line)
    if len(comparison.differences) > _MOST_SHOWN:
        print(f"and {len(comparison.differences) - _MOST_SHOWN} more")
    return comparison


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    return input("Put it in force all the same? [y/N] ").strip().lower() in {"y", "yes", "j", "ja"}


def _pinned(candidate: Candidate) -> Pair:
    """The pair with its map pinned to its codec. Raises ConfigError where the line cannot be found."""
    if candidate.agrees:
        return candidate.pair
    wanted = candidate.pair.codec_sha256
    text = _PIN.sub(lambda match: f'{match[1]}"{wanted}"', candidate.pair.map, count=1)
    file = str(candidate.map_file)
    try:
        pinned = parse_map(file, text).codec_sha256
    except DeviceTypeError as error:
        raise ConfigError(*error.faults) from error
    if pinned != wanted:
        remedy = f'write codec_sha256 = "{wanted}" on a line of its own'
        raise ConfigError(Fault(file, "codec_sha256", "its line cannot be found", remedy))
    return Pair(candidate.pair.codec, text)


def _codec(device_type: DeviceType) -> JavascriptCodec:
    if not isinstance(device_type.codec, JavascriptCodec):
        raise TypeError(device_type.id)
    return device_type.codec


def _units(before: JavascriptCodec, after: JavascriptCodec) -> Iterator[str]:
    old, new = before.field_map.units, after.field_map.units
    for path in dict.fromkeys([*old, *new]):
        if old.get(path) != new.get(path):
            yield f"{'map':8} {path}: unit {old.get(path, _GONE)} -> {new.get(path, _GONE)}"


def _fields(outcome: Outcome) -> Mapping[str, Any]:
    found = flat(outcome.data) if outcome.data is not None else {}
    said = {"(errors)": "; ".join(outcome.errors), "(warnings)": "; ".join(outcome.warnings)}
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
            rows[f"{each.property}{channel} quality"] = int(each.quality)
    return rows


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
    return f"{value:.10g}" if isinstance(value, float) else str(value)[:100]
