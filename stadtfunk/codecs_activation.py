"""`stadtfunk codecs compare` and `activate`: another version of a codec, seen at work before it counts."""

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devices.catalogue import DeviceType
from devices.decoded import Frame
from devices.errors import DevicesError, DeviceTypeError, Fault
from devices.field_map import parse_map
from devices.javascript.sandbox import Sandbox, Source
from devices.javascript.shelf import Pair, Shelf
from devices.javascript.type_files import Candidate
from devices.registry import load_registry
from devices.whole_file import rewrite
from ingest.errors import IngestError
from ingest.sqlite_file import sqlite_path
from ingest.sqlite_journal import open_journal
from stadtfunk.codecs_comparison import Comparison, compared, line
from stadtfunk.errors import ConfigError, StartError
from stadtfunk.javascript_types import city_catalogue, javascript_types_of, shelf_of
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings

LAST = 200
_PIN = re.compile(r"""(?m)^(codec_sha256[ \t]*=[ \t]*)(["'])[^"'\n]*\2""")
_MOST_SHOWN = 60


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`compare` and `activate` of the group `stadtfunk codecs`."""
    for name, run, summary in (
        (
            "compare",
            compare,
            "decode the last recorded payloads with the codec in force and the new one; compare their maps",
        ),
        ("activate", activate, "compare, then put the new codec in force"),
    ):
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(run=run)
        sub.add_argument("--config", type=Path, required=True, metavar="city.toml")
        sub.add_argument("--last", type=_count, default=LAST, metavar="N", help=f"payloads (default {LAST})")
        sub.add_argument("--all", action="store_true", help=f"every difference, not the first {_MOST_SHOWN}")
        sub.add_argument("type", metavar="TYPE", help="a device type with a JavaScript codec and a field map")
        if name == "activate":
            sub.add_argument(
                "--yes",
                action="store_true",
                help="also when something differs or was not compared, without asking",
            )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        message = "a number of payloads, at least 1"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def compare(args: argparse.Namespace) -> int:
    """Print every difference; 0 none, 1 some or nothing recorded to compare, 2 usage."""
    change = _change(args)
    if change is None:
        return 2
    if change.in_force is None:
        print(f"{args.type}: nothing is in force yet; the service begins with the text at hand")
        return 0
    return 0 if _print(args, change).same else 1


def activate(args: argparse.Namespace) -> int:
    """Compare, print, ask unless all of it is the same, put in force; 0 done, 1 not, 2 usage."""
    change = _change(args)
    if change is None:
        return 2
    candidate = change.candidate
    if change.in_force is not None:
        if candidate.agrees and candidate.pair == change.in_force:
            print(f"{args.type}: is in force already")
            return 0
        comparison = _print(args, change)
        sure = comparison.same and not comparison.unseen
        if not (sure or args.yes or _confirmed()):
            print("not activated; --yes activates it all the same", file=sys.stderr)
            return 1
    pair = _pinned(candidate)
    try:
        if pair.map != candidate.pair.map:
            rewrite(candidate.map_file.resolve(), pair.map.encode())
        change.shelf.activate(args.type, pair)
    except OSError as error:
        print(f"not activated: {error}", file=sys.stderr)
        return 1
    print(
        f"{args.type}: {pair.codec_sha256} is in force, within seconds also in a running service; "
        "then `stadtfunk reprocess`"
    )
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
        if candidate is None and args.type in scripts.held:
            print(f"{args.type}: nothing to compare: {scripts.held[args.type]}", file=sys.stderr)
            return None
        if candidate is None or catalogue.get(args.type) is None:
            known = ", ".join(sorted(scripts.candidates)) or "there is none"
            print(f"no JavaScript codec with a field map {args.type!r}: {known}", file=sys.stderr)
            return None
        if fault := sandbox.load_fault(Source.of(candidate.pair.codec)):
            print(f"{args.type}: nothing to compare: the codec cannot be loaded: {fault}", file=sys.stderr)
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
    euis = [eui for eui, each in registry.devices.items() if each.type == type_id][:last]
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


def _print(args: argparse.Namespace, change: _Change) -> Comparison:
    comparison, in_force = change.comparison, change.in_force
    if comparison is None or in_force is None:  # only together
        raise ValueError(args.type)
    new = change.candidate.pair.codec_sha256
    print(f"{args.type}: in force {in_force.codec_sha256}")
    print(f"{args.type}: at hand  {new}{' (the same text)' if new == in_force.codec_sha256 else ''}")
    if comparison.uplinks:
        print(
            f"{comparison.uplinks} recorded uplinks, {len(comparison.differences)} fields and readings differ"
        )
    most = len(comparison.differences) if args.all else _MOST_SHOWN
    # readings first where not all can be shown: their number is the map's, that of fields the codec's
    readings = sum(each.kind == "reading" for each in comparison.differences)
    fields = [each for each in comparison.differences if each.kind == "field"][: max(most - readings, 0)]
    for change_of_map in comparison.meaning:
        print(line("map", change_of_map))
    for each in (*fields, *(each for each in comparison.differences if each.kind == "reading")):
        print(each)
    if left := len(comparison.differences) - readings - len(fields):
        print(f"and {left} more fields: --all shows them")
    for not_compared in comparison.unseen:
        print(line("unseen", not_compared))
    print(comparison.verdict)
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
