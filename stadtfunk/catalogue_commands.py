"""`stadtfunk devices` and `stadtfunk decode`: the catalogue on the command line."""

import argparse
import difflib
import json
import math
import sys
import time
from pathlib import Path

from devices.catalogue import Catalogue, load_catalogue
from devices.decoded import Frame
from devices.errors import DevicesError
from devices.javascript.sandbox import Sandbox
from devices.javascript.type_files import JavascriptTypes
from devices.measurement import Quality, Rejected
from devices.properties import observed_properties
from stadtfunk import decode_codec
from stadtfunk.javascript_types import city_catalogue, javascript_types_of, open_repository

_FAULTY = {Quality.FAIL}
_MAX_PORT = 223


def add_devices_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk devices`."""
    parser.add_argument("--json", action="store_true", help="machine-readable")


def add_decode_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk decode`."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--type", metavar="TYPE", help="a device type, see `stadtfunk devices`")
    which.add_argument(
        "--codec",
        type=Path,
        metavar="FILE.js",
        help='a codec in JavaScript, sandboxed; reads JSON lines {"fPort", "bytes", "recvTime"} on stdin',
    )
    parser.add_argument("--fport", type=_port, metavar="N", help="LoRaWAN FPort, 1 to 223")
    parser.add_argument("--config", type=Path, metavar="city.toml", help="with the types of this city")
    parser.add_argument(
        "--types", type=Path, action="append", default=[], metavar="DIR", help="with those of this folder"
    )
    parser.add_argument("--repository", type=Path, metavar="DIR", help="with those of this device repository")
    parser.add_argument("payload", nargs="?", type=_hex, metavar="HEX", help="the payload in hex")


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_PORT:
        message = f"an FPort is a number from 1 to {_MAX_PORT}"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def devices(args: argparse.Namespace) -> int:
    """List the device types."""
    types = load_catalogue()
    if args.json:
        rows = [
            {
                "id": t.id,
                "maker": t.maker,
                "model": t.model,
                "name_de": t.name_de,
                "name_en": t.name_en,
                "theme": t.theme,
                "interval_s": t.interval_s,
                "properties": list(t.properties),
                "vectors": len(t.vectors),
            }
            for t in types.values()
        ]
        print(json.dumps(rows, ensure_ascii=False, indent=2))
        return 0
    width = max(map(len, types))
    for t in types.values():
        print(f"{t.id:{width}}  {t.name_en}: {', '.join(t.properties)}")
    return 0


def decode(args: argparse.Namespace) -> int:
    """Decode one payload by a type, or lines of them by a codec; 0 fine, 1 rejected or faulty, 2 usage."""
    if args.codec is not None:
        if args.fport is not None or args.payload is not None:
            print("--codec reads its uplinks from standard input, without --fport and HEX", file=sys.stderr)
            return 2
        return decode_codec.run(args.codec)
    if args.fport is None or args.payload is None:
        print("--type needs --fport N and HEX", file=sys.stderr)
        return 2
    with Sandbox() as sandbox:
        try:
            return _decode(args, sandbox)
        except DevicesError as error:
            print(error, file=sys.stderr)
            return 2


def _decode(args: argparse.Namespace, sandbox: Sandbox) -> int:
    types = _types(args, sandbox)
    if args.type not in types:
        close = difflib.get_close_matches(args.type, types, n=1)
        hint = f"did you mean {close[0]}?" if close else "`stadtfunk devices` lists them"
        print(f"no device type {args.type!r}: {hint}", file=sys.stderr)
        return 2
    frame = Frame(args.fport, args.payload, time.time_ns() // 1000)
    [result] = types[args.type].decode_many([frame])
    if isinstance(result, Rejected):
        print(f"rejected: {result.reason}: {result.detail}", file=sys.stderr)
        print("[]")
        return 1
    units = observed_properties()
    rows = [
        {
            "property": m.property,
            "value": m.value if m.value is None or math.isfinite(m.value) else None,
            "unit": units[m.property].unit,
            "quality": int(m.quality),
            **({"channel": m.channel} if m.channel else {}),
        }
        for m in result.measurements
    ]
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for path, value in result.unmapped.items():
        print(f"unmapped: {path} = {json.dumps(value, ensure_ascii=False)}", file=sys.stderr)
    print(json.dumps(rows, ensure_ascii=False))
    return 1 if any(m.quality in _FAULTY for m in result.measurements) else 0


def _types(args: argparse.Namespace, sandbox: Sandbox) -> Catalogue:
    """The types of a configuration, or of the folders named, beside our own."""
    if args.config is not None:
        from stadtfunk.settings_file import load_settings  # noqa: PLC0415 - it brings the whole service along

        settings = load_settings(args.config)
        scripts = javascript_types_of(settings, sandbox)
        types = city_catalogue(settings, scripts)
        if args.type in scripts.held:
            print(f"note: {scripts.held[args.type]}", file=sys.stderr)
        return types
    repository = None if args.repository is None else open_repository(args.repository)
    return load_catalogue(*args.types, scripts=JavascriptTypes(sandbox, repository=repository))
