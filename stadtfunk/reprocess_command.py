"""`stadtfunk reprocess`: history decoded again, with the codecs and the list of devices as they are now."""

import argparse
import fcntl
import hashlib
import json
import math
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from alerts.engine import MAX_ALERT_AGE_S
from alerts.errors import AlertsConfigError
from alerts.flagging import Flagging
from alerts.rules import Rules, load_rules
from alerts.scale import load_scale
from devices.catalogue import Catalogue
from devices.device_list import normalise_dev_eui
from devices.errors import DevicesError
from devices.instant import rfc3339_us
from devices.javascript.sandbox import Sandbox
from devices.javascript.shelf import Shelf
from devices.registry import Registry, RegistryFile
from ingest.decoding import Decoding
from ingest.errors import IngestError
from ingest.reprocess import Outcome, Progress, Reprocess, Selection
from ingest.reprocess_book import FILE, Book
from ingest.reprocess_report import Changes, Example, Report
from ingest.settling import Settling
from ingest.sqlite_file import sqlite_path
from ingest.sqlite_journal import open_journal
from ingest.stores import open_store
from stadtfunk.errors import ConfigError, StartError
from stadtfunk.javascript_types import city_catalogue, javascript_types_of, shelf_of
from stadtfunk.settings import Settings
from stadtfunk.settings_file import load_settings
from stadtfunk.signals import stop_asked

_EVERY_S = 2.0
_FOLLOWS_S = 5.0
_STAGES = {
    "decode": "decoded",
    "wait": "waiting for the store writer and the rule engine at",
    "store": "looked through for the store",
    "refused": "refused uplinks accepted",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `stadtfunk reprocess`."""
    parser.add_argument("--config", type=Path, required=True, metavar="city.toml")
    parser.add_argument(
        "--device",
        type=_eui,
        action="append",
        default=[],
        metavar="EUI",
        help="only this device; may be given more than once",
    )
    parser.add_argument(
        "--from", dest="begin", type=_time, metavar="T", help="uplinks from here on, RFC 3339 with offset"
    )
    parser.add_argument("--to", dest="end", type=_time, metavar="T", help="uplinks before this time")
    parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    parser.add_argument(
        "--restart", action="store_true", help="begin anew what was interrupted with these arguments"
    )


def run(args: argparse.Namespace) -> int:
    """0 when all that was asked for is decoded again; 1 when it was interrupted or could not be."""
    settings = load_settings(args.config)
    selection = Selection(frozenset(args.device), args.begin, args.end)
    try:
        with ExitStack() as opened, stop_asked() as stopping:
            outcome = _reprocess(settings, selection, args, opened, stopping)
    except (DevicesError, AlertsConfigError) as error:
        raise ConfigError(*error.faults) from error
    except IngestError as error:
        raise StartError(f"{error}\nstart again with the same arguments to go on") from error
    return _tell(outcome, dry=args.dry_run)


def _reprocess(
    settings: Settings,
    selection: Selection,
    args: argparse.Namespace,
    opened: ExitStack,
    stopping: threading.Event,
) -> Outcome:
    sandbox = Sandbox()
    opened.callback(sandbox.stop)
    catalogue = city_catalogue(settings, javascript_types_of(settings, sandbox))
    registry = _registry(settings, catalogue, selection)
    file = sqlite_path(settings.journal.url)
    if not file.exists():
        raise StartError(f"{file}: there is no journal yet: let `stadtfunk serve` make one")
    journal = open_journal(settings.journal.url)
    opened.callback(journal.close)
    meter = _Meter()
    work = Reprocess(
        journal,
        Decoding(registry, catalogue, sandbox_s=math.inf),  # nobody waits here
        selection,
        young_us=_now_us() - round(MAX_ALERT_AGE_S * 1_000_000),
        stopping=stopping.is_set,
        told=meter,
    )
    if args.dry_run:
        return work.preview()
    _let_the_service_follow(shelf_of(settings), stopping)
    opened.enter_context(_alone(file.with_name(FILE).with_suffix(".lock")))
    book = Book(file.with_name(FILE))
    opened.callback(book.close)
    store = open_store(settings.store.url)
    opened.callback(store.close)
    store.ping()
    settling = Settling(
        journal,
        store,
        book,
        judge=Flagging(_rules(settings), lambda: registry.current, catalogue, _now_us),
        stopping=stopping.is_set,
        told=lambda done, total: meter(Progress("store", done, total)),
    )
    basis = _basis(catalogue, registry.current)
    return work.run(book, _name(selection), basis, settling, anew=args.restart)


def _let_the_service_follow(shelf: Shelf, stopping: threading.Event) -> None:
    """Begin some seconds after the last activation: what a running service reads by then is read with it."""
    newest_ns = max((at_ns for at_ns, *_ in shelf.marks().values()), default=0)
    left_s = _FOLLOWS_S - (time.time_ns() - newest_ns) / 1e9
    if 0 < left_s <= _FOLLOWS_S:
        stopping.wait(left_s)


def _registry(settings: Settings, catalogue: Catalogue, selection: Selection) -> RegistryFile:
    registry = RegistryFile(
        settings.devices.file and settings.path(settings.devices.file),
        settings.device,
        catalogue=catalogue,
        tables_file=str(settings.source),
    )
    if unknown := sorted(selection.devices - registry.current.devices.keys()):
        raise StartError(f"--device: {', '.join(unknown)}: not in the list of devices: register it first")
    return registry


def _rules(settings: Settings) -> Rules:
    table = settings.alerts
    scale = load_scale(table.scale and settings.path(table.scale))
    return load_rules(table.rules and settings.path(table.rules), scale)


def _name(selection: Selection) -> str:
    """The same for the same arguments."""
    return json.dumps([sorted(selection.devices), selection.from_us, selection.to_us])


def _basis(catalogue: Catalogue, registry: Registry) -> str:
    """The same while payloads are read in the same way."""
    seen = hashlib.sha256()
    types = {device.type for device in registry.devices.values()}
    for each in filter(None, map(catalogue.get, sorted(types))):
        seen.update(f"{each.id} {each.sha256}\n".encode())
    for _, device in sorted(registry.devices.items()):
        seen.update(f"{device!r}\n".encode())
    return seen.hexdigest()


class _Meter:
    """How far, how fast, how long still: a line on standard error every few seconds."""

    def __init__(self) -> None:
        self._stage = ""
        self._began = (0.0, 0)
        self._shown = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage != self._stage:
            self._stage, self._began, self._shown = progress.stage, (now, progress.done), 0.0
        if now - self._shown < _EVERY_S and progress.done < progress.total:
            return
        self._shown = now
        rate = (progress.done - self._began[1]) / max(now - self._began[0], 1e-3)
        line = f"reprocess: {_STAGES[progress.stage]} {progress.done} of {progress.total} uplinks"
        if rate and progress.done < progress.total:
            left = (progress.total - progress.done) / rate
            line += f", {rate:.0f} a second, {left:.0f} s left"
        print(line, file=sys.stderr, flush=True)


def _tell(outcome: Outcome, *, dry: bool) -> int:
    report = outcome.report
    for line in (*_found(report, dry=dry), *_left(outcome)):
        print(line)
    if outcome.unread:
        print(
            f"{outcome.unread} uplinks are not decoded again: the store writer or the rule engine has still "
            "to go past them; when the service runs and its store answers, start it again likewise",
            file=sys.stderr,
        )
    if outcome.interrupted:
        print("interrupted: start again with the same arguments to go on", file=sys.stderr)
    whole = not (outcome.interrupted or outcome.unread)
    head = "would change" if dry else "done"
    if not whole:
        head = "so far"
    print(
        f"{head}: {report.uplinks} uplinks decoded; readings: "
        f"{report.changed} changed, {report.removed} removed, {report.added} added; "
        f"uplinks: {report.rejected} rejected now, {report.accepted} accepted now"
    )
    return 0 if whole else 1


def _found(report: Report, *, dry: bool) -> Iterator[str]:
    for dev_eui, what, changes in report.lines():
        yield _line(dev_eui, what, changes, dry=dry)
    for dev_eui, reasons in sorted(report.reasons.items()):
        for reason, uplinks in sorted(reasons.items()):
            yield f"{dev_eui} {uplinks} uplinks decode no longer: {reason}"
    if report.noted:
        yield f"{report.noted} uplinks: their codec says something else beside the readings"


def _left(outcome: Outcome) -> Iterator[str]:
    report = outcome.report
    if report.kept:
        yield f"{report.kept} uplinks stay as they are: their device or its type is in no list now"
    if report.waiting:
        yield f"{report.waiting} refused uplinks of the last hours are left to the service, at its next start"
    if outcome.marked:
        yield f"{outcome.marked} readings are marked as missing: this store cannot delete"


def _line(dev_eui: str, what: str, changes: Changes, *, dry: bool) -> str:
    line = f"{dev_eui} {what}: {changes.changed} changed, {changes.removed} removed, {changes.added} added"
    return "\n".join([line, *(map(_example, changes.examples) if dry else ())])


def _example(example: Example) -> str:
    moment = datetime.fromtimestamp(example.time_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    before = _value(example.before, example.before_quality)
    return f"  {moment}  {before} -> {_value(example.after, example.after_quality)}"


def _value(value: float | None, quality: int) -> str:
    if not quality:
        return "nothing"
    return f"{'missing' if value is None else f'{value:g}'} (quality {quality})"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Raises StartError while another process does the same."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StartError(f"{path}: another `stadtfunk reprocess` is at work: wait for it") from error
        yield


def _now_us() -> int:
    return time.time_ns() // 1000


def _eui(text: str) -> str:
    try:
        return normalise_dev_eui(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _time(text: str) -> int:
    time_us = rfc3339_us(text)
    if time_us is None:
        raise argparse.ArgumentTypeError("a time with its offset, such as 2026-07-14T00:00:00+02:00")
    return time_us
