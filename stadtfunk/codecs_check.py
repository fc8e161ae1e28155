"""`stadtfunk codecs check`: runs every example of a device repository beside what its maker expects."""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from devices.errors import Fault, RepositoryError
from devices.javascript.sandbox import Sandbox
from devices.repository.check import CodecResult, Failure, check_codec
from devices.repository.codec import RepositoryCodec
from devices.repository.comparison import MISSING
from devices.repository.repository import Repository

_MOST_SHOWN = 12
_WIDTH = 40
_PROGRESS_S = 2.0


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Arguments of `stadtfunk codecs check`."""
    summary = "run every uplink example of a device repository beside the expected output"
    sub = commands.add_parser("check", help=summary, description=summary)
    sub.add_argument(
        "folder", type=Path, metavar="DIR", help="laid out like TheThingsNetwork/lorawan-devices"
    )
    sub.add_argument("--json", action="store_true", help="one JSON object a line, the last one sums up")
    sub.set_defaults(run=check)


def check(args: argparse.Namespace) -> int:
    """Check every codec; 0 all pass, 1 something fails or cannot be read, 2 no device repository."""
    start = time.monotonic()
    try:
        codecs, faults = Repository(args.folder).codecs()
    except RepositoryError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{len(codecs)} codecs read", file=sys.stderr)
    with Sandbox() as sandbox:
        results = list(_checked(sandbox, codecs))
    seconds = time.monotonic() - start
    for line in _json_lines(results, faults, seconds) if args.json else _lines(results, faults, seconds):
        print(line)
    failed = any(each.failures or each.normalized_failures for each in results)
    return 1 if failed or faults else 0


def _checked(sandbox: Sandbox, codecs: Sequence[RepositoryCodec]) -> Iterator[CodecResult]:
    said = time.monotonic()
    for i, codec in enumerate(codecs):
        if time.monotonic() - said >= _PROGRESS_S:
            said = time.monotonic()
            print(f"{i} of {len(codecs)} codecs, now {_shown(codec.vendor)}", file=sys.stderr)
        yield check_codec(sandbox, codec)


def _summary(results: Sequence[CodecResult], faults: Sequence[Fault], seconds: float) -> dict[str, Any]:
    return {
        "total": sum(each.total for each in results),
        "passed": sum(each.passed for each in results),
        "codecs": len(results),
        "codecs_failing": sum(bool(each.failures) for each in results),
        "codecs_without_examples": sum(not each.total for each in results),
        "warm_differs": [_name(each) for each in results if each.warm_differs],
        "normalized_total": sum(each.normalized for each in results),
        "normalized_passed": sum(each.normalized - len(each.normalized_failures) for each in results),
        "unreadable_files": len({each.file for each in faults}),
        "seconds": round(seconds, 1),
    }


def _name(result: CodecResult) -> str:
    return f"{result.codec.vendor}/{result.codec.id}"


def _json_lines(results: Sequence[CodecResult], faults: Sequence[Fault], seconds: float) -> Iterator[str]:
    for fault in faults:
        yield json.dumps({"file": fault.file, "key": fault.key, "problem": fault.problem})
    for each in results:
        yield json.dumps(
            {
                "codec": _name(each),
                "script": each.codec.file_name,
                "sha256": each.codec.source and each.codec.source.sha256,
                "total": each.total,
                "passed": each.passed,
                "warm_differs": each.warm_differs,
                "failures": [_as_json(failure) for failure in each.failures],
                "normalized_failures": [_as_json(failure) for failure in each.normalized_failures],
            }
        )
    yield json.dumps(_summary(results, faults, seconds))


def _as_json(failure: Failure) -> dict[str, Any]:
    return {
        "description": failure.description,
        "fPort": failure.frame and failure.frame.f_port,
        "bytes": failure.frame and failure.frame.payload.hex(),
        "reason": failure.reason,
        "differences": [
            {
                "path": each.path,
                **({} if each.expected is MISSING else {"expected": each.expected}),
                **({} if each.got is MISSING else {"got": each.got}),
            }
            for each in failure.differences
        ],
    }


def _lines(results: Sequence[CodecResult], faults: Sequence[Fault], seconds: float) -> Iterator[str]:
    for each in results:
        if not each.total:
            continue
        failed = each.failures or each.normalized_failures
        note = ", its answers depend on the payloads before: run fresh" if each.warm_differs else ""
        yield f"{'FAIL' if failed else 'ok  '} {_shown(_name(each))}: {each.passed} of {each.total}{note}"
        for failure in each.failures:
            yield from _failure_lines(failure, "")
        for failure in each.normalized_failures:
            yield from _failure_lines(failure, ", normalized")
    for fault in faults:
        yield f"FAIL {_shown(str(fault))}"
    yield from _summary_lines(_summary(results, faults, seconds))


def _failure_lines(failure: Failure, what: str) -> Iterator[str]:
    frame = failure.frame
    uplink = f", fPort {frame.f_port}, {frame.payload.hex()}" if frame else ""
    yield f"     {_shown(failure.description)}{what}{uplink}"
    yield f"       {_shown(failure.reason)}"
    rows = [(each.path, _value(each.expected), _value(each.got)) for each in failure.differences]
    if not rows:
        return
    shown = [("where", "expected", "got"), *((_shown(a), b, c) for a, b, c in rows[:_MOST_SHOWN])]
    widths = [max(len(row[i]) for row in shown) for i in (0, 1)]
    for where, expected, got in shown:
        yield f"         {where:{widths[0]}}  {expected:{widths[1]}}  {got}"
    if len(rows) > _MOST_SHOWN:
        yield f"         and {len(rows) - _MOST_SHOWN} more"


def _summary_lines(told: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield (
        f"{told['passed']} of {told['total']} examples pass; {told['codecs_failing']} of {told['codecs']}"
        f" codecs fail, {told['codecs_without_examples']} have no example ({told['seconds']} s)"
    )
    if told["normalized_total"]:
        yield f"normalized: {told['normalized_passed']} of {told['normalized_total']} pass"
    if told["warm_differs"]:
        yield f"state leaks from payload to payload in: {_shown(', '.join(told['warm_differs']))}"
    if told["unreadable_files"]:
        yield f"{told['unreadable_files']} files cannot be read"


def _value(value: Any) -> str:
    if value is MISSING:
        return "(missing)"
    text = _shown(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."


def _shown(text: str) -> str:
    """Text of somebody else's files, safe for a terminal."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
